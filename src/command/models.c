/* kodama models: the models on this machine, by name. */
#include "command/models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kodama/model_store.h>

#include "command/interrupt.h"
#include "command/json.h"
#include "command/output.h"
#include "command/progress.h"
#include "command/screen.h"

/* How often a bar is redrawn, and from where on its speed is more than a guess. */
static const double redraw_s = 0.1, settled_s = 1.0;

/** What is needed while the command runs. */
struct models {
    const struct models_options *options;
    struct kodama_model_store *store;
    struct screen screen;
    bool lines;         /* progress as lines */
    const char *work;   /* what is being brought in */
    double begun_s;     /* when the step began */
    double shown_s;     /* when it was shown last */
    uint64_t begun_at;  /* bytes that were there then */
    double shown_tenth; /* lines: the last tenth that was told */
    enum kodama_store_step step;
};

/* -------------------------------------------------------------------- progress */

static void add_pace(struct text *line, const struct models *models,
                     const struct kodama_store_progress *progress, double now_s)
{
    char left[16];
    double spent_s = now_s - models->begun_s;
    double pace = spent_s > 0 ? (double)(progress->n_done - models->begun_at) / spent_s : 0.0;
    if (spent_s < settled_s || pace <= 0.0) return;
    text_add(line, "  ");
    text_add_size(line, (uint64_t)pace);
    text_add(line, "/s");
    if (progress->n_total <= progress->n_done) return;
    double rest = (double)(progress->n_total - progress->n_done);
    text_printf(line, "  %s left", screen_time(rest / pace + 0.5, left));
}

static void add_words(struct text *line, const struct models *models,
                      const struct kodama_store_progress *progress, double now_s)
{
    static const char *const words[] = {[KODAMA_STORE_CONNECTS] = "asking for it",
                                        [KODAMA_STORE_RECEIVES] = "",
                                        [KODAMA_STORE_COPIES] = "copying  ",
                                        [KODAMA_STORE_CHECKS] = "checking  "};
    double part = 0.0;
    if (progress->n_total > 0) part = (double)progress->n_done / (double)progress->n_total;
    if (part > 1.0) part = 1.0;
    text_printf(line, "%s%s%s", models->work, models->lines ? ": " : "  ", words[progress->step]);
    if (progress->step == KODAMA_STORE_CONNECTS) return;
    if (progress->n_total > 0 && !models->lines) {
        screen_bar(&models->screen, line, part);
        text_add(line, "  ");
    }
    text_add_size(line, progress->n_done);
    if (progress->n_total > 0) {
        text_add(line, " of ");
        text_add_size(line, progress->n_total);
        text_printf(line, "  %.0f %%", floor(100.0 * part));
    }
    add_pace(line, models, progress, now_s);
}

/** Whether a line is due: one for each step, and one for each tenth of it. */
static bool is_line_due(struct models *models, const struct kodama_store_progress *progress)
{
    if (progress->step == KODAMA_STORE_CONNECTS || progress->n_total == 0) return false;
    double tenth = floor(10.0 * (double)progress->n_done / (double)progress->n_total);
    if (tenth <= models->shown_tenth) return false;
    models->shown_tenth = tenth;
    return true;
}

static bool on_progress(void *user, const struct kodama_store_progress *progress)
{
    struct models *models = user;
    double now_s = progress_now_s();
    if (interrupt_signal()) return false;
    if (progress->step != models->step) {
        models->step = progress->step;
        models->begun_s = now_s;
        models->begun_at = progress->n_done;
        models->shown_tenth = 0.0;
    }
    bool due = models->lines ? is_line_due(models, progress)
                             : models->screen.fd >= 0 && now_s - models->shown_s >= redraw_s;
    if (!due) return true;
    models->shown_s = now_s;
    struct text line = {0};
    add_words(&line, models, progress, now_s);
    if (models->lines)
        complain("models", "%s", text_string(&line));
    else
        screen_status(&models->screen, text_string(&line));
    text_free(&line);
    return true;
}

