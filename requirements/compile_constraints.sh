#!/usr/bin/env bash
# Compile the constraints files from the requirements files: requirements/compile_constraints.sh
#
#   constraints.txt              a bare machine: Python 3.11 or later, ROS 2 from wheels
#   constraints-ros-sourced.txt  a sourced ROS 2: Python 3.10 or later, bounds in ros-sourced.txt
#
# uv resolves for every Python version at once. Pins that the files hold are kept; options go to uv:
#
#   requirements/compile_constraints.sh --upgrade-package ruff      one package
#   requirements/compile_constraints.sh --upgrade                   all of them
#
# Without a uv on the path, one is installed into build/uv. uv does not read pip's settings: an
# index other than the public one is named in UV_DEFAULT_INDEX; it is not written into the files.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    uv=build/uv/bin/uv
    [ -x "$uv" ] || { python3 -m venv build/uv && build/uv/bin/python -m pip install -qq uv; }
fi

compile() {
    "$uv" pip compile --quiet --universal --annotation-style line \
        --custom-compile-command requirements/compile_constraints.sh "$@"
}

compile --python-version 3.11 -o requirements/constraints.txt "$@" \
    requirements/{run,ros,dev,docs}.txt
compile --python-version 3.10 -c requirements/ros-sourced.txt \
    -o requirements/constraints-ros-sourced.txt "$@" requirements/{run,dev,docs}.txt
