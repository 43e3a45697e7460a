#define _GNU_SOURCE
/* kodama doctor: what this machine can do, what is missing, and how to get it. */
#include <jansson.h>
#include <linux/membarrier.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <kodama/kodama.h>

#include "command/command.h"
#include "command/model_wish.h"
#include "command/output.h"
#include "command/screen.h"

enum { FINDINGS_MAX = 32 };

struct doctor_options {
    bool json;
};

/** A backend, an engine, a detector. */
struct finding {
    const char *name;
    bool works;
    char detail[512];
};

struct findings {
    struct finding list[FINDINGS_MAX];
    size_t n;
};

struct problem {
    char what[512];
    char how[512];
};

struct examination {
    struct findings backends, sound, engines, detectors, neural, models, network;
    struct problem problems[FINDINGS_MAX];
    size_t n_problems;
    char model[256]; /* that captions use */
    bool ring;       /* one can be created */
    bool captions;   /* they work */
};

static struct finding *add_finding(struct findings *findings, const char *name)
{
    if (findings->n == FINDINGS_MAX) return &findings->list[FINDINGS_MAX - 1];
    struct finding *finding = &findings->list[findings->n++];
    *finding = (struct finding){.name = name};
    return finding;
}

static void KODAMA_PRINTF(3, 4)
    add_problem(struct examination *found, const char *how, const char *what, ...)
{
    if (found->n_problems == FINDINGS_MAX) return;
    struct problem *problem = &found->problems[found->n_problems++];
    va_list arguments;
    va_start(arguments, what);
    vsnprintf(problem->what, sizeof problem->what, what, arguments);
    va_end(arguments);
    snprintf(problem->how, sizeof problem->how, "%s", how);
}

/* ------------------------------------------------------------ examining */

static void examine_backends(struct examination *found)
{
    static const struct {
        const char *name, *about;
    } known[] = {
        {"file", "recordings, paced in real time or as fast as they are read"},
        {"stdin", "standard input: a WAV stream or raw sound"},
        {"tone", "a sine, for tests"},
        {"noise", "white noise, the same in every run"},
        {"silence", "silence, marked as such"},
        {"null", "noise with faults on demand, for tests"},
        {"mix", "several sources as one"},
        {"app", "applications, by name or process"},
        {"mic", "microphones"},
        {"system", "everything that plays, or all but some applications"},
    };
    for (size_t i = 0; kodama_source_name(i); i++) {
        struct finding *finding = add_finding(&found->backends, kodama_source_name(i));
        finding->works = true;
        for (size_t j = 0; j < sizeof known / sizeof known[0]; j++) {
            if (strcmp(known[j].name, finding->name) != 0) continue;
            snprintf(finding->detail, sizeof finding->detail, "%s", known[j].about);
        }
    }
}

/* "speakers HDMI, microphone none" */
static void describe_defaults(struct kodama_host *host, char *detail, size_t n_bytes)
{
    struct kodama_device_list *list;
    const char *speakers = "none", *microphone = "none";
    if (kodama_host_devices(host, &list, NULL) < 0) return;
    for (size_t i = 0; i < list->n_devices; i++) {
        const struct kodama_device *device = &list->devices[i];
        if (!device->is_default) continue;
        const char *name = device->description[0] ? device->description : device->name;
        if (device->kind == KODAMA_DEVICE_SPEAKERS)
            speakers = name;
        else
            microphone = name;
    }
    struct text words = {0};
    text_add(&words, "answers; default speakers ");
    text_add_clean(&words, speakers, 0);
    text_add(&words, ", default microphone ");
    text_add_clean(&words, microphone, 0);
    snprintf(detail, n_bytes, "%s", words.bytes);
    text_free(&words);
    kodama_device_list_free(list);
}

