/* The beds "white", "pink" and "room": steady noise, and a room whose ventilation runs. */
#include "voice/noise_bed.h"
#include "voice/noise_kind.h"

/* ---------------------------------------------------------------------- white */

struct white {
    uint64_t random;
};

static void white_begin(void *state, uint32_t rate_hz, uint64_t key)
{
    (void)rate_hz;
    struct white *white = state;
    white->random = key;
}

static void white_block(void *state, float *out)
{
    struct white *white = state;
    for (int i = 0; i < NOISE_BLOCK; i++) out[i] = NOISE_BED_RMS * noise_bell(&white->random);
}

const struct noise_kind noise_white_kind = {"white", sizeof(struct white), white_begin,
                                            white_block};

/* ----------------------------------------------------------------------- pink */

enum { PINK_SECTIONS = 8 };
static const float PINK_LOWEST_HZ = 12;

/* Poles and zeros by turns, half a step of 4 apart: 10 dB for each decade, within 0.5 dB. */
struct pink {
    uint64_t random;
    float gain;
    uint32_t n_sections;
    float pole[PINK_SECTIONS], zero[PINK_SECTIONS];
    float x[PINK_SECTIONS], y[PINK_SECTIONS];
};

/* Energy of the filter's impulse response, which is the gain of white noise through it. */
static float pink_energy(struct pink pink, uint32_t rate_hz)
{
    /* The slowest pole forgets in rate / (2 pi 12 Hz) samples: after six of these nothing is left.
     */
    float energy = 0;
    for (uint32_t i = 0; i < rate_hz / 12; i++) {
        float x = i == 0 ? 1 : 0;
        for (uint32_t s = 0; s < pink.n_sections; s++) {
            pink.y[s] = x - pink.zero[s] * pink.x[s] + pink.pole[s] * pink.y[s];
            pink.x[s] = x;
            x = pink.y[s];
        }
        energy += x * x;
    }
    return energy;
}

static void pink_begin(void *state, uint32_t rate_hz, uint64_t key)
{
    struct pink *pink = state;
    pink->random = key;
    float hz = PINK_LOWEST_HZ;
    while (pink->n_sections < PINK_SECTIONS && hz < 0.4f * (float)rate_hz) {
        float w = 2 * (float)NOISE_PI * hz / (float)rate_hz;
        pink->pole[pink->n_sections] = expf(-w);
        pink->zero[pink->n_sections] = expf(-2 * w);
        pink->n_sections++;
        hz *= 4;
    }
    pink->gain = NOISE_BED_RMS / sqrtf(pink_energy(*pink, rate_hz));
}

static void pink_block(void *state, float *out)
{
    struct pink *pink = state;
    for (int i = 0; i < NOISE_BLOCK; i++) out[i] = pink->gain * noise_bell(&pink->random);
    for (uint32_t s = 0; s < pink->n_sections; s++) {
        float x = pink->x[s], y = pink->y[s];
        for (int i = 0; i < NOISE_BLOCK; i++) {
            y = out[i] - pink->zero[s] * x + pink->pole[s] * y;
            x = out[i];
            out[i] = y;
        }
        pink->x[s] = x;
        pink->y[s] = y;
    }
}

const struct noise_kind noise_pink_kind = {"pink", sizeof(struct pink), pink_begin, pink_block};

/* ----------------------------------------------------------------------- room */

enum { PARTIALS = 5 };
/* Hum of a transformer and a motor on 50 Hz mains, and the blades of a fan. */
static const float PARTIAL_HZ[PARTIALS] = {50, 100, 150, 300, 117};
static const float PARTIAL_LEVEL[PARTIALS] = {0.06f, 0.13f, 0.035f, 0.028f, 0.07f};
enum { BLADES = 4 };
static const float LOUDNESS = 4.30f; /* measured, over an hour */

