#!/usr/bin/env bash
# Make the project's virtual environment: requirements/make_environment.sh VENV run|dev FLAVOUR
#
#   run      what driving needs
#   dev      besides, what the tests, the linters and colcon need
#   FLAVOUR  wheels: ROS 2 Jazzy from wheels, on a machine without a ROS 2
#            the name of a ROS 2 distribution that is sourced: its interpreter, its rclpy
#
# The Makefile calls it when a requirements file is newer than the environment.
# PYTHON names the interpreter, TORCH_INDEX the package index that torch comes from.
set -euo pipefail

venv=$1
purpose=$2
flavour=$3
here=$(dirname "$(readlink -f "$0")")
root=$(dirname "$here")

say() { printf '%s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

# Whether packages may be installed without asking: root in a container or image without an init.
may_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null &&
        { [ -e /.dockerenv ] || [ -e /run/.containerenv ] || [ ! -d /run/systemd/system ]; }
}

apt_install() {
    say "installing $* (apt-get, as root in a container)"
    apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

recent_enough() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

choose_python() {
    if [ "$flavour" != wheels ]; then
        python=${PYTHON:-python3} # ROS' own, of whatever version
        return
    fi
    for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if recent_enough "$python"; then return; fi
    done
    python=${PYTHON:-python3}
    command -v "$python" >/dev/null ||
        fail "$python was not found: install Python 3.11 to 3.14 (with venv), or name one: make PYTHON=..."
    fail "$("$python" --version 2>&1) is $python, and Python 3.11 to 3.14 is needed where no ROS 2 is" \
        "sourced: install one (with venv), or name it: make PYTHON=..."
}

need_venv_module() {
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then return; fi
    local package
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if may_install && apt_install "$package"; then return; fi
    fail "$python cannot make a virtual environment: sudo apt-get install $package"
}

# A context is the only proof of a working EGL: libEGL.so.1 alone has no driver, and PyOpenGL wants
# libOpenGL besides.
egl_works() {
    MUJOCO_GL=egl "$venv_python" -c 'import mujoco
context = mujoco.GLContext(16, 16)
context.make_current()
context.free()' >/dev/null 2>&1
}

need_egl() {
    local packages=(libegl1 libopengl0 libgl1-mesa-dri)
    if egl_works; then return; fi
    if may_install && apt_install "${packages[@]}" && egl_works; then return; fi
    say "warning: the embedded simulator cannot draw without EGL:" \
        "sudo apt-get install ${packages[*]}" >&2
}

# The report pages are tested in a real browser; without one those tests say that they are left out.
need_browser() {
    local name
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        if command -v "$name" >/dev/null; then return; fi
    done
    # Ubuntu's package of that name only leads to a snap, which does not run in a container.
    if may_install && ! grep -qi '^ID=ubuntu' /etc/os-release && apt_install chromium; then return; fi
    say "note: the report pages are not tested without a Chromium: sudo apt-get install chromium" >&2
}

say_size() {
    if [ "$purpose" = dev ] && [ -e "$venv/.made-run-$flavour" ]; then
        say "adding the tests' tools to $venv: about 95 MB to download"
        return
    fi
    local rest=215
    if [ "$flavour" = wheels ]; then rest=255; fi
    say "making $venv: $rest MB to download, and torch besides:"
    if [ -n "${TORCH_INDEX:-}" ]; then
        say "  0.2 GB if $TORCH_INDEX has the CPU build, several GB for a CUDA build"
    else
        say "  0.2 GB where pip's own index has the CPU build; the public one has the CUDA build on"
        say "  x86-64, several GB: TORCH_INDEX=<address of PyTorch's CPU index> chooses the CPU build"
    fi
    say "  (what pip has in its cache is not downloaded again)"
}

new_environment() {
    local made
    for made in "$venv"/.made-*; do
        [ -e "$made" ] || continue
        case $made in
        *-"$flavour") ;;
        *)
            say "$venv was made for another ROS 2 (${made##*-}): making it again for $flavour"
            rm -rf "$venv"
            break
            ;;
        esac
    done
    if "$venv_python" -c '' 2>/dev/null; then return; fi
    if [ "$flavour" = wheels ]; then
        "$python" -m venv "$venv"
    else
        "$python" -m venv --system-site-packages "$venv"
    fi
}

# numpy 1 is what cv_bridge is built for on Ubuntu 22.04 and 24.04; Lyrical's Ubuntu has numpy 2.
constraints_of() {
    case $1 in
    humble | jazzy | kilted) echo constraints-ros-sourced.txt ;;
    *) echo constraints.txt ;;
    esac
}

install_packages() {
    local constraints
    constraints=$here/$(constraints_of "$flavour")
    local wanted=(-r "$here/run.txt")
    if [ "$flavour" = wheels ]; then wanted+=(-r "$here/ros.txt"); fi
    if [ "$purpose" = dev ]; then wanted+=(-r "$here/dev.txt"); fi
    local pip=("$venv_python" -m pip --disable-pip-version-check -qq install -c "$constraints")
    if [ -n "${TORCH_INDEX:-}" ]; then
        # torch alone from its own index, then the rest (torch's dependencies too) from pip's.
        "${pip[@]}" --no-deps --index-url "$TORCH_INDEX" torch
    fi
    # colcon's dependency EmPy is a source package: it is built with the environment's setuptools.
    "${pip[@]}" setuptools
    "${pip[@]}" "${wanted[@]}"
}

# The checkout itself is what runs: a path to it, and the `pilotnet` command. (pip install -e would
# besides copy launch/, config/ and models/ into the environment, where ROS would find them first.)
link_checkout() {
    local packages
    packages=$("$venv_python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    printf '%s\n' "$root" >"$packages/pilotnet_brain.pth"
    printf '#!/bin/sh\nexec "$(dirname "$(readlink -f "$0")")/python" -m pilotnet_brain.cli "$@"\n' \
        >"$venv/bin/pilotnet"
    chmod +x "$venv/bin/pilotnet"
}

venv_python=$venv/bin/python
choose_python
need_venv_module
say_size
begin=$SECONDS
new_environment
install_packages
link_checkout
need_egl
if [ "$purpose" = dev ]; then need_browser; fi
touch "$venv/.made-run-$flavour"
if [ "$purpose" = dev ]; then touch "$venv/.made-dev-$flavour"; fi
say "$venv is ready ($((SECONDS - begin)) s)"
