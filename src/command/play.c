/* kodama play: sound files on speakers, or into a microphone that other programs can choose. */
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <kodama/sink.h>
#include <kodama/stream.h>

#include "command/capture.h"
#include "command/command.h"
#include "command/input.h"
#include "command/interrupt.h"
#include "command/output.h"
#include "command/progress.h"

enum { TICK_MS = 100, WRITE_WAIT_NS = 100000000, DRAIN_WAIT_NS = 100000000 };

struct play_options {
    const char *to, *to_mic, *backend, *latency, *raw;
    bool progress;
};

struct play {
    const struct play_options *options;
    struct kodama_stream *stream;
    struct kodama_sink *sink;
    struct progress progress;
    struct kodama_format format;
    double length_s; /* < 0: not known */
    _Atomic bool abandoned;
};

static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct play *play = user;
    const uint8_t *frames = chunk->frames;
    size_t n_frames = chunk->n_frames, frame_bytes = kodama_frame_bytes(play->format);
    while (n_frames > 0) {
        if (atomic_load(&play->abandoned)) return KODAMA_ERR_CANCELLED;
        int64_t n = kodama_sink_write(play->sink, frames, n_frames, WRITE_WAIT_NS);
        if (n == KODAMA_ERR_TIMEOUT || n == KODAMA_ERR_FULL) continue;
        if (n < 0) return (int)n;
        frames += (size_t)n * frame_bytes;
        n_frames -= (size_t)n;
    }
    return KODAMA_OK;
}

static void tick(struct play *play)
{
    struct kodama_sink_stats stats;
    struct text status = {0};
    char at[16], of[16];
    kodama_sink_stats(play->sink, &stats);
    double position_s = (double)stats.frames / (double)play->format.rate_hz;
    if (play->progress.lines) progress_show(&play->progress, position_s, play->length_s);
    if (play->progress.screen.fd < 0) return;
    text_add(&status, screen_time(position_s, at));
    if (play->length_s >= 0) text_printf(&status, " of %s", screen_time(play->length_s, of));
    if (!stats.present) text_add(&status, "  waiting for the device");
    if (stats.underruns > 0) text_printf(&status, "  %" PRIu64 " underruns", stats.underruns);
    screen_status(&play->progress.screen, text_string(&status));
    text_free(&status);
}

/* One look at signals and the time; whether to go on. */
static bool go_on(struct play *play)
{
    struct pollfd poller = {.fd = interrupt_descriptor(), .events = POLLIN};
    if (poll(&poller, 1, 0) > 0) {
        interrupt_acknowledge();
        screen_refresh(&play->progress.screen);
    }
    tick(play);
    return interrupt_signal() == 0;
}

static int play_all(struct play *play, struct kodama_error *error)
{
    int status = kodama_stream_start(play->stream, error);
    while (status == KODAMA_OK || status == KODAMA_ERR_TIMEOUT) {
        if (!go_on(play)) {
            atomic_store(&play->abandoned, true);
            return KODAMA_OK;
        }
        status = kodama_stream_wait(play->stream, (int64_t)TICK_MS * 1000000, error);
        if (status == KODAMA_OK) break;
    }
    while (status == KODAMA_OK && go_on(play)) {
        int drained = kodama_sink_drain(play->sink, DRAIN_WAIT_NS, error);
        if (drained == KODAMA_OK) break;
        if (drained != KODAMA_ERR_TIMEOUT) status = drained;
    }
    return status;
}

static int open_sink(struct play *play)
{
    const struct play_options *options = play->options;
    struct kodama_sink_config config = KODAMA_SINK_CONFIG_INIT;
    struct kodama_error error = {0};
    config.format = play->format;
    config.backend = options->backend;
    config.latency = capture_latency(options->latency);
    config.device = options->to;
    config.name = options->to_mic;
    if (kodama_sink_open(&play->sink, options->to_mic ? "mic" : "speakers", &config, &error) ==
        KODAMA_OK) {
        return EXIT_DONE;
    }
    complain("play", "%s", error.message);
    return EXIT_FAILED;
}

