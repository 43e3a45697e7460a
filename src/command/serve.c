/* kodama serve: the recognition server. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kodama/detector.h>
#include <kodama/model.h>
#include <kodama/server.h>

#include "command/certificate.h"
#include "command/command.h"
#include "command/interrupt.h"
#include "command/model_wish.h"
#include "command/output.h"
#include "command/secret.h"
#include "command/text.h"

struct serve_options {
    const char *config;
    bool makes_certificate;
    struct option_list certificate_names;
    const char *host;
    uint32_t port;
    const char *token;
    const char *token_file;
    struct option_list origins;
    const char *certificate;
    const char *key;
    const char *engine;
    const char *model;
    const char *finals;
    const char *partials;
    const char *grammar;
    const char *language;
    uint32_t n_decoders;
    const char *detector;
    const char *voices;
    uint32_t voice_memory_mb;
    uint32_t max_sessions;
    uint32_t max_per_address;
    uint32_t max_upload_mb;
    uint32_t resume_s;
    uint32_t idle_s;
    uint32_t max_session_s;
    uint32_t stop_s;
    bool verbose;
};

static void log_line(void *user, enum kodama_log_level level, const char *line)
{
    (void)user;
    complain("serve", "%s%s",
             level <= KODAMA_LOG_ERROR     ? "error: "
             : level <= KODAMA_LOG_WARNING ? "warning: "
                                           : "",
             line);
}

static void fill(const struct serve_options *options, const struct kodama_log *log,
                 struct kodama_server_config *config)
{
    config->host = options->host;
    config->port = options->port;
    config->token = options->token;
    config->origins = options->origins.values;
    config->n_origins = options->origins.n;
    config->certificate = options->certificate;
    config->key = options->key;
    config->detector = options->detector;
    config->voices = options->voices;
    config->voice_memory_mb = options->voice_memory_mb;
    config->language = options->language;
    config->max_sessions = options->max_sessions;
    config->max_per_address = options->max_per_address;
    config->max_upload_mb = options->max_upload_mb;
    config->resume_ms = options->resume_s * 1000;
    config->idle_ms = options->idle_s * 1000;
    config->max_session_ms = options->max_session_s * 1000;
    config->log = log;
}

static struct model_wish wish(const struct serve_options *options, const struct kodama_log *log)
{
    return (struct model_wish){.engine = options->engine,
                               .model = options->model,
                               .finals = options->finals,
                               .partials = options->partials,
                               .grammar = options->grammar,
                               .language = options->language,
                               .n_decoders = options->n_decoders,
                               .log = log};
}

/* SIGHUP: load the model anew, for the default or its file may be another one now. */
static void reload(const struct serve_options *options, struct kodama_server *server,
                   const struct kodama_log *log)
{
    const struct model_wish wished = wish(options, log);
    struct model_choice choice;
    struct kodama_error error = {0};
    model_wish_finals(&wished, &choice);
    if (kodama_server_swap_model(server, &choice.config, &error) < 0) {
        complain("serve", "%s", error.message);
    }
}

static void wait_for_signal(const struct serve_options *options, struct kodama_server *server,
                            const struct kodama_log *log)
{
    unsigned n_reloads = 0; /* one may have come since the address was printed */
    while (!interrupt_signal()) {
        if (interrupt_reloads() != n_reloads) {
            n_reloads = interrupt_reloads();
            reload(options, server, log);
        }
        struct pollfd poller = {.fd = interrupt_descriptor(), .events = POLLIN};
        (void)poll(&poller, 1, -1);
        interrupt_acknowledge();
    }
}

static int serve(const struct serve_options *options, struct kodama_model *model,
                 struct kodama_model *partials, const struct kodama_log *log)
{
    struct kodama_server_config config = KODAMA_SERVER_CONFIG_INIT;
    struct kodama_server *server = NULL;
    struct kodama_error error = {0};
    char line[512];
    fill(options, log, &config);
    config.partials_model = partials;
    config.takes_models = true;
    if (kodama_server_open(&server, model, &config, &error) < 0) {
        complain("serve", "%s", error.message);
        kodama_model_close(model);
        kodama_model_close(partials);
        return EXIT_FAILED;
    }
    snprintf(line, sizeof line, "http%s://%s:%u\n", options->certificate ? "s" : "", options->host,
             kodama_server_port(server));
    int code = output_whole("serve", line, strlen(line));
    if (code == EXIT_DONE) {
        interrupt_arm();
        wait_for_signal(options, server, log);
        if (options->verbose) complain("serve", "finishing what was heard");
        if (kodama_server_stop(server, (int64_t)options->stop_s * 1000000000) < 0) {
            complain("serve", "what was not delivered in %u s is lost", options->stop_s);
            code = EXIT_FAILED;
        }
    }
    kodama_server_close(server);
    return code;
}

