#!/bin/sh
# The documents say what is there: the program in the README is the example that is built and run, and no link is dead.
cd "$KODAMA_ROOT" || exit 1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
n=0
report() { # report STATUS SENTENCE
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' README.md > "$scratch/readme.c"
diff "$scratch/readme.c" examples/hello.c > "$scratch/difference"
status=$?
sed 's/^/# /' "$scratch/difference"
report $status "the README shows examples/hello.c as it is"

dead=0
for page in *.md docs/*.md; do
    for link in $(grep -oE '\]\([^)#]+\)' "$page" | sed 's/^](//; s/)$//' | grep -v '://'); do
        [ -e "$(dirname "$page")/$link" ] || { echo "# $page: $link is not there"; dead=1; }
    done
done
report $dead "no document links to a file that is not there"

missing=0
for name in $(grep -ohE '(^    |`)make [a-z]+' README.md docs/*.md | sed 's/.*make //' | sort -u); do
    grep -qE "^(\.PHONY:.*)?\b$name\b" Makefile || { echo "# make $name is not in the Makefile"; missing=1; }
done
report $missing "every make target in the documents exists"

missing=0
for example in examples/*.c; do
    grep -qF "$(basename "$example")\`" docs/guide.md || { echo "# the guide does not name $example"; missing=1; }
done
report $missing "the guide names every example"
echo "1..$n"
