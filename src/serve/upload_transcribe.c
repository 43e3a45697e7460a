/* A file that is transcribed: recognised as it is read, and answered as a whole or as it goes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audio/audio_file.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "serve/served.h"
#include "serve/upload_internal.h"

enum {
    BLOCK_FRAMES = 4096,
    STEP_MS =
        100, /* so often a writer that waits for decoders looks whether anybody waits for it */
};

static int option(struct upload_options *options, const char *name, const char *value,
                  struct kodama_error *error)
{
    bool on = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
    if (strcmp(name, "response_format") == 0) {
        if (!upload_knows_format(value)) {
            return error_set(error, KODAMA_ERR_ARGUMENT,
                             "response_format must be json, text, srt, vtt or verbose_json.");
        }
        snprintf(options->format, sizeof options->format, "%s", value);
    }
    if (strcmp(name, "language") == 0) {
        snprintf(options->language, sizeof options->language, "%s", value);
    }
    if (strcmp(name, "stream") == 0) options->streams = on;
    if (strcmp(name, "words") == 0) options->words = on;
    if (strcmp(name, "timestamp_granularities[]") == 0) {
        if (strcmp(value, "word") == 0) options->words = true;
        if (strcmp(value, "segment") == 0) options->segments = true;
    }
    return KODAMA_OK;
}

/** @return false at the end of the conversation, or when memory is out */
static bool take_events(struct upload *u, struct kodama_recognizer *recognizer, int64_t timeout_ns)
{
    struct kodama_event event;
    int status;
    while ((status = kodama_recognizer_next(recognizer, &event, timeout_ns)) == KODAMA_OK) {
        if (event.kind != KODAMA_EVENT_FINAL) continue;
        bool first = u->result.n_finals == 0;
        METRICS_ADD(u->server->metrics.finals, 1);
        if (!upload_keep(&u->result, &event)) return false;
        if (u->options.streams && event.text[0]) {
            upload_stream(u, "text/event-stream", upload_delta(event.text, first), false);
        }
    }
    return status != KODAMA_ERR_CLOSED;
}

static int hear(struct upload *u, struct kodama_recognizer *recognizer, struct audio_file *file,
                struct kodama_error *error)
{
    struct kodama_format format = audio_file_format(file);
    size_t n_frame = kodama_frame_bytes(format);
    uint8_t *frames = memory_array(BLOCK_FRAMES, n_frame);
    uint64_t heard = 0;
    int64_t n = frames ? 1 : KODAMA_ERR_MEMORY;
    while (n > 0 && (n = audio_file_read(file, frames, BLOCK_FRAMES, error)) > 0) {
        for (int64_t done = 0; done < n;) {
            if (upload_is_left(u)) {
                free(frames);
                return KODAMA_ERR_CANCELLED;
            }
            int64_t wrote = kodama_recognizer_write(recognizer, frames + (size_t)done * n_frame,
                                                    (size_t)(n - done), STEP_MS * 1000000);
            if (wrote > 0) done += wrote;
            (void)take_events(u, recognizer, 0);
            if (wrote < 0 && wrote != KODAMA_ERR_TIMEOUT) {
                free(frames);
                return (int)wrote;
            }
        }
        heard += (uint64_t)n;
        METRICS_ADD(u->server->metrics.audio_ns, (uint64_t)n * CLOCK_NS_PER_S / format.rate_hz);
    }
    free(frames);
    u->result.duration_s = (double)heard / format.rate_hz;
    return n < 0 ? (int)n : kodama_recognizer_finish(recognizer);
}

static void transcribe(struct upload *u)
{
    struct audio_file *file = NULL;
    struct kodama_recognizer *recognizer = NULL;
    struct kodama_recognizer_config config = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_error error = {0};
    int status = audio_file_open(&file, u->path, &error);
    unlink(u->path); /* nothing is left behind, whatever comes */
    u->path[0] = '\0';
    if (status < 0) {
        upload_fail(u, 400, "The file is no sound that this server can read.");
        return;
    }
    config.format = audio_file_format(file);
    config.partials = false;
    config.segmenter.detector = u->server->config.detector;
    struct kodama_model *model = served_hold(u->server);
    config.language = u->options.language[0] ? u->options.language : u->server->config.language;
    status = kodama_recognizer_open(&recognizer, model, &config, &error);
    served_release(model);
    if (status == KODAMA_OK) status = hear(u, recognizer, file, &error);
    audio_file_close(file);
    while (status == KODAMA_OK && !upload_is_left(u)) {
        int64_t step_ns = STEP_MS * 1000000;
        if (!take_events(u, recognizer, step_ns)) break;
    }
    kodama_recognizer_close(recognizer);
    if (status < 0) {
        if (status == KODAMA_ERR_CANCELLED) return;
        if (status == KODAMA_ERR_ARGUMENT && u->options.language[0]) {
            upload_fail(u, 400, error.message);
            return;
        }
        upload_fail(u, status == KODAMA_ERR_CORRUPT ? 400 : 500,
                    status == KODAMA_ERR_CORRUPT ? "The file is damaged."
                                                 : "The file cannot be heard.");
        return;
    }
    if (u->options.streams) {
        upload_stream(u, "text/event-stream", upload_done(&u->result), true);
        return;
    }
    const char *type = "application/json";
    char *text = upload_text(&u->result, &u->options, &type);
    upload_answer(u, 200, type, text);
}

const struct upload_work upload_transcribe = {
    .file = "file",
    .no_file = "There is no file; send it as the body, or as the field \"file\" of a form.",
    .option = option,
    .run = transcribe,
};
