/* Tests of the voice: one output however the input is cut, exact latency, settings, faults. */
#include "support/support.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "voice/scripted.h"
#include "voice/voice.h"

static const double pi = 3.14159265358979323846;

/* A voice without anything that would change what comes out of its converter. */
static struct kodama_voice_config plain_config(uint32_t rate_in_hz, uint32_t rate_out_hz)
{
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    config.input.rate_hz = rate_in_hz;
    config.output = config.input;
    config.output.rate_hz = rate_out_hz;
    config.settings.fluctuation = false;
    return config;
}

static struct kodama_voice *open_scripted(const struct kodama_voice_config *config)
{
    struct kodama_voice *voice;
    assert_int_equal(voice_open_with(&voice, config, &scripted_ops, NULL), 0);
    return voice;
}

/* A tone with noise under it, gliding, with pauses: something of everything. */
static float *make_sound(size_t n, uint32_t rate_hz)
{
    struct test_random random = {.state = 7};
    float *samples = calloc(n, sizeof *samples);
    assert_non_null(samples);
    double phase = 0.0;
    for (size_t i = 0; i < n; i++) {
        double t = (double)i / rate_hz;
        phase += (120.0 + 40.0 * sin(3.0 * t)) / rate_hz;
        double pulse = pow(0.5 + 0.5 * cos(2.0 * pi * phase), 8.0);
        float voiced = fmod(t, 0.5) < 0.35 ? (float)(0.5 * pulse - 0.14) : 0.0f;
        samples[i] = voiced + 0.02f * test_random_float(&random);
    }
    return samples;
}

/* All of a mono float sound through a voice in blocks, and the flush; freed by the caller. */
static float *change(struct kodama_voice *voice, const float *in, size_t n_in, size_t block,
                     size_t *n_out)
{
    size_t room = kodama_voice_room(voice, n_in) + kodama_voice_room(voice, 0) + 1;
    float *out = calloc(room, sizeof *out);
    assert_non_null(out);
    size_t n = 0;
    for (size_t at = 0; at < n_in; at += block) {
        size_t take = n_in - at < block ? n_in - at : block;
        int64_t got =
            kodama_voice_process(voice, in + at, take, out + n, kodama_voice_room(voice, take));
        assert_true(got >= 0);
        n += (size_t)got;
    }
    int64_t rest = kodama_voice_flush(voice, out + n, room - n);
    assert_int_equal(rest, kodama_voice_latency(voice));
    *n_out = n + (size_t)rest;
    return out;
}

static void output_does_not_depend_on_how_input_was_cut(void **state)
{
    (void)state;
    static const uint32_t rates[][2] = {
        {48000, 48000}, {16000, 16000}, {44100, 48000}, {8000, 44100}, {48000, 8000}};
    static const size_t blocks[] = {1, 64, 480, 4800};
    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
        size_t n_in = rates[r][0] + 77, n_whole;
        float *in = make_sound(n_in, rates[r][0]);
        for (size_t preset = 0; kodama_voice_preset_name(preset); preset++) {
            struct kodama_voice_config config = plain_config(rates[r][0], rates[r][1]);
            config.settings.fluctuation = true;
            config.settings.noise = "rain";
            assert_int_equal(
                kodama_voice_preset(kodama_voice_preset_name(preset), &config.settings), 0);
            struct kodama_voice *voice;
            assert_int_equal(kodama_voice_open(&voice, &config, NULL), 0);
            float *whole = change(voice, in, n_in, n_in, &n_whole);
            for (size_t b = 0; b < 4; b++) {
                if (preset % 4 != b && b < 2) continue; /* small blocks: each preset has its turn */
                kodama_voice_reset(voice);
                size_t n;
                float *out = change(voice, in, n_in, blocks[b], &n);
                assert_int_equal(n, n_whole);
                assert_memory_equal(out, whole, n * sizeof *out);
                free(out);
            }
            free(whole);
            kodama_voice_close(voice);
        }
        free(in);
    }
}

static void as_many_frames_come_out_as_are_due(void **state)
{
    (void)state;
    static const uint32_t rates[][2] = {{48000, 48000}, {44100, 16000}, {8000, 48000}};
    for (size_t r = 0; r < 3; r++) {
        struct kodama_voice_config config = plain_config(rates[r][0], rates[r][1]);
        struct kodama_voice *voice;
        assert_int_equal(kodama_voice_open(&voice, &config, NULL), 0);
        struct test_random random = {.state = r};
        static float in[3000], out[20000];
        uint64_t n_in = 0, n_out = 0;
        for (int i = 0; i < 300; i++) {
            size_t n = (size_t)test_random_below(&random, 3000);
            int64_t got = kodama_voice_process(voice, in, n, out, 20000);
            assert_true(got >= 0 && (size_t)got <= kodama_voice_room(voice, n) + (n == 0));
            n_in += n;
            n_out += (uint64_t)got;
            assert_int_equal(n_out, n_in * rates[r][1] / rates[r][0]);
        }
        struct kodama_voice_stats stats;
        kodama_voice_stats(voice, &stats);
        assert_int_equal(stats.frames_in, n_in);
        assert_int_equal(stats.frames_out, n_out);
        assert_int_equal(kodama_voice_process(voice, in, 3000, out, 1), KODAMA_ERR_ARGUMENT);
        kodama_voice_close(voice);
    }
}

