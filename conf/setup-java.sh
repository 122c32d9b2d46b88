#!/bin/sh
# Prints the home of a Java that can run Spark 4 (17 or newer, with jdk.incubator.vector),
# taken from JAVA_HOME, PATH or the usual folder, or installed by apt where that is allowed.
set -eu
here=$(dirname "$0")

# java_home_of JAVA: prints its home where it fits, fails where it does not.
java_home_of() {
    # some small runtimes lack the module that Spark asks for at its start
    settings=$("$1" --add-modules jdk.incubator.vector -XshowSettings:properties -version 2>&1) || return 1
    version=$(printf '%s\n' "$settings" | sed -n 's/^ *java.specification.version = \([0-9]*\).*/\1/p')
    [ "${version:-0}" -ge 17 ] || return 1
    printf '%s\n' "$settings" | sed -n 's/^ *java.home = //p'
}

find_java() {
    if [ -n "${JAVA_HOME:-}" ] && java_home_of "$JAVA_HOME/bin/java"; then return 0; fi
    on_path=$(command -v java) && java_home_of "$on_path" && return 0
    for java in /usr/lib/jvm/*/bin/java; do
        [ -x "$java" ] && java_home_of "$java" && return 0
    done
    return 1
}

find_java && exit 0
"$here/apt-install.sh" openjdk-17-jre-headless openjdk-21-jre-headless default-jre-headless || true
find_java && exit 0
echo "spark_sig needs Java 17 or newer: install the package openjdk-17-jre-headless" \
    "(or another Java), or set JAVA_HOME to one, and run make again." >&2
exit 1
