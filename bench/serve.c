/*
 * How many clients a server can listen to on one processor, and what each costs it.
 *
 *     bench_serve [--long | --idle] [--sessions N --kind K [--seconds S]]
 *
 * N clients send 20 ms of audio every 20 ms; N grows until the 99th percentile of message lag (see
 * serve_load.h) is 50 ms or more, and the highest one below is reported with all its numbers. The
 * server has one processor, the load another. Servers: python3-websockets, that only receives and
 * acknowledges, as the measure; Kodama with a detector that never hears speech, with `builtin`, and
 * with PocketSphinx on speech (there finals must keep up, too: a warning `slow` is a failure). Then
 * what the server costs beside the bare engine, and how late finals are. Measures and prints;
 * asserts nothing. Short without --long: 2 s a run, and N to within 20 %. --idle: only the memory
 * of sessions that have heard a quiet room.
 */
#include "serve.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "help.h"
#include "usage.h"

static const double lag_limit_us = 50000.0;

enum {
    NOISE_SAMPLES = 16000,
    /* Fewer than are heard in time with any detector: inboxes that fill up would be measured. */
    IDLE_SESSIONS = 100,
    TRIALS_MAX = 40,
};

struct plan {
    bool longer;
    double warm_s, run_s;
    double step; /* how near the found N is to the highest */
    struct speech speech;
    int16_t noise[NOISE_SAMPLES];
};

/* ------------------------------------------------------------------- a trial */

struct watch {
    const struct server *server;
    struct trial *trial;
    uint64_t cpu_ns, network_ns, began_ns;
    double empty_mb;
    int n_clients;
};

static void on_mark(void *user, int what)
{
    struct watch *watch = user;
    struct trial *trial = watch->trial;
    if (what == LOAD_BEGINS) {
        watch->began_ns = clock_now_ns();
        watch->cpu_ns = server_cpu_ns(watch->server, "");
        watch->network_ns = server_cpu_ns(watch->server, "kodama-network");
        return;
    }
    if (what == LOAD_ENDS) {
        trial->cpu_ns = server_cpu_ns(watch->server, "") - watch->cpu_ns;
        trial->network_ns = server_cpu_ns(watch->server, "kodama-network") - watch->network_ns;
        /* A load that is late runs for longer than it should. */
        double run_ns = (double)(clock_now_ns() - watch->began_ns);
        trial->cpu = (double)trial->cpu_ns / run_ns;
        trial->network = (double)trial->network_ns / run_ns;
    }
    double mb = usage_pss_mb(&watch->server->pid, 1) - watch->empty_mb;
    double *kb = what == LOAD_ENDS ? &trial->busy_kb : &trial->idle_kb;
    *kb = mb * 1000.0 / watch->n_clients;
}

bool trial_run(struct trial *trial, enum server_kind kind, const struct load_config *config)
{
    struct server server;
    struct watch watch = {.server = &server, .trial = trial, .n_clients = config->n_clients};
    struct load_config watched = *config;
    *trial = (struct trial){0};
    if (!server_start(&server, kind, SERVER_PROCESSOR)) return false;
    watch.empty_mb = usage_pss_mb(&server.pid, 1);
    watched.port = server.port;
    watched.mark = on_mark;
    watched.user = &watch;
    trial->connected = load_run(&watched, &trial->load);
    server_stop(&server);
    return true;
}

/* ----------------------------------------------------------------- the search */

static struct load_config config_of(const struct plan *plan, enum server_kind kind, int n_clients)
{
    bool speaks = kind == SERVER_BUILTIN || kind == SERVER_SPHINX;
    struct load_config config = {
        .path = "/ws?rate=16000",
        .n_clients = n_clients,
        .warm_s = plan->warm_s,
        .run_s = plan->run_s,
        .samples = speaks ? plan->speech.samples : plan->noise,
        .n_samples = speaks ? plan->speech.n_samples : NOISE_SAMPLES,
    };
    if (kind == SERVER_SPHINX && config.run_s < 10.0) config.run_s = 10.0; /* some utterances */
    return config;
}

