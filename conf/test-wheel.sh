#!/bin/sh
# Installs WHEEL with its locked dependencies in an empty environment, and uses it from an empty folder:
# the first lines of the guide give a report there.
# --no-index: pip then also says where the lock does not give what the wheel asks for.
set -eu
wheel=$(realpath "$1")
conf=$(realpath "$(dirname "$0")")
check=$(realpath "$(dirname "$0")/../tests/wheel_check.py")
page=$(realpath "$(dirname "$0")/../docs/getting-started.md")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$conf/setup-python.sh" "$folder/venv" "$conf/requirements/core.txt"
cp "$check" "$folder/check.py"
cd "$folder"
"$folder/venv/bin/python" -m pip --disable-pip-version-check install --quiet --no-index "$wheel"
"$folder/venv/bin/python" -m pip --disable-pip-version-check check
"$folder/venv/bin/python" -I check.py
"$folder/venv/bin/spark-sig" --help >/dev/null

# the page's first block of Python, on Spark's own settings, in three minutes of machine time
awk '/^```python/ { on = 1; next } /^```/ && on { exit } on' "$page" >first.py
(ulimit -t 180 && "$folder/venv/bin/python" first.py >first.txt 2>first.log) || { cat first.log >&2; exit 1; }
grep "^DOES NOT CONFORM: 1 check is violated" first.txt
