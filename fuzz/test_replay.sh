#!/bin/sh
# The short runs of the harnesses: a fault is found, its input kept and named, in every run the same one.
#
#   test_replay.sh PLANTED        PLANTED: the harness with planted faults
planted=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
n=0
check() { # check SENTENCE COMMAND...
    n=$((n + 1))
    sentence=$1
    shift
    if "$@"; then echo "ok $n - $sentence"; else
        echo "not ok $n - $sentence"
        sed 's/^/# /' "$scratch/out"
    fi
}
run() { # run KIND: leaves $code, what it said and the files that it kept
    rm -rf "$scratch/kept" && mkdir -p "$scratch/kept" "$scratch/$1"
    echo "$1 12 and some words" >"$scratch/$1/seed"
    code=0
    "$planted" "$scratch/$1" "$scratch/kept/found-" >"$scratch/out" 2>&1 || code=$?
    kept=$(ls "$scratch/kept")
}
run harmless
check "a harness without faults passes" [ "$code" = 0 ]
check "and says how many inputs it had" grep -qE '^ok 1 - 1 inputs of the corpus and [1-9][0-9]{3,} made' "$scratch/out"
check "and keeps none" [ -z "$kept" ]
for kind in signal status; do
    run $kind
    first=$kept
    check "a fault that ends in a $kind is found" eval '[ $code = 1 ] && grep -q "^not ok 1" "$scratch/out"'
    check "with what ended it ($kind)" grep -q "^# ended .*$kind" "$scratch/out"
    check "its input is kept and named ($kind)" eval '[ -n "$kept" ] && grep -qF "kept in $scratch/kept/$kept" "$scratch/out"'
    check "and alone does it again ($kind)" eval '! "$planted" "$scratch/kept/$kept" >"$scratch/out" 2>&1'
    run $kind
    check "every run finds the same ($kind)" [ "$first" = "$kept" ]
done
mkdir "$scratch/empty"
code=0
"$planted" "$scratch/empty" "$scratch/kept/found-" >"$scratch/out" 2>&1 || code=$?
check "no corpus is a failure" [ $code = 1 ]
echo "1..$n"