/* With a converter that only delays, an impulse is where the latency says, to the frame. */
static void latency_is_exact(void **state)
{
    (void)state;
    static const struct {
        uint32_t in, out, chain_in, chain_out, hop_in, hop_out, delay;
    } ways[] = {
        {48000, 48000, 0, 0, 48, 48, 700},           {48000, 48000, 0, 0, 1, 1, 0},
        {44100, 44100, 0, 0, 441, 441, 13},          {48000, 16000, 48000, 48000, 480, 480, 1},
        {16000, 48000, 16000, 40000, 1600, 4000, 9}, {44100, 48000, 16000, 16000, 160, 160, 333},
    };
    for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        scripted_setup =
            (struct scripted){.facts = {ways[w].chain_in, ways[w].chain_out, ways[w].hop_in,
                                        ways[w].hop_out, ways[w].delay}};
        struct kodama_voice_config config = plain_config(ways[w].in, ways[w].out);
        struct kodama_voice *voice = open_scripted(&config);
        /* A bell of 20 ms around the second 0.25, which no filter moves. */
        size_t n_in = ways[w].in, n_out;
        float *in = calloc(n_in, sizeof *in);
        for (size_t i = 0; i < n_in; i++) {
            double t = ((double)i / ways[w].in - 0.25) / 0.003;
            in[i] = (float)(0.5 * exp(-t * t));
        }
        float *out = change(voice, in, n_in, 100, &n_out);
        double sum = 0.0, moment = 0.0;
        for (size_t i = 0; i < n_out; i++) {
            sum += (double)out[i];
            moment += (double)out[i] * (double)i;
        }
        double expected = 0.25 * ways[w].out + kodama_voice_latency(voice);
        /* Where rates change within the scripted converter its samples are held: up to half an
         * input sample of it late. */
        double held = ways[w].chain_in ? 0.5 * ways[w].out / ways[w].chain_in : 0.0;
        assert_true(fabs(moment / sum - expected) < 0.02 + held);
        free(in);
        free(out);
        kodama_voice_close(voice);
    }
}

static void latency_is_the_least_that_never_runs_empty(void **state)
{
    (void)state;
    scripted_setup = (struct scripted){.facts = {.hop_in = 48, .hop_out = 48, .delay = 500}};
    struct kodama_voice_config config = plain_config(48000, 48000);
    struct kodama_voice *voice = open_scripted(&config);
    uint32_t latency = kodama_voice_latency(voice);
    assert_true(latency >= 500 + 47);
    assert_true(latency <= 500 + 47 + 48 + 100); /* the gate's millisecond, the limiter */
    kodama_voice_close(voice);
}

static void after_a_flush_a_voice_is_as_new(void **state)
{
    (void)state;
    struct kodama_voice_config config = plain_config(16000, 16000);
    config.settings.pitch = 5.0f;
    struct kodama_voice *voice;
    assert_int_equal(kodama_voice_open(&voice, &config, NULL), 0);
    float *in = make_sound(9000, 16000);
    size_t n_first, n_second;
    float *first = change(voice, in, 9000, 333, &n_first);
    float *second = change(voice, in, 9000, 777, &n_second);
    assert_int_equal(n_first, n_second);
    assert_memory_equal(first, second, n_first * sizeof *first);
    free(first);
    free(second);
    free(in);
    kodama_voice_close(voice);
}

static void frames_may_be_changed_in_their_place(void **state)
{
    (void)state;
    struct kodama_voice_config config = plain_config(16000, 16000);
    config.settings.pitch = -3.0f;
    struct kodama_voice *voice;
    assert_int_equal(kodama_voice_open(&voice, &config, NULL), 0);
    float *in = make_sound(9000, 16000);
    size_t n;
    float *out = change(voice, in, 9000, 9000, &n);
    assert_int_equal(kodama_voice_process(voice, in, 9000, in, 9000), 9000);
    assert_memory_equal(in, out, 9000 * sizeof *in);
    free(in);
    free(out);
    kodama_voice_close(voice);
}

