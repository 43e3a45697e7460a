/* The speech that detectors are measured on, and where somebody speaks in it. None of it is part of
 * this repository: it comes from Debian's packages and from ../shared. */
#ifndef BENCH_VAD_SPEECH_H
#define BENCH_VAD_SPEECH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SPEECH_WINDOW = 160, SPEECH_FILES_MAX = 32 };

/** Speakers, or groups of them that were recorded together. The first three are those that the
 * constants of `builtin` were tuned on; the others were kept aside. */
enum speaker { CONVERSATION, READER, CARDS, PRESIDENT, CHANNELS, DIGITS, N_SPEAKERS };

static inline bool is_kept_aside(enum speaker speaker)
{
    return speaker >= PRESIDENT;
}

enum truth { BY_WORDS, BY_SILERO, N_TRUTHS };

struct speech {
    const char *name;
    enum speaker speaker;
    float *samples; /* 16 kHz mono, [n_windows][SPEECH_WINDOW] */
    size_t n_windows;
    int8_t *truths[N_TRUTHS]; /* of each window: 1 speech, 0 none, -1 not known */
    double rms;               /* of the windows that are speech */
};

/** Load what is installed, say what is not; returns how many files. Free with speech_free(). */
size_t speech_load(struct speech *files, const char *shared);
void speech_free(struct speech *files, size_t n_files);

#endif
