#!/bin/sh
# kodama record: files, pipes and generators into files, with every way to end.
. "$(dirname "$0")/tap.sh"
cd "$scratch" || exit 1

# field NAME VALUE: in the line of JSON that was printed
field() {
    grep -qF "\"$1\":$2" "$scratch/out"
}
sound make a.wav 1.5
sound make b.wav 0.5
sound make other.wav 0.1 8000

# --- inputs

run record --fast --input a.wav -o copy.wav
check "a file is recorded" ended 0
check "every sample is as it was" sound same a.wav copy.wav
check "the summary tells frames and losses" printed "copy.wav: 1.500 s, 24000 frames, 0 lost, 0 in 0 gaps"
run record --fast a.wav b.wav -o both.wav
check "files are recorded one after the other" \
    holds both.wav "tag 1 channels 1 rate 16000 bits 16 frames 32000"
check "the first of them comes first" sound starts both.wav a.wav
run record --fast -i b.wav a.wav -o turned.wav
check "inputs come before operands" sound starts turned.wav b.wav
run record --fast a.wav other.wav -o wrong.wav
check "files that do not agree fail" ended 1
check "nothing is written for what cannot be played" [ ! -e wrong.wav ]
"$KODAMA" record - -o piped.wav < a.wav > "$scratch/out" 2> "$scratch/err"
check "standard input is recorded" sound same a.wav piped.wav
tail -c +45 a.wav > a.raw
"$KODAMA" record -i - --raw s16:16000 -o raw.wav < a.raw > "$scratch/out" 2> "$scratch/err"
check "raw sound on standard input is recorded" sound same a.wav raw.wav
run record --fast --input tone:1000 --raw s16:8000:2 -d 0.25 -o tone.wav
check "a tone is recorded" holds tone.wav "tag 1 channels 2 rate 8000 bits 16 frames 2000"
run record --fast --input tone -o endless.wav
check "what has no end needs a duration with --fast" ended 2
run record --fast --input tone:xyz -d 1 -o wrong.wav
check "a tone of no frequency is a usage error" ended 2
run record --fast --input tone:440 a.wav -d 1 -o wrong.wav
check "a generator stands alone" ended 2
run record -o nothing.wav
check "no input is a usage error" ended 2
check "no input comes with an example" said "kodama record --app"
run record --raw s99 --fast a.wav -o wrong.wav
check "a raw format that is none is a usage error" ended 2

# --- files

run record --fast a.wav -o copy.wav
check "a file that is there is not replaced" ended 1
check "how to replace it is said" said "--overwrite"
check "the file that is there stays" sound same a.wav copy.wav
run record --fast b.wav -o copy.wav --overwrite
check "--overwrite replaces it" sound same b.wav copy.wav
run record --fast a.wav -o a.wav --overwrite
check "the input is not overwritten" ended 2
run record --fast a.wav -o recording.xyz
check "a name of no type is a usage error" ended 2
run record --fast a.wav -o nowhere/recording.wav
check "a folder that is not there fails" ended 1
for type in flac ogg opus; do
    run record --fast a.wav -o "typed.$type" --json
    check "$type is recorded" ended 0
    check "$type has every frame" field frames 24000
    run info --json "typed.$type"
    check "$type plays as long" field frames 24000
done
run record --fast a.wav -o named --type=flac
check "--type decides where the name does not" ended 0
run info --json named
check "and the file is of that type" field container '"FLAC"'
run record --fast a.wav -o wide.wav --sample=f32
check "--sample decides how samples are stored" \
    holds wide.wav "tag 3 channels 1 rate 16000 bits 32 frames 24000"
mkdir named.d
cd named.d || exit 1
run record --fast ../b.wav
check "a name is found when none is given" sh -c 'ls | grep -qx "recording-[0-9]\{8\}-[0-9]\{6\}.wav"'
run record --fast ../b.wav
run record --fast ../b.wav --type=opus
check "and another one when that is taken" [ "$(ls | wc -l)" -eq 3 ]
cd ..

# --- how long, and in which parts

run record --fast a.wav -d 0.7501 -o part.wav --json
check "a duration is kept to the frame" holds part.wav "tag 1 channels 1 rate 16000 bits 16 frames 12002"
check "a duration takes the beginning" sound starts a.wav part.wav
check "the reason is the duration" field reason '"duration"'
run record --fast a.wav -d 2 -o whole.wav --json
check "an input that is shorter ends before" field reason '"ended"'
run record --fast a.wav -o split.wav --split-time 0.5 --json
check "--split-time makes files" field files 3
check "each of them is as long as it says" \
    holds split-002.wav "tag 1 channels 1 rate 16000 bits 16 frames 8000"
run record --fast --input noise -d 10 -o size.wav --split-size 0.5 --json
check "--split-size makes files" field files 4
check "none of them is larger" sh -c '[ -z "$(find . -name "size-*.wav" -size +500000c)" ]'
run record --fast a.wav -o marked.wav --marks
check "--marks writes a list" grep -q '"event": "end"' marked.wav.jsonl
began=$(date +%s%N)
run record a.wav -o paced.wav
took=$((($(date +%s%N) - began) / 1000000))
check "a file is paced without --fast" [ $took -ge 1400 ]
check "pacing changes nothing" sound same a.wav paced.wav

# --- standard output

