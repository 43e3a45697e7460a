/* Those who are measured: Kodama's detectors, speexdsp's, and plain energy, each as a function from
 * samples to one number per 10 ms. */
#ifndef BENCH_VAD_JUDGES_H
#define BENCH_VAD_JUDGES_H

#include <stdbool.h>
#include <stddef.h>

struct judge {
    const char *name;
    /** Probabilities of all windows, from a fresh state; false where it cannot work. */
    bool (*judge)(const char *name, const float *samples, size_t n_windows, float *probabilities);
    bool graded; /* has more answers than yes and no */
};

/** Ended by a judge without a name. */
extern const struct judge judges[];

/** Whether it works here; says why when not. */
bool judge_works(const struct judge *judge);

#endif
