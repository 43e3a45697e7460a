#!/bin/sh
# kodama vad on real speech.
. "$(dirname "$0")/tap.sh"
here=$(dirname "$0")

if [ ! -e "$speech" ]; then
    echo "1..0 # SKIP pocketsphinx-testdata is not installed"
    exit 0
fi
well_formed() {
    "$PYTHON" "$here/check.py" vad "$scratch/out" > "$scratch/words" 2> "$scratch/err"
}

run vad --json "$speech"
check "json succeeds" ended 0
check "json has the documented shape" well_formed
check "there is speech" [ "$(cat "$scratch/words")" -ge 1 ]
cp "$scratch/out" "$scratch/unpadded"
run vad --json --padded "$speech"
check "padded segments have the same shape" well_formed
check "padded segments are longer" "$PYTHON" -c '
import json, sys
length = [sum(s["end"] - s["start"] for s in json.load(open(p))["segments"]) for p in sys.argv[1:]]
assert length[1] > length[0], length
' "$scratch/unpadded" "$scratch/out"
"$KODAMA" vad --json - < "$speech" > "$scratch/out"
check "standard input is judged alike" cmp -s "$scratch/out" "$scratch/unpadded"
"$PYTHON" -c '
import sys, wave
with wave.open(sys.argv[2], "wb") as whole:
    part = wave.open(sys.argv[1])
    whole.setparams(part.getparams())
    frames = part.readframes(part.getnframes())
    for _ in range(200 * 16000 // part.getnframes()):
        whole.writeframes(frames)
' "$speech" "$scratch/minutes.wav" # more than three chunks
for form in --json --rttm --audacity --csv --probabilities; do
    "$KODAMA" vad "$form" --threads 1 "$scratch/minutes.wav" > "$scratch/one" 2> "$scratch/err"
    "$KODAMA" vad "$form" --threads 3 "$scratch/minutes.wav" > "$scratch/out" 2>> "$scratch/err"
    check "$form does not depend on threads" cmp "$scratch/out" "$scratch/one"
done
check "it is long enough to tell" [ "$(wc -l < "$scratch/one")" -gt 19000 ]
"$KODAMA" vad --probabilities - < "$scratch/minutes.wav" > "$scratch/out" 2> "$scratch/err"
check "nor on being a pipe" cmp "$scratch/out" "$scratch/one"

# A pipe that stays open: what is over is printed although more may come.
mkfifo "$scratch/pipe"
forget
"$KODAMA" vad --csv --sample s16 - < "$scratch/pipe" > "$scratch/out" 2> "$scratch/err" &
listener=$!
exec 3> "$scratch/pipe"
tail -q -c +45 "$speech" "$longer" >&3
waited=0
while [ "$(wc -l < "$scratch/out")" -lt 2 ] && [ $waited -lt 600 ]; do
    sleep 0.1
    waited=$((waited + 1))
done
check "a pipe is judged as it comes" [ "$(wc -l < "$scratch/out")" -ge 2 ]
exec 3>&-
code=0
wait $listener || code=$?
check "and ends when the pipe does" ended 0

run vad --rttm "$speech"
check "rttm has ten fields and as many lines as segments" "$PYTHON" -c '
import json, sys
lines = [line.split() for line in open(sys.argv[1])]
segments = json.load(open(sys.argv[2]))["segments"]
assert len(lines) == len(segments) > 0
for line, segment in zip(lines, segments):
    assert len(line) == 10 and line[0] == "SPEAKER" and line[2] == "1" and line[7] == "speech", line
    assert line[1] == "sense_and_sensibility_01_austen_64kb-0880", line
    assert abs(float(line[3]) - segment["start"]) < 0.002
    assert abs(float(line[3]) + float(line[4]) - segment["end"]) < 0.002
' "$scratch/out" "$scratch/unpadded"
run vad --audacity "$speech"
check "audacity has three fields divided by tabs" "$PYTHON" -c '
import sys
lines = [line.rstrip("\n").split("\t") for line in open(sys.argv[1])]
assert lines and all(len(line) == 3 and float(line[0]) < float(line[1]) for line in lines), lines
' "$scratch/out"
run vad --csv "$speech"
check "csv has a heading and two numbers in each line" "$PYTHON" -c '
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
assert rows and all(float(row["start"]) < float(row["end"]) for row in rows), rows
' "$scratch/out"
run vad --json --probabilities "$speech"
check "probabilities cover the recording" "$PYTHON" -c '
import json, sys
heard = json.load(open(sys.argv[1]))
assert abs(len(heard["probabilities"]) * heard["window"] - heard["duration"]) < 2 * heard["window"]
assert heard["segments"] and all(0 <= p <= 1 for p in heard["probabilities"])
' "$scratch/out"
run vad --json --csv "$speech"
check "two forms at once are refused" ended 2
run vad --rttm --probabilities "$speech"
check "rttm has no probabilities" ended 2
run vad --detector silero --model /nowhere/silero.onnx "$speech"
check "a model that is missing, or what runs it, is a sentence" ended 1
run vad --progress --json "$speech"
check "a short recording needs no progress" [ "$code" -eq 0 ]
run vad --threshold=0.99 --json "$speech"
check "a high threshold succeeds" well_formed
run vad "$speech"
check "text has a heading and one line for each segment" \
    sh -c '[ "$(wc -l < "$1")" -eq $((1 + $("$2" "$3" vad "$4"))) ]' sh \
    "$scratch/out" "$PYTHON" "$here/check.py" "$scratch/unpadded"

head -c 60000 "$speech" > "$scratch/cut.wav"
run vad --json "$scratch/cut.wav"
check "a file that is cut off fails in words" [ "$code" -eq 1 -a -s "$scratch/err" ]
check "what was before the cut is judged" well_formed

"$PYTHON" -c '
import sys, wave
with wave.open(sys.argv[1], "wb") as silence:
    silence.setparams((2, 2, 44100, 0, "NONE", ""))
    silence.writeframes(bytes(4 * 44100 * 3))
' "$scratch/silence.wav"
run vad --json "$scratch/silence.wav"
check "silence has no segments, at any rate and number of channels" \
    grep -qxF '{"detector":"builtin","duration":3.000,"segments":[]}' "$scratch/out"
finish
