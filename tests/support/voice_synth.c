/* Synthetic voices: a timeline of pitch and formants, glottal pulses at exact places, resonators.
 */
#include "voice_synth.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "voice_speakers.h"

static const double PI = 3.14159265358979323846;
static const double VOICED_RMS = 0.08;
static const double SOURCE_RMS = 0.28; /* of pulses of height 1 at a speaker's usual pitch */
static const double TILT_HZ = 3500; /* the closing is not instant: LF's return phase as one pole */

enum { LANE_JITTER = 10, LANE_SHIMMER, LANE_BREATH, LANE_HISS, LANE_NOISE };

static double gaussian(uint64_t seed, uint64_t lane, uint64_t index)
{
    double radius = sqrt(-2.0 * log(synth_uniform(seed, lane, index)));
    return radius * cos(2.0 * PI * synth_uniform(seed, lane + 100, index));
}

/* Half a cosine from 0 to 1 while x goes from 0 to 1. */
static double ease(double x)
{
    return x <= 0 ? 0 : x >= 1 ? 1 : 0.5 - 0.5 * cos(PI * x);
}

/* ----------------------------------------------------------------- timeline */

static size_t frames_of(const struct synth_utterance *utterance, double seconds)
{
    return (size_t)llround(seconds * utterance->rate_hz);
}

/* A vowel's loudness: from its neighbour's or from silence, and back into silence. */
static double loudness(const struct synth_utterance *utterance, size_t at, double seconds)
{
    const struct synth_segment *segment = &utterance->segments[at];
    bool follows = at > 0 && segment[-1].kind == SYNTH_VOWEL;
    bool followed = at + 1 < utterance->n_segments && segment[1].kind == SYNTH_VOWEL;
    double before = follows ? segment[-1].level : 0;
    double level = before + (segment->level - before) * ease(seconds / 0.012);
    return followed ? level : level * ease((segment->seconds - seconds) / 0.025);
}

static void write_vowel(const struct synth_utterance *utterance, struct synth_sound *sound,
                        size_t at, size_t first)
{
    const struct synth_segment *segment = &utterance->segments[at];
    const double(*vowels)[SYNTH_FORMANTS] = synth_traits[utterance->speaker].vowels;
    size_t n = frames_of(utterance, segment->seconds);
    for (size_t i = 0; i < n && first + i < sound->n_frames; i++) {
        size_t frame = first + i;
        double way = (double)i / (double)n;
        double vibrato = utterance->vibrato_cents / 1200.0 *
                         sin(2.0 * PI * utterance->vibrato_hz * (double)frame / utterance->rate_hz);
        double hz = segment->f0_from * pow(segment->f0_to / segment->f0_from, way) * exp2(vibrato) *
                    utterance->pitch_scale;
        sound->f0_hz[frame] = (float)hz;
        sound->level[frame] = (float)loudness(utterance, at, (double)i / utterance->rate_hz);
        for (int k = 0; k < SYNTH_FORMANTS; k++) {
            double from = vowels[segment->from][k], to = vowels[segment->to][k];
            sound->formants[frame][k] =
                (float)((from + (to - from) * ease(way)) * utterance->formant_scale);
        }
    }
}

static void write_timeline(const struct synth_utterance *utterance, struct synth_sound *sound)
{
    size_t first = 0;
    for (size_t at = 0; at < utterance->n_segments; at++) {
        const struct synth_segment *segment = &utterance->segments[at];
        if (segment->kind == SYNTH_VOWEL) write_vowel(utterance, sound, at, first);
        first += frames_of(utterance, segment->seconds);
    }
}

/* ------------------------------------------------------------------- pulses */

/* Integrals of a windowed sinc: what band-limited steps, ramps and parabolas look like. */
enum { REACH = 32, FINE = 128, TABLE = 2 * REACH * FINE + 1 };

struct blunt {
    double step[TABLE], ramp[TABLE], parabola[TABLE];
};

