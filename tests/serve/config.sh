#!/bin/sh
# kodama serve --config, --make-cert and TLS as a new user has them, and the systemd unit.
. "$(dirname "$0")/../command/tap.sh"

if ! command -v curl > /dev/null; then
    echo "1..0 # SKIP curl is not installed"
    exit 0
fi
cd "$scratch" || exit 1

# start ARGUMENT...: leaves $server and $url
start() {
    : > url
    "$KODAMA" serve "$@" > url 2> err &
    server=$!
    for i in $(seq 300); do
        url=$(cat url)
        [ -n "$url" ] && return 0
        kill -0 $server 2> /dev/null || return 1
        sleep 0.1
    done
    return 1
}
finish() {
    code=0
    kill -TERM $server
    wait $server || code=$?
    [ "$code" -eq 0 ]
}
fetch() {
    status=$(curl -s -m 60 -o out -w '%{http_code}' "$@" 2>> err)
}
# refuses TEXT SENTENCE...: a file of that text is refused with the sentence
refuses() {
    printf "$1" > bad.conf
    shift
    run serve --config bad.conf
    [ "$code" -eq 2 ] && said "$1"
}

run serve --config "$KODAMA_ROOT/data/serve.conf" --host nowhere
if said 'install libinih-dev'; then
    skip "a file of options" "built without inih"
else
    check "the example is read, and the command line comes before it" said 'nowhere is reached by other machines'
    check "an unknown key is refused with its line" refuses '# x\n\nprot = 1\n' 'bad.conf:3: prot is no setting; did you mean port?'
    check "a bad value is refused with its line" refuses 'port = 1\nidle = soon\n' 'bad.conf:2: idle cannot be "soon"'
    check "a value out of range, too" refuses 'port = 65536\n' 'bad.conf:1: port cannot be'
    check "a key that is there twice" refuses 'port = 1\nport = 2\n' 'bad.conf:2: port is there already'
    check "a line that is no setting" refuses 'port = 1\nwhat\n' 'bad.conf:2: this is neither'
    check "a foreign section" refuses '[listen]\nport = 1\n' 'bad.conf:2: port is in the section [listen]'
    check "blanks at the beginning of a line" refuses 'port = 1\n 2\n' 'bad.conf:2: blanks'
    check "a switch that is neither on nor off" refuses 'verbose = maybe\n' 'bad.conf:1: verbose cannot be'
    check "what is only for a command line" refuses 'make-cert = yes\n' 'bad.conf:1: make-cert is no setting'
    run serve --config nothing.conf
    check "a file that is not there is told" said 'cannot read nothing.conf'
    echo hidden > token
    printf '[serve]\nport = 1\ntoken-file = token ; beside it\norigin = https://a.example\norigin = https://b.example\nverbose = yes\n' > good.conf
    check "a server starts with it" start --config good.conf --port 0 --origin https://c.example
    fetch "$url/status"
    check "the file's token is asked for" [ "$status" = 401 ]
    fetch -H 'Authorization: Bearer hidden' "$url/status"
    check "and taken" [ "$status" = 200 ]
    fetch -H 'X-API-Key: hidden' -H 'Origin: https://c.example' "$url/status"
    check "origins of the command line are allowed" [ "$status" = 200 ]
    fetch "$url/status?token=hidden" -H 'Origin: https://a.example'
    check "in the place of the file's" [ "$status" = 403 ]
    fetch "$url/status?token=hiddem"
    check "another token is refused" [ "$status" = 401 ]
    check "it ends in good order" finish
    check "the log says what goes on" said 'listening on 127.0.0.1'
    check "but no token" sh -c '! grep -q hidde err'
fi

run serve --make-cert --cert c.pem --key k.pem --cert-name voice.example.org --cert-name 10.1.2.3
if said 'install libssl-dev'; then
    skip "a certificate" "built without libcrypto"
else
    check "a certificate is made" [ "$code" -eq 0 -a -s c.pem -a -s k.pem ]
    check "nobody else can read its files" [ "$(stat -c %a c.pem k.pem | sort -u)" = 600 ]
    before=$(cat c.pem k.pem)
    run serve --make-cert --cert c.pem --key k2.pem
    check "a file that is there is kept" [ "$code" -eq 1 -a "$before" = "$(cat c.pem k.pem)" -a ! -e k2.pem ]
    check "and that is said" said 'c.pem is there already'
    run serve --make-cert --cert c2.pem --key k2.pem --cert-name 'a b'
    check "a name that is none is refused" [ "$code" -eq 2 -a ! -e c2.pem ]
    check "a server speaks TLS with it" start --port 0 --cert c.pem --key k.pem
    port=${url##*:}
    check "its address says so" [ "${url%%:*}" = https ]
    for name in localhost 127.0.0.1; do
        fetch --cacert c.pem "https://$name:$port/status"
        check "$name is in the certificate" [ "$status" = 200 ]
    done
    fetch --cacert c.pem --resolve "voice.example.org:$port:127.0.0.1" "https://voice.example.org:$port/status"
    check "so is a name that was given" [ "$status" = 200 ]
    fetch --cacert c.pem --resolve "other.example.org:$port:127.0.0.1" "https://other.example.org:$port/status"
    check "another one is not" [ "$status" = 000 ]
    fetch "https://localhost:$port/status"
    check "without the certificate nobody trusts it" [ "$status" = 000 ]
    fetch "http://127.0.0.1:$port/status"
    check "without TLS nothing is served" [ "$status" != 200 ]
    if command -v openssl > /dev/null; then
        { printf 'GET /ws?rate=16000 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'; sleep 2; } |
            timeout 60 openssl s_client -quiet -no_ign_eof -CAfile c.pem -verify_return_error -connect "127.0.0.1:$port" > out 2>> err
        check "captions go over TLS" grep -aq '"type":"ready"' out
    fi
    check "it ends in good order, too" finish
    printf 'nonsense\n' > broken.pem
    run serve --port 0 --cert broken.pem --key k.pem
    check "a broken certificate is told" [ "$code" -eq 1 ]
fi

if command -v systemd-analyze > /dev/null; then
    unit=$KODAMA_BUILD/data/kodama.service
    # The command is not installed where the unit looks for it; everything else must be right.
    sed "s|^ExecStart=[^ ]*|ExecStart=$KODAMA|" "$unit" > kodama.service
    systemd-analyze verify "$scratch/kodama.service" 2>&1 | grep 'kodama\.service' | grep -v 'man ' > words
    check "systemd has nothing to say against the unit" [ ! -s words ]
    level=$(systemd-analyze security --offline=true "$scratch/kodama.service" 2> /dev/null |
        sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p')
    if [ -n "$level" ]; then
        check "it is exposed as little as it can be ($level of 10)" [ "${level%%.*}" -le 2 ]
    else
        skip "its exposure" "this systemd cannot say offline"
    fi
else
    skip "the systemd unit" "systemd-analyze is not installed"
fi
finish() { echo "1..$n_tests"; }
finish