struct room {
    uint64_t random;
    uint32_t rate_hz;
    float density;
    struct noise_low flow[2];   /* the rush in the duct */
    struct noise_band ducts[3]; /* its resonances */
    struct noise_low air[2];    /* what comes out of the grille */
    struct noise_slow draught;  /* how strong it is */
    struct noise_slow shimmer;  /* how the fan's level wanders */
    struct noise_slow turning;  /* its speed */
    float strength, fan;
    float phase[PARTIALS]; /* in turns */
};

static void room_begin(void *state, uint32_t rate_hz, uint64_t key)
{
    struct room *room = state;
    room->random = key;
    room->rate_hz = rate_hz;
    room->density = noise_density(rate_hz);
    noise_low_set(&room->flow[0], 80, rate_hz);
    noise_low_set(&room->flow[1], 210, rate_hz);
    noise_band_set(&room->ducts[0], 83, 3, rate_hz);
    noise_band_set(&room->ducts[1], 174, 4, rate_hz);
    noise_band_set(&room->ducts[2], 330, 2.5f, rate_hz);
    noise_low_set(&room->air[0], 700, rate_hz);
    noise_low_set(&room->air[1], 2600, rate_hz);
    noise_slow_begin(&room->draught, 5, rate_hz, &room->random);
    noise_slow_begin(&room->shimmer, 0.7f, rate_hz, &room->random);
    noise_slow_begin(&room->turning, 8, rate_hz, &room->random);
    room->strength = 1;
    room->fan = 1;
    for (int p = 0; p < PARTIALS; p++) {
        room->phase[p] = noise_between(&room->random, 0, 1);
    }
}

static void room_flow(struct room *room, float *out)
{
    float to = exp2f(0.12f * noise_slow_next(&room->draught, &room->random));
    float slope = (to - room->strength) / NOISE_BLOCK;
    for (int i = 0; i < NOISE_BLOCK; i++) {
        room->strength += slope;
        float white = room->density * noise_bell(&room->random);
        float rush = noise_low_next(&room->flow[1], noise_low_next(&room->flow[0], white));
        float ducts = 0;
        for (int d = 0; d < 3; d++) ducts += noise_band_next(&room->ducts[d], white);
        float air = noise_low_next(&room->air[1], noise_low_next(&room->air[0], white));
        out[i] = room->strength * (2.6f * rush + 0.8f * ducts + 0.14f * air);
    }
    room->strength = to;
}

/* A sine by its parabola (Bhaskara's, within 0.2 %): nobody hears a hum's third harmonic at -54 dB
 * below noise. */
static inline float turn_sine(float phase)
{
    float half = phase < 0.5f ? phase : phase - 0.5f;
    float p = half * (0.5f - half);
    float sine = 16 * p / (1.25f - 4 * p);
    return phase < 0.5f ? sine : -sine;
}

static void room_hum(struct room *room, float *out)
{
    float fan_to = exp2f(0.35f * noise_slow_next(&room->shimmer, &room->random));
    float turning = 1 + 0.004f * noise_slow_next(&room->turning, &room->random);
    for (int p = 0; p < PARTIALS; p++) {
        bool is_fan = p == BLADES;
        float step = PARTIAL_HZ[p] * (is_fan ? turning : 1) / (float)room->rate_hz;
        float level = PARTIAL_LEVEL[p] * (is_fan ? room->fan : 1);
        float slope = is_fan ? PARTIAL_LEVEL[p] * (fan_to - room->fan) / NOISE_BLOCK : 0;
        float phase = room->phase[p];
        for (int i = 0; i < NOISE_BLOCK; i++) {
            out[i] += level * turn_sine(phase);
            level += slope;
            phase += step;
            if (phase >= 1) phase -= 1;
        }
        room->phase[p] = phase;
    }
    room->fan = fan_to;
}

static void room_block(void *state, float *out)
{
    struct room *room = state;
    room_flow(room, out);
    room_hum(room, out);
    for (int i = 0; i < NOISE_BLOCK; i++) out[i] *= LOUDNESS * NOISE_BED_RMS;
}

const struct noise_kind noise_room_kind = {"room", sizeof(struct room), room_begin, room_block};
