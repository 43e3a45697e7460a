#define _DEFAULT_SOURCE
/* kodama transcode: one sound file into another, changed on the way. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kodama/clip.h>
#include <kodama/stream.h>

#include "command/command.h"
#include "command/input.h"
#include "command/interrupt.h"
#include "command/json.h"
#include "command/output.h"
#include "command/progress.h"
#include "command/soundfile.h"

static const char normalise_default[] = "-1dBFS", trim_default[] = "-50";

struct transcode_options {
    const char *type, *sample, *normalise, *trim, *raw;
    uint32_t rate_hz, channels;
    double quality, gain_db, fade_in_s, fade_out_s, start_s, end_s;
    bool overwrite, json, progress;
};

struct transcode {
    const struct transcode_options *options;
    const char *in, *out;
    struct kodama_clip *clip; /* the dispatcher's while it is read */
    struct kodama_format from;
    size_t read_frames;
    struct kodama_clip_normalise_config level;
    double trim_db;
    double gain_db; /* applied in all */
    bool levels, trims;
    struct progress progress;
    struct soundfile_stream stream; /* with `-` */
};

/* ----------------------------------------------------------------- options */

/* "-1dBFS", "-16LUFS" or a bare number of dBFS. */
static int choose_level(struct transcode *work)
{
    const char *text = work->options->normalise;
    work->level = (struct kodama_clip_normalise_config)KODAMA_CLIP_NORMALISE_CONFIG_INIT;
    if (!text) return EXIT_DONE;
    work->levels = true;
    if (!*text) text = normalise_default;
    char *unit;
    double value = strtod(text, &unit);
    bool number = unit != text && isfinite(value) && value <= 0.0 && value >= -100.0;
    while (*unit == ' ') unit++;
    if (number && strcasecmp(unit, "LUFS") == 0) {
        work->level.what = KODAMA_NORMALISE_LOUDNESS;
        work->level.loudness_lufs = value;
        return EXIT_DONE;
    }
    work->level.peak_db = value;
    if (number && (!*unit || strcasecmp(unit, "dBFS") == 0 || strcasecmp(unit, "dB") == 0)) {
        return EXIT_DONE;
    }
    complain("transcode",
             "--normalise cannot be \"%s\"; it takes a peak such as -1dBFS or a loudness such as "
             "-16LUFS, from -100 to 0",
             text);
    return EXIT_USAGE;
}

static int choose_trim(struct transcode *work)
{
    const char *text = work->options->trim;
    if (!text) return EXIT_DONE;
    work->trims = true;
    if (!*text) text = trim_default;
    char *end;
    work->trim_db = strtod(text, &end);
    if (end != text && !*end && work->trim_db >= -150.0 && work->trim_db <= 0.0) return EXIT_DONE;
    complain("transcode", "--trim cannot be \"%s\"; it takes a level in dBFS from -150 to 0", text);
    return EXIT_USAGE;
}

