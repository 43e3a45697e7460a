#!/bin/sh
# kodama transcode: sounds of known shape into other types, rates, channels and levels.
. "$(dirname "$0")/tap.sh"
cd "$scratch" || exit 1

# value FILE EXPRESSION: whether it holds of what kodama info says, as `it`, `level`, `loudness`
value() {
    "$KODAMA" info --json "$1" > info.json && "$PYTHON" -c '
import json, sys
it = json.loads(open("info.json").read())
level, loudness = it["level"], it["loudness"]
def near(a, b, by): return abs(a - b) <= by
sys.exit(not eval(f"({sys.argv[1]})"))' "$2"
}
sound make tone.wav 2 16000 1 0.25
sound make stereo.wav 2 48000 2 0.25

run transcode tone.wav copy.wav
check "a file is copied" ended 0
check "every sample is as it was" sound same tone.wav copy.wav
check "what came out is said" printed "copy.wav: WAV, s16, 16000 Hz, 1 channel, 2.000 s, 64 kB"
run transcode tone.wav tone.flac
run transcode tone.flac back.wav
check "FLAC and back is bit by bit the same" sound same tone.wav back.wav
for type in ogg opus mp3; do
    run transcode tone.wav "tone.$type" --quality 0.9
    if [ "$type" = mp3 ] && [ "$code" -ne 0 ]; then
        skip "mp3 is written" "this libsndfile has no MP3"
        continue
    fi
    check "$type is written" ended 0
    check "$type keeps level and length" value "tone.$type" \
        'near(level["rms_db"], -15.05, 0.3) and near(it["duration"], 2.0, 0.1)'
done
run transcode tone.wav named --type flac
check "--type decides where the name does not" value named 'it["container"] == "FLAC"'
run transcode tone.wav nameless
check "a name of no type is a usage error" ended 2

# --- each change

run transcode --rate 48000 tone.wav fast.wav
check "--rate resamples" holds fast.wav "tag 1 channels 1 rate 48000 bits 16 frames 96000"
check "and keeps the level" value fast.wav 'near(level["rms_db"], -15.05, 0.05)'
run transcode --channels 1 stereo.wav mono.wav
check "--channels 1 mixes down" holds mono.wav "tag 1 channels 1 rate 48000 bits 16 frames 96000"
run transcode --channels 2 tone.wav two.wav
check "--channels 2 copies a single one" holds two.wav "tag 1 channels 2 rate 16000 bits 16 frames 32000"
run transcode --channels 4 stereo.wav four.wav
check "what has no one right mix is refused" ended 2
for sample in s24 s32 f32; do
    run transcode --sample $sample tone.wav $sample.wav
    check "--sample $sample is stored" value $sample.wav "it['sample'] == '$sample'"
done
run transcode --start 0.5 --end 0:01.25 tone.wav part.wav
check "--start and --end cut" holds part.wav "tag 1 channels 1 rate 16000 bits 16 frames 12000"
run transcode --start 1 --end 0.5 tone.wav wrong.wav
check "an end before the start is a usage error" ended 2
run transcode --gain 6 tone.wav gain.wav
check "--gain makes louder" value gain.wav 'near(level["peak_db"], -6.04, 0.01)'
run transcode --normalise tone.wav peak.wav
check "--normalise brings the peak to -1 dBFS" value peak.wav 'near(level["peak_db"], -1.0, 0.01)'
check "the gain is said" printed "gain +11.04 dB"
run transcode --normalise=-6 tone.wav six.wav
check "or to what it says" value six.wav 'near(level["peak_db"], -6.0, 0.01)'
run transcode --normalise=-20LUFS stereo.wav lufs.wav
check "or the loudness to what it says" value lufs.wav 'near(loudness["integrated_lufs"], -20.0, 0.1)'
run transcode --normalise=0LUFS stereo.wav held.wav
check "peaks hold the loudness back" value held.wav 'near(loudness["true_peak_db"], -1.0, 0.1)'
check "that is said" printed "held back by peaks"
run transcode --normalise=loud tone.wav wrong.wav
check "a level that is none is a usage error" ended 2
run transcode --fade-in 0.5 --fade-out 0.5 tone.wav faded.wav
run transcode --end 0.01 faded.wav head.wav
check "a fade begins in silence" value head.wav 'level["peak_db"] < -45'
run transcode --start 0.9 --end 1.1 faded.wav middle.wav
check "and leaves the middle alone" value middle.wav 'near(level["peak_db"], -12.04, 0.01)'
"$KODAMA" record --fast -i silence --raw s16:16000 -d 0.5 -o quiet.wav > out.txt
"$KODAMA" record --fast quiet.wav tone.wav quiet.wav -o padded.wav > out.txt
run transcode --trim padded.wav trimmed.wav
check "--trim cuts the silence off both ends" value trimmed.wav '31990 <= it["frames"] <= 32000'
run transcode --trim=-1 padded.wav none.wav
check "nothing loud leaves nothing" holds none.wav "tag 1 channels 1 rate 16000 bits 16 frames 0"
run transcode --trim=soft padded.wav wrong.wav
check "a trim that is none is a usage error" ended 2
run transcode --json --channels 1 --rate 8000 stereo.wav small.wav
check "json tells what came out" grep -qxF \
    '{"in":"stereo.wav","out":"small.wav","type":"WAV","sample":"s16","rate":8000,"channels":1,"in_frames":96000,"duration":2.0,"bytes":32044,"gain_db":0.0}' \
    "$scratch/out"
