#define _DEFAULT_SOURCE
/* kodama info: what is in a sound file: its format, its levels, its loudness, its shape. */
#include <inttypes.h>
#include <langinfo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <kodama/stream.h>

#include "command/command.h"
#include "command/container.h"
#include "command/input.h"
#include "command/json.h"
#include "command/measure.h"
#include "command/output.h"
#include "command/progress.h"
#include "command/soundfile.h"

enum {
    WAVEFORM_ROWS = 6,
    COLUMNS_NOT_A_TERMINAL = 80,
};
/* Below, a constant offset is not worth a word: 0.1 % of full scale. */
static const double offset_shown = 0.001;

struct info_options {
    const char *raw;
    uint32_t width;
    bool json, waveform, progress;
};

/** One sound. */
struct info {
    const struct info_options *options;
    const char *name;
    struct container container;
    struct kodama_format format;
    double length_s; /* as the file says; < 0: not known */
    struct measure measure;
    struct measure_result result;
};

static size_t page_columns(const struct info_options *options)
{
    struct winsize size;
    if (options->width > 0) return options->width;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    /* One less: some terminals break a line that fills them. */
    return known ? (size.ws_col > 1 ? size.ws_col - 1U : 1U) : COLUMNS_NOT_A_TERMINAL;
}

static double duration_s(const struct info *info)
{
    return (double)info->measure.n_frames / (double)info->format.rate_hz;
}

/* ------------------------------------------------------------------- print */

static void add_db(struct text *page, double db, const char *unit)
{
    if (isfinite(db))
        text_printf(page, "%.1f %s", db, unit);
    else
        text_add(page, "silence");
}

static void add_format(struct text *page, const struct info *info)
{
    const struct container *container = &info->container;
    char format[64];
    text_printf(page, "  format    %s", container->name ? container->name : "sound");
    if (container->name && container->codec && strcmp(container->codec, container->name) != 0) {
        text_printf(page, " (%s)", container->codec);
    }
    text_printf(page, ", %s\n", kodama_format_text(info->format, format, sizeof format));
    text_printf(page, "  length    %.3f s, %" PRIu64 " frames", duration_s(info),
                info->measure.n_frames);
    if (container->n_bytes >= 0) {
        text_add(page, ", ");
        text_add_size(page, (uint64_t)container->n_bytes);
    }
    text_add(page, "\n");
}

static void add_levels(struct text *page, const struct info *info)
{
    const struct measure *measure = &info->measure;
    const struct measure_result *result = &info->result;
    text_add(page, "  level     rms ");
    add_db(page, result->rms_db, "dBFS");
    text_add(page, ", peak ");
    add_db(page, result->peak_db, "dBFS");
    if (measure->peak > 0) {
        text_printf(page, " at %.3f s", (double)measure->peak_at / (double)info->format.rate_hz);
    }
    text_printf(page, ", %" PRIu64 " clipped, %.0f %% silence\n", measure->clipped,
                100.0 * result->silent_share);
    if (fabs(result->offset) >= offset_shown) {
        text_printf(page, "  offset    %.2f %% of full scale\n", 100.0 * result->offset);
    }
    if (measure->replaced > 0) {
        text_printf(page, "  damage    %" PRIu64 " samples are no numbers; they count as silence\n",
                    measure->replaced);
    }
    text_add(page, "  loudness  ");
    add_db(page, result->loudness.integrated_lufs, "LUFS");
    text_add(page, ", true peak ");
    add_db(page, result->loudness.true_peak_db, "dBTP");
    text_printf(page, ", range %.1f LU\n", result->loudness.range_lu);
}

static void add_waveform(struct text *page, const struct info *info)
{
    size_t columns = page_columns(info->options);
    bool unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    char end[16];
    if (!info->options->waveform || info->measure.n_frames == 0) return;
    waveform_draw(&info->measure.waveform, page, columns, WAVEFORM_ROWS, unicode);
    screen_time(duration_s(info), end);
    size_t used = strlen("0:00") + strlen(end);
    if (columns <= used) return;
    text_add(page, "0:00");
    text_add_repeated(page, ' ', columns - used);
    text_printf(page, "%s\n", end);
}

static int print_text(const struct info *info, bool first)
{
    struct text page = {0};
    if (!first) text_add(&page, "\n");
    text_add_clean(&page, info->name, 0);
    text_add(&page, "\n");
    add_format(&page, info);
    add_levels(&page, info);
    add_waveform(&page, info);
    int code = output_whole("info", page.bytes, page.length);
    text_free(&page);
    return code;
}

