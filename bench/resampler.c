/*
 * How good and how fast the resamplers are: `resampler [--quick]`.
 *
 * Every contender is fed blocks of 10 ms of mono float, as live audio comes, and measured with
 * tones of full scale:
 *
 *   - ripple: largest deviation from 0 dB up to 80 % of the band that both rates hold (6.4 kHz at
 *     16 kHz, where speech features end); edge: the share of that band up to which it is -1 dB;
 *   - rejection: down, the loudest of what is left of tones from 115 % of the new band on; up, of
 *     images and distortion beside tones within it;
 *   - trails: how far the output lies behind the input, when fed 1 ms at a time (look-ahead of the
 *     filter and what it holds back; speexdsp's output is late by that much instead);
 *   - ns per input frame: median of five rounds over 10 s of noise, one core.
 *
 * soxr VHQ one-shot is what clips use, the yardstick; the live resampler is what detectors and
 * recognisers hear through.
 */
#define _DEFAULT_SOURCE /* M_PI */
#include <math.h>
#include <soxr.h>
#include <speex/speex_resampler.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if HAVE_SAMPLERATE
#include <samplerate.h>
#endif

#include "audio/resampler.h"
#include "base/clock.h"
#include "help.h"

static void die(const char *what)
{
    fprintf(stderr, "bench/resampler: %s\n", what);
    exit(1);
}

/* ---------------------------------------------------------------- contenders */

struct contender {
    const char *name;
    int quality;
    void *(*open)(uint32_t in_hz, uint32_t out_hz, int quality);
    /* n_in 0 with end: what is left. Returns frames produced. */
    size_t (*process)(void *state, const float *in, size_t n_in, bool end, float *out, size_t room);
    void (*close)(void *state);
    bool whole; /* gets all at once */
};

static void *live_open(uint32_t in_hz, uint32_t out_hz, int quality)
{
    (void)quality;
    struct resampler *resampler;
    if (resampler_open(&resampler, in_hz, out_hz, 1, NULL) < 0) die("no live resampler");
    return resampler;
}

static size_t live_process(void *state, const float *in, size_t n_in, bool end, float *out,
                           size_t room)
{
    (void)room;
    return end ? resampler_flush(state, out) : resampler_process(state, in, n_in, out);
}

static void live_close(void *state)
{
    resampler_close(state);
}

static void *speex_open(uint32_t in_hz, uint32_t out_hz, int quality)
{
    SpeexResamplerState *state = speex_resampler_init(1, in_hz, out_hz, quality, NULL);
    if (!state) die("no speexdsp resampler");
    return state;
}

static size_t speex_process(void *state, const float *in, size_t n_in, bool end, float *out,
                            size_t room)
{
    static const float silence[1024];
    spx_uint32_t n = (spx_uint32_t)n_in, made = (spx_uint32_t)room;
    if (end) {
        n = (spx_uint32_t)speex_resampler_get_input_latency(state);
        in = silence;
    }
    speex_resampler_process_float(state, 0, in, &n, out, &made);
    return made;
}

static void speex_close(void *state)
{
    speex_resampler_destroy(state);
}

static void *soxr_open(uint32_t in_hz, uint32_t out_hz, int quality)
{
    soxr_quality_spec_t spec = soxr_quality_spec((unsigned long)quality, 0);
    soxr_t state = soxr_create(in_hz, out_hz, 1, NULL, NULL, &spec, NULL);
    if (!state) die("no soxr resampler");
    return state;
}

static size_t soxr_run(void *state, const float *in, size_t n_in, bool end, float *out, size_t room)
{
    size_t used = 0, made = 0;
    soxr_process(state, end ? NULL : in, n_in, &used, out, room, &made);
    return made;
}

static void soxr_close(void *state)
{
    soxr_delete(state);
}

#if HAVE_SAMPLERATE
struct src {
    SRC_STATE *state;
    double ratio;
};

static void *src_open(uint32_t in_hz, uint32_t out_hz, int quality)
{
    struct src *src = calloc(1, sizeof *src);
    int error;
    if (src) src->state = src_new(quality, 1, &error);
    if (!src || !src->state) die("no libsamplerate");
    src->ratio = (double)out_hz / in_hz;
    return src;
}

