#!/bin/sh
# Presets of one's own: kodama voice --save-preset, --list-presets, --show-preset, --remove-preset.
. "$(dirname "$0")/tap.sh"
export XDG_CONFIG_HOME="$scratch/config"
file="$XDG_CONFIG_HOME/kodama/voices.json"

# value EXPRESSION: whether it holds of the JSON that was printed, as `it`
value() {
    "$PYTHON" -c '
import json, sys
it = json.load(open(sys.argv[1]))
sys.exit(not eval(f"({sys.argv[2]})"))' "$scratch/out" "$1"
}

run voice --list-presets --json
check "the built-in ones are there from the beginning" value \
    '[one["name"] for one in it["presets"]] == "deeper brighter child giant robot whisper radio helium".split()'
check "and none is one's own" value 'not any(one["own"] for one in it["presets"])'
check "listing writes nothing" [ ! -e "$XDG_CONFIG_HOME" ]
run voice --pitch 3 --formant=-1.5 --gain 2 --noise rain --noise-level 0.1 --no-fluctuation --save-preset her
check "one is saved" ended 0
run voice --preset her --pitch 1 --save-preset him
check "another one on top of it" ended 0
run voice --show-preset him
check "one is shown" ended 0
check "with its pitch" printed "  pitch    +4 semitones"
check "with its place" printed "  noise    rain, level 0.1"
check "without drift" printed "  drift    off"
run voice --show-preset her --json
check "all of it as JSON" value 'it == {"name": "her", "own": True, "pitch": 3, "formant": -1.5, "effect": "none",
    "gain": 2, "noise": "rain", "noise_level": 0.1, "fluctuation": False}'
run voice --show-preset robot
check "a built-in one says that it is" printed "robot, built in"
run voice --show-preset nobody
check "one that is not there is a usage error" ended 2
check "with the names of those that are" said "helium, her, him"
cp "$file" "$scratch/before"
run voice --remove-preset her --remove-preset nobody
check "when one of several is not there" ended 2
check "none is removed" cmp "$file" "$scratch/before"
run voice --remove-preset robot
check "a built-in one cannot be removed" ended 2
check "and that is said" said '"robot" is built in'
run voice --remove-preset her
check "one is removed" ended 0
run voice --remove-preset her
check "and cannot be removed again" ended 2
run voice --list-presets
check "the other one stays" printed "him "
check "the one is gone" sh -c '! grep -q "^her" "$1"' - "$scratch/out"
run voice --list-presets --remove-preset him
check "two wishes at once are a usage error" ended 2
run voice --remove-preset him --save-preset him
check "saving and removing, too" ended 2
run voice --save-preset her
run voice --remove-preset him --remove-preset her
check "several are removed at once" ended 0
run voice --list-presets --json
check "nothing of one's own is left" value 'not any(one["own"] for one in it["presets"])'
echo '{"her": {"pitch": 3}' > "$file"
run voice --remove-preset her
check "a file that is damaged fails" ended 1
check "and its line is said" said "line "
check "and it stays as it was" grep -q '"pitch": 3' "$file"
rm -r "$XDG_CONFIG_HOME"
echo > "$XDG_CONFIG_HOME"
run voice --save-preset her
check "where nothing can be saved it fails" ended 1
check "and says where" said "kodama/voices.json"
finish
