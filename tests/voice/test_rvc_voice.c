/* A whole voice that speaks as a model: latency, blocks, formats, swaps, and models that are none.
 */
#include <math.h>
#include <string.h>

#include <kodama/voice_model.h>

#include "base/clock.h"
#include "voice/rvc_graphs.h"

enum { RATE = 48000 };

static struct kodama_voice_model *open_model(const char *generator)
{
    struct kodama_voice_model_config config = KODAMA_VOICE_MODEL_CONFIG_INIT;
    struct kodama_voice_model *model;
    struct kodama_error error = {0};
    config.generator = rvc_graph(generator);
    config.encoder = rvc_graph("content-768");
    config.own_volume = 1.0f;
    config.n_threads = 1;
    config.slow = true; /* the machine may be busy */
    if (kodama_voice_model_open(&model, &config, &error) < 0) fail_msg("%s", error.message);
    return model;
}

static struct kodama_voice *open_voice(struct kodama_voice_model *model, bool offline)
{
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    struct kodama_voice *voice;
    struct kodama_error error = {0};
    config.model = model;
    config.offline = offline;
    config.settings.fluctuation = false;
    if (kodama_voice_open(&voice, &config, &error) < 0) fail_msg("%s", error.message);
    return voice;
}

/* n samples in blocks, and the end. Returns samples said. */
static size_t speak(struct kodama_voice *voice, const float *in, size_t n, size_t block, float *out)
{
    size_t said = 0;
    for (size_t at = 0; at < n; at += block) {
        size_t now = n - at < block ? n - at : block;
        int64_t got =
            kodama_voice_process(voice, in + at, now, out + said, kodama_voice_room(voice, now));
        assert_true(got >= 0);
        said += (size_t)got;
    }
    int64_t got = kodama_voice_flush(voice, out + said, kodama_voice_room(voice, 0));
    assert_true(got >= 0);
    return said + (size_t)got;
}

static void make_hum(float *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double t = (double)i / RATE, hz = 140.0 + 30.0 * sin(2.0 * t), sum = 0.0;
        for (int k = 1; k < 10; k++) sum += sin(2 * acos(-1.0) * hz * k * t) / k;
        samples[i] = (float)(0.1 * sum);
    }
}

static void the_output_does_not_depend_on_blocks(void **state)
{
    (void)state;
    enum { N = 2 * RATE };
    static float in[N], first[N + RATE * 4], out[N + RATE * 4];
    static const size_t blocks[] = {4800, 1, 64, 480, 12345};
    static const char *const models[] = {"B-sine", "A-rnd", "C-sine-32000"};
    make_hum(in, N);
    for (size_t m = 0; m < 3; m++) {
        struct kodama_voice_model *model = open_model(models[m]);
        size_t n_first = 0;
        for (size_t b = 0; b < 5; b++) {
            struct kodama_voice *voice = open_voice(model, true);
            struct kodama_voice_settings settings;
            kodama_voice_get(voice, &settings);
            settings.pitch = 5.0f;
            settings.formant = 2.0f;
            assert_int_equal(kodama_voice_set(voice, &settings), KODAMA_OK);
            size_t n = speak(voice, in, N, blocks[b], b == 0 ? first : out);
            if (b == 0) n_first = n;
            assert_int_equal(n, n_first);
            assert_int_equal(n, N + kodama_voice_latency(voice));
            if (b > 0) assert_memory_equal(first, out, n * sizeof *out);
            kodama_voice_close(voice);
        }
        double energy = 0.0;
        for (size_t i = RATE; i < 2 * RATE; i++) energy += (double)first[i] * (double)first[i];
        assert_true(energy / RATE > 0.01); /* it does say something */
        kodama_voice_model_close(model);
    }
}

