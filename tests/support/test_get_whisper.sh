#!/bin/sh
# tools/get-whisper: what it says when something is missing, and all of its steps but the download and the real
# source: a project with the outline of whisper.cpp stands in for that. That the real one builds is not shown here.
tool=$KODAMA_ROOT/tools/get-whisper
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
n=0
check() { # check SENTENCE COMMAND...
    n=$((n + 1))
    sentence=$1
    shift
    if "$@"; then echo "ok $n - $sentence"; else
        echo "not ok $n - $sentence"
        head -n 30 "$scratch/out" "$scratch/err" | sed 's/^/# /'
    fi
}
run() {
    code=0
    HOME=$scratch/home "$tool" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || code=$?
}
said() { grep -qF -e "$1" "$scratch/err"; }
printed() { grep -qF -e "$1" "$scratch/out"; }

run --help
check "its help names every option" eval 'printed --prefix && printed --source && printed --tag && printed --jobs'
run --frobnicate
check "an unknown option is a mistake" [ $code = 2 ]
run --prefix
check "so is an option without its value" [ $code = 2 ]
run --jobs many
check "so is a number that is none" [ $code = 2 ]
mkdir "$scratch/empty"
if command -v cmake >/dev/null; then
    run --source "$scratch/not-there"
    check "a folder that is not there is told" said "there is no folder"
    run --source "$scratch/empty"
    check "so is one that is not the source" said "is not the source of whisper.cpp"
else
    n=$((n + 1)); echo "ok $n - a folder that is not there is told # SKIP no cmake"
fi
PATH=$scratch/empty:/nowhere
export PATH
code=0
/bin/sh "$tool" --prefix "$scratch/p" >"$scratch/out" 2>"$scratch/err" || code=$?
PATH=/usr/local/bin:/usr/bin:/bin
check "what is needed and missing is named" said "cmake gcc g++ pkg-config"

if ! command -v cmake >/dev/null || ! command -v c++ >/dev/null || ! command -v pkg-config >/dev/null; then
    n=$((n + 1)); echo "ok $n - a stand-in is built and installed # SKIP no cmake, c++ or pkg-config"
    echo "1..$n"
    exit 0
fi
mkdir -p "$scratch/stand-in/include" "$scratch/stand-in/ggml"
cd "$scratch/stand-in" || exit 1
echo 'int whisper_lang_max_id(void);' >include/whisper.h
echo 'int ggml_one(void) { return 1; }' >ggml/ggml.c
echo 'int ggml_one(void); int whisper_lang_max_id(void) { return 98 * ggml_one(); }' >whisper.c
echo 'add_library(ggml ggml.c)
install(TARGETS ggml LIBRARY)' >ggml/CMakeLists.txt
cat >whisper.pc.in <<'PC'
prefix=@CMAKE_INSTALL_PREFIX@
Name: whisper
Description: a stand-in
Version: 9.8.7
Libs: -L${prefix}/lib -lwhisper
Cflags: -I${prefix}/include
PC
cat >CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.10)
project(whisper C)
include(GNUInstallDirs)
add_subdirectory(ggml)
add_library(whisper whisper.c)
target_link_libraries(whisper ggml)
configure_file(whisper.pc.in whisper.pc @ONLY)
install(TARGETS whisper LIBRARY)
install(FILES include/whisper.h DESTINATION include)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/whisper.pc DESTINATION lib/pkgconfig)
CMAKE
run --source "$scratch/stand-in" --prefix "$scratch/a prefix" --jobs 1
check "a prefix with a space works or is told" [ $code = 0 -o -s "$scratch/err" ]
run --source "$scratch/stand-in" --prefix="$scratch/prefix" --jobs=1
check "a stand-in is built and installed" [ $code = 0 ]
check "pkg-config sees it" \
    [ "$(PKG_CONFIG_PATH=$scratch/prefix/lib/pkgconfig pkg-config --modversion whisper)" = 9.8.7 ]
check "a program with it was run" printed "(99 languages)"
check "it is said how to go on" printed "PKG_CONFIG_PATH=$scratch/prefix/lib/pkgconfig meson setup --reconfigure build"
echo 'this is no C' >whisper.c
run --source "$scratch/stand-in" --prefix "$scratch/other"
check "a source that does not compile fails" [ $code = 1 ]
check "with the compiler's words" said "whisper.c"
check "and nothing is installed" [ -z "$(find "$scratch/other" -type f)" ]
echo "1..$n"
