#define _DEFAULT_SOURCE
/*
 * Voices saved by name: one JSON file, kodama/voices.json in the user's folder of configuration:
 * an object with one member for each.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/json.h"
#include "command/output.h"
#include "command/text.h"
#include "command/voice_options.h"

enum { NAME_MOST = 64, PATH_BYTES = 4096 };

/* The file, after XDG's base directories; false: nobody says where. */
static bool path_of(char path[PATH_BYTES], const char *ending)
{
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n = -1;
    if (base && base[0] == '/')
        n = snprintf(path, PATH_BYTES, "%s/kodama/%s", base, ending);
    else if (home && home[0])
        n = snprintf(path, PATH_BYTES, "%s/.config/kodama/%s", home, ending);
    return n > 0 && n < PATH_BYTES;
}

/* All of the user's; an empty object where there is no file. NULL: complained. */
static json_t *read_all(const char *command)
{
    char path[PATH_BYTES];
    json_error_t error;
    if (!path_of(path, "voices.json") || access(path, F_OK) != 0) return json_object();
    json_t *all = json_load_file(path, 0, &error);
    if (json_is_object(all)) return all;
    json_decref(all);
    complain(command, "the saved voices in %s cannot be read: line %d: %s; mend or remove the file",
             path, error.line, error.text[0] ? error.text : "not an object");
    return NULL;
}

static bool is_built_in(const char *name)
{
    struct kodama_voice_settings settings = KODAMA_VOICE_SETTINGS_INIT;
    return kodama_voice_preset(name, &settings) == KODAMA_OK;
}

static void take_number(const json_t *saved, const char *name, float *value)
{
    const json_t *member = json_object_get(saved, name);
    if (json_is_number(member)) *value = (float)json_number_value(member);
}

static void take_saved(const json_t *saved, struct kodama_voice_settings *settings)
{
    take_number(saved, "pitch", &settings->pitch);
    take_number(saved, "formant", &settings->formant);
    take_number(saved, "gain", &settings->gain);
    take_number(saved, "noise_level", &settings->noise_level);
    const json_t *drifts = json_object_get(saved, "fluctuation");
    if (json_is_boolean(drifts)) settings->fluctuation = json_is_true(drifts);
    const char *effect = json_string_value(json_object_get(saved, "effect"));
    for (int e = KODAMA_EFFECT_NONE; effect && e <= KODAMA_EFFECT_RADIO; e++) {
        const char *name = voice_effect_name((enum kodama_voice_effect)e);
        if (strcmp(effect, name) == 0) settings->effect = (enum kodama_voice_effect)e;
    }
    const char *noise = json_string_value(json_object_get(saved, "noise"));
    for (size_t i = 0; noise && voice_noise_choice(i); i++) {
        if (strcmp(noise, voice_noise_choice(i)) == 0) settings->noise = voice_noise_choice(i);
    }
}

static void add_names(struct text *names, const json_t *all)
{
    const char *name;
    json_t *saved;
    for (size_t i = 0; kodama_voice_preset_name(i); i++) {
        text_printf(names, i > 0 ? ", %s" : "%s", kodama_voice_preset_name(i));
    }
    json_object_foreach((json_t *)all, name, saved) text_printf(names, ", %s", name);
}

static int complain_of_none(const char *command, const char *name, const json_t *all)
{
    struct text names = {0};
    add_names(&names, all);
    complain(command, "there is no preset \"%s\"; there are: %s", name, text_string(&names));
    text_free(&names);
    return EXIT_USAGE;
}

int voice_preset_take(const char *command, const char *name, struct kodama_voice_settings *settings)
{
    if (kodama_voice_preset(name, settings) == KODAMA_OK) return EXIT_DONE;
    json_t *all = read_all(command);
    if (!all) return EXIT_FAILED;
    const json_t *saved = json_object_get(all, name);
    int code = EXIT_DONE;
    if (json_is_object(saved))
        take_saved(saved, settings);
    else
        code = complain_of_none(command, name, all);
    json_decref(all);
    return code;
}

static json_t *as_json(const struct kodama_voice_settings *settings)
{
    json_t *saved = json_object();
    json_object_set_new(saved, "pitch", json_rounded((double)settings->pitch, 3));
    json_object_set_new(saved, "formant", json_rounded((double)settings->formant, 3));
    json_object_set_new(saved, "effect", json_string(voice_effect_name(settings->effect)));
    json_object_set_new(saved, "gain", json_rounded((double)settings->gain, 3));
    json_object_set_new(saved, "noise", json_string(settings->noise ? settings->noise : "none"));
    json_object_set_new(saved, "noise_level", json_rounded((double)settings->noise_level, 4));
    json_object_set_new(saved, "fluctuation", json_boolean(settings->fluctuation));
    return saved;
}

static int write_all(const char *command, const json_t *all)
{
    char path[PATH_BYTES], part[PATH_BYTES], folder[PATH_BYTES];
    if (!path_of(path, "voices.json") || !path_of(part, "voices.json.part") ||
        !path_of(folder, "")) {
        complain(command, "cannot save: neither XDG_CONFIG_HOME nor HOME says where");
        return EXIT_FAILED;
    }
    /* The two folders above the file; that they are there already is fine. */
    char *end = strrchr(folder, '/');
    *end = 0;
    char *above = strrchr(folder, '/');
    *above = 0;
    (void)mkdir(folder, 0777);
    *above = '/';
    (void)mkdir(folder, 0777);
    /* The old file stays until the new one is whole. */
    if (json_dump_file(all, part, JSON_INDENT(2) | JSON_SORT_KEYS) == 0 &&
        rename(part, path) == 0) {
        return EXIT_DONE;
    }
    complain(command, "cannot save in %s: %s", path, error_words(errno));
    (void)unlink(part);
    return EXIT_FAILED;
}

