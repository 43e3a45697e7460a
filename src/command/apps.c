/* kodama apps: the applications that make sound, now or as they come and go. */
#include <math.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <kodama/app.h>

#include "command/capture.h"
#include "command/columns.h"
#include "command/command.h"
#include "command/interrupt.h"
#include "command/json.h"
#include "command/output.h"
#include "command/progress.h"

enum { TICK_MS = 100, NAME_COLUMNS = 24, BAR_CELLS = 10 };

struct apps_options {
    const char *backend;
    bool watch, json, streams;
};

struct apps {
    const struct apps_options *options;
    struct kodama_host *host;
    bool bars; /* peaks are measured */
    bool unicode;
};

static const char *state_name(enum kodama_app_state state)
{
    switch (state) {
    case KODAMA_APP_IDLE: return "paused";
    case KODAMA_APP_ACTIVE: return "playing";
    case KODAMA_APP_GONE: return "silent";
    }
    return "?";
}

/* ------------------------------------------------------------------- table */

static void add_volume(struct text *page, double volume, bool muted)
{
    if (muted)
        text_add(page, " muted");
    else
        text_printf(page, " %4.0f%%", volume * 100.0);
}

static void add_bar(const struct apps *apps, struct text *page, float peak)
{
    if (!apps->bars) return;
    float level = screen_level(peak > 0.0f ? 20.0 * log10((double)peak) : -INFINITY);
    text_add(page, "  ");
    for (int i = 0; i < BAR_CELLS; i++) {
        bool lit = (float)i < level * BAR_CELLS;
        text_add(page, !lit ? " " : apps->unicode ? "\u2586" : "#");
    }
}

static void add_row(const struct apps *apps, struct text *page, uint32_t pid,
                    enum kodama_app_state state, double volume, bool muted, float peak)
{
    if (pid > 0)
        text_printf(page, "%7u", (unsigned)pid);
    else
        text_add(page, "      -");
    text_printf(page, "  %-7s", state_name(state));
    add_volume(page, volume, muted);
    add_bar(apps, page, peak);
    text_add(page, "  ");
}

static void add_table(const struct apps *apps, struct text *page,
                      const struct kodama_app_list *list)
{
    if (list->n_apps == 0) {
        text_add(page, kodama_host_is_connected(apps->host)
                           ? "no application makes sound now\n"
                           : "the sound server is away; waiting for it\n");
        return;
    }
    text_printf(page, "    PID  STATE  VOLUME%s  %-*s  PLAYS\n", apps->bars ? "  LEVEL     " : "",
                NAME_COLUMNS, "APPLICATION");
    for (size_t i = 0; i < list->n_apps; i++) {
        const struct kodama_app *app = &list->apps[i];
        add_row(apps, page, app->root_pid, app->state, app->volume, app->muted, app->peak);
        text_add_clean(page, app->name[0] ? app->name : app->binary, NAME_COLUMNS);
        text_add(page, "  ");
        text_add_clean(page, app->media, 0);
        text_add(page, "\n");
        for (size_t k = 0; apps->options->streams && k < app->n_streams; k++) {
            const struct kodama_app_stream *stream = &app->streams[k];
            add_row(apps, page, stream->pid, stream->state, stream->volume, stream->muted,
                    stream->peak);
            text_add(page, "  ");
            text_add_clean(page, stream->name, NAME_COLUMNS - 2);
            text_add(page, "  ");
            text_add_clean(page, stream->media[0] ? stream->media : stream->node, 0);
            text_add(page, "\n");
        }
    }
}

/* -------------------------------------------------------------------- json */

static json_t *json_stream(const struct kodama_app_stream *stream)
{
    json_t *entry = json_object();
    json_object_set_new(entry, "id", json_integer((json_int_t)stream->id));
    json_object_set_new(entry, "pid", json_integer(stream->pid));
    json_object_set_new(entry, "name", json_words(stream->name));
    json_object_set_new(entry, "node", json_words(stream->node));
    json_object_set_new(entry, "media", json_words(stream->media));
    json_object_set_new(entry, "state", json_string(state_name(stream->state)));
    json_object_set_new(entry, "volume", json_rounded(stream->volume, 4));
    json_object_set_new(entry, "muted", json_boolean(stream->muted));
    json_object_set_new(entry, "rate", json_integer(stream->format.rate_hz));
    json_object_set_new(entry, "channels", json_integer(stream->format.channels));
    return entry;
}

static json_t *json_app(const struct kodama_app *app)
{
    json_t *entry = json_object(), *streams = json_array();
    json_object_set_new(entry, "id", json_integer((json_int_t)app->id));
    json_object_set_new(entry, "pid", json_integer(app->pid));
    json_object_set_new(entry, "root_pid", json_integer(app->root_pid));
    json_object_set_new(entry, "name", json_words(app->name));
    json_object_set_new(entry, "binary", json_words(app->binary));
    json_object_set_new(entry, "icon", json_words(app->icon));
    json_object_set_new(entry, "media", json_words(app->media));
    json_object_set_new(entry, "state", json_string(state_name(app->state)));
    json_object_set_new(entry, "volume", json_rounded(app->volume, 4));
    json_object_set_new(entry, "muted", json_boolean(app->muted));
    for (size_t i = 0; i < app->n_streams; i++) {
        json_array_append_new(streams, json_stream(&app->streams[i]));
    }
    json_object_set_new(entry, "streams", streams);
    return entry;
}

