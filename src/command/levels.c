/* kodama levels: how loud something is, live. */
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <kodama/meter.h>
#include <kodama/stream.h>

#include "command/capture.h"
#include "command/command.h"
#include "command/interrupt.h"
#include "command/json.h"
#include "command/levels_text.h"
#include "command/output.h"
#include "command/progress.h"

enum { TICK_MS = 50, BESIDE_BAR = 42, BAR_MOST = 60 };

struct levels_options {
    struct capture_options capture;
    double duration_s, interval_s;
    bool json;
};

struct levels {
    const struct levels_options *options;
    struct kodama_stream *stream;
    struct kodama_meter *meter;
    struct screen screen;
    double rate_hz;
};

/* Names of channels in the usual layouts of one and two; numbers for others. */
static void add_name(struct text *page, uint32_t channel, uint32_t channels)
{
    if (channels == 1)
        text_add(page, "     ");
    else if (channels == 2)
        text_add(page, channel == 0 ? "left " : "right");
    else
        text_printf(page, "%4u ", (unsigned)channel + 1);
}

static void add_bar(const struct levels *levels, struct text *page,
                    const struct kodama_level *level)
{
    size_t room = levels->screen.width > BESIDE_BAR + 8 ? levels->screen.width - BESIDE_BAR : 8;
    size_t cells = room < BAR_MOST ? room : BAR_MOST;
    bool unicode = levels->screen.unicode;
    size_t lit = (size_t)lroundf(screen_level(level->fall_db) * (float)cells);
    size_t hold = (size_t)lroundf(screen_level(level->hold_db) * (float)cells);
    for (size_t i = 1; i <= cells; i++) {
        if (i <= lit)
            text_add(page, unicode ? "\u2501" : "=");
        else if (i == hold)
            text_add(page, "|");
        else
            text_add(page, unicode ? "\u2500" : "-");
    }
}

static void paint(struct levels *levels, const struct kodama_levels *now)
{
    struct text page = {0}, status = {0};
    char at[16];
    for (uint32_t c = 0; c < now->channels; c++) {
        const struct kodama_level *level = &now->channel[c];
        add_name(&page, c, now->channels);
        text_add(&page, " ");
        add_bar(levels, &page, level);
        text_add(&page, " peak");
        levels_db(&page, level->hold_db);
        text_add(&page, "  rms");
        levels_db(&page, level->rms_db);
        text_add(&page, " dBFS\n");
    }
    text_add(&status, screen_time((double)now->position / levels->rate_hz, at));
    if (now->all.clipped_total > 0) {
        text_printf(&status, "  %" PRIu64 " clipped", now->all.clipped_total);
    }
    if (now->silence_s >= 1.0) text_printf(&status, "  %.0f s of silence", now->silence_s);
    screen_table(&levels->screen, text_string(&page));
    screen_status(&levels->screen, status.bytes);
    text_free(&page);
    text_free(&status);
}

static int print_json(const struct levels *levels, const struct kodama_levels *now)
{
    json_t *all = json_object(), *channels = json_array();
    for (uint32_t c = 0; c < now->channels; c++) {
        json_t *entry = json_object();
        json_object_set_new(entry, "peak_db", json_rounded(now->channel[c].peak_db, 2));
        json_object_set_new(entry, "rms_db", json_rounded(now->channel[c].rms_db, 2));
        json_object_set_new(entry, "clipped", json_integer((json_int_t)now->channel[c].clipped));
        json_array_append_new(channels, entry);
    }
    json_object_set_new(all, "time", json_rounded((double)now->position / levels->rate_hz, 3));
    json_object_set_new(all, "frames", json_integer((json_int_t)now->frames));
    json_object_set_new(all, "lost", json_integer((json_int_t)now->lost_frames));
    json_object_set_new(all, "silence", json_rounded(now->silence_s, 3));
    json_object_set_new(all, "channels", channels);
    return json_print("levels", STDOUT_FILENO, all);
}

static int print_text(const struct levels *levels, const struct kodama_levels *now)
{
    struct text line = {0};
    text_printf(&line, "%8.1f s  peak", (double)now->position / levels->rate_hz);
    levels_db(&line, now->all.peak_db);
    text_add(&line, "  rms");
    levels_db(&line, now->all.rms_db);
    text_printf(&line, " dBFS  %" PRIu64 " clipped\n", now->all.clipped);
    int code = output_whole("levels", line.bytes, line.length);
    text_free(&line);
    return code;
}

static int look(struct levels *levels)
{
    struct kodama_levels now;
    int status = kodama_meter_read(levels->meter, &now);
    if (status < 0) {
        complain("levels", "%s", kodama_strerror(status));
        return EXIT_FAILED;
    }
    if (levels->screen.fd >= 0) {
        paint(levels, &now);
        return EXIT_DONE;
    }
    return levels->options->json ? print_json(levels, &now) : print_text(levels, &now);
}

