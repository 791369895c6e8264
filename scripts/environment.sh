# Sourced by scripts/demo and scripts/test: finds Python and makes virtual environments with it. Plain POSIX shell.

# A Python of the caller's own, or its packages, must not reach into ours.
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV
export PYTHONNOUSERSITE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_REQUIRE_VIRTUALENV=1 PIP_USER=0

say() {
    printf '%s\n' "$*" >&2
}

stop() {
    say "$@"
    exit 1
}

is_root() {
    [ "$(id -u)" -eq 0 ]
}

# Print the name of a Python that is new enough. PYTHON names one to take.
find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        # Run, not only found: a name may stand for a version that is not installed.
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    [ -z "${PYTHON:-}" ] || stop "PYTHON=$PYTHON is no Python of version 3.11 or newer."
    stop "Flash needs Python 3.11 or newer, and none was found. On Debian 12 and Ubuntu 24.04, or newer:" \
        "apt-get install python3 python3-venv"
}

# Debian keeps the part of Python that makes virtual environments in a package of its own.
ensure_venv() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 && return
    package=$("$1" -c 'import sys; print(f"python{sys.version_info[0]}.{sys.version_info[1]}-venv")')
    if is_root && command -v apt-get >/dev/null; then
        apt_install "$package"
    fi
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 || stop "$1 cannot make virtual environments. Install what is missing: apt-get install $package"
}

apt_install() {
    say "Installing $* ..."
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"; } >&2 ||
        stop "apt-get could not install $*; its own message stands above."
}

# environment FOLDER PIP-ARGUMENT...: make a virtual environment and install into it, unless that was done before.
# What was installed is kept in a file, so that a second run does nothing, and changed requirements are installed.
environment() {
    folder=$1
    shift
    wanted=$(printf '%s\n' "$@" | cat - pyproject.toml $(find examples -name requirements.txt) | cksum)
    if "$folder/bin/python" -c '' 2>/dev/null && [ "$(cat "$folder/installed" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    # Made anew only if it does not work: it may hold what a developer has put there.
    if ! "$folder/bin/python" -c '' 2>/dev/null; then
        python=$(find_python) || exit 1
        ensure_venv "$python"
        say "Making $folder with $("$python" --version) ..."
        "$python" -m venv --clear "$folder" || stop "$python could not make $folder."
    fi
    say "Installing into $folder, which takes a minute or two ..."
    # Dependency groups need pip 25.1.
    "$folder/bin/python" -m pip install -qq --upgrade 'pip>=25.1' &&
        "$folder/bin/python" -m pip install -qq "$@" ||
        stop "pip could not install what is needed into $folder; its own message stands above. It needs a network, or a package index that it is told of in PIP_INDEX_URL."
    printf '%s\n' "$wanted" >"$folder/installed"
}