sound make odd.wav 1 44100 2
run transcode odd.wav odd.opus
check "what Opus cannot hold is changed" value odd.opus 'it["rate"] == 48000 and near(it["duration"], 1.0, 0.001)'
run transcode --rate 44100 odd.wav asked.opus
check "but not what was asked for" ended 1

# --- pipes

run transcode --gain 0 tone.wav -
check "- is a WAV stream on standard output" sound same tone.wav "$scratch/out"
"$KODAMA" transcode tone.flac - | "$KODAMA" transcode - piped.wav > out.txt 2> "$scratch/err"
check "- is a WAV stream on standard input" sound same tone.wav piped.wav
tail -c +45 tone.wav | "$KODAMA" transcode --raw s16:16000 - raw.wav > out.txt 2> "$scratch/err"
check "raw sound is read as --raw says" sound same tone.wav raw.wav
sound make three.wav 0.00006 48000 1
run transcode --sample s24 three.wav -
check "a stream of an odd size is padded" [ $(($(wc -c < "$scratch/out") % 2)) -eq 0 ]

# --- what is there stays

cp tone.wav there.wav
run transcode stereo.wav there.wav
check "a file that is there is not replaced" ended 1
check "how to replace it is said" said "--overwrite"
check "it stays" cmp -s tone.wav there.wav
run transcode --overwrite stereo.wav there.wav
check "--overwrite replaces it" sound same stereo.wav there.wav
run transcode --overwrite --gain -6 there.wav there.wav
check "a file can be replaced by itself, changed" value there.wav 'near(level["peak_db"], -18.04, 0.01)'
echo "this is no sound" > notes.wav
run transcode notes.wav out.flac
check "a broken input fails" ended 1
head -c 20000 tone.flac > cut.flac
cp tone.wav kept.wav
run transcode --overwrite cut.flac kept.wav
check "an input that breaks off fails" ended 1
check "what was there stays then" cmp -s tone.wav kept.wav
run transcode tone.wav nowhere/out.wav
check "a folder that is not there fails" ended 1
code=0
(
    ulimit -f 1024 || exit 99
    exec "$KODAMA" transcode --overwrite --rate 192000 stereo.wav kept.wav
) > "$scratch/out" 2> "$scratch/err" || code=$?
if [ "$code" -ne 99 ]; then
    check "a disk that takes no more fails in words" [ "$code" -eq 1 -a -s "$scratch/err" ]
    check "what was there stays then, too" cmp -s tone.wav kept.wav
    check "no part of it is left" sh -c '! ls -a | grep -q "\.part$"'
else
    skip "a disk that takes no more" "there is no ulimit -f"
fi
run transcode tone.wav
check "OUT is needed" ended 2

"$KODAMA" record --fast -i noise -d 60 --raw s16:48000:2 -o long.wav > out.txt
run transcode --progress long.wav long.flac
check "--progress prints lines where there is no terminal" said "reading: 100 %, 1:00 of 1:00"
finish
