#!/bin/sh
# What goes wrong with inputs and outputs is said in a sentence, with an honest exit code.
. "$(dirname "$0")/tap.sh"

mkdir "$scratch/folder"
: > "$scratch/empty.wav"
echo "this is no sound" > "$scratch/notes.txt"
head -c 30 /dev/urandom > "$scratch/cut.wav"

for name in listen vad; do
    run $name "$scratch/nowhere.wav"
    check "$name: a missing file fails" ended 1
    check "$name: a missing file is named" said "nowhere.wav"
    run $name "$scratch/folder"
    check "$name: a folder fails" ended 1
    check "$name: a folder is named" said "folder"
    run $name "$scratch/empty.wav"
    check "$name: an empty file fails" ended 1
    check "$name: an empty file is named" said "empty.wav"
    run $name "$scratch/notes.txt"
    check "$name: text instead of sound fails" ended 1
    check "$name: text instead of sound is named" said "notes.txt"
    run $name "$scratch/cut.wav"
    check "$name: damaged sound fails" ended 1
    check "$name: nothing is printed where nothing was heard" [ ! -s "$scratch/out" ]
    run $name --rate=16000 "$scratch/cut.wav"
    check "$name: a rate for a file is a usage error" ended 2
    run $name - "$scratch/cut.wav"
    check "$name: standard input beside a file is a usage error" ended 2
    run $name -
    check "$name: standard input without a header fails" ended 1
done
run vad "$scratch/nowhere.wav"
check "an error is one line and begins with the subcommand's name" \
    [ "$(grep -c '^kodama vad: ' "$scratch/err")" -eq "$(wc -l < "$scratch/err")" ]
if [ "$(id -u)" -ne 0 ]; then
    cp "$scratch/notes.txt" "$scratch/secret.wav"
    chmod 0 "$scratch/secret.wav"
    run vad "$scratch/secret.wav"
    check "a file that may not be read fails" ended 1
else
    skip "a file that may not be read fails" "root may read everything"
fi
if [ -e "$speech" ]; then
    run listen --fast --grammar="$scratch/nowhere.gram" "$speech"
    check "a missing grammar fails" ended 1
    check "a missing grammar is named" said "nowhere.gram"
    run listen --fast --save="$scratch/nowhere/talk.srt" "$speech"
    check "a folder that does not exist cannot be saved to" ended 1
    check "the file that cannot be saved is named" said "nowhere/talk.srt"
    check "nothing is captioned when the transcript cannot be saved" [ ! -s "$scratch/out" ]
    cp "$speech" "$scratch/talk.wav"
    run listen --fast --save="$scratch/talk.wav" "$scratch/talk.wav"
    check "the transcript may not take the recording's place" ended 2
    check "the recording is as it was" cmp -s "$speech" "$scratch/talk.wav"
    run listen --fast --model="$scratch/nowhere" "$speech"
    check "a missing model fails" ended 1
else
    skip "failures while captioning" "pocketsphinx-testdata is not installed"
fi
run doctor
case $code in
0) check "doctor succeeds when captions work" printed "Captions work" ;;
*) check "doctor fails when captions do not work" printed "Captions do not work here" ;;
esac
run doctor --json
check "doctor --json has the documented shape" "$PYTHON" -c '
import json, sys
doctor = json.load(open(sys.argv[1]))
assert set(doctor) == {
    "version", "backends", "sound", "engines", "detectors", "neural", "network", "models", "libraries", "problems"
}, doctor
for kind in ("backends", "engines", "detectors", "neural"):
    assert isinstance(doctor[kind], list) and all(entry["name"] for entry in doctor[kind]), kind
assert {"file", "stdin"} <= {entry["name"] for entry in doctor["backends"]}
assert all(set(problem) == {"what", "how"} for problem in doctor["problems"])
assert doctor["libraries"]["jansson"]
' "$scratch/out"
finish
