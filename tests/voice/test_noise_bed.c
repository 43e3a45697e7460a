/* Noise beds: level, difference, determinism, seams and switches. */
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/clip.h>

#include "voice/noise_bed.h"
#include "voice/noise_kind.h"

enum { RATE = 48000, BEDS = 6, OCTAVES = 9 };

static struct noise_bed *opened(uint32_t rate_hz, uint64_t seed, const char *path)
{
    struct noise_bed *bed;
    struct kodama_error error = {0};
    int status = noise_bed_open(&bed, rate_hz, seed, path, &error);
    if (status < 0) print_message("# %s\n", error.message);
    assert_int_equal(status, KODAMA_OK);
    return bed;
}

/* A bed at level 1, all of it after the crossfade from nothing. */
static float *sound_of(const char *name, uint32_t rate_hz, uint64_t seed, double seconds, size_t *n)
{
    struct noise_bed *bed = opened(rate_hz, seed, NULL);
    assert_int_equal(noise_bed_choose(bed, name), KODAMA_OK);
    float skipped[4800] = {0};
    for (uint32_t i = 0; i < rate_hz; i += 4800) noise_bed_add(bed, skipped, 4800, 1);
    *n = (size_t)(seconds * rate_hz);
    float *samples = calloc(*n, sizeof *samples);
    assert_non_null(samples);
    noise_bed_add(bed, samples, *n, 1);
    noise_bed_close(bed);
    return samples;
}

static double rms_of(const float *samples, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++) squares += (double)samples[i] * (double)samples[i];
    return sqrt(squares / (double)n);
}

static void every_bed_has_the_level_it_says_at_every_rate(void **state)
{
    (void)state;
    const uint32_t rates[] = {48000, 8000, 16000, 192000};
    for (size_t b = 0; b < BEDS; b++) {
        for (size_t r = 0; r < 4; r++) {
            size_t n;
            double seconds = (rates[r] == 192000 ? 60 : 150) * test_scale();
            float *samples = sound_of(noise_bed_name(b), rates[r], 3, seconds, &n);
            double db = 20 * log10(rms_of(samples, n));
            if (fabs(db + 12) > 1)
                print_message("# %s at %u Hz: %.2f dBFS\n", noise_bed_name(b), rates[r], db);
            /* What happens in a street in minutes is chance. */
            assert_true(fabs(db + 12) < (test_scale() < 1 ? 4 : 2));
            free(samples);
        }
    }
}

/* ----------------------------------------------------------------- difference */

struct character {
    double octave_db[OCTAVES]; /* 63 Hz to 16 kHz, mean 0 */
    double kurtosis;           /* of samples above 500 Hz: 3 of a normal distribution */
    double syllables;          /* how much the level changes 2 to 8 times a second, part of it */
    double minutes;            /* and from 4 s to 4 s */
};

static struct character character_of(const char *name)
{
    size_t n;
    float *samples = sound_of(name, RATE, 5, 120 * fmax(test_scale(), 0.1), &n);
    struct character is = {0};
    double mean = 0;
    for (size_t o = 0; o < OCTAVES; o++) {
        struct noise_band band = {0};
        noise_band_set(&band, 62.5f * (float)(1 << o), 1.41f, RATE);
        double squares = 0;
        for (size_t i = 0; i < n; i++) {
            double y = (double)noise_band_next(&band, samples[i]);
            squares += y * y;
        }
        is.octave_db[o] = 10 * log10(squares / (double)n);
        mean += is.octave_db[o] / OCTAVES;
    }
    for (size_t o = 0; o < OCTAVES; o++) is.octave_db[o] -= mean;
    struct noise_low low = {0}, level_fast = {0}, level_slow = {0};
    noise_low_set(&low, 500, RATE);
    noise_low_set(&level_fast, 8, RATE);
    noise_low_set(&level_slow, 2, RATE);
    double m2 = 0, m4 = 0, level = 0, change = 0;
    double stretch = 0, sum = 0, sum2 = 0;
    size_t n_stretches = 0;
    for (size_t i = 0; i < n; i++) {
        double high = (double)(samples[i] - noise_low_next(&low, samples[i]));
        m2 += high * high;
        m4 += high * high * high * high;
        float magnitude = fabsf((float)high);
        double difference = (double)(noise_low_next(&level_fast, magnitude) -
                                     noise_low_next(&level_slow, magnitude));
        level += (double)magnitude;
        change += difference * difference;
        stretch += high * high;
        if ((i + 1) % (4 * RATE) == 0) {
            double db = 10 * log10(stretch);
            sum += db;
            sum2 += db * db;
            n_stretches++;
            stretch = 0;
        }
    }
    is.kurtosis = m4 / (double)n / (m2 / (double)n * m2 / (double)n);
    is.syllables = sqrt(change / (double)n) / (level / (double)n);
    double stretches = (double)n_stretches;
    is.minutes = sqrt(fmax(sum2 / stretches - sum / stretches * sum / stretches, 0));
    print_message("# %-6s kurtosis %5.2f, syllables %.3f, 4 s %.2f dB, octaves", name, is.kurtosis,
                  is.syllables, is.minutes);
    for (size_t o = 0; o < OCTAVES; o++) print_message(" %.0f", is.octave_db[o]);
    print_message("\n");
    free(samples);
    return is;
}

