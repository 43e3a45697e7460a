/* kodama voices: the trained voices on this machine, by name; also as kodama voice ACTION. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kodama/voice_store.h>

#include "command/command.h"
#include "command/json.h"
#include "command/output.h"
#include "command/text.h"
#include "command/voices.h"

struct voices_options {
    const char *folder, *encoder, *rmvpe, *index, *picture, *licence;
    const char *provider;
    double index_rate, protect, own_volume, transpose;
    uint32_t speaker, threads;
    bool use_rmvpe, replace, measure, json;
};

struct voices {
    const struct voices_options *options;
    struct kodama_voice_store *store;
};

static int failed(const struct kodama_error *error)
{
    complain("voices", "%s", error->message);
    return EXIT_FAILED;
}

/* ------------------------------------------------------------------------ list */

static json_t *json_voice(const struct kodama_voice_entry *entry)
{
    json_t *object = json_object();
    char dialect[2] = {entry->dialect, 0};
    json_object_set_new(object, "name", json_words(entry->name));
    json_object_set_new(object, "whole", json_boolean(entry->is_whole));
    json_object_set_new(object, "problem",
                        entry->is_whole ? json_null() : json_words(entry->problem));
    json_object_set_new(object, "dialect", json_words(dialect));
    json_object_set_new(object, "version", json_integer(entry->version));
    json_object_set_new(object, "rate", json_integer(entry->rate_hz));
    json_object_set_new(object, "pitch", json_boolean(entry->has_pitch));
    json_object_set_new(object, "rmvpe", json_boolean(entry->rmvpe));
    json_object_set_new(object, "bytes", json_integer((json_int_t)entry->n_bytes));
    json_object_set_new(object, "index_rate", json_rounded((double)entry->index_rate, 4));
    json_object_set_new(object, "protect", json_rounded((double)entry->protect, 4));
    json_object_set_new(object, "own_volume", json_rounded((double)entry->own_volume, 4));
    json_object_set_new(object, "transpose", json_rounded((double)entry->transpose, 4));
    json_object_set_new(object, "speaker", json_integer(entry->speaker));
    json_object_set_new(object, "folder", json_words(entry->folder));
    json_object_set_new(object, "index", entry->index[0] ? json_words(entry->index) : json_null());
    json_object_set_new(object, "picture",
                        entry->picture[0] ? json_words(entry->picture) : json_null());
    json_object_set_new(object, "licence",
                        entry->licence[0] ? json_words(entry->licence) : json_null());
    return object;
}

static void add_row(struct text *page, const struct kodama_voice_entry *entry)
{
    text_printf(page, "%-24s ", entry->name);
    if (!entry->is_whole) {
        text_add(page, "damaged: ");
        text_add_clean(page, entry->problem, 0);
        text_add(page, "\n");
        return;
    }
    text_printf(page, "v%u %c %5u Hz ", (unsigned)entry->version, entry->dialect,
                (unsigned)entry->rate_hz);
    text_add_size(page, entry->n_bytes);
    text_printf(page, "%s%s%s\n", entry->has_pitch ? "" : "  no pitch",
                entry->rmvpe ? "  RMVPE" : "", entry->index[0] ? "  index" : "");
}

static int print_list(const struct voices *voices, const struct kodama_voice_entry *entries,
                      size_t n)
{
    if (voices->options->json) {
        json_t *object = json_object(), *array = json_array();
        for (size_t i = 0; i < n; i++) json_array_append_new(array, json_voice(&entries[i]));
        json_object_set_new(object, "folder", json_words(kodama_voice_store_folder(voices->store)));
        json_object_set_new(object, "voices", array);
        return json_print("voices", STDOUT_FILENO, object);
    }
    struct text page = {0};
    text_add(&page, n > 0 ? "In " : "There are no voices in ");
    text_add_clean(&page, kodama_voice_store_folder(voices->store), 0);
    text_add(&page, n > 0 ? "\n" : "; kodama voice import takes one in\n");
    for (size_t i = 0; i < n; i++) add_row(&page, &entries[i]);
    int code = output_whole("voices", page.bytes, page.length);
    text_free(&page);
    return code;
}

