/* A chunk through the models: every dialect, rate, version and precision, end to end, on graphs
 * whose output can be predicted; and models that are none. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "voice/rvc_features.h"
#include "voice/rvc_graphs.h"
#include "voice/rvc_pass.h"
#include "voice/rvc_rmvpe.h"

enum { CHUNK = 10, CONTEXT = 50, MOST = 200 };

struct fixture {
    struct rvc_weights weights;
    struct rvc_pass *pass;
    float samples[MOST * PASS_HOP_IN], pitch[MOST], semitones[MOST];
    float said[(PASS_SAID + CHUNK) * PASS_HOP_OUT];
    struct rvc_input input;
    struct kodama_error error;
};

static struct fixture f;

static const struct rvc_manner plain_manner = {.protect = 0.5f, .own_volume = 1.0f};

static int load(const char *generator, const char *encoder, const char *rmvpe)
{
    memset(&f, 0, sizeof f);
    f.input =
        (struct rvc_input){.samples = f.samples, .pitch_hz = f.pitch, .semitones = f.semitones};
    struct rvc_weights_config config = {.generator = rvc_graph(generator),
                                        .encoder = encoder ? rvc_graph(encoder) : NULL,
                                        .rmvpe = rmvpe ? rvc_graph(rmvpe) : NULL};
    return rvc_weights_open(&f.weights, &config, &f.error);
}

static void begin(const char *generator, const char *encoder, const char *rmvpe)
{
    if (load(generator, encoder, rmvpe) < 0 ||
        rvc_pass_open(&f.pass, &f.weights, &plain_manner, CONTEXT, CHUNK, 1, &f.error) < 0)
        fail_msg("%s: %s", generator, f.error.message);
    assert_true(rvc_pass_window(f.pass) <= MOST && rvc_pass_chunk(f.pass) == CHUNK);
}

static void end(void)
{
    rvc_pass_close(f.pass);
    rvc_weights_close(&f.weights);
}

static void run(void)
{
    if (rvc_pass_run(f.pass, &f.input, f.said, &f.error) < 0) fail_msg("%s", f.error.message);
}

/* In the middle of a said frame. */
static double middle(size_t frame)
{
    return (double)f.said[frame * PASS_HOP_OUT + PASS_HOP_OUT / 2];
}

/* Periods in n samples, by places where it rises through 0. */
static double frequency(const float *samples, size_t n)
{
    double first = -1.0, last = 0.0;
    int count = 0;
    for (size_t i = 1; i < n; i++) {
        if (!(samples[i - 1] < 0.0f && samples[i] >= 0.0f)) continue;
        last = (double)i - (double)samples[i] / (double)(samples[i] - samples[i - 1]);
        if (first < 0.0)
            first = last;
        else
            count++;
    }
    return count > 0 ? count * (double)PASS_RATE_OUT / (last - first) : 0.0;
}

static void each_frame_is_said_in_its_place(void **state)
{
    (void)state;
    static const char *const generators[] = {
        "A-echo",       "B-echo",       "C-echo",       "A-echo-32000", "B-echo-32000",
        "C-echo-32000", "A-echo-48000", "B-echo-48000", "C-echo-48000", "A-echo-nof0",
        "B-echo-nof0",  "C-echo-nof0",  "A-echo-half",  "B-echo-half",  "C-echo-half"};
    for (size_t g = 0; g < sizeof generators / sizeof generators[0]; g++) {
        begin(generators[g], "content-768", NULL);
        size_t window = rvc_pass_window(f.pass);
        for (size_t i = 0; i < window * PASS_HOP_IN; i++)
            f.samples[i] = (float)i / (float)(window * PASS_HOP_IN);
        run();
        bool half = strstr(generators[g], "half") != NULL;
        for (size_t k = 0; k < PASS_SAID + CHUNK; k++) {
            size_t frame = (window - PASS_SAID - CHUNK + k) / 2;
            if (frame > window / 2 - 2) frame = window / 2 - 2; /* the last one is repeated */
            double expected = ((double)frame * 320 + 199.5) / (double)(window * PASS_HOP_IN);
            if (fabs(middle(k) - expected) > (half ? 2e-3 : 1e-4))
                fail_msg("%s: frame %zu is %f, not %f", generators[g], k, middle(k), expected);
        }
        end();
    }
}

