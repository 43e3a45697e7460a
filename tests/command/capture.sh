#!/bin/sh
# The command beside a real sound daemon: capture.sh pipewire|pulse. Applications, devices, levels, volumes,
# recording, playing. Skipped where the programs of the daemon are not installed.
kind=$1
support=$(cd "$(dirname "$0")/../support" && pwd)
if [ -z "$AUDIO_HOST" ]; then
    if ! "$KODAMA" apps --help | grep -q "backend.*$kind\|^ .*[ ,:]$kind"; then
        echo "1..0 # SKIP this build has no $kind"
        exit 0
    fi
    "$support/audio-host" "--$kind" --mic kodama-test-mic "$0" "$kind"
    code=$?
    if [ $code -eq 69 ]; then
        echo "1..0 # SKIP the programs of $kind are not installed"
        exit 0
    fi
    exit $code
fi
. "$(dirname "$0")/tap.sh"
cd "$scratch" || exit 1
export KODAMA_BACKEND="$kind"

# An application: paplay, which calls itself Songster and plays a tone for a while: one whose frames can be told
# from each other, or a long one.
"$PYTHON" "$support/tone-check" make song.wav 1000 40
for tone in 1000 3000; do
    "$KODAMA" record --fast -i tone:$tone --raw s16:48000:2 -d 300 -o long-$tone.wav > out.txt
done
players=
trap 'kill $players 2> /dev/null; rm -rf "$scratch"' EXIT
application() {
    if [ "$1" = Songster ] && [ -n "$application" ]; then
        kill "$application" 2> /dev/null
        wait "$application" 2> wait.txt
    fi
    paplay --client-name="$1" "$2" > /dev/null 2>&1 &
    application=$!
    players="$players $application"
    tries=0
    until "$KODAMA" apps --json | grep -q "\"name\":\"$1\".*\"state\":\"playing\"" || [ $tries -ge 100 ]; do
        tries=$((tries + 1))
        sleep 0.2
    done
}
# value EXPRESSION: whether it holds of the JSON that was printed, as `it`
value() {
    "$PYTHON" -c '
import json, sys
it = json.loads(open(sys.argv[1]).readline())
def near(a, b, by): return a is not None and abs(a - b) <= by
sys.exit(not eval(f"({sys.argv[2]})"))' "$scratch/out" "$1"
}
# exact FILE...: bit for bit the song but for cycles that a busy machine loses
exact() {
    "$PYTHON" "$support/tone-check" compare song.wav "$@" > "$scratch/words" 2>&1
}

run apps
check "without applications that is said" printed "no application makes sound now"
run record --app songster -d 1 -o nobody.wav
check "an application that is not there fails" ended 1
check "nothing is written then" [ ! -e nobody.wav ]
run listen --app songster
check "listen says so, too" ended 1

application Other long-3000.wav
application=
application Songster long-1000.wav
first=$application
run apps
check "an application is listed" printed "Songster"
run apps --json
check "json has the documented members" value \
    'list(it) == ["backend", "connected", "apps"] and
     list(it["apps"][1]) == "id pid root_pid name binary icon media state volume muted streams".split()'
check "json has its process and state" value \
    "it['backend'] == '$kind' and it['apps'][1]['pid'] == $first and it['apps'][1]['state'] == 'playing'"
check "json has its stream and format" value \
    'len(it["apps"][1]["streams"]) == 1 and it["apps"][1]["streams"][0]["rate"] == 48000'
run apps --streams
check "--streams shows one more line for each" [ "$(grep -c Songster "$scratch/out")" -eq 2 ]
run devices --json
check "the default speakers are known" value \
    "[d['name'] for d in it['devices'] if d['default'] and d['kind'] == 'speakers'] == ['$AUDIO_HOST_SINK']"
check "the microphone is known" value \
    "[d['default'] for d in it['devices'] if d['name'] == '$AUDIO_HOST_MIC' and d['kind'] == 'microphone'] == [True]"
run devices
check "devices are printed" printed "$AUDIO_HOST_SINK"

