#define _DEFAULT_SOURCE
/* kodama vad: where in a recording somebody speaks. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kodama/resampler.h>
#include <kodama/segmenter.h>
#include <kodama/stream.h>

#include "command/command.h"
#include "command/input.h"
#include "command/output.h"
#include "command/screen.h"

/* Detectors and segmenters hear at this rate. */
enum { HEARING_RATE_HZ = 16000, PROGRESS_WAIT_NS = 100000000 };
/* Unpadded, a pause of this length divides two segments: the gaps between the words of a phrase are
 * shorter, as a rule. */
enum { UNPADDED_SILENCE_MS = 200, PADDED_SILENCE_MS = 500 };

struct vad_options {
    struct input_options input;
    const char *detector;
    double threshold;
    uint32_t silence_ms;
    bool json, padded;
};

struct span {
    double start_s, end_s;
};

/** Fields of the dispatcher's thread until the stream has ended. */
struct vad {
    const struct vad_options *options;
    struct kodama_resampler *resampler;
    struct kodama_segmenter *segmenter;
    struct kodama_stream *stream;
    float *samples; /* room for one chunk */
    size_t room;
    struct span *spans;
    size_t n_spans, spans_room;
    struct output output; /* text: written as it comes */
    struct screen screen; /* progress */
};

static int add_span(struct vad *vad, const struct kodama_segment *segment)
{
    bool padded = vad->options->padded;
    uint64_t begin = padded ? segment->begin : segment->speech_begin;
    uint64_t end = padded ? segment->end : segment->speech_end;
    struct span span = {(double)begin / HEARING_RATE_HZ, (double)end / HEARING_RATE_HZ};
    if (!vad->options->json) {
        struct text line = {0};
        text_printf(&line, "%10.3f %10.3f %10.3f\n", span.start_s, span.end_s,
                    span.end_s - span.start_s);
        bool written = output_write(&vad->output, line.bytes, line.length);
        text_free(&line);
        if (!written) return KODAMA_ERR_IO;
    }
    if (vad->n_spans == vad->spans_room) {
        size_t room = vad->spans_room ? vad->spans_room * 2 : 64;
        struct span *spans = reallocarray(vad->spans, room, sizeof *spans);
        if (!spans) return KODAMA_ERR_MEMORY;
        vad->spans = spans;
        vad->spans_room = room;
    }
    vad->spans[vad->n_spans++] = span;
    return KODAMA_OK;
}

static int hear(struct vad *vad, const float *samples, size_t n_samples)
{
    int status = KODAMA_OK;
    while (status == KODAMA_OK && n_samples > 0) {
        struct kodama_segment segment = {0};
        size_t n = kodama_segmenter_process(vad->segmenter, samples, n_samples, &segment);
        samples += n;
        n_samples -= n;
        if (segment.kind == KODAMA_SEGMENT_STOP) status = add_span(vad, &segment);
    }
    return status;
}

static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct vad *vad = user;
    size_t room = kodama_resampler_room(vad->resampler, chunk->n_frames);
    if (room > vad->room) {
        float *samples = reallocarray(vad->samples, room, sizeof *samples);
        if (!samples) return KODAMA_ERR_MEMORY;
        vad->samples = samples;
        vad->room = room;
    }
    size_t n =
        kodama_resampler_process(vad->resampler, chunk->frames, chunk->n_frames, vad->samples);
    return hear(vad, vad->samples, n);
}

/* What the filter still holds, and the segment that is still open. */
static int hear_end(struct vad *vad)
{
    float *samples = calloc(kodama_resampler_room(vad->resampler, 0), sizeof *samples);
    if (!samples) return KODAMA_ERR_MEMORY;
    int status = hear(vad, samples, kodama_resampler_flush(vad->resampler, samples));
    free(samples);
    for (;;) {
        struct kodama_segment segment = {0};
        kodama_segmenter_finish(vad->segmenter, &segment);
        if (segment.kind == 0 || status != KODAMA_OK) return status;
        if (segment.kind == KODAMA_SEGMENT_STOP) status = add_span(vad, &segment);
    }
}

