#!/bin/sh
# kodama listen --server, and what `make run` does: captions by a server are those of this machine.
. "$(dirname "$0")/tap.sh"
root=$(cd "$(dirname "$0")/../.." && pwd)

if [ ! -e "$speech" ] || "$KODAMA" listen --server ws://127.0.0.1:1 "$speech" 2>&1 | grep -q 'build has none'; then
    echo "1..0 # SKIP pocketsphinx-testdata is not installed, or this build has no client"
    exit 0
fi

# serve ARGUMENT...: leaves $server and $url; the address comes through a pipe
serve() {
    rm -f "$scratch/address"
    mkfifo "$scratch/address"
    "$KODAMA" serve "$@" > "$scratch/address" 2> "$scratch/serve" &
    server=$!
    read -r url < "$scratch/address"
}
# same ARGUMENT...: whether the server's captions are those of this machine, to the byte
same() {
    "$KODAMA" listen --fast --no-partials "$@" "$speech" > "$scratch/expected" 2> "$scratch/err" &&
        run listen --fast --no-partials --server "$url" "$@" "$speech" && ended 0 &&
        cmp -s "$scratch/out" "$scratch/expected"
}

check "a server is there" serve --port 0
for format in json srt; do
    check "$format by a server is that of this machine" same --format=$format
done
check "another silence makes the same difference on both sides" same --format=json --silence-ms=200
code=0
"$KODAMA" listen --server "$url" - < "$speech" > "$scratch/out" 2> "$scratch/err" || code=$?
check "standard input is heard" ended 0
check "and captioned" [ "$(wc -w < "$scratch/out")" -gt 3 ]
run listen --fast --save="$scratch/saved.srt" --server "$url" "$speech"
check "captions are saved" grep -q -e '-->' "$scratch/saved.srt"
run listen --fast --verbose --server "$url" "$speech"
check "the connection has statistics" said '0 reconnects, 0 new sessions'

# The first seconds of a recording, then Ctrl-C.
code=0
forget
"$KODAMA" listen --format json --server "$url" "$longer" > "$scratch/out" 2> "$scratch/err" &
listener=$!
until grep -q speech_started "$scratch/out" || ! kill -0 $listener 2> /dev/null; do sleep 0.1; done
kill -INT $listener
wait $listener || code=$?
check "Ctrl-C ends with 130" [ "$code" -eq 130 ]
check "after the last words" grep -q '"type":"final"' "$scratch/out"
check "and says so" sh -c 'tail -n 1 "$1" | grep -q "\"reason\":\"interrupted\""' sh "$scratch/out"

# --- a server that goes away, and comes back

port=${url##*:}
forget
"$KODAMA" listen --format json --server "$url" "$longer" > "$scratch/out" 2> "$scratch/err" &
listener=$!
until grep -q speech_started "$scratch/out" || ! kill -0 $listener 2> /dev/null; do sleep 0.1; done
kill -KILL $server
wait $server 2> /dev/null
until said 'trying again' || ! kill -0 $listener 2> /dev/null; do sleep 0.1; done
check "a server that was killed is waited for" said 'trying again'
check "another one takes its place" serve --port "$port"
code=0
wait $listener || code=$?
check "the captions go on" [ "$code" -eq 0 ]
check "in a new session, with everything" said 'nothing is lost'
"$KODAMA" listen --fast "$longer" > "$scratch/expected" 2> /dev/null
"$PYTHON" "$tests/check.py" messages "$scratch/out" > "$scratch/words" 2>> "$scratch/err"
"$PYTHON" "$tests/check.py" text "$scratch/expected" > "$scratch/expected.words"
check "and not a word is missing" cmp "$scratch/words" "$scratch/expected.words"
kill -TERM $server
code=0
wait $server || code=$?
check "the server ends in good order" [ "$code" -eq 0 ]

# --- what is refused

run listen --server "$url" "$speech"
check "a server that is not there is told" ended 1
check "with what to do" said 'is the server running?'
run listen --server ftp://localhost "$speech"
check "an address that is none is told" said 'is no address of a server'
run listen --token x "$speech"
check "a token without a server is a mistake" ended 2
run listen --server "$url" --grammar x "$speech"
check "what is the server's affair is a mistake" ended 2
echo s3cret > "$scratch/token"
check "a server demands a token" serve --port 0 --token-file "$scratch/token"
run listen --fast --server "$url" "$speech"
check "without it the refusal is told" said 'it demands a token'
run listen --fast --server "$url" --token-file "$scratch/token" "$speech"
check "with it captions come" ended 0
kill -TERM $server
wait $server

if command -v openssl > /dev/null &&
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$scratch/key.pem" -out "$scratch/cert.pem" -days 2 \
        -subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' 2> /dev/null; then
    check "a server speaks TLS" serve --port 0 --cert "$scratch/cert.pem" --key "$scratch/key.pem"
    run listen --fast --server "$url" --ca "$scratch/cert.pem" "$speech"
    check "with its certificate captions come" ended 0
    run listen --fast --server "$url" "$speech"
    check "without, it is not trusted" said 'its certificate is not trusted'
    run listen --fast --server "ws://127.0.0.1:${url##*:}" "$speech"
    check "ws instead of wss is guessed" said 'wss or ws'
    kill -TERM $server
    wait $server
else
    skip "a server speaks TLS" "there is no openssl"
fi

# --- make run

forget
"$root/tools/run-server" "$KODAMA" 0 --fast "$speech" > "$scratch/out" 2> "$scratch/err" &
runner=$!
until printed 'goes on at' || ! kill -0 $runner 2> /dev/null; do sleep 0.1; done
check "make run captions and leaves the server running" printed 'goes on at http://127.0.0.1:'
url=$(sed -n 's/^The server goes on at \([^ ]*\) .*/\1/p' "$scratch/out")
run listen --fast --server "$url" "$speech"
check "which is there for others" ended 0
code=0
kill -TERM $runner
wait $runner || code=$?
check "SIGTERM ends it in good order" [ "$code" -eq 0 ]
run listen --server "$url" "$speech"
check "and the server with it" ended 1
code=0
"$root/tools/run-server" "$KODAMA" 0 --fast /nowhere.wav > "$scratch/out" 2> "$scratch/err" || code=$?
check "when there is nothing to hear, it ends and says why" ended 1
finish
