#!/bin/sh
# The whole test suite: the whole rehearsals in one process, everything else in another, side by side.
# Two processes and not more: each has a CDK kernel of its own, and the machines that test this have two cores.
set -u
cd "$(dirname "$0")/.."
# What one process has compiled is there for the next: the checkers and notebooks run in environments of their own.
unset PYTHONDONTWRITEBYTECODE
log=$(mktemp)
python -m pytest -m slow -p no:cacheprovider >"$log" 2>&1 &
rehearsals=$!
trap 'kill -INT $rehearsals 2>/dev/null; wait $rehearsals; rm -f "$log"; exit 130' INT TERM
python -m pytest -m "not slow" "$@"
others=$?
echo "Waiting for the whole rehearsals"
wait $rehearsals
whole=$?
cat "$log"
rm -f "$log"
[ $others -eq 0 ] && [ $whole -eq 0 ]