static void the_beds_are_different_sounds(void **state)
{
    (void)state;
    struct character are[BEDS];
    for (size_t b = 0; b < BEDS; b++) are[b] = character_of(noise_bed_name(b));
    for (size_t a = 0; a < BEDS; a++) {
        for (size_t b = a + 1; b < BEDS; b++) {
            double squares = 0;
            for (size_t o = 0; o < OCTAVES; o++) {
                double d = are[a].octave_db[o] - are[b].octave_db[o];
                squares += d * d / OCTAVES;
            }
            print_message("# %s, %s: %.1f dB apart\n", noise_bed_name(a), noise_bed_name(b),
                          sqrt(squares));
            assert_true(sqrt(squares) > 3);
        }
    }
    const struct character *cafe = &are[0], *street = &are[1], *room = &are[2], *rain = &are[3];
    const struct character *white = &are[4], *pink = &are[5];
    if (test_scale() < 1) return; /* what happens in seconds takes minutes to be seen */
    /* Voices have syllables; a road has cars that come and go; rain has drops. */
    assert_true(cafe->syllables > 2 * white->syllables);
    assert_true(cafe->syllables > 1.5 * rain->syllables);
    assert_true(cafe->kurtosis > 4);
    assert_true(street->minutes > 3 && street->minutes > 4 * pink->minutes);
    assert_true(rain->kurtosis > 3.8);
    assert_true(fabs(white->kurtosis - 2.7) < 0.1);
    assert_true(room->minutes < street->minutes / 2);
    /* Pink falls by 10 dB in a decade: octaves are equally loud, but for the lowest and the top. */
    for (size_t o = 1; o + 1 < OCTAVES; o++) {
        assert_true(fabs(pink->octave_db[o] - pink->octave_db[o - 1]) < 1);
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void nothing_repeats_in_minutes(void **state)
{
    (void)state;
    for (size_t b = 0; b < BEDS; b++) {
        size_t n;
        float *samples = sound_of(noise_bed_name(b), 16000, 7, 300, &n);
        /* Four samples in a row, at every 4th place. */
        size_t n_keys = n / 4;
        uint64_t *keys = calloc(n_keys, sizeof *keys);
        assert_non_null(keys);
        for (size_t i = 0; i < n_keys; i++) {
            uint32_t bits[4];
            memcpy(bits, samples + 4 * i, sizeof bits);
            for (size_t k = 0; k < 4; k++) keys[i] = random_scramble(keys[i] + bits[k]);
        }
        qsort(keys, n_keys, sizeof *keys, compare);
        for (size_t i = 1; i < n_keys; i++) assert_true(keys[i] != keys[i - 1]);
        free(keys);
        free(samples);
    }
}

/* ---------------------------------------------------------------- determinism */

/* Everything that can happen, at the same samples, in blocks of any size. */
static void play_a_day(struct noise_bed *bed, float *samples, size_t n, uint64_t blocks)
{
    static const char *const NAMES[] = {"cafe", "rain", "none", "street", "white",
                                        "room", "pink", "cafe", "none",   "rain"};
    const float levels[] = {1, 0.3f, 0.3f, 0, 0.5f, 0.5f, 1, 0, 0, 0.2f, 1};
    struct test_random random = {blocks};
    for (size_t at = 0; at < n;) {
        /* A choice each 7777 samples, a level each 5000. */
        if (at % 7777 == 0) noise_bed_choose(bed, NAMES[at / 7777 % 10]);
        size_t left = 7777 - at % 7777;
        if (left > 5000 - at % 5000) left = 5000 - at % 5000;
        if (left > n - at) left = n - at;
        size_t m = blocks == 0 ? left : 1 + (size_t)test_random_below(&random, blocks);
        if (m > left) m = left;
        noise_bed_add(bed, samples + at, m, levels[at / 5000 % 11]);
        at += m;
    }
}

static void blocks_do_not_change_it_and_the_seed_does(void **state)
{
    (void)state;
    enum { N = 300000 };
    float *whole = calloc(N, sizeof *whole), *parts = calloc(N, sizeof *parts);
    assert_non_null(whole);
    assert_non_null(parts);
    const uint32_t rates[] = {48000, 22050};
    for (size_t r = 0; r < 2; r++) {
        struct noise_bed *bed = opened(rates[r], 11, NULL);
        memset(whole, 0, N * sizeof *whole);
        play_a_day(bed, whole, N, 0);
        const uint64_t blocks[] = {1, 64, 100, 900};
        for (size_t b = 0; b < 4; b++) {
            noise_bed_reset(bed);
            memset(parts, 0, N * sizeof *parts);
            play_a_day(bed, parts, N, blocks[b]);
            assert_memory_equal(whole, parts, N * sizeof *whole);
        }
        noise_bed_close(bed);
        bed = opened(rates[r], 12, NULL);
        memset(parts, 0, N * sizeof *parts);
        play_a_day(bed, parts, N, 0);
        size_t equal = 0;
        for (size_t i = 0; i < N; i++) equal += whole[i] == parts[i] && whole[i] != 0;
        assert_true(equal < N / 1000);
        noise_bed_close(bed);
    }
    free(whole);
    free(parts);
}

static void at_level_0_the_samples_are_left_alone(void **state)
{
    (void)state;
    struct noise_bed *bed = opened(RATE, 1, NULL);
    noise_bed_choose(bed, "white");
    float samples[4800];
    for (size_t i = 0; i < 4800; i++) samples[i] = 0.25f;
    noise_bed_add(bed, samples, 4800, 0);
    noise_bed_add(bed, samples, 4800, NAN);
    noise_bed_add(bed, samples, 4800, -3);
    for (size_t i = 0; i < 4800; i++) assert_true(samples[i] == 0.25f);
    /* And it comes to rest there in less than a second. */
    float rest[RATE] = {0};
    noise_bed_add(bed, rest, RATE, 1);
    memset(rest, 0, sizeof rest);
    noise_bed_add(bed, rest, RATE, 0);
    assert_true(rest[10] != 0);
    for (size_t i = RATE / 2; i < RATE; i++) assert_true(rest[i] == 0);
    noise_bed_close(bed);
}

static void levels_beyond_1_are_1(void **state)
{
    (void)state;
    float a[4800] = {0}, b[4800] = {0};
    struct noise_bed *bed = opened(RATE, 1, NULL);
    noise_bed_choose(bed, "pink");
    noise_bed_add(bed, a, 4800, 1);
    noise_bed_reset(bed);
    noise_bed_choose(bed, "pink");
    noise_bed_add(bed, b, 4800, 1e9f);
    assert_memory_equal(a, b, sizeof a);
    noise_bed_close(bed);
}

/* ----------------------------------------------------------------------- file */

/* A file of a low tone, or of noise. */
static const char *file_of(uint32_t rate_hz, uint32_t channels, double seconds, double tone_hz)
{
    const char *path = test_scratch(".wav");
    struct kodama_format format = {
        .sample = KODAMA_SAMPLE_F32, .rate_hz = rate_hz, .channels = channels};
    size_t n = (size_t)(seconds * rate_hz);
    float *frames = calloc(n * channels, sizeof *frames);
    assert_non_null(frames);
    struct test_random random = {3};
    for (size_t i = 0; i < n; i++) {
        float x = tone_hz > 0 ? 0.1f * (float)sin(2 * NOISE_PI * tone_hz * (double)i / rate_hz)
                              : 0.1f * test_random_float(&random);
        for (uint32_t c = 0; c < channels; c++) frames[i * channels + c] = x;
    }
    struct kodama_clip *clip;
    assert_int_equal(kodama_clip_create(&clip, format, frames, n, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_save(clip, path, NULL, NULL), KODAMA_OK);
    kodama_clip_destroy(clip);
    free(frames);
    return path;
}

static void a_file_goes_round_without_a_seam(void **state)
{
    (void)state;
    /* 7.3 s at another rate, of a tone that does not fit in whole periods. */
    struct noise_bed *bed = opened(RATE, 1, file_of(22050, 2, 7.3, 100.7));
    assert_int_equal(noise_bed_choose(bed, "file"), KODAMA_OK);
    float *samples = calloc(40 * RATE, sizeof *samples);
    assert_non_null(samples);
    noise_bed_add(bed, samples, 40 * RATE, 1);
    double amplitude = (double)NOISE_BED_RMS * sqrt(2);
    double bend_most = 0;
    for (size_t i = RATE; i < 40 * RATE; i++) {
        double bend = fabs((double)(samples[i] - 2 * samples[i - 1] + samples[i - 2]));
        bend_most = fmax(bend_most, bend);
    }
    /* Of a sine w^2 times its amplitude; two of them may meet in the crossfade. */
    double w = 2 * NOISE_PI * 100.7 / RATE;
    print_message("# most bent: %.2f of the tone's own\n", bend_most / (w * w * amplitude));
    assert_true(bend_most < 2.2 * w * w * amplitude);
    free(samples);
    noise_bed_close(bed);
}

static void a_files_loudness_does_not_dip_where_it_goes_round(void **state)
{
    (void)state;
    struct noise_bed *bed = opened(RATE, 1, file_of(RATE, 1, 9, 0));
    noise_bed_choose(bed, "file");
    float skipped[RATE] = {0};
    noise_bed_add(bed, skipped, RATE, 1);
    for (size_t i = 0; i < 80; i++) {
        float stretch[RATE / 4] = {0};
        noise_bed_add(bed, stretch, RATE / 4, 1);
        assert_true(fabs(20 * log10(rms_of(stretch, RATE / 4)) + 12) < 0.5);
    }
    noise_bed_close(bed);
}

static void a_short_file_works_too(void **state)
{
    (void)state;
    struct noise_bed *bed = opened(RATE, 1, file_of(RATE, 1, 0.01, 0));
    noise_bed_choose(bed, "file");
    float samples[RATE] = {0};
    noise_bed_add(bed, samples, RATE, 1);
    assert_true(rms_of(samples + RATE / 2, RATE / 2) > 0.1);
    noise_bed_close(bed);
}

static void what_cannot_be_a_bed_is_refused_in_words(void **state)
{
    (void)state;
    struct noise_bed *bed;
    struct kodama_error error;
    assert_int_equal(noise_bed_open(&bed, RATE, 1, "/nowhere/bed.wav", &error),
                     KODAMA_ERR_NOT_FOUND);
    assert_null(bed);
    assert_non_null(strstr(error.message, "/nowhere/bed.wav"));
    assert_int_equal(noise_bed_open(&bed, RATE, 1, file_of(RATE, 1, 1, 1e-9), &error),
                     KODAMA_ERR_FORMAT);
    assert_non_null(strstr(error.message, "no sound"));
    assert_int_equal(noise_bed_open(&bed, 7999, 1, NULL, &error), KODAMA_ERR_ARGUMENT);
    bed = opened(RATE, 1, NULL);
    assert_int_equal(noise_bed_choose(bed, "file"), KODAMA_ERR_NOT_FOUND);
    assert_int_equal(noise_bed_choose(bed, "sea"), KODAMA_ERR_NOT_FOUND);
    assert_int_equal(noise_bed_choose(bed, NULL), KODAMA_OK);
    noise_bed_close(bed);
}

/* ------------------------------------------------------------------ switching */

static void neither_a_switch_nor_a_level_clicks(void **state)
{
    (void)state;
    /* Of a low tone nothing bends fast, so what does is a click. */
    struct noise_bed *bed = opened(RATE, 1, file_of(RATE, 1, 30, 60));
    float *samples = calloc(20 * RATE, sizeof *samples);
    assert_non_null(samples);
    for (size_t i = 0; i < 200; i++) {
        /* Faster than a crossfade, too. */
        const char *name = i % 3 == 0 ? "none" : "file";
        if (i < 100) noise_bed_choose(bed, name);
        float level = i < 100 ? 1 : (float)(i % 4) / 3;
        noise_bed_add(bed, samples + i * RATE / 10, RATE / 10, level);
    }
    double w = 2 * NOISE_PI * 60 / RATE, amplitude = (double)NOISE_BED_RMS * sqrt(2);
    double most = 0;
    for (size_t i = 2; i < 20 * RATE; i++) {
        most = fmax(most, fabs((double)(samples[i] - 2 * samples[i - 1] + samples[i - 2])));
    }
    print_message("# most bent: %.2f of the tone's own\n", most / (w * w * amplitude));
    /* A level that begins to glide bends by 1/(40 ms) of the slope: amplitude * 1/1920. */
    assert_true(most < amplitude / 1920 * 1.2);
    free(samples);
    noise_bed_close(bed);
}

/* -------------------------------------------------------------------- keeping */

static void a_saved_bed_goes_on(void **state)
{
    (void)state;
    const char *path = file_of(RATE, 1, 20, 0);
    struct noise_bed *a = opened(RATE, 21, path), *b = opened(RATE, 99, path);
    noise_bed_choose(a, "file");
    static float in[5 * RATE], out[RATE];
    noise_bed_add(a, in, 5 * RATE, 0.5f);
    struct record writer = record_writer();
    noise_bed_save(a, &writer);
    struct record reader = record_reader(writer.data, writer.n_bytes);
    noise_bed_load(b, &reader);
    assert_false(reader.failed);
    assert_int_equal(reader.offset, reader.n_bytes);
    memset(in, 0, sizeof in);
    noise_bed_add(a, in, RATE, 0.5f);
    noise_bed_add(b, out, RATE, 0.5f);
    assert_memory_equal(in, out, sizeof out);
    /* What is synthesised is the same place with the same level, in other words. */
    noise_bed_choose(a, "cafe");
    noise_bed_add(a, in, RATE, 0.5f);
    record_free(&writer);
    writer = record_writer();
    noise_bed_save(a, &writer);
    reader = record_reader(writer.data, writer.n_bytes);
    noise_bed_load(b, &reader);
    assert_false(reader.failed);
    memset(out, 0, sizeof out);
    noise_bed_add(b, out, RATE, 0.5f);
    assert_true(rms_of(out, RATE / 10) > 0.005);
    record_free(&writer);
    noise_bed_close(a);
    noise_bed_close(b);
}

static void a_damaged_record_changes_nothing(void **state)
{
    (void)state;
    struct noise_bed *a = opened(RATE, 1, NULL), *b = opened(RATE, 1, NULL);
    noise_bed_choose(a, "rain");
    noise_bed_choose(b, "rain");
    struct record writer = record_writer();
    noise_bed_save(a, &writer);
    for (size_t n = 0; n < writer.n_bytes; n++) {
        struct record reader = record_reader(writer.data, n);
        noise_bed_load(a, &reader);
        assert_true(reader.failed);
    }
    float in[4800] = {0}, out[4800] = {0};
    noise_bed_add(a, in, 4800, 1);
    noise_bed_add(b, out, 4800, 1);
    assert_memory_equal(in, out, sizeof in);
    record_free(&writer);
    noise_bed_close(a);
    noise_bed_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bed_has_the_level_it_says_at_every_rate),
        cmocka_unit_test(the_beds_are_different_sounds),
        cmocka_unit_test(nothing_repeats_in_minutes),
        cmocka_unit_test(blocks_do_not_change_it_and_the_seed_does),
        cmocka_unit_test(at_level_0_the_samples_are_left_alone),
        cmocka_unit_test(levels_beyond_1_are_1),
        cmocka_unit_test(a_file_goes_round_without_a_seam),
        cmocka_unit_test(a_files_loudness_does_not_dip_where_it_goes_round),
        cmocka_unit_test(a_short_file_works_too),
        cmocka_unit_test(what_cannot_be_a_bed_is_refused_in_words),
        cmocka_unit_test(neither_a_switch_nor_a_level_clicks),
        cmocka_unit_test(a_saved_bed_goes_on),
        cmocka_unit_test(a_damaged_record_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
