/* Starts private sound daemons and programs beside a test. */
#define _GNU_SOURCE /* environ, pipe2 */
#include "support/daemon.h"

#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 1000, PROGRAMS_MAX = 64, NOT_INSTALLED = 69, NOT_FOUND = 127 };

static struct {
    struct daemon_options options;
    char mic[64];
    pid_t pid; /* of audio-host; 0: none */
    bool up;
    int orders;    /* its standard input */
    FILE *answers; /* its standard output */
} host;

static pid_t programs[PROGRAMS_MAX];
static bool ends_with_us;

static void end_all(void)
{
    for (size_t i = 0; i < PROGRAMS_MAX; i++) {
        if (programs[i] > 0) program_end(programs[i]);
    }
    daemon_end();
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void skip_because(const char *what)
{
    printf("# skipped: %s\n", what);
    fflush(stdout);
    skip();
}

/* Spawn on PATH in a process group of its own, dying with this process; descriptors below 0: none.
 * The process has pid `*pid`; 0 or an errno value. */
static int spawn(pid_t *pid, const char *const arguments[], int input, int output)
{
    const char *all[40] = {"setpriv", "--pdeathsig", "KILL", "--"};
    size_t n = 4;
    for (size_t i = 0; arguments[i]; i++) {
        assert_true(n + 1 < sizeof all / sizeof all[0]);
        all[n++] = arguments[i];
    }
    if (!ends_with_us) atexit(end_all);
    ends_with_us = true;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &none);
    if (input >= 0) {
        posix_spawn_file_actions_adddup2(&actions, input, 0);
    } else {
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    }
    if (output >= 0) {
        posix_spawn_file_actions_adddup2(&actions, output, 1);
    } else {
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    }
    /* Arguments are not written to; the prototype is older than const. */
    int status =
        posix_spawnp(pid, all[0], &actions, &attributes, (char *const *)(uintptr_t)all, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return status;
}

/* ------------------------------------------------------------------ the daemon */

/* One line of what audio-host says, without its end; false at the end of all. */
static bool answer(char line[LINE_BYTES])
{
    if (!fgets(line, LINE_BYTES, host.answers)) return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

/* Forget whatever the environment says about sound. */
static void clean_environment(void)
{
    static const char *const prefixes[] = {"PULSE_", "PIPEWIRE_", "ALSA_CONFIG_", "AUDIO_HOST"};
    for (size_t i = 0; environ && environ[i];) {
        bool gone = false;
        for (size_t k = 0; k < sizeof prefixes / sizeof prefixes[0] && !gone; k++) {
            if (strncmp(environ[i], prefixes[k], strlen(prefixes[k])) != 0) continue;
            char name[200];
            snprintf(name, sizeof name, "%.*s", (int)strcspn(environ[i], "="), environ[i]);
            gone = unsetenv(name) == 0;
        }
        if (!gone) i++;
    }
}

/* Read NAME=VALUE lines into the environment until `last`; false when it ends before. */
static bool take_environment(const char *last)
{
    char line[LINE_BYTES];
    while (answer(line)) {
        if (strcmp(line, last) == 0) return true;
        char *value = strchr(line, '=');
        if (!value) fail_msg("audio-host says: %s", line);
        *value++ = '\0';
        assert_int_equal(setenv(line, value, 1), 0);
    }
    return false;
}

void daemon_end(void)
{
    if (host.pid <= 0) return;
    close(host.orders); /* the end of its input is the order to end */
    char line[LINE_BYTES];
    while (answer(line)) {
    }
    fclose(host.answers);
    waitpid(host.pid, NULL, 0);
    host.pid = 0;
}

static void begin(const struct daemon_options *options)
{
    int orders[2], answers[2];
    assert_int_equal(pipe2(orders, O_CLOEXEC), 0);
    assert_int_equal(pipe2(answers, O_CLOEXEC), 0);
    char quantum[16];
    snprintf(quantum, sizeof quantum, "%u", options->quantum);
    const char *arguments[12] = {test_path("tests/support/audio-host"), "--serve"};
    size_t n = 2;
    arguments[n++] = options->kind == DAEMON_PULSE ? "--pulse" : "--pipewire";
    if (options->quantum) {
        arguments[n++] = "--quantum";
        arguments[n++] = quantum;
    }
    if (options->mic) {
        arguments[n++] = "--mic";
        arguments[n++] = options->mic;
    }
    int status = spawn(&host.pid, arguments, orders[0], answers[1]);
    close(orders[0]);
    close(answers[1]);
    host.orders = orders[1];
    host.answers = fdopen(answers[0], "r");
    assert_non_null(host.answers);
    const char *what = options->kind == DAEMON_PULSE ? "no PulseAudio" : "no PipeWire";
    if (status != 0) { /* no setpriv */
        host.pid = 0;
        close(host.orders);
        fclose(host.answers);
        skip_because(what);
    }
    clean_environment();
    if (take_environment("ready")) {
        host.options = *options;
        if (options->mic) {
            snprintf(host.mic, sizeof host.mic, "%s", options->mic);
            host.options.mic = host.mic;
        }
        host.up = true;
        return;
    }
    close(host.orders);
    fclose(host.answers);
    waitpid(host.pid, &status, 0);
    host.pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_INSTALLED) skip_because(what);
    fail_msg("audio-host ended with status %x", (unsigned)status);
}

static bool same(const struct daemon_options *options)
{
    if (host.options.kind != options->kind || host.options.quantum != options->quantum)
        return false;
    if (!host.options.mic || !options->mic) return host.options.mic == options->mic;
    return strcmp(host.options.mic, options->mic) == 0;
}

void daemon_use(const struct daemon_options *options)
{
    if (host.pid > 0 && !same(options)) daemon_end();
    if (host.pid > 0 && !host.up) daemon_start();
    if (host.pid <= 0) begin(options);
}

void daemon_use_kind(enum daemon_kind kind)
{
    daemon_use(&(struct daemon_options){.kind = kind});
}

static void order(const char *word)
{
    assert_true(host.pid > 0);
    assert_true(dprintf(host.orders, "%s\n", word) > 0);
    if (!take_environment("ok")) {
        daemon_end(); /* the next test starts another one */
        fail_msg("audio-host ended at the order to %s", word);
    }
    host.up = strcmp(word, "start") == 0;
}

void daemon_kill(void)
{
    order("kill");
}

void daemon_stop(void)
{
    order("stop");
}

void daemon_start(void)
{
    order("start");
}

const char *daemon_sink(void)
{
    return getenv("AUDIO_HOST_SINK");
}

/* ---------------------------------------------------------------- the programs */

static bool installed(const char *name)
{
    char folders[4096], path[4200];
    if (strchr(name, '/')) return access(name, X_OK) == 0;
    const char *set = getenv("PATH");
    snprintf(folders, sizeof folders, "%s", set ? set : "/usr/bin:/bin");
    for (char *rest = NULL, *folder = strtok_r(folders, ":", &rest); folder;
         folder = strtok_r(NULL, ":", &rest)) {
        snprintf(path, sizeof path, "%s/%s", folder, name);
        if (access(path, X_OK) == 0) return true;
    }
    return false;
}

static pid_t start(const char *const arguments[], int output)
{
    if (!installed(arguments[0])) {
        char what[300];
        snprintf(what, sizeof what, "not installed: %s", arguments[0]);
        skip_because(what);
    }
    size_t i = 0;
    while (i < PROGRAMS_MAX && programs[i] > 0) i++;
    assert_true(i < PROGRAMS_MAX);
    pid_t pid = 0;
    int status = spawn(&pid, arguments, -1, output);
    if (status != 0) fail_msg("cannot start %s: %s", arguments[0], strerror(status));
    programs[i] = pid;
    return pid;
}

pid_t program_start(const char *const arguments[])
{
    return start(arguments, -1);
}

pid_t program_start_shell(const char *script)
{
    return program_start((const char *[]){"sh", "-c", script, NULL});
}

void program_signal(pid_t program, int signal_number)
{
    assert_true(program > 0);
    kill(-program, signal_number);
}

int program_wait(pid_t program, double timeout_s)
{
    double deadline = now_s() + timeout_s;
    for (;;) {
        int status = 0;
        pid_t got = waitpid(program, &status, WNOHANG);
        if (got == program) {
            for (size_t i = 0; i < PROGRAMS_MAX; i++) {
                if (programs[i] == program) programs[i] = 0;
            }
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        if (got < 0 || now_s() > deadline) return -1;
        pause_ms(5);
    }
}

void program_end(pid_t program)
{
    if (program <= 0) return;
    kill(-program, SIGKILL);
    program_wait(program, 10);
}

int program_run(const char *const arguments[], char *line, size_t n_bytes)
{
    int output[2];
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    pid_t pid = start(arguments, output[1]);
    close(output[1]);
    size_t n = 0;
    double deadline = now_s() + 20;
    for (;;) { /* to its end, so that the program is never stopped by a full pipe */
        char bytes[512];
        struct pollfd entry = {.fd = output[0], .events = POLLIN};
        if (poll(&entry, 1, 100) > 0) {
            ssize_t got = read(output[0], bytes, sizeof bytes);
            if (got <= 0) break;
            for (ssize_t i = 0; i < got && line && n + 1 < n_bytes; i++) line[n++] = bytes[i];
        }
        if (now_s() > deadline) {
            close(output[0]);
            program_end(pid);
            fail_msg("%s did not end", arguments[0]);
        }
    }
    close(output[0]);
    if (line && n_bytes > 0) {
        line[n] = '\0';
        line[strcspn(line, "\n")] = '\0';
    }
    int status = program_wait(pid, 20);
    if (status == NOT_FOUND) fail_msg("%s was not found", arguments[0]);
    return status;
}
