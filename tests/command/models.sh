#!/bin/sh
# kodama models: a store of models, and downloads from a host on this machine whose connections fail.
. "$(dirname "$0")/tap.sh"
here=$(dirname "$0")
export XDG_DATA_HOME="$scratch/data"
unset KODAMA_MODELS_MIRROR
store="$XDG_DATA_HOME/kodama/models"
mkdir "$scratch/host"
"$WRITE_WHISPER_MODEL" "$scratch/host/ggml-said.bin" "<0.00> this was said <2.00>"
model="$scratch/host/ggml-said.bin"
n_bytes=$(wc -c < "$model")
sum=$(sha256sum "$model" | cut -d ' ' -f 1)

# json EXPRESSION: whether it is true of what was printed, as `it` (and its models by name, `by`)
json() {
    "$PYTHON" -c '
import json, sys
it = json.load(open(sys.argv[1]))
by = {model["name"]: model for model in it.get("models", [])}
sys.exit(not eval(sys.argv[2]))' "$scratch/out" "$1"
}
gone() { # gone NAME: whether nothing is left of it
    [ -z "$(find "$store" -name "*$1*" 2> /dev/null)" ]
}
whole() { # whole: the model is there, to the byte, and its checksum beside it
    cmp "$store/ggml-said.bin" "$model" && (cd "$store" && sha256sum -c --status ggml-said.bin.sha256) &&
        [ ! -e "$store/said.part" ] && [ ! -e "$store/said.part.from" ]
}

# ------------------------------------------------------------------ without a network
run models list --json
check "an empty store is listed" ended 0
check "it knows models, and has none" json 'len(by) > 30 and not any(m["here"] for m in by.values())'
check "all of them have an address, a size and a checksum" \
    json 'all(m["address"].startswith("https://") and m["bytes"] > 1e6 and len(m["sha256"]) == 64 for m in by.values())'
check "base.en is one of them" json 'by["base.en"]["address"].endswith("/ggml-base.en.bin")'
check "listing makes no folder" [ ! -e "$store" ]

run models add "$model"
check "a file is brought in" [ "$code" -eq 0 ]
check "and is whole" whole
check "it is said that nothing was compared" said "no checksum is known"
run models list --json
check "it is listed" json 'by["said"]["here"] and by["said"]["engine"] == "whisper" and by["said"]["sha256"] == "'"$sum"'"'
run models add "$model"
check "a second one of its name is refused" ended 1
check "and why is said" said "already"
run models add --name other --sha256 "$sum" "$model"
check "it is brought in under another name, with its checksum" ended 0
head -c 100000 "$model" > "$scratch/cut.bin"
run models add "$scratch/cut.bin"
check "a file that is cut off is refused" ended 1
check "nothing is left of it" gone cut
echo "no model" > "$scratch/text.bin"
run models add "$scratch/text.bin"
check "what is no model is refused" said "no model that Kodama knows"
run models add --name wrong --sha256 "$(printf '%064d' 0)" "$model"
check "another checksum than wanted is refused" said "is not the file it should be"
check "nothing is left of that" gone wrong
run models add --name linked --link "$model"
check "a file is linked" [ -L "$store/ggml-linked.bin" ]
for name in ../escape a/b .hidden '' 'a b' x.part "$(printf '%0200d' 1)"; do
    run models add --name "$name" "$model"
    check "the name '$name' is refused" ended 1
done
check "nothing was written elsewhere" [ "$(find "$XDG_DATA_HOME" -type f | grep -cv "^$store/")" = 0 ]
run models add "$scratch/not-there"
check "a file that is not there is refused" said "cannot read $scratch/not-there"

run models default
check "there is no default at first" printed "none"
run models default said
check "a default is chosen" ended 0
run models default
check "and told" [ "$(cat "$scratch/out")" = said ]
run models list
check "and listed" grep -q '^\* said ' "$scratch/out"
run models default --json
check "and told as JSON" json 'it["default"] == "said"'
run models default nowhere
check "one that is not there is refused" ended 1
run models remove said other linked
check "models are removed" ended 0
check "the link's file stays" [ -e "$model" ]
check "nothing else does" [ -z "$(ls "$store")" ]
run models default
check "a default that was removed is none" printed "none"
run models remove said
check "what is not there cannot be removed" ended 1
run models frobnicate
check "an unknown action is a mistake" ended 2
run models get
check "so is getting nothing" ended 2