run record --fast a.wav -o -
check "a WAV stream goes to standard output" sound same a.wav "$scratch/out"
check "nothing is said meanwhile" [ ! -s "$scratch/err" ]
"$KODAMA" record --fast a.wav -o - -d 0.5 --json > cut.wav 2> "$scratch/err"
check "a duration holds there, too" holds cut.wav "tag 1 channels 1 rate 16000 bits 16 frames 8000"
check "with json on standard error" said '"frames":8000'
"$KODAMA" record --fast a.wav -o - | "$KODAMA" record - -o through.wav > "$scratch/out" 2> "$scratch/err"
check "a stream can be recorded again" sound same a.wav through.wav
run record --fast a.wav -o - --type=flac
check "only WAV goes to standard output" ended 2
run record --fast a.wav -o - --split-time 1
check "a stream is not split" ended 2
{
    code=0
    "$KODAMA" record --fast --input noise -d 60 -o - 2> "$scratch/err" || code=$?
    echo $code > "$scratch/code"
} | head -c 1000 > "$scratch/out"
check "a reader that goes away is told from success" [ "$(cat "$scratch/code")" -eq 141 ]
check "a reader that goes away ends it quietly" [ ! -s "$scratch/err" ]

# --- a full disk

if [ -w /dev/full ]; then
    code=0
    "$KODAMA" record --fast a.wav -o - > /dev/full 2> "$scratch/err" || code=$?
    check "standard output on a full disk fails" [ "$code" -eq 1 ]
    check "standard output on a full disk is said in words" said "no space left on device"
else
    skip "standard output on a full disk" "there is no /dev/full"
fi
code=0
(
    ulimit -f 1024 || exit 99
    exec "$KODAMA" record --fast --input noise -d 20 -o full.wav --json
) > "$scratch/out" 2> "$scratch/err" || code=$?
if [ "$code" -ne 99 ]; then
    check "a disk that takes no more ends the recording with 1" [ "$code" -eq 1 ]
    check "why is said in one line" [ "$(grep -c '^kodama record: .*full.wav' "$scratch/err")" -eq 1 ]
    check "the reason is failed" field reason '"failed"'
    "$KODAMA" record --fast --input noise -d 20 -o enough.wav > "$scratch/out"
    check "what fitted is kept and can be played" sound starts enough.wav full.wav
else
    skip "a disk that takes no more" "there is no ulimit -f"
fi

# --- a broken input

run record --fast both.wav -o whole.flac
head -c 20000 whole.flac > broken.flac
run record --fast broken.flac -o rescued.wav --json
check "an input that breaks off fails" [ "$code" -eq 1 ]
check "an input that breaks off is named" said "broken.flac"
check "what came before is kept" sound starts both.wav rescued.wav

# --- signals

# started FILE: wait until a file has some sound
started() {
    tries=0
    until [ -e "$1" ] && [ "$(wc -c < "$1")" -gt 8000 ] || [ $tries -ge 300 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
}
# signalled SIGNAL CODE FILE
signalled() {
    rm -f "$3"
    "$KODAMA" record --input noise --raw s16:16000 -o "$3" --json > "$scratch/out" 2> "$scratch/err" &
    pid=$!
    started "$3"
    kill -s "$1" $pid
    code=0
    wait $pid 2> wait.txt || code=$?
    [ "$code" -eq "$2" ]
}
run record --fast --input noise --raw s16:16000 -d 60 -o noise.wav
check "SIGINT ends with 130" signalled INT 130 int.wav
check "the file is whole then" sound starts noise.wav int.wav
check "the reason is interrupted" field reason '"interrupted"'
check "the frames are those of the file" \
    sh -c '"$1" "$2" look int.wav | grep -q "frames $(sed "s/.*\"frames\":\([0-9]*\).*/\1/" out)$"' sh \
    "$PYTHON" "$tests/sound.py"
# twice FILE: an interrupt and its echoes, as when parents pass it on to a program that had it already
twice() {
    "$KODAMA" record --input noise --raw s16:16000 -o "$1" --overwrite --json > "$scratch/out" 2> "$scratch/err" &
    pid=$!
    started "$1"
    "$PYTHON" "$tests/echoes.py" $pid
    code=0
    wait $pid || code=$?
    rm -f "$1"
    [ $code -eq 130 ] && grep -q '"reason":"interrupted"' "$scratch/out"
}
echoes=0
for _ in 1 2 3 4 5 6 7 8; do
    twice twice.wav || break
    echoes=$((echoes + 1))
done
check "one interrupt that comes again while it ends is one interrupt" [ $echoes -eq 8 ]
check "SIGTERM ends with 143" signalled TERM 143 term.wav
check "the file is whole then, too" sound starts noise.wav term.wav
check "a killed recording" signalled KILL 137 kill.wav
check "can be played" sound starts noise.wav kill.wav

"$KODAMA" record --input noise --raw s16:16000 -d 1 -o paused.wav --json > "$scratch/out" 2> "$scratch/err" &
pid=$!
started paused.wav
kill -s USR1 $pid
sleep 0.7
kill -s USR1 $pid
wait $pid
check "SIGUSR1 pauses and goes on" grep -q '"paused":[1-9]' "$scratch/out"
check "a paused recording is as long as it was to be" field frames 16000

# A pipe that stays open and silent: nothing wakes a reader there but the signal.
mkfifo pipe
"$KODAMA" record - --raw s16:16000 -o silent.wav < pipe > "$scratch/out" 2> "$scratch/err" &
pid=$!
exec 9> pipe
sleep 1
kill -s INT $pid
code=0
wait $pid || code=$?
exec 9>&-
check "SIGINT ends waiting for a silent pipe" [ $code -eq 130 ]

# --- progress

run record --fast --input noise -d 30 -o lines.wav --progress
check "--progress prints lines where there is no terminal" said "100 %, 0:30 of 0:30"
check "a step is said once" [ "$(grep -c ' of 0:30' "$scratch/err")" -le 10 ]
run record --fast --input noise -d 30 -o quiet.wav
check "without it nothing is said" [ ! -s "$scratch/err" ]
finish
