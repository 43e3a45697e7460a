#define _GNU_SOURCE
/* The servers that bench_serve loads, each a process of its own on one processor. */
#include "serve_server.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kodama/kodama.h>

#include "base/error.h"
#include "speech/model.h"

enum { START_LIMIT_MS = 60000 };

/* ------------------------------------------------- an engine that costs nothing */

static int deaf_model_open(void **model, const struct kodama_model_config *config, char *name,
                           size_t n_name_bytes, struct kodama_error *error)
{
    static char any;
    (void)config;
    (void)error;
    *model = &any;
    snprintf(name, n_name_bytes, "none");
    return KODAMA_OK;
}

static void deaf_close(void *what)
{
    (void)what;
}

static int deaf_decoder_open(void **decoder, void *model, struct kodama_error *error)
{
    (void)error;
    *decoder = model;
    return KODAMA_OK;
}

static int deaf_decode(void *decoder, const float *samples, size_t n_samples,
                       struct engine_context *context, const _Atomic bool *cancel,
                       struct engine_result *result, struct kodama_error *error)
{
    (void)decoder;
    (void)samples;
    (void)n_samples;
    (void)context;
    (void)cancel;
    (void)error;
    return engine_result_join(result) ? KODAMA_OK : KODAMA_ERR_MEMORY;
}

static int deaf_begin(void *decoder, const struct engine_context *context)
{
    (void)decoder;
    (void)context;
    return KODAMA_OK;
}

static int deaf_hear(void *decoder, const float *samples, size_t n_samples)
{
    (void)decoder;
    (void)samples;
    (void)n_samples;
    return KODAMA_OK;
}

static int deaf_partial(void *decoder, struct engine_result *result)
{
    (void)decoder;
    return engine_result_join(result) ? KODAMA_OK : KODAMA_ERR_MEMORY;
}

static const struct engine_ops deaf = {
    .name = "none",
    .streaming = true,
    .model_open = deaf_model_open,
    .model_close = deaf_close,
    .decoder_open = deaf_decoder_open,
    .decoder_close = deaf_close,
    .decode = deaf_decode,
    .begin = deaf_begin,
    .hear = deaf_hear,
    .partial = deaf_partial,
    .abandon = deaf_close,
};

struct kodama_model *server_model(enum server_kind kind)
{
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_model *model = NULL;
    struct kodama_error error = {0};
    int status;
    config.n_decoders = 1; /* it has one processor */
    if (kind == SERVER_SPHINX) {
        config.engine = "pocketsphinx";
        status = kodama_model_open(&model, &config, &error);
    } else {
        status = model_open_engine(&model, &deaf, &config, &error);
    }
    if (status < 0) fprintf(stderr, "%s\n", error.message);
    return model;
}

const char *server_detector(enum server_kind kind)
{
    return kind == SERVER_NONE ? "none" : "builtin";
}

const char *server_name(enum server_kind kind)
{
    static const char *const names[SERVER_KINDS] = {"python3-websockets", "kodama, no detection",
                                                    "kodama, builtin", "kodama, PocketSphinx"};
    return names[kind];
}

/* ---------------------------------------------------------------- the processes */

void server_pin(int processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)processor, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

/* In the child: serve until it is ended. */
static void serve(enum server_kind kind, int out)
{
    struct kodama_server_config config = KODAMA_SERVER_CONFIG_INIT;
    struct kodama_server *server;
    struct kodama_error error = {0};
    struct kodama_model *model = server_model(kind);
    config.port = 0;
    config.detector = server_detector(kind);
    config.max_sessions = 100000;
    config.max_per_address = 0;
    config.resume_ms = 0;
    if (!model || kodama_server_open(&server, model, &config, &error) < 0) {
        fprintf(stderr, "%s\n", error.message);
        return;
    }
    dprintf(out, "%u\n", kodama_server_port(server));
    for (;;) pause();
}

static void become(enum server_kind kind, int processor, int out)
{
    const char *root = getenv("KODAMA_ROOT");
    char script[1024];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    server_pin(processor);
    if (kind != SERVER_WEBSOCKETS) {
        serve(kind, out);
        _exit(1);
    }
    snprintf(script, sizeof script, "%s/bench/serve_websockets.py", root ? root : ".");
    dup2(out, STDOUT_FILENO);
    /* Debian's, which its packages are for. */
    execl("/usr/bin/python3", "python3", script, NULL);
    _exit(127);
}

bool server_start(struct server *server, enum server_kind kind, int processor)
{
    int ends[2];
    char line[32] = "";
    *server = (struct server){0};
    if (pipe2(ends, O_CLOEXEC) < 0) return false;
    fflush(NULL);
    server->pid = fork();
    if (server->pid == 0) become(kind, processor, ends[1]);
    close(ends[1]);
    struct pollfd poller = {.fd = ends[0], .events = POLLIN};
    if (server->pid > 0 && poll(&poller, 1, START_LIMIT_MS) > 0 &&
        read(ends[0], line, sizeof line - 1) > 0) {
        server->port = (uint32_t)strtoul(line, NULL, 10);
    }
    close(ends[0]);
    if (server->port == 0) server_stop(server);
    return server->port != 0;
}

void server_stop(struct server *server)
{
    if (server->pid <= 0) return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

/* The first line of a file of a thread. */
static bool read_line(pid_t pid, const char *thread, const char *file, char *line, int n_bytes)
{
    char path[320];
    snprintf(path, sizeof path, "/proc/%d/task/%s/%s", (int)pid, thread, file);
    FILE *opened = fopen(path, "r");
    bool read = opened && fgets(line, n_bytes, opened);
    if (opened) fclose(opened);
    return read;
}

uint64_t server_cpu_ns(const struct server *server, const char *thread)
{
    char path[64], line[128];
    uint64_t sum = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)server->pid);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (entry->d_name[0] == '.') continue;
        if (!read_line(server->pid, entry->d_name, "comm", line, sizeof line)) continue;
        if (strncmp(line, thread, strlen(thread)) != 0) continue;
        if (!read_line(server->pid, entry->d_name, "schedstat", line, sizeof line)) continue;
        sum += strtoull(line, NULL, 10);
    }
    if (folder) closedir(folder);
    return sum;
}