static size_t src_run(void *state, const float *in, size_t n_in, bool end, float *out, size_t room)
{
    struct src *src = state;
    static const float nothing[1];
    size_t made = 0;
    do { /* it may leave some of the input */
        SRC_DATA data = {.data_in = n_in > 0 ? in : nothing,
                         .data_out = out + made,
                         .input_frames = (long)n_in,
                         .output_frames = (long)(room - made),
                         .end_of_input = end,
                         .src_ratio = src->ratio};
        if (src_process(src->state, &data) != 0) die("libsamplerate failed");
        made += (size_t)data.output_frames_gen;
        in += data.input_frames_used;
        n_in -= (size_t)data.input_frames_used;
        if (data.input_frames_used == 0 && data.output_frames_gen == 0) break;
    } while (n_in > 0);
    return made;
}

static void src_close(void *state)
{
    struct src *src = state;
    src_delete(src->state);
    free(src);
}
#endif

static const struct contender CONTENDERS[] = {
    {"Kodama live", 0, live_open, live_process, live_close, false},
    {"soxr VHQ, one shot (clips)", SOXR_VHQ, soxr_open, soxr_run, soxr_close, true},
    {"soxr VHQ", SOXR_VHQ, soxr_open, soxr_run, soxr_close, false},
    {"soxr HQ", SOXR_HQ, soxr_open, soxr_run, soxr_close, false},
    {"soxr LQ", SOXR_LQ, soxr_open, soxr_run, soxr_close, false},
    {"speexdsp 3", 3, speex_open, speex_process, speex_close, false},
    {"speexdsp 10", 10, speex_open, speex_process, speex_close, false},
#if HAVE_SAMPLERATE
    {"libsamplerate fastest", SRC_SINC_FASTEST, src_open, src_run, src_close, false},
    {"libsamplerate medium", SRC_SINC_MEDIUM_QUALITY, src_open, src_run, src_close, false},
    {"libsamplerate best", SRC_SINC_BEST_QUALITY, src_open, src_run, src_close, false},
#endif
};
enum { N_CONTENDERS = sizeof CONTENDERS / sizeof CONTENDERS[0] };

/* ---------------------------------------------------------------- measuring */

struct way {
    uint32_t in_hz, out_hz;
};

/* Everything through a contender; returns the frames made. `behind`: largest lag in input ms. */
static size_t pass(const struct contender *contender, struct way way, const float *in, size_t n_in,
                   size_t block, float *out, size_t room, double *behind_ms)
{
    void *state = contender->open(way.in_hz, way.out_hz, contender->quality);
    if (contender->whole) block = n_in;
    size_t made = 0;
    for (size_t at = 0; at < n_in; at += block) {
        size_t n = n_in - at < block ? n_in - at : block;
        made += contender->process(state, in + at, n, false, out + made, room - made);
        double lag = (double)(at + n) / way.in_hz - (double)made / way.out_hz;
        if (behind_ms && at > n_in / 2 && lag * 1e3 > *behind_ms) *behind_ms = lag * 1e3;
    }
    for (int i = 0; i < 100; i++) {
        size_t n = contender->process(state, in, 0, true, out + made, room - made);
        made += n;
        if (n == 0 || contender->process == live_process || contender->process == speex_process)
            break;
    }
    contender->close(state);
    return made;
}

/* Least squares of a tone in the middle half of what came out: its level, and what is left. */
static void find_tone(const float *x, size_t n, double step, double *level, double *left)
{
    size_t first = n / 4, end = n - n / 4;
    double ss = 0, cc = 0, sc = 0, xs = 0, xc = 0, rest = 0;
    for (size_t i = first; i < end; i++) {
        double s = sin(step * (double)i), c = cos(step * (double)i), v = (double)x[i];
        ss += s * s;
        cc += c * c;
        sc += s * c;
        xs += v * s;
        xc += v * c;
    }
    double determinant = ss * cc - sc * sc;
    double a = (xs * cc - xc * sc) / determinant, b = (xc * ss - xs * sc) / determinant;
    for (size_t i = first; i < end; i++) {
        double v = (double)x[i] - a * sin(step * (double)i) - b * cos(step * (double)i);
        rest += v * v;
    }
    *level = sqrt(a * a + b * b);
    *left = sqrt(2.0 * rest / (double)(end - first)); /* as the amplitude of a tone */
}

static double db(double factor)
{
    return 20.0 * log10(factor + 1e-12);
}

struct figures {
    double ripple_db, edge, rejection_db, behind_ms, ns;
};

static float *in, *out;
static size_t room;

static void hear_tone(const struct contender *contender, struct way way, double hz, size_t n_in,
                      double *level, double *left)
{
    for (size_t i = 0; i < n_in; i++) {
        in[i] = (float)sin(2.0 * M_PI * fmod(hz * (double)i / way.in_hz, 1.0));
    }
    size_t n = pass(contender, way, in, n_in, way.in_hz / 100, out, room, NULL);
    find_tone(out, n, 2.0 * M_PI * hz / way.out_hz, level, left);
}