int voice_preset_save(const char *command, const char *name,
                      const struct kodama_voice_settings *settings)
{
    size_t length = strlen(name);
    if (length == 0 || length > NAME_MOST || is_built_in(name)) {
        complain(command,
                 "a preset cannot be saved as \"%s\": a name of its own with at most %d bytes is "
                 "needed",
                 name, NAME_MOST);
        return EXIT_USAGE;
    }
    json_t *all = read_all(command);
    if (!all) return EXIT_FAILED;
    int code = EXIT_FAILED;
    if (json_object_set_new(all, name, as_json(settings)) < 0)
        complain(command, "\"%s\" is no UTF-8", name);
    else
        code = write_all(command, all);
    json_decref(all);
    return code;
}

/* All of them are there, and the user's. */
static int check_removed(const char *command, const struct option_list *names, const json_t *all)
{
    for (size_t i = 0; i < names->n; i++) {
        if (json_object_get(all, names->values[i])) continue;
        if (!is_built_in(names->values[i])) return complain_of_none(command, names->values[i], all);
        complain(command, "the preset \"%s\" is built in and cannot be removed", names->values[i]);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

int voice_preset_remove(const char *command, const struct option_list *names)
{
    json_t *all = read_all(command);
    if (!all) return EXIT_FAILED;
    int code = check_removed(command, names, all);
    for (size_t i = 0; code == EXIT_DONE && i < names->n; i++) {
        (void)json_object_del(all, names->values[i]);
    }
    if (code == EXIT_DONE) code = write_all(command, all);
    json_decref(all);
    return code;
}

static json_t *entry(const char *name, bool own, const struct kodama_voice_settings *settings)
{
    json_t *line = json_object();
    json_object_set_new(line, "name", json_words(name));
    json_object_set_new(line, "own", json_boolean(own));
    json_t *rest = as_json(settings);
    json_object_update(line, rest);
    json_decref(rest);
    return line;
}

static void add_line(struct text *lines, const char *name,
                     const struct kodama_voice_settings *settings)
{
    text_printf(lines, "%-16s pitch %+5.1f  formant %+5.1f", name, (double)settings->pitch,
                (double)settings->formant);
    if (settings->effect != KODAMA_EFFECT_NONE) {
        text_printf(lines, "  %s", voice_effect_name(settings->effect));
    }
    if (settings->noise && strcmp(settings->noise, "none") != 0) {
        text_printf(lines, "  in %s (%g)", settings->noise, (double)settings->noise_level);
    }
    text_add(lines, "\n");
}

static void add_all(struct text *page, const char *name,
                    const struct kodama_voice_settings *settings)
{
    text_printf(page, "%s%s\n", name, is_built_in(name) ? ", built in" : "");
    text_printf(page, "  pitch    %+g semitones\n", (double)settings->pitch);
    text_printf(page, "  formant  %+g semitones\n", (double)settings->formant);
    text_printf(page, "  effect   %s\n", voice_effect_name(settings->effect));
    text_printf(page, "  gain     %+g dB\n", (double)settings->gain);
    text_printf(page, "  noise    %s", settings->noise ? settings->noise : "none");
    if (settings->noise && strcmp(settings->noise, "none") != 0)
        text_printf(page, ", level %g", (double)settings->noise_level);
    text_printf(page, "\n  drift    %s\n", settings->fluctuation ? "on" : "off");
}

int voice_preset_show(const char *command, const char *name, bool json)
{
    struct kodama_voice_settings settings = KODAMA_VOICE_SETTINGS_INIT;
    int code = voice_preset_take(command, name, &settings);
    if (code != EXIT_DONE) return code;
    if (json) return json_print(command, STDOUT_FILENO, entry(name, !is_built_in(name), &settings));
    struct text page = {0};
    add_all(&page, name, &settings);
    code = output_whole(command, page.bytes, page.length);
    text_free(&page);
    return code;
}

int voice_preset_list(const char *command, bool json)
{
    json_t *all = read_all(command), *list = json_array(), *saved;
    struct text lines = {0};
    const char *name;
    if (!all) return EXIT_FAILED;
    for (size_t i = 0; (name = kodama_voice_preset_name(i)); i++) {
        struct kodama_voice_settings settings = KODAMA_VOICE_SETTINGS_INIT;
        (void)kodama_voice_preset(name, &settings);
        json_array_append_new(list, entry(name, false, &settings));
        add_line(&lines, name, &settings);
    }
    json_object_foreach(all, name, saved)
    {
        struct kodama_voice_settings settings = KODAMA_VOICE_SETTINGS_INIT;
        take_saved(saved, &settings);
        json_array_append_new(list, entry(name, true, &settings));
        add_line(&lines, name, &settings);
    }
    json_t *whole = json_object();
    json_object_set_new(whole, "presets", list);
    int code;
    if (json) {
        code = json_print(command, STDOUT_FILENO, whole);
    } else {
        json_decref(whole);
        code = output_whole(command, lines.bytes, lines.length);
    }
    text_free(&lines);
    json_decref(all);
    return code;
}
