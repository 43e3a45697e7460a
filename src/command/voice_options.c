/* How a voice is changed: what the options mean. */
#include "command/voice_options.h"

#include <math.h>
#include <string.h>

#include <kodama/voice_model.h>
#include <kodama/voice_store.h>

#include "command/output.h"

const char *voice_noise_choice(size_t index)
{
    size_t n = 0;
    while (kodama_voice_noise_name(n)) n++;
    if (index < n) return kodama_voice_noise_name(index);
    return index == n ? "none" : NULL;
}

const char *voice_effect_name(enum kodama_voice_effect effect)
{
    static const char *const names[] = {"none", "robot", "whisper", "radio"};
    return (unsigned)effect < sizeof names / sizeof names[0] ? names[effect] : "none";
}

static int check_sum(const char *command, const char *name, double value, double most)
{
    if (fabs(value) <= most) return EXIT_DONE;
    complain(command, "--%s and the preset's come to %g together; it is %g to %g", name, value,
             -most, most);
    return EXIT_USAGE;
}

/* What a trained voice that falls behind or fails has to say. */
static void warn(void *user, enum kodama_log_level level, const char *line)
{
    (void)user, (void)level;
    complain("voice", "%s", line);
}

static int load_model(const char *command, const struct voice_options *options,
                      struct kodama_voice_config *config)
{
    static const struct kodama_log log = {.write = warn, .level = KODAMA_LOG_WARNING};
    struct kodama_voice_store_config place = KODAMA_VOICE_STORE_CONFIG_INIT;
    struct kodama_voice_store *store = NULL;
    struct kodama_error error = {0};
    place.provider = options->provider;
    place.n_threads = options->threads;
    place.log = &log;
    int status = kodama_voice_store_open(&store, &place, &error);
    if (status >= 0)
        status = kodama_voice_store_load(store, options->model, &config->model, &error);
    /* What was loaded stays. */
    kodama_voice_store_close(store);
    if (status >= 0) return EXIT_DONE;
    complain(command, "%s", error.message[0] ? error.message : kodama_strerror(status));
    return EXIT_FAILED;
}

int voice_options_read(const char *command, const struct voice_options *options,
                       struct kodama_voice_config *config)
{
    struct kodama_voice_settings *settings = &config->settings;
    int code = EXIT_DONE;
    if (options->preset) code = voice_preset_take(command, options->preset, settings);
    if (code != EXIT_DONE) return code;
    double pitch = (double)settings->pitch + options->pitch;
    double formant = (double)settings->formant + options->formant;
    code = check_sum(command, "pitch", pitch, 24);
    if (code == EXIT_DONE) code = check_sum(command, "formant", formant, 12);
    if (code != EXIT_DONE) return code;
    settings->pitch = (float)pitch;
    settings->formant = (float)formant;
    double gain_db = (double)settings->gain + options->gain_db;
    settings->gain = (float)fmin(fmax(gain_db, -60), 24);
    if (options->noise && options->noise_file) {
        complain(command, "--noise and --noise-file do not go together");
        return EXIT_USAGE;
    }
    if (options->noise) settings->noise = options->noise;
    if (options->noise_file) settings->noise = "file";
    if (options->noise_level > 0) settings->noise_level = (float)options->noise_level;
    if (options->steady) settings->fluctuation = false;
    if (options->model &&
        (settings->effect == KODAMA_EFFECT_ROBOT || settings->effect == KODAMA_EFFECT_WHISPER)) {
        complain(command, "a trained voice cannot be a %s: leave out --model or --preset %s",
                 voice_effect_name(settings->effect), options->preset);
        return EXIT_USAGE;
    }
    config->noise_path = options->noise_file;
    config->seed = options->seed;
    config->deep = options->deep;
    return options->model ? load_model(command, options, config) : EXIT_DONE;
}