/* A certificate of one's own instead of a server. */
static int make_certificate(const struct serve_options *options)
{
    const char *certificate = options->certificate ? options->certificate : "cert.pem";
    const char *key = options->key ? options->key : "key.pem";
    int code = certificate_make(certificate, key, options->certificate_names.values,
                                options->certificate_names.n);
    if (code != EXIT_DONE) return code;
    struct text words = {0};
    text_printf(&words,
                "%s is the certificate, %s its key. To use them:\n"
                "  kodama serve --cert %s --key %s\n"
                "  curl --cacert %s https://localhost:8000/status\n",
                certificate, key, certificate, key, certificate);
    code = output_whole("serve", words.bytes, words.length);
    text_free(&words);
    return code;
}

static int serve_run(const struct invocation *invocation)
{
    struct serve_options options = *(const struct serve_options *)invocation->options;
    if (options.makes_certificate) return make_certificate(&options);
    struct kodama_model *model, *partials;
    struct kodama_error error = {0};
    char token[SECRET_BYTES];
    struct kodama_log log = {.write = log_line,
                             .level = options.verbose ? KODAMA_LOG_INFO : KODAMA_LOG_WARNING};
    if (options.token && options.token_file) {
        complain("serve", "--token and --token-file exclude each other");
        return EXIT_USAGE;
    }
    if (options.token_file) {
        if (!secret_read("serve", options.token_file, token)) return EXIT_FAILED;
        options.token = token;
    }
    const struct model_wish wished = wish(&options, &log);
    int code = model_wish_check("serve", &wished);
    if (code != EXIT_DONE) return code;
    interrupt_take_reloads();
    (void)interrupt_open(NULL, NULL);
    code = EXIT_FAILED;
    if (model_wish_open(&wished, &model, &partials, &error) == KODAMA_OK) {
        code = serve(&options, model, partials, &log);
    } else {
        complain("serve", "%s", error.message);
    }
    interrupt_close();
    return code;
}

#define AT(field) offsetof(struct serve_options, field)

