#!/bin/sh
# kodama voices, and kodama voice ACTION: voices are taken in, listed, measured and removed.
. "$(dirname "$0")/tap.sh"
export XDG_DATA_HOME="$scratch/data"
store="$XDG_DATA_HOME/kodama/voices"
graphs=$RVC_GRAPHS

run voice models
check "an empty store is listed" printed "There are no voices"
check "listing makes no folder" [ ! -e "$store" ]
run voice models --json
check "also as JSON" printed '"voices":[]'
run voice info nobody
check "a voice that is not there is an error" ended 1
check "its name is said" said nobody
run voice import
check "import needs a name and a file" ended 2
run voices frobnicate
check "what is nothing to do is said" said "models, import, remove or info"
if [ ! -e "$graphs/B-sine.onnx" ]; then
    skip "a voice is taken in" "no models for tests (Debian's python3-onnx was not there)"
    finish
    exit 0
fi
run voice import robin "$graphs/B-sine.onnx"
if said "ONNX Runtime is not installed" || said "built without ONNX Runtime"; then
    skip "a voice is taken in" "no ONNX Runtime"
    finish
    exit 0
fi
check "without a content encoder it is refused" ended 1
check "and what is missing is said" said "content encoder"
check "nothing is left behind" [ -z "$(ls -A "$store")" ]
printf 'Free.\n' > "$scratch/licence"
run voice import robin "$graphs/B-sine.onnx" --encoder "$graphs/content-768.onnx" --licence "$scratch/licence" --transpose 12
check "a voice is taken in" ended 0
check "it is said what it is" printed "v2 B 40000 Hz"
run voice import anna "$graphs/A-echo-32000.onnx"
check "the next one needs no encoder" printed "v2 A 32000 Hz"
run voice import anna "$graphs/C-echo.onnx"
check "a name is taken once" said "already; --replace"
run voice import anna "$graphs/C-echo.onnx" --replace
check "unless it is to be replaced" printed "v2 C 40000 Hz"
run voice import bad "$graphs/foreign.onnx"
check "what is no voice is refused" said "is not a voice"
run voice import bad "$graphs/B-last-256.onnx"
check "one of another version says which encoder it needs" said "content-256.onnx"
head -c 1000 "$graphs/B-sine.onnx" > "$scratch/cut.onnx"
run voice import bad "$scratch/cut.onnx"
check "a file that is cut short is refused" ended 1
check "by the name that it was given by" said "the model $scratch/cut.onnx cannot be loaded"
run voice import bad "$scratch/missing.onnx"
check "one that is not there is said" said "cannot read $scratch/missing.onnx"
check "and nobody is told to make a folder" sh -c '! grep -q "make its folder" "$1"' - "$scratch/err"
(
    trap '' XFSZ
    ulimit -f 1
    run voice import bad "$graphs/B-sine.onnx"
)
check "a full disk is said, with what to do" said ": free some space"
run voice models --json
check "both are listed, and nothing else" "$PYTHON" -c '
import json, sys
it = json.load(open(sys.argv[1]))
assert [v["name"] for v in it["voices"]] == ["anna", "robin"], it
robin = it["voices"][1]
assert robin["transpose"] == 12 and robin["licence"].endswith("robin/LICENCE.txt") and robin["whole"]' "$scratch/out"
speech_s=2.9
run convert --model robin --pitch 5 --no-fluctuation "$speech" "$scratch/changed.wav"
check "a recording is changed by a model" [ "$code" -eq 0 ]
run info --json "$scratch/changed.wav"
check "it is as long, and not silent" "$PYTHON" -c '
import json, sys
it = json.load(open(sys.argv[1]))
assert abs(it["duration"] - float(sys.argv[2])) < 0.1, it' "$scratch/out" "$speech_s"
run convert --model robin --preset robot "$speech" "$scratch/no.wav"
check "what a model cannot be is refused" ended 2
check "and that is said" said "a trained voice cannot be a robot"
run convert --model nobody "$speech" "$scratch/no.wav"
check "a model that is not there is said" said nobody
check "and nothing is written" [ ! -e "$scratch/no.wav" ]
run convert --model robin --provider no-such "$speech" "$scratch/no.wav"
check "what cannot run it is said, with what can" said "cpu"
run voice --model robin --file "$speech" --to "$scratch/live.wav" --json --threads 1
check "a voice speaks live as a model" [ "$code" -eq 0 ]
check "with the delay of its chunks" "$PYTHON" -c '
import json, sys
last = [json.loads(line) for line in open(sys.argv[1])][-1]
assert last["event"] == "ended" and 250 < last["voice_ms"] < 600, last' "$scratch/out"
run voice info robin --measure --threads 1
check "info measures" printed "ms of voice take"
run voice remove anna
check "one is removed" ended 0
check "its folder is gone" [ ! -e "$store/anna" ]
run voice remove anna
check "and cannot be removed again" ended 1
finish