static void both_versions_get_all_of_their_dimensions(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"A-last-256", "content-256"},      {"B-last-256", "content-256"},
        {"C-last-256", "content-256"},      {"A-last", "content-768"},
        {"B-last", "content-768"},          {"C-last", "content-768"},
        {"B-last-256", "content-units"},    {"B-last", "content-units"},
        {"B-last-half", "content-768-half"}};
    for (size_t g = 0; g < sizeof pairs / sizeof pairs[0]; g++) {
        begin(pairs[g][0], pairs[g][1], NULL);
        for (size_t i = 0; i < MOST * PASS_HOP_IN; i++) f.samples[i] = 0.25f;
        run();
        double dims = f.weights.signature.dims;
        assert_int_equal(f.weights.signature.dims, strstr(pairs[g][0], "256") ? 256 : 768);
        for (size_t k = 0; k < PASS_SAID + CHUNK; k++)
            assert_true(fabs(middle(k) - 0.25 * (2.0 - 1.0 / dims)) < 1e-3);
        end();
    }
}

static void a_sine_is_said_at_the_pitch_that_was_asked_for(void **state)
{
    (void)state;
    static const char *const generators[] = {"A-sine",       "B-sine",       "C-sine",
                                             "A-sine-32000", "B-sine-32000", "C-sine-32000",
                                             "A-sine-48000", "B-sine-48000", "C-sine-48000",
                                             "A-sine-half",  "B-sine-half",  "C-sine-half"};
    for (size_t g = 0; g < sizeof generators / sizeof generators[0]; g++) {
        begin(generators[g], "content-768", NULL);
        for (size_t i = 0; i < MOST; i++) {
            f.pitch[i] = 200.0f;
            f.semitones[i] = 7.0f;
        }
        run();
        double hz = frequency(f.said, (PASS_SAID + CHUNK) * PASS_HOP_OUT);
        double expected = 200.0 * exp2(7.0 / 12.0);
        double cents = 1200.0 * log2(hz / expected);
        if (fabs(cents) > (strstr(generators[g], "half") ? 4.0 : 1.0))
            fail_msg("%s: %f Hz, %f cents off", generators[g], hz, cents);
        end();
    }
}

static void formants_move_by_length_and_the_pitch_stays(void **state)
{
    (void)state;
    static const float moves[] = {-12.0f, -5.0f, 4.0f, 12.0f};
    static const char *const dialects[] = {"A", "B", "C"};
    for (size_t g = 0; g < 3; g++) {
        for (size_t m = 0; m < 4; m++) {
            char name[16];
            snprintf(name, sizeof name, "%s-sine", dialects[g]);
            begin(name, "content-768", NULL);
            for (size_t i = 0; i < MOST; i++) f.pitch[i] = 200.0f;
            f.input.formant = moves[m];
            run();
            double hz = frequency(f.said, (PASS_SAID + CHUNK) * PASS_HOP_OUT);
            assert_true(fabs(1200.0 * log2(hz / 200.0)) < 3.0);
            end();
            /* And it is said in its place. */
            snprintf(name, sizeof name, "%s-echo", dialects[g]);
            begin(name, "content-768", NULL);
            size_t window = rvc_pass_window(f.pass);
            for (size_t i = 0; i < window * PASS_HOP_IN; i++)
                f.samples[i] = (float)i / (float)(window * PASS_HOP_IN);
            f.input.formant = moves[m];
            run();
            for (size_t k = 1; k + 4 < PASS_SAID + CHUNK; k++) {
                double frame = (double)(window - PASS_SAID - CHUNK + k) + 0.5;
                double expected = (frame * 160 + 40.0) / (double)(window * PASS_HOP_IN);
                assert_true(fabs(middle(k) - expected) < 160.0 / (double)(window * PASS_HOP_IN));
            }
            end();
        }
    }
}

static void the_coarse_pitch_reaches_the_model(void **state)
{
    (void)state;
    static const char *const names[] = {"A-coarse", "B-coarse", "C-coarse", "B-coarse-half"};
    for (size_t g = 0; g < 4; g++) {
        begin(names[g], "content-768", NULL);
        size_t window = rvc_pass_window(f.pass), from = window - PASS_SAID - CHUNK;
        for (size_t i = 0; i < window; i++) f.pitch[i] = i < from + 8 ? 0.0f : 330.0f;
        run();
        for (size_t k = 0; k < PASS_SAID + CHUNK; k++) {
            double expected = (double)rvc_coarse_pitch(k < 8 ? 0.0f : 330.0f) / 256.0;
            assert_true(fabs(middle(k) - expected) < 1e-2);
        }
        end();
    }
}

