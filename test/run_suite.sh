#!/usr/bin/env bash
# Run the tests in two parts: test/run_suite.sh PYTHON TESTS...
#
# First all that does not drive in real time, on every core; then the live runs, alone.
set -uo pipefail
python=$1
shift

status=0 empty=0
run() {
    "$python" -m pytest "$@"
    local code=$?
    if [ $code -eq 5 ]; then # pytest's: none of the tests is in this part
        empty=$((empty + 1))
    elif [ $code -ne 0 ]; then
        status=$code
    fi
}

run -n auto -m "not live and not soak and not gazebo and not gz" "$@"
run -m live "$@"
[ $empty -lt 2 ] || status=5
exit $status