static void the_latency_is_what_the_sound_is_late_by(void **state)
{
    (void)state;
    enum { N = 3 * RATE };
    static float in[N], out[N + RATE * 4];
    /* Half a cycle per second: the echo's means and steps of 20 ms are small beside it. */
    for (size_t i = 0; i < N; i++) in[i] = 0.5f * sinf((float)(acos(-1.0) * (double)i / RATE));
    struct kodama_voice_model *model = open_model("C-echo-48000");
    struct kodama_voice *voice = open_voice(model, true);
    uint32_t latency = kodama_voice_latency(voice);
    speak(voice, in, N, 4800, out);
    double best = 1e9;
    int at = 0;
    for (int shift = -2400; shift <= 2400; shift += 120) {
        double sum = 0.0;
        for (size_t i = RATE / 2; i < N - RATE / 2; i += 50)
            sum += fabs((double)out[i + latency] - (double)in[(int)i + shift]);
        if (sum >= best) continue;
        best = sum;
        at = shift;
    }
    /* A frame's feature is the mean of 25 ms that begin with it: 10 ms ahead of the steps of 20 ms
     * that it is said in, less what the last one repeats. */
    assert_true(abs(at) <= 720);
    kodama_voice_close(voice);
    kodama_voice_model_close(model);
}

static void live_it_says_the_model_or_nothing_and_never_the_input(void **state)
{
    (void)state;
    struct kodama_voice_model *model = open_model("B-echo");
    struct kodama_voice *voice = open_voice(model, false);
    struct kodama_voice_model_facts facts;
    kodama_voice_model_facts(model, &facts);
    assert_true(facts.chunk_ms >= 100 && facts.chunk_most_ms >= facts.chunk_ms);
    assert_true(facts.cost_ms[1] >= 1);
    uint64_t next = clock_now_ns();
    size_t n_said = 0;
    for (int b = 0; b < 150; b++) {
        float in[480], out[480];
        /* The features of this are 0.25, its samples are -0.25 and 0.75. */
        for (int i = 0; i < 480; i++) in[i] = i / 60 % 2 ? -0.25f : 0.75f;
        assert_int_equal(kodama_voice_process(voice, in, 480, out, 480), 480);
        for (int i = 0; i < 480; i++) {
            assert_true(out[i] > -0.02f && out[i] < 0.3f);
            n_said += fabsf(out[i] - 0.25f) < 0.02f;
        }
        clock_sleep_until(next += 10 * CLOCK_NS_PER_MS);
    }
    assert_true(n_said > 0);
    kodama_voice_close(voice);
    kodama_voice_model_close(model);
}

static void a_model_may_be_closed_while_voices_speak(void **state)
{
    (void)state;
    enum { N = RATE };
    static float in[N], out[2][N + RATE * 4];
    make_hum(in, N);
    struct kodama_voice_model *model = open_model("A-sine");
    struct kodama_voice *voices[2] = {open_voice(model, true), open_voice(model, true)};
    kodama_voice_model_close(model);
    size_t n = speak(voices[0], in, N, 480, out[0]);
    kodama_voice_close(voices[0]);
    assert_int_equal(speak(voices[1], in, N, 4800, out[1]), n);
    assert_memory_equal(out[0], out[1], n * sizeof(float));
    kodama_voice_close(voices[1]);
}

static void another_model_takes_over_while_it_speaks(void **state)
{
    (void)state;
    enum { N = 6 * RATE };
    static float in[N], out[N + RATE * 4];
    for (size_t i = 0; i < N; i++) in[i] = 0.25f;
    struct kodama_voice_model *model = open_model("B-last"), *next = open_model("A-echo-32000");
    struct kodama_voice *voice = open_voice(model, true);
    kodama_voice_model_close(model);
    size_t half = N / 2;
    int64_t n = kodama_voice_process(voice, in, half, out, half);
    assert_int_equal(kodama_voice_use(voice, next, NULL), KODAMA_OK);
    kodama_voice_model_close(next);
    n += kodama_voice_process(voice, in + half, N - half, out + n, N - half);
    assert_int_equal(n, N);
    /* The one says nearly 0.5, the other 0.25, and between is a straight way from one to the other.
     */
    uint32_t latency = kodama_voice_latency(voice);
    for (size_t i = latency + RATE / 5; i < (size_t)n; i++) {
        assert_true(out[i] > 0.245f && out[i] < 0.505f);
        assert_true(fabsf(out[i] - out[i - 1]) < 0.001f);
    }
    assert_true(fabsf(out[latency + RATE / 2] - 0.5f) < 0.005f);
    assert_true(fabsf(out[n - 1] - 0.25f) < 0.005f);
    kodama_voice_close(voice);
}

