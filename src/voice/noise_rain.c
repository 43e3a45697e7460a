/*
 * The bed "rain": the hiss of all drops that are far away, and those near by one by one: small ones
 * that tick, and large ones whose bubbles ring lower (Minnaert: the larger, the lower). It comes
 * down now stronger, now weaker.
 */
#include "voice/noise_bed.h"
#include "voice/noise_kind.h"

static const float TICKS_PER_SECOND = 140;
static const float BLOBS_PER_SECOND = 9;
/* Mean square of the strength, and of the drops. */
static const float HISS_STRENGTH = 1.06f, DROPS_ENERGY = 0.05f;

struct rain {
    uint64_t random;
    uint32_t rate_hz;
    float density, gain;
    struct noise_band hiss[2]; /* leaves and roofs, the road */
    struct noise_low far[2];   /* what remains of it at a distance */
    struct noise_slow shower;  /* strength, over seconds */
    struct noise_slow gust;    /* and over tenths */
    float strength;
    uint32_t tick_in, blob_in; /* samples until the next one */
    struct noise_rings drops;
};

static inline float rain_hiss(struct rain *rain, float white)
{
    float near = noise_band_next(&rain->hiss[0], white);
    float bright = noise_band_next(&rain->hiss[1], white);
    float far = noise_low_next(&rain->far[1], noise_low_next(&rain->far[0], white));
    /* The bands lead where the low-pass lags: with one sign they would cancel between. */
    return 0.6f * near + 0.2f * bright - 1.2f * far;
}

/* A low rate has less of the hiss and fewer of the ticks: energy of its impulse response, and that
 * of the drops as measured at 48 kHz. */
static float rain_gain(struct rain rain)
{
    float energy = 0;
    for (int i = 0; i < 4000; i++) {
        float y = rain_hiss(&rain, i == 0 ? rain.density : 0);
        energy += y * y;
    }
    return NOISE_BED_RMS / sqrtf(HISS_STRENGTH * energy + DROPS_ENERGY);
}

static void rain_begin(void *state, uint32_t rate_hz, uint64_t key)
{
    struct rain *rain = state;
    rain->random = key;
    rain->rate_hz = rate_hz;
    rain->density = noise_density(rate_hz);
    noise_band_set(&rain->hiss[0], 1500, 0.4f, rate_hz);
    noise_band_set(&rain->hiss[1], 4800, 0.6f, rate_hz);
    noise_low_set(&rain->far[0], 260, rate_hz);
    noise_low_set(&rain->far[1], 900, rate_hz);
    rain->gain = rain_gain(*rain);
    noise_slow_begin(&rain->shower, 9, rate_hz, &rain->random);
    noise_slow_begin(&rain->gust, 0.8f, rate_hz, &rain->random);
    rain->strength = 1;
    rain->tick_in = noise_wait(&rain->random, TICKS_PER_SECOND, rate_hz);
    rain->blob_in = noise_wait(&rain->random, BLOBS_PER_SECOND, rate_hz);
}

static void rain_drops(struct rain *rain)
{
    uint64_t *random = &rain->random;
    for (; rain->tick_in < NOISE_BLOCK;
         rain->tick_in += noise_wait(random, TICKS_PER_SECOND * rain->strength, rain->rate_hz)) {
        float hz = noise_around(random, 3600, 0.7f);
        float decay_s = noise_around(random, 0.0016f, 0.5f);
        float amplitude = noise_around(random, 0.55f, 1.0f);
        noise_rings_strike(&rain->drops, rain->tick_in, hz, decay_s, amplitude, rain->rate_hz);
    }
    rain->tick_in -= NOISE_BLOCK;
    for (; rain->blob_in < NOISE_BLOCK;
         rain->blob_in += noise_wait(random, BLOBS_PER_SECOND * rain->strength, rain->rate_hz)) {
        float hz = noise_around(random, 950, 0.55f);
        float decay_s = noise_around(random, 0.008f, 0.5f);
        float amplitude = noise_around(random, 0.5f, 0.8f);
        noise_rings_strike(&rain->drops, rain->blob_in, hz, decay_s, amplitude, rain->rate_hz);
        /* The splash that made the bubble. */
        noise_rings_strike(&rain->drops, rain->blob_in, 4.3f * hz, 0.0012f, amplitude,
                           rain->rate_hz);
    }
    rain->blob_in -= NOISE_BLOCK;
}

static void rain_block(void *state, float *out)
{
    struct rain *rain = state;
    float to = exp2f(0.22f * noise_slow_next(&rain->shower, &rain->random) +
                     0.1f * noise_slow_next(&rain->gust, &rain->random));
    float slope = (to - rain->strength) / NOISE_BLOCK;
    for (int i = 0; i < NOISE_BLOCK; i++) {
        rain->strength += slope;
        out[i] = rain->strength * rain_hiss(rain, rain->density * noise_bell(&rain->random));
    }
    rain->strength = to;
    rain_drops(rain);
    noise_rings_add(&rain->drops, out);
    for (int i = 0; i < NOISE_BLOCK; i++) out[i] *= rain->gain;
}

const struct noise_kind noise_rain_kind = {"rain", sizeof(struct rain), rain_begin, rain_block};