static int check_out(const struct transcode *work)
{
    const struct transcode_options *options = work->options;
    if (options->end_s > 0 && options->end_s <= options->start_s) {
        complain("transcode", "--end is not behind --start");
        return EXIT_USAGE;
    }
    if (soundfile_is_standard(work->out)) return EXIT_DONE;
    if (!options->type && kodama_file_of(work->out) == KODAMA_FILE_AUTO) {
        complain("transcode",
                 "cannot tell the type of %s by its name: let it end in .wav, .flac, .ogg, .opus "
                 "or .mp3, or give --type",
                 work->out);
        return EXIT_USAGE;
    }
    struct stat about;
    if (!options->overwrite && lstat(work->out, &about) == 0) {
        complain("transcode", "there is a file %s already; --overwrite replaces it", work->out);
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

/* -------------------------------------------------------------------- read */

static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct transcode *work = user;
    return kodama_clip_append(work->clip, work->from, chunk->frames, chunk->n_frames, NULL);
}

static int read_stream(struct transcode *work, struct kodama_source *source,
                       struct kodama_error *error)
{
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    struct kodama_stream *stream;
    int64_t length = kodama_source_length(source);
    config.on_chunk = on_chunk;
    config.user = work;
    config.chunk_frames = work->from.rate_hz / 4;
    int status = kodama_stream_open(&stream, source, &config, error);
    if (status < 0) {
        kodama_source_close(source);
        return status;
    }
    progress_begin(&work->progress, "reading");
    status = kodama_stream_start(stream, error);
    if (status == KODAMA_OK) {
        double length_s = (double)length / (double)work->from.rate_hz;
        status = progress_stream(&work->progress, stream, length_s, error);
    }
    kodama_stream_close(stream);
    return status;
}

static int failed(struct transcode *work, int status, const struct kodama_error *error)
{
    progress_note(&work->progress, "%s",
                  error->message[0] ? error->message : kodama_strerror(status));
    return EXIT_FAILED;
}

static int read_all(struct transcode *work)
{
    struct input_choice choice = {.names = &work->in, .n_names = 1};
    struct kodama_source *source;
    struct kodama_error error = {0};
    int code = input_raw(&choice.format, "transcode", work->options->raw);
    if (code == EXIT_DONE) code = input_open_choice(&source, "transcode", &choice);
    if (code != EXIT_DONE) return code;
    work->from = kodama_source_format(source);
    int status = kodama_clip_create(&work->clip, work->from, NULL, 0, &error);
    if (status < 0)
        kodama_source_close(source);
    else
        status = read_stream(work, source, &error);
    if (status < 0) return failed(work, status, &error);
    work->read_frames = kodama_clip_frames(work->clip);
    return EXIT_DONE;
}

/* ------------------------------------------------------------------ change */

static void replace(struct transcode *work, struct kodama_clip *clip)
{
    kodama_clip_destroy(work->clip);
    work->clip = clip;
}

static size_t frame_at(const struct transcode *work, double time_s)
{
    double frame = round(time_s * (double)kodama_clip_format(work->clip).rate_hz);
    size_t n_frames = kodama_clip_frames(work->clip);
    return frame < (double)n_frames ? (size_t)frame : n_frames;
}

static int cut(struct transcode *work, size_t first, size_t n_frames, struct kodama_error *error)
{
    struct kodama_clip *part;
    if (first == 0 && n_frames == kodama_clip_frames(work->clip)) return KODAMA_OK;
    int status = kodama_clip_slice(&part, work->clip, first, n_frames, error);
    if (status == KODAMA_OK) replace(work, part);
    return status;
}

static int cut_times(struct transcode *work, struct kodama_error *error)
{
    const struct transcode_options *options = work->options;
    size_t begin = frame_at(work, options->start_s);
    size_t end =
        options->end_s > 0 ? frame_at(work, options->end_s) : kodama_clip_frames(work->clip);
    return cut(work, begin, end - begin, error);
}

static int trim(struct transcode *work, struct kodama_error *error)
{
    size_t first, n_frames;
    if (!work->trims) return KODAMA_OK;
    int status = kodama_clip_bounds(work->clip, work->trim_db, &first, &n_frames);
    if (status == KODAMA_ERR_EMPTY)
        n_frames = 0;
    else if (status < 0)
        return status;
    return cut(work, first, n_frames, error);
}

/* Any number to one, one to any number; what is between has no one right answer. */
static int remix(struct transcode *work, struct kodama_error *error)
{
    uint32_t wanted = work->options->channels, channels = kodama_clip_format(work->clip).channels;
    struct kodama_clip *clip;
    int status;
    if (wanted == 0 || wanted == channels) return KODAMA_OK;
    if (wanted == 1) {
        status = kodama_clip_mono(&clip, work->clip, error);
    } else if (channels == 1) {
        const struct kodama_clip *copies[KODAMA_CHANNELS_MAX];
        for (uint32_t c = 0; c < wanted; c++) copies[c] = work->clip;
        status = kodama_clip_merge(&clip, copies, wanted, error);
    } else {
        complain("transcode",
                 "%s has %u channels: they can be mixed to one with --channels=1, but not to %u",
                 work->in, (unsigned)channels, (unsigned)wanted);
        return KODAMA_ERR_UNSUPPORTED;
    }
    if (status == KODAMA_OK) replace(work, clip);
    return status;
}

static int resample(struct transcode *work, struct kodama_error *error)
{
    struct kodama_clip *clip;
    uint32_t rate_hz = work->options->rate_hz;
    if (rate_hz == 0 || rate_hz == kodama_clip_format(work->clip).rate_hz) return KODAMA_OK;
    int status = kodama_clip_resample(&clip, work->clip, rate_hz, error);
    if (status == KODAMA_OK) replace(work, clip);
    return status;
}

static int change_level(struct transcode *work, struct kodama_error *error)
{
    const struct transcode_options *options = work->options;
    int status = KODAMA_OK;
    double gain_db = 0.0;
    if (options->gain_db < 0 || options->gain_db > 0) {
        status = kodama_clip_gain(work->clip, options->gain_db, error);
        work->gain_db = options->gain_db;
    }
    if (status == KODAMA_OK && work->levels) {
        status = kodama_clip_normalise(work->clip, &work->level, &gain_db, error);
        work->gain_db += gain_db;
    }
    return status;
}

static int fade(struct transcode *work, struct kodama_error *error)
{
    const struct transcode_options *options = work->options;
    size_t in = frame_at(work, options->fade_in_s), out = frame_at(work, options->fade_out_s);
    int status = in > 0 ? kodama_clip_fade_in(work->clip, in, KODAMA_FADE_LINEAR, error) : 0;
    if (status < 0 || out == 0) return status;
    return kodama_clip_fade_out(work->clip, out, KODAMA_FADE_LINEAR, error);
}

static int change(struct transcode *work)
{
    static int (*const steps[])(struct transcode *, struct kodama_error *) = {
        cut_times, remix, trim, resample, change_level, fade};
    struct kodama_error error = {0};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int status = steps[i](work, &error);
        if (status == KODAMA_ERR_UNSUPPORTED && !error.message[0]) return EXIT_USAGE;
        if (status < 0) return failed(work, status, &error);
    }
    return EXIT_DONE;
}

