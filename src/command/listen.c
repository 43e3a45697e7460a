/* kodama listen: live captions. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command/command.h"
#include "command/hearing.h"
#include "command/input.h"
#include "command/interrupt.h"
#include "command/listen.h"
#include "command/model_wish.h"
#include "command/output.h"
#include "command/screen.h"
#include "command/secret.h"
#include "command/transcript.h"

/* How often the meter and the clock of the status line move on. */
enum { TICK_MS = 100 };
/* Falling behind by less is not worth a word. */
static const double lag_shown_s = 1.5;

struct listen {
    const struct invocation *invocation;
    const struct listen_options *options;
    struct screen screen;
    bool captions; /* the screen shows captions; else at most progress */
    struct transcript printed, saved;
    bool prints, saves;
    struct kodama_log log;
    struct kodama_model *model;
    struct kodama_model *draft_model; /* makes the partials; NULL: the other does */
    struct hearing hearing;
    uint32_t rate_hz;
    double length_s; /* of the input, < 0: not known */
    bool paced;
    bool stopping;    /* a signal asked to end */
    bool unread;      /* whoever read standard output has gone away */
    bool failed;      /* something was complained about */
    double started_s; /* monotonic */
    double ticked_s;
    double awaited_s; /* end of the oldest utterance without a final, on the audio's clock; < 0 */
    uint32_t awaited;
    uint64_t words, utterances;
    double delay_most_s;
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double heard_s(const struct listen *listen)
{
    struct kodama_stream_stats stats;
    kodama_stream_stats(listen->hearing.stream, &stats);
    return (double)stats.frames / (double)listen->rate_hz;
}

/* ---------------------------------------------------------- what is shown */

static void add_position(struct text *status, const struct listen *listen, double position_s)
{
    char at[16], of[16];
    if (listen->paced) {
        text_add(status, screen_time(position_s, at));
        if (listen->length_s >= 0) {
            text_printf(status, " of %s", screen_time(listen->length_s, of));
        }
        return;
    }
    screen_progress(&listen->screen, status, position_s, listen->length_s);
    double spent_s = now_s() - listen->started_s;
    if (spent_s >= 1.0) text_printf(status, "  %.1f times as fast as speech", position_s / spent_s);
}

static void tick(struct listen *listen)
{
    double now = now_s();
    if (listen->screen.fd < 0 || (now - listen->ticked_s) * 1000.0 < TICK_MS) return;
    listen->ticked_s = now;
    struct text status = {0};
    double position_s = heard_s(listen);
    double lag_s = listen->awaited_s < 0 ? 0 : position_s - listen->awaited_s;
    /* Files are heard well ahead of the decoders when nothing paces them. */
    if (!listen->paced) {
        position_s -= hearing_pending_ms(&listen->hearing) / 1000.0;
        if (position_s < 0) position_s = 0;
    }
    if (listen->captions && listen->paced) {
        screen_meter(&listen->screen, hearing_level(&listen->hearing),
                     hearing_voice(&listen->hearing));
    }
    add_position(&status, listen, position_s);
    if (listen->stopping) {
        text_add(&status, "  finishing what was heard; Ctrl-C again ends at once");
    } else if (listen->paced && lag_s >= lag_shown_s) {
        text_printf(&status, "  %.1f s behind", lag_s);
    }
    screen_status(&listen->screen, status.bytes);
    text_free(&status);
}

static void show(struct listen *listen, const struct kodama_event *event)
{
    switch (event->kind) {
    case KODAMA_EVENT_SPEECH_STARTED:
        screen_show(&listen->screen, event->utterance,
                    (double)event->sample / (double)listen->rate_hz, "", 0);
        break;
    case KODAMA_EVENT_PARTIAL:
        screen_show(&listen->screen, event->utterance, heard_s(listen), event->text,
                    event->stable_bytes);
        break;
    case KODAMA_EVENT_FINAL:
        screen_finish(&listen->screen, event->utterance, event->start_s, event->text);
        break;
    case KODAMA_EVENT_SPEECH_STOPPED:
    case KODAMA_EVENT_SLOW:
    case KODAMA_EVENT_FAILED: break;
    }
}

static void count(struct listen *listen, const struct kodama_event *event)
{
    if (event->kind == KODAMA_EVENT_SPEECH_STOPPED && listen->awaited_s < 0) {
        listen->awaited = event->utterance;
        listen->awaited_s = (double)event->sample / (double)listen->rate_hz;
    }
    if (event->kind == KODAMA_EVENT_FINAL) {
        if (event->utterance >= listen->awaited) listen->awaited_s = -1;
        listen->utterances++;
        listen->words += event->n_words;
        double delay_s = heard_s(listen) - event->end_s;
        if (delay_s > listen->delay_most_s) listen->delay_most_s = delay_s;
    }
    if (event->kind == KODAMA_EVENT_FAILED) {
        listen->failed = true;
        screen_note(&listen->screen, "listen", "utterance %u could not be decoded: %s",
                    event->utterance, event->text ? event->text : "no reason given");
    }
}

/* --------------------------------------------------------------- writing */

static void stop(struct listen *listen)
{
    listen->stopping = true;
    hearing_stop(&listen->hearing);
}

/* Standard output failed: the captions have no reader any more. */
static void printing_failed(struct listen *listen)
{
    int error = listen->printed.output.error;
    listen->prints = false;
    if (error == EPIPE) {
        listen->unread = true;
    } else {
        listen->failed = true;
        screen_note(&listen->screen, "listen", "cannot write to standard output: %s",
                    error_words(error));
    }
    stop(listen);
}

/* The file failed: the captions on the screen go on. */
static void saving_failed(struct listen *listen)
{
    listen->saves = false;
    listen->failed = true;
    screen_note(&listen->screen, "listen",
                "cannot write to %s: %s; it ends after the last whole caption, captions here go on",
                listen->options->save, error_words(listen->saved.output.error));
}

static void handle(struct listen *listen, const struct kodama_event *event)
{
    count(listen, event);
    if (listen->captions) show(listen, event);
    if (listen->prints && !transcript_event(&listen->printed, event)) printing_failed(listen);
    if (listen->saves && !transcript_event(&listen->saved, event)) saving_failed(listen);
}

/* ------------------------------------------------------------------ loop */

static void wait_for_something(struct listen *listen)
{
    struct pollfd pollers[] = {{.fd = hearing_descriptor(&listen->hearing), .events = POLLIN},
                               {.fd = interrupt_descriptor(), .events = POLLIN}};
    if (poll(pollers, 2, listen->screen.fd >= 0 ? TICK_MS : -1) <= 0) return;
    if (pollers[1].revents) {
        interrupt_acknowledge();
        screen_refresh(&listen->screen);
    }
}

static void caption(struct listen *listen)
{
    for (;;) {
        struct kodama_event event;
        const char *note;
        if (interrupt_signal() && !listen->stopping) stop(listen);
        if (listen->unread && !listen->saves) return;
        tick(listen);
        int status = hearing_next(&listen->hearing, &event, &note);
        if (status == KODAMA_OK && note) {
            screen_note(&listen->screen, "listen", "%s", note);
        } else if (status == KODAMA_OK) {
            handle(listen, &event);
        } else if (status == KODAMA_ERR_EMPTY || status == KODAMA_ERR_TIMEOUT) {
            wait_for_something(listen);
        } else {
            /* The server has failed, and the source may go on for ever. */
            if (status != KODAMA_ERR_CLOSED) hearing_stop(&listen->hearing);
            break;
        }
    }
    struct kodama_error error = {0};
    struct kodama_client_stats stats = {0};
    if (listen->hearing.client) kodama_client_stats(listen->hearing.client, &stats);
    if (stats.lost_frames > 0) listen->failed = true; /* a note has told what is missing */
    int status = hearing_wait(&listen->hearing, &error);
    if (status < 0) {
        listen->failed = true;
        screen_note(&listen->screen, "listen", "%s",
                    error.message[0] ? error.message : kodama_strerror(status));
    }
}

static void begin_transcripts(struct listen *listen)
{
    const struct kodama_client *client = listen->hearing.client;
    struct transcript_facts facts = {.rate_hz = listen->rate_hz};
    facts.engine = client ? kodama_client_engine(client) : kodama_model_engine(listen->model);
    facts.model = client ? kodama_client_model(client) : kodama_model_name(listen->model);
    if (listen->prints && !transcript_begin(&listen->printed, facts)) printing_failed(listen);
    if (listen->saves && !transcript_begin(&listen->saved, facts)) saving_failed(listen);
}

static void end_transcripts(struct listen *listen)
{
    struct kodama_stream_stats stats;
    kodama_stream_stats(listen->hearing.stream, &stats);
    const char *reason = interrupt_signal() || listen->unread ? "interrupted"
                         : listen->failed                     ? "failed"
                                                              : "stopped";
    uint64_t samples = stats.frames + stats.lost_frames;
    if (listen->prints && !transcript_end(&listen->printed, reason, samples)) {
        printing_failed(listen);
    }
    if (listen->saves && !transcript_end(&listen->saved, reason, samples)) saving_failed(listen);
    if (listen->saves && !output_close(&listen->saved.output)) saving_failed(listen);
}

static double ratio(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0.0;
}

/** With two models the partials are counted at the other one. */
static void add_drafts(const struct listen *listen, struct kodama_model_stats *model)
{
    struct kodama_model_stats drafts;
    kodama_model_stats(listen->draft_model, &drafts);
    model->partials += drafts.partials;
    model->partials_shed += drafts.partials_shed;
    model->partial_cpu_ns += drafts.partial_cpu_ns;
}

static void report_model(struct listen *listen)
{
    struct kodama_model_stats model;
    kodama_model_stats(listen->model, &model);
    if (listen->draft_model) add_drafts(listen, &model);
    complain("listen", "%llu partials, %llu left out when busy", (unsigned long long)model.partials,
             (unsigned long long)model.partials_shed);
    complain("listen", "real-time factor %.3f for finals, %.3f for partials; %u decoders of %s %s",
             ratio(model.final_cpu_ns, model.audio_ns), ratio(model.partial_cpu_ns, model.audio_ns),
             model.n_decoders, kodama_model_engine(listen->model),
             kodama_model_name(listen->model));
}

static void report(struct listen *listen)
{
    struct kodama_stream_stats stats;
    kodama_stream_stats(listen->hearing.stream, &stats);
    double spent_s = now_s() - listen->started_s;
    if (stats.lost_frames > 0 && !listen->options->verbose) {
        complain("listen", "%llu frames were lost; they are heard as silence",
                 (unsigned long long)stats.lost_frames);
    }
    if (!listen->options->verbose) return;
    complain("listen", "heard %.1f s in %.1f s: %llu frames, %llu lost, %llu in gaps",
             (double)stats.frames / (double)listen->rate_hz, spent_s,
             (unsigned long long)stats.frames, (unsigned long long)stats.lost_frames,
             (unsigned long long)stats.source.gap_frames);
    complain("listen", "%llu utterances, %llu words", (unsigned long long)listen->utterances,
             (unsigned long long)listen->words);
    if (listen->hearing.client) {
        listen_server_report(listen->hearing.client);
    } else {
        report_model(listen);
    }
    if (listen->paced && listen->utterances > 0) {
        complain("listen", "a final came at most %.2f s after the end of its utterance",
                 listen->delay_most_s);
    }
}

/* --------------------------------------------------------------- opening */

static void log_line(void *user, enum kodama_log_level level, const char *line)
{
    struct listen *listen = user;
    screen_note(&listen->screen, "listen", "%s%s",
                level <= KODAMA_LOG_ERROR     ? "error: "
                : level <= KODAMA_LOG_WARNING ? "warning: "
                                              : "",
                line);
}

/* What is painted where, and what is written. */
static void choose_outputs(struct listen *listen)
{
    const struct listen_options *options = listen->options;
    bool text = strcmp(options->format, "text") == 0;
    listen->captions = text && screen_open(&listen->screen, STDOUT_FILENO);
    if (!listen->captions) {
        bool progress = options->fast && !isatty(STDOUT_FILENO);
        (void)screen_open(&listen->screen, progress ? STDERR_FILENO : -1);
    }
    listen->prints = !listen->captions;
    listen->printed.format = transcript_format_find(options->format);
    listen->printed.output = output_standard();
    listen->printed.partials = options->partials;
}

static struct model_wish wish(const struct listen *listen)
{
    const struct listen_options *options = listen->options;
    return (struct model_wish){.engine = options->engine,
                               .model = options->model,
                               .finals = options->finals,
                               .partials = options->partials ? options->drafts : NULL,
                               .grammar = options->grammar,
                               .language = options->language,
                               .n_decoders = options->n_decoders,
                               .log = &listen->log};
}

static int open_model(struct listen *listen)
{
    const struct model_wish wished = wish(listen);
    struct kodama_error error = {0};
    if (listen->options->server) return EXIT_DONE; /* the model is there */
    if (listen->captions) screen_status(&listen->screen, "loading the model");
    if (model_wish_open(&wished, &listen->model, &listen->draft_model, &error) == KODAMA_OK) {
        return EXIT_DONE;
    }
    screen_note(&listen->screen, "listen", "%s", error.message);
    return EXIT_FAILED;
}

/* Creating the transcript must not empty the recording. */
static int check_saved(const struct listen *listen)
{
    const struct invocation *invocation = listen->invocation;
    if (!listen->options->save) return EXIT_DONE;
    const char *same = input_same_file(
        listen->options->save, (const char *const *)invocation->operands, invocation->n_operands);
    if (!same) return EXIT_DONE;
    complain("listen", "--save names the recording %s itself; name another file", same);
    return EXIT_USAGE;
}

static int open_saved(struct listen *listen)
{
    const char *path = listen->options->save;
    if (!path) return EXIT_DONE;
    const struct transcript_format *format = transcript_format_of(path);
    listen->saved.format = format ? format : listen->printed.format;
    if (!output_create(&listen->saved.output, path)) {
        screen_note(&listen->screen, "listen",
                    "cannot save to %s: %s; name a file in a folder that you may write to", path,
                    error_words(listen->saved.output.error));
        return EXIT_FAILED;
    }
    listen->saves = true;
    return EXIT_DONE;
}

static int open_server(struct listen *listen, struct kodama_source *source, bool partials)
{
    struct kodama_client_config config;
    struct kodama_error error = {0};
    char token[SECRET_BYTES];
    int code = listen_server_config(listen->options, &config, token);
    if (code != EXIT_DONE) {
        kodama_source_close(source);
        return code;
    }
    config.partials = partials;
    config.log = &listen->log;
    if (listen->captions) screen_status(&listen->screen, "connecting to the server");
    int status = hearing_open_server(&listen->hearing, source, &config, listen->captions,
                                     &listen->log, &error);
    if (status == KODAMA_OK) return EXIT_DONE;
    screen_note(&listen->screen, "listen", "%s", error.message);
    return EXIT_FAILED;
}

static int open_hearing(struct listen *listen, struct kodama_source *source)
{
    const struct listen_options *options = listen->options;
    struct kodama_recognizer_config config = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_error error = {0};
    int64_t length = kodama_source_length(source);
    listen->rate_hz = kodama_source_format(source).rate_hz;
    listen->length_s = length < 0 ? -1.0 : (double)length / (double)listen->rate_hz;
    bool json = strcmp(options->format, "json") == 0;
    bool partials = options->partials && (listen->captions || json);
    if (options->server) return open_server(listen, source, partials);
    config.partials = partials;
    config.partials_model = listen->draft_model;
    config.segmenter.detector = options->detector;
    config.segmenter.threshold = (float)options->threshold;
    config.segmenter.silence_duration_ms = options->silence_ms;
    if (config.segmenter.fast_silence_ms > options->silence_ms) {
        config.segmenter.fast_silence_ms = options->silence_ms;
    }
    int status = hearing_open(&listen->hearing, source, listen->model, &config, listen->captions,
                              &listen->log, &error);
    if (status == KODAMA_OK) return EXIT_DONE;
    screen_note(&listen->screen, "listen", "%s", error.message);
    return EXIT_FAILED;
}

static int start(struct listen *listen)
{
    struct kodama_error error = {0};
    interrupt_arm();
    listen->started_s = now_s();
    begin_transcripts(listen);
    if (hearing_start(&listen->hearing, &error) == KODAMA_OK) return EXIT_DONE;
    screen_note(&listen->screen, "listen", "%s", error.message);
    return EXIT_FAILED;
}

static int open_input(struct listen *listen, struct kodama_source **source)
{
    const struct capture_options *capture = &listen->options->capture;
    if (capture_is_chosen(capture)) return capture_open(source, "listen", capture, &listen->log);
    return input_open(source, listen->invocation, &listen->options->input, listen->paced,
                      &listen->log);
}

static int open_all(struct listen *listen)
{
    struct kodama_source *source;
    int code = check_saved(listen);
    if (code != EXIT_DONE) return code;
    code = open_input(listen, &source);
    if (code != EXIT_DONE) return code;
    code = open_model(listen);
    if (code != EXIT_DONE) {
        kodama_source_close(source);
        return code;
    }
    code = open_hearing(listen, source);
    if (code == EXIT_DONE) code = open_saved(listen);
    return code == EXIT_DONE ? start(listen) : code;
}

static int exit_code(const struct listen *listen)
{
    if (listen->failed) return EXIT_FAILED;
    if (interrupt_signal()) return 128 + interrupt_signal();
    return listen->unread ? EXIT_UNREAD : EXIT_DONE;
}

int listen_run(const struct invocation *invocation)
{
    const struct listen_options *options = invocation->options;
    int checked = capture_check(invocation->command, &options->capture, invocation->n_operands);
    if (checked == EXIT_DONE) checked = listen_server_check(options);
    if (checked != EXIT_DONE) return checked;
    struct listen listen = {.invocation = invocation, .options = options, .awaited_s = -1};
    const struct model_wish wished = wish(&listen);
    if (!options->server) checked = model_wish_check("listen", &wished);
    if (checked != EXIT_DONE) return checked;
    listen.paced = !options->fast || capture_is_chosen(&options->capture);
    listen.log = (struct kodama_log){
        .write = log_line,
        .user = &listen,
        .level = options->verbose ? KODAMA_LOG_INFO : KODAMA_LOG_WARNING,
    };
    choose_outputs(&listen);
    (void)interrupt_open(screen_restore, &listen.screen);
    int code = open_all(&listen);
    if (code == EXIT_DONE) {
        caption(&listen);
        end_transcripts(&listen);
    }
    screen_close(&listen.screen);
    if (code == EXIT_DONE) {
        report(&listen);
        code = exit_code(&listen);
    }
    hearing_close(&listen.hearing);
    kodama_model_close(listen.model);
    kodama_model_close(listen.draft_model);
    interrupt_close();
    if (listen.saved.format) (void)output_close(&listen.saved.output);
    transcript_free(&listen.printed);
    transcript_free(&listen.saved);
    return code;
}
