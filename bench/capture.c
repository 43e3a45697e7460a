/*
 * Capture of single applications: Kodama beside pw-record and parec, on the same private, headless
 * daemon at the same quantum, of the same applications. Measures and prints; asserts nothing.
 *
 *     bench_capture [--seconds S] [--quantum N] [--server pipewire|pulse] [COUNT ...]
 *
 * COUNT applications (1 2 10 50 by default) play, each a process with a stream of its own. Every
 * way of capturing all of them then runs for S seconds (5 by default), one after the other:
 *   kodama     one process, one stream with one callback a source
 *   pw-record  one process a source, raw to a pipe
 *   parec      one process a source, raw to a pipe
 * CPU is that of the capturing processes alone, all threads, after two seconds of settling; the
 * daemons' own is beside it. Latency is from the application writing a frame to the callback, or to
 * the reader of the pipe, having it. Missing frames are those that the application played and that
 * never came; reported are those that the tool said so of.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"
#include "help.h"

enum { DAEMONS_MAX = 8, COUNTS_MAX = 16, START_US = 1500000 };

static const struct contender contenders[] = {
    {"kodama", NULL, true, true, contender_kodama},
    {"pw-record", "pw-record", true, false, contender_pw_record},
    {"parec", "parec", true, true, contender_parec},
};

struct options {
    const char *self, *server;
    double seconds;
    unsigned quantum;
    int counts[COUNTS_MAX], n_counts;
};

static int find_daemons(pid_t *pids)
{
    const char *text = getenv("AUDIO_HOST_PIDS");
    int n = 0;
    for (; text && n < DAEMONS_MAX; text = strchr(text, ' ') ? strchr(text, ' ') + 1 : NULL) {
        const char *sign = strchr(text, '=');
        if (!sign) break;
        pids[n++] = (pid_t)strtol(sign + 1, NULL, 10);
    }
    return n;
}

static bool on_path(const char *program)
{
    char command[100];
    snprintf(command, sizeof command, "command -v %s >/dev/null", program);
    return system(command) == 0;
}

struct run {
    const struct contender *contender;
    const struct task *task;
};

static void run(const void *argument, void *result)
{
    const struct run *run = argument;
    run->contender->run(run->task, result);
}

static void print(const struct contender *contender, int n, const struct result *result)
{
    if (!result->done) {
        printf("%7d  %-10s %s\n", n, contender->name, result->failure);
        return;
    }
    printf("%7d  %-10s %7.2f %8.2f %8.1f %8.2f %8.2f %8.2f %10llu %8llu %9llu %8llu\n", n,
           contender->name, result->cpu / n * 100.0, result->daemon_cpu / n * 100.0, result->pss_mb,
           result->latency.p50_us * 1e-3, result->latency.p99_us * 1e-3,
           result->latency.max_us * 1e-3, (unsigned long long)result->frames,
           (unsigned long long)result->missing, (unsigned long long)result->reported,
           (unsigned long long)result->foreign);
}

static void compare(const struct options *options, int n)
{
    pid_t players[PLAYERS_MAX], daemons[DAEMONS_MAX];
    for (int i = 0; i < n; i++) {
        char name[64];
        players[i] = fork();
        if (players[i] == 0) player_run(options->server, player_name(name, sizeof name, i));
    }
    usleep(START_US);
    struct task task = {.server = options->server,
                        .n_sources = n,
                        .players = players,
                        .seconds = options->seconds,
                        .quantum = options->quantum,
                        .daemons = daemons,
                        .n_daemons = find_daemons(daemons)};
    bool on_pulse = strcmp(options->server, "pulse") == 0;
    for (size_t i = 0; i < sizeof contenders / sizeof contenders[0]; i++) {
        const struct contender *contender = &contenders[i];
        if (!(on_pulse ? contender->on_pulse : contender->on_pipewire)) continue;
        if (contender->program && !on_path(contender->program)) {
            printf("%7d  %-10s skipped: not installed\n", n, contender->name);
            continue;
        }
        struct result result = {0};
        if (!usage_run(run, &(struct run){contender, &task}, &result, sizeof result)) {
            result = (struct result){.failure = "it ended without a result"};
        }
        print(contender, n, &result);
        fflush(stdout);
    }
    for (int i = 0; i < n; i++) {
        if (players[i] <= 0) continue;
        kill(players[i], SIGKILL);
        waitpid(players[i], NULL, 0);
    }
}

/* With the daemon there. */
static int inside(const struct options *options)
{
    printf("%s, quantum %u, %g s each\n", options->server, options->quantum, options->seconds);
    printf("%7s  %-10s %7s %8s %8s %8s %8s %8s %10s %8s %9s %8s\n", "sources", "", "CPU %",
           "daemon %", "PSS MB", "p50 ms", "p99 ms", "max ms", "frames", "missing", "reported",
           "foreign");
    fflush(stdout);
    for (int i = 0; i < options->n_counts; i++) compare(options, options->counts[i]);
    return 0;
}

