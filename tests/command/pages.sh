#!/bin/sh
# Help, suggestions, manual pages and completions: everything that is made from the tables.
. "$(dirname "$0")/tap.sh"

for name in listen record play apps devices levels volume info transcode vad doctor help; do
    run "$name" --help
    check "kodama $name --help succeeds" ended 0
    check "kodama $name --help has examples" grep -q "^  kodama $name" "$scratch/out"
    cp "$scratch/out" "$scratch/long"
    run help "$name"
    check "kodama help $name prints the same" cmp -s "$scratch/out" "$scratch/long"
    check "help of $name fits into 80 columns" \
        awk '{ if (length($0) > 82) exit 1 }' "$scratch/out"
done

run --help
check "kodama --help succeeds" ended 0
check "kodama --help lists the subcommands" printed "listen    "
run --version
check "kodama --version says the version" printed "kodama 0."

run
check "no subcommand is a usage error" ended 2
run lisen
check "an unknown subcommand is a usage error" ended 2
check "the nearest subcommand is suggested" said "kodama listen"
run --hepl
check "the nearest option before a subcommand is suggested" said "did you mean --help?"
run listen --formt srt x.wav
check "an unknown option is a usage error" ended 2
check "the nearest option is suggested" said "did you mean --format?"
run vad --jsn x.wav
check "other subcommands suggest, too" said "did you mean --json?"
run listen -Z x.wav
check "an unknown letter is a usage error" ended 2
run listen --format=jsn x.wav
check "an unknown choice is a usage error" ended 2
check "the nearest choice is suggested" said "did you mean json?"
run listen --threshold=high x.wav
check "a word where a number belongs is a usage error" ended 2
check "the allowed numbers are named" said "0.01 to 0.99"
run listen --silence-ms=99999 x.wav
check "a number out of range is a usage error" ended 2
run listen --format
check "a missing value is a usage error" ended 2
run listen --fast=yes x.wav
check "a value for a switch is a usage error" ended 2
run record --duration=1:75 x.wav
check "a time that is none is a usage error" ended 2
check "how times are written is said" said "[H:]M:SS"
run listen
check "a missing input is a usage error" ended 2
check "a missing input comes with an example" said "kodama listen talk.wav"
run doctor x y
check "an operand too many is a usage error" ended 2
run help nothing
check "help for an unknown subcommand is a usage error" ended 2

for page in kodama kodama-listen kodama-record kodama-play kodama-apps kodama-devices kodama-levels \
    kodama-volume kodama-info kodama-transcode kodama-vad kodama-doctor; do
    "$KODAMA" --man="$page" > "$scratch/page.1" 2> "$scratch/err"
    sentence="the manual page $page renders without warnings"
    if command -v groff > /dev/null; then
        groff -man -Tutf8 -ww -z "$scratch/page.1" > "$scratch/out" 2> "$scratch/err"
        check "$sentence" [ ! -s "$scratch/err" ]
    elif command -v mandoc > /dev/null; then
        check "$sentence" mandoc -T lint -W error "$scratch/page.1"
    else
        skip "$sentence" "neither groff nor mandoc is installed"
    fi
    check "the manual page $page has a name and examples" \
        grep -q '^\.SH EXAMPLES' "$scratch/page.1"
done
run --man=nothing
check "an unknown manual page is a usage error" ended 2

complete_in_bash() {
    bash -c 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kodama
             echo "${COMPREPLY[*]}"' bash "$scratch/kodama.bash" "$@" > "$scratch/out" 2> "$scratch/err"
    [ ! -s "$scratch/err" ]
}
"$KODAMA" --completion=bash > "$scratch/kodama.bash"
if command -v bash > /dev/null; then
    check "the bash completion loads" complete_in_bash kodama ''
    check "bash completes subcommands" printed "listen record play apps devices levels volume info transcode convert vad voice serve models voices doctor help"
    complete_in_bash kodama listen --f
    check "bash completes options" printed "--format --fast"
    complete_in_bash kodama listen --format = s
    check "bash completes values behind =" printed "srt"
    touch "$scratch/a recording.wav"
    complete_in_bash kodama listen "$scratch/a re"
    check "bash completes file names with spaces" printed "$scratch/a recording.wav"
else
    skip "bash completion" "bash is not installed"
fi
for shell in zsh fish; do
    "$KODAMA" --completion=$shell > "$scratch/script"
    sentence="the $shell completion has no syntax error"
    if command -v $shell > /dev/null; then
        check "$sentence" $shell -n "$scratch/script"
    else
        skip "$sentence" "$shell is not installed"
    fi
    check "the $shell completion knows every option of listen" grep -q silence-ms "$scratch/script"
done
run --completion=csh
check "an unknown shell is a usage error" ended 2
finish
