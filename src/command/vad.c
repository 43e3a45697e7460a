#define _DEFAULT_SOURCE
/* kodama vad: where in a recording somebody speaks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/resampler.h>
#include <kodama/scanner.h>
#include <kodama/stream.h>

#include "command/command.h"
#include "command/input.h"
#include "command/progress.h"
#include "command/vad_output.h"

/* Detectors and segmenters hear at this rate. */
enum { HEARING_RATE_HZ = 16000 };
/* Unpadded, a pause of this length divides two segments: the gaps between the words of a phrase are
 * shorter, as a rule. */
enum { UNPADDED_SILENCE_MS = 200, PADDED_SILENCE_MS = 500 };

struct vad_options {
    struct input_options input;
    const char *detector, *model;
    double threshold;
    uint32_t silence_ms, n_threads;
    bool json, rttm, audacity, csv;
    bool padded, probabilities, progress;
};

/** Fields of the dispatcher's thread until the stream has ended. */
struct vad {
    const struct vad_options *options;
    struct kodama_resampler *resampler;
    struct kodama_scanner *scanner;
    struct kodama_stream *stream;
    float *samples; /* room for one chunk */
    size_t room;
    struct vad_output output;
};

static void on_segment(void *user, const struct kodama_segment *segment)
{
    struct vad *vad = user;
    if (segment->kind == KODAMA_SEGMENT_STOP) (void)vad_output_segment(&vad->output, segment);
}

static void on_probabilities(void *user, uint64_t first, const float *probabilities, size_t n)
{
    struct vad *vad = user;
    (void)vad_output_probabilities(&vad->output, first, probabilities, n);
}

/* Once it cannot be written, hearing on is of no use. */
static int hear(struct vad *vad, const float *samples, size_t n_samples)
{
    int status = kodama_scanner_write(vad->scanner, samples, n_samples);
    return status == KODAMA_OK && vad->output.to.error ? KODAMA_ERR_IO : status;
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
    return status == KODAMA_OK ? kodama_scanner_finish(vad->scanner) : status;
}

static int open_scanner(struct vad *vad, bool live, struct kodama_error *error)
{
    const struct vad_options *options = vad->options;
    struct kodama_detector_config detector = KODAMA_DETECTOR_CONFIG_INIT;
    struct kodama_scanner_config config = KODAMA_SCANNER_CONFIG_INIT;
    detector.name = options->detector;
    detector.model = options->model;
    config.segmenter.detector_config = &detector;
    config.segmenter.threshold = (float)options->threshold;
    uint32_t silence_ms = options->silence_ms ? options->silence_ms
                          : options->padded   ? PADDED_SILENCE_MS
                                              : UNPADDED_SILENCE_MS;
    config.segmenter.silence_duration_ms = silence_ms;
    if (config.segmenter.fast_silence_ms > silence_ms)
        config.segmenter.fast_silence_ms = silence_ms;
    config.n_threads = options->n_threads ? options->n_threads : live;
    config.on_segment = on_segment;
    config.on_probabilities = on_probabilities;
    config.user = vad;
    int status = kodama_scanner_open(&vad->scanner, &config, error);
    if (status == KODAMA_OK) vad->output.window = kodama_scanner_window(vad->scanner);
    return status;
}

static int open_vad(struct vad *vad, struct kodama_source *source, bool live,
                    struct kodama_error *error)
{
    struct kodama_stream_config stream = KODAMA_STREAM_CONFIG_INIT;
    stream.on_chunk = on_chunk;
    stream.user = vad;
    int status = kodama_resampler_open(&vad->resampler, kodama_source_format(source),
                                       HEARING_RATE_HZ, error);
    if (status == KODAMA_OK) status = open_scanner(vad, live, error);
    if (status == KODAMA_OK) status = kodama_stream_open(&vad->stream, source, &stream, error);
    if (status < 0) kodama_source_close(source);
    return status;
}

static int run_stream(struct vad *vad, struct progress *progress, int64_t length,
                      struct kodama_error *error)
{
    int status = kodama_stream_start(vad->stream, error);
    if (status < 0) return status;
    double rate_hz = (double)kodama_stream_format(vad->stream).rate_hz;
    progress_begin(progress, NULL);
    status = progress_stream(progress, vad->stream, (double)length / rate_hz, error);
    progress_close(progress);
    /* A file that is cut off has speech before the cut, too. */
    int ended = hear_end(vad);
    return status == KODAMA_OK ? ended : status;
}

static int finish(struct vad *vad, int status, const struct kodama_error *error)
{
    struct kodama_stream_stats stats = {0};
    if (vad->stream) kodama_stream_stats(vad->stream, &stats);
    if (vad->stream && (status == KODAMA_OK || stats.frames > 0)) {
        uint32_t rate_hz = kodama_stream_format(vad->stream).rate_hz;
        (void)vad_output_end(&vad->output, (double)stats.frames / (double)rate_hz);
    }
    int number = vad->output.to.error;
    if (number == EPIPE) return EXIT_UNREAD;
    if (number) {
        complain("vad", "cannot write to standard output: %s", error_words(number));
        return EXIT_FAILED;
    }
    if (status == KODAMA_OK) return EXIT_DONE;
    complain("vad", "%s", error->message[0] ? error->message : kodama_strerror(status));
    return EXIT_FAILED;
}