/* ------------------------------------------------------------------- write */

static int write_stream(struct transcode *work)
{
    int code = soundfile_begin(&work->stream, "transcode", soundfile_type(work->options->type),
                               kodama_clip_format(work->clip),
                               work->options->sample ? soundfile_sample(work->options->sample)
                                                     : kodama_clip_origin(work->clip),
                               kodama_clip_frames(work->clip));
    if (code == EXIT_DONE) {
        (void)soundfile_write(&work->stream, work->clip);
        soundfile_end(&work->stream);
        code = output_code("transcode", &work->stream.output);
    }
    return code;
}

static int write_file(struct transcode *work)
{
    const struct transcode_options *options = work->options;
    struct kodama_clip_save_config config = KODAMA_CLIP_SAVE_CONFIG_INIT;
    struct kodama_error error = {0};
    config.type = soundfile_type(options->type);
    config.sample = soundfile_sample(options->sample);
    config.quality = options->quality;
    /* What nobody asked for may change so that the type can hold it. */
    config.fit = options->rate_hz == 0 && options->channels == 0;
    progress_begin(&work->progress, "writing");
    int status = kodama_clip_save(work->clip, work->out, &config, &error);
    return status < 0 ? failed(work, status, &error) : EXIT_DONE;
}

/* What the new file says it is: the type may have changed rate, channels and samples. */
static void look_at_result(const struct transcode *work, struct kodama_format *format)
{
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    struct kodama_source *source;
    config.paths = (const char *const[]){work->out};
    config.n_paths = 1;
    *format = kodama_clip_format(work->clip);
    if (soundfile_is_standard(work->out)) {
        *format = work->stream.format;
    } else if (kodama_source_open(&source, "file", &config, NULL) == KODAMA_OK) {
        *format = kodama_source_format(source);
        kodama_source_close(source);
    }
}

/* The ceiling may have kept it from what was asked for. */
static void add_loudness(const struct transcode *work, struct text *line)
{
    struct kodama_clip_loudness loudness;
    if (!work->levels || work->level.what != KODAMA_NORMALISE_LOUDNESS) return;
    if (kodama_clip_loudness(work->clip, &loudness, NULL) < 0) return;
    text_printf(line, ", %.1f LUFS", loudness.integrated_lufs);
    if (loudness.integrated_lufs < work->level.loudness_lufs - 0.1) {
        text_printf(line, " (held back by peaks, which stay below %.0f dBTP)",
                    work->level.ceiling_db);
    }
}

static int report(const struct transcode *work)
{
    const struct transcode_options *options = work->options;
    bool standard = soundfile_is_standard(work->out);
    int fd = standard ? STDERR_FILENO : STDOUT_FILENO;
    struct kodama_format format;
    struct stat about;
    look_at_result(work, &format);
    enum kodama_file type =
        options->type ? soundfile_type(options->type) : kodama_file_of(work->out);
    const char *type_name = kodama_file_name(standard ? KODAMA_FILE_WAV : type);
    uint64_t n_bytes = standard                       ? (uint64_t)work->stream.output.length
                       : stat(work->out, &about) == 0 ? (uint64_t)about.st_size
                                                      : 0;
    if (options->json) {
        json_t *all = json_object();
        json_object_set_new(all, "in", json_words(work->in));
        json_object_set_new(all, "out", json_words(work->out));
        json_object_set_new(all, "type", json_string(type_name));
        json_object_set_new(all, "sample", json_string(kodama_sample_name(format.sample)));
        json_object_set_new(all, "rate", json_integer(format.rate_hz));
        json_object_set_new(all, "channels", json_integer(format.channels));
        json_object_set_new(all, "in_frames", json_integer((json_int_t)work->read_frames));
        json_object_set_new(all, "duration", json_rounded(kodama_clip_duration(work->clip), 6));
        json_object_set_new(all, "bytes", json_integer((json_int_t)n_bytes));
        json_object_set_new(all, "gain_db", json_rounded(work->gain_db, 3));
        return json_print("transcode", fd, all);
    }
    if (standard) return EXIT_DONE;
    struct text line = {0};
    char words[64];
    text_printf(&line, "%s: %s, %s, %.3f s, ", work->out, type_name,
                kodama_format_text(format, words, sizeof words), kodama_clip_duration(work->clip));
    text_add_size(&line, n_bytes);
    if (work->levels) text_printf(&line, ", gain %+.2f dB", work->gain_db);
    add_loudness(work, &line);
    text_add(&line, "\n");
    int code = output_whole("transcode", line.bytes, line.length);
    text_free(&line);
    return code;
}

