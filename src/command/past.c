/* kodama record --past: sound that is remembered, and saved when somebody asks for it. */
#include "command/past.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <kodama/stream.h>

#include "command/capture.h"
#include "command/command.h"
#include "command/interrupt.h"
#include "command/json.h"
#include "command/keys.h"
#include "command/levels_text.h"
#include "command/output.h"

enum { TICK_MS = 100, NAMES_MAX = 100000 };
/* The oldest frames must not be overwritten while they are being saved. */
static const double margin_s = 5.0;

struct past {
    const struct past_config *config;
    struct progress *progress;
    struct kodama_stream *stream;
    struct capture_teller teller;
    struct kodama_meter *meter;
    double rate_hz;
    uint32_t files;
    unsigned saves; /* of those asked for by signals */
    bool ended, failed, unread;
};

/* ------------------------------------------------------------------- names */

char *past_free_name(const char *extension)
{
    char stamp[32], name[96];
    struct stat about;
    time_t now = time(NULL);
    struct tm local;
    if (!localtime_r(&now, &local)) return NULL;
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &local);
    snprintf(name, sizeof name, "recording-%s.%s", stamp, extension);
    for (int i = 2; i < NAMES_MAX && lstat(name, &about) == 0; i++) {
        snprintf(name, sizeof name, "recording-%s-%d.%s", stamp, i, extension);
    }
    return strdup(name);
}

/* "talk.flac", "talk-2.flac", ...: the next that is free, or that may be replaced. */
static char *next_name(const struct past *past)
{
    const char *path = past->config->path;
    if (!path) return past_free_name(past->config->extension);
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    if (!dot || (slash && dot < slash)) dot = path + strlen(path);
    struct text name = {0};
    struct stat about;
    for (uint32_t number = past->files + 1; number < NAMES_MAX; number++) {
        text_clear(&name);
        text_add_bytes(&name, path, (size_t)(dot - path));
        if (number > 1) text_printf(&name, "-%u", (unsigned)number);
        text_add(&name, dot);
        if (past->config->recorder.overwrite || lstat(name.bytes, &about) < 0) break;
    }
    return name.bytes;
}

/* -------------------------------------------------------------------- save */

static void report(struct past *past, const char *name, const struct kodama_recorder_stats *stats)
{
    double length_s = (double)stats->frames / past->rate_hz;
    struct screen *screen = &past->progress->screen;
    if (!past->config->json && screen->fd >= 0 && isatty(STDOUT_FILENO)) {
        screen_note(screen, "record", "saved %s: %.3f s", name, length_s);
        return;
    }
    int code;
    if (past->config->json) {
        json_t *all = json_object();
        json_object_set_new(all, "file", json_words(name));
        json_object_set_new(all, "frames", json_integer((json_int_t)stats->frames));
        json_object_set_new(all, "duration", json_rounded(length_s, 6));
        json_object_set_new(all, "bytes", json_integer((json_int_t)stats->bytes));
        json_object_set_new(all, "lost", json_integer((json_int_t)stats->lost_frames));
        json_object_set_new(all, "gap_frames", json_integer((json_int_t)stats->gap_frames));
        code = json_print("record", STDOUT_FILENO, all);
    } else {
        struct text line = {0};
        text_printf(&line, "%s: %.3f s\n", name, length_s);
        code = output_whole("record", line.bytes, line.length);
        text_free(&line);
    }
    past->unread |= code == EXIT_UNREAD;
    past->failed |= code == EXIT_FAILED;
}

/* The ring goes on meanwhile; a recorder is one more cursor that begins in the past. */
static void save(struct past *past)
{
    struct kodama_ring *ring = kodama_stream_ring(past->stream);
    struct kodama_recorder_config config = past->config->recorder;
    struct kodama_recorder_stats stats;
    struct kodama_recorder *recorder;
    struct kodama_error error = {0};
    uint64_t end = kodama_ring_position(ring);
    uint64_t wanted = (uint64_t)llround(past->config->past_s * past->rate_hz);
    char *name = next_name(past);
    if (!name || end == 0) {
        progress_note(past->progress, name ? "there is nothing to save yet" : "out of memory");
        free(name);
        return;
    }
    config.path = name;
    config.start = KODAMA_START_AT;
    config.start_position = end > wanted ? end - wanted : 0;
    config.max_frames = end - config.start_position;
    int status = kodama_recorder_open(&recorder, ring, &config, &error);
    if (status == KODAMA_OK) {
        status = kodama_recorder_wait(recorder, KODAMA_FOREVER, &error);
        kodama_recorder_stats(recorder, &stats);
        kodama_recorder_close(recorder);
        past->files++;
        report(past, name, &stats);
    }
    if (status < 0) {
        past->failed = true;
        progress_note(past->progress, "%s", error.message);
    }
    free(name);
}

