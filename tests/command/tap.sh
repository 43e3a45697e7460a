# TAP from POSIX shell: sourced by the tests of the command. KODAMA is the executable under test.
n_tests=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
speech=/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0880.wav
longer=/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0870.wav

# pass SENTENCE; fail SENTENCE: report one test
pass() {
    n_tests=$((n_tests + 1))
    echo "ok $n_tests - $1"
}
fail() {
    n_tests=$((n_tests + 1))
    echo "not ok $n_tests - $1"
    for shown in "$scratch/out" "$scratch/err"; do
        if [ -s "$shown" ]; then awk 'NR <= 20 { print "# " $0 }' "$shown"; fi
    done
}
skip() {
    n_tests=$((n_tests + 1))
    echo "ok $n_tests - $1 # SKIP $2"
}

# check SENTENCE COMMAND...: passes when the command succeeds
check() {
    sentence=$1
    shift
    if "$@"; then pass "$sentence"; else fail "$sentence"; fi
}

# forget: what was written, before a program is started whose output is waited for: its shell may empty the files
# only after the first look at them
forget() {
    : > "$scratch/out"
    : > "$scratch/err"
}

# run ARGUMENT...: run kodama; leaves $code, $scratch/out and $scratch/err
run() {
    code=0
    "$KODAMA" "$@" > "$scratch/out" 2> "$scratch/err" < /dev/null || code=$?
}

# said TEXT, printed TEXT: whether standard error or standard output has it
said() {
    grep -qF -e "$1" "$scratch/err"
}
printed() {
    grep -qF -e "$1" "$scratch/out"
}

# ended CODE: whether the last run had this exit code and complained exactly when it failed
ended() {
    [ "$code" -eq "$1" ] || return 1
    if [ "$1" -eq 0 ]; then [ ! -s "$scratch/err" ]; else [ -s "$scratch/err" ]; fi
}

# sound ARGUMENT...: run sound.py; leaves $scratch/words
# holds FILE TEXT: what it sees in a WAV file
tests=$(cd "$(dirname "$0")" && pwd)
sound() {
    "$PYTHON" "$tests/sound.py" "$@" > "$scratch/words" 2>> "$scratch/err"
}
holds() {
    sound look "$1" && [ "$(cat "$scratch/words")" = "$2" ]
}

finish() {
    echo "1..$n_tests"
}
