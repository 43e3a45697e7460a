/* Talkers without meaning: phrases, syllables, formants, and the room's echo. */
#include "voice/noise_babble.h"

#include <math.h>

#include "voice/noise_kind.h"

/* gcc vectorises such loops only from -O3 on, clang from -O2 on. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

/* Each talker is looked at every 5 ms, one after the other. */
static const float LOOK_S = 0.005f;
static const float LEVEL_S = 0.009f;   /* time constant of levels */
static const float FORMANT_S = 0.028f; /* and of formants */

/* Vowels of many languages, of a man (after Peterson, Barney, "Control methods used in a study of
 * the vowels", 1952, rounded). */
enum { VOWELS = 8 };
static const float VOWEL_HZ[VOWELS][FORMANTS] = {
    {280, 2250, 2900}, {400, 2000, 2550}, {550, 1800, 2500}, {700, 1150, 2450},
    {580, 900, 2400},  {420, 850, 2400},  {310, 880, 2250},  {500, 1450, 2450},
};
static const float LAUGH_HZ[FORMANTS] = {650, 1350, 2500};
static const float BANDWIDTH_HZ[FORMANTS] = {70, 100, 150};

/* How a syllable begins: for how long, with what voice and breath; the breath of a hiss is high. */
struct consonant {
    float seconds, voiced, breath;
    float formant_hz[FORMANTS]; /* 0: the vowel's */
};
enum { CONSONANTS = 6, LAUGH_CONSONANT = 4 };
static const struct consonant CONSONANT[CONSONANTS] = {
    {0.055f, 0, 0, {0, 0, 0}},              /* a stop: nothing, then the vowel at once */
    {0.085f, 0, 0.06f, {1500, 4200, 5600}}, /* s, sh, f */
    {0.070f, 0.35f, 0, {250, 1200, 2200}},  /* m, n */
    {0.050f, 0.5f, 0, {350, 1300, 2600}},   /* l, r, w */
    {0.060f, 0, 0.25f, {0, 0, 0}},          /* h */
    {0, 1, 0, {0, 0, 0}},                   /* none */
};

/* From near to far; who sits where is chance, how far the tables are away is not. */
static void talker_begin(struct babble *babble, struct talker *talker, size_t place)
{
    uint64_t *random = &babble->random;
    bool high = (place + (babble->random & 1)) % 2 == 0;
    talker->pitch_hz = high ? noise_around(random, 205, 0.12f) : noise_around(random, 118, 0.14f);
    talker->size = high ? noise_between(random, 1.1f, 1.22f) : noise_between(random, 0.93f, 1.05f);
    talker->rate = noise_between(random, 4, 6.2f);
    float far = (float)place / TALKERS;
    talker->loud = 0.2f + 0.8f * (1 - far) * (1 - far);
    talker->pause_s = noise_between(random, 0, 1);
    for (int f = 0; f < FORMANTS; f++) talker->formant_hz[f] = VOWEL_HZ[7][f];
}

static void begin_phrase(struct babble *babble, struct talker *talker)
{
    uint64_t *random = &babble->random;
    talker->laughs = random_unit(random_next(random)) < 0.04f;
    float syllables =
        talker->laughs ? noise_around(random, 6, 0.4f) : noise_around(random, 11, 0.7f);
    talker->phrase_of = 2 + (uint32_t)syllables;
    talker->phrase_left = talker->phrase_of;
}

static void begin_syllable(struct babble *babble, struct talker *talker)
{
    uint64_t *random = &babble->random;
    uint64_t dice = random_next(random);
    const float *vowel = talker->laughs ? LAUGH_HZ : VOWEL_HZ[dice % VOWELS];
    for (int f = 0; f < FORMANTS; f++) {
        talker->target_hz[f] = vowel[f] * talker->size * noise_around(random, 1, 0.05f);
    }
    talker->consonant = talker->laughs ? LAUGH_CONSONANT : (int)(dice / VOWELS % CONSONANTS);
    talker->onset_s = CONSONANT[talker->consonant].seconds * noise_around(random, 1, 0.3f);
    float length_s = 1 / talker->rate;
    talker->length_s =
        talker->laughs ? 0.19f : talker->onset_s + length_s * noise_around(random, 0.75f, 0.45f);
    talker->at_s = 0;
    /* A melody that falls, with accents. */
    float done = 1 - (float)talker->phrase_left / (float)talker->phrase_of;
    bool accent = dice >> 32 & 1 && dice >> 33 & 1;
    talker->melody = (talker->laughs ? 1.55f : 1.1f) - 0.28f * done + (accent ? 0.18f : 0);
    talker->melody *= noise_around(random, 1, 0.04f);
    talker->stress = noise_around(random, accent ? 1.2f : 0.8f, 0.35f) * (1 - 0.3f * done);
}