static bool is_good(const struct trial *trial)
{
    const struct load_result *load = &trial->load;
    return trial->connected && load->n_lost == 0 && load->n_slow == 0 && load->n_missing == 0 &&
           load->lag.p99_us < lag_limit_us;
}

static void print_trial(enum server_kind kind, int n, const struct trial *trial)
{
    const struct load_result *load = &trial->load;
    fprintf(stderr,
            "  %s, %d: %s; lag p50 %.1f p99 %.1f ms, CPU %.2f (network %.2f), late p99 %.1f ms",
            server_name(kind), n, is_good(trial) ? "good" : "too many", load->lag.p50_us / 1000,
            load->lag.p99_us / 1000, trial->cpu, trial->network, load->late.p99_us / 1000);
    fprintf(stderr, "; %d connected, %lu lost, %lu missing, %lu slow; %.1f KB\n", load->n_connected,
            (unsigned long)load->n_lost, (unsigned long)load->n_missing,
            (unsigned long)load->n_slow, trial->busy_kb);
}

static bool try(const struct plan *plan, enum server_kind kind, int n, struct trial *trial)
{
    struct load_config config = config_of(plan, kind, n);
    bool works = trial_run(trial, kind, &config);
    if (works) print_trial(kind, n, trial);
    return works && is_good(trial);
}

/* Double it until it is too much, then halve the interval. @return the highest good N, 0: none */
static int search(const struct plan *plan, enum server_kind kind, int first, struct trial *best)
{
    int good = 0, bad = 0, n = first;
    for (int i = 0; i < TRIALS_MAX && n > 0; i++) {
        struct trial trial;
        if (try(plan, kind, n, &trial)) {
            good = n;
            *best = trial;
        } else {
            if (trial.load.n_connected == 0 && trial.load.n_refused == 0) return good;
            bad = n;
        }
        if (bad && (good >= bad - 1 || bad < good * plan->step)) break;
        n = !bad ? good * 2 : good ? (good + bad) / 2 : bad / 2;
    }
    return good;
}

/* Memory of a session that has heard a quiet room. */
static void idle_memory(const struct plan *plan, enum server_kind kind, struct trial *trial)
{
    struct load_config config = config_of(plan, kind, kind == SERVER_SPHINX ? 4 : IDLE_SESSIONS);
    config.samples = plan->noise;
    config.n_samples = NOISE_SAMPLES;
    config.warm_s = 0.5;
    config.run_s = 1.0;
    config.quiet_s = 2.0;
    if (kind == SERVER_WEBSOCKETS) config.n_clients = 100; /* it can hear so many */
    struct trial idle;
    if (!trial_run(&idle, kind, &config)) return;
    trial->idle_kb = idle.idle_kb;
}

static void print_table(const int *n, const struct trial *trials)
{
    printf("%-22s %9s %8s %8s %8s %12s %9s %9s %9s\n", "", "sessions", "lag p50", "p99", "p99.9",
           "CPU/session", "KB busy", "KB idle", "load late");
    for (int kind = 0; kind < SERVER_KINDS; kind++) {
        const struct trial *trial = &trials[kind];
        if (n[kind] == 0) {
            printf("%-22s not measured\n", server_name((enum server_kind)kind));
            continue;
        }
        printf("%-22s %9d %5.1f ms %5.1f ms %5.1f ms %10.3f %% %9.1f %9.1f %6.1f ms\n",
               server_name((enum server_kind)kind), n[kind], trial->load.lag.p50_us / 1000,
               trial->load.lag.p99_us / 1000, trial->load.lag.p999_us / 1000,
               trial->cpu * 100 / n[kind], trial->busy_kb, trial->idle_kb,
               trial->load.late.p99_us / 1000);
    }
    if (n[SERVER_WEBSOCKETS] > 0) {
        printf("kodama without detection hears %.1f times as many as python3-websockets\n",
               (double)n[SERVER_NONE] / n[SERVER_WEBSOCKETS]);
    }
    fflush(stdout);
}