static uint32_t random_state = 1;

static uint32_t next_random(void)
{
    random_state = random_state * 1664525u + 1013904223u; /* Numerical Recipes */
    return random_state;
}

static int by_value(const void *left, const void *right)
{
    const double *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static struct figures measure(const struct contender *contender, struct way way, bool quick)
{
    struct figures found = {.rejection_db = -999.0};
    bool down = way.in_hz > way.out_hz;
    double band = (down ? way.out_hz : way.in_hz) / 2.0, level, left;
    size_t n_in = way.in_hz / 2;
    for (int i = 0; i < 14; i++) {
        hear_tone(contender, way, band * (0.01 + 0.79 * i / 13.0), n_in, &level, &left);
        if (fabs(db(level)) > found.ripple_db) found.ripple_db = fabs(db(level));
        if (!down && db(left) > found.rejection_db) found.rejection_db = db(left);
    }
    for (double share = 0.8; share < 1.0; share += 0.01) {
        hear_tone(contender, way, band * share, n_in, &level, &left);
        if (db(level) < -1.0) break;
        found.edge = share;
    }
    for (int i = 0; down && i < 14; i++) {
        double hz = band * 1.15 + (0.49 * way.in_hz - band * 1.15) * i / 13.0;
        hear_tone(contender, way, hz, n_in, &level, &left);
        double all = db(sqrt(level * level + left * left));
        if (all > found.rejection_db) found.rejection_db = all;
    }
    if (!contender->whole) {
        pass(contender, way, in, n_in, way.in_hz / 1000, out, room, &found.behind_ms);
    }
    if (contender->process == speex_process) { /* its output is late instead of less */
        void *state = contender->open(way.in_hz, way.out_hz, contender->quality);
        found.behind_ms += 1e3 * speex_resampler_get_input_latency(state) / way.in_hz;
        contender->close(state);
    }
    double ns[5];
    size_t n_noise = (quick ? 1u : 10u) * way.in_hz;
    for (size_t i = 0; i < n_noise; i++)
        in[i] = (float)((double)next_random() / 4294967296.0 - 0.5);
    for (int i = 0; i < 5; i++) {
        uint64_t begin = clock_thread_cpu_ns();
        pass(contender, way, in, n_noise, way.in_hz / 100, out, room, NULL);
        ns[i] = (double)(clock_thread_cpu_ns() - begin) / (double)n_noise;
    }
    qsort(ns, 5, sizeof ns[0], by_value);
    found.ns = ns[2];
    return found;
}

static const char page[] =
    "usage: bench_resampler [--quick]\n"
    "\n"
    "How good and how fast the resamplers are, beside soxr, speexdsp's qualities and\n"
    "libsamplerate: ripple, edge, rejection, how far the output trails the input, time per\n"
    "frame. Measures and prints; asserts nothing.\n"
    "\n"
    "  --quick            fewer tones\n";

int main(int argc, char **argv)
{
    int code = bench_answer(argc, argv, "--quick", page);
    if (code >= 0) return code;
    static const struct way ways[] = {
        {44100, 16000}, {48000, 16000}, {96000, 16000}, {16000, 48000}};
    bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    room = 11 * 96000;
    in = calloc(room, sizeof *in);
    out = calloc(room, sizeof *out);
    if (!in || !out) die("no memory");
    for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        printf("\n%g to %g kHz\n", ways[w].in_hz / 1e3, ways[w].out_hz / 1e3);
        printf("| %-26s | ripple dB | edge %% | rejection dB | trails ms | ns per frame |\n", "");
        printf("|%s|---|---|---|---|---|\n", "----------------------------");
        for (size_t i = 0; i < N_CONTENDERS; i++) {
            struct figures found = measure(&CONTENDERS[i], ways[w], quick);
            char edge[16] = "< 80";
            if (found.edge > 0.0) snprintf(edge, sizeof edge, "%.0f", found.edge * 100.0);
            printf("| %-26s | %9.4f | %6s | %12.1f | ", CONTENDERS[i].name, found.ripple_db, edge,
                   found.rejection_db);
            if (CONTENDERS[i].whole) {
                printf("%9s", "all");
            } else {
                printf("%9.2f", found.behind_ms);
            }
            printf(" | %12.1f |\n", found.ns);
            fflush(stdout);
        }
    }
    free(in);
    free(out);
    return 0;
}