/* ------------------------------------------------------------------------ list */

static json_t *json_model(const struct kodama_stored_model *model)
{
    json_t *object = json_object();
    json_object_set_new(object, "name", json_words(model->name));
    json_object_set_new(object, "engine", model->engine ? json_string(model->engine) : json_null());
    json_object_set_new(object, "here", json_boolean(model->path));
    json_object_set_new(object, "default", json_boolean(model->is_default));
    json_object_set_new(object, "recognizes", json_boolean(model->recognizes));
    json_object_set_new(object, "bytes",
                        model->n_bytes ? json_integer((json_int_t)model->n_bytes) : json_null());
    json_object_set_new(object, "partial_bytes", json_integer((json_int_t)model->n_partial));
    json_object_set_new(object, "path", model->path ? json_words(model->path) : json_null());
    json_object_set_new(object, "address",
                        model->address ? json_words(model->address) : json_null());
    json_object_set_new(object, "sha256", model->sha256 ? json_words(model->sha256) : json_null());
    return object;
}

static int list_json(const struct models *models, const struct kodama_model_list *list)
{
    json_t *object = json_object(), *array = json_array();
    for (size_t i = 0; i < list->n_models; i++) {
        json_array_append_new(array, json_model(&list->models[i]));
    }
    json_object_set_new(object, "folder", json_words(kodama_model_store_folder(models->store)));
    json_object_set_new(object, "models", array);
    return json_print("models", STDOUT_FILENO, object);
}

static void add_row(struct text *page, const struct kodama_stored_model *model, size_t width)
{
    struct text size = {0}, part = {0};
    if (model->n_bytes) text_add_size(&size, model->n_bytes);
    if (model->n_partial) text_add_size(&part, model->n_partial);
    text_printf(page, "%c %-*s  %-13s %7s", model->is_default ? '*' : ' ', (int)width, model->name,
                model->engine ? model->engine : "(other)", text_string(&size));
    if (model->n_partial) text_printf(page, "  %s received", text_string(&part));
    if (model->is_default) text_add(page, "  default");
    text_add(page, "\n");
    text_free(&size);
    text_free(&part);
}

static int list_text(const struct models *models, const struct kodama_model_list *list)
{
    struct text page = {0};
    size_t width = 0, n_here = 0, n_known = 0;
    for (size_t i = 0; i < list->n_models; i++) {
        size_t n = strlen(list->models[i].name);
        if (n > width) width = n;
        if (list->models[i].path) n_here++;
    }
    if (n_here > 0) {
        text_add(&page, "In ");
        text_add_clean(&page, kodama_model_store_folder(models->store), 0);
        text_add(&page, "\n");
    } else {
        text_add(&page, "There are no models in ");
        text_add_clean(&page, kodama_model_store_folder(models->store), 0);
        text_add(&page, "\n");
    }
    for (size_t i = 0; i < list->n_models; i++) {
        const struct kodama_stored_model *model = &list->models[i];
        bool shown = model->path || model->n_partial || models->options->all || n_here == 0;
        if (!model->path && n_known++ == 0 && (models->options->all || n_here == 0)) {
            text_add(&page, "To be had with kodama models get NAME\n");
        }
        if (shown) add_row(&page, model, width);
    }
    if (n_here > 0 && !models->options->all && n_known > 0) {
        text_printf(&page, "%zu more can be had: kodama models list --all\n", n_known);
    }
    int code = output_whole("models", page.bytes, page.length);
    text_free(&page);
    return code;
}

static int run_list(struct models *models)
{
    struct kodama_model_list *list;
    struct kodama_error error = {0};
    if (kodama_model_store_list(models->store, &list, &error) < 0) {
        complain("models", "%s", error.message);
        return EXIT_FAILED;
    }
    int code = models->options->json ? list_json(models, list) : list_text(models, list);
    kodama_model_list_free(list);
    return code;
}

