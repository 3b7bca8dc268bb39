#!/usr/bin/env bash
# Run the tests in three parts: test/run_suite.sh PYTHON TESTS...
#
# First all that does not drive in real time, on every core (worksteal keeps the tests of a file, and
# what they share, on one of them as far as it goes); then the whole runs, which mostly wait,
# two at a time; then the tests in which a delay would show, alone.
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

run -n auto --dist worksteal -m "not live and not whole_run and not soak and not gazebo and not gz" "$@"
run -n 2 -m whole_run "$@"
run -m live "$@"
[ $empty -lt 3 ] || status=5
exit $status