static int open_vad(struct vad *vad, struct kodama_source *source, struct kodama_error *error)
{
    const struct vad_options *options = vad->options;
    struct kodama_segmenter_config config = KODAMA_SEGMENTER_CONFIG_INIT;
    config.detector = options->detector;
    config.threshold = (float)options->threshold;
    config.silence_duration_ms = options->silence_ms ? options->silence_ms
                                 : options->padded   ? PADDED_SILENCE_MS
                                                     : UNPADDED_SILENCE_MS;
    if (config.fast_silence_ms > config.silence_duration_ms) {
        config.fast_silence_ms = config.silence_duration_ms;
    }
    struct kodama_stream_config stream = KODAMA_STREAM_CONFIG_INIT;
    stream.on_chunk = on_chunk;
    stream.user = vad;
    int status = kodama_resampler_open(&vad->resampler, kodama_source_format(source),
                                       HEARING_RATE_HZ, error);
    if (status == KODAMA_OK) status = kodama_segmenter_open(&vad->segmenter, &config, error);
    if (status == KODAMA_OK) status = kodama_stream_open(&vad->stream, source, &stream, error);
    if (status < 0) kodama_source_close(source);
    return status;
}

static void show_progress(struct vad *vad, struct kodama_format format, int64_t length)
{
    struct kodama_stream_stats stats;
    struct text status = {0};
    kodama_stream_stats(vad->stream, &stats);
    screen_progress(&vad->screen, &status, (double)stats.frames / (double)format.rate_hz,
                    (double)length / (double)format.rate_hz);
    screen_status(&vad->screen, status.bytes);
    text_free(&status);
}

static int run_stream(struct vad *vad, int64_t length, struct kodama_error *error)
{
    int status = kodama_stream_start(vad->stream, error);
    if (status < 0) return status;
    bool progress = screen_open(&vad->screen, isatty(STDOUT_FILENO) ? -1 : STDERR_FILENO);
    do {
        status =
            kodama_stream_wait(vad->stream, progress ? PROGRESS_WAIT_NS : KODAMA_FOREVER, error);
        if (status == KODAMA_ERR_TIMEOUT) {
            show_progress(vad, kodama_stream_format(vad->stream), length);
        }
    } while (status == KODAMA_ERR_TIMEOUT);
    screen_close(&vad->screen);
    /* A file that is cut off has speech before the cut, too. */
    int ended = hear_end(vad);
    return status == KODAMA_OK ? ended : status;
}

static double milliseconds(double time_s)
{
    return round(time_s * 1000.0) / 1000.0;
}

static int print_json(const struct vad *vad, double duration_s)
{
    const char *detector = vad->options->detector;
    json_t *segments = json_array(), *all = json_object();
    for (size_t i = 0; i < vad->n_spans; i++) {
        json_t *segment = json_object();
        json_object_set_new(segment, "start", json_real(milliseconds(vad->spans[i].start_s)));
        json_object_set_new(segment, "end", json_real(milliseconds(vad->spans[i].end_s)));
        json_array_append_new(segments, segment);
    }
    json_object_set_new(all, "detector",
                        json_string(detector ? detector : kodama_detector_name(0)));
    json_object_set_new(all, "duration", json_real(milliseconds(duration_s)));
    json_object_set_new(all, "segments", segments);
    char *words = json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(12));
    struct text line = {0};
    if (words) text_printf(&line, "%s\n", words);
    int code = words ? output_whole("vad", line.bytes, line.length) : EXIT_FAILED;
    text_free(&line);
    free(words);
    json_decref(all);
    return code;
}

static int finish(struct vad *vad, int status, const struct kodama_error *error)
{
    if (vad->output.error == EPIPE) return EXIT_UNREAD;
    if (vad->output.error) {
        complain("vad", "cannot write to standard output: %s", error_words(vad->output.error));
        return EXIT_FAILED;
    }
    struct kodama_stream_stats stats = {0};
    if (vad->stream) kodama_stream_stats(vad->stream, &stats);
    int code = EXIT_DONE;
    if (vad->options->json && (status == KODAMA_OK || stats.frames > 0)) {
        uint32_t rate_hz = kodama_stream_format(vad->stream).rate_hz;
        code = print_json(vad, (double)stats.frames / (double)rate_hz);
    }
    if (status == KODAMA_OK) return code;
    complain("vad", "%s", error->message[0] ? error->message : kodama_strerror(status));
    return EXIT_FAILED;
}