/* Modified Bessel function of order 0, for Kaiser's window. */
static double bessel(double x)
{
    double sum = 1, term = 1;
    for (int k = 1; k < 40; k++) {
        term *= x / (2 * k) * (x / (2 * k));
        sum += term;
    }
    return sum;
}

static void integrate(const double *values, double *integral)
{
    integral[0] = 0;
    for (int i = 1; i < TABLE; i++) {
        integral[i] = integral[i - 1] + (values[i - 1] + values[i]) / (2.0 * FINE);
    }
}

static struct blunt *blunt_make(void)
{
    static const double CUTOFF = 0.92, BETA = 8; /* of half the rate; -80 dB */
    struct blunt *blunt = malloc(sizeof *blunt);
    double *kernel = malloc(TABLE * sizeof *kernel);
    if (blunt && kernel) {
        for (int i = 0; i < TABLE; i++) {
            double x = (double)(i - REACH * FINE) / FINE, y = PI * CUTOFF * x;
            double window = bessel(BETA * sqrt(fmax(0, 1 - x * x / (REACH * REACH))));
            kernel[i] = (fabs(y) < 1e-9 ? 1 : sin(y) / y) * window;
        }
        integrate(kernel, blunt->step);
        double area = blunt->step[TABLE - 1];
        for (int i = 0; i < TABLE; i++) blunt->step[i] /= area;
        integrate(blunt->step, blunt->ramp);
        integrate(blunt->ramp, blunt->parabola);
    }
    if (!kernel) free(blunt);
    free(kernel);
    return kernel ? blunt : NULL;
}

static double look_up(const double *table, double d)
{
    double place = (d + REACH) * FINE;
    size_t i = (size_t)place;
    return table[i] + (table[i + 1] - table[i]) * (place - (double)i);
}

/* Take the sharpness from a place where a polynomial begins: what band-limiting changes. */
static void soften(const struct blunt *blunt, double *source, size_t n_frames, double at,
                   double jump, double slope, double curvature)
{
    for (int64_t n = (int64_t)floor(at) - REACH + 2; n < (int64_t)floor(at) + REACH - 1; n++) {
        if (n < 0 || n >= (int64_t)n_frames) continue;
        double d = (double)n - at, after = d > 0 ? 1 : 0;
        source[n] += jump * (look_up(blunt->step, d) - after) +
                     slope * (look_up(blunt->ramp, d) - after * d) +
                     curvature * (look_up(blunt->parabola, d) - after * d * d / 2);
    }
}

/* The derivative of one glottal flow x² - x³: from 0 over a hump to -height at the closure. */
static void add_pulse(const struct blunt *blunt, double *source, size_t n_frames, double closure,
                      double open, double height)
{
    double opening = closure - open;
    for (int64_t n = (int64_t)floor(opening) + 1; (double)n <= closure; n++) {
        if (n < 0 || n >= (int64_t)n_frames) continue;
        double x = ((double)n - opening) / open;
        source[n] += height * (2 * x - 3 * x * x);
    }
    double once = height / open, twice = height / (open * open);
    soften(blunt, source, n_frames, opening, 0, 2 * once, -6 * twice);
    soften(blunt, source, n_frames, closure, height, 4 * once, 6 * twice);
}

/* Pulses where the phase comes round, moved by jitter, in all voiced stretches. */
static bool add_pulses(const struct synth_utterance *utterance, struct synth_sound *sound,
                       double *source)
{
    struct blunt *blunt = blunt_make();
    if (!blunt) return false;
    double rate = utterance->rate_hz, phase = -1;
    double open = synth_traits[utterance->speaker].open_s / utterance->formant_scale * rate;
    for (size_t n = 0; n < sound->n_frames; n++) {
        double step = sound->f0_hz[n] / rate;
        if (step <= 0) {
            phase = -1;
            continue;
        }
        if (phase < 0) phase = 0.5; /* so that no pitch begins later than another */
        phase += step;
        if (phase < 1) continue;
        phase -= 1;
        double at = (double)n + 1 - phase / step;
        /* Draws of a place in time, in steps of 2 ms, whatever the pitch. */
        uint64_t place = (uint64_t)((double)n / rate * 500);
        at += utterance->jitter * sqrt(0.5) / step * gaussian(utterance->seed, LANE_JITTER, place);
        double height = 1 + utterance->shimmer * gaussian(utterance->seed, LANE_SHIMMER, place);
        add_pulse(blunt, source, sound->n_frames, at, open, height * sound->level[n]);
        sound->closures[sound->n_closures++] = at;
    }
    free(blunt);
    return true;
}