static const struct option_entry serve_table[] = {
    {.name = "host",
     .kind = OPTION_TEXT,
     .argument = "ADDRESS",
     .help = "Address to listen on; 0.0.0.0: all. One that other machines reach needs a token",
     .fallback = "127.0.0.1",
     .group = "Listening",
     .offset = AT(host)},
    {.name = "port",
     .letter = 'p',
     .kind = OPTION_COUNT,
     .argument = "PORT",
     .help = "Port to listen on; 0: any free one, which is printed",
     .fallback = "8000",
     .least = 0,
     .most = 65535,
     .offset = AT(port)},
    {.name = "cert",
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "Speak TLS with this certificate (PEM)",
     .is_file = true,
     .offset = AT(certificate)},
    {.name = "key",
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "The certificate's private key (PEM)",
     .is_file = true,
     .offset = AT(key)},
    {.name = "make-cert",
     .kind = OPTION_ON,
     .help = "Make a certificate of one's own, and its key, and serve nothing; --cert and --key "
             "say where, otherwise cert.pem and key.pem. Files that are there are kept",
     .not_in_file = true,
     .offset = AT(makes_certificate)},
    {.name = "cert-name",
     .kind = OPTION_LIST,
     .argument = "NAME",
     .help = "With --make-cert: host name or address that it is for, beside localhost; may be "
             "given again",
     .not_in_file = true,
     .offset = AT(certificate_names)},
    {.name = "token",
     .kind = OPTION_TEXT,
     .argument = "SECRET",
     .help = "Secret that every request must carry. Others on this machine can see it in the list "
             "of processes; --token-file keeps it from them",
     .group = "Who may come in",
     .offset = AT(token)},
    {.name = "token-file",
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "Read that secret from the first line of a file",
     .is_file = true,
     .offset = AT(token_file)},
    {.name = "origin",
     .kind = OPTION_LIST,
     .argument = "ORIGIN",
     .help = "Web page that may use the server, such as https://example.org; may be given again. "
             "Pages of this machine always may",
     .offset = AT(origins)},
    {.name = "engine",
     .letter = 'e',
     .kind = OPTION_CHOICE,
     .argument = "ENGINE",
     .help = "Recognition engine; the best one that is there when not given",
     .choice = kodama_engine_name,
     .group = "Recognition",
     .offset = AT(engine)},
    {.name = "model",
     .letter = 'm',
     .kind = OPTION_TEXT,
     .argument = "MODEL",
     .help = "Name of a model (kodama models), or its folder or file; the default one of kodama "
             "models, else the engine's own, when not given",
     .is_file = true,
     .offset = AT(model)},
    {.name = "partials",
     .kind = OPTION_TEXT,
     .argument = "ENGINE",
     .help = "Make partials with this engine, or this model: a fast one beside a better one for "
             "the finals. Then nothing of them is stable",
     .offset = AT(partials)},
    {.name = "finals",
     .kind = OPTION_TEXT,
     .argument = "ENGINE",
     .help = "Make finals with this engine, or this model; as --engine or --model",
     .offset = AT(finals)},
    {.name = "language",
     .kind = OPTION_TEXT,
     .argument = "CODE",
     .help = "Language spoken where a client does not say, such as en, de or ja, with an engine "
             "that knows several; found out for each utterance when not given",
     .offset = AT(language)},
    {.name = "grammar",
     .letter = 'g',
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "Recognise only what this JSGF grammar allows",
     .is_file = true,
     .offset = AT(grammar)},
    {.name = "decoders",
     .kind = OPTION_COUNT,
     .argument = "N",
     .help = "Utterances decoded at the same time; 0: one per processor, at most 4",
     .fallback = "0",
     .least = 0,
     .most = 64,
     .offset = AT(n_decoders)},
    {.name = "detector",
     .kind = OPTION_CHOICE,
     .argument = "NAME",
     .help = "Voice activity detector",
     .choice = kodama_detector_name,
     .offset = AT(detector)},
    {.name = "voices",
     .kind = OPTION_TEXT,
     .argument = "FOLDER",
     .help = "Trained voices, as kodama voices keeps them; its own folder when not given",
     .is_file = true,
     .group = "Voices",
     .offset = AT(voices)},
    {.name = "voice-memory",
     .kind = OPTION_COUNT,
     .argument = "MB",
     .help = "For loaded voices; those used least recently are unloaded beyond it. 0: no limit",
     .fallback = "4000",
     .least = 0,
     .most = 1000000,
     .offset = AT(voice_memory_mb)},
    {.name = "max-sessions",
     .kind = OPTION_COUNT,
     .argument = "N",
     .help = "Conversations at a time, with those that wait for their client",
     .fallback = "256",
     .least = 1,
     .most = 100000,
     .group = "Limits",
     .offset = AT(max_sessions)},
    {.name = "max-per-address",
     .kind = OPTION_COUNT,
     .argument = "N",
     .help = "Connections from one address; 0: no limit",
     .fallback = "64",
     .least = 0,
     .most = 100000,
     .offset = AT(max_per_address)},
    {.name = "max-upload",
     .kind = OPTION_COUNT,
     .argument = "MB",
     .help = "Largest file to transcribe",
     .fallback = "2000",
     .least = 1,
     .most = 100000,
     .offset = AT(max_upload_mb)},
    {.name = "resume",
     .kind = OPTION_COUNT,
     .argument = "SECONDS",
     .help = "So long a session waits for a client that lost its connection",
     .fallback = "60",
     .least = 0,
     .most = 86400,
     .offset = AT(resume_s)},
    {.name = "idle",
     .kind = OPTION_COUNT,
     .argument = "SECONDS",
     .help = "A session that gets no audio ends after this; 0: never",
     .fallback = "300",
     .least = 0,
     .most = 86400,
     .offset = AT(idle_s)},
    {.name = "max-session",
     .kind = OPTION_COUNT,
     .argument = "SECONDS",
     .help = "A session ends after this, with what was heard delivered; 0: never",
     .fallback = "0",
     .least = 0,
     .most = 4000000,
     .offset = AT(max_session_s)},
    {.name = "stop",
     .kind = OPTION_COUNT,
     .argument = "SECONDS",
     .help = "When ended: so long finals may take that are not delivered yet",
     .fallback = "30",
     .least = 0,
     .most = 86400,
     .offset = AT(stop_s)},
    {.name = "config",
     .letter = 'c',
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "Read options from a file; what the command line says comes before it",
     .group = "Running",
     .is_file = true,
     .is_config = true,
     .not_in_file = true,
     .offset = AT(config)},
    {.name = "verbose",
     .letter = 'v',
     .kind = OPTION_ON,
     .help = "Tell on standard error what goes on; neither audio, text nor tokens",
     .offset = AT(verbose)},
    {0},
};