static void examine_sound(struct examination *found)
{
    bool any = false;
    const char *how = "";
    for (size_t i = 0; kodama_host_backend_name(i); i++) {
        struct finding *finding = add_finding(&found->sound, kodama_host_backend_name(i));
        struct kodama_host_config config = KODAMA_HOST_CONFIG_INIT;
        struct kodama_host *host;
        struct kodama_error error = {0};
        config.backend = finding->name;
        finding->works = kodama_host_open(&host, &config, &error) == KODAMA_OK;
        any |= finding->works;
        if (finding->works) {
            describe_defaults(host, finding->detail, sizeof finding->detail);
            kodama_host_close(host);
        } else {
            snprintf(finding->detail, sizeof finding->detail, "%s", error.message);
            how = finding->detail;
        }
    }
    if (any) return;
    add_problem(found,
                how[0] ? how : "install libpipewire-0.3-dev or libpulse-dev and build Kodama again",
                "applications and microphones cannot be heard");
}

static void examine_engines(struct examination *found)
{
    for (size_t i = 0; kodama_engine_name(i); i++) {
        struct finding *finding = add_finding(&found->engines, kodama_engine_name(i));
        finding->works = kodama_engine_probe(finding->name, finding->detail,
                                             sizeof finding->detail) == KODAMA_OK;
        if (finding->works) continue;
        add_problem(found, finding->detail, "the recognition engine %s cannot work", finding->name);
    }
    bool any = found->engines.n > 0;
    /* Said also where it is not built in: how to get it, and no problem. */
    bool whisper = false;
    for (size_t i = 0; i < found->engines.n; i++) {
        whisper |= strcmp(found->engines.list[i].name, "whisper") == 0;
    }
    if (!whisper) {
        struct finding *finding = add_finding(&found->engines, "whisper");
        kodama_engine_probe(finding->name, finding->detail, sizeof finding->detail);
    }
    if (any) return;
    add_problem(found,
                "install the development package of an engine (Debian: libpocketsphinx-dev and "
                "pocketsphinx-en-us) and build Kodama again",
                "this build has no recognition engine");
}

static void examine_detectors(struct examination *found)
{
    for (size_t i = 0; kodama_detector_name(i); i++) {
        struct finding *finding = add_finding(&found->detectors, kodama_detector_name(i));
        struct kodama_detector_config config = KODAMA_DETECTOR_CONFIG_INIT;
        config.name = finding->name;
        finding->works =
            kodama_detector_probe(&config, finding->detail, sizeof finding->detail) == KODAMA_OK;
        /* The default one needs nothing; others are extra, and their line says how to get them. */
        if (!finding->works && i == 0)
            add_problem(found, finding->detail, "the voice activity detector %s cannot work",
                        finding->name);
    }
}

/* What runs trained models; nothing that must be there, so no problem when it is not. */
static void examine_neural(struct examination *found)
{
    struct finding *finding = add_finding(&found->neural, "onnxruntime");
    finding->works =
        kodama_neural_probe(NULL, finding->detail, sizeof finding->detail) == KODAMA_OK;
    struct finding *voices = add_finding(&found->neural, "voices");
    struct kodama_voice_store *store;
    struct kodama_error error = {0};
    int n = kodama_voice_store_open(&store, NULL, &error);
    if (n == KODAMA_OK) {
        n = kodama_voice_store_list(store, NULL, 0, &error);
        kodama_voice_store_close(store);
    }
    voices->works = n == 0 || (n > 0 && finding->works);
    if (n < 0)
        snprintf(voices->detail, sizeof voices->detail, "%s", error.message);
    else if (n == 0)
        snprintf(voices->detail, sizeof voices->detail,
                 "none was taken in yet; kodama voice import takes one in");
    else
        snprintf(voices->detail, sizeof voices->detail,
                 "%d trained; kodama voice models lists %s%s", n, n == 1 ? "it" : "them",
                 finding->works ? "" : ", but there is no ONNX Runtime to run them");
}