static int run_list(struct voices *voices, const struct invocation *invocation)
{
    (void)invocation;
    struct kodama_error error = {0};
    int n = kodama_voice_store_list(voices->store, NULL, 0, &error);
    if (n < 0) return failed(&error);
    struct kodama_voice_entry *entries = calloc((size_t)n + 1, sizeof *entries);
    if (!entries) {
        complain("voices", "out of memory");
        return EXIT_FAILED;
    }
    int now = kodama_voice_store_list(voices->store, entries, (size_t)n, &error);
    int code = now < 0 ? failed(&error) : print_list(voices, entries, (size_t)(now < n ? now : n));
    free(entries);
    return code;
}

/* ------------------------------------------------------------------------ info */

static void add_line(struct text *page, const char *title, const char *what)
{
    if (!what[0]) return;
    text_printf(page, "  %-11s ", title);
    text_add_clean(page, what, 0);
    text_add(page, "\n");
}

/* What this machine sustains; loads the voice. False: `problem` says why not. */
static bool measure(const struct voices *voices, const char *name,
                    struct kodama_voice_model_facts *facts, struct kodama_error *problem)
{
    struct kodama_voice_model *model;
    if (kodama_voice_store_load(voices->store, name, &model, problem) < 0) return false;
    int status = kodama_voice_model_calibrate(model, problem);
    kodama_voice_model_facts(model, facts);
    kodama_voice_model_close(model);
    return status >= 0;
}

static void add_measured(struct text *page, const struct kodama_voice_model_facts *facts,
                         const struct kodama_error *problem)
{
    static const unsigned lengths[] = {50, 100, 200};
    for (size_t i = 0; i < 3; i++) {
        if (facts->cost_ms[i] == 0) continue;
        text_printf(page, "  measured    %u ms of voice take %u ms on %u threads\n", lengths[i],
                    (unsigned)facts->cost_ms[i], (unsigned)facts->n_threads);
    }
    if (problem->message[0])
        add_line(page, "live", problem->message);
    else if (facts->chunk_ms > 0)
        text_printf(page, "  live        in chunks of %u ms\n", (unsigned)facts->chunk_ms);
}

static int run_info(struct voices *voices, const struct invocation *invocation)
{
    struct kodama_voice_entry e;
    struct kodama_voice_model_facts facts = {0};
    struct kodama_error error = {0};
    const char *name = invocation->operands[1];
    if (kodama_voice_store_find(voices->store, name, &e, &error) < 0) return failed(&error);
    if (voices->options->measure) measure(voices, name, &facts, &error);
    if (voices->options->json) {
        json_t *object = json_voice(&e);
        if (voices->options->measure) {
            json_object_set_new(object, "live_chunk_ms",
                                facts.sustained ? json_integer(facts.chunk_ms) : json_null());
            json_object_set_new(object, "live_problem",
                                error.message[0] ? json_words(error.message) : json_null());
        }
        return json_print("voices", STDOUT_FILENO, object);
    }
    struct text page = {0};
    add_row(&page, &e);
    add_line(&page, "folder", e.folder);
    add_line(&page, "index", e.index);
    add_line(&page, "picture", e.picture);
    add_line(&page, "licence", e.licence);
    text_printf(&page,
                "  spoken      retrieval %g, protect %g, own volume %g, moved by %g semitones\n",
                (double)e.index_rate, (double)e.protect, (double)e.own_volume, (double)e.transpose);
    add_measured(&page, &facts, &error);
    int code = output_whole("voices", page.bytes, page.length);
    text_free(&page);
    return code;
}

/* ----------------------------------------------------------- import and remove */

static int run_import(struct voices *voices, const struct invocation *invocation)
{
    const struct voices_options *o = voices->options;
    struct kodama_voice_import import = KODAMA_VOICE_IMPORT_INIT;
    struct kodama_voice_entry entry;
    struct kodama_error error = {0};
    import.name = invocation->operands[1];
    import.generator = invocation->operands[2];
    import.encoder = o->encoder;
    import.rmvpe = o->rmvpe;
    import.use_rmvpe = o->use_rmvpe;
    import.index = o->index;
    import.picture = o->picture;
    import.licence = o->licence;
    import.replace = o->replace;
    import.index_rate = (float)o->index_rate;
    import.protect = (float)o->protect;
    import.own_volume = (float)o->own_volume;
    import.transpose = (float)o->transpose;
    import.speaker = o->speaker;
    int status = kodama_voice_store_import(voices->store, &import, &error);
    if (status == KODAMA_ERR_BUSY) {
        complain("voices", "there is a voice \"%s\" already; --replace takes its place",
                 import.name);
        return EXIT_FAILED;
    }
    if (status < 0 || kodama_voice_store_find(voices->store, import.name, &entry, &error) < 0)
        return failed(&error);
    if (o->json) return json_print("voices", STDOUT_FILENO, json_voice(&entry));
    struct text page = {0};
    add_row(&page, &entry);
    int code = output_whole("voices", page.bytes, page.length);
    text_free(&page);
    return code;
}

