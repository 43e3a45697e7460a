/* Live inputs: applications, microphones, the whole system; shared by all subcommands that hear. */
#include "command/capture.h"

#include <stdio.h>
#include <string.h>

#include <kodama/app.h>

#include "command/output.h"

enum { INPUTS_MAX = 3, PID_BYTES = 24 };

const char capture_section_title[] = "Live inputs";
const char capture_section_text[] =
    "--app, --pid, --mic and --system hear the sound server, PipeWire or PulseAudio. An "
    "application "
    "is heard as it plays, also when its sound goes nowhere else, and nobody else is; when it "
    "ends, "
    "the recording goes on with silence until it is there again. Several applications are heard "
    "together; applications, a microphone and the system are mixed, in step. --except hears "
    "everything but some applications. No other input ever takes the place of one that is missing.";

static const char *const latency_names[] = {"normal", "low", "battery", NULL};

const char *capture_latency_name(size_t index)
{
    return latency_names[index];
}

enum kodama_latency capture_latency(const char *name)
{
    if (name && strcmp(name, "low") == 0) return KODAMA_LATENCY_LOW;
    if (name && strcmp(name, "battery") == 0) return KODAMA_LATENCY_BATTERY;
    return KODAMA_LATENCY_NORMAL;
}

struct kodama_host *capture_host(const char *command, const char *backend, bool peaks)
{
    struct kodama_host_config config = KODAMA_HOST_CONFIG_INIT;
    struct kodama_host *host;
    struct kodama_error error = {0};
    config.backend = backend;
    config.peaks = peaks;
    if (kodama_host_open(&host, &config, &error) == KODAMA_OK) return host;
    complain(command, "%s", error.message);
    return NULL;
}

bool capture_is_chosen(const struct capture_options *options)
{
    return options->apps.n + options->pids.n + options->except.n > 0 || options->mic ||
           options->system;
}

int capture_check(const struct command *command, const struct capture_options *options,
                  size_t n_others)
{
    if (capture_is_chosen(options) && n_others > 0) {
        complain(command->name, "a live input and files do not go together; record the one, and "
                                "then what you need of it");
        return EXIT_USAGE;
    }
    if (capture_is_chosen(options) || n_others > 0) return EXIT_DONE;
    complain(command->name,
             "there is nothing to hear: name a file, or --app NAME, --mic or --system; try: %s",
             command->examples[0].line);
    return EXIT_USAGE;
}

static int check(const char *command, const struct capture_options *options)
{
    bool apps = options->apps.n + options->pids.n > 0;
    const char *wrong = NULL;
    if (options->except.n > 0 && apps)
        wrong = "--except is for everything; with --app only those who are named are heard";
    else if (options->except.n > 0 && options->system && options->system[0])
        wrong = "--except is for everything, not for the speakers that --system names";
    else if (options->compensate && !apps)
        wrong = "--compensate is for --app and --pid";
    if (!wrong) return EXIT_DONE;
    complain(command, "%s", wrong);
    return EXIT_USAGE;
}

/* Applications as they were named; the texts point into the options and `pids`. */
struct who {
    struct kodama_app_match matches[2 * OPTION_LIST_MAX];
    size_t n;
    char pids[OPTION_LIST_MAX][PID_BYTES];
};

static int add_match(struct who *who, const char *command, const char *text)
{
    struct kodama_error error = {0};
    if (kodama_app_parse(text, &who->matches[who->n], &error) == KODAMA_OK) {
        who->n++;
        return EXIT_DONE;
    }
    complain(command, "%s", error.message);
    return EXIT_USAGE;
}

static int choose(struct who *who, const char *command, const struct option_list *names,
                  const struct option_list *pids)
{
    int code = EXIT_DONE;
    who->n = 0;
    for (size_t i = 0; i < names->n && code == EXIT_DONE; i++) {
        code = add_match(who, command, names->values[i]);
    }
    for (size_t i = 0; pids && i < pids->n && code == EXIT_DONE; i++) {
        snprintf(who->pids[i], PID_BYTES, "pid:%s", pids->values[i]);
        code = add_match(who, command, who->pids[i]);
    }
    return code;
}