/* ------------------------------------------------------------------- mouth */

struct resonator {
    double a, b, c, y1, y2;
};

static void resonator_set(struct resonator *resonator, double hz, double width_hz, double rate)
{
    double shrink = exp(-PI * width_hz / rate);
    resonator->c = -shrink * shrink;
    resonator->b = 2 * shrink * cos(2 * PI * hz / rate);
    resonator->a = 1 - resonator->b - resonator->c;
}

static double resonator_run(struct resonator *resonator, double x)
{
    double y = resonator->a * x + resonator->b * resonator->y1 + resonator->c * resonator->y2;
    resonator->y2 = resonator->y1;
    resonator->y1 = y;
    return y;
}

/* Losses grow with frequency: about the widths that Dunn measured (JASA 33, 1961). */
static double width_of(double hz, double scale)
{
    return 50 * scale + 0.045 * hz;
}

enum { RESONATORS_MAX = 40 };

/* Through the formants as they move, and the fixed ones above. `source` becomes what is heard. */
static void resonate(const struct synth_utterance *utterance, const struct synth_sound *sound,
                     double *source)
{
    const struct synth_traits *traits = &synth_traits[utterance->speaker];
    double rate = utterance->rate_hz, scale = utterance->formant_scale;
    struct resonator resonators[RESONATORS_MAX] = {0};
    int n_resonators = SYNTH_FORMANTS;
    double hz = traits->fifth_hz * scale;
    for (; n_resonators < RESONATORS_MAX && hz < 0.46 * rate; hz += traits->spacing_hz * scale) {
        resonator_set(&resonators[n_resonators++], hz, width_of(hz, scale), rate);
    }
    float formants[SYNTH_FORMANTS];
    for (int k = 0; k < SYNTH_FORMANTS; k++) {
        formants[k] = (float)(traits->vowels[VOWEL_AH][k] * scale);
    }
    double tilt = exp(-2 * PI * TILT_HZ * scale / rate), tilted = 0;
    for (size_t n = 0; n < sound->n_frames; n++) {
        /* The mouth stays as it is when the voice stops. */
        if (sound->formants[n][0] > 0) memcpy(formants, sound->formants[n], sizeof formants);
        tilted = tilt * tilted + (1 - tilt) * source[n];
        double y = tilted;
        for (int k = 0; k < n_resonators; k++) {
            if (k < SYNTH_FORMANTS) {
                if (formants[k] >= 0.46F * (float)rate) continue;
                resonator_set(&resonators[k], formants[k], width_of(formants[k], scale), rate);
            }
            y = resonator_run(&resonators[k], y);
        }
        source[n] = y;
    }
}

static void add_breath(const struct synth_utterance *utterance, const struct synth_sound *sound,
                       double *source)
{
    for (size_t n = 0; n < sound->n_frames; n++) {
        if (sound->level[n] <= 0) continue;
        source[n] += utterance->breath * SOURCE_RMS * sound->level[n] *
                     gaussian(utterance->seed, LANE_BREATH, n);
    }
}

/* Scale to the usual loudness, going by the vowels. */
static void settle_level(struct synth_sound *sound, double *heard)
{
    double energy = 0;
    size_t n_voiced = 0;
    for (size_t n = 0; n < sound->n_frames; n++) {
        if (sound->level[n] <= 0) continue;
        energy += heard[n] * heard[n];
        n_voiced++;
    }
    double gain = energy > 0 ? VOICED_RMS / sqrt(energy / (double)n_voiced) : 0;
    for (size_t n = 0; n < sound->n_frames; n++) heard[n] *= gain;
}

/* ------------------------------------------------------------------- noises */