static int vad_run(const struct invocation *invocation)
{
    const struct vad_options *options = invocation->options;
    struct vad vad = {.options = options, .output = output_standard(), .screen = {.fd = -1}};
    struct kodama_error error = {0};
    struct kodama_source *source;
    int code = input_open(&source, invocation, &options->input, false, NULL);
    if (code != EXIT_DONE) return code;
    int64_t length = kodama_source_length(source);
    int status = open_vad(&vad, source, &error);
    if (status == KODAMA_OK && !options->json) {
        static const char heading[] = "     start        end     length\n";
        (void)output_write(&vad.output, heading, sizeof heading - 1);
    }
    if (status == KODAMA_OK) status = run_stream(&vad, length, &error);
    code = finish(&vad, status, &error);
    kodama_stream_close(vad.stream);
    kodama_segmenter_close(vad.segmenter);
    kodama_resampler_close(vad.resampler);
    free(vad.samples);
    free(vad.spans);
    return code;
}

static const struct option_entry vad_table[] = {
    {.name = "json",
     .letter = 'j',
     .kind = OPTION_ON,
     .help = "Print one line of JSON",
     .group = "Output",
     .offset = offsetof(struct vad_options, json)},
    {.name = "padded",
     .letter = 'p',
     .kind = OPTION_ON,
     .help = "Print what a recogniser would be given: with pre-roll and the silence that ends it",
     .offset = offsetof(struct vad_options, padded)},
    {.name = "detector",
     .kind = OPTION_CHOICE,
     .argument = "NAME",
     .help = "Voice activity detector; the first when not given",
     .choice = kodama_detector_name,
     .group = "Speech and silence",
     .offset = offsetof(struct vad_options, detector)},
    {.name = "threshold",
     .kind = OPTION_REAL,
     .argument = "P",
     .help = "Speech begins at this probability; higher hears less",
     .fallback = "0.5",
     .least = 0.01,
     .most = 0.99,
     .offset = offsetof(struct vad_options, threshold)},
    {.name = "silence-ms",
     .kind = OPTION_COUNT,
     .argument = "MS",
     .help = "A pause of this length divides two segments; 200 when not given, 500 with --padded",
     .least = 20,
     .most = 10000,
     .offset = offsetof(struct vad_options, silence_ms)},
    INPUT_OPTION_ENTRIES(struct vad_options),
    {0},
};

static const struct section vad_sections[] = {
    {"JSON", "Times are in seconds from the beginning:\n\n"
             "  {\"detector\":\"builtin\",\"duration\":11.0,\n"
             "   \"segments\":[{\"start\":0.32,\"end\":2.25}]}"},
    {NULL, NULL},
};

static const struct example vad_examples[] = {
    {"kodama vad talk.wav", "List where somebody speaks: start, end and length in seconds"},
    {"kodama vad --json talk.wav | jq '.segments | length'", "Count the segments"},
    {"kodama vad --threshold 0.8 noisy.flac", "Be harder to convince"},
    {NULL, NULL},
};

static const struct exit_entry vad_exits[] = {
    {EXIT_DONE, "Everything was heard and written"},
    {EXIT_FAILED, "The input or the output failed; a sentence on standard error says how"},
    {EXIT_USAGE, "The command line was not understood"},
    {EXIT_INTERRUPTED, "Ended by Ctrl-C (SIGINT)"},
    {EXIT_UNREAD, "The program that read standard output has gone away"},
    {0, NULL},
};

const struct command command_vad = {
    .name = "vad",
    .summary = "where in a recording somebody speaks",
    .description = "Hears a recording or standard input as fast as it can be read and lists where "
                   "somebody speaks, in seconds from the beginning. The bounds are those of the "
                   "speech itself, unless --padded is given.",
    .operand = input_operand,
    .operand_help = input_operand_help,
    .operands_least = 1,
    .operands_most = 10000,
    .options = vad_table,
    .options_bytes = sizeof(struct vad_options),
    .sections = vad_sections,
    .examples = vad_examples,
    .exits = vad_exits,
    .run = vad_run,
};
