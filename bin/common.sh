# Shared by the scripts in this folder: sourced, never executed.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv="$root/.venv"
# What the steps of `logged` print goes here.
log="$root/out/setup.log"

say() { printf '%s\n' "$*"; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

# logged WHAT COMMAND...: print WHAT and how long the command took; its output goes to the log. If
# the command fails, print the end of the log and stop.
logged() {
    local what=$1 started=$SECONDS status=0
    shift
    printf '%s ... ' "$what"
    mkdir -p "$(dirname "$log")"
    printf '\n== %s\n' "$what" >>"$log"
    "$@" >>"$log" 2>&1 || status=$?
    if [ "$status" -ne 0 ]; then
        say "failed"
        tail -n 20 "$log" >&2
        fail "$what: exit code $status; full log: $log"
    fi
    say "$((SECONDS - started)) s"
}

# Run a command as root if that needs no password; otherwise return status 126.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 126
    fi
}

# Print the package manager that we may use: apt-get, dnf, apk or brew; nothing if there is none.
package_manager() {
    local tool
    if command -v brew >/dev/null && [ "$(id -u)" -ne 0 ]; then
        say brew
        return
    fi
    as_root true 2>/dev/null || return 0
    for tool in apt-get dnf apk; do
        if command -v "$tool" >/dev/null; then
            say "$tool"
            return
        fi
    done
}

# install_package NAME: install with the package manager found; its output goes to the log.
install_package() {
    say "installing $1 with $(package_manager)" >&2
    mkdir -p "$(dirname "$log")"
    case "$(package_manager)" in
        apt-get)
            as_root apt-get update -qq &&
                as_root env DEBIAN_FRONTEND=noninteractive \
                    apt-get install -y -qq --no-install-recommends "$1"
            ;;
        dnf) as_root dnf install -y -q "$1" ;;
        apk) as_root apk add --quiet "$1" ;;
        brew) brew install --quiet "$1" ;;
        *) return 126 ;;
    esac >>"$log" 2>&1
}