static void add_hiss(const struct synth_utterance *utterance, const struct synth_segment *segment,
                     double *heard, size_t first, size_t n_frames)
{
    double centre = segment->centre_hz * utterance->formant_scale, rate = utterance->rate_hz;
    if (centre > 0.4 * rate) centre = 0.4 * rate;
    /* How loud the noise comes out is measured on its first run, the second one is heard. */
    double energy = 0, gain = 0;
    for (int run = 0; run < 2; run++) {
        struct resonator resonator = {0};
        double x1 = 0, x2 = 0;
        resonator_set(&resonator, centre, 0.4 * centre, rate);
        for (size_t i = 0; i < n_frames; i++) {
            double x = gaussian(utterance->seed, LANE_HISS, first + i);
            double y = resonator_run(&resonator, x - x2); /* nothing at 0 Hz */
            x2 = x1;
            x1 = x;
            double at = (double)i / rate, left = (double)(n_frames - i) / rate;
            energy += run == 0 ? y * y : 0;
            heard[first + i] += gain * y * ease(at / 0.015) * ease(left / 0.015);
        }
        gain = energy > 0 ? VOICED_RMS * segment->level / sqrt(energy / (double)n_frames) : 0;
    }
}

static void add_noises(const struct synth_utterance *utterance, const struct synth_sound *sound,
                       double *heard)
{
    size_t first = 0;
    for (size_t at = 0; at < utterance->n_segments; at++) {
        const struct synth_segment *segment = &utterance->segments[at];
        size_t n = frames_of(utterance, segment->seconds);
        if (segment->kind == SYNTH_FRICATIVE) add_hiss(utterance, segment, heard, first, n);
        first += n;
    }
    if (utterance->noise_db == 0) return;
    double level = VOICED_RMS * pow(10, -utterance->noise_db / 20);
    for (size_t n = 0; n < sound->n_frames; n++) {
        heard[n] += level * gaussian(utterance->seed, LANE_NOISE, n);
    }
}

/* -------------------------------------------------------------------- sound */

static bool sound_alloc(struct synth_sound *sound)
{
    size_t n = sound->n_frames;
    sound->samples = calloc(n, sizeof *sound->samples);
    sound->f0_hz = calloc(n, sizeof *sound->f0_hz);
    sound->level = calloc(n, sizeof *sound->level);
    sound->formants = calloc(n, sizeof *sound->formants);
    sound->closures = calloc(n, sizeof *sound->closures); /* fewer than one a frame */
    return sound->samples && sound->f0_hz && sound->level && sound->formants && sound->closures;
}

static struct synth_sound *sound_make_empty(const struct synth_utterance *utterance)
{
    struct synth_sound *sound = calloc(1, sizeof *sound);
    if (!sound) return NULL;
    sound->rate_hz = utterance->rate_hz;
    for (size_t i = 0; i < utterance->n_segments; i++) {
        sound->n_frames += frames_of(utterance, utterance->segments[i].seconds);
    }
    if (sound_alloc(sound)) return sound;
    synth_sound_free(sound);
    return NULL;
}

struct synth_sound *synth_say(const struct synth_utterance *utterance)
{
    struct synth_sound *sound = sound_make_empty(utterance);
    double *heard = sound ? calloc(sound->n_frames, sizeof *heard) : NULL;
    if (!heard) {
        synth_sound_free(sound);
        return NULL;
    }
    write_timeline(utterance, sound);
    bool whole = add_pulses(utterance, sound, heard);
    add_breath(utterance, sound, heard);
    resonate(utterance, sound, heard);
    settle_level(sound, heard);
    add_noises(utterance, sound, heard);
    for (size_t n = 0; n < sound->n_frames; n++) sound->samples[n] = (float)heard[n];
    free(heard);
    if (whole) return sound;
    synth_sound_free(sound);
    return NULL;
}

void synth_sound_free(struct synth_sound *sound)
{
    if (!sound) return;
    free(sound->samples);
    free(sound->f0_hz);
    free(sound->level);
    free(sound->formants);
    free(sound->closures);
    free(sound);
}