static void channels_are_mixed_and_spread(void **state)
{
    (void)state;
    scripted_setup = (struct scripted){.facts = {.hop_in = 1, .hop_out = 1}};
    struct kodama_voice_config config = plain_config(16000, 16000);
    config.input = (struct kodama_format){KODAMA_SAMPLE_S16, 16000, 2, 0};
    config.output = (struct kodama_format){KODAMA_SAMPLE_F32, 16000, 3, 0};
    struct kodama_voice *voice = open_scripted(&config);
    static int16_t in[2 * 1000];
    static float out[3 * 1000];
    for (int i = 0; i < 1000; i++) {
        in[2 * i] = 16384;
        in[2 * i + 1] = -8192;
    }
    assert_int_equal(kodama_voice_process(voice, in, 1000, out, 1000), 1000);
    for (int k = 0; k < 3; k++) assert_float_equal(out[3 * 900 + k], 0.125f, 1e-6f);
    kodama_voice_close(voice);
}

/* ---- settings ---- */

static void changed_settings_begin_where_they_were_set(void **state)
{
    (void)state;
    enum { N = 12000, AT = 5003 };
    static const size_t blocks[] = {1, 64, 480, 4800};
    float *in = make_sound(N, 16000), *first = NULL;
    for (size_t b = 0; b < 4; b++) {
        struct kodama_voice_config config = plain_config(16000, 16000);
        struct kodama_voice *voice;
        assert_int_equal(kodama_voice_open(&voice, &config, NULL), 0);
        float *out = calloc(N, sizeof *out);
        for (size_t at = 0; at < N;) {
            if (at == AT) {
                struct kodama_voice_settings settings;
                kodama_voice_get(voice, &settings);
                settings.pitch = 7.0f;
                settings.formant = -4.0f;
                settings.gain = -6.0f;
                settings.effect = KODAMA_EFFECT_RADIO;
                assert_int_equal(kodama_voice_set(voice, &settings), 0);
            }
            size_t end = at < AT ? AT : N, n = end - at < blocks[b] ? end - at : blocks[b];
            assert_int_equal(kodama_voice_process(voice, in + at, n, out + at, n), n);
            at += n;
        }
        if (!first) {
            first = out;
        } else {
            assert_memory_equal(out, first, N * sizeof *out);
            free(out);
        }
        kodama_voice_close(voice);
    }
    free(first);
    free(in);
}

static void bypass_gives_the_input_delayed(void **state)
{
    (void)state;
    struct kodama_voice_config config = plain_config(48000, 48000);
    config.settings.pitch = 12.0f;
    config.settings.bypass = true;
    struct kodama_voice *voice;
    assert_int_equal(kodama_voice_open(&voice, &config, NULL), 0);
    enum { N = 20000 };
    float *in = make_sound(N, 48000);
    size_t n;
    float *out = change(voice, in, N, 500, &n);
    uint32_t latency = kodama_voice_latency(voice);
    for (size_t i = 0; i < N; i++) assert_float_equal(out[i + latency], in[i], 1e-6f);
    free(in);
    free(out);
    kodama_voice_close(voice);
}

static void mute_is_silent(void **state)
{
    (void)state;
    struct kodama_voice_config config = plain_config(48000, 48000);
    config.settings.mute = config.settings.bypass = true;
    struct kodama_voice *voice;
    assert_int_equal(kodama_voice_open(&voice, &config, NULL), 0);
    enum { N = 20000 };
    float *in = make_sound(N, 48000);
    size_t n;
    float *out = change(voice, in, N, 500, &n);
    for (size_t i = 0; i < n; i++) assert_true(out[i] == 0.0f);
    free(in);
    free(out);
    kodama_voice_close(voice);
}

static void impossible_settings_are_refused_in_words(void **state)
{
    (void)state;
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    struct kodama_voice *voice;
    struct kodama_error error;
    config.settings.pitch = 25.0f;
    assert_int_equal(kodama_voice_open(&voice, &config, &error), KODAMA_ERR_ARGUMENT);
    assert_null(voice);
    assert_non_null(strstr(error.message, "pitch"));
    config.settings.pitch = NAN;
    assert_int_equal(kodama_voice_open(&voice, &config, &error), KODAMA_ERR_ARGUMENT);
    config.settings.pitch = 0.0f;
    config.settings.noise = "ocean";
    assert_int_equal(kodama_voice_open(&voice, &config, &error), KODAMA_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "ocean"));
    config.settings.noise = "file";
    assert_int_equal(kodama_voice_open(&voice, &config, &error), KODAMA_ERR_ARGUMENT);
    config.settings.noise = "none";
    assert_int_equal(kodama_voice_open(&voice, &config, &error), 0);
    struct kodama_voice_settings settings;
    kodama_voice_get(voice, &settings);
    settings.formant = -13.0f;
    assert_int_equal(kodama_voice_set(voice, &settings), KODAMA_ERR_ARGUMENT);
    kodama_voice_get(voice, &settings);
    assert_true(settings.formant == 0.0f);
    kodama_voice_close(voice);
}

