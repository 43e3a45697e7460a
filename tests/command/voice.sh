#!/bin/sh
# kodama voice beside a real sound daemon: voice.sh pipewire|pulse. Speech that an application plays comes out of a
# virtual microphone that another application records, changed, as late as was promised. Skipped where the programs of
# the daemon are not installed.
kind=$1
support=$(cd "$(dirname "$0")/../support" && pwd)
if [ -z "$AUDIO_HOST" ]; then
    if ! "$KODAMA" apps --help | grep -q "backend.*$kind\|^ .*[ ,:]$kind"; then
        echo "1..0 # SKIP this build has no $kind"
        exit 0
    fi
    "$support/audio-host" "--$kind" "$0" "$kind"
    code=$?
    if [ $code -eq 69 ]; then
        echo "1..0 # SKIP the programs of $kind are not installed"
        exit 0
    fi
    exit $code
fi
. "$(dirname "$0")/tap.sh"
cd "$scratch" || exit 1
export KODAMA_BACKEND="$kind" XDG_CONFIG_HOME="$scratch/config"
if [ ! -e "$longer" ]; then
    echo "1..0 # SKIP the speech of pocketsphinx-testdata is not installed"
    exit 0
fi

# value EXPRESSION [FILE]: whether it holds of the lines of JSON in a file, as `lines` and `last`
value() {
    "$PYTHON" -c '
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
def all_of(event): return [line for line in lines if line.get("event") == event]
last = lines[-1]
sys.exit(not eval(f"({sys.argv[2]})"))' "${2:-$scratch/out}" "$1"
}

# An application that speaks: half a minute of speech.
"$KODAMA" transcode --rate 48000 "$longer" once.wav > out.txt
"$PYTHON" - <<'END'
import wave
with wave.open("once.wav") as one:
    parameters, frames = one.getparams(), one.readframes(one.getnframes())
with wave.open("speech.wav", "wb") as all:
    all.setparams(parameters)
    for _ in range(12):
        all.writeframes(frames)
END
players=
trap 'kill $players 2> /dev/null; rm -rf "$scratch"' EXIT
paplay --client-name=Speaker speech.wav > /dev/null 2>&1 &
players="$players $!"
tries=0
until "$KODAMA" apps --json | grep -q '"name":"Speaker".*"state":"playing"' || [ $tries -ge 100 ]; do
    tries=$((tries + 1))
    sleep 0.2
done

# --- into a microphone

# Each line with the time at which it was said.
mkfifo lines
"$PYTHON" -u -c '
import json, sys, time
for line in sys.stdin:
    print(json.dumps(json.loads(line) | {"at": time.monotonic()}))' < lines > events &
stamper=$!
players="$players $stamper"
"$KODAMA" voice --app speaker --to=mic:Changed --preset deeper --noise pink --noise-level 0.001 --json --interval 0.1 \
    --save-preset mine > lines 2> "$scratch/err" &
voice=$!
players="$players $voice"
tries=0
until "$KODAMA" devices --json | grep -q '"Changed' || [ $tries -ge 100 ]; do
    tries=$((tries + 1))
    sleep 0.2
done
"$KODAMA" devices --json > "$scratch/out"
check "another application finds the microphone" printed '"Changed'
sleep 1
"$KODAMA" record --app speaker -d 6 --sample s16 --marks -o original.wav > out.txt 2>&1 &
one=$!
"$KODAMA" record --mic=Changed -d 6 --sample s16 --marks -o changed.wav > out2.txt 2>&1
wait $one
kill -INT $voice
wait $voice
ended_with=$?
wait $stamper
check "Ctrl-C ends it with 130" [ $ended_with -eq 130 ]
check "its events begin and end" value 'lines[0]["event"] == "started" and last["event"] == "ended" and
    last["reason"] == "interrupted" and len(all_of("levels")) >= 3' events
check "the voice never failed" value 'last["faults"] == 0' events
# Its ring is of 2 s: frames are lost only where it took none for about as long, and no more of them than that.
check "nothing is lost but while the machine holds it up" "$PYTHON" -c '
import itertools, json
lines = [line for line in map(json.loads, open("events")) if "lost" in line]
times = [next(group)["at"] for _, group in itertools.groupby(lines, lambda line: line["time"])]
stalls = [b - a for a, b in zip(times, times[1:]) if b - a > 1.5]
raise SystemExit(lines[-1]["lost"] > 48000 * sum(stalls))'
check "the delay of the voice itself is exact and small" value 'len({line["voice_ms"] for line in lines if
    "voice_ms" in line}) == 1 and 0 < last["voice_ms"] < 40' events
check "the speech is heard in it" value 'any(line["f0"] for line in all_of("levels"))' events

# When each millisecond of the two recordings was heard, and how far their loudness is apart, in a stretch in which
# nothing was counted that changes the delay, if there is one.
"$PYTHON" "$tests/lag.py" --marks --said=events original.wav changed.wav 400 > lag 2>> "$scratch/err"
cp lag "$scratch/out"
echo "# measured: $(cat lag) (ms, correlation, said at least and at most)"
check "what comes out of the microphone is what was said" sh -c 'awk "{ exit !(\$2 > 0.6) }" lag'
# Who records hears a period of the sound server later than it is played; what waits in it is told in periods, too.
check "it is late by what was promised at that time, to a period" \
    sh -c 'awk "{ exit !(\$1 > \$3 - 12 && \$1 < \$4 + 10) }" lag'
check "the voice is another one" sh -c '! cmp -s original.wav changed.wav'

# --- into a file, presets, refusals

run voice --app speaker --to=voice.wav -d 1.5 --pitch 4 --json
check "a file is written" [ "$code" -eq 0 ]
check "for as long as was asked for" value 'last["reason"] == "duration" and 1.4 < last["time"] < 3'
"$KODAMA" info --json voice.wav > "$scratch/out"
check "the file is whole" value 'last["duration"] > 1.3'
run voice --app speaker --to=voice.wav -d 1
check "a file that is there is not replaced" ended 1
cp once.wav itself.wav
run voice --file itself.wav --to=./itself.wav -d 1 --overwrite
check "a file is not written while it is read" ended 2
check "and stays as it was" cmp once.wav itself.wav
run voice --list-presets --json
check "the preset was saved at the end" value \
    'any(one["name"] == "mine" and one["own"] and one["pitch"] == -4 and one["noise"] == "pink"
         for one in last["presets"])'
run voice --file once.wav --to=speakers --preset mine -d 1 --monitor
check "--monitor beside speakers is a usage error" ended 2
run voice --file once.wav --to=speakers --preset mine -d 1
check "a file is played as if it were live" [ "$code" -eq 0 ]
run voice --file once.wav --to=mic:Both --monitor -d 1 --json
check "a microphone and the speakers at once" [ "$code" -eq 0 ]
run voice --app nobody --to=mic:No
check "an application that is not there fails" ended 1
run voice --to=mic:No
check "nothing to hear is a usage error" ended 2
run voice --file once.wav --to=nowhere
check "a target that is none is a usage error" ended 2
run voice --pitch 3 --save-preset her
check "a preset is saved without hearing" ended 0
run convert once.wav her.wav --preset her
check "and known to convert" ended 0
run voice --save-preset robot
check "a built-in name is refused" ended 2
run voice --list-presets
check "presets are listed" printed "her              pitch  +3.0"
finish
