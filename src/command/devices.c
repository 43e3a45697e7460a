/* kodama devices: the speakers and microphones of this machine. */
#include <unistd.h>

#include <kodama/device.h>

#include "command/capture.h"
#include "command/command.h"
#include "command/json.h"
#include "command/output.h"
#include "command/text.h"

struct devices_options {
    const char *backend;
    bool json;
};

static const char *kind_name(enum kodama_device_kind kind)
{
    return kind == KODAMA_DEVICE_MICROPHONE ? "microphone" : "speakers";
}

static void add_table(struct text *page, const struct kodama_device_list *list)
{
    if (list->n_devices == 0) text_add(page, "there is neither a speaker nor a microphone\n");
    for (size_t i = 0; i < list->n_devices; i++) {
        const struct kodama_device *device = &list->devices[i];
        text_printf(page, "%s %-10s ", device->is_default ? "*" : " ", kind_name(device->kind));
        if (device->muted)
            text_add(page, " muted  ");
        else
            text_printf(page, " %4.0f%%  ", device->volume * 100.0);
        if (device->format.rate_hz > 0) {
            text_printf(page, "%6u Hz %u ch  ", (unsigned)device->format.rate_hz,
                        (unsigned)device->format.channels);
        } else {
            text_add(page, "                ");
        }
        text_add_clean(page, device->description, 0);
        text_add(page, "\n                       ");
        text_add_clean(page, device->name, 0);
        text_add(page, "\n");
    }
}

static int print_json(const struct kodama_host *host, const struct kodama_device_list *list)
{
    json_t *all = json_object(), *entries = json_array();
    for (size_t i = 0; i < list->n_devices; i++) {
        const struct kodama_device *device = &list->devices[i];
        json_t *entry = json_object();
        json_object_set_new(entry, "id", json_integer((json_int_t)device->id));
        json_object_set_new(entry, "kind", json_string(kind_name(device->kind)));
        json_object_set_new(entry, "name", json_words(device->name));
        json_object_set_new(entry, "description", json_words(device->description));
        json_object_set_new(entry, "default", json_boolean(device->is_default));
        json_object_set_new(entry, "volume", json_rounded(device->volume, 4));
        json_object_set_new(entry, "muted", json_boolean(device->muted));
        json_object_set_new(entry, "rate", json_integer(device->format.rate_hz));
        json_object_set_new(entry, "channels", json_integer(device->format.channels));
        json_array_append_new(entries, entry);
    }
    json_object_set_new(all, "backend", json_string(kodama_host_backend(host)));
    json_object_set_new(all, "devices", entries);
    return json_print("devices", STDOUT_FILENO, all);
}

static int devices_run(const struct invocation *invocation)
{
    const struct devices_options *options = invocation->options;
    struct kodama_device_list *list = NULL;
    struct kodama_error error = {0};
    struct kodama_host *host = capture_host("devices", options->backend, false);
    int code = EXIT_FAILED;
    if (!host) return code;
    if (kodama_host_devices(host, &list, &error) < 0) {
        complain("devices", "%s", error.message);
    } else if (options->json) {
        code = print_json(host, list);
    } else {
        struct text page = {0};
        add_table(&page, list);
        code = output_whole("devices", page.bytes, page.length);
        text_free(&page);
    }
    kodama_device_list_free(list);
    kodama_host_close(host);
    return code;
}

static const struct option_entry devices_table[] = {
    {.name = "json",
     .letter = 'j',
     .kind = OPTION_ON,
     .help = "Print one line of JSON",
     .offset = offsetof(struct devices_options, json)},
    CAPTURE_BACKEND_ENTRY(struct devices_options, backend),
    {0},
};

static const struct section devices_sections[] = {
    {"JSON", "  backend, devices [{id, kind, name, description, default, volume,\n"
             "    muted, rate, channels}]\n\n"
             "A kind is speakers or microphone. A rate of 0 is not known."},
    {NULL, NULL},
};

static const struct example devices_examples[] = {
    {"kodama devices", "Speakers and microphones; * is the default of its kind"},
    {"kodama record --mic=usb -o talk.wav", "Use a part of a name"},
    {NULL, NULL},
};

static const struct exit_entry devices_exits[] = {
    {EXIT_DONE, "The devices were listed, if there are any"},
    {EXIT_FAILED, "No sound server answers; a sentence on standard error says what to start"},
    {EXIT_USAGE, "The command line was not understood"},
    {EXIT_UNREAD, "The program that read standard output has gone away"},
    {0, NULL},
};

const struct command command_devices = {
    .name = "devices",
    .summary = "the speakers and microphones",
    .description = "Lists what plays and what hears on this machine, virtual devices, too: volume, "
                   "format, description and name.",
    .options = devices_table,
    .options_bytes = sizeof(struct devices_options),
    .sections = devices_sections,
    .examples = devices_examples,
    .exits = devices_exits,
    .run = devices_run,
};
