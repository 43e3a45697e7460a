/* Makes test sounds and finds them in captures. */
#include "support/sound.h"

#include "support/support.h"

#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

static uint64_t key(const float *frame)
{
    uint64_t bits;
    memcpy(&bits, frame, sizeof bits);
    return bits;
}

static size_t slot_of(const struct sound *sound, uint64_t bits)
{
    struct test_random mixer = {.state = bits};
    return (size_t)(test_random_next(&mixer) & (sound->n_slots - 1));
}

/* The frame of the sound with this content, or -1. */
static int64_t find(const struct sound *sound, const float *frame)
{
    uint64_t bits = key(frame);
    for (size_t i = slot_of(sound, bits);; i = (i + 1) & (sound->n_slots - 1)) {
        uint32_t entry = sound->slots[i];
        if (entry == 0) return -1;
        if (key(sound->frames + (size_t)(entry - 1) * SOUND_CHANNELS) == bits) return entry - 1;
    }
}

static void index_frame(struct sound *sound, size_t frame)
{
    size_t i = slot_of(sound, key(sound->frames + frame * SOUND_CHANNELS));
    while (sound->slots[i]) i = (i + 1) & (sound->n_slots - 1);
    sound->slots[i] = (uint32_t)frame + 1;
}

/* Frames one by one, each with noise that makes it another one than all before. */
static void make_frames(struct sound *sound)
{
    struct test_random random = {.state = (uint64_t)(sound->frequency_hz * 1000)};
    double step = 2 * PI * sound->frequency_hz / SOUND_RATE;
    for (size_t i = 0; i < sound->n_frames; i++) {
        float *frame = sound->frames + i * SOUND_CHANNELS;
        do {
            double left = 0.5 * sin(step * (double)i), right = 0.25 * sin(step * (double)i + 1);
            frame[0] = (float)left + 3e-4F * test_random_float(&random);
            frame[1] = (float)right + 3e-4F * test_random_float(&random);
        } while (find(sound, frame) >= 0);
        index_frame(sound, i);
    }
}

