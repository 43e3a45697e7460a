/* kodama record: sound into a file, as it arrives. */
#include "command/record.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kodama/meter.h>

#include "command/input.h"
#include "command/interrupt.h"
#include "command/json.h"
#include "command/levels_text.h"
#include "command/output.h"
#include "command/past.h"
#include "command/progress.h"
#include "command/taking.h"

/* How often the meter and the clock of the status line move on. */
enum { TICK_MS = 100 };
static const char extension_default[] = "wav";

struct record {
    const struct invocation *invocation;
    const struct record_options *options;
    const char **names; /* what is recorded */
    size_t n_names;
    char *path; /* of the file; `-`: standard output */
    struct progress progress;
    struct kodama_log log;
    struct taking taking;
    struct kodama_meter *meter; /* NULL: nobody looks at it */
    struct kodama_format format;
    double length_s; /* < 0: not known */
    unsigned pauses; /* seen */
    bool paused, stopping, failed;
};

static double seconds(const struct record *record, uint64_t n_frames)
{
    return (double)n_frames / (double)record->format.rate_hz;
}

/* --------------------------------------------------------------- while it runs */

static void tick(struct record *record)
{
    if (!progress_is_shown(&record->progress)) return;
    struct taken taken = taking_stats(&record->taking);
    double position_s = seconds(record, taken.frames);
    /* Lines, or files that are only copied: the bar says it all. */
    if (!record->meter) {
        progress_show(&record->progress, position_s, record->length_s);
        return;
    }
    struct text status = {0};
    char at[16], of[16];
    text_add(&status, screen_time(position_s, at));
    if (record->length_s > 0) text_printf(&status, " of %s", screen_time(record->length_s, of));
    levels_text(&status, record->meter, &record->progress.screen, !record->paused);
    text_add(&status, "  ");
    text_add_size(&status, taken.bytes);
    if (taken.lost_frames + taken.gap_frames > 0) {
        text_printf(&status, "  %.3f s lost in %" PRIu64 " gaps",
                    seconds(record, taken.lost_frames + taken.gap_frames),
                    taken.gaps + (taken.lost_frames > 0));
    }
    if (record->paused) text_add(&status, "  paused");
    if (record->stopping) text_add(&status, "  finishing the file");
    screen_status(&record->progress.screen, text_string(&status));
    text_free(&status);
}

static void take_signals(struct record *record)
{
    interrupt_acknowledge();
    unsigned pauses = interrupt_pauses();
    if ((pauses - record->pauses) % 2 == 1) {
        record->paused = !record->paused;
        taking_pause(&record->taking, record->paused);
    }
    record->pauses = pauses;
    if (interrupt_signal() && !record->stopping) {
        record->stopping = true;
        taking_stop(&record->taking);
    }
    screen_refresh(&record->progress.screen);
}

static void run(struct record *record)
{
    struct pollfd pollers[] = {{.fd = taking_descriptor(&record->taking), .events = POLLIN},
                               {.fd = interrupt_descriptor(), .events = POLLIN}};
    bool shown = progress_is_shown(&record->progress);
    while (!taking_has_ended(&record->taking)) {
        tick(record);
        if (poll(pollers, 2, shown ? TICK_MS : -1) <= 0) continue;
        if (pollers[1].revents) take_signals(record);
    }
    tick(record);
}

/* ------------------------------------------------------------------ the end */

static const char *reason(const struct record *record, const struct taken *taken)
{
    double duration_s = record->options->duration_s;
    if (record->failed) return "failed";
    if (interrupt_signal()) return "interrupted";
    bool whole = duration_s > 0 && seconds(record, taken->frames + 1) > duration_s;
    return whole ? "duration" : "ended";
}

/* How samples are stored, and in what. */
static void add_type(const struct record *record, struct kodama_format *format, const char **type)
{
    enum kodama_file file = soundfile_type(record->options->type);
    enum kodama_sample wanted = soundfile_sample(record->options->sample);
    *format = record->format;
    if (wanted != 0) format->sample = wanted;
    if (soundfile_is_standard(record->path)) {
        *type = kodama_file_name(KODAMA_FILE_WAV);
        *format = record->taking.pipe.format;
        return;
    }
    if (file == KODAMA_FILE_AUTO) file = kodama_file_of(record->path);
    *type = kodama_file_name(file);
    if (wanted == 0 && format->sample == KODAMA_SAMPLE_U8) format->sample = KODAMA_SAMPLE_S16;
    if (wanted == 0 && file == KODAMA_FILE_FLAC && format->sample > KODAMA_SAMPLE_S24) {
        format->sample = KODAMA_SAMPLE_S24;
    }
}