/* --------------------------------------------------------------------- run */

static void tick(struct past *past, double position_s)
{
    if (past->progress->screen.fd < 0) return;
    struct text status = {0};
    char at[16];
    text_add(&status, screen_time(position_s, at));
    levels_text(&status, past->meter, &past->progress->screen, true);
    double held_s = position_s < past->config->past_s ? position_s : past->config->past_s;
    text_printf(&status, "  holds %.0f s", held_s);
    if (keys_descriptor() >= 0) text_add(&status, "; s saves");
    if (past->files > 0) text_printf(&status, "  %u saved", (unsigned)past->files);
    screen_status(&past->progress->screen, text_string(&status));
    text_free(&status);
}

static void take_signals(struct past *past)
{
    interrupt_acknowledge();
    (void)keys_open(); /* again, if the program was suspended */
    unsigned saves = interrupt_saves();
    if (saves != past->saves) save(past);
    past->saves = saves;
    screen_refresh(&past->progress->screen);
}

/* Wait for a key, a signal, the end of the input, or the next look. */
static void wait_for_something(struct past *past, double left_s)
{
    struct kodama_waitable events = {.fd = -1};
    struct kodama_stream_event event;
    (void)kodama_stream_event_waitable(past->stream, &events);
    struct pollfd pollers[] = {{.fd = interrupt_descriptor(), .events = POLLIN},
                               {.fd = keys_descriptor(), .events = POLLIN},
                               {.fd = events.fd, .events = POLLIN}};
    int timeout_ms = past->config->duration_s > 0 ? (int)fmin(left_s * 1000.0 + 1.0, 1e6) : -1;
    if (past->progress->screen.fd >= 0) timeout_ms = TICK_MS;
    if (poll(pollers, 3, timeout_ms) <= 0) return;
    if (pollers[0].revents) take_signals(past);
    if (pollers[1].revents && keys_read() == 's') save(past);
    while (kodama_stream_next_event(past->stream, &event, 0) == KODAMA_OK) {
        past->ended |= event.kind == KODAMA_STREAM_ENDED;
    }
}

static int run(struct past *past, struct kodama_error *error)
{
    struct kodama_ring *ring = kodama_stream_ring(past->stream);
    while (!interrupt_signal() && !past->unread && !past->ended) {
        double position_s = (double)kodama_ring_position(ring) / past->rate_hz;
        double left_s = past->config->duration_s - position_s;
        if (past->config->duration_s > 0 && left_s <= 0) break;
        tick(past, position_s);
        wait_for_something(past, left_s);
    }
    kodama_stream_stop(past->stream);
    return kodama_stream_wait(past->stream, KODAMA_FOREVER, error);
}

static int open_stream(struct past *past, struct kodama_source *source, struct kodama_error *error)
{
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.ring_seconds = past->config->past_s + margin_s;
    capture_tell(&past->teller, &config, past->config->recorder.log);
    past->rate_hz = (double)kodama_source_format(source).rate_hz;
    int status = kodama_stream_open(&past->stream, source, &config, error);
    if (status < 0) {
        kodama_source_close(source);
        return status;
    }
    struct kodama_ring *ring = kodama_stream_ring(past->stream);
    if (kodama_meter_open(&past->meter, ring, NULL, NULL) < 0) past->meter = NULL;
    return kodama_stream_start(past->stream, error);
}

int past_record(struct kodama_source *source, const struct past_config *config,
                struct progress *progress)
{
    struct past past = {.config = config, .progress = progress};
    struct kodama_error error = {0};
    interrupt_arm();
    (void)keys_open();
    int status = open_stream(&past, source, &error);
    if (status == KODAMA_OK) status = run(&past, &error);
    keys_close();
    if (status < 0) {
        past.failed = true;
        progress_note(progress, "%s", error.message[0] ? error.message : kodama_strerror(status));
    }
    kodama_meter_close(past.meter);
    progress_close(progress);
    kodama_stream_close(past.stream);
    if (past.unread) return EXIT_UNREAD;
    if (past.failed) return EXIT_FAILED;
    return interrupt_signal() ? 128 + interrupt_signal() : EXIT_DONE;
}
