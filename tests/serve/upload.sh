#!/bin/sh
# Whole files over HTTP, sent with curl: every form of answer, every way of sending, bad files.
. "$(dirname "$0")/../command/tap.sh"

if ! command -v curl > /dev/null || [ ! -e "$speech" ]; then
    echo "1..0 # SKIP curl or pocketsphinx-testdata is not installed"
    exit 0
fi

# start ARGUMENT...: leaves $server and $url
start() {
    : > "$scratch/url"
    TMPDIR=$scratch "$KODAMA" serve --port 0 "$@" > "$scratch/url" 2> "$scratch/err" &
    server=$!
    for i in $(seq 300); do
        [ -s "$scratch/url" ] && break
        sleep 0.1
    done
    url=$(cat "$scratch/url")
}
start --max-upload 5

# fetch ARGUMENT...: leaves $scratch/out and $status
fetch() {
    status=$(curl -s -m 120 -o "$scratch/out" -w '%{http_code}' "$@" 2>> "$scratch/err")
}
# answered STATUS TEXT
answered() {
    [ "$status" = "$1" ] && printed "$2"
}

"$KODAMA" listen --fast "$speech" > "$scratch/captions"
said=$(tr '\n' ' ' < "$scratch/captions" | sed 's/ $//')
openai=$url/v1/audio/transcriptions

fetch -F "file=@$speech" -F model=whisper-1 "$openai"
check "a form is answered with the text that listen hears" answered 200 "{\"text\":\"$said\","
check "with its usage" printed '"usage":{"type":"duration","seconds":3}'
fetch -F response_format=text -F "file=@$speech" "$openai"
check "text is text" [ "$status" = 200 -a "$(cat "$scratch/out")" = "$said" ]
fetch -F "file=@$speech" -F response_format=srt "$openai"
check "srt has numbers and times" grep -qE '^00:00:0[0-9],[0-9]{3} --> ' "$scratch/out"
fetch -F "file=@$speech" -F response_format=vtt "$openai"
check "vtt has its head" grep -q '^WEBVTT$' "$scratch/out"
fetch -F "file=@$speech" -F response_format=verbose_json -F 'timestamp_granularities[]=word' \
    -F 'timestamp_granularities[]=segment' "$openai"
check "verbose_json has words" printed '"words":[{"word":"'
check "it has the language" printed '"language":"english"'
check "and segments" printed '"segments":[{"id":0,"start":'
fetch -F "file=@$speech" -F stream=true "$openai"
check "a stream has pieces" answered 200 'data: {"type":"transcript.text.delta","delta":"'
check "and an end with the whole text" printed "{\"type\":\"transcript.text.done\",\"text\":\"$said\""

fetch --data-binary "@$speech" -H 'Content-Type: audio/wav' "$url/transcribe"
check "a body is answered with segments" answered 200 "{\"text\":\"$said\",\"segments\":[{"
"$KODAMA" transcode "$speech" "$scratch/speech.flac" > /dev/null 2>&1
fetch -F "file=@$scratch/speech.flac" "$url/transcribe"
check "another kind of file is heard alike" answered 200 "{\"text\":\"$said\""

fetch -F 'file=@/etc/passwd' "$openai"
check "what is no sound is refused" answered 400 '{"error":{"message":"The file is no sound'
fetch -F "file=@$speech" -F prompt=Jane -F temperature=0.2 -F language=en -F model=x "$openai"
check "prompt, temperature and language are taken" answered 200 "{\"text\":\"$said\","
fetch -F model=x "$openai"
check "a form without a file is refused" answered 400 'There is no file'
fetch -F "file=@$speech" -F response_format=mp3 "$openai"
check "an unknown format is refused" answered 400 'response_format must be'
chunked='Transfer-Encoding: chunked'
fetch -H "$chunked" -X POST -T - "$url/transcribe" < "$speech"
check "a chunked body is heard alike" answered 200 "{\"text\":\"$said\""
fetch -H "$chunked" -F "file=@$speech" -F response_format=text "$openai"
check "so is a chunked form" [ "$status" = 200 -a "$(cat "$scratch/out")" = "$said" ]
head -c 20000000 /dev/zero > "$scratch/zeros"
fetch -H "$chunked" -X POST -T - "$url/transcribe" < "$scratch/zeros"
check "a chunked body is refused when it becomes too large" answered 413 'larger than this server'
fetch -H 'Transfer-Encoding: gzip' -X POST -T - "$url/transcribe" < "$speech"
check "another transfer encoding is refused with a reason" answered 501 'only chunked'
head -c 6000000 /dev/zero > "$scratch/large"
fetch -F "file=@$scratch/large" "$openai"
check "a file that is too large is refused" answered 413 'larger than this server'
fetch "$url/healthz"
check "after all that it lives" [ "$status" = 200 ]
check "no file is left behind" sh -c '! ls "$1"/kodama-* > /dev/null 2>&1' sh "$scratch"
kill -TERM $server
wait $server
check "it ends in good order" [ $? -eq 0 ]

# More than what libwebsockets takes for the end of a body without a length: 100 MiB.
zeros() {
    head -c 130000000 /dev/zero
}
# held PEAK: kilobytes of memory that the server has, or had at the most
held() {
    sed -n "s/^$1: *\\([0-9]*\\) kB/\\1/p" "/proc/$server/status"
}
start
fetch "$url/healthz"
before=$(held VmRSS)
fetch -H "$chunked" -X POST -T - "$url/transcribe" < /dev/null
check "an empty chunked body has no file" answered 400 'There is no file'
zeros > "$scratch/large"
fetch -H "$chunked" -X POST -T - "$url/transcribe" < "$scratch/large"
check "a chunked body of 130 MB is read to its end" answered 400 'The file is no sound'
more=$(($(held VmHWM) - before))
echo "# the server grew by $more kB"
check "and is not held in memory" [ "$more" -lt 20000 ]
kill -TERM $server
wait $server

if command -v openssl > /dev/null; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
        -keyout "$scratch/key.pem" -out "$scratch/cert.pem" > /dev/null 2>&1
    start --cert "$scratch/cert.pem" --key "$scratch/key.pem"
    fetch -k -H "$chunked" -X POST -T - "$url/transcribe" < "$speech"
    check "over TLS a chunked body is heard alike" answered 200 "{\"text\":\"$said\""
    fetch -k -H "$chunked" -X POST -T - "$url/transcribe" < "$scratch/large"
    check "over TLS one of more than 100 MiB is refused with a reason" \
        answered 413 'needs a Content-Length'
    kill -TERM $server
    wait $server
fi
echo "1..$n_tests"