static int print_json(const struct apps *apps, const struct kodama_app_list *list)
{
    json_t *all = json_object(), *entries = json_array();
    for (size_t i = 0; i < list->n_apps; i++) {
        json_array_append_new(entries, json_app(&list->apps[i]));
    }
    json_object_set_new(all, "backend", json_string(kodama_host_backend(apps->host)));
    json_object_set_new(all, "connected", json_boolean(kodama_host_is_connected(apps->host)));
    json_object_set_new(all, "apps", entries);
    return json_print("apps", STDOUT_FILENO, all);
}

/* --------------------------------------------------------------------- run */

/* @param screen  NULL: print */
static int show(const struct apps *apps, struct screen *screen)
{
    struct kodama_app_list *list;
    struct kodama_error error = {0};
    int code = EXIT_DONE;
    if (kodama_host_apps(apps->host, &list, &error) < 0) {
        complain("apps", "%s", error.message);
        return EXIT_FAILED;
    }
    if (apps->options->json) {
        code = print_json(apps, list);
    } else {
        struct text page = {0};
        add_table(apps, &page, list);
        if (screen)
            screen_table(screen, text_string(&page));
        else
            code = output_whole("apps", page.bytes, page.length);
        text_free(&page);
    }
    kodama_app_list_free(list);
    return code;
}

/* Until a signal comes. */
static int watch(const struct apps *apps, struct screen *screen)
{
    struct kodama_waitable events = {.fd = -1};
    (void)kodama_host_waitable(apps->host, &events);
    int code = show(apps, screen);
    while (code == EXIT_DONE && !interrupt_signal()) {
        struct pollfd pollers[] = {{.fd = interrupt_descriptor(), .events = POLLIN},
                                   {.fd = events.fd, .events = POLLIN}};
        struct kodama_host_event event;
        int n = poll(pollers, 2, screen ? TICK_MS : -1);
        if (n > 0 && pollers[0].revents) {
            interrupt_acknowledge();
            if (screen) screen_refresh(screen);
        }
        bool changed = false;
        while (kodama_host_next_event(apps->host, &event, 0) == KODAMA_OK) changed = true;
        if (changed || screen) code = show(apps, screen);
    }
    return code == EXIT_DONE && interrupt_signal() ? 128 + interrupt_signal() : code;
}

static int apps_run(const struct invocation *invocation)
{
    const struct apps_options *options = invocation->options;
    struct apps apps = {.options = options, .bars = options->watch && !options->json};
    struct screen screen = {.fd = -1};
    bool painted = false;
    if (options->watch) {
        painted = screen_open(&screen, options->json ? -1 : STDOUT_FILENO);
        if (!painted && !options->json) {
            complain("apps", "--watch needs a terminal, or --json: one line for each change");
            return EXIT_USAGE;
        }
        screen.transient = true;
        (void)interrupt_open(screen_restore, &screen);
        apps.unicode = screen.unicode;
    }
    apps.host = capture_host("apps", options->backend, apps.bars);
    interrupt_arm();
    int code = EXIT_FAILED;
    if (apps.host)
        code = options->watch ? watch(&apps, painted ? &screen : NULL) : show(&apps, NULL);
    if (options->watch) {
        screen_close(&screen);
        interrupt_close();
    }
    kodama_host_close(apps.host);
    return code;
}

static const struct option_entry apps_table[] = {
    {.name = "watch",
     .letter = 'w',
     .kind = OPTION_ON,
     .help = "Go on until Ctrl-C: a live table with levels, or with --json a line for each change",
     .offset = offsetof(struct apps_options, watch)},
    {.name = "streams",
     .letter = 's',
     .kind = OPTION_ON,
     .help = "Show each stream of an application, too",
     .offset = offsetof(struct apps_options, streams)},
    {.name = "json",
     .letter = 'j',
     .kind = OPTION_ON,
     .help = "Print one line of JSON",
     .offset = offsetof(struct apps_options, json)},
    CAPTURE_BACKEND_ENTRY(struct apps_options, backend),
    {0},
};

static const struct section apps_sections[] = {
    {"JSON",
     "  backend, connected, apps [{id, pid, root_pid, name, binary, icon,\n"
     "    media, state, volume, muted,\n"
     "    streams [{id, pid, name, node, media, state, volume, muted,\n"
     "      rate, channels}]}]\n\n"
     "A state is playing, paused, or silent (no stream any more, but the process is there). "
     "A volume of 1 is 100 % of the mixer's scale."},
    {NULL, NULL},
};

static const struct example apps_examples[] = {
    {"kodama apps", "Who makes sound now"},
    {"kodama apps --watch", "A live table with level bars"},
    {"kodama apps --json | jq -r '.apps[].name'", "Names for a script"},
    {NULL, NULL},
};

static const struct exit_entry apps_exits[] = {
    {EXIT_DONE, "The applications were listed, if there are any"},
    {EXIT_FAILED, "No sound server answers; a sentence on standard error says what to start"},
    {EXIT_USAGE, "The command line was not understood"},
    {EXIT_INTERRUPTED, "Watching was ended by Ctrl-C (SIGINT)"},
    {EXIT_UNREAD, "The program that read standard output has gone away"},
    {0, NULL},
};

const struct command command_apps = {
    .name = "apps",
    .summary = "the applications that make sound",
    .description = "Lists the applications that play, as the sound server knows them: one line for "
                   "each, however many streams and processes it has.",
    .options = apps_table,
    .options_bytes = sizeof(struct apps_options),
    .sections = apps_sections,
    .examples = apps_examples,
    .exits = apps_exits,
    .run = apps_run,
};
