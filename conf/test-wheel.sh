#!/bin/sh
# Installs WHEEL with its locked dependencies in an empty environment, and uses it from an empty folder.
# --no-index: pip then also says where the lock does not give what the wheel asks for.
set -eu
wheel=$(realpath "$1")
conf=$(realpath "$(dirname "$0")")
check=$(realpath "$(dirname "$0")/../tests/wheel_check.py")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$conf/setup-python.sh" "$folder/venv" "$conf/requirements/core.txt"
cp "$check" "$folder/check.py"
cd "$folder"
"$folder/venv/bin/python" -m pip --disable-pip-version-check install --quiet --no-index "$wheel"
"$folder/venv/bin/python" -m pip --disable-pip-version-check check
"$folder/venv/bin/python" -I check.py
"$folder/venv/bin/spark-sig" --help >/dev/null
