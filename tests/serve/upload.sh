#!/bin/sh
# Whole files over HTTP, sent with curl: every form of answer, every way of sending, bad files.
. "$(dirname "$0")/../command/tap.sh"

if ! command -v curl > /dev/null || [ ! -e "$speech" ]; then
    echo "1..0 # SKIP curl or pocketsphinx-testdata is not installed"
    exit 0
fi

: > "$scratch/url"
TMPDIR=$scratch "$KODAMA" serve --port 0 --max-upload 5 > "$scratch/url" 2> "$scratch/err" &
server=$!
for i in $(seq 300); do
    [ -s "$scratch/url" ] && break
    sleep 0.1
done
url=$(cat "$scratch/url")

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
fetch -F model=x "$openai"
check "a form without a file is refused" answered 400 'There is no file'
fetch -F "file=@$speech" -F response_format=mp3 "$openai"
check "an unknown format is refused" answered 400 'response_format must be'
fetch -H 'Transfer-Encoding: chunked' --data-binary "@$speech" "$url/transcribe"
check "a chunked body is refused with a reason" answered 411 'Content-Length'
head -c 6000000 /dev/zero > "$scratch/large"
fetch -F "file=@$scratch/large" "$openai"
check "a file that is too large is refused" [ "$status" = 413 -o "$status" = 000 ]
fetch "$url/healthz"
check "after all that it lives" [ "$status" = 200 ]
check "no file is left behind" sh -c '! ls "$1"/kodama-* > /dev/null 2>&1' sh "$scratch"
kill -TERM $server
wait $server
check "it ends in good order" [ $? -eq 0 ]
echo "1..$n_tests"