static const struct section serve_sections[] = {
    {"What it serves",
     "  GET /ws          live captions: WebSocket, audio in, messages out\n"
     "  POST /transcribe, POST /v1/audio/transcriptions\n"
     "                   whole files; the second as OpenAI's clients ask for it\n"
     "  GET /ws/voice    another voice: WebSocket, audio in, audio out, captions if wanted\n"
     "  POST /convert, POST /convert-chunk, POST /reset-session\n"
     "                   another voice for files, and for short pieces of a conversation\n"
     "  GET /status      version, engines, models, sessions (JSON)\n"
     "  GET /healthz     200 while it takes sessions, 503 while it ends\n"
     "  GET /metrics     counters for Prometheus\n"
     "  GET /v1/models   the model, and those of kodama models, as OpenAI's clients ask\n"
     "                   for them\n"
     "  POST /v1/models/default\n"
     "                   another model\n\n"
     "The protocol is described in docs/server.md. The address is printed on standard output when "
     "the server listens."},
    {"Another model",
     "POST /v1/models/default with {\"model\": NAME}, or SIGHUP after kodama models default NAME, "
     "loads "
     "a model while the server goes on. When it is ready, new utterances are decoded by it, also "
     "those of sessions in progress; those that were begun end with the old one, which is closed "
     "then. A model that cannot be loaded changes nothing. GET /v1/models and GET /status tell how "
     "far it is."},
    {"Configuration",
     "A file of options has one a line, by its long name without the dashes, for --config:\n\n"
     "  # comments begin like this\n"
     "  host = 0.0.0.0\n"
     "  token-file = /etc/kodama/token\n"
     "  origin = https://example.org\n"
     "  origin = https://example.com\n"
     "  verbose = yes\n\n"
     "What is not understood is refused, with its line. An option of the command line takes the "
     "place of the file's. An example with all of them is installed as "
     "share/doc/kodama/serve.conf."},
    {"Ending",
     "The first Ctrl-C, or SIGTERM, refuses new sessions, recognises what was heard, delivers it "
     "and exits. The second ends at once."},
    {NULL, NULL},
};

static const struct example serve_examples[] = {
    {"kodama serve", "Serve this machine on port 8000"},
    {"kodama serve --host 0.0.0.0 --token-file secret.txt --cert cert.pem --key key.pem",
     "Serve others, too"},
    {"kodama serve --make-cert --cert-name voice.example.org",
     "Make the certificate that the example above uses"},
    {"kodama serve --config /etc/kodama/serve.conf", "Read what to do from a file"},
    {"curl localhost:8000/status", "Ask how it is"},
    {NULL, NULL},
};

static const struct exit_entry serve_exits[] = {
    {EXIT_DONE, "Ended by a signal, and everything was delivered"},
    {EXIT_FAILED, "The model or the address failed, or something was not delivered; a sentence on "
                  "standard error says how"},
    {EXIT_USAGE, "The command line was not understood"},
    {0, NULL},
};

const struct command command_serve = {
    .name = "serve",
    .summary = "live captions for other programs, over the network",
    .description = "Serves speech recognition over WebSocket and HTTP: clients send audio while it "
                   "is spoken and get partial captions at once and finished ones when somebody "
                   "pauses. A client that loses its connection goes on where it was.",
    .options = serve_table,
    .options_bytes = sizeof(struct serve_options),
    .sections = serve_sections,
    .examples = serve_examples,
    .exits = serve_exits,
    .run = serve_run,
};
