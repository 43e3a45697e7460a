/*
 * The bed "cafe": people who murmur (noise_babble.h), cups on saucers, spoons and plates, and the
 * tone of the room.
 */
#include <string.h>

#include "voice/noise_babble.h"
#include "voice/noise_bed.h"
#include "voice/noise_kind.h"

enum { BABBLE_HZ = 16000, TAPS = 10, STEPS_MAX = 12 };
static const float CLINKS_PER_SECOND = 0.55f;
static const float CUPS_PER_SECOND = 0.22f;
static const float LOUDNESS = 1.08f; /* measured, over an hour */

struct cafe {
    uint64_t random;
    uint32_t rate_hz;
    float density;
    /* The murmur at rate_hz / n_steps, and a low-pass that makes rate_hz of it. */
    struct babble babble;
    uint32_t n_steps, step;
    float filter[STEPS_MAX * TAPS];
    float newest[TAPS]; /* the newest last */
    struct noise_rings china;
    uint32_t clink_in, cup_in; /* samples until the next one */
    uint32_t again_in, again;  /* a clink that is repeated: spoons rattle */
    float clink_hz, clink_level;
    struct noise_low tone[2], hush[2];
    struct noise_slow life; /* how much goes on */
};

/* A sinc under a Hann window, each step's taps with the sum 1. */
static void make_filter(struct cafe *cafe)
{
    uint32_t n = cafe->n_steps * TAPS;
    for (uint32_t i = 0; i < n; i++) {
        double x = ((double)i + 0.5 - 0.5 * n) / cafe->n_steps;
        double sinc = sin(NOISE_PI * 0.9 * x) / (NOISE_PI * 0.9 * x);
        double window = 0.5 - 0.5 * cos(2 * NOISE_PI * ((double)i + 0.5) / n);
        cafe->filter[i] = (float)(sinc * window);
    }
    for (uint32_t s = 0; s < cafe->n_steps; s++) {
        float sum = 0;
        for (uint32_t t = 0; t < TAPS; t++) sum += cafe->filter[t * cafe->n_steps + s];
        for (uint32_t t = 0; t < TAPS; t++) cafe->filter[t * cafe->n_steps + s] /= sum;
    }
}

static void cafe_begin(void *state, uint32_t rate_hz, uint64_t key)
{
    struct cafe *cafe = state;
    cafe->random = key;
    cafe->rate_hz = rate_hz;
    cafe->density = noise_density(rate_hz);
    cafe->n_steps = rate_hz / BABBLE_HZ;
    cafe->n_steps = cafe->n_steps > 0 ? cafe->n_steps : 1;
    make_filter(cafe);
    babble_begin(&cafe->babble, rate_hz / cafe->n_steps, random_next(&cafe->random));
    cafe->clink_in = noise_wait(&cafe->random, CLINKS_PER_SECOND, rate_hz);
    cafe->cup_in = noise_wait(&cafe->random, CUPS_PER_SECOND, rate_hz);
    noise_low_set(&cafe->tone[0], 110, rate_hz);
    noise_low_set(&cafe->tone[1], 260, rate_hz);
    noise_low_set(&cafe->hush[0], 900, rate_hz);
    noise_low_set(&cafe->hush[1], 3000, rate_hz);
    noise_slow_begin(&cafe->life, 6, rate_hz, &cafe->random);
}

static void cafe_murmur(struct cafe *cafe, float *out)
{
    for (int i = 0; i < NOISE_BLOCK; i++) {
        if (cafe->step == 0) {
            memmove(cafe->newest, cafe->newest + 1, (TAPS - 1) * sizeof *cafe->newest);
            babble_next(&cafe->babble, &cafe->newest[TAPS - 1], 1);
        }
        const float *filter = cafe->filter + cafe->step;
        float sum = 0;
        for (uint32_t t = 0; t < TAPS; t++) {
            sum += filter[t * cafe->n_steps] * cafe->newest[TAPS - 1 - t];
        }
        out[i] = sum;
        cafe->step = cafe->step + 1 == cafe->n_steps ? 0 : cafe->step + 1;
    }
}