/* ------------------------------------------------------------------ get and add */

/** Say what came, and where it is. */
static int tell_model(const struct models *models, const struct kodama_taken_model *taken,
                      bool was_there)
{
    struct kodama_model_list *list;
    struct kodama_error error = {0};
    int code = EXIT_DONE;
    if (kodama_model_store_list(models->store, &list, &error) < 0) {
        complain("models", "%s", error.message);
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < list->n_models; i++) {
        const struct kodama_stored_model *model = &list->models[i];
        if (strcmp(model->name, taken->name) != 0 || !model->path) continue;
        if (models->options->json) {
            code = json_print("models", STDOUT_FILENO, json_model(model));
            continue;
        }
        struct text line = {0};
        text_printf(&line, "%s: %s", taken->name, was_there ? "is there already, " : "");
        text_add_clean(&line, model->path, 0);
        text_add(&line, "\n");
        code = output_whole("models", line.bytes, line.length);
        text_free(&line);
        if (was_there || !model->sha256 || taken->sum == KODAMA_STORE_SUM_SAME) continue;
        complain("models", "%s: %s; that of what came is kept beside it: %s", taken->name,
                 taken->sum == KODAMA_STORE_SUM_OTHER
                     ? "its checksum is not the one that is known for this name"
                     : "no checksum is known to compare it with",
                 model->sha256);
    }
    kodama_model_list_free(list);
    return code;
}

static void fill(struct models *models, struct kodama_store_config *config)
{
    const struct models_options *options = models->options;
    const char *mirror = getenv("KODAMA_MODELS_MIRROR");
    config->name = options->name;
    config->sha256 = options->sha256;
    config->mirror = options->mirror ? options->mirror : mirror;
    config->link = options->link;
    config->on_progress = on_progress;
    config->user = models;
}

/** Bring in one model. */
static int take(struct models *models, const char *what, bool gets)
{
    struct kodama_store_config config = KODAMA_STORE_CONFIG_INIT;
    struct kodama_taken_model taken;
    struct kodama_error error = {0};
    fill(models, &config);
    const char *slash = strrchr(what, '/');
    models->work = config.name ? config.name : slash && slash[1] ? slash + 1 : what;
    models->step = 0;
    models->lines = !screen_open(&models->screen, STDERR_FILENO) && models->options->progress;
    models->screen.transient = true;
    int status = gets ? kodama_model_store_get(models->store, what, &config, &taken, &error)
                      : kodama_model_store_add(models->store, what, &config, &taken, &error);
    screen_close(&models->screen);
    models->screen.fd = -1;
    if (status >= 0) return tell_model(models, &taken, status == 0);
    if (status == KODAMA_ERR_CANCELLED && interrupt_signal()) {
        if (gets) complain("models", "what came so far is kept: get it again, and the rest comes");
        return 128 + interrupt_signal();
    }
    complain("models", "%s", error.message);
    return EXIT_FAILED;
}

static int run_take(struct models *models, const struct invocation *invocation, bool gets)
{
    int code = EXIT_DONE;
    if (models->options->name && invocation->n_operands > 2) {
        complain("models", "--name is for one model at a time");
        return EXIT_USAGE;
    }
    if (models->options->sha256 && invocation->n_operands > 2) {
        complain("models", "--sha256 is for one model at a time");
        return EXIT_USAGE;
    }
    (void)interrupt_open(screen_restore, &models->screen);
    interrupt_arm();
    for (size_t i = 1; i < invocation->n_operands && !interrupt_signal(); i++) {
        int done = take(models, invocation->operands[i], gets);
        if (done != EXIT_DONE) code = done;
    }
    interrupt_close();
    return code;
}

static int run_get(struct models *models, const struct invocation *invocation)
{
    return run_take(models, invocation, true);
}

static int run_add(struct models *models, const struct invocation *invocation)
{
    return run_take(models, invocation, false);
}

/* ---------------------------------------------------------- remove and default */

