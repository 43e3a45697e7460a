#!/bin/sh
# kodama listen on real speech: formats, standard input, pacing, saving, interrupting.
. "$(dirname "$0")/tap.sh"
here=$(dirname "$0")

if [ ! -e "$speech" ]; then
    echo "1..0 # SKIP pocketsphinx-testdata is not installed"
    exit 0
fi

# words KIND FILE: what was said, as check.py reads it from a format; leaves $scratch/words
words() {
    "$PYTHON" "$here/check.py" "$1" "$2" > "$scratch/words" 2> "$scratch/err"
}
same_words() {
    words "$1" "$2" && cmp -s "$scratch/words" "$scratch/expected"
}

# --- formats, printed and saved

run listen --fast --save="$scratch/saved.json" "$speech"
check "a recording is captioned" ended 0
check "there are captions" [ "$(wc -w < "$scratch/out")" -gt 3 ]
words text "$scratch/out"
cp "$scratch/words" "$scratch/expected"
cp "$scratch/out" "$scratch/expected.txt"
check "saved json has the protocol's messages, without partials" same_words saved "$scratch/saved.json"

# format FORMAT EXTENSION KIND: print one, save the other
format() {
    run listen --fast --format="$1" --save="$scratch/saved.$2" "$speech"
    check "$1 succeeds" ended 0
    check "$1 is well formed and has the same words" same_words "$1" "$scratch/out"
    check "a saved .$2 is well formed and has the same words" same_words "$3" "$scratch/saved.$2"
}
run listen --fast --format=json --save="$scratch/saved.vtt" "$speech"
check "json succeeds" ended 0
check "json has the protocol's messages and the same words" same_words messages "$scratch/out"
check "json ends with closed" \
    sh -c 'tail -n 1 "$1" | grep -q "\"type\":\"closed\".*\"reason\":\"stopped\""' sh "$scratch/out"
check "a saved .vtt is well formed and has the same words" same_words vtt "$scratch/saved.vtt"
format srt txt text
format vtt srt srt
cp "$scratch/saved.srt" "$scratch/expected.srt"

# --- standard input

run_piped() {
    input=$1
    shift
    code=0
    "$KODAMA" listen "$@" - < "$input" > "$scratch/out" 2> "$scratch/err" || code=$?
}
run_piped "$speech" --fast
check "a WAV stream on standard input is captioned alike" cmp -s "$scratch/out" "$scratch/expected.txt"
tail -c +45 "$speech" > "$scratch/speech.raw"
run_piped "$scratch/speech.raw" --fast --rate=16000 --sample=s16
check "raw sound on standard input is captioned alike" cmp -s "$scratch/out" "$scratch/expected.txt"
cat "$speech" | "$KODAMA" listen - > "$scratch/out" 2> "$scratch/err"
check "a pipe is captioned alike" cmp -s "$scratch/out" "$scratch/expected.txt"
run_piped /dev/null --rate=16000
check "no sound at all is no error and no caption" \
    [ "$code" -eq 0 -a ! -s "$scratch/out" -a ! -s "$scratch/err" ]

# --- a grammar

data=/usr/share/pocketsphinx/test/data
if [ -e $data/goforward.gram ]; then
    run_piped $data/goforward.raw --fast --rate=16000 --grammar=$data/goforward.gram
    check "a grammar is recognised" printed "go forward ten meters"
else
    skip "a grammar is recognised" "goforward.gram is not installed"
fi

# --- pacing

began=$(date +%s)
run listen --verbose --format=json "$speech"
took=$(($(date +%s) - began))
check "a paced recording takes as long as it lasts" [ $took -ge 2 -a $took -le 20 ]
check "--verbose tells how many frames were heard and lost" said "47840 frames, 0 lost"
check "paced and fast captions are the same" same_words messages "$scratch/out"
sentence="json has partials"
if grep -q '"type":"partial"' "$scratch/out"; then
    pass "$sentence"
elif said " 0 left out when busy"; then
    fail "$sentence"
else
    skip "$sentence" "this machine is too busy for partials"