static json_t *json_level(const struct info *info)
{
    const struct measure_result *result = &info->result;
    json_t *level = json_object();
    json_object_set_new(level, "rms_db", json_rounded(result->rms_db, 2));
    json_object_set_new(level, "peak_db", json_rounded(result->peak_db, 2));
    json_object_set_new(level, "peak", json_rounded(info->measure.peak, 6));
    json_object_set_new(level, "peak_frame", json_integer((json_int_t)info->measure.peak_at));
    json_object_set_new(level, "clipped", json_integer((json_int_t)info->measure.clipped));
    json_object_set_new(level, "not_numbers", json_integer((json_int_t)info->measure.replaced));
    json_object_set_new(level, "silence", json_rounded(result->silent_share, 4));
    json_object_set_new(level, "offset", json_rounded(result->offset, 6));
    return level;
}

static json_t *json_loudness(const struct info *info)
{
    const struct kodama_clip_loudness *of = &info->result.loudness;
    json_t *loudness = json_object();
    json_object_set_new(loudness, "integrated_lufs", json_rounded(of->integrated_lufs, 2));
    json_object_set_new(loudness, "range_lu", json_rounded(of->range_lu, 2));
    json_object_set_new(loudness, "true_peak_db", json_rounded(of->true_peak_db, 2));
    return loudness;
}

static int print_json(const struct info *info)
{
    const struct container *container = &info->container;
    json_t *all = json_object();
    json_object_set_new(all, "file", json_words(info->name));
    json_object_set_new(all, "container",
                        container->name ? json_string(container->name) : json_null());
    json_object_set_new(all, "codec",
                        container->codec ? json_string(container->codec) : json_null());
    json_object_set_new(all, "sample", json_string(kodama_sample_name(info->format.sample)));
    json_object_set_new(all, "rate", json_integer(info->format.rate_hz));
    json_object_set_new(all, "channels", json_integer(info->format.channels));
    json_object_set_new(all, "frames", json_integer((json_int_t)info->measure.n_frames));
    json_object_set_new(all, "duration", json_rounded(duration_s(info), 6));
    json_object_set_new(all, "bytes",
                        container->n_bytes < 0 ? json_null() : json_integer(container->n_bytes));
    json_object_set_new(all, "level", json_level(info));
    json_object_set_new(all, "loudness", json_loudness(info));
    return json_print("info", STDOUT_FILENO, all);
}

/* -------------------------------------------------------------------- look */

/* Hear all of it. Fails with words. */
static int hear(struct info *info, struct kodama_source *source, struct kodama_error *error)
{
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    struct kodama_stream *stream;
    struct progress progress;
    config.on_chunk = measure_chunk;
    config.user = &info->measure;
    config.chunk_frames = info->format.rate_hz / 4;
    int status = kodama_stream_open(&stream, source, &config, error);
    if (status < 0) {
        kodama_source_close(source);
        return status;
    }
    progress_open(&progress, "info", info->options->progress, false);
    status = kodama_stream_start(stream, error);
    if (status == KODAMA_OK) {
        status = progress_stream(&progress, stream, info->length_s, error);
    }
    kodama_stream_close(stream);
    progress_close(&progress);
    return status;
}

static int look(struct info *info, bool first)
{
    struct input_choice choice = {.names = &info->name, .n_names = 1};
    struct kodama_source *source;
    struct kodama_error error = {0};
    int code = input_raw(&choice.format, "info", info->options->raw);
    if (code == EXIT_DONE) code = input_open_choice(&source, "info", &choice);
    if (code != EXIT_DONE) return code;
    int64_t length = kodama_source_length(source);
    info->format = kodama_source_format(source);
    info->length_s = (double)length / (double)info->format.rate_hz;
    info->container = container_of_file(info->name);
    if (soundfile_is_standard(info->name) && !info->options->raw) info->container.name = "WAV";
    int status = measure_open(&info->measure, info->format, &error);
    if (status < 0)
        kodama_source_close(source);
    else
        status = hear(info, source, &error);
    if (status == KODAMA_OK) status = measure_finish(&info->measure, &info->result);
    if (status == KODAMA_OK) {
        code = info->options->json ? print_json(info) : print_text(info, first);
    } else {
        complain("info", "%s", error.message[0] ? error.message : kodama_strerror(status));
        code = EXIT_FAILED;
    }
    measure_close(&info->measure);
    return code;
}