static int run_remove(struct voices *voices, const struct invocation *invocation)
{
    int code = EXIT_DONE;
    for (size_t i = 1; i < invocation->n_operands; i++) {
        struct kodama_error error = {0};
        if (kodama_voice_store_remove(voices->store, invocation->operands[i], &error) < 0)
            code = failed(&error);
    }
    return code;
}

/* ------------------------------------------------------------------------- run */

static const struct {
    const char *name;
    size_t least, most; /* of operands that follow */
    const char *follows;
    int (*run)(struct voices *voices, const struct invocation *invocation);
} actions[] = {
    {"models", 0, 0, "nothing more", run_list},
    {"import", 2, 2, "a NAME and the FILE of its generator", run_import},
    {"remove", 1, 1000, "NAME", run_remove},
    {"info", 1, 1, "one NAME", run_info},
};
enum { N_ACTIONS = sizeof actions / sizeof actions[0] };

const char *voices_action(size_t index)
{
    return index < N_ACTIONS ? actions[index].name : NULL;
}

static int voices_run(const struct invocation *invocation)
{
    struct voices voices = {.options = invocation->options};
    struct kodama_voice_store_config config = KODAMA_VOICE_STORE_CONFIG_INIT;
    struct kodama_error error = {0};
    const char *wanted = invocation->n_operands > 0 ? invocation->operands[0] : "models";
    size_t i = 0, n = invocation->n_operands > 0 ? invocation->n_operands - 1 : 0;
    while (i < N_ACTIONS && strcmp(actions[i].name, wanted) != 0) i++;
    if (i == N_ACTIONS) {
        complain("voices",
                 "\"%s\" is nothing to do with voices; it can be models, import, remove or info",
                 wanted);
        return EXIT_USAGE;
    }
    if (n < actions[i].least || n > actions[i].most) {
        complain("voices", "%s takes %s", wanted, actions[i].follows);
        return EXIT_USAGE;
    }
    config.folder = voices.options->folder;
    config.provider = voices.options->provider;
    config.n_threads = voices.options->threads;
    if (kodama_voice_store_open(&voices.store, &config, &error) < 0) return failed(&error);
    int code = actions[i].run(&voices, invocation);
    kodama_voice_store_close(voices.store);
    return code;
}

/* ----------------------------------------------------------------------- table */

#define AT(field) offsetof(struct voices_options, field)

static const struct option_entry voices_table[] = {
    {.name = "dir",
     .letter = 'd',
     .kind = OPTION_TEXT,
     .argument = "FOLDER",
     .help = "The folder of voices, kodama/voices below XDG_DATA_HOME or ~/.local/share when not "
             "given",
     .is_file = true,
     .offset = AT(folder)},
    {.name = "json", .letter = 'j', .kind = OPTION_ON, .help = "Print JSON", .offset = AT(json)},
    {.name = "measure",
     .kind = OPTION_ON,
     .help = "info: load it, and tell what this machine sustains",
     .offset = AT(measure)},
    {.name = "provider",
     .kind = OPTION_TEXT,
     .argument = "NAME",
     .help = "info: what runs it, cpu or what else the ONNX Runtime here was built for",
     .offset = AT(provider)},
    {.name = "threads",
     .kind = OPTION_COUNT,
     .argument = "N",
     .help = "info: threads of a run, one per processor when not given",
     .most = 256,
     .offset = AT(threads)},
    {.name = "encoder",
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "import: content encoder (ContentVec) in ONNX form, needed once for each version",
     .group = "Taking voices in",
     .is_file = true,
     .offset = AT(encoder)},
    {.name = "index",
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "import: vectors of the voice: .npy, or a .index of faiss (IVF-Flat)",
     .is_file = true,
     .offset = AT(index)},
    {.name = "rmvpe",
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "import: RMVPE in ONNX form, and take its pitch; needed once",
     .is_file = true,
     .offset = AT(rmvpe)},
    {.name = "use-rmvpe",
     .kind = OPTION_ON,
     .help = "import: take the pitch of the RMVPE that is here already",
     .offset = AT(use_rmvpe)},
    {.name = "picture",
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "import: a picture of the voice, PNG, JPEG, GIF or WebP",
     .is_file = true,
     .offset = AT(picture)},
    {.name = "licence",
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "import: the text of its licence",
     .is_file = true,
     .offset = AT(licence)},
    {.name = "replace",
     .kind = OPTION_ON,
     .help = "import: take the place of a voice of that name",
     .offset = AT(replace)},
    {.name = "index-rate",
     .kind = OPTION_REAL,
     .argument = "SHARE",
     .help = "import: how far it is drawn towards its index",
     .fallback = "0.75",
     .group = "How it is spoken",
     .most = 1.0,
     .offset = AT(index_rate)},
    {.name = "protect",
     .kind = OPTION_REAL,
     .argument = "SHARE",
     .help = "import: share of that where there is no pitch; 0.5 protects nothing",
     .fallback = "0.33",
     .most = 0.5,
     .offset = AT(protect)},
    {.name = "own-volume",
     .kind = OPTION_REAL,
     .argument = "SHARE",
     .help = "import: 0 is as loud as what comes in, 1 as loud as the model speaks",
     .fallback = "0.25",
     .most = 1.0,
     .offset = AT(own_volume)},
    {.name = "transpose",
     .kind = OPTION_REAL,
     .argument = "SEMITONES",
     .help = "import: what its pitch is always moved by",
     .fallback = "0",
     .least = -48.0,
     .most = 48.0,
     .offset = AT(transpose)},
    {.name = "speaker",
     .kind = OPTION_COUNT,
     .argument = "N",
     .help = "import: number of the speaker, in models of several",
     .fallback = "0",
     .most = 65535,
     .offset = AT(speaker)},
    {0},
};