static void run_table(const struct plan *plan)
{
    static const int first[SERVER_KINDS] = {200, 2000, 500, 1};
    struct trial trials[SERVER_KINDS] = {0};
    int n[SERVER_KINDS] = {0};
    for (int kind = 0; kind < SERVER_KINDS; kind++) {
        if (kind >= SERVER_BUILTIN && !plan->speech.samples) continue;
        n[kind] = search(plan, (enum server_kind)kind, first[kind], &trials[kind]);
        if (n[kind] > 0) idle_memory(plan, (enum server_kind)kind, &trials[kind]);
    }
    print_table(n, trials);
}

static void print_idle(const struct plan *plan)
{
    for (int kind = SERVER_NONE; kind <= SERVER_BUILTIN; kind++) {
        struct trial trial = {0};
        idle_memory(plan, (enum server_kind)kind, &trial);
        printf("%-22s %7.1f KB idle\n", server_name((enum server_kind)kind), trial.idle_kb);
    }
}

/* --------------------------------------------------------------- the beginning */

static void make_plan(struct plan *plan, bool longer)
{
    uint64_t state = 3;
    *plan = (struct plan){.longer = longer,
                          .warm_s = longer ? 2.0 : 0.5,
                          .run_s = longer ? 10.0 : 2.0,
                          .step = longer ? 1.05 : 1.2};
    for (int i = 0; i < NOISE_SAMPLES; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        plan->noise[i] = (int16_t)((state >> 33) % 200) - 100;
    }
    if (!speech_load(&plan->speech)) fprintf(stderr, "pocketsphinx-testdata is not installed\n");
}

static void allow_many_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static long number(int argc, char **argv, const char *name, long otherwise)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0) return strtol(argv[i + 1], NULL, 10);
    }
    return otherwise;
}

static const char page[] =
    "usage: bench_serve [--long | --idle] [--sessions N --kind K [--seconds S]]\n"
    "\n"
    "How many clients a server can listen to on one processor, beside python3-websockets, and\n"
    "what each costs it. Measures and prints; asserts nothing.\n"
    "\n"
    "  --long             the documented run, 20 to 30 minutes, instead of 2 s a run\n"
    "  --idle             only the memory of sessions that have heard a quiet room\n"
    "  --sessions N       one run with so many clients ...\n"
    "  --kind K           ... of 0 python3-websockets, 1 Kodama with a detector that never\n"
    "                     hears speech, 2 with builtin, 3 with PocketSphinx\n"
    "  --seconds S        ... for so long\n";

int main(int argc, char **argv)
{
    int code = bench_answer(argc, argv, "--long --idle --sessions --kind --seconds", page);
    if (code >= 0) return code;
    static struct plan plan;
    bool longer = argc > 1 && strcmp(argv[1], "--long") == 0;
    long n = number(argc, argv, "--sessions", 0);
    long kind = number(argc, argv, "--kind", SERVER_NONE);
    allow_many_files();
    server_pin(LOAD_PROCESSOR);
    make_plan(&plan, longer);
    plan.run_s = (double)number(argc, argv, "--seconds", (long)plan.run_s);
    if (argc > 1 && strcmp(argv[1], "--idle") == 0) {
        print_idle(&plan);
    } else if (n > 0 && kind >= 0 && kind < SERVER_KINDS) {
        struct trial trial;
        (void)try(&plan, (enum server_kind)kind, (int)n, &trial);
    } else {
        run_table(&plan);
        if (plan.speech.samples) costs_print(&plan.speech, longer);
    }
    free(plan.speech.samples);
    return 0;
}