static void a_voice_without_a_model_says_that_it_cannot_take_one(void **state)
{
    (void)state;
    struct kodama_voice_model *model = open_model("B-echo");
    struct kodama_voice *voice = open_voice(NULL, true);
    struct kodama_error error = {0};
    assert_int_equal(kodama_voice_use(voice, model, &error), KODAMA_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "open it anew"));
    kodama_voice_close(voice);
    kodama_voice_model_close(model);
}

static void what_it_is_can_be_asked(void **state)
{
    (void)state;
    struct kodama_voice_model *model = open_model("C-sine-32000");
    struct kodama_voice_model_facts facts;
    kodama_voice_model_facts(model, &facts);
    assert_string_equal(facts.name, "C-sine-32000");
    assert_int_equal(facts.dialect, 'C');
    assert_int_equal(facts.version, 2);
    assert_int_equal(facts.rate_hz, 32000);
    assert_true(facts.has_pitch && !facts.half && !facts.has_rmvpe);
    assert_int_equal(facts.chunk_ms, 0);
    assert_true(facts.n_bytes > 1000);
    kodama_voice_model_close(model);
    model = open_model("A-echo-half");
    kodama_voice_model_facts(model, &facts);
    assert_int_equal(facts.dialect, 'A');
    assert_int_equal(facts.rate_hz, 40000); /* by a dry run */
    assert_true(facts.half);
    kodama_voice_model_close(model);
}

static void files_that_are_cut_short_are_refused_in_words(void **state)
{
    (void)state;
    static uint8_t bytes[65536];
    FILE *file = fopen(rvc_graph("B-sine"), "rb");
    assert_non_null(file);
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    const size_t cuts[] = {0, 1, 100, n / 2, n - 1};
    for (size_t i = 0; i < 5; i++) {
        const char *path = test_scratch(".onnx");
        file = fopen(path, "wb");
        assert_int_equal(fwrite(bytes, 1, cuts[i], file), cuts[i]);
        fclose(file);
        struct kodama_voice_model_config config = KODAMA_VOICE_MODEL_CONFIG_INIT;
        struct kodama_voice_model *model = (void *)bytes;
        struct kodama_error error = {0};
        config.generator = path;
        config.encoder = rvc_graph("content-768");
        assert_true(kodama_voice_model_open(&model, &config, &error) < 0);
        assert_null(model);
        assert_true(strstr(error.message, "get it again") || strstr(error.message, "export"));
    }
}

static void an_unknown_provider_is_refused_in_words(void **state)
{
    (void)state;
    struct kodama_voice_model_config config = KODAMA_VOICE_MODEL_CONFIG_INIT;
    struct kodama_voice_model *model;
    struct kodama_error error = {0};
    config.generator = rvc_graph("B-sine");
    config.encoder = rvc_graph("content-768");
    config.provider = "no-such";
    assert_int_equal(kodama_voice_model_open(&model, &config, &error), KODAMA_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "no-such"));
    assert_non_null(strstr(error.message, "cpu"));
    config.provider = NULL;
    config.index_rate = 1.5f;
    assert_int_equal(kodama_voice_model_open(&model, &config, &error), KODAMA_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "index_rate"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_output_does_not_depend_on_blocks),
        cmocka_unit_test(the_latency_is_what_the_sound_is_late_by),
        cmocka_unit_test(live_it_says_the_model_or_nothing_and_never_the_input),
        cmocka_unit_test(a_model_may_be_closed_while_voices_speak),
        cmocka_unit_test(another_model_takes_over_while_it_speaks),
        cmocka_unit_test(a_voice_without_a_model_says_that_it_cannot_take_one),
        cmocka_unit_test(what_it_is_can_be_asked),
        cmocka_unit_test(files_that_are_cut_short_are_refused_in_words),
        cmocka_unit_test(an_unknown_provider_is_refused_in_words),
    };
    return cmocka_run_group_tests_name("rvc_voice", tests, NULL, NULL);
}
