/* Signals for the measurement of detectors. */
#include "vad_signals.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

/* ---- chance ---- */

static uint64_t dice_next(struct dice *dice)
{
    uint64_t z = dice->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double dice_uniform(struct dice *dice)
{
    return (double)(dice_next(dice) >> 11) * 0x1p-53;
}

double dice_between(struct dice *dice, double least, double most)
{
    return least + (most - least) * dice_uniform(dice);
}

double dice_normal(struct dice *dice)
{
    double u = 1.0 - dice_uniform(dice), v = dice_uniform(dice); /* Box and Muller */
    return sqrt(-2.0 * log(u)) * cos(2.0 * pi * v);
}

/* ---- tools ---- */

double signal_rms(const float *samples, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += (double)samples[i] * (double)samples[i];
    return n > 0 ? sqrt(sum / (double)n) : 0.0;
}

void signal_scale(float *samples, size_t n, double gain)
{
    for (size_t i = 0; i < n; i++) samples[i] = (float)(samples[i] * gain);
}

/* Second order sections (after Bristow-Johnson's cookbook). */
struct section {
    double b0, b1, b2, a1, a2, x1, x2, y1, y2;
};

enum section_kind { LOW_PASS, HIGH_PASS, BAND_PASS };

static struct section section_make(enum section_kind kind, double hz, double q)
{
    double w = 2.0 * pi * hz / SIGNALS_RATE, alpha = sin(w) / (2.0 * q), a0 = 1.0 + alpha;
    struct section s = {.a1 = -2.0 * cos(w) / a0, .a2 = (1.0 - alpha) / a0};
    if (kind == BAND_PASS) {
        s.b0 = alpha / a0;
        s.b2 = -s.b0;
        return s;
    }
    double sign = kind == LOW_PASS ? 1.0 : -1.0;
    s.b0 = s.b2 = (1.0 - sign * cos(w)) / 2.0 / a0;
    s.b1 = sign * 2.0 * s.b0;
    return s;
}

static double section_run(struct section *s, double x)
{
    double y = s->b0 * x + s->b1 * s->x1 + s->b2 * s->x2 - s->a1 * s->y1 - s->a2 * s->y2;
    s->x2 = s->x1;
    s->x1 = x;
    s->y2 = s->y1;
    s->y1 = y;
    return y;
}

/* ---- steady noises ---- */

static void make_white(float *samples, size_t n, struct dice *dice)
{
    for (size_t i = 0; i < n; i++) samples[i] += (float)dice_normal(dice);
}

static void make_pink(float *samples, size_t n, struct dice *dice)
{
    double a = 0.0, b = 0.0, c = 0.0; /* Kellet's economy filter */
    for (size_t i = 0; i < n; i++) {
        double white = dice_normal(dice);
        a = 0.99765 * a + white * 0.0990460;
        b = 0.96300 * b + white * 0.2965164;
        c = 0.57000 * c + white * 1.0526913;
        samples[i] += (float)(a + b + c + white * 0.1848);
    }
}

static void make_brown(float *samples, size_t n, struct dice *dice)
{
    double level = 0.0;
    for (size_t i = 0; i < n; i++) {
        level = 0.99 * level + 0.1 * dice_normal(dice);
        samples[i] += (float)level;
    }
}

/* Mains hum: a few harmonics of random strength and phase, odd ones stronger, over faint noise. */
static void add_hum(float *samples, size_t n, struct dice *dice, double hz, double on_s)
{
    double strength[16], phase[16];
    for (int k = 1; k < 16; k++) {
        strength[k] = dice_between(dice, 0.3, 1.0) / k * (k % 2 ? 1.0 : 0.4);
        phase[k] = dice_between(dice, 0.0, 2.0 * pi);
    }
    double gate = on_s > 0.0 ? 0.0 : 1.0;
    for (size_t i = 0; i < n; i++) {
        double t = (double)i / SIGNALS_RATE, sum = 0.0;
        if (on_s > 0.0) /* switched within a millisecond */
            gate += 0.06 * ((fmod(t, 2.0 * on_s) >= on_s ? 1.0 : 0.0) - gate);
        for (int k = 1; k < 16; k++) sum += strength[k] * sin(2.0 * pi * hz * k * t + phase[k]);
        samples[i] += (float)(gate * sum + 0.003 * dice_normal(dice));
    }
}

static void make_hum_50(float *samples, size_t n, struct dice *dice)
{
    add_hum(samples, n, dice, 50.03, 0.0);
}

static void make_hum_60(float *samples, size_t n, struct dice *dice)
{
    add_hum(samples, n, dice, 59.96, 0.0);
}

static void make_hum_switched(float *samples, size_t n, struct dice *dice)
{
    add_hum(samples, n, dice, dice_uniform(dice) < 0.5 ? 50.0 : 60.0, dice_between(dice, 1.0, 2.0));
}

/* A dimmer, a transformer under load: the same with sharp edges, so with harmonics up to 4 kHz. */
static void make_buzz_switched(float *samples, size_t n, struct dice *dice)
{
    double hz = dice_uniform(dice) < 0.5 ? 100.0 : 120.0, on_s = dice_between(dice, 1.0, 2.0);
    double phase[34], slope = dice_between(dice, 0.4, 1.0);
    for (int k = 1; k < 34; k++) phase[k] = dice_between(dice, 0.0, 2.0 * pi);
    for (size_t i = 0; i < n; i++) {
        double t = (double)i / SIGNALS_RATE, sum = 0.0;
        bool on = fmod(t, 2.0 * on_s) >= on_s;
        for (int k = 1; on && k < 34; k++)
            sum += pow(k, -slope) * sin(2.0 * pi * hz * k * t + phase[k]);
        samples[i] += (float)(sum + 0.003 * dice_normal(dice));
    }
}

/* Air through blades: dark noise whose strength follows the blades, and their tone. */
static void make_fan(float *samples, size_t n, struct dice *dice)
{
    double blades = dice_between(dice, 8.0, 25.0), depth = dice_between(dice, 0.1, 0.4), a = 0.0;
    double tone = dice_between(dice, 0.0, 0.08);
    struct section body = section_make(BAND_PASS, dice_between(dice, 200.0, 600.0), 0.7);
    for (size_t i = 0; i < n; i++) {
        double turn = 2.0 * pi * blades * (double)i / SIGNALS_RATE;
        a = 0.85 * a + 0.15 * dice_normal(dice);
        double air = a + section_run(&body, dice_normal(dice));
        samples[i] += (float)(air * (1.0 + depth * sin(turn)) + tone * sin(8.0 * turn));
    }
}

/* A road: a dark rumble, and cars that come and go within seconds. */
static void make_traffic(float *samples, size_t n, struct dice *dice)
{
    make_brown(samples, n, dice);
    signal_scale(samples, n, 0.3);
    double at = 0.5;
    while (at < (double)n / SIGNALS_RATE) {
        double width = dice_between(dice, 0.5, 1.6), peak = dice_between(dice, 0.5, 3.0);
        struct section tyres = section_make(LOW_PASS, dice_between(dice, 700.0, 2500.0), 0.6);
        for (size_t i = 0; i < n; i++) {
            double away = ((double)i / SIGNALS_RATE - at) / width;
            if (away < -4.0 || away > 4.0) continue;
            samples[i] += (float)(peak / (1.0 + away * away * away * away) *
                                  section_run(&tyres, dice_normal(dice)));
        }
        at += dice_between(dice, 2.5, 6.0);
    }
}

/* ---- noises that come and go ---- */

/* The level steps up and down by 6 to 20 dB every 1.5 to 3 s. */
static void make_steps(float *samples, size_t n, struct dice *dice)
{
    (dice_uniform(dice) < 0.5 ? make_white : make_pink)(samples, n, dice);
    double gain = 0.1;
    bool loud = false;
    for (size_t i = 0, next = 2 * SIGNALS_RATE; i < n; i++) {
        if (i == next) {
            loud = !loud;
            gain = loud ? 0.1 * pow(10.0, dice_between(dice, 6.0, 20.0) / 20.0) : 0.1;
            next += (size_t)(dice_between(dice, 1.5, 3.0) * SIGNALS_RATE);
        }
        samples[i] = (float)(samples[i] * gain);
    }
}

/* A machine that is switched on and off: filtered noise 20 dB or more above the room. */
static void make_switched(float *samples, size_t n, struct dice *dice)
{
    struct section body =
        section_make(dice_uniform(dice) < 0.5 ? LOW_PASS : BAND_PASS,
                     dice_between(dice, 500.0, 3000.0), dice_between(dice, 0.5, 1.5));
    double on_s = dice_between(dice, 0.7, 2.0), gate = 0.0;
    for (size_t i = 0; i < n; i++) {
        bool on = fmod((double)i / SIGNALS_RATE, 2.0 * on_s) >= on_s;
        gate += 0.02 * ((on ? 1.0 : 0.0) - gate);
        samples[i] += (float)(gate * section_run(&body, dice_normal(dice)));
        samples[i] += (float)(0.02 * dice_normal(dice));
    }
}

/* A burst: noise through a resonance, rising at once, decaying exponentially. */
static void add_burst(float *samples, size_t n, size_t at, struct dice *dice,
                      struct section resonance, double strength, double decay_s)
{
    size_t end = at + (size_t)(8.0 * decay_s * SIGNALS_RATE);
    double gain = strength, fall = exp(-1.0 / (decay_s * SIGNALS_RATE));
    for (size_t i = at; i < end && i < n; i++) {
        samples[i] += (float)(gain * section_run(&resonance, dice_normal(dice)));
        gain *= fall;
    }
}

static size_t after(double *at_s, double least_s, double most_s, struct dice *dice)
{
    *at_s += dice_between(dice, least_s, most_s);
    return (size_t)(*at_s * SIGNALS_RATE);
}

static void add_room(float *samples, size_t n, struct dice *dice, double level)
{
    for (size_t i = 0; i < n; i++) samples[i] += (float)(level * dice_normal(dice));
}

/* Contacts and vinyl: impulses of a sample, and short ringing ones. */
static void make_clicks(float *samples, size_t n, struct dice *dice)
{
    add_room(samples, n, dice, 0.002);
    double at_s = 0.3;
    for (size_t at; (at = after(&at_s, 0.1, 0.8, dice)) < n;) {
        if (dice_uniform(dice) < 0.4)
            samples[at] += (float)dice_between(dice, -3.0, 3.0);
        else
            add_burst(samples, n, at, dice,
                      section_make(BAND_PASS, dice_between(dice, 500.0, 5e3), 3),
                      dice_between(dice, 0.5, 3.0), dice_between(dice, 0.0005, 0.004));
    }
}

/* Impulses in a silence of zeros. */
static void make_clicks_bare(float *samples, size_t n, struct dice *dice)
{
    double at_s = 0.1;
    for (size_t at; (at = after(&at_s, 0.05, 0.6, dice)) < n;)
        samples[at] += dice_uniform(dice) < 0.5 ? 1.0f : -1.0f;
}

/* Typing: the stroke, the bottom, the release, each a short bright burst; words and pauses. */
static void make_keyboard(float *samples, size_t n, struct dice *dice)
{
    add_room(samples, n, dice, 0.003);
    double at_s = 0.2;
    for (size_t at; (at = after(&at_s, 0.07, 0.3, dice)) < n;) {
        double bright = dice_between(dice, 1500.0, 4500.0), strength = dice_between(dice, 0.4, 1.0);
        struct section key = section_make(BAND_PASS, bright, 1.2);
        struct section desk = section_make(BAND_PASS, dice_between(dice, 150.0, 500.0), 1.5);
        double held_s = dice_between(dice, 0.05, 0.12);
        add_burst(samples, n, at, dice, key, strength, dice_between(dice, 0.002, 0.006));
        add_burst(samples, n, at + (size_t)dice_between(dice, 60.0, 300.0), dice, desk,
                  0.6 * strength, dice_between(dice, 0.004, 0.012));
        add_burst(samples, n, at + (size_t)(held_s * SIGNALS_RATE), dice, key, 0.5 * strength,
                  dice_between(dice, 0.002, 0.005));
        if (dice_uniform(dice) < 0.15) at_s += dice_between(dice, 0.3, 1.2);
    }
}

/* Doors: a dull blow, the frame that rings, the latch. */
static void make_slams(float *samples, size_t n, struct dice *dice)
{
    add_room(samples, n, dice, 0.003);
    double at_s = 0.4;
    for (size_t at; (at = after(&at_s, 1.2, 3.0, dice)) < n;) {
        double strength = dice_between(dice, 0.7, 2.0), ring = dice_between(dice, 70.0, 260.0);
        add_burst(samples, n, at, dice,
                  section_make(LOW_PASS, dice_between(dice, 200.0, 900.0), 0.7), strength,
                  dice_between(dice, 0.03, 0.12));
        double fall = exp(-1.0 / (dice_between(dice, 0.03, 0.1) * SIGNALS_RATE)), gain = strength;
        for (size_t i = at; i < n && gain > 1e-4; i++) {
            double turn = 2.0 * pi * ring * (double)(i - at) / SIGNALS_RATE;
            samples[i] += (float)(0.4 * gain * sin(turn));
            gain *= fall;
        }
        add_burst(samples, n, at + (size_t)dice_between(dice, 300.0, 1200.0), dice,
                  section_make(BAND_PASS, 2500.0, 1.0), 0.4 * strength,
                  dice_between(dice, 0.004, 0.02));
    }
}

/* ---- what is close to speech: reported, not asked for ---- */

/* A tune: plucked tones with harmonics, and a bass. */
static void make_music(float *samples, size_t n, struct dice *dice)
{
    static const int scale[] = {0, 2, 4, 7, 9, 12, 14, 16};
    double at_s = 0.0;
    for (size_t at; (at = after(&at_s, 0.15, 0.5, dice)) < n;) {
        double hz = 196.0 * pow(2.0, scale[(int)(dice_uniform(dice) * 8.0)] / 12.0);
        if (dice_uniform(dice) < 0.3) hz /= 2.0;
        double fall = exp(-1.0 / (dice_between(dice, 0.15, 0.5) * SIGNALS_RATE)), gain = 1.0;
        for (size_t i = at; i < n && gain > 1e-3; i++) {
            double turn = 2.0 * pi * hz * (double)(i - at) / SIGNALS_RATE, sum = 0.0;
            for (int k = 1; k <= 6; k++) sum += sin(k * turn) / (k * sqrt(k));
            samples[i] += (float)(gain * sum);
            gain *= fall;
        }
    }
}

const struct noise noises[] = {
    {"white", make_white},
    {"pink", make_pink},
    {"brown", make_brown},
    {"hum 50 Hz", make_hum_50},
    {"hum 60 Hz", make_hum_60},
    {"hum switched", make_hum_switched},
    {"buzz switched", make_buzz_switched},
    {"fan", make_fan},
    {"traffic", make_traffic},
    {"level steps", make_steps},
    {"noise switched", make_switched},
    {"clicks", make_clicks},
    {"clicks, bare", make_clicks_bare},
    {"keyboard", make_keyboard},
    {"door slams", make_slams},
    {"music", make_music},
    {NULL, NULL},
};

const struct noise *noise_find(const char *name)
{
    const struct noise *noise = noises;
    while (noise->name && strcmp(noise->name, name) != 0) noise++;
    return noise->name ? noise : NULL;
}

void noise_make(const char *name, uint64_t seed, float *samples, size_t n)
{
    struct dice dice = {seed * 1000003u + 17u};
    memset(samples, 0, n * sizeof *samples);
    noise_find(name)->make(samples, n, &dice);
    double rms = signal_rms(samples, n);
    if (rms > 0.0) signal_scale(samples, n, 1.0 / rms);
}

/* ---- paths ---- */

void signal_reverberate(float *samples, size_t n, double seconds)
{
    /* Feedback delay network of four lines (Jot, 1991): cheap, and dense enough for detectors. */
    static const size_t lengths[4] = {607, 743, 911, 1087};
    static float lines[4][1087];
    double gains[4];
    size_t place[4] = {0};
    memset(lines, 0, sizeof lines);
    for (int k = 0; k < 4; k++)
        gains[k] = pow(10.0, -3.0 * (double)lengths[k] / SIGNALS_RATE / seconds);
    for (size_t i = 0; i < n; i++) {
        double out[4], sum = 0.0;
        for (int k = 0; k < 4; k++) sum += out[k] = lines[k][place[k]] * gains[k];
        for (int k = 0; k < 4; k++) { /* Householder's reflection */
            lines[k][place[k]] = (float)(samples[i] + out[k] - 0.5 * sum);
            place[k] = (place[k] + 1) % lengths[k];
        }
        samples[i] = (float)(samples[i] + 0.35 * sum);
    }
}

void signal_telephone(float *samples, size_t n)
{
    struct section path[] = {section_make(HIGH_PASS, 300, 0.7), section_make(HIGH_PASS, 300, 0.7),
                             section_make(LOW_PASS, 3400, 0.54),
                             section_make(LOW_PASS, 3400, 1.31)};
    for (size_t i = 0; i < n; i++) {
        double x = samples[i];
        for (size_t k = 0; k < sizeof path / sizeof path[0]; k++) x = section_run(&path[k], x);
        double sign = x < 0.0 ? -1.0 : 1.0, size = fmin(fabs(x), 1.0);
        double code = round(127.0 * log1p(255.0 * size) / log(256.0)); /* G.711's law */
        samples[i] = (float)(sign * expm1(code / 127.0 * log(256.0)) / 255.0);
    }
}