static int choose_form(struct vad_output *output, const struct vad_options *options)
{
    int n = options->json + options->rttm + options->audacity + options->csv;
    if (n > 1) {
        complain("vad", "one of --json, --rttm, --audacity and --csv, not several");
        return EXIT_USAGE;
    }
    if (options->probabilities && (options->rttm || options->audacity)) {
        complain("vad", "--probabilities can be printed as text, with --csv and with --json");
        return EXIT_USAGE;
    }
    output->form = options->json       ? VAD_JSON
                   : options->rttm     ? VAD_RTTM
                   : options->audacity ? VAD_AUDACITY
                   : options->csv      ? VAD_CSV
                                       : VAD_TEXT;
    output->padded = options->padded;
    output->probabilities = options->probabilities;
    output->detector = options->detector ? options->detector : kodama_detector_name(0);
    return EXIT_DONE;
}

static int vad_run(const struct invocation *invocation)
{
    const struct vad_options *options = invocation->options;
    struct vad vad = {.options = options};
    struct kodama_error error = {0};
    struct kodama_source *source;
    struct progress progress;
    int code = choose_form(&vad.output, options);
    if (code == EXIT_DONE) code = input_open(&source, invocation, &options->input, false, NULL);
    if (code != EXIT_DONE) return code;
    int64_t length = kodama_source_length(source);
    bool live = strcmp(invocation->operands[0], "-") == 0;
    vad_output_open(&vad.output, invocation->operands[0]);
    progress_open(&progress, "vad", options->progress, !options->json);
    int status = open_vad(&vad, source, live, &error);
    if (status == KODAMA_OK && !vad_output_begin(&vad.output)) status = KODAMA_ERR_IO;
    if (status == KODAMA_OK) status = run_stream(&vad, &progress, length, &error);
    progress_close(&progress);
    code = finish(&vad, status, &error);
    kodama_stream_close(vad.stream);
    kodama_scanner_close(vad.scanner);
    kodama_resampler_close(vad.resampler);
    vad_output_close(&vad.output);
    free(vad.samples);
    return code;
}

static const struct option_entry vad_table[] = {
    {.name = "json",
     .letter = 'j',
     .kind = OPTION_ON,
     .help = "Print one line of JSON",
     .group = "Output",
     .offset = offsetof(struct vad_options, json)},
    {.name = "rttm",
     .kind = OPTION_ON,
     .help = "Print RTTM, as tools for diarisation and scoring read it",
     .offset = offsetof(struct vad_options, rttm)},
    {.name = "audacity",
     .kind = OPTION_ON,
     .help = "Print a label track for Audacity",
     .offset = offsetof(struct vad_options, audacity)},
    {.name = "csv",
     .kind = OPTION_ON,
     .help = "Print comma-separated values with a heading",
     .offset = offsetof(struct vad_options, csv)},
    {.name = "probabilities",
     .kind = OPTION_ON,
     .help = "Print the probability of speech of every window instead of the segments; with --json "
             "beside them",
     .offset = offsetof(struct vad_options, probabilities)},
    {.name = "padded",
     .letter = 'p',
     .kind = OPTION_ON,
     .help = "Print what a recogniser would be given: with pre-roll and the silence that ends it",
     .offset = offsetof(struct vad_options, padded)},
    PROGRESS_OPTION_ENTRY(struct vad_options),
    {.name = "detector",
     .kind = OPTION_CHOICE,
     .argument = "NAME",
     .help = "Voice activity detector; the first when not given",
     .choice = kodama_detector_name,
     .group = "Speech and silence",
     .offset = offsetof(struct vad_options, detector)},
    {.name = "model",
     .kind = OPTION_TEXT,
     .argument = "PATH",
     .help = "File of the detector's model, for those that have one; KODAMA_SILERO_MODEL or the "
             "usual places when not given",
     .is_file = true,
     .offset = offsetof(struct vad_options, model)},
    {.name = "threads",
     .kind = OPTION_COUNT,
     .argument = "N",
     .help = "Threads that judge a file, one per processor when not given; the result is the same",
     .least = 1,
     .most = 256,
     .offset = offsetof(struct vad_options, n_threads)},
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
             "  {\"detector\":\"builtin\",\"duration\":11.000,\n"
             "   \"segments\":[{\"start\":0.320,\"end\":2.250}]}\n\n"
             "With --probabilities there are \"window\", the length of a window, and "
             "\"probabilities\", one of each window."},
    {"Detectors",
     "builtin needs nothing. silero is better, above all in noise, and needs ONNX "
     "Runtime and its model; `kodama doctor` says whether they are there and how to "
     "get them.\n\n"
     "Standard input is judged as it comes, by one thread. A file is cut into minutes "
     "that are judged in parallel, each with the ten seconds before it; standard "
     "input is judged in the same way, so that the result does not depend on threads."},
    {NULL, NULL},
};

static const struct example vad_examples[] = {
    {"kodama vad talk.wav", "List where somebody speaks: start, end and length in seconds"},
    {"kodama vad --json talk.wav | jq '.segments | length'", "Count the segments"},
    {"kodama vad --threshold 0.8 noisy.flac", "Be harder to convince"},
    {"kodama vad --detector silero --audacity talk.wav > labels.txt",
     "Make a label track with a trained detector"},
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
                   "speech itself, unless --padded is given. A segment is printed when it is over.",
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