static void presets_are_known_by_name(void **state)
{
    (void)state;
    struct kodama_voice_settings settings = KODAMA_VOICE_SETTINGS_INIT;
    settings.gain = -3.0f;
    assert_int_equal(kodama_voice_preset("robot", &settings), 0);
    assert_int_equal(settings.effect, KODAMA_EFFECT_ROBOT);
    assert_int_equal(kodama_voice_preset("giant", &settings), 0);
    assert_int_equal(settings.effect, KODAMA_EFFECT_NONE);
    assert_true(settings.pitch < 0.0f && settings.formant < 0.0f && settings.gain == -3.0f);
    assert_int_equal(kodama_voice_preset("dragon", &settings), KODAMA_ERR_NOT_FOUND);
    assert_null(kodama_voice_preset_name(100));
}

static void a_session_goes_on_elsewhere(void **state)
{
    (void)state;
    struct kodama_voice_config config = plain_config(16000, 16000);
    struct kodama_voice *voice, *other;
    assert_int_equal(kodama_voice_open(&voice, &config, NULL), 0);
    assert_int_equal(kodama_voice_open(&other, &config, NULL), 0);
    struct kodama_voice_settings settings;
    kodama_voice_get(voice, &settings);
    settings.pitch = -7.5f;
    settings.noise = "pink";
    settings.effect = KODAMA_EFFECT_WHISPER;
    assert_int_equal(kodama_voice_set(voice, &settings), 0);
    uint8_t data[4096];
    int64_t n = kodama_voice_save(voice, data, sizeof data);
    assert_true(n > 0);
    assert_int_equal(kodama_voice_load(other, data, (size_t)n), 0);
    kodama_voice_get(other, &settings);
    assert_true(settings.pitch == -7.5f);
    assert_string_equal(settings.noise, "pink");
    assert_int_equal(settings.effect, KODAMA_EFFECT_WHISPER);
    for (size_t cut = 0; cut < (size_t)n; cut++)
        assert_int_equal(kodama_voice_load(other, data, cut), KODAMA_ERR_CORRUPT);
    kodama_voice_close(voice);
    kodama_voice_close(other);
}

struct setting {
    struct kodama_voice *voice;
    _Atomic bool done;
};

static void set_all_the_time(void *argument)
{
    struct setting *s = argument;
    for (int i = 0; !atomic_load(&s->done); i++) {
        struct kodama_voice_settings settings;
        kodama_voice_get(s->voice, &settings);
        settings.pitch = settings.formant = (float)(i % 12);
        assert_int_equal(kodama_voice_set(s->voice, &settings), 0);
        kodama_voice_get(s->voice, &settings);
        assert_true(settings.pitch == settings.formant);
        struct kodama_voice_stats stats;
        kodama_voice_stats(s->voice, &stats);
    }
}

static void settings_may_be_changed_by_another_thread(void **state)
{
    (void)state;
    struct kodama_voice_config config = plain_config(16000, 16000);
    struct setting s = {0};
    assert_int_equal(kodama_voice_open(&s.voice, &config, NULL), 0);
    struct thread thread;
    assert_int_equal(thread_start(&thread, "set", set_all_the_time, &s, NULL), 0);
    float *in = make_sound(16000, 16000);
    for (int i = 0; i < 100; i++)
        assert_int_equal(kodama_voice_process(s.voice, in + 160 * i, 160, in + 160 * i, 160), 160);
    atomic_store(&s.done, true);
    thread_join(&thread);
    free(in);
    kodama_voice_close(s.voice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_does_not_depend_on_how_input_was_cut),
        cmocka_unit_test(as_many_frames_come_out_as_are_due),
        cmocka_unit_test(latency_is_exact),
        cmocka_unit_test(latency_is_the_least_that_never_runs_empty),
        cmocka_unit_test(after_a_flush_a_voice_is_as_new),
        cmocka_unit_test(frames_may_be_changed_in_their_place),
        cmocka_unit_test(channels_are_mixed_and_spread),
        cmocka_unit_test(changed_settings_begin_where_they_were_set),
        cmocka_unit_test(bypass_gives_the_input_delayed),
        cmocka_unit_test(mute_is_silent),
        cmocka_unit_test(impossible_settings_are_refused_in_words),
        cmocka_unit_test(presets_are_known_by_name),
        cmocka_unit_test(a_session_goes_on_elsewhere),
        cmocka_unit_test(settings_may_be_changed_by_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