/* Phrases follow each other, with pauses in which others are listened to. */
static void talker_live(struct babble *babble, struct talker *talker, float seconds)
{
    if (talker->phrase_left == 0) {
        talker->pause_s -= seconds;
        if (talker->pause_s > 0) return;
        begin_phrase(babble, talker);
        begin_syllable(babble, talker);
        return;
    }
    talker->at_s += seconds;
    if (talker->at_s < talker->length_s) return;
    if (--talker->phrase_left > 0) {
        begin_syllable(babble, talker);
    } else {
        bool listens = random_unit(random_next(&babble->random)) < 0.35f;
        talker->pause_s = noise_around(&babble->random, listens ? 3.5f : 0.5f, 0.8f);
    }
}

/* A resonance with gain 1 at 0 Hz (Klatt, "Software for a cascade/parallel formant synthesizer",
 * 1980); one beyond the rate's band is left out. */
static void set_formant(struct babble *babble, size_t lane, int formant, float hz)
{
    float rate = (float)babble->rate_hz;
    if (hz > 0.42f * rate) {
        babble->lanes.a[formant][lane] = 1;
        babble->lanes.b[formant][lane] = babble->lanes.c[formant][lane] = 0;
        return;
    }
    float r = expf(-(float)NOISE_PI * (BANDWIDTH_HZ[formant] + 0.02f * hz) / rate);
    babble->lanes.c[formant][lane] = -r * r;
    babble->lanes.b[formant][lane] = 2 * r * cosf(2 * (float)NOISE_PI * hz / rate);
    babble->lanes.a[formant][lane] =
        1 - babble->lanes.b[formant][lane] - babble->lanes.c[formant][lane];
}

/* What the talker does now becomes what its synthesiser does next. */
static void look_at(struct babble *babble, size_t lane)
{
    struct talker *talker = &babble->talkers[lane];
    struct talker_lanes *lanes = &babble->lanes;
    float seconds = (float)(babble->step * TALKERS) / (float)babble->rate_hz;
    talker_live(babble, talker, seconds);
    const struct consonant *consonant = &CONSONANT[talker->consonant];
    bool talks = talker->phrase_left > 0;
    bool onset = talks && talker->at_s < talker->onset_s;
    float rest = talker->length_s - talker->onset_s;
    float part = rest > 0 ? (talker->at_s - talker->onset_s) / rest : 1;
    float shape = onset ? 1 : 1 - 0.55f * part * part;
    /* Never 0: what dies away would become denormal numbers, which are slow. */
    float level = talks ? talker->loud * talker->stress * shape : 1e-6f;
    lanes->voiced_to[lane] = level * (onset ? consonant->voiced + 1e-6f : 1);
    lanes->breath_to[lane] = level * (onset            ? consonant->breath + 1e-6f
                                      : talker->laughs ? 0.08f
                                                       : 0.025f);
    float glide = 1 - expf(-seconds / FORMANT_S);
    for (int f = 0; f < FORMANTS; f++) {
        bool own = onset && consonant->formant_hz[f] > 0;
        float to = own ? consonant->formant_hz[f] * talker->size : talker->target_hz[f];
        if (to <= 0) to = talker->formant_hz[f];
        talker->formant_hz[f] += glide * (to - talker->formant_hz[f]);
        set_formant(babble, lane, f, talker->formant_hz[f]);
    }
    float jitter = 1 + 0.008f * noise_bell(&babble->random);
    float fall = 1 - 0.06f * (part > 0 && part < 1 ? part : 0);
    float hz = talker->pitch_hz * (talker->melody > 0 ? talker->melody : 1) * jitter * fall;
    lanes->turn[lane] = hz / (float)babble->rate_hz;
}

