/* Detectors from the inside: the table that each one fills. Adding one is one new file plus one
 * line in detector.c. */
#ifndef SPEECH_DETECTOR_H
#define SPEECH_DETECTOR_H

#include <stdint.h>

#include <kodama/detector.h>

#include "base/record.h"

/** Samples outside of this are taken as this; louder than any sane full scale. */
#define DETECTOR_SAMPLE_MAX 8.0f

struct detector_ops {
    const char *name;
    /** Make one for config->rate_hz: its struct begins with a struct kodama_detector, whose
     * `window` and `delay` it fills. KODAMA_ERR_FORMAT for a rate it cannot hear. */
    int (*open)(struct kodama_detector **detector, const struct kodama_detector_config *config,
                struct kodama_error *error);
    void (*close)(struct kodama_detector *detector);
    /** One window, any values (also NaN) -> probability, 0.5 being the threshold. Depends on what
     * was heard since the reset, and on nothing else. Real-time safe. */
    float (*process)(struct kodama_detector *detector, const float *samples);
    void (*reset)(struct kodama_detector *detector);
    /** Everything that later probabilities depend on. load() fails the record for values that
     * process() could not have made; the caller then resets. */
    void (*save)(const struct kodama_detector *detector, struct record *record);
    void (*load)(struct kodama_detector *detector, struct record *record);
    /** Optional: what it works with, for a person. */
    void (*describe)(const struct kodama_detector *detector, char *about, size_t n_bytes);
};

/** Beginning of every detector; immutable after open. */
struct kodama_detector {
    const struct detector_ops *ops; /* filled by detector.c */
    uint32_t window;                /* samples per window */
    uint32_t delay;                 /* samples by which the probability trails its window */
};

extern const struct detector_ops detector_builtin;
extern const struct detector_ops detector_silero;
extern const struct detector_ops detector_webrtc;
extern const struct detector_ops detector_none;

/** The state as part of a larger record. */
void detector_save(const struct kodama_detector *detector, struct record *record);
/** Fails the record, and resets the detector, when the state is not one of such a detector. */
void detector_load(struct kodama_detector *detector, struct record *record);

/** A sample that can be calculated with: NaN becomes 0, infinities and absurd values are clipped.
 */
static inline float detector_sane(float sample)
{
    if (sample > DETECTOR_SAMPLE_MAX) return DETECTOR_SAMPLE_MAX;
    if (sample < -DETECTOR_SAMPLE_MAX) return -DETECTOR_SAMPLE_MAX;
    return sample == sample ? sample : 0.0f;
}

#endif