sphinx=$(dirname "$(dirname "$(find /usr/share/pocketsphinx/model -name mdef 2> /dev/null | head -n 1)")")
if [ -e "$speech" ] && [ -e "$sphinx" ]; then
    run models add "$sphinx"
    check "a folder can only be linked" said "linked"
    run models add --link --name ours "$sphinx"
    check "a folder of PocketSphinx is linked" ended 0
    run listen --fast --model ours "$speech"
    check "captions work with a model's name" ended 0
    cp "$scratch/out" "$scratch/named"
    run listen --fast "$speech"
    check "they are those of the folder" cmp -s "$scratch/out" "$scratch/named"
    run models remove ours
    check "the link is removed, and not the folder" [ -e "$sphinx" ]
else
    skip "captions work with a model's name" "pocketsphinx is not installed"
fi
run listen --fast --model nowhere "$speech"
check "a name that nobody has is refused" ended 1
check "and the store named" said "$store"
run listen --fast --model base.en "$speech"
check "for a known one it is said how to get it" said "kodama models get base.en"

# -------------------------------------------------------------------------- downloads
run models get http://127.0.0.1:1/ggml-said.bin
if said "cannot download"; then
    check "a build without downloads says so" said "kodama models add"
    check "and leaves nothing" gone said
    finish
    exit 0
fi
check "a host that is not there is told" said "127.0.0.1"
check "and leaves nothing" gone said
"$PYTHON" "$here/models_host.py" "$scratch/host" "$scratch/port" "$scratch/requests" 2> "$scratch/host_err" &
host=$!
trap 'kill $host 2> /dev/null; rm -rf "$scratch"' EXIT
waited=0
while [ ! -e "$scratch/port" ] && [ $waited -lt 300 ]; do
    sleep 0.1
    waited=$((waited + 1))
done
base="http://127.0.0.1:$(cat "$scratch/port")"
fresh() { # forget what was got and asked
    rm -rf "$store"
    : > "$scratch/requests"
}

fresh
run models get "$base/ggml-said.bin"
check "a file is downloaded" [ "$code" -eq 0 ]
check "it is whole" whole
check "where no checksum is known the one of what came is told" said "$sum"
run models get "$base/ggml-said.bin"
check "it is not downloaded twice" [ "$(wc -l < "$scratch/requests")" = 1 ]
check "but said to be there" printed "there already"
fresh
run models get --json --progress --sha256 "$sum" "$base/ggml-said.bin?download=true"
check "with the right checksum" [ "$code" -eq 0 ]
check "what came is printed as JSON" json 'it["name"] == "said" and it["bytes"] == '"$n_bytes"' and it["here"]'
check "progress is told in lines" said "100 %"
fresh
run models get --sha256 "$(printf '%064d' 1)" "$base/ggml-said.bin"
check "a wrong checksum is refused" ended 1
check "both sums are told" said "$sum"
check "nothing is kept" gone said
run models get --sha256 12ab "$base/ggml-said.bin"
check "what is no checksum is refused" ended 1
fresh
run models get "$base/moved/ggml-said.bin"
check "a redirection is followed" whole
fresh
run models get "$base/busy-2/ggml-said.bin"
check "a busy host is asked again" whole
fresh
run models get "$base/nothing.bin"
check "a file that the host does not have is told" said "is not there"
check "an answer of an error is no model" gone nothing
head -c 3000000 "$model" > "$scratch/host/ggml-half.bin"
run models get "$base/ggml-half.bin"
check "a model that is cut off at the host is refused" ended 1
check "nothing of it is kept" gone half
for address in ftp://127.0.0.1/a.bin file:///etc/passwd "https:/a" gopher://a; do
    run models get "$address"
    check "$address is not asked" ended 1
done

# Connections that are cut.
fresh
run models get "$base/cut-900000/ggml-said.bin"
check "a connection that is cut again and again is taken up" [ "$code" -eq 0 ]
check "the file is whole" whole
check "each time what was missing was asked for" \
    [ "$(grep -c 'bytes=' "$scratch/requests")" -ge $((n_bytes / 900000)) ]
check "no byte came twice" [ "$(awk '{ n += $5 } END { print n }' "$scratch/requests")" = "$n_bytes" ]
fresh
run models get "$base/cut-0/ggml-said.bin"
check "a connection that brings nothing is given up" ended 1

