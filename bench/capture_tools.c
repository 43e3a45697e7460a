/* The tools that are there already: pw-record and parec, one process a source, read from a pipe. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"

enum { SETTLE_US = 2000000, FRAME_BYTES = CHANNELS * sizeof(float), READ_FRAMES = 16384 };

struct tool {
    pid_t pid;
    int pipe;
    struct heard heard;
    uint8_t bytes[READ_FRAMES * FRAME_BYTES];
    size_t n_bytes; /* of a frame that has not come whole */
};

static int start(struct tool *tool, const char *const arguments[])
{
    int ends[2];
    if (pipe(ends) < 0) return -errno;
    tool->pid = fork();
    if (tool->pid == 0) {
        int nothing = open("/dev/null", O_RDWR);
        dup2(nothing, 0);
        dup2(ends[1], 1);
        dup2(nothing, 2);
        for (int fd = 3; fd < 1024; fd++) close(fd);
        execvp(arguments[0], (char *const *)arguments);
        _exit(127);
    }
    close(ends[1]);
    tool->pipe = ends[0];
    tool->heard.latency = calloc(1, sizeof(struct latency));
    return tool->pid < 0 || !tool->heard.latency ? -ENOMEM : 0;
}

/* What has come through the pipe; false when it has ended. */
static bool receive(struct tool *tool, bool counts)
{
    ssize_t n = read(tool->pipe, tool->bytes + tool->n_bytes, sizeof tool->bytes - tool->n_bytes);
    if (n <= 0) return n < 0 && errno == EINTR;
    uint64_t now = frame_now_us();
    tool->n_bytes += (size_t)n;
    size_t n_frames = tool->n_bytes / FRAME_BYTES, used = n_frames * FRAME_BYTES;
    if (counts) heard_add(&tool->heard, (const float *)(const void *)tool->bytes, n_frames, now);
    memmove(tool->bytes, tool->bytes + used, tool->n_bytes - used);
    tool->n_bytes -= used;
    return true;
}

/* Read all pipes until `until_us`. */
static bool listen_until(struct tool *tools, int n, uint64_t until_us, bool counts)
{
    struct pollfd pollers[PLAYERS_MAX];
    for (int i = 0; i < n; i++) pollers[i] = (struct pollfd){.fd = tools[i].pipe, .events = POLLIN};
    for (uint64_t now; (now = frame_now_us()) < until_us;) {
        if (poll(pollers, (nfds_t)n, (int)((until_us - now) / 1000) + 1) < 0) continue;
        for (int i = 0; i < n; i++) {
            if (pollers[i].revents && !receive(&tools[i], counts)) return false;
        }
    }
    return true;
}

static void measure(const struct task *task, struct tool *tools, struct result *result)
{
    int n = task->n_sources;
    pid_t pids[PLAYERS_MAX];
    struct heard heard[PLAYERS_MAX];
    for (int i = 0; i < n; i++) pids[i] = tools[i].pid;
    bool goes_on = listen_until(tools, n, frame_now_us() + SETTLE_US, false);
    uint64_t begin = frame_now_us(), cpu = usage_cpu_ns(pids, n),
             daemon_cpu = usage_cpu_ns(task->daemons, task->n_daemons);
    goes_on = goes_on && listen_until(tools, n, begin + (uint64_t)(task->seconds * 1e6), true);
    double spent_ns = (double)(frame_now_us() - begin) * 1e3;
    result->cpu = (double)(usage_cpu_ns(pids, n) - cpu) / spent_ns;
    result->daemon_cpu =
        (double)(usage_cpu_ns(task->daemons, task->n_daemons) - daemon_cpu) / spent_ns;
    result->pss_mb = usage_pss_mb(pids, n);
    for (int i = 0; i < n; i++) heard[i] = tools[i].heard;
    result_add(result, heard, n);
    result->done = goes_on;
    if (!goes_on) snprintf(result->failure, sizeof result->failure, "a tool ended early");
}

static void run_tools(const struct task *task, struct result *result,
                      int (*start_one)(struct tool *tool, const struct task *task, int index))
{
    struct tool *tools = calloc((size_t)task->n_sources, sizeof *tools);
    int status = tools ? 0 : -ENOMEM, n = 0;
    for (; status == 0 && n < task->n_sources; n++) status = start_one(&tools[n], task, n);
    if (status == 0) {
        measure(task, tools, result);
    } else {
        snprintf(result->failure, sizeof result->failure, "cannot start a tool: %s",
                 strerror(-status));
    }
    for (int i = 0; i < n; i++) {
        if (tools[i].pid <= 0) continue;
        kill(tools[i].pid, SIGKILL);
        waitpid(tools[i].pid, NULL, 0);
    }
    free(tools);
}

static int start_pw_record(struct tool *tool, const struct task *task, int index)
{
    char name[64], latency[32];
    snprintf(latency, sizeof latency, "%u", task->quantum);
    const char *const arguments[] = {"pw-record",
                                     "--target",
                                     player_name(name, sizeof name, index),
                                     "--latency",
                                     latency,
                                     "-P",
                                     "{ node.dont-reconnect = true node.dont-fallback = true }",
                                     "--rate",
                                     "48000",
                                     "--channels",
                                     "2",
                                     "--format",
                                     "f32",
                                     "-",
                                     NULL};
    return start(tool, arguments);
}

void contender_pw_record(const struct task *task, struct result *result)
{
    run_tools(task, result, start_pw_record);
}

/* PulseAudio's index of the stream of a player; 0 when it has none. */
static unsigned long sink_input_of(const char *player)
{
    FILE *list = popen("LC_ALL=C pactl list sink-inputs", "r");
    if (!list) return 0;
    char line[400];
    unsigned long index = 0, found = 0;
    while (fgets(line, sizeof line, list)) {
        if (sscanf(line, "Sink Input #%lu", &index) == 1) continue;
        if (strstr(line, "application.name") && strstr(line, player)) found = index;
    }
    pclose(list);
    return found;
}

static int start_parec(struct tool *tool, const struct task *task, int index)
{
    char name[64], monitor[64], latency[64];
    unsigned long input = sink_input_of(player_name(name, sizeof name, index));
    if (input == 0) return -ENOENT;
    snprintf(monitor, sizeof monitor, "--monitor-stream=%lu", input);
    snprintf(latency, sizeof latency, "--latency=%u", task->quantum * FRAME_BYTES);
    const char *const arguments[] = {
        "parec", monitor, latency, "--rate=48000", "--channels=2", "--format=float32le",
        "--raw", NULL};
    return start(tool, arguments);
}

void contender_parec(const struct task *task, struct result *result)
{
    run_tools(task, result, start_parec);
}
