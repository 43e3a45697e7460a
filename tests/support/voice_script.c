/* What synthetic voices say: the speakers' vowels and pitch, and utterances made of them. */
#include <math.h>
#include <string.h>

#include "voice_speakers.h"

/* F1..F3 are the means of Peterson & Barney, JASA 24 (1952), F4 typical values; F0 a little below
 * their reading voice's. */
const struct synth_traits synth_traits[SYNTH_SPEAKERS] = {
    [SYNTH_MAN] = {.f0_hz = 115,
                   .open_s = 0.0050,
                   .fifth_hz = 4500,
                   .spacing_hz = 1000,
                   .vowels = {[VOWEL_IY] = {270, 2290, 3010, 3500},
                              [VOWEL_EH] = {530, 1840, 2480, 3500},
                              [VOWEL_AE] = {660, 1720, 2410, 3500},
                              [VOWEL_AA] = {730, 1090, 2440, 3400},
                              [VOWEL_AO] = {570, 840, 2410, 3400},
                              [VOWEL_UW] = {300, 870, 2240, 3300},
                              [VOWEL_AH] = {640, 1190, 2390, 3400}}},
    [SYNTH_WOMAN] = {.f0_hz = 205,
                     .open_s = 0.0029,
                     .fifth_hz = 5200,
                     .spacing_hz = 1150,
                     .vowels = {[VOWEL_IY] = {310, 2790, 3310, 4150},
                                [VOWEL_EH] = {610, 2330, 2990, 4100},
                                [VOWEL_AE] = {860, 2050, 2850, 4100},
                                [VOWEL_AA] = {850, 1220, 2810, 4000},
                                [VOWEL_AO] = {590, 920, 2710, 4000},
                                [VOWEL_UW] = {370, 950, 2670, 3900},
                                [VOWEL_AH] = {760, 1400, 2780, 4000}}},
    [SYNTH_CHILD] = {.f0_hz = 270,
                     .open_s = 0.0022,
                     .fifth_hz = 5900,
                     .spacing_hz = 1300,
                     .vowels = {[VOWEL_IY] = {370, 3200, 3730, 4800},
                                [VOWEL_EH] = {690, 2610, 3570, 4700},
                                [VOWEL_AE] = {1010, 2320, 3320, 4700},
                                [VOWEL_AA] = {1030, 1370, 3170, 4600},
                                [VOWEL_AO] = {680, 1060, 3180, 4600},
                                [VOWEL_UW] = {430, 1170, 3260, 4500},
                                [VOWEL_AH] = {850, 1590, 3360, 4600}}},
};

uint64_t synth_hash(uint64_t seed, uint64_t lane, uint64_t index)
{
    /* splitmix64's finaliser (Steele et al., OOPSLA 2014) over a mix of the three. */
    uint64_t x = seed * 0x9E3779B97F4A7C15U + lane * 0xD1B54A32D192ED03U + index + 1;
    for (int round = 0; round < 2; round++) {
        x += 0x9E3779B97F4A7C15U;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
        x ^= x >> 31;
    }
    return x;
}

double synth_uniform(uint64_t seed, uint64_t lane, uint64_t index)
{
    return ((double)(synth_hash(seed, lane, index) >> 11) + 0.5) * 0x1p-53;
}

static void begin(struct synth_utterance *utterance, enum synth_speaker speaker)
{
    memset(utterance, 0, sizeof *utterance);
    utterance->speaker = speaker;
    utterance->rate_hz = 48000;
    utterance->seed = 1;
    utterance->pitch_scale = utterance->formant_scale = 1.0;
    utterance->breath = 0.01;
}

static void add(struct synth_utterance *utterance, struct synth_segment segment)
{
    if (utterance->n_segments < SYNTH_SEGMENTS_MAX) {
        utterance->segments[utterance->n_segments++] = segment;
    }
}