static int run_remove(struct models *models, const struct invocation *invocation)
{
    int code = EXIT_DONE;
    for (size_t i = 1; i < invocation->n_operands; i++) {
        struct kodama_error error = {0};
        if (kodama_model_store_remove(models->store, invocation->operands[i], &error) >= 0) {
            continue;
        }
        complain("models", "%s", error.message);
        code = EXIT_FAILED;
    }
    return code;
}

static int show_default(const struct models *models)
{
    char name[256];
    int status = kodama_model_store_default(models->store, name, sizeof name);
    if (models->options->json) {
        json_t *object = json_object();
        json_object_set_new(object, "default",
                            status == KODAMA_OK ? json_words(name) : json_null());
        return json_print("models", STDOUT_FILENO, object);
    }
    if (status == KODAMA_OK) {
        struct text line = {0};
        text_printf(&line, "%s\n", name);
        int code = output_whole("models", line.bytes, line.length);
        text_free(&line);
        return code;
    }
    if (name[0]) {
        complain("models", "the default model, %s, is not there any more", name);
        return EXIT_FAILED;
    }
    static const char none[] = "none: the best engine uses its own\n";
    return output_whole("models", none, sizeof none - 1);
}

static int run_default(struct models *models, const struct invocation *invocation)
{
    struct kodama_error error = {0};
    bool names = invocation->n_operands > 1;
    if (names && models->options->unset) {
        complain("models", "--unset takes no name");
        return EXIT_USAGE;
    }
    if (!names && !models->options->unset) return show_default(models);
    const char *name = names ? invocation->operands[1] : NULL;
    if (kodama_model_store_set_default(models->store, name, &error) >= 0) return EXIT_DONE;
    complain("models", "%s", error.message);
    return EXIT_FAILED;
}

/* ------------------------------------------------------------------------- run */

static int run_list_only(struct models *models, const struct invocation *invocation)
{
    (void)invocation;
    return run_list(models);
}

static const struct {
    const char *name;
    size_t least, most; /* of operands that follow */
    const char *follows;
    int (*run)(struct models *models, const struct invocation *invocation);
} actions[] = {
    {"list", 0, 0, "", run_list_only},      {"get", 1, 1000, "NAME or an address", run_get},
    {"add", 1, 1000, "FILE", run_add},      {"remove", 1, 1000, "NAME", run_remove},
    {"default", 0, 1, "NAME", run_default},
};
enum { N_ACTIONS = sizeof actions / sizeof actions[0] };

const char *models_operand(size_t index)
{
    return index < N_ACTIONS ? actions[index].name : kodama_known_model_name(index - N_ACTIONS);
}

int models_run(const struct invocation *invocation)
{
    struct models models = {.options = invocation->options, .screen.fd = -1};
    struct kodama_error error = {0};
    const char *wanted = invocation->n_operands > 0 ? invocation->operands[0] : "list";
    size_t i = 0, n_follow = invocation->n_operands > 0 ? invocation->n_operands - 1 : 0;
    while (i < N_ACTIONS && strcmp(actions[i].name, wanted) != 0) i++;
    if (i == N_ACTIONS) {
        complain("models", "\"%s\" is nothing to do with models; it can be%s", wanted,
                 " list, get, add, remove or default");
        return EXIT_USAGE;
    }
    if (n_follow < actions[i].least) {
        complain("models", "%s needs %s", wanted, actions[i].follows);
        return EXIT_USAGE;
    }
    if (n_follow > actions[i].most) {
        complain("models", "%s takes %s, not \"%s\"", wanted,
                 actions[i].most ? "one name" : "no name",
                 invocation->operands[actions[i].most + 1]);
        return EXIT_USAGE;
    }
    if (kodama_model_store_open(&models.store, models.options->folder, &error) < 0) {
        complain("models", "%s", error.message);
        return EXIT_FAILED;
    }
    int code = actions[i].run(&models, invocation);
    kodama_model_store_close(models.store);
    return code;
}
