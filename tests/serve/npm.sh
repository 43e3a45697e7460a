#!/bin/sh
# The npm packages `ws` and `openai` drive the server unchanged. They are installed into the build folder, where npm and
# its registry are there.
. "$(dirname "$0")/../command/tap.sh"
from=$(cd "$(dirname "$0")/npm" && pwd)
to=$KODAMA_BUILD/npm

skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}
command -v node > /dev/null && command -v npm > /dev/null || skip_all "node or npm is not installed"
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 18 ] || skip_all "node is older than 18"
[ -e "$speech" ] || skip_all "pocketsphinx-testdata is not installed"

mkdir -p "$to"
if ! cmp -s "$from/package.json" "$to/installed.json"; then
    cp "$from/package.json" "$to/package.json"
    (cd "$to" && timeout 200 npm install --no-audit --no-fund --no-package-lock --ignore-scripts \
        --fetch-retries 1 --fetch-timeout 30000 > install.log 2>&1) || skip_all "npm cannot install ws and openai"
    cp "$from/package.json" "$to/installed.json"
fi
cp "$from"/*.mjs "$to/"

export KODAMA_SPEECH="$speech"
for name in ws openai; do
    (cd "$to" && timeout 250 node --test --test-reporter=tap "$name.test.mjs") > "$scratch/tap" 2> "$scratch/err"
    code=$?
    # One level of its TAP: a line for each test.
    grep -E '^(    )?(not )?ok [0-9]+ - ' "$scratch/tap" | sed 's/^ *//' | grep -v '\.mjs$' > "$scratch/lines"
    while read -r line; do
        sentence="$name: ${line#* - }"
        case $line in
        *'# SKIP'*) skip "${sentence%% # SKIP*}" "${sentence##* # SKIP }" ;;
        ok*) pass "$sentence" ;;
        *)
            grep -A12 -F -e "$line" "$scratch/tap" > "$scratch/out"
            fail "$sentence"
            ;;
        esac
    done < "$scratch/lines"
    check "$name: all of its tests were run" [ "$code" -eq 0 -a -s "$scratch/lines" ]
done
echo "1..$n_tests"
