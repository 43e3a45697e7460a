#!/bin/sh
# kodama convert: voices in files changed, in step with what they were, several at a time.
. "$(dirname "$0")/tap.sh"
cd "$scratch" || exit 1
if [ ! -e "$speech" ]; then
    echo "1..0 # SKIP the speech of pocketsphinx-testdata is not installed"
    exit 0
fi
export XDG_CONFIG_HOME="$scratch/config" XDG_DATA_HOME="$scratch/data"

# value EXPRESSION: whether it holds of the JSON that was printed, as `it` (the first line) and `lines`
value() {
    "$PYTHON" -c '
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
it = lines[0]
sys.exit(not eval(f"({sys.argv[2]})"))' "$scratch/out" "$1"
}
# lag_below MS CORRELATION FILE OTHER [OPTION]: whether OTHER is in step with FILE, and like it
lag_below() {
    "$PYTHON" "$tests/lag.py" "$3" "$4" 50 $5 > "$scratch/lag"
    awk -v most="$1" -v least="$2" '{ fine = $1 < most && $1 > -most && $2 > least } END { exit !fine }' "$scratch/lag"
}

run transcode "$speech" speech.wav
run convert speech.wav same.wav --no-fluctuation --json
check "a file is converted" ended 0
check "json says what came out" value \
    'it["type"] == "WAV" and it["rate"] == 16000 and it["channels"] == 1 and it["sample"] == "s16" and
     it["latency_ms"] > 0 and it["in"] == "speech.wav" and it["out"] == "same.wav"'
check "it is faster than it lasts" value 'it["speed"] > 1'
check "it is as long to the frame" sh -c \
    '[ $(stat -c %s speech.wav) -eq $(stat -c %s same.wav) ]'
check "unchanged, it is the same voice in step" lag_below 0.2 0.9 speech.wav same.wav
run convert speech.wav deeper.wav --preset deeper
check "what came out is said" printed "deeper.wav: 2.990 s"
check "a changed voice is in step" lag_below 8 0.7 speech.wav deeper.wav --envelope
check "it is another voice" sh -c '! cmp -s speech.wav deeper.wav'
run convert speech.wav again.wav -p deeper
check "the same seed is the same sound" cmp deeper.wav again.wav
run convert speech.wav seed.wav -p deeper --seed 2
check "another seed is another" sh -c '! cmp -s deeper.wav seed.wav'
run convert speech.wav here.wav --noise cafe --noise-level 0.5
check "a place is around the voice" ended 0
run convert speech.wav here2.wav --noise-file "$speech"
check "the user's own file is a place" ended 0
run convert speech.wav none.wav --noise-file nothing.wav
check "a place that is not there fails" ended 1
check "and nothing is written" [ ! -e none.wav ]

# --- containers

run transcode "$speech" --channels 2 --rate 44100 stereo.flac
run convert stereo.flac stereo.wav --pitch 3 --json
check "stereo stays stereo at its rate" value 'it["channels"] == 2 and it["rate"] == 44100'
run convert speech.wav small.opus --pitch 3
check "opus is written" ended 0
run convert speech.wav named --type flac
check "--type decides where the name does not" ended 0
run convert speech.wav nameless
check "a name of no type is a usage error" ended 2
"$KODAMA" convert - - --pitch 2 < speech.wav > pipe.wav 2> "$scratch/err"
check "a pipe is converted" sh -c '[ $(stat -c %s pipe.wav) -eq $(stat -c %s speech.wav) ]'

run transcode "$speech" --sample f32 fine.wav
run convert fine.wav fine.flac --json
check "what FLAC cannot store comes as near as it can" value 'it["sample"] == "s24"'
"$PYTHON" -c '
import wave
with wave.open("coarse.wav", "wb") as out:
    out.setparams((1, 1, 8000, 0, "NONE", ""))
    out.writeframes(bytes(128 + i % 7 for i in range(8000)))'
run convert coarse.wav fine2.wav --json
check "8 bits are stored as 16" value 'it["sample"] == "s16" and it["duration"] == 1'

# --- long files: in pieces, with little memory

