/* Signals for the measurement of detectors: noises of many kinds, rooms, telephones, mixtures; the
 * same in every run. Everything is mono at 16 kHz. */
#ifndef BENCH_VAD_SIGNALS_H
#define BENCH_VAD_SIGNALS_H

#include <stddef.h>
#include <stdint.h>

enum { SIGNALS_RATE = 16000 };

/** splitmix64 (Steele, Lea, Flood 2014). */
struct dice {
    uint64_t state;
};

double dice_uniform(struct dice *dice); /* 0..1 */
double dice_between(struct dice *dice, double least, double most);
double dice_normal(struct dice *dice); /* variance 1 */

/** One kind of noise. `make` adds to a zeroed array and may use any scale. */
struct noise {
    const char *name;
    void (*make)(float *samples, size_t n, struct dice *dice);
};

/** Ended by a noise without a name. All but "music" must never be taken for speech. */
extern const struct noise noises[];

const struct noise *noise_find(const char *name);

/** Noise of 0 dBFS rms (the rms of the whole, also when it comes in bursts). */
void noise_make(const char *name, uint64_t seed, float *samples, size_t n);

double signal_rms(const float *samples, size_t n);
void signal_scale(float *samples, size_t n, double gain);

/** A room: exponentially decaying noise as impulse response, with this reverberation time. */
void signal_reverberate(float *samples, size_t n, double seconds);
/** A telephone: 300 to 3400 Hz, 8 bits of mu-law. */
void signal_telephone(float *samples, size_t n);

#endif
