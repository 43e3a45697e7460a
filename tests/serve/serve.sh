#!/bin/sh
# kodama serve as a new user has it: started, asked with curl, ended by a signal.
. "$(dirname "$0")/../command/tap.sh"

if ! command -v curl > /dev/null || [ ! -e "$speech" ]; then
    echo "1..0 # SKIP curl or pocketsphinx-testdata is not installed"
    exit 0
fi

# start ARGUMENT...: leaves $server and $url
start() {
    : > "$scratch/url" # the address of the one before must not be read
    # Also where these tests run under nohup, which makes SIGHUP ignored.
    env --default-signal=HUP "$KODAMA" serve --port 0 "$@" > "$scratch/url" 2> "$scratch/err" &
    server=$!
    for i in $(seq 300); do
        url=$(cat "$scratch/url")
        [ -n "$url" ] && return 0
        kill -0 $server 2> /dev/null || return 1
        sleep 0.1
    done
    return 1
}
# fetch ARGUMENT...: leaves $scratch/out and $status
fetch() {
    status=$(curl -s -m 60 -o "$scratch/out" -w '%{http_code}' "$@" 2>> "$scratch/err")
}
# finish: end it; leaves $code
finish() {
    code=0
    kill -TERM $server
    wait $server || code=$?
}

check "it starts and prints its address" start
fetch "$url/healthz"
check "it lives" [ "$status" = 200 ]
fetch "$url/status"
check "it says how it is" printed '"status":"ok"'
fetch "$url/metrics"
check "it counts for Prometheus" printed 'kodama_sessions 0'
if command -v python3 > /dev/null; then
    python3 "$tests/prometheus.py" < "$scratch/out" > "$scratch/words"
    valid=$?
    check "in its format ($(cat "$scratch/words"))" [ "$valid" -eq 0 ]
fi
fetch -H 'Origin: https://evil.example' "$url/status"
check "a foreign page is refused" [ "$status" = 403 ]
finish
check "it ends in good order" [ "$code" -eq 0 -a ! -s "$scratch/err" ]

echo secret > "$scratch/token"
check "it takes a token from a file" start --verbose --token-file "$scratch/token"
fetch "$url/status"
check "without the token nothing is served" [ "$status" = 401 ]
fetch -H 'X-API-Key: secret' "$url/status"
check "with it there is" [ "$status" = 200 ]
fetch -H 'X-API-Key: secret' -F "file=@$speech" -F response_format=text "$url/v1/audio/transcriptions?token=secret"
tr ' ' '\n' < "$scratch/out" | grep -E '.{4,}' > "$scratch/words"
check "speech becomes words" [ "$status" = 200 -a -s "$scratch/words" ]
timeout 60 "$KODAMA" serve --port "${url##*:}" > "$scratch/out" 2> "$scratch/other"
check "a port that is taken is told" grep -q 'cannot listen on 127.0.0.1 port' "$scratch/other"
finish
check "its log says what goes on" said 'listening on'
check "but no token" sh -c '! grep -q secret "$1"' sh "$scratch/err"
check "and nothing that was said" sh -c '! grep -qwF -f "$1" "$2"' sh "$scratch/words" "$scratch/err"

# Another model while it serves: SIGHUP takes the default, as it is now.
export XDG_DATA_HOME="$scratch/data"
sphinx=$(dirname "$(dirname "$(find /usr/share/pocketsphinx/model -name mdef | head -n 1)")")
"$KODAMA" models add --link --name ours "$sphinx" > /dev/null
check "it starts with a store" start
# swapped STATE NUMBER: wait until the newest change of model, of that number, has this state
swapped() {
    for i in $(seq 600); do
        fetch "$url/v1/models"
        grep -q "\"state\":\"$1\",\"number\":$2," "$scratch/out" && return 0
        sleep 0.1
    done
    return 1
}
"$KODAMA" models default ours
kill -HUP $server
check "SIGHUP loads the default model" swapped done 1
check "the models of the store are listed" printed '"id":"ours"'
fetch -X POST -d '{"model":"nowhere"}' "$url/v1/models/default"
check "an order is taken" [ "$status" = 202 ]
check "a model that is not there changes nothing" swapped failed 2
fetch -X POST -d '{"model":"default"}' "$url/v1/models/default"
check "the default is loaded again" swapped done 3
fetch -F "file=@$speech" "$url/transcribe"
check "it recognises" [ "$status" = 200 ]
finish
check "it ends in good order after all that" [ "$code" -eq 0 ]
check "what did not work was told" said "the model stays as it is"

run serve --host 0.0.0.0
check "an address that others reach needs a token" [ "$code" -eq 1 ]
check "and says so" said token
echo "1..$n_tests"
