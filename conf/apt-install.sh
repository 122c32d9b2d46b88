#!/bin/sh
# Installs the first of the named Debian packages that exists, as root or by passwordless sudo.
# Exits 1, saying nothing, where that is not allowed or none exists: the caller knows what to ask for.
set -eu

command -v apt-get >/dev/null || exit 1
if [ "$(id -u)" = 0 ]; then
    as_root=env
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo -n env"
else
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "apt-get update ..." >&2
$as_root apt-get update >"$log" 2>&1 || true  # a stale list is better than none
for package in "$@"; do
    # apt-cache show also finds packages that are only mentioned; a candidate can be installed
    apt-cache policy "$package" 2>/dev/null | grep -q 'Candidate: [0-9]' || continue
    echo "apt-get install $package ..." >&2
    if $as_root DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "$package" >"$log" 2>&1; then
        exit 0
    fi
    tail -n 5 "$log" >&2
done
exit 1