/* The user's models, and whether there can be more. */
static void examine_models(struct examination *found)
{
    struct finding *finding = add_finding(&found->models, "store");
    struct kodama_model_store *store;
    struct kodama_model_list *list = NULL;
    struct kodama_error error = {0};
    size_t n_here = 0;
    const char *preferred = "none";
    finding->works = kodama_model_store_open(&store, NULL, &error) == KODAMA_OK;
    if (finding->works) {
        finding->works = kodama_model_store_list(store, &list, &error) == KODAMA_OK;
        for (size_t i = 0; list && i < list->n_models; i++) {
            if (list->models[i].path) n_here++;
            if (list->models[i].is_default) preferred = list->models[i].name;
        }
        snprintf(finding->detail, sizeof finding->detail, "%zu in %s, default: %s%s", n_here,
                 kodama_model_store_folder(store), preferred,
                 kodama_model_store_downloads()
                     ? ""
                     : "; no downloads: install libcurl4-openssl-dev and build Kodama again");
        kodama_model_list_free(list);
        kodama_model_store_close(store);
    }
    if (!finding->works) snprintf(finding->detail, sizeof finding->detail, "%s", error.message);
}

/* Serving others, and being served; nothing that must be there either. Neither gets far without a
 * configuration. */
static void examine_network(struct examination *found)
{
    struct kodama_error error = {0};
    struct kodama_server *server;
    struct kodama_client *client;
    struct finding *finding = add_finding(&found->network, "server");
    finding->works = kodama_server_open(&server, NULL, NULL, &error) != KODAMA_ERR_UNSUPPORTED;
    snprintf(finding->detail, sizeof finding->detail, "%s",
             finding->works ? "kodama serve" : error.message);
    finding = add_finding(&found->network, "client");
    finding->works = kodama_client_open(&client, NULL, &error) != KODAMA_ERR_UNSUPPORTED;
    snprintf(finding->detail, sizeof finding->detail, "%s",
             finding->works ? "kodama listen --server" : error.message);
}

/* The mirrored mapping is the one thing that an unusual system may refuse. */
static void examine_ring(struct examination *found)
{
    struct kodama_ring_config config = KODAMA_RING_CONFIG_INIT;
    struct kodama_ring *ring = NULL;
    struct kodama_error error = {0};
    config.format = (struct kodama_format){KODAMA_SAMPLE_S16, 16000, 1, 0};
    if (kodama_ring_create(&ring, &config, &error) < 0) {
        add_problem(found,
                    "allow shared memory mappings (memfd_create, mmap) for this process, and look "
                    "at its limits of address space and file size: ulimit -v -f",
                    "a ring cannot be created: %s", error.message);
    }
    found->ring = ring != NULL;
    kodama_ring_destroy(ring);
}

/* Not only whether the files are there: load the model, as captions would. */
static void examine_captions(struct examination *found)
{
    const struct model_wish wish = {.n_decoders = 1};
    struct kodama_model *model = NULL, *partials = NULL;
    struct kodama_error error = {0};
    bool engine = false;
    for (size_t i = 0; i < found->engines.n; i++) engine |= found->engines.list[i].works;
    if (!engine) return;
    if (model_wish_open(&wish, &model, &partials, &error) < 0) {
        add_problem(found,
                    "install the model's package again, or choose another one with --model or "
                    "kodama models default (docs/models.md)",
                    "the default model cannot be loaded: %s", error.message);
        return;
    }
    snprintf(found->model, sizeof found->model, "%s %s", kodama_model_engine(model),
             kodama_model_name(model));
    kodama_model_close(model);
    bool detector = false;
    for (size_t i = 0; i < found->detectors.n; i++) detector |= found->detectors.list[i].works;
    found->captions = found->ring && detector && found->backends.n > 0;
}

static void examine(struct examination *found)
{
    examine_backends(found);
    examine_sound(found);
    examine_engines(found);
    examine_detectors(found);
    examine_neural(found);
    examine_models(found);
    examine_network(found);
    examine_ring(found);
    examine_captions(found);
}