static int open_one(struct kodama_source **source, const char *command, const char *name,
                    const struct kodama_source_config *config)
{
    struct kodama_error error = {0};
    int status = kodama_source_open(source, name, config, &error);
    if (status == KODAMA_OK) return EXIT_DONE;
    complain(command, "%s", error.message[0] ? error.message : kodama_strerror(status));
    return EXIT_FAILED;
}

/* The inputs that are meant, each with a host of its own. */
static int open_inputs(struct kodama_mix_input *inputs, size_t *n, const char *command,
                       const struct capture_options *options, const struct kodama_log *log)
{
    static const struct kodama_source_config plain = KODAMA_SOURCE_CONFIG_INIT;
    struct kodama_source_config config = plain;
    struct who who;
    config.backend = options->backend;
    config.latency = capture_latency(options->latency);
    config.wait = options->wait;
    config.log = log;
    int code = choose(&who, command, &options->apps, &options->pids);
    if (code == EXIT_DONE && who.n > 0) {
        struct kodama_source_config app = config;
        app.apps = who.matches;
        app.n_apps = who.n;
        app.compensate = options->compensate;
        code = open_one(&inputs[*n].source, command, "app", &app);
        *n += code == EXIT_DONE;
    }
    if (code == EXIT_DONE && options->mic) {
        struct kodama_source_config mic = config;
        mic.device = options->mic[0] ? options->mic : NULL;
        code = open_one(&inputs[*n].source, command, "mic", &mic);
        *n += code == EXIT_DONE;
    }
    if (code == EXIT_DONE && (options->system || options->except.n > 0)) {
        struct kodama_source_config all = config;
        code = choose(&who, command, &options->except, NULL);
        all.except = who.matches;
        all.n_except = who.n;
        all.device = options->system && options->system[0] ? options->system : NULL;
        if (code == EXIT_DONE) code = open_one(&inputs[*n].source, command, "system", &all);
        *n += code == EXIT_DONE;
    }
    return code;
}

int capture_open(struct kodama_source **source, const char *command,
                 const struct capture_options *options, const struct kodama_log *log)
{
    struct kodama_mix_input inputs[INPUTS_MAX] = {{.gain = 1}, {.gain = 1}, {.gain = 1}};
    struct kodama_source_config mix = KODAMA_SOURCE_CONFIG_INIT;
    size_t n = 0;
    *source = NULL;
    int code = check(command, options);
    if (code == EXIT_DONE) code = open_inputs(inputs, &n, command, options, log);
    if (code == EXIT_DONE && n == 1) {
        *source = inputs[0].source;
        return EXIT_DONE;
    }
    mix.inputs = inputs;
    mix.n_inputs = n;
    mix.log = log;
    if (code == EXIT_DONE) code = open_one(source, command, "mix", &mix);
    for (size_t i = 0; code != EXIT_DONE && i < n; i++) kodama_source_close(inputs[i].source);
    return code;
}

/* A second at 48 kHz, in which links are made. */
enum { BEGINNING_FRAMES = 48000 };

static void on_event(void *user, const struct kodama_stream_event *event)
{
    struct capture_teller *teller = user;
    const struct kodama_log *log = teller->log;
    if (event->kind != KODAMA_STREAM_VANISHED) return;
    /* At the beginning nobody has gone: they have not come yet, one after the other in a mix. */
    if (!event->over && event->position >= BEGINNING_FRAMES) {
        teller->told = true;
        log->write(log->user, KODAMA_LOG_WARNING,
                   "who is heard has gone; silence until they are back");
    } else if (event->over && teller->told) {
        teller->told = false;
        log->write(log->user, KODAMA_LOG_WARNING, "who is heard is back");
    }
}

void capture_tell(struct capture_teller *teller, struct kodama_stream_config *config,
                  const struct kodama_log *log)
{
    *teller = (struct capture_teller){.log = log};
    if (log && log->level >= KODAMA_LOG_INFO) {
        config->log = log;
    } else if (log && log->write) {
        config->on_event = on_event;
        config->event_user = teller;
    }
}
