/* Opening the voice that a client asks for: the built-in shifter's, or one of the store. */
#ifndef SERVE_VOICE_OPEN_H
#define SERVE_VOICE_OPEN_H

#include <stdbool.h>

#include <kodama/format.h>
#include <kodama/voice.h>

#include "serve/voice_options.h"

struct kodama_server;

/** Whether opening it may take seconds: a model is to be loaded. */
bool voice_open_waits(const struct voice_options *options);

/** What changes the voice, for answers: a model's name, or "shifter". */
const char *voice_open_name(const struct voice_options *options);

/**
 * Open it.
 *
 * @param in, out     formats
 * @param offline     nobody waits for it: as kodama_voice_config
 * @param[out] voice  owned by the caller
 * @return what kodama_voice_store_load() and kodama_voice_open() return
 *
 * Thread: any.
 */
int voice_open_asked(struct kodama_server *server, const struct voice_options *options,
                     struct kodama_format in, struct kodama_format out, bool offline,
                     struct kodama_voice **voice, struct kodama_error *error);

/** Load a model of the store; the caller has a reference. As kodama_voice_store_load(). */
int voice_open_model(struct kodama_server *server, const char *name,
                     struct kodama_voice_model **model, struct kodama_error *error);

#endif
