/* Which models a command works with: as it was told, else as the user's model store says. */
#ifndef COMMAND_MODEL_WISH_H
#define COMMAND_MODEL_WISH_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/model.h>

#include "command/command.h"

enum { MODEL_WISH_PATH_BYTES = 1024 };

/** What was told; what was not is NULL. */
struct model_wish {
    const char *engine;
    const char *model;    /* name in the store, or path */
    const char *finals;   /* engine or model of the finals: says either of the above */
    const char *partials; /* engine or model of the partials; NULL: the same */
    const char *grammar;  /* of the finals */
    const char *language;
    uint32_t n_decoders;
    const struct kodama_log *log;
};

/** What comes of it. */
struct model_choice {
    struct kodama_model_config config;
    char path[MODEL_WISH_PATH_BYTES]; /* where config.path points to, when the store chose */
};

/** Whether it fits together; complains. @return EXIT_DONE or EXIT_USAGE */
int model_wish_check(const char *command, const struct model_wish *wish);

/** The model of the finals. @param[out] choice  must stay where it is while its config is used */
void model_wish_finals(const struct model_wish *wish, struct model_choice *choice);

/** That of the partials, when one was wished for. */
void model_wish_partials(const struct model_wish *wish, struct model_choice *choice);

/**
 * Load what was wished for.
 *
 * @param[out] model     of the finals
 * @param[out] partials  of the partials; NULL: the same makes both
 * @param[out] error     says what went wrong; then neither is there
 * @return KODAMA_OK, or as kodama_model_open()
 */
int model_wish_open(const struct model_wish *wish, struct kodama_model **model,
                    struct kodama_model **partials, struct kodama_error *error);

#endif