static void noise_has_its_spread_and_dialect_a_repeats_it(void **state)
{
    (void)state;
    static const char *const names[] = {"A-rnd", "B-rnd", "C-rnd", "A-rnd-half"};
    for (size_t g = 0; g < 4; g++) {
        begin(names[g], "content-768", NULL);
        double sum = 0.0, n = 0.0;
        static float first[sizeof f.said / sizeof f.said[0]];
        for (int again = 0; again < 60; again++) {
            run();
            if (again == 0) memcpy(first, f.said, sizeof first);
            for (size_t k = 0; k < PASS_SAID + CHUNK; k++, n++) sum += middle(k) * middle(k);
        }
        assert_true(fabs(sqrt(sum / n) - 0.66666) < 0.05);
        assert_true(memcmp(first, f.said, sizeof first) != 0);
        rvc_pass_reset(f.pass);
        run();
        if (names[g][0] == 'A') assert_memory_equal(first, f.said, sizeof first);
        end();
    }
}

static void rmvpe_of_both_styles_takes_the_place_of_the_pitch(void **state)
{
    (void)state;
    static const double tones[] = {110.0, 220.0, 330.0, 523.0};
    for (size_t t = 0; t < 4; t++) {
        begin("B-sine", "content-768", "rmvpe-mel");
        assert_true(rvc_pass_dear(f.pass));
        for (size_t i = 0; i < MOST * PASS_HOP_IN; i++)
            f.samples[i] = 0.5f * (float)sin(2 * acos(-1.0) * tones[t] * (double)i / PASS_RATE_IN);
        run();
        double hz = frequency(f.said, (PASS_SAID + CHUNK) * PASS_HOP_OUT);
        assert_true(fabs(hz / tones[t] - 1.0) < 0.06); /* a mel channel is that wide */
        for (size_t i = 0; i < MOST; i++) f.pitch[i] = 300.0f;
        rvc_pass_cheap(f.pass, true);
        assert_false(rvc_pass_dear(f.pass));
        run();
        assert_true(fabs(frequency(f.said, (PASS_SAID + CHUNK) * PASS_HOP_OUT) - 300.0) < 1.0);
        end();
    }
    begin("B-sine", "content-768", "rmvpe-wave");
    for (size_t i = 0; i < MOST * PASS_HOP_IN; i++) f.samples[i] = 0.4f;
    run();
    assert_true(fabs(frequency(f.said, (PASS_SAID + CHUNK) * PASS_HOP_OUT) - 400.0) < 1.0);
    end();
}

static void a_salience_is_read_by_its_middle(void **state)
{
    (void)state;
    float salience[RMVPE_BINS] = {0};
    assert_true(rvc_rmvpe_decode(salience) == 0.0f);
    for (double bin = 3.0; bin < 356.0; bin += 0.37) {
        for (int i = 0; i < RMVPE_BINS; i++) salience[i] = (float)exp(-0.5 * (i - bin) * (i - bin));
        double expected = 10.0 * exp2((1997.3794084376191 + 20.0 * bin) / 1200.0);
        double cents = 1200.0 * log2((double)rvc_rmvpe_decode(salience) / expected);
        assert_true(fabs(cents) < (bin < 4.0 || bin > 355.0 ? 5.0 : 0.5));
    }
    for (int i = 0; i < RMVPE_BINS; i++) salience[i] = 0.0299f;
    assert_true(rvc_rmvpe_decode(salience) == 0.0f);
}

