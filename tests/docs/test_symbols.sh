#!/bin/sh
# The library exports what the public headers declare, and nothing else.
library=$KODAMA_BUILD/src/libkodama.so
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
echo 1..2
nm -D --defined-only "$library" | awk '{ print $3 }' | sed 's/@.*//' | grep -v '^_' | sort -u > "$scratch/exported"
# A declaration begins with KODAMA_API; its name is the first word that a parenthesis follows.
cat "$KODAMA_ROOT"/include/kodama/*.h | tr '\n' ' ' | grep -oE 'KODAMA_API [^(;]*\(' | grep -oE 'kodama_[a-z0-9_]+ *\($' |
    tr -d ' (' | sort -u > "$scratch/declared"

if [ -s "$scratch/exported" ] && ! grep -v '^kodama_' "$scratch/exported" > "$scratch/foreign"; then
    echo 'ok 1 - every exported name begins with kodama_'
else
    echo 'not ok 1 - every exported name begins with kodama_'
    sed 's/^/# /' "$scratch/foreign"
fi
if diff "$scratch/declared" "$scratch/exported" > "$scratch/difference"; then
    echo 'ok 2 - the headers and the library agree on every function'
else
    echo 'not ok 2 - the headers and the library agree on every function'
    sed 's/^/# /' "$scratch/difference"
fi
