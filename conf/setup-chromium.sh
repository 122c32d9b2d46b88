#!/bin/sh
# Finds a Chromium for the tests of pages, or installs the distribution's by apt where that is allowed.
set -eu
here=$(dirname "$0")

found() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

found >/dev/null && exit 0
"$here/apt-install.sh" chromium || true
found >/dev/null && exit 0
echo "no Chromium, so the tests of pages in a browser skip: install the package chromium." >&2
exit 1