static int report_json(const struct record *record, const struct taken *taken, int fd)
{
    struct kodama_format format;
    const char *type;
    add_type(record, &format, &type);
    bool lossy = strcmp(type, "Opus") == 0 || strcmp(type, "Ogg Vorbis") == 0;
    json_t *all = json_object();
    json_object_set_new(all, "file", json_words(record->path));
    json_object_set_new(all, "type", json_string(type));
    json_object_set_new(all, "sample",
                        lossy ? json_null() : json_string(kodama_sample_name(format.sample)));
    json_object_set_new(all, "rate", json_integer(format.rate_hz));
    json_object_set_new(all, "channels", json_integer(format.channels));
    json_object_set_new(all, "frames", json_integer((json_int_t)taken->frames));
    json_object_set_new(all, "duration", json_rounded(seconds(record, taken->frames), 6));
    json_object_set_new(all, "bytes", json_integer((json_int_t)taken->bytes));
    json_object_set_new(all, "files", json_integer(taken->files));
    json_object_set_new(all, "lost", json_integer((json_int_t)taken->lost_frames));
    json_object_set_new(all, "gaps", json_integer((json_int_t)taken->gaps));
    json_object_set_new(all, "gap_frames", json_integer((json_int_t)taken->gap_frames));
    json_object_set_new(all, "paused", json_integer((json_int_t)taken->paused_frames));
    json_object_set_new(all, "reason", json_string(reason(record, taken)));
    return json_print("record", fd, all);
}

static int report(const struct record *record, const struct taken *taken)
{
    bool standard = soundfile_is_standard(record->path);
    int fd = standard ? STDERR_FILENO : STDOUT_FILENO;
    if (record->options->json) return report_json(record, taken, fd);
    /* A pipe works in silence, unless there is something to say. */
    if (standard && taken->lost_frames + taken->gap_frames == 0) return EXIT_DONE;
    struct text line = {0};
    text_printf(&line,
                "%s: %.3f s, %" PRIu64 " frames, %" PRIu64 " lost, %" PRIu64 " in %" PRIu64
                " gaps, ",
                record->path, seconds(record, taken->frames), taken->frames, taken->lost_frames,
                taken->gap_frames, taken->gaps);
    text_add_size(&line, taken->bytes);
    if (taken->files > 1) text_printf(&line, " in %u files", (unsigned)taken->files);
    if (taken->paused_frames > 0) {
        text_printf(&line, ", %.3f s left out", seconds(record, taken->paused_frames));
    }
    text_add(&line, "\n");
    struct output output = {.fd = fd, .name = standard ? "standard error" : "standard output"};
    (void)output_write(&output, line.bytes, line.length);
    int code = output_code("record", &output);
    text_free(&line);
    return code;
}

static int finish(struct record *record)
{
    struct kodama_error error = {0};
    int status = taking_wait(&record->taking, &error);
    int unwritten = record->taking.pipe.output.error;
    struct taken taken = taking_stats(&record->taking);
    kodama_meter_close(record->meter);
    record->meter = NULL;
    record->failed = status < 0 && unwritten != EPIPE;
    if (record->failed) {
        progress_note(&record->progress, "%s",
                      unwritten          ? error_words(unwritten)
                      : error.message[0] ? error.message
                                         : kodama_strerror(status));
    }
    progress_close(&record->progress);
    if (unwritten == EPIPE) return EXIT_UNREAD;
    int code = report(record, &taken);
    if (record->failed) return EXIT_FAILED;
    return code == EXIT_DONE && interrupt_signal() ? 128 + interrupt_signal() : code;
}

/* ----------------------------------------------------------------- opening */

static void log_line(void *user, enum kodama_log_level level, const char *line)
{
    struct record *record = user;
    /* What ends the recording is said at its end. */
    if (level == KODAMA_LOG_WARNING) progress_note(&record->progress, "%s", line);
}

static int choose_names(struct record *record)
{
    const struct option_list *inputs = &record->options->inputs;
    record->n_names = inputs->n + record->invocation->n_operands;
    int code =
        capture_check(record->invocation->command, &record->options->capture, record->n_names);
    if (code != EXIT_DONE) return code;
    record->names = calloc(record->n_names + 1, sizeof *record->names);
    if (!record->names) {
        complain("record", "out of memory");
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < inputs->n; i++) record->names[i] = inputs->values[i];
    for (size_t i = 0; i < record->invocation->n_operands; i++) {
        record->names[inputs->n + i] = record->invocation->operands[i];
    }
    return EXIT_DONE;
}

static int choose_path(struct record *record)
{
    const struct record_options *options = record->options;
    record->path = options->output
                       ? strdup(options->output)
                       : past_free_name(options->type ? options->type : extension_default);
    if (!record->path) {
        complain("record", "out of memory");
        return EXIT_FAILED;
    }
    if (options->past_s > 0 && (options->split_s > 0 || options->split_mb > 0 || options->fast ||
                                soundfile_is_standard(record->path))) {
        complain("record", "--past goes with neither --fast, --split-time, --split-size nor -o -");
        return EXIT_USAGE;
    }
    if (soundfile_is_standard(record->path)) {
        if (!options->marks && options->split_s <= 0 && options->split_mb <= 0) return EXIT_DONE;
        complain("record", "--marks, --split-time and --split-size need a file, not -");
        return EXIT_USAGE;
    }
    if (!options->type && kodama_file_of(record->path) == KODAMA_FILE_AUTO) {
        complain("record",
                 "cannot tell the type of %s by its name: let it end in .wav, .flac, .ogg or "
                 ".opus, or give --type",
                 record->path);
        return EXIT_USAGE;
    }
    const char *same = input_same_file(record->path, record->names, record->n_names);
    if (!same) return EXIT_DONE;
    complain("record", "--output names the input %s itself; name another file", same);
    return EXIT_USAGE;
}