void babble_begin(struct babble *babble, uint32_t rate_hz, uint64_t key)
{
    babble->random = key;
    babble->rate_hz = rate_hz;
    babble->step = (uint32_t)(LOOK_S * (float)rate_hz / TALKERS);
    babble->step = babble->step > 0 ? babble->step : 1;
    babble->step_left = babble->step;
    babble->glide = 1 - expf(-1 / (LEVEL_S * (float)rate_hz));
    static const float ECHO_S[ECHOES] = {0.0297f, 0.0371f, 0.0411f, 0.0437f};
    for (int e = 0; e < ECHOES; e++) {
        uint32_t length = (uint32_t)(ECHO_S[e] * (float)rate_hz) | 1;
        babble->echo_length[e] = length < ECHO_ROOM ? length : ECHO_ROOM;
    }
    for (size_t t = 0; t < TALKERS; t++) {
        struct talker *talker = &babble->talkers[t];
        talker_begin(babble, talker, t);
        babble->lanes.noise[t] = (uint32_t)random_next(&babble->random) | 1;
        /* The farther, the duller. */
        struct noise_low low;
        noise_low_set(&low, 1100 + 2600 * talker->loud, rate_hz);
        babble->lanes.muffle[t] = low.part;
        look_at(babble, t);
    }
}

/* One sample of all talkers. */
static float talk(struct talker_lanes *lanes, float glide)
{
    float source[TALKERS];
    for (int t = 0; t < TALKERS; t++) {
        float phase = lanes->phase[t] + lanes->turn[t];
        phase = phase >= 1 ? phase - 1 : phase;
        lanes->phase[t] = phase;
        lanes->voiced[t] += glide * (lanes->voiced_to[t] - lanes->voiced[t]);
        lanes->breath[t] += glide * (lanes->breath_to[t] - lanes->breath[t]);
        /* Marsaglia's xorshift: each lane has its own breath. */
        uint32_t noise = lanes->noise[t];
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        lanes->noise[t] = noise;
        float breath = (float)(int32_t)noise * 0x1p-31f;
        /* The change of a flow that opens slowly and closes at once (Rosenberg, 1971). */
        float u = phase * (1 / 0.62f);
        float pulse = u < 1 ? u * (2 - 3 * u) : 0;
        source[t] = lanes->voiced[t] * pulse + lanes->breath[t] * breath;
    }
    for (int f = 0; f < FORMANTS; f++) {
        for (int t = 0; t < TALKERS; t++) {
            float y = lanes->a[f][t] * source[t] + lanes->b[f][t] * lanes->y1[f][t] +
                      lanes->c[f][t] * lanes->y2[f][t];
            lanes->y2[f][t] = lanes->y1[f][t];
            lanes->y1[f][t] = y;
            source[t] = y;
        }
    }
    for (int t = 0; t < TALKERS; t++) {
        lanes->muffled[t] += lanes->muffle[t] * (source[t] - lanes->muffled[t]);
    }
    float sum = 0;
    for (int t = 0; t < TALKERS; t++) sum += lanes->muffled[t];
    return sum;
}

/* Four delays that feed each other (Jot, Chaigne, "Digital delay networks for designing artificial
 * reverberators", 1991), each a little duller: the room rings for about 0.7 s. */
static float echo(struct babble *babble, float in)
{
    float out[ECHOES];
    float sum = 0;
    for (int e = 0; e < ECHOES; e++) {
        float y = babble->echoes[e][babble->echo_at[e]];
        babble->echo_dull[e] += 0.55f * (y - babble->echo_dull[e]);
        out[e] = babble->echo_dull[e];
        sum += out[e];
    }
    /* A reflection at the plane of equal values keeps the energy: out - sum / 2. */
    for (int e = 0; e < ECHOES; e++) {
        float back = 0.72f * (out[e] - 0.5f * sum) + in;
        babble->echoes[e][babble->echo_at[e]] = fabsf(back) > 1e-15f ? back : 0;
        babble->echo_at[e]++;
        if (babble->echo_at[e] == babble->echo_length[e]) babble->echo_at[e] = 0;
    }
    return out[0] - out[1] + out[2] - out[3];
}

void babble_next(struct babble *babble, float *out, size_t n_samples)
{
    for (size_t i = 0; i < n_samples; i++) {
        if (--babble->step_left == 0) {
            babble->step_left = babble->step;
            look_at(babble, babble->turn_of);
            babble->turn_of = babble->turn_of + 1 == TALKERS ? 0 : babble->turn_of + 1;
        }
        float dry = talk(&babble->lanes, babble->glide);
        out[i] = dry + 0.5f * echo(babble, dry);
    }
}
