#!/bin/sh
# The manual pages of the library: all there, without warnings, and refused when a header says too little.
. "$KODAMA_ROOT/tests/command/tap.sh"
pages=$KODAMA_BUILD/docs
generator=$KODAMA_ROOT/docs/header_pages.py

# --- the pages that were built

nm -D --defined-only "$KODAMA_BUILD/src/libkodama.so" | awk '$3 ~ /^kodama_/ { print $3 }' | sed 's/@.*//' > "$scratch/exported"
while read -r name; do
    [ -s "$pages/$name.3" ] || echo "$name has no page"
done < "$scratch/exported" > "$scratch/out"
check "every exported function has a manual page" [ -s "$scratch/exported" -a ! -s "$scratch/out" ]

missing=
for header in "$KODAMA_ROOT"/include/kodama/*.h; do
    name=$(basename "$header" .h)
    case $name in api | kodama) name=kodama ;; *) name=kodama_$name ;; esac
    [ -s "$pages/$name.3" ] && ! grep -q '^\.so' "$pages/$name.3" || missing="$missing $name"
done
echo "$missing" > "$scratch/out"
check "every header has a page of its own" [ -z "$missing" ]

grep -h '^\.so' "$pages"/*.3 | sort -u | while read -r _ target; do
    [ -s "$pages/${target#man3/}" ] || echo "$target is not there"
done > "$scratch/out"
check "every page that links links to a page" [ ! -s "$scratch/out" ]

grep -hoE '^\.BR kodama[a-z_0-9]* \(3\)|fBkodama_[a-z0-9_]+.fP\(3\)' "$pages"/*.3 |
    grep -oE 'kodama[a-z0-9_]*' | sort -u > "$scratch/referred"
while read -r name; do
    [ -s "$pages/$name.3" ] || echo "$name(3) is not there"
done < "$scratch/referred" > "$scratch/out"
check "every page that is referred to is there" [ -s "$scratch/referred" -a ! -s "$scratch/out" ]

grep -ho '^\.I examples/.*' "$pages"/*.3 | sed 's/^\.I //; s/\\-/-/g' | sort -u | while read -r example; do
    [ -s "$KODAMA_ROOT/$example" ] || echo "$example is not there"
done > "$scratch/out"
check "every example that is named is there" [ ! -s "$scratch/out" ]
check "the page of the ring names its example" grep -q '^\.I examples/ring\.c' "$pages/kodama_ring.3"

sentence="every page renders without warnings"
: > "$scratch/err"
for page in $(grep -L '^\.so' "$pages"/*.3); do
    if command -v groff > /dev/null; then
        groff -man -Tutf8 -ww -z "$page" 2>> "$scratch/err"
    elif command -v mandoc > /dev/null; then
        mandoc -T lint -W error "$page" >> "$scratch/err"
    fi
done
if command -v groff > /dev/null || command -v mandoc > /dev/null; then
    check "$sentence" [ ! -s "$scratch/err" ]
else
    skip "$sentence" "neither groff nor mandoc is installed"
fi

if command -v man > /dev/null && command -v groff > /dev/null; then
    mkdir -p "$scratch/manual/man3"
    cp "$pages"/*.3 "$scratch/manual/man3"
    man -M "$scratch/manual" kodama_ring_create > "$scratch/rendered" 2> "$scratch/err"
    check "man kodama_ring_create shows the ring" grep -q '^ *kodama_ring - ' "$scratch/rendered"
    LC_ALL=C MANWIDTH=80 man -M "$scratch/manual" kodama_clip 2> "$scratch/err" |
        awk 'length($0) > 80' > "$scratch/out"
    check "a page fits into 80 columns" [ ! -s "$scratch/out" ]
else
    skip "man kodama_ring_create shows the ring" "man is not installed"
    skip "a page fits into 80 columns" "man is not installed"
fi

# --- headers that are read

# header NAME: standard input becomes a header that kodama.h includes
header() {
    mkdir -p "$scratch/include/kodama" "$scratch/pages"
    rm -f "$scratch/include/kodama"/*.h "$scratch/pages"/*
    printf '/* All. */\n#include <kodama/api.h>\n#include <kodama/%s.h>\n' "$1" > "$scratch/include/kodama/kodama.h"
    printf '/* Shared. */\n' > "$scratch/include/kodama/api.h"
    cat > "$scratch/include/kodama/$1.h"
}
# generate: pages of that header; leaves $code, $scratch/out and $scratch/err
generate() {
    code=0
    "$generator" --out "$scratch/pages" --examples "$KODAMA_ROOT/examples" \
        $("$generator" --headers "$scratch/include/kodama/kodama.h") > "$scratch/out" 2> "$scratch/err" || code=$?
}
refused() {
    generate
    [ "$code" -eq 1 ] && said "$1"
}

header door << 'END'
/*
 * Doors: they open. What is closed \(or 'ajar') stays.
 *
 *   - one hinge
 *   - two hinges, which
 *     is more
 *
 * The signs:
 *
 *     ajar    half
 *             open
 *     shut
 */