void synth_vowel(struct synth_utterance *utterance, enum synth_speaker speaker,
                 enum synth_vowel vowel, double f0_hz, double seconds)
{
    begin(utterance, speaker);
    add(utterance, (struct synth_segment){.kind = SYNTH_PAUSE, .seconds = 0.1});
    add(utterance, (struct synth_segment){.kind = SYNTH_VOWEL,
                                          .seconds = seconds,
                                          .from = vowel,
                                          .to = vowel,
                                          .f0_from = f0_hz,
                                          .f0_to = f0_hz,
                                          .level = 1});
    add(utterance, (struct synth_segment){.kind = SYNTH_PAUSE, .seconds = 0.1});
}

/* A stream of choices for one utterance. */
struct choices {
    uint64_t seed, index;
};

static double between(struct choices *choices, double low, double high)
{
    return low + (high - low) * synth_uniform(choices->seed, 1, choices->index++);
}

static enum synth_vowel some_vowel(struct choices *choices)
{
    return (enum synth_vowel)(synth_hash(choices->seed, 2, choices->index++) % VOWELS);
}

static void add_fricative(struct synth_utterance *utterance, struct choices *choices)
{
    /* From a sharp s down to an sh, in a man's mouth; others' are higher with their formants. */
    double centre = between(choices, 3000, 6500) * synth_traits[utterance->speaker].fifth_hz /
                    synth_traits[SYNTH_MAN].fifth_hz;
    add(utterance, (struct synth_segment){.kind = SYNTH_FRICATIVE,
                                          .seconds = between(choices, 0.06, 0.14),
                                          .centre_hz = centre,
                                          .level = between(choices, 0.08, 0.25)});
}

/* One or two vowels on a bent tone; returns where the tone ends. */
static double add_syllable(struct synth_utterance *utterance, struct choices *choices, double f0,
                           double target_hz)
{
    const struct synth_segment *before = &utterance->segments[utterance->n_segments - 1];
    enum synth_vowel first = before->kind == SYNTH_VOWEL ? before->to : some_vowel(choices);
    enum synth_vowel middle = some_vowel(choices);
    double peak = target_hz * pow(2.0, between(choices, -0.1, 0.25));
    double level = between(choices, 0.6, 1.0);
    add(utterance, (struct synth_segment){.kind = SYNTH_VOWEL,
                                          .seconds = between(choices, 0.07, 0.14),
                                          .from = first,
                                          .to = middle,
                                          .f0_from = f0,
                                          .f0_to = peak,
                                          .level = level});
    double end = target_hz * pow(2.0, between(choices, -0.2, 0.05));
    add(utterance,
        (struct synth_segment){.kind = SYNTH_VOWEL,
                               .seconds = between(choices, 0.08, 0.2),
                               .from = middle,
                               .to = between(choices, 0, 1) < 0.5 ? middle : some_vowel(choices),
                               .f0_from = peak,
                               .f0_to = end,
                               .level = level});
    return end;
}

void synth_speech(struct synth_utterance *utterance, enum synth_speaker speaker, uint64_t seed,
                  double seconds)
{
    begin(utterance, speaker);
    utterance->seed = seed;
    utterance->jitter = 0.005;
    utterance->shimmer = 0.05;
    utterance->breath = 0.03;
    struct choices choices = {.seed = seed};
    double f0_hz = synth_traits[speaker].f0_hz, tone = f0_hz * 1.1;
    add(utterance, (struct synth_segment){.kind = SYNTH_PAUSE, .seconds = 0.2});
    for (double total = 0; total < seconds && utterance->n_segments + 6 < SYNTH_SEGMENTS_MAX;) {
        size_t before = utterance->n_segments;
        double way = seconds > 0 ? total / seconds : 0; /* the tone declines over the whole */
        double what = between(&choices, 0, 1);
        if (what < 0.45) add_fricative(utterance, &choices);
        tone = add_syllable(utterance, &choices, tone, f0_hz * (1.15 - 0.3 * way));
        if (what > 0.3 && what < 0.6) add_fricative(utterance, &choices);
        if (what > 0.75) {
            double pause = between(&choices, 0.04, 0.3);
            add(utterance, (struct synth_segment){.kind = SYNTH_PAUSE, .seconds = pause});
        }
        for (size_t i = before; i < utterance->n_segments; i++) {
            total += utterance->segments[i].seconds;
        }
    }
    add(utterance, (struct synth_segment){.kind = SYNTH_PAUSE, .seconds = 0.2});
}
