#!/usr/bin/env bash
# Find a Java for Spark, or install one if that needs no password, and write the defaults of .venv's
# own Spark. Called by every `make setup`; quick if nothing changed.
set -euo pipefail
. "$(dirname "$0")/common.sh"

what_to_do() {
    say "Spark needs Java 17 or 21 with the module jdk.incubator.vector, and none was found." \
        "Install one:"
    say "  Debian, Ubuntu:  apt-get install openjdk-17-jre-headless   (or openjdk-21-jre-headless)"
    say "  Fedora, RHEL:    dnf install java-21-openjdk-headless"
    say "  Alpine:          apk add openjdk17-jre-headless"
    say "  macOS:           brew install openjdk@17"
    say "or set JAVA_HOME to an existing one, and run this again. An attempt to install one: $log"
}

install_java() {
    case "$(package_manager)" in
        apt-get)
            # Debian 12 and Ubuntu have 17, Debian 13 has 21.
            install_package openjdk-17-jre-headless || install_package openjdk-21-jre-headless
            ;;
        dnf) install_package java-21-openjdk-headless || install_package java-17-openjdk-headless ;;
        apk) install_package openjdk17-jre-headless ;;
        brew) install_package openjdk@17 ;;
        *) return 126 ;;
    esac
}

if ! java_home=$("$root/bin/find-java.sh"); then
    install_java || true
    java_home=$("$root/bin/find-java.sh") || {
        what_to_do >&2
        exit 2
    }
fi
if [ -n "${JAVA_HOME:-}" ] && [ "$JAVA_HOME" != "$java_home" ]; then
    say "note: JAVA_HOME=$JAVA_HOME is not a Java that Spark can use; using $java_home" >&2
fi

# Defaults of .venv's own spark-submit: this environment's Python and Java where nothing is set.
conf=$("$venv/bin/python" -c \
    'import importlib.util as u; print(u.find_spec("pyspark").submodule_search_locations[0])')/conf
mkdir -p "$conf"
cat >"$conf/spark-env.sh" <<END
# Written by framejury's \`make setup\`. Variables that you set yourself take precedence.
[ ! -r "$root/conf/spark/spark-env.sh" ] || . "$root/conf/spark/spark-env.sh"
: "\${PYSPARK_PYTHON:=$venv/bin/python}"
: "\${PYSPARK_DRIVER_PYTHON:=\$PYSPARK_PYTHON}"
: "\${JAVA_HOME:=$java_home}"
END
cp "$root/conf/spark/log4j2.properties" "$conf/log4j2.properties"