# begin WAY: download slowly, and wait until some of it is there; leaves $getter
begin() {
    fresh
    "$KODAMA" models get "$base/$1/ggml-said.bin" > "$scratch/out" 2> "$scratch/err" &
    getter=$!
    waited=0
    while [ "$(stat -c %s "$store/said.part" 2> /dev/null || echo 0)" -lt 500000 ] && [ $waited -lt 600 ]; do
        sleep 0.05
        waited=$((waited + 1))
    done
}
begin slow
run models get "$base/slow/ggml-said.bin"
check "two at a time are one too many" said "somebody else"
kill -KILL $getter
wait $getter 2> /dev/null
got=$(stat -c %s "$store/said.part")
check "a killed program leaves what came" [ "$got" -ge 500000 ]
run models list --json
check "it is listed as a part" json 'by["said"]["partial_bytes"] == '"$got"' and not by["said"]["here"]'
run models get "$base/slow/ggml-said.bin"
check "the rest is got" whole
check "and only the rest" grep -q "bytes=$got- " "$scratch/requests"
check "of the same version" grep -q 'bytes=[0-9]*- "slow-' "$scratch/requests"
begin slow
kill -INT $getter
code=0
wait $getter || code=$?
check "Ctrl-C ends a download" [ "$code" = 130 ]
check "it says what is kept" said "kept"
check "and keeps it" [ -s "$store/said.part" ]
check "and makes no model of it" [ ! -e "$store/ggml-said.bin" ]
run models remove said
check "what came can be removed" gone said
begin slow
kill -KILL $getter
wait $getter 2> /dev/null
run models get "$base/plain/ggml-said.bin"
check "another address is not put behind it" whole
check "but asked for all" grep -q 'plain/ggml-said.bin - - 200' "$scratch/requests"
fresh
mkdir -p "$store"
head -c 700000 /dev/zero > "$store/said.part"
printf '%s\n"another"\n' "$base/slow/ggml-said.bin" > "$store/said.part.from"
run models get "$base/slow/ggml-said.bin"
check "a file that has changed is got anew" whole
fresh
mkdir -p "$store"
cp "$model" "$store/said.part"
printf '%s\n\n' "$base/ggml-said.bin" > "$store/said.part.from"
run models get "$base/ggml-said.bin"
check "what was whole already is only looked at" whole
fresh
mkdir -p "$store"
head -c 700000 /dev/zero > "$store/said.part"
printf '%s\n\n' "$base/ggml-said.bin" > "$store/said.part.from"
run models get --sha256 "$sum" "$base/ggml-said.bin"
check "a part that does not fit is told by the checksum" ended 1
check "and nothing is kept" gone said

# Known models, from a mirror.
fresh
cp "$model" "$scratch/host/ggml-tiny.en.bin"
run models get --mirror "$base" tiny.en
check "a file of another size is no known model" said "not the 77704715"
check "nothing of it is kept" gone tiny
KODAMA_MODELS_MIRROR=$base/moved run models get tiny
check "the environment can name the mirror" grep -q '/moved/ggml-tiny.bin' "$scratch/requests"
silero=$here/../../../shared/models/silero_vad.onnx
if [ -e "$silero" ]; then
    cp "$silero" "$scratch/host"
    run models get --mirror "$base/" silero
    check "the detector's model is got, and compared" ended 0
    run models default silero
    check "it cannot be the default" said "recognises no speech"
    run models remove silero
    chmod u+w "$scratch/host/silero_vad.onnx"
    printf 'X' | dd of="$scratch/host/silero_vad.onnx" bs=1 seek=1000000 conv=notrunc 2> /dev/null
    run models get --mirror "$base" silero
    check "one changed byte is noticed" said "is not the file it should be"
    check "and not kept" gone silero
else
    skip "the detector's model is got, and compared" "no ../shared"
fi

# A full disk: only root can make a small one.
if unshare --mount true 2> /dev/null; then
    fresh
    mkdir -p "$store"
    unshare --mount sh -c '
        mount -t tmpfs -o size=3m none "$1" || exit 77
        "$2" models get "$3/ggml-said.bin" 2> "$4/err"
        echo $? > "$4/code"
        "$2" models get --name noise "$3/endless/a.bin" 2> "$4/err_endless"
        echo $? > "$4/code_endless"
        ls "$1" > "$4/left"
    ' sh "$store" "$KODAMA" "$base" "$scratch"
    if [ $? = 77 ]; then
        skip "a disk that is too small is noticed before" "no mounts"
    else
        check "a disk that is too small is noticed before" said "lacks"
        check "that is a failure" [ "$(cat "$scratch/code")" = 1 ]
        cp "$scratch/err_endless" "$scratch/err"
        check "one that fills up is told" said "make room"
        check "that is a failure, too" [ "$(cat "$scratch/code_endless")" = 1 ]
        check "there is no model then" [ "$(grep -cv part "$scratch/left")" = 0 ]
    fi
else
    skip "a disk that is too small is noticed before" "not root"
fi
finish