static void models_that_do_not_fit_are_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *generator, *encoder, *rmvpe;
        int status;
        const char *words[3];
    } cases[] = {
        {"B-echo", NULL, NULL, KODAMA_ERR_NOT_FOUND, {"content encoder", "768", "name its file"}},
        {"B-echo", "content-256", NULL, KODAMA_ERR_FORMAT, {"256", "768", "version 2"}},
        {"B-last-256", "content-768", NULL, KODAMA_ERR_FORMAT, {"768", "256", "version 1"}},
        {"B-echo-100", "content-100", NULL, KODAMA_ERR_FORMAT, {"100", "256", "768"}},
        {"foreign", "content-768", NULL, KODAMA_ERR_FORMAT, {"inputs are x", "phone", "feats"}},
        {"operator", NULL, NULL, KODAMA_ERR_UNSUPPORTED, {"operator", "Warp", "opset"}},
        {"B-echo", "foreign", NULL, KODAMA_ERR_FORMAT, {"no content encoder", "y of x", "ONNX"}},
        {"B-echo", "B-sine", NULL, KODAMA_ERR_FORMAT, {"no content encoder", "feats", "audio"}},
        {"B-echo", "content-768", "B-sine", KODAMA_ERR_FORMAT, {"RMVPE", "mel", "waveform"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = load(cases[i].generator, cases[i].encoder, cases[i].rmvpe);
        if (status != cases[i].status) fail_msg("case %zu: %d, %s", i, status, f.error.message);
        for (int w = 0; w < 3; w++)
            if (!strstr(f.error.message, cases[i].words[w]))
                fail_msg("\"%s\" does not say \"%s\"", f.error.message, cases[i].words[w]);
    }
}

static void what_is_not_finite_is_an_error_not_a_sound(void **state)
{
    (void)state;
    begin("B-nan", "content-768", NULL);
    for (size_t i = 0; i < MOST * PASS_HOP_IN; i++) f.samples[i] = 1.0f;
    assert_int_equal(rvc_pass_run(f.pass, &f.input, f.said, &f.error), KODAMA_ERR_ENGINE);
    assert_non_null(strstr(f.error.message, "finite"));
    for (size_t i = 0; i < MOST * PASS_HOP_IN; i++) f.samples[i] = 0.95f - 0.25f;
    run();
    assert_true(fabs(middle(3) - 0.5) < 1e-3);
    end();
}

static void stop_later(void *argument)
{
    clock_sleep_until(clock_now_ns() + 300 * CLOCK_NS_PER_MS);
    rvc_pass_stop(argument, true);
}

static void a_run_that_hangs_can_be_ended(void **state)
{
    (void)state;
    begin("B-hang", "content-768", NULL);
    for (size_t i = 0; i < MOST * PASS_HOP_IN; i++) f.samples[i] = 1.0f;
    struct thread thread;
    assert_int_equal(thread_start(&thread, "stop", stop_later, f.pass, NULL), KODAMA_OK);
    assert_int_equal(rvc_pass_run(f.pass, &f.input, f.said, &f.error), KODAMA_ERR_CANCELLED);
    thread_join(&thread);
    for (size_t i = 0; i < MOST * PASS_HOP_IN; i++) f.samples[i] = 0.5f;
    assert_int_equal(rvc_pass_run(f.pass, &f.input, f.said, &f.error), KODAMA_ERR_CANCELLED);
    rvc_pass_stop(f.pass, false);
    run();
    assert_true(fabs(middle(0) - 0.5) < 1e-4);
    end();
}

static void the_loudness_is_that_of_the_input_where_asked(void **state)
{
    (void)state;
    assert_int_equal(load("B-sine", "content-768", NULL), KODAMA_OK);
    struct rvc_manner manner = {.protect = 0.5f, .own_volume = 0.0f};
    assert_int_equal(rvc_pass_open(&f.pass, &f.weights, &manner, CONTEXT, CHUNK, 1, &f.error),
                     KODAMA_OK);
    for (size_t i = 0; i < MOST * PASS_HOP_IN; i++) f.samples[i] = 0.1f * sinf((float)i * 0.2f);
    for (size_t i = 0; i < MOST; i++) f.pitch[i] = 400.0f;
    run();
    double sum = 0.0;
    for (size_t i = PASS_HOP_OUT; i < 15 * PASS_HOP_OUT; i++)
        sum += (double)f.said[i] * (double)f.said[i];
    assert_true(fabs(sqrt(sum / (14 * PASS_HOP_OUT)) / (0.1 * sqrt(0.5)) - 1.0) < 0.02);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_frame_is_said_in_its_place),
        cmocka_unit_test(both_versions_get_all_of_their_dimensions),
        cmocka_unit_test(a_sine_is_said_at_the_pitch_that_was_asked_for),
        cmocka_unit_test(formants_move_by_length_and_the_pitch_stays),
        cmocka_unit_test(the_coarse_pitch_reaches_the_model),
        cmocka_unit_test(noise_has_its_spread_and_dialect_a_repeats_it),
        cmocka_unit_test(rmvpe_of_both_styles_takes_the_place_of_the_pitch),
        cmocka_unit_test(a_salience_is_read_by_its_middle),
        cmocka_unit_test(models_that_do_not_fit_are_refused_in_words),
        cmocka_unit_test(what_is_not_finite_is_an_error_not_a_sound),
        cmocka_unit_test(a_run_that_hangs_can_be_ended),
        cmocka_unit_test(the_loudness_is_that_of_the_input_where_asked),
    };
    return cmocka_run_group_tests_name("rvc_pass", tests, NULL, NULL);
}