fi
run listen --fast --format=json --no-partials "$speech"
check "--no-partials leaves them out and the words as they are" same_words saved "$scratch/out"
run listen --format=json --partials pocketsphinx --finals pocketsphinx "$speech"
check "with two models the words are as they are" same_words messages "$scratch/out"
check "and nothing tentative is stable" sh -c '! grep -q "\"stable\":[1-9]" "$1"' sh "$scratch/out"
run listen --fast --engine pocketsphinx --finals pocketsphinx "$speech"
check "an engine can be named only once" ended 2
run listen --fast --finals nowhere "$speech"
check "a model of the finals that is not there is refused" ended 1
run listen --fast --format=json "$speech" "$speech"
check "several files are one timeline" grep -q '"type":"closed".*"samples":95680' "$scratch/out"

# --- saving

run listen --fast --format=srt --save="$scratch/saved.transcript" "$speech"
check "an unknown extension is saved in the format of --format" \
    cmp -s "$scratch/saved.transcript" "$scratch/expected.srt"
if [ -w /dev/full ]; then
    run listen --fast --save=/dev/full "$speech"
    check "a full disk ends with 1" [ "$code" -eq 1 ]
    check "a full disk is said in words" said "no space left on device"
    check "a full disk does not stop the captions" cmp -s "$scratch/out" "$scratch/expected.txt"
    code=0
    "$KODAMA" listen --fast "$speech" > /dev/full 2> "$scratch/err" || code=$?
    check "standard output on a full disk ends with 1 and words" said "no space left on device"
    check "standard output on a full disk fails" [ "$code" -eq 1 ]
else
    skip "a full disk" "there is no /dev/full"
fi

# --- ends

# signalled SIGNAL CODE: a paced run, ended in mid-file
signalled() {
    rm -f "$scratch/live.srt"
    forget
    "$KODAMA" listen --save="$scratch/live.srt" --format=json "$longer" "$longer" \
        > "$scratch/out" 2> "$scratch/err" &
    pid=$!
    tries=0
    until grep -q speech_started "$scratch/out" || [ $tries -ge 150 ]; do
        tries=$((tries + 1))
        sleep 0.2
    done
    sleep 2.5
    kill -s "$1" $pid
    code=0
    wait $pid || code=$?
    [ "$code" -eq "$2" ]
}
check "SIGINT ends with 130" signalled INT 130
check "after SIGINT standard output is complete" words messages "$scratch/out"
check "after SIGINT the reason is interrupted" grep -q '"reason":"interrupted"' "$scratch/out"
check "after SIGINT what was heard is captioned" \
    sh -c 'grep "\"type\":\"final\"" "$1" | grep -q "\"word\":"' sh "$scratch/out"
check "after SIGINT the saved file is well formed" words srt "$scratch/live.srt"
check "after SIGINT the saved file is not empty" [ -s "$scratch/live.srt" ]
check "SIGTERM ends with 143" signalled TERM 143
check "after SIGTERM the saved file is well formed" words srt "$scratch/live.srt"

# A pipe that stays open and silent: nothing wakes a reader there but the signal.
mkfifo "$scratch/pipe"
"$KODAMA" listen --rate=16000 - < "$scratch/pipe" > "$scratch/out" 2> "$scratch/err" &
pid=$!
exec 9> "$scratch/pipe"
sleep 2
kill -s INT $pid
code=0
wait $pid || code=$?
exec 9>&-
check "SIGINT ends waiting for a silent pipe" [ $code -eq 130 ]

{
    code=0
    "$KODAMA" listen --fast --format=json "$speech" 2> "$scratch/err" || code=$?
    echo $code > "$scratch/code"
} | head -n 1 > "$scratch/out"
check "a reader that goes away ends it quietly" [ ! -s "$scratch/err" ]
check "a reader that goes away is told from success" [ "$(cat "$scratch/code")" -eq 141 ]
code=0
"$KODAMA" listen --fast "$speech" >&- 2> "$scratch/err" || code=$?
check "a closed standard output is an error in words" said "cannot write to standard output"
check "a closed standard output fails" [ "$code" -eq 1 ]
finish
