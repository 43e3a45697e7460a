/* What a client asks of a voice: fields of a form, keys of a query or of a message. */
#ifndef SERVE_VOICE_OPTIONS_H
#define SERVE_VOICE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <kodama/status.h>
#include <kodama/voice.h>

enum { VOICE_MODEL_BYTES = 64 };

/** Passed by value: the name of a bed lives as long as the library. */
struct voice_options {
    struct kodama_voice_settings settings;
    uint64_t seed;
    bool deep;                     /* voices below 80 Hz as well, for more delay */
    char model[VOICE_MODEL_BYTES]; /* "", "default": the built-in shifter */
    bool captions;                 /* recognise what comes in, too */
};

/** What holds when the client says nothing: the voice as it is, drifting a little. */
struct voice_options voice_options_default(void);

/** Whether there is such a key. */
bool voice_options_knows(const char *key);

/**
 * Set one key; pitch_shift, formant_shift, noise_type and enable_fluctuation are understood for
 * pitch, formant, noise and fluctuation.
 *
 * @param value        as text
 * @param[out] error   says what is allowed
 * @return KODAMA_OK or KODAMA_ERR_ARGUMENT (nothing was changed; also for a key that is not known)
 */
int voice_options_set(struct voice_options *options, const char *key, const char *value,
                      struct kodama_error *error);

#endif