/* Start the daemon, and this program again inside it. */
static int outside(const struct options *options, const char *server)
{
    const char *root = getenv("KODAMA_ROOT");
    char host[1000], quantum[16], seconds[32], counts[COUNTS_MAX][16];
    const char *arguments[24 + COUNTS_MAX];
    int n = 0;
    snprintf(host, sizeof host, "%s/tests/support/audio-host", root ? root : ".");
    snprintf(quantum, sizeof quantum, "%u", options->quantum);
    snprintf(seconds, sizeof seconds, "%g", options->seconds);
    arguments[n++] = host;
    arguments[n++] = strcmp(server, "pulse") == 0 ? "--pulse" : "--pipewire";
    arguments[n++] = "--quantum";
    arguments[n++] = quantum;
    arguments[n++] = "--";
    arguments[n++] = options->self;
    arguments[n++] = "--inside";
    arguments[n++] = "--server";
    arguments[n++] = server;
    arguments[n++] = "--quantum";
    arguments[n++] = quantum;
    arguments[n++] = "--seconds";
    arguments[n++] = seconds;
    for (int i = 0; i < options->n_counts; i++) {
        snprintf(counts[i], sizeof counts[i], "%d", options->counts[i]);
        arguments[n++] = counts[i];
    }
    arguments[n] = NULL;
    pid_t child = fork();
    if (child == 0) {
        execv(host, (char *const *)arguments);
        fprintf(stderr, "bench_capture: cannot run %s: %s; set KODAMA_ROOT\n", host,
                strerror(errno));
        _exit(127);
    }
    int status = 0;
    if (child > 0) waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 69) {
        printf("%s: skipped: not installed\n", server);
        return 0;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static const char page[] =
    "usage: bench_capture [--seconds S] [--quantum N] [--server pipewire|pulse] [COUNT 1..64 ...]\n"
    "\n"
    "Captures applications one by one, beside pw-record and parec, on a private headless\n"
    "sound server: processor time, memory, delay from the application's write, frames that\n"
    "are missing and whether that was said. Measures and prints; asserts nothing.\n"
    "\n"
    "  COUNT              so many applications play; 1 2 10 50 when not given\n"
    "  --seconds S        each way of capturing runs for so long; 5 when not given\n"
    "  --quantum N        the server's period in frames; 1024 when not given\n"
    "  --server WHICH     pipewire or pulse; both when not given\n";

int main(int n_arguments, char **arguments)
{
    int code = bench_answer(n_arguments, arguments, "--inside --seconds --quantum --server", page);
    if (code >= 0) return code;
    struct options options = {.self = "/proc/self/exe", .seconds = 5.0, .quantum = 1024};
    char self[1000];
    ssize_t n_self = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n_self > 0) {
        self[n_self] = 0;
        options.self = self;
    }
    bool is_inside = false;
    for (int i = 1; i < n_arguments; i++) {
        const char *name = arguments[i], *value = i + 1 < n_arguments ? arguments[i + 1] : "";
        int count = (int)strtol(name, NULL, 10);
        if (strcmp(name, "--inside") == 0) {
            is_inside = true;
        } else if (strcmp(name, "--seconds") == 0) {
            options.seconds = strtod(value, NULL);
            i++;
        } else if (strcmp(name, "--quantum") == 0) {
            options.quantum = (unsigned)strtoul(value, NULL, 10);
            i++;
        } else if (strcmp(name, "--server") == 0) {
            options.server = value;
            i++;
        } else if (count >= 1 && count <= PLAYERS_MAX && options.n_counts < COUNTS_MAX) {
            options.counts[options.n_counts++] = count;
        } else {
            return bench_usage(page);
        }
    }
    static const int counts[] = {1, 2, 10, 50};
    if (options.n_counts == 0) {
        memcpy(options.counts, counts, sizeof counts);
        options.n_counts = sizeof counts / sizeof counts[0];
    }
    if (is_inside) return inside(&options);
    int status = 0;
    if (!options.server || options.server[1] == 'i') status = outside(&options, "pipewire");
    if (!options.server || options.server[1] == 'u') status |= outside(&options, "pulse");
    return status;
}
