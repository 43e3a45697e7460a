/* Drift, bed and limiter in their places in the chain, behind a converter that changes nothing. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "voice/limiter.h"
#include "voice/noise_bed.h"
#include "voice/scripted.h"
#include "voice/voice.h"

enum { RATE = 48000, HOP = 48 };

static struct kodama_voice *opened(const struct kodama_voice_config *config)
{
    scripted_setup = (struct scripted){.facts = {.hop_in = HOP, .hop_out = HOP, .delay = 100}};
    struct kodama_voice *voice;
    assert_int_equal(voice_open_with(&voice, config, &scripted_ops, NULL), KODAMA_OK);
    return voice;
}

static void tone(float *samples, size_t n, size_t from, float amplitude)
{
    for (size_t i = 0; i < n; i++) samples[i] = amplitude * sinf(0.06f * (float)(from + i));
}

static double rms_of(const float *samples, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++) squares += (double)samples[i] * (double)samples[i];
    return sqrt(squares / (double)n);
}

static void drift_of_pitch_reaches_the_converter(void **state)
{
    (void)state;
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    config.settings.pitch = 3;
    struct kodama_voice *voice = opened(&config);
    static float samples[HOP];
    double sum = 0, squares = 0;
    enum { N = 300000 };
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(kodama_voice_process(voice, NULL, HOP, samples, HOP), HOP);
        double drift = (double)scripted_control.pitch - 3;
        sum += drift;
        squares += drift * drift;
    }
    double spread = sqrt(squares / N - sum / N * sum / N);
    print_message("# spread of the pitch: %.3f semitones\n", spread);
    /* 5 % are 0.866 semitones; five minutes have about 100 independent stretches. */
    assert_true(fabs(spread - 0.866) < 0.2);
    struct kodama_voice_settings settings = config.settings;
    settings.fluctuation = false;
    assert_int_equal(kodama_voice_set(voice, &settings), KODAMA_OK);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(kodama_voice_process(voice, NULL, HOP, samples, HOP), HOP);
    }
    assert_true(scripted_control.pitch == 3.0f);
    kodama_voice_close(voice);
}

static void drift_of_volume_and_bands_reaches_the_output(void **state)
{
    (void)state;
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    static float samples[RATE / 10];
    double spreads[3];
    for (int which = 0; which < 3; which++) {
        config.settings.drift_volume = which == 0 ? 0.03f : 0;
        config.settings.drift_eq = which == 1 ? 0.1f : 0;
        struct kodama_voice *voice = opened(&config);
        double sum = 0, squares = 0;
        enum { N = 1200 };
        for (size_t i = 0; i < N + 10; i++) {
            tone(samples, RATE / 10, i * RATE / 10, 0.3f);
            assert_int_equal(kodama_voice_process(voice, samples, RATE / 10, samples, RATE / 10),
                             RATE / 10);
            double level = rms_of(samples, RATE / 10) / 0.2121;
            if (i < 10) continue;
            sum += level;
            squares += level * level;
        }
        spreads[which] = sqrt(fmax(squares / N - sum / N * sum / N, 0));
        kodama_voice_close(voice);
    }
    print_message("# spread of the level: %.3f, of a band %.3f, of nothing %.5f\n", spreads[0],
                  spreads[1], spreads[2]);
    assert_true(fabs(spreads[0] - 0.03) < 0.012);
    assert_true(spreads[1] > 0.03);
    assert_true(spreads[2] < 0.002);
}

static void muted_there_is_the_bed_alone(void **state)
{
    (void)state;
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    config.settings.mute = true;
    config.settings.noise = "pink";
    config.settings.noise_level = 0.1f;
    static float with[10 * RATE], without[10 * RATE];
    struct kodama_voice *voice = opened(&config);
    tone(with, 10 * RATE, 0, 0.5f);
    assert_int_equal(kodama_voice_process(voice, with, 10 * RATE, with, 10 * RATE), 10 * RATE);
    kodama_voice_close(voice);
    voice = opened(&config);
    assert_int_equal(kodama_voice_process(voice, NULL, 10 * RATE, without, 10 * RATE), 10 * RATE);
    kodama_voice_close(voice);
    assert_memory_equal(with, without, sizeof with);
    assert_true(fabs(20 * log10(rms_of(with + RATE, 9 * RATE)) + 32) < 0.7);
}

