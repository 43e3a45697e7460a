#!/usr/bin/env bash
# audio-host itself: exit codes, signals, what is left behind, strange environments, daemons that do not come up.
set -u
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
host=$here/audio-host
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
export scratch
n=0

# is SENTENCE WANTED GOT
is() {
	n=$((n + 1))
	if [ "$2" = "$3" ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; echo "# $3 instead of $2"; fi
}

# gone PID: within 5 s it is no more, or a zombie that init has yet to reap
gone() {
	local i
	for i in {1..100}; do
		case $(ps -o stat= -p "$1") in ''|Z*) echo yes; return ;; esac
		sleep 0.05
	done
	echo no
}

await_file() {
	local i
	for i in {1..600}; do [ -e "$1" ] && break; sleep 0.02; done
	rm -f "$1"
}

play='head -c 48000 /dev/zero | timeout 10 pacat --raw --format=float32le --rate=48000 --latency-msec=20'
note='echo "$XDG_RUNTIME_DIR" >"$scratch/run"; echo "$AUDIO_HOST_PIDS command=$$" >"$scratch/pids"; touch "$scratch/go"'

check() {	# check KIND: pipewire or pulse
	local m=$1 pid p all=() bad run
	run=("$host" "--$m")
	"${run[@]}" bash -c "$play; exit 42"
	is "$m: the status of the command is the status" 42 $?
	is "$m: standard input and output are the command's" hello "$(echo hello | "${run[@]}" cat)"
	is "$m: exported variables survive" "a b  c" \
		"$(dir=a log='b ' rate=c "${run[@]}" bash -c 'echo "$dir $log $rate"')"

	"${run[@]}" bash -c 'sleep 1000 & echo $! >"$scratch/left"'
	is "$m: a process that the command left is ended" yes "$(gone "$(cat "$scratch/left")")"

	"${run[@]}" bash -c "trap 'exit 9' TERM; $note; while :; do sleep 0.05; done" &
	pid=$!
	await_file "$scratch/go"
	kill -TERM "$pid"
	wait "$pid"
	is "$m: TERM is passed on" 9 $?
	is "$m: nothing stays behind after TERM" no "$([ -d "$(cat "$scratch/run")" ] && echo yes || echo no)"

	{ "${run[@]}" bash -c "$note; sleep 30" & pid=$!; } 2>/dev/null
	await_file "$scratch/go"
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	bad=''
	for p in $(cat "$scratch/pids"); do [ "$(gone "${p#*=}")" = yes ] || bad+=" $p"; done
	is "$m: everything ends with it, also by KILL" '' "$bad"

	env TMPDIR="/tmp/$(printf 'x%.0s' {1..120})" HOME=/nonexistent XDG_RUNTIME_DIR=/nonexistent \
		XDG_CONFIG_HOME=/nonexistent DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent \
		PIPEWIRE_REMOTE=other PIPEWIRE_CONFIG_DIR=/nonexistent PULSE_SERVER=tcp:192.0.2.1 PULSE_SINK=none \
		PULSE_RUNTIME_PATH=/nonexistent WIREPLUMBER_CONFIG_DIR=/nonexistent "${run[@]}" bash -c "$play"
	is "$m: a strange environment does not matter" 0 $?

	for _ in 1 2 3; do
		"${run[@]}" bash -c "$play" &
		all+=($!)
	done
	bad=''
	for pid in "${all[@]}"; do wait "$pid" || bad+=" $?"; done
	is "$m: three run at once" '' "$bad"

	is "$m: orders are obeyed" 'ready ok pids ok error' "$(printf 'kill\nstart\nstart\n' | "${run[@]}" --serve |
		sed -n 's/^AUDIO_HOST_PIDS=.*/pids/; s/^error.*/error/; /^\(ready\|ok\|pids\|error\)$/p' | sed 1d | tr '\n' ' ' |
		sed 's/ $//')"
}

for m in pipewire pulse; do
	"$host" "--$m" true 2>/dev/null
	if [ $? = 69 ]; then
		n=$((n + 1))
		echo "ok $n - $m # SKIP its programs are not installed"
	else
		check "$m"
	fi
done
"$host" 2>/dev/null
is "without a command it says so" 2 $?
"$host" --no-such-option true 2>/dev/null
is "an unknown option is refused" 2 $?
"$host" --quantum many true 2>/dev/null
is "what should be a number is one" 2 $?
if command -v wireplumber >/dev/null; then
	mkdir "$scratch/bin"
	printf '#!/bin/sh\necho broken >&2; exit 1\n' >"$scratch/bin/wireplumber"
	chmod +x "$scratch/bin/wireplumber"
	PATH=$scratch/bin:$PATH "$host" --ready-timeout 10 true 2>"$scratch/err"
	is "a daemon that does not come up is status 70" 70 $?
	is "and is named" 0 "$(grep -q '^audio-host: wireplumber' "$scratch/err"; echo $?)"
fi
echo "1..$n"
