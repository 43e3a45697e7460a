/* Opening the voice that a client asks for. */
#include "serve/voice_open.h"

#include <string.h>

#include <kodama/voice_store.h>

#include "base/error.h"
#include "serve/internal.h"

bool voice_open_waits(const struct voice_options *options)
{
    return options->model[0] && strcmp(options->model, "default") != 0;
}

const char *voice_open_name(const struct voice_options *options)
{
    return voice_open_waits(options) ? options->model : "shifter";
}

int voice_open_model(struct kodama_server *server, const char *name,
                     struct kodama_voice_model **model, struct kodama_error *error)
{
    *model = NULL;
    if (!server->voice_store) {
        return error_set(error, KODAMA_ERR_NOT_FOUND, "this server has no store of voices");
    }
    return kodama_voice_store_load(server->voice_store, name, model, error);
}

int voice_open_asked(struct kodama_server *server, const struct voice_options *options,
                     struct kodama_format in, struct kodama_format out, bool offline,
                     struct kodama_voice **voice, struct kodama_error *error)
{
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    struct kodama_voice_model *model = NULL;
    *voice = NULL;
    enum kodama_voice_effect effect = options->settings.effect;
    int status = KODAMA_OK;
    if (voice_open_waits(options) &&
        (effect == KODAMA_EFFECT_ROBOT || effect == KODAMA_EFFECT_WHISPER)) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "a trained voice is no robot and does not whisper: leave out the model or "
                         "the preset");
    }
    if (voice_open_waits(options)) status = voice_open_model(server, options->model, &model, error);
    if (status < 0) return status;
    config.input = in;
    config.output = out;
    config.deep = options->deep;
    config.seed = options->seed;
    config.offline = offline;
    config.model = model;
    config.settings = options->settings;
    status = kodama_voice_open(voice, &config, error);
    kodama_voice_model_close(model); /* the voice keeps it */
    return status;
}
