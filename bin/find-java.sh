#!/usr/bin/env bash
# Print the home of a Java that Spark 4 can use (17 or newer, with the module jdk.incubator.vector).
# Searches JAVA_HOME, PATH and the usual places; status 1 if there is none.
set -euo pipefail

usable() {
    local home=$1 modules
    [ -x "$home/bin/java" ] || return 1
    # Java 8 has no --list-modules and fails here.
    modules=$("$home/bin/java" --list-modules 2>/dev/null) || return 1
    [[ $modules == *jdk.incubator.vector@* ]] || return 1
    [[ $modules =~ java\.base@([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -ge 17 ]
}

# The home of the `java` on PATH, after resolving links (macOS has no readlink -f).
home_of_path() {
    local java link
    java=$(command -v java) || return 0
    while link=$(readlink "$java"); do
        case "$link" in
            /*) java=$link ;;
            *) java=$(dirname "$java")/$link ;;
        esac
    done
    dirname "$(dirname "$java")"
}

candidates() {
    printf '%s\n' "${JAVA_HOME:-}"
    home_of_path
    # macOS
    if [ -x /usr/libexec/java_home ]; then
        /usr/libexec/java_home -v 17+ 2>/dev/null || true
    fi
    local dir
    for dir in /usr/lib/jvm/* /opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home \
        /usr/local/opt/openjdk*/libexec/openjdk.jdk/Contents/Home \
        "${HOME:-}"/.sdkman/candidates/java/current; do
        printf '%s\n' "$dir"
    done
}

while IFS= read -r home; do
    if [ -n "$home" ] && usable "$home"; then
        printf '%s\n' "$home"
        exit 0
    fi
done < <(candidates)
exit 1