struct sound *sound_make(double frequency_hz, double seconds)
{
    struct sound *sound = calloc(1, sizeof *sound);
    assert_non_null(sound);
    sound->frequency_hz = frequency_hz;
    sound->n_frames = (size_t)(seconds * SOUND_RATE);
    sound->frames = malloc(sound->n_frames * SOUND_CHANNELS * sizeof(float));
    assert_non_null(sound->frames);
    sound->n_slots = 1024;
    while (sound->n_slots < sound->n_frames * 2) sound->n_slots *= 2;
    sound->slots = calloc(sound->n_slots, sizeof *sound->slots);
    assert_non_null(sound->slots);
    make_frames(sound);
    snprintf(sound->path, sizeof sound->path, "%s", test_scratch(".wav"));
    SF_INFO info = {.samplerate = SOUND_RATE,
                    .channels = SOUND_CHANNELS,
                    .format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
    SNDFILE *file = sf_open(sound->path, SFM_WRITE, &info);
    if (!file) fail_msg("cannot write %s: %s", sound->path, sf_strerror(NULL));
    sf_command(file, SFC_SET_ADD_PEAK_CHUNK, NULL, SF_FALSE);
    assert_int_equal(sf_writef_float(file, sound->frames, (sf_count_t)sound->n_frames),
                     sound->n_frames);
    sf_close(file);
    return sound;
}

void sound_free(struct sound *sound)
{
    if (!sound) return;
    free(sound->frames);
    free(sound->slots);
    free(sound);
}

static bool is_silent(const float *frame)
{
    return fpclassify(frame[0]) == FP_ZERO && fpclassify(frame[1]) == FP_ZERO;
}

/* Rare, hence without an index. */
static bool is_half(const struct sound *sound, const float *frame)
{
    bool left = fpclassify(frame[1]) == FP_ZERO, right = fpclassify(frame[0]) == FP_ZERO;
    if (left == right) return false;
    for (size_t i = 0; i < sound->n_frames; i++) {
        if (memcmp(&sound->frames[i * SOUND_CHANNELS + right], &frame[right], sizeof *frame) == 0) {
            return true;
        }
    }
    return false;
}

/* What a frame is when no stretch goes on with it. */
static int64_t origin(const struct sound *sound, const float *frame)
{
    if (is_silent(frame)) return SOUND_SILENCE;
    int64_t from = find(sound, frame);
    if (from >= 0) return from;
    return is_half(sound, frame) ? SOUND_HALF : SOUND_FOREIGN;
}

struct sound_run *sound_runs(const struct sound *sound, const float *frames, size_t n_frames,
                             size_t *n_runs)
{
    size_t n = 0, room = 64;
    struct sound_run *runs = malloc(room * sizeof *runs);
    assert_non_null(runs);
    for (size_t i = 0; i < n_frames; i++) {
        const float *frame = frames + i * SOUND_CHANNELS;
        struct sound_run *last = n > 0 ? &runs[n - 1] : NULL;
        int64_t from = origin(sound, frame);
        bool goes_on =
            last && (from < 0 ? last->from == from
                              : last->from >= 0 && from == last->from + (int64_t)last->n);
        if (goes_on) {
            last->n++;
            continue;
        }
        if (n == room) {
            room *= 2;
            runs = realloc(runs, room * sizeof *runs);
            assert_non_null(runs);
        }
        runs[n++] = (struct sound_run){.at = i, .n = 1, .from = from};
    }
    *n_runs = n;
    return runs;
}

static void print(const struct sound_run *runs, size_t n_runs)
{
    enum { SHOWN = 12 };
    printf("# capture:");
    for (size_t i = 0; i < n_runs && i < SHOWN; i++) {
        const char *what = runs[i].from == SOUND_SILENCE   ? "silent"
                           : runs[i].from == SOUND_FOREIGN ? "FOREIGN"
                           : runs[i].from == SOUND_HALF    ? "half"
                                                           : "sound";
        printf(" %zu+%zu %s", runs[i].at, runs[i].n, what);
        if (runs[i].from >= 0) printf(" %lld", (long long)runs[i].from);
        printf(";");
    }
    if (n_runs > SHOWN) printf(" and %zu more", n_runs - SHOWN);
    printf("\n");
    fflush(stdout);
}

struct sound_report sound_compare(const struct sound *sound, const float *frames, size_t n_frames)
{
    struct sound_report report = {.first_at = -1, .first_from = -1, .end_at = -1, .end_from = -1};
    size_t n_runs = 0, silence = 0;
    struct sound_run *runs = sound_runs(sound, frames, n_frames, &n_runs);
    for (size_t i = 0; i < n_runs; i++) {
        const struct sound_run *run = &runs[i];
        if (run->from == SOUND_FOREIGN) report.foreign += run->n;
        if (run->from == SOUND_HALF) report.half += run->n;
        if (run->from == SOUND_SILENCE) silence += run->n;
        if (run->from < 0) continue;
        if (report.first_at < 0) {
            report.first_at = (int64_t)run->at;
            report.first_from = run->from;
        } else {
            report.silent += silence;
            if (run->from > report.end_from) report.lost += (size_t)(run->from - report.end_from);
            if (run->from < report.end_from) report.backwards++;
        }
        silence = 0;
        report.end_at = (int64_t)(run->at + run->n);
        report.end_from = run->from + (int64_t)run->n;
        report.matched += run->n;
        report.stretches++;
    }
    if (report.stretches != 1 || report.foreign > 0) print(runs, n_runs);
    free(runs);
    return report;
}

double sound_level(const float *frames, size_t n_frames, double frequency_hz)
{
    double re = 0, im = 0, weight = 0, n = (double)n_frames;
    for (size_t i = 0; i < n_frames; i++) {
        double x = (double)i, sample = (double)frames[i * SOUND_CHANNELS];
        double window = 0.42 - 0.5 * cos(2 * PI * x / n) + 0.08 * cos(4 * PI * x / n);
        double angle = 2 * PI * frequency_hz * x / SOUND_RATE;
        re += window * sample * cos(angle);
        im += window * sample * sin(angle);
        weight += window;
    }
    return weight > 0 ? 20 * log10(fmax(2 * hypot(re, im) / weight, 1e-10)) : -200;
}
