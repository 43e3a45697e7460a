/* The store from the inside, for what loads (voice_store.c) and what takes in
 * (voice_store_import.c). */
#ifndef VOICE_VOICE_STORE_INTERNAL_H
#define VOICE_VOICE_STORE_INTERNAL_H

#include <stdbool.h>

#include <kodama/voice_store.h>

/** The folder of what voices share. */
const char *voice_store_models(const struct kodama_voice_store *store);

/** Open the model of a voice's folder; with another encoder or RMVPE than what voices share, where
 * these are not NULL. */
int voice_store_open_model(struct kodama_voice_store *store, const struct kodama_voice_entry *entry,
                           const char *encoder, const char *rmvpe,
                           struct kodama_voice_model **model, struct kodama_error *error);

/** The store does not hold it in memory any more. */
void voice_store_forget(struct kodama_voice_store *store, const char *name);

/** Users of a model (rvc_model.c). */
uint32_t voice_model_users(const struct kodama_voice_model *model);

/** Let a model speak once: KODAMA_OK or what it failed with (rvc_model.c). */
int voice_model_try(struct kodama_voice_model *model, struct kodama_error *error);

#endif