static void a_failed_hop_is_exactly_the_bed(void **state)
{
    (void)state;
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    config.settings.noise = "cafe";
    config.settings.noise_level = 0.2f;
    enum { N = RATE, FIRST = 400, N_FAULT = 200 };
    static float failed[N], bed[N];
    for (int run = 0; run < 2; run++) {
        scripted_setup = (struct scripted){.facts = {.hop_in = HOP, .hop_out = HOP, .delay = 100},
                                           .fault = SCRIPTED_FAILS,
                                           .fault_first = run == 0 ? FIRST : 0,
                                           .n_fault = run == 0 ? N_FAULT : UINT64_MAX};
        struct kodama_voice *voice;
        assert_int_equal(voice_open_with(&voice, &config, &scripted_ops, NULL), KODAMA_OK);
        float *out = run == 0 ? failed : bed;
        tone(out, N, 0, 0.3f);
        assert_int_equal(kodama_voice_process(voice, out, N, out, N), N);
        uint32_t latency = kodama_voice_latency(voice);
        kodama_voice_close(voice);
        if (run == 0) continue;
        size_t first = FIRST * HOP - 100 + latency;
        for (size_t i = first; i < first + N_FAULT * HOP; i++) assert_true(failed[i] == bed[i]);
        assert_true(fabsf(failed[first - 500] - bed[first - 500]) > 0);
    }
}

static void what_is_too_loud_is_limited_and_counted(void **state)
{
    (void)state;
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    config.settings.gain = 24;
    config.settings.noise = "rain";
    config.settings.noise_level = 1;
    static float samples[RATE];
    struct kodama_voice *voice = opened(&config);
    tone(samples, RATE, 0, 0.9f);
    assert_int_equal(kodama_voice_process(voice, samples, RATE, samples, RATE), RATE);
    for (size_t i = 0; i < RATE; i++) assert_true(fabsf(samples[i]) <= LIMITER_CEILING);
    struct kodama_voice_stats stats;
    kodama_voice_stats(voice, &stats);
    assert_true(stats.limited_frames > RATE / 2);
    kodama_voice_close(voice);
}

static void nothing_of_it_depends_on_blocks(void **state)
{
    (void)state;
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    config.settings.noise = "street";
    config.settings.noise_level = 0.7f;
    config.settings.gain = 12;
    config.input.rate_hz = 44100;
    enum { N = 100000 };
    static float whole[N], parts[N];
    const size_t blocks[] = {N, 1, 64, 480, 4800};
    for (size_t b = 0; b < 5; b++) {
        float *out = b == 0 ? whole : parts;
        struct kodama_voice *voice = opened(&config);
        tone(out, N, 0, 0.5f);
        for (size_t at = 0; at < N;) {
            size_t n = blocks[b] < N - at ? blocks[b] : N - at;
            assert_int_equal(kodama_voice_process(voice, out + at, n, out + at, n), n);
            at += n;
        }
        kodama_voice_close(voice);
        if (b > 0) assert_memory_equal(whole, parts, sizeof whole);
    }
}

