# Shared by the scripts in this folder: sourced, never executed.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv="$root/.venv"

say() { printf '%s\n' "$*"; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
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

# install_package NAME: install with the package manager found; its output goes to stderr.
install_package() {
    say "installing $1 with $(package_manager)" >&2
    case "$(package_manager)" in
        apt-get)
            as_root apt-get update -qq >&2 &&
                as_root env DEBIAN_FRONTEND=noninteractive \
                    apt-get install -y -qq --no-install-recommends "$1" >&2
            ;;
        dnf) as_root dnf install -y -q "$1" >&2 ;;
        apk) as_root apk add --quiet "$1" >&2 ;;
        brew) brew install --quiet "$1" >&2 ;;
        *) return 126 ;;
    esac
}
