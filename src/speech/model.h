/* Recognition models from the inside: what recognisers and tests need of one. */
#ifndef SPEECH_MODEL_H
#define SPEECH_MODEL_H

#include <kodama/model.h>

#include "speech/decoder_pool.h"
#include "speech/engine.h"

/** Open a model of a given engine, also of one that is not in the registry. As
 * kodama_model_open(). */
int model_open_engine(struct kodama_model **model, const struct engine_ops *ops,
                      const struct kodama_model_config *config, struct kodama_error *error);

/** Whether it can hear a language; NULL and "" are its own. KODAMA_OK or KODAMA_ERR_ARGUMENT. */
int model_check_language(struct kodama_model *model, const char *language,
                         struct kodama_error *error);

/** A recogniser begins, or ends, to use it. */
void model_hold(struct kodama_model *model);
void model_release(struct kodama_model *model);

/** Its pool, live as long as the model. */
struct decoder_pool *model_pool(struct kodama_model *model);

#endif