struct kodama_door;
/** What a door can be. */
enum kodama_leaf {
    KODAMA_LEAF_OAK = 1, /**< heavy; "solid" */
    KODAMA_LEAF_GLASS    /**< light */
};
struct kodama_door_config {
    size_t size; /**< sizeof */
    /** Before its member. */
    double width_m;
    union {
        int red;   /**< inside, red */
        int green; /**< inside, green */
    } paint;
    void (*creak)(void *user, int loudness);
};
#define KODAMA_DOOR_CONFIG_INIT { .size = sizeof(struct kodama_door_config), .width_m = 0.9 }
/** Called at each knock; return 0. */
typedef int (*kodama_knock)(void *user, int knocks);
/**
 * Open a door.
 *
 * @param[out] door  the door, a `whole` one
 * @param width_m    how wide
 * and no wider
 * @return KODAMA_OK, or
 *         KODAMA_ERR_BUSY   somebody is in it
 *         KODAMA_ERR_STATE
 *
 * Knock first. Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_door_open(struct kodama_door **door, double width_m) KODAMA_MUST_USE;
/** The colour, or -1; see kodama_door_open(). Thread: any. Real-time safe: yes. */
KODAMA_API int kodama_door_red(void);
KODAMA_API int kodama_door_green(void);
END
generate
page=$scratch/pages/kodama_door.3
check "a header of every kind of declaration is read" ended 0
check "the first sentence is the name's" grep -qFx 'kodama_door \- doors: they open' "$page"
check "a backslash stays one" grep -qF 'closed \e(or \(aqajar\(aq) stays' "$page"
check "an item of a list goes on in its next line" grep -qFx 'two hinges, which is more' "$page"
check "a table's text goes on in its next line" grep -qFx 'half open' "$page"
check "a comment behind the last enumerator is its own" \
    awk '/KODAMA_LEAF_GLASS/ { getline; found = $0 == "light" } END { exit !found }' "$page"
check "a comment before a member is its own" grep -qFx 'Before its member.' "$page"
check "members of a union in a struct are described" grep -qFx 'inside, green' "$page"
check "a member that is a function is declared whole" grep -qF 'void (*creak)(void *user, int loudness)' "$page"
check "defaults are those of the INIT macro" grep -qF 'width_m = 0.9' "$page"
check "a parameter goes on in its next line" grep -qFx 'how wide and no wider' "$page"
check "words in back quotes are italic" grep -qF 'a \fIwhole\fP one' "$page"
check "codes with a meaning become a list" grep -qFx 'somebody is in it' "$page"
check "threads and real time stand on their own" grep -qFx 'Thread: any.' "$page"
check "functions in a text are references" grep -qF '\fBkodama_door_open\fP(3)' "$page"
check "a function that shares a comment has its page" [ -s "$scratch/pages/kodama_door_green.3" ]
check "a function's page links to its header's" grep -qx '\.so man3/kodama_door\.3' "$scratch/pages/kodama_door_open.3"
"$generator" --list "$scratch"/include/kodama/*.h | sort > "$scratch/listed"
(cd "$scratch/pages" && ls) | sed 's/\.3$//' | sort > "$scratch/written"
check "what is listed for Meson is what is written" cmp "$scratch/listed" "$scratch/written"

# --- headers that are refused, with a sentence that names the place

printf '/* Doors. */\nKODAMA_API int kodama_door_open(void);\n' | header door
check "a function without a comment is refused" refused 'kodama/door.h:2: kodama_door_open() has no comment'
printf '/* Doors. */\n/** Open.\n * @param key  the key */\nKODAMA_API int kodama_door_open(int lock);\n' | header door
check "a @param of no parameter is refused" refused 'kodama_door_open() has no parameter "key"'
printf '/* Doors. */\n/** Open.\n * @params lock  it */\nKODAMA_API int kodama_door_open(int lock);\n' | header door
check "an unknown tag is refused" refused 'there is no @params'
printf '/* Doors. */\n/** Open.\n * @param lock */\nKODAMA_API int kodama_door_open(int lock);\n' | header door
check "a @param without words is refused" refused '"@param lock"'
printf '/* Doors. */\n/** Lost. */\n/** Open. */\nKODAMA_API int kodama_door_open(void);\n' | header door
check "a comment without a declaration is refused" refused 'the comment "Lost." documents nothing'
printf '/* Doors. */\n/** Open. */\nKODAMA_API int kodama_door_open(void\n' | header door
check "a declaration without an end is refused" refused '"KODAMA_API int kodama_door_open(void" has no end'
printf '/* Doors. */\n/** Open.\nKODAMA_API int kodama_door_open(void);\n' | header door
check "a comment without an end is refused" refused 'kodama/door.h:2: this comment has no end'
printf '/* Doors. */\n/** Open. Thread: any. */\nKODAMA_API int kodama_door_open(void);\n' | header door
check "a function that does not say where it may be called is refused" refused 'the comment of kodama_door_open() lacks "Real-time safe:"'
printf '/* Doors. */\n/** See kodama_gate(). Thread: any. Real-time safe: yes. */\nKODAMA_API int kodama_door_open(void);\n' | header door
check "a reference to nothing is refused" refused 'speaks of kodama_gate(), which no header declares'
printf '#pragma once\n' | header door
check "a header that does not say what it is is refused" refused 'does not begin with a comment'
printf '/* Doors. */\n' | header door
printf '/* Gates. */\n' > "$scratch/include/kodama/gate.h"
check "a header that kodama.h leaves out is refused" refused 'gate.h is not included by kodama.h'
finish