run doctor --json
check "doctor finds the sound server and the default speakers" "$PYTHON" -c '
import json, sys
sound = {one["name"]: one for one in json.load(open(sys.argv[1]))["sound"]}
assert sound[sys.argv[2]]["works"] and sys.argv[3] in sound[sys.argv[2]]["detail"], sound
' "$scratch/out" "$kind" "$AUDIO_HOST_SINK"

# --- recording

application Songster song.wav
run record --app songster -d 1.5 -o app.wav --json
check "an application is recorded" ended 0
check "for as long as was asked for, to the frame" value 'it["frames"] == 72000'
check "and nothing of others, bit for bit" exact app.wav --absent 3000 --max-lost 9600 --max-zeros 9600
run record --pid $application -d 1 -o pid.wav
check "a process is recorded" exact pid.wav --absent 3000 --max-lost 9600 --max-zeros 9600
run record --app binary:nothing --app SONG -d 1 -o either.wav
check "several names are any of them" exact either.wav --absent 3000 --max-lost 9600 --max-zeros 9600
application Songster song.wav
run record --except other -d 1 -o except.wav
check "all but one are recorded" exact except.wav --absent 3000 --max-lost 9600 --max-zeros 9600
application Songster long-1000.wav
run record --system -d 1 -o system.wav
"$KODAMA" info --json system.wav > "$scratch/out"
check "the system is recorded" value 'near(it["level"]["rms_db"], -6.0, 0.5)'
run record --mic -d 0.5 -o mic.wav
check "a microphone is recorded" ended 0
run record --mic=nonsuch -d 0.5 -o nomic.wav
check "a microphone that is not there fails" ended 1
run record --app songster --mic="$AUDIO_HOST_MIC" -d 1 -o mix.wav
check "two inputs are mixed" ended 0
"$KODAMA" info --json mix.wav > "$scratch/out"
check "the mix has the application's level" value 'near(it["level"]["peak_db"], -6.0, 0.5)'
run record --app songster song.wav -o wrong.wav
check "a live input beside a file is a usage error" ended 2
run record --app songster --except other -o wrong.wav
check "--except beside --app is a usage error" ended 2
run record --app pid:x -o wrong.wav
check "a process that is none is a usage error" ended 2
run record --wait --app latecomer -d 0.5 -o late.wav --json
check "--wait begins with silence" value 'it["frames"] == 24000 and it["gap_frames"] == 24000'

application Songster long-1000.wav
"$KODAMA" record --app songster -d 4 -o away.wav --json > "$scratch/out" 2> "$scratch/err" &
pid=$!
players="$players $pid"
sleep 1.5
kill $application
sleep 0.7
application Songster long-1000.wav
wait $pid
check "an application that goes and comes back is told" sh -c '
    grep -q "has gone; silence" "$1" && grep -q "is back" "$1"' sh "$scratch/err"
check "the recording goes on meanwhile, and counts" value \
    'it["frames"] == 192000 and 0 < it["gap_frames"] < 192000 and it["gaps"] >= 1'

# --- the past

