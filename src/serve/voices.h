/*
 * Voices that go on from request to request: POST /convert and /convert-chunk with a session. A
 * voice belongs to who began it; another caller with the same name has another voice. Any thread.
 */
#ifndef SERVE_VOICES_H
#define SERVE_VOICES_H

#include <stdbool.h>
#include <stdint.h>

#include <kodama/voice.h>

#include "base/thread.h"
#include "serve/voice_options.h"

struct voices_entry;

struct voices {
    struct mutex mutex;
    struct condition changed; /* one was given back */
    struct voices_entry *first;
    uint32_t n, most;
    uint64_t keep_ns; /* one that is not used is forgotten after this */
};

void voices_open(struct voices *voices, uint32_t most, uint64_t keep_ns);
void voices_close(struct voices *voices);

/**
 * Take a voice; who else wants it waits.
 *
 * @param owner, session  whose it is, and which
 * @param begin           make it if it is not there; else NULL is returned then
 * @return NULL: there is none, no memory, or as many as are allowed
 */
struct voices_entry *voices_take(struct voices *voices, const char *owner, const char *session,
                                 bool begin);
void voices_give(struct voices *voices, struct voices_entry *entry);

/** Forget a voice. @return whether there was one */
bool voices_forget(struct voices *voices, const char *owner, const char *session);

/** Forget those that were not used for long. @return how many are left */
uint32_t voices_expire(struct voices *voices, uint64_t now_ns);

/** What it is; the holder's. */
struct voices_kept {
    struct kodama_voice *voice;   /* of chunks; owned; NULL: not begun */
    struct kodama_format format;  /* of it */
    char name[VOICE_MODEL_BYTES]; /* of what changes it */
    void *drift;                  /* of whole files, saved; owned; NULL: none */
    size_t n_drift;
};
struct voices_kept *voices_kept(struct voices_entry *entry);

#endif