/* Metal or glass: partials that are no multiples of each other, the higher the shorter. */
static void strike_clink(struct cafe *cafe, uint32_t offset)
{
    static const float PARTIALS[] = {1, 1.58f, 2.29f, 2.93f, 4.11f};
    for (int p = 0; p < 5; p++) {
        float hz = cafe->clink_hz * PARTIALS[p] * noise_around(&cafe->random, 1, 0.01f);
        float decay_s = noise_around(&cafe->random, 0.09f, 0.3f) / PARTIALS[p];
        float level =
            cafe->clink_level * noise_around(&cafe->random, 0.5f, 0.5f) / (1 + 0.4f * (float)p);
        noise_rings_strike(&cafe->china, offset, hz, decay_s, level, cafe->rate_hz);
    }
}

static void begin_clink(struct cafe *cafe)
{
    uint64_t *random = &cafe->random;
    cafe->clink_hz = noise_around(random, 2500, 0.35f);
    cafe->clink_level = noise_around(random, 0.5f, 0.9f);
    cafe->again =
        random_unit(random_next(random)) < 0.45f ? 1 + (uint32_t)(random_next(random) % 4) : 0;
    cafe->again_in = (uint32_t)(noise_around(random, 0.11f, 0.4f) * (float)cafe->rate_hz);
}

/* A cup put down: china on china, and the table's thud. */
static void strike_cup(struct cafe *cafe, uint32_t offset)
{
    uint64_t *random = &cafe->random;
    float level = noise_around(random, 0.6f, 0.6f);
    float hz = noise_around(random, 1250, 0.2f);
    noise_rings_strike(&cafe->china, offset, hz, 0.022f, level, cafe->rate_hz);
    noise_rings_strike(&cafe->china, offset, 2.4f * hz, 0.012f, 0.7f * level, cafe->rate_hz);
    noise_rings_strike(&cafe->china, offset, 3.9f * hz, 0.008f, 0.5f * level, cafe->rate_hz);
    noise_rings_strike(&cafe->china, offset, noise_around(random, 170, 0.3f), 0.025f, 1.2f * level,
                       cafe->rate_hz);
}

static void cafe_china(struct cafe *cafe)
{
    if (cafe->clink_in < NOISE_BLOCK) {
        begin_clink(cafe);
        strike_clink(cafe, cafe->clink_in);
        cafe->clink_in += NOISE_BLOCK + noise_wait(&cafe->random, CLINKS_PER_SECOND, cafe->rate_hz);
    }
    cafe->clink_in -= NOISE_BLOCK;
    if (cafe->again > 0 && cafe->again_in < NOISE_BLOCK) {
        cafe->clink_level *= noise_around(&cafe->random, 0.8f, 0.4f);
        strike_clink(cafe, cafe->again_in);
        cafe->again--;
        cafe->again_in += NOISE_BLOCK + (uint32_t)(noise_around(&cafe->random, 0.12f, 0.4f) *
                                                   (float)cafe->rate_hz);
    }
    if (cafe->again > 0) cafe->again_in -= NOISE_BLOCK;
    if (cafe->cup_in < NOISE_BLOCK) {
        strike_cup(cafe, cafe->cup_in);
        cafe->cup_in += NOISE_BLOCK + noise_wait(&cafe->random, CUPS_PER_SECOND, cafe->rate_hz);
    }
    cafe->cup_in -= NOISE_BLOCK;
}

static void cafe_block(void *state, float *out)
{
    struct cafe *cafe = state;
    cafe_murmur(cafe, out);
    float life = 0.07f * exp2f(0.25f * noise_slow_next(&cafe->life, &cafe->random));
    for (int i = 0; i < NOISE_BLOCK; i++) {
        float white = cafe->density * noise_bell(&cafe->random);
        float tone = noise_low_next(&cafe->tone[1], noise_low_next(&cafe->tone[0], white));
        float hush = noise_low_next(&cafe->hush[1], noise_low_next(&cafe->hush[0], white));
        out[i] += 2.0f * life * tone + 3.0f * life * hush;
    }
    cafe_china(cafe);
    noise_rings_add(&cafe->china, out);
    for (int i = 0; i < NOISE_BLOCK; i++) out[i] *= LOUDNESS * NOISE_BED_RMS;
}

const struct noise_kind noise_cafe_kind = {"cafe", sizeof(struct cafe), cafe_begin, cafe_block};
