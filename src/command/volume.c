/* kodama volume: how loud an application is, as the user's mixer has it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/app.h>

#include "command/capture.h"
#include "command/command.h"
#include "command/output.h"
#include "command/progress.h"
#include "command/text.h"

struct volume_options {
    const char *backend;
};

/* Volumes are stored in steps that are finer than this, and compared more coarsely. */
static const double volume_step = 0.005, patience_s = 2.0;

enum change_kind { CHANGE_NONE, CHANGE_SET, CHANGE_BY, CHANGE_MUTE, CHANGE_UNMUTE };

struct change {
    enum change_kind kind;
    double value; /* 1.0 = 100 % */
};

/* "50%", "+10%", "-10%", "mute", "unmute". */
static int read_change(const char *text, struct change *change)
{
    char *end;
    *change = (struct change){CHANGE_NONE, 0.0};
    if (!text) return EXIT_DONE;
    change->value = strtod(text, &end) / 100.0;
    if (end != text && strcmp(end, "%") == 0) end++;
    if (strcmp(text, "mute") == 0)
        change->kind = CHANGE_MUTE;
    else if (strcmp(text, "unmute") == 0)
        change->kind = CHANGE_UNMUTE;
    else if (end != text && !*end && fabs(change->value) <= KODAMA_VOLUME_MAX)
        change->kind = text[0] == '+' || text[0] == '-' ? CHANGE_BY : CHANGE_SET;
    if (change->kind != CHANGE_NONE) return EXIT_DONE;
    complain("volume", "\"%s\" is no volume; it can be 0%% to %.0f%%, +10%%, -10%%, mute or unmute",
             text, KODAMA_VOLUME_MAX * 100.0);
    return EXIT_USAGE;
}

/* Whether the host shows what was asked for. */
static bool is_seen(struct kodama_host *host, uint64_t id, double volume, bool muted)
{
    struct kodama_app_list *list;
    bool seen = true; /* also of one that has gone */
    if (kodama_host_apps(host, &list, NULL) < 0) return true;
    for (size_t i = 0; i < list->n_apps; i++) {
        const struct kodama_app *app = &list->apps[i];
        if (app->id != id) continue;
        seen = app->muted == muted && fabs(app->volume - volume) < volume_step;
    }
    kodama_app_list_free(list);
    return seen;
}

/* Stay until the server has done it: some forget what a client that has left has asked for. */
static void wait_for_change(struct kodama_host *host, uint64_t id, double volume, bool muted)
{
    struct kodama_host_event event;
    double until_s = progress_now_s() + patience_s;
    while (!is_seen(host, id, volume, muted)) {
        double left_s = until_s - progress_now_s();
        if (left_s <= 0) return;
        (void)kodama_host_next_event(host, &event, (int64_t)(left_s * 1e9));
    }
}

static int apply(struct kodama_host *host, const struct kodama_app *app,
                 const struct change *change, struct text *page)
{
    struct kodama_error error = {0};
    double volume = app->volume;
    bool muted = app->muted;
    int status = KODAMA_OK;
    switch (change->kind) {
    case CHANGE_NONE: break;
    case CHANGE_SET:
        volume = change->value;
        status = kodama_host_set_volume(host, app->id, volume, &error);
        break;
    case CHANGE_BY:
        status = kodama_host_change_volume(host, app->id, change->value, &volume, &error);
        break;
    case CHANGE_MUTE:
    case CHANGE_UNMUTE:
        muted = change->kind == CHANGE_MUTE;
        status = kodama_host_set_mute(host, app->id, muted, &error);
        break;
    }
    if (status < 0) {
        complain("volume", "%s", error.message);
        return EXIT_FAILED;
    }
    if (change->kind != CHANGE_NONE) wait_for_change(host, app->id, volume, muted);
    text_add_clean(page, app->name[0] ? app->name : app->binary, 0);
    text_printf(page, ": %.0f%%%s\n", volume * 100.0, muted ? ", muted" : "");
    return EXIT_DONE;
}

static void nobody(const char *text, const struct kodama_app_list *list)
{
    struct text names = {0};
    for (size_t i = 0; i < list->n_apps; i++) {
        text_printf(&names, "%s%s", i ? ", " : "", list->apps[i].name);
    }
    complain("volume", "no application \"%s\" makes sound now%s%s%s", text,
             names.length ? " (these do: " : "", text_string(&names), names.length ? ")" : "");
    text_free(&names);
}

static int change_all(struct kodama_host *host, const char *text,
                      const struct kodama_app_match *match, const struct change *change)
{
    struct kodama_app_list *list;
    struct kodama_error error = {0};
    struct text page = {0};
    if (kodama_host_apps(host, &list, &error) < 0) {
        complain("volume", "%s", error.message);
        return EXIT_FAILED;
    }
    int code = EXIT_DONE;
    bool found = false;
    for (size_t i = 0; i < list->n_apps; i++) {
        if (!kodama_app_matches(&list->apps[i], match, 1)) continue;
        found = true;
        int one = apply(host, &list->apps[i], change, &page);
        if (one != EXIT_DONE) code = one;
    }
    if (!found) {
        nobody(text, list);
        code = EXIT_FAILED;
    }
    int printed = page.length ? output_whole("volume", page.bytes, page.length) : EXIT_DONE;
    kodama_app_list_free(list);
    text_free(&page);
    return code == EXIT_DONE ? printed : code;
}

static int volume_run(const struct invocation *invocation)
{
    const struct volume_options *options = invocation->options;
    const char *text = invocation->operands[0];
    struct kodama_app_match match = {0};
    struct kodama_error error = {0};
    struct change change;
    int code = read_change(invocation->n_operands > 1 ? invocation->operands[1] : NULL, &change);
    if (code != EXIT_DONE) return code;
    if (kodama_app_parse(text, &match, &error) < 0) {
        complain("volume", "%s", error.message);
        return EXIT_USAGE;
    }
    struct kodama_host *host = capture_host("volume", options->backend, false);
    if (!host) return EXIT_FAILED;
    code = change_all(host, text, &match, &change);
    kodama_host_close(host);
    return code;
}

static const struct option_entry volume_table[] = {
    CAPTURE_BACKEND_ENTRY(struct volume_options, backend),
    {0},
};

static const struct example volume_examples[] = {
    {"kodama volume firefox", "How loud it is"},
    {"kodama volume firefox 50%", "Half of the mixer's scale"},
    {"kodama volume binary:mpv +10%", "A bit louder"},
    {"kodama volume pid:4711 mute", "Not a sound"},
    {NULL, NULL},
};

static const struct exit_entry volume_exits[] = {
    {EXIT_DONE, "Every application that matches was changed"},
    {EXIT_FAILED, "No such application makes sound, no sound server answers, or it refused; a "
                  "sentence on standard error says which"},
    {EXIT_USAGE, "The command line was not understood"},
    {EXIT_UNREAD, "The program that read standard output has gone away"},
    {0, NULL},
};

const struct command command_volume = {
    .name = "volume",
    .summary = "how loud an application is",
    .description =
        "Prints or changes the volume of every application that matches, on the scale of "
        "the user's mixer: for all its streams, and those that will come.",
    .operand = "APP [VOLUME]",
    .operand_help = "APP is part of a name, binary:NAME or pid:N. VOLUME is 0% to 150%, a change "
                    "such as +10% or -10%, mute or unmute.",
    .operands_least = 1,
    .operands_most = 2,
    .signed_operands = true,
    .options = volume_table,
    .options_bytes = sizeof(struct volume_options),
    .examples = volume_examples,
    .exits = volume_exits,
    .run = volume_run,
};