static int open_stream(struct play *play, const struct invocation *invocation)
{
    struct input_choice choice = {
        .names = (const char *const *)invocation->operands,
        .n_names = invocation->n_operands,
    };
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    struct kodama_error error = {0};
    struct kodama_source *source;
    int code = input_raw(&choice.format, "play", play->options->raw);
    if (code == EXIT_DONE) code = input_open_choice(&source, "play", &choice);
    if (code != EXIT_DONE) return code;
    int64_t length = kodama_source_length(source);
    play->format = kodama_source_format(source);
    play->length_s = (double)length / (double)play->format.rate_hz;
    config.on_chunk = on_chunk;
    config.user = play;
    code = open_sink(play);
    int status = code == EXIT_DONE ? kodama_stream_open(&play->stream, source, &config, &error)
                                   : KODAMA_ERR_CANCELLED;
    if (status < 0) kodama_source_close(source);
    if (code != EXIT_DONE || status == KODAMA_OK) return code;
    complain("play", "%s", error.message);
    return EXIT_FAILED;
}

static int play_run(const struct invocation *invocation)
{
    const struct play_options *options = invocation->options;
    struct play play = {.options = options};
    struct kodama_error error = {0};
    if (options->to && options->to_mic) {
        complain("play", "--to and --to-mic do not go together");
        return EXIT_USAGE;
    }
    progress_open(&play.progress, "play", options->progress, false);
    int code = open_stream(&play, invocation);
    interrupt_arm();
    if (code == EXIT_DONE) {
        int status = play_all(&play, &error);
        if (status < 0) {
            progress_note(&play.progress, "%s",
                          error.message[0] ? error.message : kodama_strerror(status));
            code = EXIT_FAILED;
        } else if (interrupt_signal()) {
            code = 128 + interrupt_signal();
        }
    }
    atomic_store(&play.abandoned, true);
    kodama_stream_close(play.stream);
    kodama_sink_close(play.sink);
    progress_close(&play.progress);
    return code;
}

static const struct option_entry play_table[] = {
    {.name = "to",
     .kind = OPTION_TEXT,
     .argument = "DEVICE",
     .help = "Speakers: part of a name; the default ones when not given",
     .group = "Where to",
     .offset = offsetof(struct play_options, to)},
    {.name = "to-mic",
     .kind = OPTION_TEXT,
     .argument = "NAME",
     .help = "A microphone of this name, there for other programs while it plays",
     .offset = offsetof(struct play_options, to_mic)},
    {.name = "latency",
     .kind = OPTION_CHOICE,
     .argument = "HOW",
     .help = "How soon it is heard, against how often a processor wakes for it",
     .fallback = "normal",
     .choice = capture_latency_name,
     .offset = offsetof(struct play_options, latency)},
    CAPTURE_BACKEND_ENTRY(struct play_options, backend),
    PROGRESS_OPTION_ENTRY(struct play_options),
    INPUT_RAW_ENTRY(struct play_options),
    {0},
};

static const struct example play_examples[] = {
    {"kodama play talk.wav", "On the default speakers"},
    {"kodama play --to hdmi part1.flac part2.flac", "On others, one after the other"},
    {"kodama play --to-mic Announcer news.opus", "Into a call: choose the microphone Announcer"},
    {NULL, NULL},
};

static const struct exit_entry play_exits[] = {
    {EXIT_DONE, "Everything was heard"},
    {EXIT_FAILED, "The input failed, there is no such device, or no sound server answers; a "
                  "sentence on standard error says which"},
    {EXIT_USAGE, "The command line was not understood"},
    {EXIT_INTERRUPTED, "Ended by Ctrl-C (SIGINT)"},
    {EXIT_TERMINATED, "Ended by SIGTERM"},
    {0, NULL},
};

const struct command command_play = {
    .name = "play",
    .summary = "play sound on speakers, or into a virtual microphone",
    .description =
        "Plays sound files or standard input. With --to-mic other programs find a "
        "microphone of that name and hear it; it is never made the default one, and goes "
        "when the playing ends.",
    .operand = input_operand,
    .operand_help = "FILE is a recording in any format that libsndfile reads; several are played "
                    "one after the other; their rates and channels must agree. `-` is standard "
                    "input: a WAV stream, or what --raw says.",
    .operands_least = 1,
    .operands_most = 10000,
    .options = play_table,
    .options_bytes = sizeof(struct play_options),
    .examples = play_examples,
    .exits = play_exits,
    .run = play_run,
};