static const struct section voices_sections[] = {
    {"What can be done",
     "  models            the voices that are here; also when nothing is said\n"
     "  import NAME FILE  take in a voice, exported to ONNX\n"
     "  remove NAME...    remove them\n"
     "  info NAME         what a voice is; with --measure, what this machine sustains\n\n"
     "kodama voice models, kodama voice import ... do the same."},
    {"What a voice needs",
     "FILE is the generator of a voice of the RVC kind, exported to ONNX; which dialect, version "
     "and rate it has is found out. It also needs a content encoder, which all voices of a version "
     "share: the first one is imported with --encoder, or it lies as content-768.onnx (version 2) "
     "or content-256.onnx (version 1) where models are kept. What runs them is ONNX Runtime; "
     "kodama doctor says whether it is there.\n\n"
     "A voice is loaded and speaks once before it is taken in; nothing of one that cannot is "
     "kept."},
    {"JSON",
     "models: {\"folder\", \"voices\": [...]}; import and info: one of these:\n\n"
     "  {\"name\", \"whole\", \"problem\", \"dialect\", \"version\", \"rate\", \"pitch\",\n"
     "   \"rmvpe\", \"bytes\", \"index_rate\", \"protect\", \"own_volume\", \"transpose\",\n"
     "   \"speaker\", \"folder\", \"index\", \"picture\", \"licence\"}\n\n"
     "info --measure adds live_chunk_ms (null: too slow) and live_problem."},
    {NULL, NULL},
};

static const struct example voices_examples[] = {
    {"kodama voice import robin robin.onnx --encoder contentvec.onnx", "The first voice"},
    {"kodama voice import anna anna.onnx --index added_IVF512_Flat.index --transpose 12",
     "Another one, with its index, an octave higher"},
    {"kodama voice info robin --measure", "Can this machine speak as robin, live?"},
    {NULL, NULL},
};

static const struct exit_entry voices_exits[] = {
    {EXIT_DONE, "Done"},
    {EXIT_FAILED, "There is no such voice, or it could not be taken in; a sentence on standard "
                  "error says why"},
    {EXIT_USAGE, "The command line was not understood"},
    {0, NULL},
};

const struct command command_voices = {
    .name = "voices",
    .summary = "take in and manage trained voices",
    .description = "Keeps trained voices in a folder, by name: takes them in, lists and removes "
                   "them, and measures whether this machine can speak as them, live.",
    .operand = "[models|import NAME FILE|remove NAME...|info NAME]",
    .operand_help = "What is to be done, and with which voices; models when not given",
    .operands_least = 0,
    .operands_most = 1001,
    .operand_choice = voices_action,
    .options = voices_table,
    .options_bytes = sizeof(struct voices_options),
    .sections = voices_sections,
    .examples = voices_examples,
    .exits = voices_exits,
    .run = voices_run,
};