static void a_saved_session_keeps_its_drift(void **state)
{
    (void)state;
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    config.seed = 1;
    struct kodama_voice *a = opened(&config);
    config.seed = 2;
    struct kodama_voice *b = opened(&config);
    static float in[RATE], out[RATE];
    tone(in, RATE, 0, 0.3f);
    assert_int_equal(kodama_voice_process(a, in, RATE, out, RATE), RATE);
    assert_true(kodama_voice_flush(a, out, RATE) > 0);
    unsigned char saved[4096];
    int64_t n = kodama_voice_save(a, saved, sizeof saved);
    assert_true(n > 0);
    /* A damaged one leaves b with its own drift. */
    saved[n - 60] ^= 1;
    int64_t n_fine = 0;
    for (int64_t cut = 0; cut < n; cut++) {
        n_fine += kodama_voice_load(b, saved, (size_t)cut) == KODAMA_OK;
    }
    assert_int_equal(n_fine, 0);
    saved[n - 60] ^= 1;
    struct kodama_voice *c = opened(&config);
    static float from_b[RATE], from_c[RATE];
    assert_int_equal(kodama_voice_process(b, in, RATE, from_b, RATE), RATE);
    assert_int_equal(kodama_voice_process(c, in, RATE, from_c, RATE), RATE);
    assert_memory_equal(from_b, from_c, sizeof from_b);
    /* And a whole one goes on where a was. */
    assert_int_equal(kodama_voice_load(b, saved, (size_t)n), KODAMA_OK);
    assert_int_equal(kodama_voice_process(a, in, RATE, out, RATE), RATE);
    assert_int_equal(kodama_voice_process(b, in, RATE, from_b, RATE), RATE);
    assert_memory_equal(out, from_b, sizeof out);
    assert_memory_not_equal(out, from_c, sizeof out);
    kodama_voice_close(a);
    kodama_voice_close(b);
    kodama_voice_close(c);
}

/* Two alike, of which one is given records that are cut short, too long, or damaged: they go on
 * alike, with the sound that was inside. */
static void a_refused_record_changes_nothing(void **state)
{
    (void)state;
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    config.settings.noise = "rain";
    config.settings.pitch = 3.0f;
    struct kodama_voice *a = opened(&config), *b = opened(&config);
    config.seed = 2;
    config.settings.noise = "cafe";
    config.settings.pitch = -7.0f;
    struct kodama_voice *c = opened(&config);
    static float in[RATE], from_a[RATE], from_b[RATE];
    tone(in, RATE, 0, 0.3f);
    assert_int_equal(kodama_voice_process(a, in, RATE, from_a, RATE), RATE);
    assert_int_equal(kodama_voice_process(b, in, RATE, from_b, RATE), RATE);
    assert_int_equal(kodama_voice_process(c, in, RATE / 3, from_b, RATE), RATE / 3);
    unsigned char saved[4096] = {0};
    int64_t n = kodama_voice_save(c, saved, sizeof saved - 1);
    assert_true(n > 0);
    for (int64_t cut = 0; cut <= n + 1; cut++) {
        if (cut == n) continue;
        assert_int_equal(kodama_voice_load(b, saved, (size_t)cut), KODAMA_ERR_CORRUPT);
    }
    for (int64_t at = 0; at < n - 1; at++) {
        if (memcmp(saved + at, "FLUC", 4) != 0 && memcmp(saved + at, "NBED", 4) != 0) continue;
        saved[at] ^= 1;
        assert_int_equal(kodama_voice_load(b, saved, (size_t)n), KODAMA_ERR_CORRUPT);
        saved[at] ^= 1;
    }
    struct kodama_voice_settings settings;
    kodama_voice_get(b, &settings);
    assert_true(settings.pitch == 3.0f);
    assert_string_equal(settings.noise, "rain");
    assert_int_equal(kodama_voice_process(a, in, RATE, from_a, RATE), RATE);
    assert_int_equal(kodama_voice_process(b, in, RATE, from_b, RATE), RATE);
    assert_memory_equal(from_a, from_b, sizeof from_a);
    kodama_voice_close(a);
    kodama_voice_close(b);
    kodama_voice_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drift_of_pitch_reaches_the_converter),
        cmocka_unit_test(drift_of_volume_and_bands_reaches_the_output),
        cmocka_unit_test(muted_there_is_the_bed_alone),
        cmocka_unit_test(a_failed_hop_is_exactly_the_bed),
        cmocka_unit_test(what_is_too_loud_is_limited_and_counted),
        cmocka_unit_test(nothing_of_it_depends_on_blocks),
        cmocka_unit_test(a_saved_session_keeps_its_drift),
        cmocka_unit_test(a_refused_record_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
