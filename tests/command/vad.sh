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
    grep -qxF '{"detector":"builtin","duration":3.0,"segments":[]}' "$scratch/out"
finish