/* Libraries that this build uses, as they were when it was built; jansson as it is now. */
static const char *library(size_t index, const char **version)
{
    static const struct {
        const char *name, *version;
    } built[] = {KODAMA_LIBRARIES{NULL, NULL}};
    if (index == 0) {
        *version = jansson_version_str();
        return "jansson";
    }
    *version = built[index - 1].version;
    return built[index - 1].name;
}

/* -------------------------------------------------------------- printing */

static json_t *json_findings(const struct findings *findings)
{
    json_t *list = json_array();
    for (size_t i = 0; i < findings->n; i++) {
        const struct finding *finding = &findings->list[i];
        json_t *entry = json_object();
        json_object_set_new(entry, "name", json_string(finding->name));
        json_object_set_new(entry, "works", json_boolean(finding->works));
        json_object_set_new(entry, "detail", json_string(finding->detail));
        json_array_append_new(list, entry);
    }
    return list;
}

static void add_json(struct text *page, const struct examination *found)
{
    json_t *all = json_object(), *libraries = json_object(), *problems = json_array();
    const char *name, *version;
    for (size_t i = 0; (name = library(i, &version)); i++) {
        json_object_set_new(libraries, name, json_string(version));
    }
    for (size_t i = 0; i < found->n_problems; i++) {
        json_t *entry = json_object();
        json_object_set_new(entry, "what", json_string(found->problems[i].what));
        json_object_set_new(entry, "how", json_string(found->problems[i].how));
        json_array_append_new(problems, entry);
    }
    json_object_set_new(all, "version", json_string(kodama_version()));
    json_object_set_new(all, "backends", json_findings(&found->backends));
    json_object_set_new(all, "sound", json_findings(&found->sound));
    json_object_set_new(all, "engines", json_findings(&found->engines));
    json_object_set_new(all, "detectors", json_findings(&found->detectors));
    json_object_set_new(all, "neural", json_findings(&found->neural));
    json_object_set_new(all, "models", json_findings(&found->models));
    json_object_set_new(all, "network", json_findings(&found->network));
    json_object_set_new(all, "libraries", libraries);
    json_object_set_new(all, "problems", problems);
    char *words = json_dumps(all, JSON_INDENT(2));
    if (words) text_printf(page, "%s\n", words);
    free(words);
    json_decref(all);
}

static void add_findings(struct text *page, const char *title, const struct findings *findings)
{
    for (size_t i = 0; i < findings->n; i++) {
        const struct finding *finding = &findings->list[i];
        text_printf(page, "%-11s %-13s %s%s\n", i == 0 ? title : "", finding->name,
                    finding->works ? "" : "does not work: ", finding->detail);
    }
    if (findings->n == 0) text_printf(page, "%-11s none\n", title);
}

static void add_machine(struct text *page)
{
    struct utsname system;
    struct rlimit lock;
    if (uname(&system) == 0) {
        text_printf(page, "%-11s %s %s on %s, %ld processors\n", "machine", system.sysname,
                    system.release, system.machine, sysconf(_SC_NPROCESSORS_ONLN));
    }
    if (getrlimit(RLIMIT_MEMLOCK, &lock) == 0) {
        if (lock.rlim_cur == RLIM_INFINITY)
            text_printf(page, "%-11s no limit\n", "locked mem");
        else {
            text_printf(page, "%-11s up to %llu KiB\n", "locked mem",
                        (unsigned long long)lock.rlim_cur / 1024);
        }
    }
    bool fences = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) > 0;
    text_printf(page, "%-11s %s\n", "membarrier",
                fences ? "there: writing costs nothing while nobody waits"
                       : "missing: every write pays for a full fence");
    struct screen screen;
    if (!screen_open(&screen, STDOUT_FILENO)) {
        text_printf(page, "%-11s none here: captions would be plain lines\n", "terminal");
    } else {
        text_printf(page, "%-11s %zu columns, %zu rows, %s, %s\n", "terminal", screen.width,
                    screen.height, screen.unicode ? "UTF-8" : "ASCII only",
                    screen.styled ? "bright and dim text" : "no styles (NO_COLOR)");
    }
    screen.fd = -1;
    screen_close(&screen);
}

