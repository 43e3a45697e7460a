/* Instead of voice models in a build that had not ONNX Runtime's header: everything says so. */
#include <string.h>

#include <kodama/voice_model.h>

#include "base/error.h"
#include "voice/voice_store_internal.h"

static int none(struct kodama_error *error)
{
    return error_set(error, KODAMA_ERR_UNSUPPORTED,
                     "this Kodama was built without ONNX Runtime's header, so it has no voice "
                     "models: install Debian's libonnxruntime-dev, or run "
                     "tools/install-onnxruntime, and build it again");
}

int kodama_voice_model_open(struct kodama_voice_model **model,
                            const struct kodama_voice_model_config *config,
                            struct kodama_error *error)
{
    (void)config;
    if (model) *model = NULL;
    return none(error);
}

void kodama_voice_model_keep(struct kodama_voice_model *model)
{
    (void)model;
}

void kodama_voice_model_close(struct kodama_voice_model *model)
{
    (void)model;
}

int kodama_voice_model_calibrate(struct kodama_voice_model *model, struct kodama_error *error)
{
    (void)model;
    return none(error);
}

void kodama_voice_model_facts(struct kodama_voice_model *model,
                              struct kodama_voice_model_facts *facts)
{
    (void)model;
    memset(facts, 0, sizeof *facts);
}

uint32_t voice_model_users(const struct kodama_voice_model *model)
{
    (void)model;
    return 0;
}

int voice_model_try(struct kodama_voice_model *model, struct kodama_error *error)
{
    (void)model;
    return none(error);
}