/* Until a signal, the end of the input, or the duration. */
static int run(struct levels *levels)
{
    struct kodama_waitable events = {.fd = -1};
    struct kodama_ring *ring = kodama_stream_ring(levels->stream);
    bool painted = levels->screen.fd >= 0, ended = false;
    double next_s = progress_now_s() + levels->options->interval_s;
    int code = EXIT_DONE;
    (void)kodama_stream_event_waitable(levels->stream, &events);
    while (code == EXIT_DONE && !ended && !interrupt_signal()) {
        struct pollfd pollers[] = {{.fd = interrupt_descriptor(), .events = POLLIN},
                                   {.fd = events.fd, .events = POLLIN}};
        struct kodama_stream_event event;
        double left_ms = (next_s - progress_now_s()) * 1000.0 + 1.0;
        int n = poll(pollers, 2, painted ? TICK_MS : left_ms > 0 ? (int)left_ms : 0);
        if (n > 0 && pollers[0].revents) {
            interrupt_acknowledge();
            screen_refresh(&levels->screen);
        }
        while (kodama_stream_next_event(levels->stream, &event, 0) == KODAMA_OK) {
            ended |= event.kind == KODAMA_STREAM_ENDED;
        }
        double heard_s = (double)kodama_ring_position(ring) / levels->rate_hz;
        if (levels->options->duration_s > 0) ended |= heard_s >= levels->options->duration_s;
        if (!painted && progress_now_s() < next_s && !ended) continue;
        next_s += levels->options->interval_s;
        code = look(levels);
    }
    return code == EXIT_DONE && interrupt_signal() ? 128 + interrupt_signal() : code;
}

static int open_stream(struct levels *levels, const struct capture_options *capture)
{
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    struct kodama_error error = {0};
    struct kodama_source *source;
    int code = capture_open(&source, "levels", capture, NULL);
    if (code != EXIT_DONE) return code;
    levels->rate_hz = (double)kodama_source_format(source).rate_hz;
    /* A look must not come too late for the interval. */
    config.ring_seconds = 2.0 + 2.0 * levels->options->interval_s;
    int status = kodama_stream_open(&levels->stream, source, &config, &error);
    if (status < 0) kodama_source_close(source);
    if (status == KODAMA_OK) {
        status =
            kodama_meter_open(&levels->meter, kodama_stream_ring(levels->stream), NULL, &error);
    }
    if (status == KODAMA_OK) status = kodama_stream_start(levels->stream, &error);
    if (status == KODAMA_OK) return EXIT_DONE;
    complain("levels", "%s", error.message[0] ? error.message : kodama_strerror(status));
    return EXIT_FAILED;
}

static int levels_run(const struct invocation *invocation)
{
    const struct levels_options *options = invocation->options;
    struct levels levels = {.options = options, .screen = {.fd = -1}};
    struct capture_options capture = options->capture;
    if (invocation->n_operands > 0 && capture.apps.n < OPTION_LIST_MAX) {
        capture.apps.values[capture.apps.n++] = invocation->operands[0];
    }
    int code = capture_check(invocation->command, &capture, 0);
    if (code != EXIT_DONE) return code;
    (void)screen_open(&levels.screen, options->json ? -1 : STDOUT_FILENO);
    levels.screen.transient = true;
    (void)interrupt_open(screen_restore, &levels.screen);
    code = open_stream(&levels, &capture);
    interrupt_arm();
    if (code == EXIT_DONE) code = run(&levels);
    screen_close(&levels.screen);
    kodama_meter_close(levels.meter);
    kodama_stream_close(levels.stream);
    interrupt_close();
    return code;
}

static const struct option_entry levels_table[] = {
    CAPTURE_OPTION_ENTRIES(struct levels_options),
    {.name = "duration",
     .letter = 'd',
     .kind = OPTION_TIME,
     .argument = "TIME",
     .help = "End after so much sound: seconds or [H:]M:SS",
     .least = 0.1,
     .most = 1e8,
     .group = "Output",
     .offset = offsetof(struct levels_options, duration_s)},
    {.name = "interval",
     .letter = 'n',
     .kind = OPTION_REAL,
     .argument = "SECONDS",
     .help = "Seconds between two lines, where there is no terminal or with --json",
     .fallback = "1",
     .least = 0.05,
     .most = 60,
     .offset = offsetof(struct levels_options, interval_s)},
    {.name = "json",
     .letter = 'j',
     .kind = OPTION_ON,
     .help = "Print a line of JSON for each interval",
     .offset = offsetof(struct levels_options, json)},
    {0},
};

static const struct section levels_sections[] = {
    {capture_section_title, capture_section_text},
    {"JSON", "  time, frames, lost, silence, channels [{peak_db, rms_db, clipped}]\n\n"
             "Levels are those of the interval, in dBFS; null is digital silence. `silence` is how "
             "many seconds it has been below -60 dBFS."},
    {NULL, NULL},
};

static const struct example levels_examples[] = {
    {"kodama levels --mic", "Is the microphone on?"},
    {"kodama levels firefox", "How loud an application plays"},
    {"kodama levels --system --json | jq .channels[0].peak_db", "Levels for a script"},
    {NULL, NULL},
};

static const struct exit_entry levels_exits[] = {
    {EXIT_DONE, "The input has ended, or --duration has passed"},
    {EXIT_FAILED, "There is no such input; a sentence on standard error says why"},
    {EXIT_USAGE, "The command line was not understood"},
    {EXIT_INTERRUPTED, "Ended by Ctrl-C (SIGINT)"},
    {EXIT_UNREAD, "The program that read standard output has gone away"},
    {0, NULL},
};

const struct command command_levels = {
    .name = "levels",
    .summary = "a level meter for an application, a microphone or the system",
    .description =
        "Shows levels until Ctrl-C: on a terminal a bar for each channel, with the peaks "
        "of the last moments; elsewhere a line for each interval.",
    .operand = "[APP]",
    .operand_help = "APP is an application, as for --app.",
    .operands_most = 1,
    .options = levels_table,
    .options_bytes = sizeof(struct levels_options),
    .sections = levels_sections,
    .examples = levels_examples,
    .exits = levels_exits,
    .run = levels_run,
};