static void add_libraries(struct text *page)
{
    const char *name, *version;
    text_printf(page, "%-11s ", "libraries");
    for (size_t i = 0; (name = library(i, &version)); i++) {
        text_printf(page, "%s%s %s", i ? ", " : "", name, version);
    }
    text_add(page, "\n");
}

static void add_text(struct text *page, const struct examination *found)
{
    text_printf(page, "%-11s %s\n", "kodama", kodama_version());
    add_machine(page);
    add_findings(page, "sources", &found->backends);
    add_findings(page, "sound", &found->sound);
    add_findings(page, "engines", &found->engines);
    add_findings(page, "detectors", &found->detectors);
    add_findings(page, "neural", &found->neural);
    add_findings(page, "models", &found->models);
    add_findings(page, "network", &found->network);
    add_libraries(page);
    text_add(page, "\n");
    for (size_t i = 0; i < found->n_problems; i++) {
        text_printf(page, "problem     %s\n  what to do  %s\n", found->problems[i].what,
                    found->problems[i].how);
    }
    if (found->captions)
        text_printf(page, "Captions work, with %s.\n", found->model);
    else
        text_add(page, "Captions do not work here.\n");
}

static int doctor_run(const struct invocation *invocation)
{
    const struct doctor_options *options = invocation->options;
    struct examination *found = calloc(1, sizeof *found);
    if (!found) {
        complain("doctor", "out of memory");
        return EXIT_FAILED;
    }
    struct text page = {0};
    examine(found);
    if (options->json)
        add_json(&page, found);
    else
        add_text(&page, found);
    int code = output_whole("doctor", page.bytes, page.length);
    if (code == EXIT_DONE && !found->captions) code = EXIT_FAILED;
    text_free(&page);
    free(found);
    return code;
}

static const struct option_entry doctor_table[] = {
    {.name = "json",
     .letter = 'j',
     .kind = OPTION_ON,
     .help = "Print JSON",
     .offset = offsetof(struct doctor_options, json)},
    {0},
};

static const struct section doctor_sections[] = {
    {"JSON", "  {\"version\", \"backends\": [...], \"engines\": [...], \"detectors\": [...],\n"
             "   \"neural\": [...], \"models\": [...], \"network\": [...],\n"
             "   \"libraries\": {name: version},\n"
             "   \"problems\": [{\"what\", \"how\"}]}\n\n"
             "Backends (sources of sound), engines, detectors, neural (what runs trained models), "
             "models (the store of kodama models) and network (kodama serve, and its client) are "
             "{\"name\", \"works\", \"detail\"}."},
    {NULL, NULL},
};

static const struct example doctor_examples[] = {
    {"kodama doctor", "See what works here, and what to do about what does not"},
    {"kodama doctor --json | jq -r '.problems[].how'", "Only what is to be done"},
    {NULL, NULL},
};

static const struct exit_entry doctor_exits[] = {
    {EXIT_DONE, "Captions work on this machine"},
    {EXIT_FAILED, "They do not; what was printed says what to do"},
    {EXIT_USAGE, "The command line was not understood"},
    {0, NULL},
};

const struct command command_doctor = {
    .name = "doctor",
    .summary = "what this machine can do, and what is missing",
    .description = "Looks at what this build and this machine have: sources, recognition engines, "
                   "detectors, libraries, the terminal. It loads the default model, as captions "
                   "would. For everything that is missing it says how to get it.",
    .options = doctor_table,
    .options_bytes = sizeof(struct doctor_options),
    .sections = doctor_sections,
    .examples = doctor_examples,
    .exits = doctor_exits,
    .run = doctor_run,
};
