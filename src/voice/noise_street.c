/*
 * The bed "street": the wash of a town, an engine that idles somewhere, and cars and now and then
 * something heavier that come, pass and go: louder and brighter the nearer, higher in pitch before
 * than after (Doppler).
 */
#include "voice/noise_bed.h"
#include "voice/noise_kind.h"

enum { CARS = 4 };
static const float CARS_PER_SECOND = 0.22f;
static const float SOUND_SPEED = 343;
static const float NEAR_M = 10;      /* where a car has level 1 */
static const float LOUDNESS = 1.92f; /* measured, over an hour */

/* Pulses of cylinders: a saw, rounded. */
struct engine {
    float phase;
    struct noise_low body[2];
};

struct car {
    bool drives;
    float time_s, end_s; /* from -end_s to end_s; passes at 0 */
    float speed, distance_m;
    float engine_hz, engine_level, tyre_level;
    float level; /* at the last block's end */
    struct noise_band tyres;
    struct noise_low air[2]; /* takes the treble away on the way here */
    struct engine engine;
};

struct street {
    uint64_t random;
    uint32_t rate_hz;
    float density;
    struct noise_low wash[3], rumble[2];
    struct noise_slow traffic; /* how much of a wash */
    float wash_level;
    struct engine idle;
    struct noise_slow idling;  /* its speed */
    struct noise_slow idle_at; /* and how much of it comes here */
    float idle_level;
    uint32_t car_in; /* samples until the next one */
    struct car cars[CARS];
};

static void street_begin(void *state, uint32_t rate_hz, uint64_t key)
{
    struct street *street = state;
    street->random = key;
    street->rate_hz = rate_hz;
    street->density = noise_density(rate_hz);
    noise_low_set(&street->wash[0], 240, rate_hz);
    noise_low_set(&street->wash[1], 700, rate_hz);
    noise_low_set(&street->wash[2], 1800, rate_hz);
    noise_low_set(&street->rumble[0], 45, rate_hz);
    noise_low_set(&street->rumble[1], 75, rate_hz);
    noise_slow_begin(&street->traffic, 7, rate_hz, &street->random);
    noise_slow_begin(&street->idling, 2.5f, rate_hz, &street->random);
    noise_slow_begin(&street->idle_at, 11, rate_hz, &street->random);
    noise_low_set(&street->idle.body[0], 110, rate_hz);
    noise_low_set(&street->idle.body[1], 220, rate_hz);
    street->wash_level = 1;
    street->car_in = noise_wait(&street->random, 1, rate_hz);
}

static inline float engine_next(struct engine *engine, float turn)
{
    engine->phase += turn;
    if (engine->phase >= 1) engine->phase -= 1;
    float saw = 2 * engine->phase - 1;
    float pulse = saw * saw * saw * saw - 0.2f; /* a bump at each turn, mean 0 */
    return noise_low_next(&engine->body[1], noise_low_next(&engine->body[0], pulse));
}

static void street_far(struct street *street, float *out)
{
    uint64_t *random = &street->random;
    float wash_to = exp2f(0.4f * noise_slow_next(&street->traffic, random));
    float wash_slope = (wash_to - street->wash_level) / NOISE_BLOCK;
    float idle_to = exp2f(0.9f * noise_slow_next(&street->idle_at, random) - 1.5f);
    float idle_slope = (idle_to - street->idle_level) / NOISE_BLOCK;
    float turn =
        27 * (1 + 0.05f * noise_slow_next(&street->idling, random)) / (float)street->rate_hz;
    for (int i = 0; i < NOISE_BLOCK; i++) {
        street->wash_level += wash_slope;
        street->idle_level += idle_slope;
        float white = street->density * noise_bell(random);
        float wash = white;
        for (int f = 0; f < 3; f++) wash = noise_low_next(&street->wash[f], wash);
        float rumble =
            noise_low_next(&street->rumble[1], noise_low_next(&street->rumble[0], white));
        out[i] = street->wash_level * (1.8f * wash + 2.2f * rumble) +
                 0.5f * street->idle_level * engine_next(&street->idle, turn);
    }
    street->wash_level = wash_to;
    street->idle_level = idle_to;
}

static void car_begin(struct street *street, struct car *car)
{
    uint64_t *random = &street->random;
    uint32_t rate_hz = street->rate_hz;
    bool heavy = random_unit(random_next(random)) < 0.17f;
    *car = (struct car){.drives = true};
    car->speed = heavy ? noise_between(random, 7, 11) : noise_between(random, 8, 17);
    car->distance_m = noise_between(random, 9, 20);
    car->end_s = noise_between(random, 60, 90) / car->speed;
    car->time_s = -car->end_s;
    car->engine_hz = heavy ? noise_around(random, 38, 0.15f) : noise_around(random, 64, 0.25f);
    car->engine_level = heavy ? 2.4f : noise_around(random, 0.8f, 0.5f);
    car->tyre_level = noise_around(random, heavy ? 3.4f : 3.0f, 0.3f);
    noise_band_set(&car->tyres, noise_around(random, heavy ? 620 : 880, 0.2f), 0.55f, rate_hz);
    noise_low_set(&car->engine.body[0], heavy ? 190 : 280, rate_hz);
    noise_low_set(&car->engine.body[1], heavy ? 420 : 600, rate_hz);
}

/* A level that is 0 where the car begins and ends: the road turns there. */
static float car_level(const struct car *car, float range_m)
{
    float part = car->time_s / car->end_s;
    float edge = 1 - part * part;
    return edge > 0 ? edge * NEAR_M / range_m : 0;
}

static void car_block(struct street *street, struct car *car, float *out)
{
    car->time_s += (float)NOISE_BLOCK / (float)street->rate_hz;
    float along_m = car->speed * car->time_s;
    float range_m = sqrtf(along_m * along_m + car->distance_m * car->distance_m);
    float to = car_level(car, range_m);
    float slope = (to - car->level) / NOISE_BLOCK;
    float away = car->speed * along_m / range_m;
    float turn = car->engine_hz * SOUND_SPEED / (SOUND_SPEED + away) / (float)street->rate_hz;
    float air_hz = 900 + 9000 * car->distance_m / (range_m + car->distance_m);
    for (int f = 0; f < 2; f++) noise_low_set(&car->air[f], air_hz, street->rate_hz);
    for (int i = 0; i < NOISE_BLOCK; i++) {
        car->level += slope;
        float white = street->density * noise_bell(&street->random);
        float sound = car->tyre_level * noise_band_next(&car->tyres, white) +
                      car->engine_level * engine_next(&car->engine, turn);
        sound = noise_low_next(&car->air[1], noise_low_next(&car->air[0], sound));
        out[i] += car->level * sound;
    }
    car->level = to;
    car->drives = car->time_s < car->end_s;
}

static void street_block(void *state, float *out)
{
    struct street *street = state;
    street_far(street, out);
    if (street->car_in < NOISE_BLOCK) {
        street->car_in += noise_wait(&street->random, CARS_PER_SECOND, street->rate_hz);
        int free = 0;
        while (free < CARS && street->cars[free].drives) free++;
        if (free < CARS) car_begin(street, &street->cars[free]);
    }
    street->car_in = street->car_in > NOISE_BLOCK ? street->car_in - NOISE_BLOCK : 0;
    for (int c = 0; c < CARS; c++) {
        if (street->cars[c].drives) car_block(street, &street->cars[c], out);
    }
    for (int i = 0; i < NOISE_BLOCK; i++) out[i] *= LOUDNESS * NOISE_BED_RMS;
}

const struct noise_kind noise_street_kind = {"street", sizeof(struct street), street_begin,
                                             street_block};
