#!/bin/sh
# kodama info: what it says of sounds whose format, levels and loudness are known.
. "$(dirname "$0")/tap.sh"
cd "$scratch" || exit 1

# value EXPRESSION: whether it holds of the line of JSON that was printed, as `it`
value() {
    "$PYTHON" -c '
import json, math, sys
it = json.loads(open(sys.argv[1]).read())
def near(a, b, by): return abs(a - b) <= by
sys.exit(not eval(f"({sys.argv[2]})"))' "$scratch/out" "$1"
}
sound make tone.wav 4 48000 2 0.5
sound make loud.wav 1 16000 1 1.0

run info tone.wav
check "a file is described" ended 0
check "the format is named" printed "WAV (PCM), s16, 48000 Hz, 2 channels"
check "the length is named" printed "4.000 s, 192000 frames, 768 kB"
check "the levels are named" printed "rms -9.0 dBFS, peak -6.0 dBFS"
run info --json tone.wav
check "json succeeds" ended 0
check "json is one line" [ "$(wc -l < "$scratch/out")" -eq 1 ]
check "json has the documented members" value \
    'list(it) == "file container codec sample rate channels frames duration bytes level loudness".split()'
check "the level has, too" value \
    'list(it["level"]) == "rms_db peak_db peak peak_frame clipped not_numbers silence offset".split()'
check "format and length are right" value \
    '(it["container"], it["codec"], it["sample"], it["rate"], it["channels"], it["frames"], it["duration"]) ==
     ("WAV", "PCM", "s16", 48000, 2, 192000, 4.0)'
check "the size is that of the file" value "it['bytes'] == $(wc -c < tone.wav)"
check "a tone of half amplitude has an rms of -9.03 dBFS" value 'near(it["level"]["rms_db"], -9.03, 0.01)'
check "and a peak of -6.02 dBFS" value 'near(it["level"]["peak_db"], -6.02, 0.01)'
check "it has no offset, no silence and is not clipped" value \
    'near(it["level"]["offset"], 0, 1e-6) and it["level"]["silence"] == 0 and it["level"]["clipped"] == 0'
# A tone of 1 kHz at -23 dBFS on both channels is -23 LUFS (EBU Tech 3341, case 1).
check "and the loudness that EBU R 128 gives it" value 'near(it["loudness"]["integrated_lufs"], -6.0, 0.1)'
check "its true peak is its peak" value 'near(it["loudness"]["true_peak_db"], -6.0, 0.1)'
run info --json loud.wav
check "samples at full scale are counted" value 'it["level"]["clipped"] == 2000'

"$KODAMA" record --fast --input silence -d 1 -o silence.wav > out.txt
run info --json silence.wav
check "silence is silent" value 'it["level"]["silence"] == 1.0'
check "silence has no level and no loudness" value \
    'it["level"]["peak_db"] is None and it["loudness"]["integrated_lufs"] is None'
run info silence.wav
check "silence is said in words" printed "peak silence"
"$KODAMA" transcode --start 2 tone.wav half.wav > out.txt
"$KODAMA" record --fast half.wav --type wav -o - > pipe.wav
"$KODAMA" info --json - < pipe.wav > "$scratch/out"
check "standard input is described alike" value 'it["frames"] == 96000 and it["bytes"] is None'
for type in flac ogg opus; do
    "$KODAMA" transcode tone.wav "tone.$type" > out.txt
    run info --json "tone.$type"
    check "$type is described" ended 0
    check "$type has the length of what it was made from" value 'it["frames"] == 192000'
    check "$type has its levels" value 'near(it["level"]["rms_db"], -9.03, 0.5)'
done
check "the container and the codec of Opus are told" value '(it["container"], it["codec"]) == ("Ogg", "Opus")'
run info --json tone.ogg
check "those of Vorbis, too" value '(it["container"], it["codec"]) == ("Ogg", "Vorbis")'

# --- the waveform

rows() {
    "$PYTHON" -c '
import sys
rows = open(sys.argv[1], encoding="utf-8").read().split("\n")[5:-2]
sys.exit(not (len(rows) == 6 and all(len(row) == int(sys.argv[2]) for row in rows) and eval(sys.argv[3])))' \
        "$scratch/out" "$1" "$2"
}
LC_ALL=C.UTF-8 run info --width 40 tone.wav
check "the waveform is braille, as wide as asked for" rows 40 'all(0x2800 <= ord(c) < 0x2900 for c in rows[0])'
check "a tone fills it" rows 40 'set("".join(rows)) == {"\u28ff"}'
LC_ALL=C run info --width 40 tone.wav
check "without UTF-8 it is ASCII" rows 40 'set("".join(rows)) == {"#"}'
run info --no-waveform tone.wav
check "--no-waveform leaves it out" [ "$(wc -l < "$scratch/out")" -eq 5 ]
"$KODAMA" record --fast half.wav silence.wav -o mixed.wav > out.txt 2>&1
"$KODAMA" transcode --end 1 half.wav one.wav > out.txt
"$KODAMA" record --fast -i silence --raw s16:48000:2 -d 3 -o quiet.wav > out.txt
"$KODAMA" record --fast one.wav quiet.wav -o quarter.wav > out.txt
LC_ALL=C run info --width 40 quarter.wav
check "sound and silence are where they belong" rows 40 \
    'all(row[:10] == "#" * 10 for row in rows) and all(row[10:] in (" " * 30, "\x27" * 30) for row in rows)'

# --- what goes wrong

echo "this is no sound" > notes.wav
run info tone.wav notes.wav nowhere.wav half.wav
check "a broken file fails" [ "$code" -eq 1 ]
check "a broken file is one sentence" [ "$(grep -c 'notes.wav' "$scratch/err")" -eq 1 ]
check "each is on a line of its own" [ "$(wc -l < "$scratch/err")" -eq 2 ]
check "the others go on" sh -c 'grep -qx "tone.wav" "$1" && grep -qx "half.wav" "$1"' sh "$scratch/out"
head -c 40000 tone.flac > cut.flac
run info cut.flac
check "a file that is cut off fails" ended 1
run info
check "no file is a usage error" ended 2
printf 'RIFF' > "$(printf 'bad\033[31mname.wav')"
run info bad*name.wav
check "a file name does not speak to the terminal" sh -c '! grep -q "$(printf "\033")" "$1"' sh "$scratch/err"
finish
