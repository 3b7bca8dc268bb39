#!/usr/bin/env bash
# Make Gazebo Classic 11 for the tests: Debian bullseye's packages in a folder of their own.
#
#   test/gazebo/make_gazebo11.sh           make it unless it is there; print the folder
#   test/gazebo/make_gazebo11.sh --where   print the folder only; fail where it is not made
#
# The folder is PILOTNET_GAZEBO11, else gazebo11 in pilotnet_brain in the user's cache: 1.3 GB, made
# once. Needs root (debootstrap and chroot do), and Debian's packages. They come from the mirror that
# PILOTNET_DEBIAN_MIRROR names, else from this machine's own (apt's), else from debootstrap's default.
# Exit status 3: Gazebo cannot be had on this machine.
set -euo pipefail

folder=${PILOTNET_GAZEBO11:-${XDG_CACHE_HOME:-$HOME/.cache}/pilotnet_brain/gazebo11}
# Raise the number when the packages below change: a folder of another number is made again.
edition=1
packages=(gazebo gazebo-plugin-base xvfb libgl1-mesa-dri)

say() { printf '%s\n' "$*" >&2; }
cannot() {
    say "error: no Gazebo Classic 11 for the tests: $*"
    exit 3
}

is_made() { [ "$(cat "$folder/edition" 2>/dev/null)" = "$edition" ]; }

need_debootstrap() {
    [ "$(id -u)" = 0 ] || cannot "debootstrap and chroot need root"
    if command -v debootstrap >/dev/null && [ -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then
        return
    fi
    command -v apt-get >/dev/null || cannot "there is no debootstrap, and no apt-get to install it"
    say "installing debootstrap (apt-get)"
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
        --no-install-recommends debootstrap debian-archive-keyring; } >/dev/null ||
        cannot "apt-get could not install debootstrap"
}

# One mirror a line, the best first; the empty line is debootstrap's own default.
mirrors() {
    if [ -n "${PILOTNET_DEBIAN_MIRROR:-}" ]; then
        printf '%s\n' "$PILOTNET_DEBIAN_MIRROR"
        return
    fi
    # shellcheck disable=SC2016 # $(REPO_URI) is apt's own notation
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | sort -u || true
    printf '\n'
}

bootstrap() {
    local mirror
    while IFS= read -r mirror; do
        say "Debian bullseye from ${mirror:-the default mirror of debootstrap} into $1 (half a minute)"
        if debootstrap --variant=minbase bullseye "$1" ${mirror:+"$mirror"} >"$log" 2>&1; then
            return
        fi
        rm -rf "$1"
    done < <(mirrors)
    tail -n 5 "$log" >&2
    cannot "Debian bullseye could not be fetched: name a mirror that has it, such as Debian's archive" \
        "of old releases, in PILOTNET_DEBIAN_MIRROR"
}

install_gazebo() {
    say "installing ${packages[*]} into it (1.2 GB, one to five minutes)"
    # No service may start, and no documentation is needed.
    printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
    chmod +x "$1/usr/sbin/policy-rc.d"
    printf 'path-exclude=%s\n' '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/locale/*' \
        >"$1/etc/dpkg/dpkg.cfg.d/lean"
    # The tests' Gazebo is found by name on this machine only.
    printf '127.0.0.1 localhost\n' >"$1/etc/hosts"
    DEBIAN_FRONTEND=noninteractive chroot "$1" apt-get -qq -o Dpkg::Options::=--force-unsafe-io \
        install -y --no-install-recommends "${packages[@]}" >>"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        cannot "its packages could not be installed"
    }
    chroot "$1" apt-get clean
}

if is_made; then
    echo "$folder"
    exit 0
fi
if [ "${1:-}" = --where ]; then
    cannot "$folder is not made yet: test/gazebo/make_gazebo11.sh"
fi

mkdir -p "$(dirname "$folder")"
exec 9>"$folder.lock"
flock 9 # another one that is making it
if is_made; then
    echo "$folder"
    exit 0
fi
log=$folder.log
# Made aside and renamed: what was cut off never looks finished.
rm -rf "$folder" "$folder".part
need_debootstrap
bootstrap "$folder.part"
install_gazebo "$folder.part"
echo "$edition" >"$folder.part/edition"
mv "$folder.part" "$folder"
say "Gazebo Classic 11 is ready in $folder"
echo "$folder"