static int info_run(const struct invocation *invocation)
{
    int code = EXIT_DONE;
    bool first = true;
    struct info *info = malloc(sizeof *info);
    if (!info) {
        complain("info", "out of memory");
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < invocation->n_operands; i++) {
        memset(info, 0, sizeof *info);
        info->options = invocation->options;
        info->name = invocation->operands[i];
        int one = look(info, first);
        if (one == EXIT_DONE) first = false;
        if (one != EXIT_DONE) code = one;
        /* The others may be read all the same; a reader that has gone away reads none of them. */
        if (one == EXIT_UNREAD || one == EXIT_USAGE) break;
    }
    free(info);
    return code;
}

/* ------------------------------------------------------------------- table */

static const struct option_entry info_table[] = {
    {.name = "json",
     .letter = 'j',
     .kind = OPTION_ON,
     .help = "Print one line of JSON for each file",
     .group = "Output",
     .offset = offsetof(struct info_options, json)},
    {.name = "width",
     .letter = 'w',
     .kind = OPTION_COUNT,
     .argument = "COLUMNS",
     .help = "Width of the waveform; that of the terminal when not given, or 80",
     .least = 8,
     .most = 1000,
     .offset = offsetof(struct info_options, width)},
    {.name = "no-waveform",
     .kind = OPTION_OFF,
     .help = "Leave the waveform out",
     .offset = offsetof(struct info_options, waveform)},
    PROGRESS_OPTION_ENTRY(struct info_options),
    INPUT_RAW_ENTRY(struct info_options),
    {0},
};

static const struct section info_sections[] = {
    {"What is measured",
     "level: the root of the mean square and the loudest sample, relative to full scale: a "
     "full-scale sine has a peak of 0 and an rms of -3.0 dBFS. A sample is clipped when it has the "
     "highest value of its type (1.0 and above in f32). Silence is the share of pieces of 10 ms "
     "in which no sample is louder than -60 dBFS.\n\n"
     "loudness: as EBU R 128 says, with gates: integrated loudness (not for less than 400 ms), "
     "the peak between the samples, and the range of loudness.\n\n"
     "The waveform shows the lowest and the highest sample of all channels; its full height is the "
     "peak. It is drawn in braille where the locale is UTF-8, else in ASCII.\n\n"
     "Sample types of compressed files are those in which they are decoded. Files are read in "
     "pieces: their length does not matter."},
    {"JSON", "What has no value, such as the level of silence in dB, is null:\n\n"
             "  file, container, codec, sample, rate, channels, frames,\n"
             "  duration, bytes,\n"
             "  level     {rms_db, peak_db, peak, peak_frame, clipped,\n"
             "             not_numbers, silence, offset}\n"
             "  loudness  {integrated_lufs, range_lu, true_peak_db}"},
    {NULL, NULL},
};

static const struct example info_examples[] = {
    {"kodama info talk.wav", "Format, levels, loudness and waveform"},
    {"kodama info --no-waveform *.flac", "The numbers of many files"},
    {"kodama info --json talk.opus | jq .loudness.integrated_lufs", "One number for a script"},
    {NULL, NULL},
};

static const struct exit_entry info_exits[] = {
    {EXIT_DONE, "Every file was read"},
    {EXIT_FAILED, "A file could not be read; a sentence on standard error says why, the others "
                  "were read"},
    {EXIT_USAGE, "The command line was not understood"},
    {EXIT_INTERRUPTED, "Ended by Ctrl-C (SIGINT)"},
    {EXIT_UNREAD, "The program that read standard output has gone away"},
    {0, NULL},
};

const struct command command_info = {
    .name = "info",
    .summary = "format, levels, loudness and waveform of a sound file",
    .description = "Reads sound files and says what they are: format, length, levels, loudness, "
                   "and what they look like.",
    .operand = "FILE...|-",
    .operand_help =
        "FILE is a recording in any format that libsndfile reads: WAV, FLAC, Ogg, Opus, MP3 and "
        "more. `-` is standard input: a WAV stream, or what --raw says.",
    .operands_least = 1,
    .operands_most = 100000,
    .options = info_table,
    .options_bytes = sizeof(struct info_options),
    .sections = info_sections,
    .examples = info_examples,
    .exits = info_exits,
    .run = info_run,
};