static int open_source(struct record *record, struct kodama_source **source)
{
    const struct record_options *options = record->options;
    struct input_choice choice = {
        .names = record->names,
        .n_names = record->n_names,
        .generators = true,
        .paced = !options->fast,
        .log = &record->log,
    };
    int code = input_raw(&choice.format, "record", options->raw);
    if (code != EXIT_DONE) return code;
    if (options->fast && options->duration_s <= 0 && input_is_generator(&choice)) {
        complain("record", "%s has no end; with --fast give it a --duration", record->names[0]);
        return EXIT_USAGE;
    }
    code = capture_is_chosen(&options->capture)
               ? capture_open(source, "record", &options->capture, &record->log)
               : input_open_choice(source, "record", &choice);
    if (code != EXIT_DONE) return code;
    int64_t length = kodama_source_length(*source);
    record->format = kodama_source_format(*source);
    record->length_s = length < 0 ? -1.0 : seconds(record, (uint64_t)length);
    bool shorter = record->length_s < 0 || options->duration_s < record->length_s;
    if (options->duration_s > 0 && shorter) record->length_s = options->duration_s;
    return EXIT_DONE;
}

static struct kodama_recorder_config recorder_config(const struct record *record)
{
    const struct record_options *options = record->options;
    struct kodama_recorder_config config = KODAMA_RECORDER_CONFIG_INIT;
    config.type = soundfile_type(options->type);
    config.sample = soundfile_sample(options->sample);
    config.quality = options->quality;
    config.overwrite = options->overwrite;
    config.marks = options->marks;
    config.log = &record->log;
    return config;
}

static int open_taking(struct record *record, struct kodama_source *source)
{
    const struct record_options *options = record->options;
    struct kodama_recorder_config config = recorder_config(record);
    config.path = record->path;
    config.split_frames = (uint64_t)llround(options->split_s * record->format.rate_hz);
    config.split_bytes = (uint64_t)llround(options->split_mb * 1e6);
    config.max_frames = (uint64_t)llround(options->duration_s * record->format.rate_hz);
    if (options->duration_s > 0 && config.max_frames == 0) config.max_frames = 1;
    return taking_open(&record->taking, "record", source, &config);
}

static int remember(struct record *record, struct kodama_source *source)
{
    const struct record_options *options = record->options;
    struct past_config config = {
        .recorder = recorder_config(record),
        .path = options->output,
        .extension = options->type ? options->type : extension_default,
        .past_s = options->past_s,
        .duration_s = options->duration_s,
        .json = options->json,
    };
    return past_record(source, &config, &record->progress);
}

/* The level of what is only copied is no news. */
static void open_meter(struct record *record)
{
    if (record->progress.screen.fd < 0 || record->options->fast) return;
    struct kodama_ring *ring = kodama_stream_ring(record->taking.stream);
    /* Without a meter the recording is as good. */
    if (kodama_meter_open(&record->meter, ring, NULL, NULL) < 0) record->meter = NULL;
}

static int start(struct record *record)
{
    struct kodama_error error = {0};
    interrupt_arm();
    int status = taking_start(&record->taking, &error);
    if (status == KODAMA_OK) return EXIT_DONE;
    progress_note(&record->progress, "%s", error.message);
    return EXIT_FAILED;
}

static int record_to_end(struct record *record)
{
    struct kodama_source *source;
    interrupt_take_orders();
    progress_open(&record->progress, "record", record->options->progress, false);
    int code = open_source(record, &source);
    if (code == EXIT_DONE && record->options->past_s > 0) return remember(record, source);
    if (code == EXIT_DONE) code = open_taking(record, source);
    if (code != EXIT_DONE) return code;
    open_meter(record);
    code = start(record);
    if (code != EXIT_DONE) return code;
    run(record);
    return finish(record);
}

int record_run(const struct invocation *invocation)
{
    struct record record = {.invocation = invocation,
                            .options = invocation->options,
                            .taking = {.wake = {-1, -1}},
                            .length_s = -1.0};
    record.log =
        (struct kodama_log){.write = log_line, .user = &record, .level = KODAMA_LOG_WARNING};
    record.progress.screen.fd = -1;
    int code = choose_names(&record);
    if (code == EXIT_DONE) code = choose_path(&record);
    if (code == EXIT_DONE) code = record_to_end(&record);
    kodama_meter_close(record.meter);
    taking_close(&record.taking);
    progress_close(&record.progress);
    free(record.names);
    free(record.path);
    return code;
}
