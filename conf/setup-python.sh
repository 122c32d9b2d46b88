#!/bin/sh
# Makes the virtual environment VENV, or brings it up to date, from the hashed lock LOCK.
# usage: setup-python.sh VENV LOCK [NEWEST]   NEWEST: the newest minor of Python 3 that LOCK allows
# PYTHON names the interpreter to use, where it should be another than the first that fits.
set -eu
venv=$1 lock=$2 newest=${3:-99}
here=$(dirname "$0")

fits() {
    "$1" -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, $newest))" 2>/dev/null
}

find_python() {
    for python in ${PYTHON:-} python3 python3.12 python3.11 python3.10 python3.13 python3.14; do
        path=$(command -v "$python") || continue
        if fits "$path"; then
            printf '%s\n' "$path"
            return 0
        fi
    done
    return 1
}

if ! fits "$venv/bin/python"; then
    if ! python=$(find_python); then
        limit=""
        [ "$newest" = 99 ] || limit=", at most 3.$newest"
        echo "$venv needs Python 3.10 or newer$limit: install one, or name it: make PYTHON=/path/to/python3." >&2
        exit 1
    fi
    # Debian ships Python without what makes environments
    if ! "$python" -c "import ensurepip, venv" 2>/dev/null; then
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        "$here/apt-install.sh" "$package" python3-venv || true
        if ! "$python" -c "import ensurepip, venv" 2>/dev/null; then
            echo "$python cannot make environments: install the package $package and run make again." >&2
            exit 1
        fi
    fi
    echo "making $venv with $("$python" --version) ..." >&2
    # not --clear: the JARs and a half-made environment may stay, pip completes it
    "$python" -m venv "$venv"
fi

# The locks are complete, so pip has nothing to resolve (--no-deps); PySpark is built from
# its sources with the locked setuptools, not with one fetched on the way.
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }
pip install --quiet --no-deps --require-hashes -r "$here/requirements/build.txt"
echo "installing $lock into $venv (the first time takes some minutes: PySpark is 400 MB) ..." >&2
pip install --quiet --no-deps --no-build-isolation --require-hashes -r "$lock"