application Songster song.wav
"$KODAMA" record --app songster --past 1 -o past.wav --json > "$scratch/past" 2> "$scratch/err" &
pid=$!
players="$players $pid"
sleep 2
kill -s USR2 $pid
tries=0
until [ "$(wc -l < "$scratch/past")" -ge 1 ] || [ $tries -ge 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
kill -s USR2 $pid
until [ "$(wc -l < "$scratch/past")" -ge 2 ] || [ $tries -ge 200 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
kill -s INT $pid
code=0
wait $pid || code=$?
check "remembering ends with 130 on SIGINT" [ $code -eq 130 ]
cp "$scratch/past" "$scratch/out"
check "SIGUSR2 saves what was heard before" value 'it["file"] == "past.wav" and it["frames"] == 48000'
check "bit for bit" exact past.wav --absent 3000 --max-lost 9600 --max-zeros 9600
check "the next one is another file, and hearing went on" \
    exact past-2.wav --absent 3000 --max-lost 9600 --max-zeros 9600

# --- on a terminal

application Songster long-1000.wav
"$PYTHON" "$tests/terminal.py" live > "$scratch/words" 2>&1
code=$?
sed 's/^/# /' "$scratch/words"
check "on a terminal there are a live table, a meter, and the key that saves" [ $code -eq 0 ]

# --- levels and volumes

application Songster long-1000.wav
run levels songster -d 1 -n 0.5 --json
check "levels are those of the application" value \
    'near(it["channels"][0]["peak_db"], -6.0, 0.5) and near(it["channels"][1]["peak_db"], -6.0, 0.5)'
run levels songster -d 1 -n 0.5
check "levels are printed in lines where there is no terminal" printed "dBFS"
run volume songster 50%
check "a volume is set" printed "Songster: 50%"
run volume songster
check "it stays" printed "Songster: 50%"
run volume songster -10%
check "a volume is changed" printed "Songster: 40%"
run volume songster mute
run volume songster
check "an application is muted" printed "Songster: 40%, muted"
run volume songster unmute
run volume songster +60%
run volume songster
check "and as it was again" printed "Songster: 100%"
run volume nobody 50%
check "the volume of an application that is not there fails" ended 1
check "those that are there are named" said "Songster"
run volume songster 900%
check "too large a volume is a usage error" ended 2
run volume songster loud
check "a volume that is none is a usage error" ended 2

"$KODAMA" apps --watch --json > watch.json 2> "$scratch/err" &
pid=$!
players="$players $pid"
sleep 1
kill $application
tries=0
until tail -n 1 watch.json | grep -v -q "Songster.*playing" || [ $tries -ge 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
check "--watch tells when an application ends" sh -c 'tail -n 1 watch.json | grep -v -q "Songster.*playing"'
kill -s INT $pid
code=0
wait $pid || code=$?
check "watching ends with 130 on SIGINT" [ $code -eq 130 ]

# --- playing

"$KODAMA" transcode --end 1 song.wav short.wav > out.txt
run play short.wav
if said "cannot play"; then
    skip "playing" "this backend does not play yet"
else
    check "a file is played" ended 0
    "$KODAMA" play song.wav 2> "$scratch/err" &
    pid=$!
    players="$players $pid"
    sleep 1
    run record --app pid:$pid -d 1 -o played.wav
    check "what is played is what is heard" exact played.wav --max-lost 9600 --max-zeros 9600
    kill -s INT $pid
    code=0
    wait $pid || code=$?
    check "playing ends with 130 on SIGINT" [ $code -eq 130 ]
    "$KODAMA" play --to-mic Announcer song.wav 2> "$scratch/err" &
    pid=$!
    players="$players $pid"
    tries=0
    until "$KODAMA" devices | grep -q Announcer || [ $tries -ge 50 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    run record --mic=Announcer -d 1 -o announced.wav
    check "a virtual microphone is heard" exact announced.wav --max-lost 9600 --max-zeros 9600
    kill -s TERM $pid
    code=0
    wait $pid || code=$?
    check "SIGTERM ends it with 143" [ $code -eq 143 ]
    sleep 0.5
    run devices
    check "the microphone goes with it" sh -c '! grep -q Announcer "$1"' sh "$scratch/out"
    run play --to nonsuch short.wav
    check "speakers that are not there fail" ended 1
fi
run play --to x --to-mic y short.wav
check "two places at once are a usage error" ended 2

# --- nobody answers

mkdir "$scratch/empty"
export PULSE_SERVER="unix:$scratch/empty/pulse" PIPEWIRE_REMOTE=nothing-answers XDG_RUNTIME_DIR="$scratch/empty"
for name in apps devices "levels --mic" "volume x" "record --mic -o none.wav" "listen --mic"; do
    # shellcheck disable=SC2086 # the words of a command
    run $name
    check "$name without a sound server fails" ended 1
    check "$name without a sound server says what to start" said "start"
done
finish