"$PYTHON" -c '
import wave
for name, seconds in (("short.wav", 60), ("long.wav", 900)):
    with wave.open(name, "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        for _ in range(seconds):
            out.writeframes(b"\1\0" * 8000)'
# memory ARGUMENT...: the most that kodama had in memory, KB
memory() {
    "$PYTHON" -c '
import resource, subprocess, sys
ended = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(ended)' "$KODAMA" "$@"
}
memory convert -p giant short.wav short.out.wav > short.kb 2> "$scratch/err"
memory convert -p giant long.wav long.out.wav > long.kb 2> "$scratch/err"
check "a quarter of an hour is converted" [ $? -eq 0 ]
paste short.kb long.kb > "$scratch/out"
# Its floats are 28,800 KB, those of the minute 1,920 KB.
check "in no more memory than a minute" sh -c '[ $(($(cat long.kb) - $(cat short.kb))) -lt 10000 ]'
check "to the frame" sh -c '[ $(stat -c %s long.wav) -eq $(stat -c %s long.out.wav) ]'
"$KODAMA" convert -p giant - - < long.wav 2> "$scratch/err" | cmp - long.out.wav > "$scratch/out"
check "on standard output it is the same" [ ! -s "$scratch/out" ]
(
    trap '' XFSZ
    ulimit -f 1000
    run convert long.wav full.wav
    echo "$code" > code
)
check "a full disk is said" said "free some space"
check "it fails" [ "$(cat code)" -eq 1 ]
check "nothing is left of it" sh -c '[ ! -e full.wav ] && ! ls -a | grep -q "^.kodama-"'
code=0
"$KODAMA" convert long.wav - > /dev/full 2> "$scratch/err" || code=$?
check "standard output that is full fails" ended 1
check "and is said" said "no space left"
"$KODAMA" convert long.wav - 2> "$scratch/err" | head -c 1000 > part
check "who has read enough is no failure" [ ! -s "$scratch/err" ]
run convert speech.wav nowhere/x.wav
check "a folder that is missing fails" ended 1
check "and is said" said "make its folder"
cp speech.wav itself.wav
run convert itself.wav itself.wav -p deeper --overwrite
check "a file is replaced by its own change" cmp itself.wav deeper.wav

# --- many files

for i in 1 2 3 4 5; do cp speech.wav part$i.wav; done
run convert -p child --output-dir children part1.wav part2.wav part3.wav part4.wav part5.wav --json
check "many files go into a folder" sh -c '[ $(ls children | wc -l) -eq 5 ]'
check "each is told of" value 'len(lines) == 5 and len({one["out"] for one in lines}) == 5'
check "all are alike" cmp children/part1.wav children/part5.wav
run convert part1.wav a.wav part2.wav b.wav
check "pairs are converted" cmp a.wav b.wav
run convert part1.wav a.wav part2.wav
check "an IN without OUT is a usage error" ended 2
run convert part1.wav a.wav
check "a file that is there is not replaced" ended 1
check "and that is said" said "--overwrite"
run convert part1.wav a.wav --overwrite -p giant
check "but with --overwrite" ended 0
run convert part1.wav c.wav missing.wav d.wav
check "an IN that is missing fails before anything is done" [ "$code" -eq 1 -a ! -e c.wav ]
head -c 30 speech.wav > broken.wav
run convert part1.wav same.out.wav part2.wav same.out.wav
check "two with one OUT are a usage error" ended 2
run convert part1.wav same2.out.wav part2.wav ./same2.out.wav
check "also when it is spelled in two ways" [ "$code" -eq 2 -a ! -e same2.out.wav ]
run convert part1.wav part2.wav part2.wav part3.wav --overwrite
check "one that is read and written is a usage error" ended 2
run convert part1.wav .
check "an OUT that is a folder is a usage error" ended 2
check "with what to give instead" said "--output-dir ."
run convert part1.wav --output-dir part2.wav
check "a folder that is a file fails" ended 1
check "and what it is is said" said "cannot make the folder part2.wav"
run convert broken.wav e.wav
check "what is no sound fails" ended 1

# --- the voice

run convert speech.wav f.wav --preset nobody
check "a preset that is not there is a usage error" ended 2
check "with the names of those that are" said "deeper, brighter, child, giant, robot, whisper, radio, helium"
run convert speech.wav f.wav --preset child --pitch 20
check "more than is possible is a usage error" ended 2
run convert speech.wav f.wav --noise sea
check "a bed that is not there is a usage error" ended 2
for preset in brighter robot whisper radio helium; do
    run convert speech.wav $preset.wav -p $preset
    check "$preset is converted" ended 0
done

# --- trained voices

run convert speech.wav g.wav --model nobody
check "a trained voice that is not there fails" ended 1
check "and that is said" said '"nobody"'
"$KODAMA" voice import robin "$RVC_GRAPHS/B-sine.onnx" --encoder "$RVC_GRAPHS/content-768.onnx" > "$scratch/out" 2> "$scratch/err"
imported=$?
if [ ! -e "$RVC_GRAPHS/B-sine.onnx" ] || said "ONNX Runtime"; then
    skip "a file is spoken by a trained voice" "no ONNX Runtime, or no models for tests"
else
    check "a trained voice is taken in" [ $imported -eq 0 ]
    run convert speech.wav g.wav --model robin
    check "a file is spoken by a trained voice" ended 0
    check "it is as long to the frame" sh -c '[ $(stat -c %s speech.wav) -eq $(stat -c %s g.wav) ]'
    check "and in step" lag_below 15 0.5 speech.wav g.wav --envelope
fi
finish
