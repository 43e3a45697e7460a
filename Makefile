# A thin face over Meson. `make help` lists what there is; packages are listed in tools/packages.

BUILD  ?= build
PREFIX ?= /usr/local
SPEECH := /usr/share/pocketsphinx/test/data/librivox
INPUT  ?= $(sort $(wildcard $(SPEECH)/*.wav))
PORT   ?= 8000
ARGS   ?=

.PHONY: help run build test bench listen-examples soak fuzz lint format asan tsan valgrind windows coverage install \
	uninstall clean

help:
	@echo 'make run [INPUT=FILE|-] [ARGS=...]   install what is missing, build, start the server, caption live'
	@echo 'make run APP=NAME | MIC=1|NAME       the same for an application or a microphone'
	@echo 'make run PORT=N                      another port than 8000; Ctrl-C ends the server'
	@echo 'make test                            the same for the tests, run them all and count them'
	@echo 'make bench | soak                    measure | run the long tests'
	@echo 'make listen-examples [VOICE=FILE]    voices before and after, as sound and as pictures'
	@echo 'make asan | tsan | valgrind          the tests under a checker'
	@echo 'make fuzz [FUZZ_SECONDS=60]          feed what comes from outside with noise'
	@echo 'make lint | format | coverage        read the code'
	@echo 'make install | uninstall [PREFIX=/usr/local] [DESTDIR=]'

# $(call configure,FOLDER,OPTIONS): meson setup once; a changed meson.build is noticed by ninja itself.
configure = @test -f $(1)/build.ninja || meson setup $(1) $(2) >$(1).log 2>&1 || { cat $(1).log; exit 1; }
# Silent when there is nothing to do, which ninja is not.
compile = @ninja -C $(1) -n | grep -q 'no work to do' || ninja -C $(1)

run:
	@tools/install-packages build run
	$(call configure,$(BUILD)-run,--buildtype=release -Dtests=false -Dbench=disabled)
	$(call compile,$(BUILD)-run)
	@files='$(if $(APP)$(MIC),,$(INPUT))'; \
	[ -n "$${files}$(if $(APP)$(MIC),live)" ] || files="$$(ls $(SPEECH)/*.wav)"; \
	exec tools/run-server $(BUILD)-run/src/command/kodama $(PORT) $(ARGS) $(if $(APP),--app '$(APP)') \
	    $(if $(MIC),--mic$(if $(filter-out 1,$(MIC)),='$(MIC)')) $$files

build:
	@tools/install-packages build test
	$(call configure,$(BUILD),)
	$(call compile,$(BUILD))

test: build windows
	@tools/run-tests $(BUILD)

# src/base and src/ring must build for Windows; running there comes later.
windows:
	@tools/install-packages test
	$(call configure,$(BUILD)-mingw,--cross-file tools/cross-mingw64.ini)
	$(call compile,$(BUILD)-mingw)

bench:
	@tools/install-packages build test bench
	$(call configure,$(BUILD)-bench,--buildtype=release -Dtests=false -Dbench=enabled)
	$(call compile,$(BUILD)-bench)
	@tools/run-bench $(BUILD)-bench

# What the voice changer does, to listen to and to look at; VOICE=FILE for another speaker.
listen-examples:
	@tools/install-packages build run bench
	$(call configure,$(BUILD)-bench,--buildtype=release -Dtests=false -Dbench=enabled)
	$(call compile,$(BUILD)-bench)
	@tools/listen-examples $(BUILD)-bench $(BUILD)-bench/listen $(VOICE)

soak: build
	@tools/run-tests $(BUILD) --setup soak --suite soak --verbose

# All of the engine watched by libFuzzer, each harness for FUZZ_SECONDS.
FUZZ_SECONDS ?= 60
fuzz:
	@tools/install-packages build test lint
	$(call configure,$(BUILD)-fuzz,--native-file tools/native-fuzz.ini -Dfuzz=enabled -Dbench=disabled)
	@ninja -C $(BUILD)-fuzz harnesses
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tools/run-fuzz $(BUILD)-fuzz

asan:
	@tools/install-packages build test
	$(call configure,$(BUILD)-asan,-Db_sanitize=address$(comma)undefined -Db_lundef=false)
	$(call compile,$(BUILD)-asan)
	@tools/run-tests $(BUILD)-asan --timeout-multiplier 4

tsan:
	@tools/install-packages build test
	$(call configure,$(BUILD)-tsan,-Db_sanitize=thread -Db_lundef=false)
	$(call compile,$(BUILD)-tsan)
	@tools/run-tests $(BUILD)-tsan --timeout-multiplier 8

valgrind: build
	@tools/run-tests $(BUILD) --setup valgrind --suite base --suite ring --suite audio --suite stream --suite fuzz

comma := ,

lint:
	@tools/install-packages build test lint
	$(call configure,$(BUILD),)
	@tools/lint $(BUILD)

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

coverage:
	@tools/install-packages build test lint
	$(call configure,$(BUILD)-coverage,-Db_coverage=true --buildtype=debug)
	$(call compile,$(BUILD)-coverage)
	@tools/run-tests $(BUILD)-coverage
	@gcovr --root . --filter src/ --object-directory $(BUILD)-coverage --print-summary \
		--txt $(BUILD)-coverage/coverage.txt --html-details $(BUILD)-coverage/coverage.html
	@echo 'the pages are in $(BUILD)-coverage/coverage.html'

# Not Meson's own guess of the library folder: lib64 on Debian without dpkg-dev, where nothing looks.
install:
	@tools/install-packages build
	$(call configure,$(BUILD)-install,--buildtype=release -Dtests=false -Dbench=disabled)
	@meson configure $(BUILD)-install --prefix=$(PREFIX) --libdir=lib
	$(call compile,$(BUILD)-install)
	@meson install -C $(BUILD)-install --no-rebuild --quiet
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

uninstall:
	@test -f $(BUILD)-install/meson-logs/install-log.txt || { echo 'nothing was installed from here'; exit 1; }
	@grep -v '^#' $(BUILD)-install/meson-logs/install-log.txt | while read -r file; do \
		rm -f "$$file"; rmdir --ignore-fail-on-non-empty "$$(dirname "$$file")" 2>/dev/null || true; done
	@echo 'removed what was installed'

clean:
	rm -rf $(BUILD) $(BUILD)-*