static int convert(struct transcode *work)
{
    int code = read_all(work);
    if (code == EXIT_DONE) {
        /* There is no telling how far these are. */
        if (progress_is_shown(&work->progress)) progress_begin(&work->progress, "changing");
        code = change(work);
    }
    if (code != EXIT_DONE) return code;
    if (soundfile_is_standard(work->out)) return write_stream(work);
    /* From here on a signal waits: the file is either as it was or whole. */
    interrupt_arm();
    return write_file(work);
}

static int transcode_run(const struct invocation *invocation)
{
    const struct transcode_options *options = invocation->options;
    struct transcode work = {
        .options = options,
        .in = invocation->operands[0],
        .out = invocation->operands[1],
    };
    int code = choose_level(&work);
    if (code == EXIT_DONE) code = choose_trim(&work);
    if (code == EXIT_DONE) code = check_out(&work);
    if (code != EXIT_DONE) return code;
    progress_open(&work.progress, "transcode", options->progress, false);
    code = convert(&work);
    progress_close(&work.progress);
    if (code == EXIT_DONE) code = report(&work);
    if (code == EXIT_DONE && interrupt_signal()) code = 128 + interrupt_signal();
    kodama_clip_destroy(work.clip);
    return code;
}

/* ------------------------------------------------------------------- table */

#define TRANSCODE(member) .offset = offsetof(struct transcode_options, member)

static const struct option_entry transcode_table[] = {
    {.name = "type",
     .letter = 't',
     .kind = OPTION_CHOICE,
     .argument = "TYPE",
     .help = "Type of the new file; as its name ends when not given",
     .choice = soundfile_converted,
     .group = "The new file",
     TRANSCODE(type)},
    {.name = "sample",
     .kind = OPTION_CHOICE,
     .argument = "SAMPLE",
     .help = "How WAV and FLAC store samples; as they came when not given",
     .choice = soundfile_sample_name,
     TRANSCODE(sample)},
    {.name = "quality",
     .letter = 'q',
     .kind = OPTION_REAL,
     .argument = "Q",
     .help = "Of Ogg, Opus and MP3: above 0 (small) up to 1 (good); the encoder's own when not "
             "given",
     .least = 0.01,
     .most = 1,
     TRANSCODE(quality)},
    {.name = "overwrite",
     .kind = OPTION_ON,
     .help = "Replace OUT if there is such a file, once the new one is whole",
     TRANSCODE(overwrite)},
    {.name = "rate",
     .letter = 'r',
     .kind = OPTION_COUNT,
     .argument = "HZ",
     .help = "Frames per second, resampled at the best quality there is",
     .least = KODAMA_RATE_MIN_HZ,
     .most = KODAMA_RATE_MAX_HZ,
     .group = "Changes, in this order",
     TRANSCODE(rate_hz)},
    {.name = "channels",
     .letter = 'c',
     .kind = OPTION_COUNT,
     .argument = "N",
     .help = "1: mix down; more: copy a single channel so often",
     .least = 1,
     .most = KODAMA_CHANNELS_MAX,
     TRANSCODE(channels)},
    {.name = "start",
     .letter = 's',
     .kind = OPTION_TIME,
     .argument = "TIME",
     .help = "Leave out what is before: seconds or [H:]M:SS",
     .most = 1e7,
     TRANSCODE(start_s)},
    {.name = "end",
     .letter = 'e',
     .kind = OPTION_TIME,
     .argument = "TIME",
     .help = "Leave out what is behind",
     .most = 1e7,
     TRANSCODE(end_s)},
    {.name = "trim",
     .kind = OPTION_TEXT,
     .argument = "DBFS",
     .value_optional = true,
     .help = "Cut silence off both ends: all before the first and behind the last sample louder "
             "than this, -50 when not given",
     TRANSCODE(trim)},
    {.name = "gain",
     .letter = 'g',
     .kind = OPTION_REAL,
     .argument = "DB",
     .help = "Louder or softer by so many decibels",
     .least = -120,
     .most = 120,
     TRANSCODE(gain_db)},
    {.name = "normalise",
     .letter = 'n',
     .kind = OPTION_TEXT,
     .argument = "LEVEL",
     .value_optional = true,
     .help = "Bring the loudest sample to -1dBFS (the default), or the loudness to -16LUFS; "
             "the true peak stays below -1 dBTP then",
     TRANSCODE(normalise)},
    {.name = "fade-in",
     .kind = OPTION_TIME,
     .argument = "TIME",
     .help = "Fade in over the beginning",
     .most = 1e7,
     TRANSCODE(fade_in_s)},
    {.name = "fade-out",
     .kind = OPTION_TIME,
     .argument = "TIME",
     .help = "Fade out over the end",
     .most = 1e7,
     TRANSCODE(fade_out_s)},
    {.name = "json",
     .letter = 'j',
     .kind = OPTION_ON,
     .help = "Print one line of JSON about the new file",
     .group = "Output",
     TRANSCODE(json)},
    PROGRESS_OPTION_ENTRY(struct transcode_options),
    INPUT_RAW_ENTRY(struct transcode_options),
    {0},
};

static const struct section transcode_sections[] = {
    {"The order of changes",
     "First --start and --end, then --channels, --trim, --rate, --gain, --normalise and the "
     "fades. Fades longer than the sound last as long as it does.\n\n"
     "Without --rate and --channels, what the type cannot hold is changed so that it fits: Opus "
     "takes the next higher of its rates, Ogg, Opus and MP3 mix more than two channels to one. "
     "With them, it is an error. The sound is in memory as a whole: one hour of stereo at 48 kHz "
     "takes 1.4 GB."},
    {"Files",
     "OUT is written beside its place and moved there when it is whole: there is never half a "
     "file, and one that was there stays until then. A Ctrl-C while it is written waits for that; "
     "a second one ends at once and may leave a file .kodama-*.part."},
    {"JSON", "  in, out, type, sample, rate, channels, in_frames, duration,\n"
             "  bytes, gain_db\n\n"
             "With - as OUT it is printed on standard error."},
    {NULL, NULL},
};

static const struct example transcode_examples[] = {
    {"kodama transcode talk.wav talk.opus", "Make it small"},
    {"kodama transcode --rate 16000 --channels 1 --sample s16 film.flac speech.wav",
     "What speech recognition wants"},
    {"kodama transcode --trim --normalise=-16LUFS raw.wav podcast.mp3",
     "Cut the silence off and bring it to the loudness of a podcast"},
    {"kodama transcode -s 1:30 -e 2:00 --fade-in 0.5 show.ogg part.ogg", "Cut half a minute out"},
    {"kodama transcode talk.mp3 - | kodama listen --fast -", "Write WAV into a pipe"},
    {NULL, NULL},
};

static const struct exit_entry transcode_exits[] = {
    {EXIT_DONE, "The new file is whole"},
    {EXIT_FAILED, "Reading or writing failed, or OUT is there already; a sentence on standard "
                  "error says how"},
    {EXIT_USAGE, "The command line was not understood"},
    {EXIT_INTERRUPTED, "Ended by Ctrl-C (SIGINT); OUT is as it was, or whole"},
    {EXIT_UNREAD, "The program that read standard output has gone away"},
    {EXIT_TERMINATED, "Ended by SIGTERM; OUT is as it was, or whole"},
    {0, NULL},
};

const struct command command_transcode = {
    .name = "transcode",
    .summary = "convert a sound file",
    .description = "Reads IN and writes it as OUT: another type, rate, number of channels or "
                   "level, or a part of it.",
    .operand = "IN OUT",
    .operand_help = "IN is a recording in any format that libsndfile reads, or `-`: a WAV stream "
                    "on standard input, or what --raw says. OUT ends in .wav, .flac, .ogg, .opus "
                    "or .mp3; `-` is a WAV stream on standard output.",
    .operands_least = 2,
    .operands_most = 2,
    .options = transcode_table,
    .options_bytes = sizeof(struct transcode_options),
    .sections = transcode_sections,
    .examples = transcode_examples,
    .exits = transcode_exits,
    .run = transcode_run,
};
