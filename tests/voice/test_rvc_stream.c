/* Chunks on a thread of their own: the delay is exact and stays, whatever fails is silence, a new
 * speaker takes over or the old one goes on. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "voice/rvc_graphs.h"
#include "voice/rvc_stream.h"

enum { CHUNK = 10, CONTEXT = 30, HOPS_MOST = 3000 };

struct fixture {
    struct rvc_weights weights, others;
    struct rvc_stream *stream;
    float (*sound)(double seconds); /* what is heard */
    uint64_t n_hops;
    float said[HOPS_MOST * PASS_HOP_OUT];
    int status[HOPS_MOST];
    char log[8000];
    int released;
};

static struct fixture f;

static void keep_line(void *user, enum kodama_log_level level, const char *line)
{
    (void)user, (void)level;
    size_t n = strlen(f.log);
    snprintf(f.log + n, sizeof f.log - n, "%s\n", line);
}

static const struct kodama_log test_log = {.write = keep_line, .level = KODAMA_LOG_INFO};

static void released(void *owner)
{
    (void)owner;
    f.released++;
}

static struct rvc_speaker speaker_of(struct rvc_weights *weights, const char *generator,
                                     const char *rmvpe, size_t chunk)
{
    struct kodama_error error = {0};
    struct rvc_weights_config config = {.generator = rvc_graph(generator),
                                        .encoder = rvc_graph("content-768"),
                                        .rmvpe = rmvpe ? rvc_graph(rmvpe) : NULL};
    struct rvc_speaker speaker = {
        .weights = weights, .manner = {.protect = 0.5f, .own_volume = 1.0f}, .release = released};
    snprintf(speaker.name, sizeof speaker.name, "%s", generator);
    if (rvc_weights_open(weights, &config, &error) < 0 ||
        rvc_pass_open(&speaker.pass, weights, &speaker.manner, CONTEXT, chunk, 1, &error) < 0)
        fail_msg("%s", error.message);
    return speaker;
}

static float ramp(double seconds)
{
    return (float)(seconds * 0.05);
}

static void begin(const char *generator, const char *rmvpe, size_t chunk_most, bool offline,
                  uint64_t hang_ns)
{
    memset(&f, 0, sizeof f);
    f.sound = ramp;
    struct kodama_error error = {0};
    struct rvc_speaker speaker = speaker_of(&f.weights, generator, rmvpe, CHUNK);
    struct rvc_stream_config config = {.context = CONTEXT,
                                       .chunk_most = chunk_most,
                                       .offline = offline,
                                       .hang_ns = hang_ns,
                                       .log = &test_log};
    if (rvc_stream_open(&f.stream, &speaker, &config, &error) < 0) fail_msg("%s", error.message);
}

static void end(void)
{
    rvc_stream_close(f.stream);
    rvc_weights_close(&f.weights);
    rvc_weights_close(&f.others);
}

/* One hop; its result is kept. */
static int hop(float semitones, float formant)
{
    float in[PASS_HOP_IN];
    assert_true(f.n_hops < HOPS_MOST);
    for (size_t i = 0; i < PASS_HOP_IN; i++)
        in[i] = f.sound((double)(f.n_hops * PASS_HOP_IN + i) / PASS_RATE_IN);
    float *out = f.said + f.n_hops * PASS_HOP_OUT;
    int status = rvc_stream_hop(f.stream, in, out, semitones, formant);
    f.status[f.n_hops++] = status;
    return status;
}

/* Wait until the thread has nothing to do: as if a slow clock paced the hops. */
static void settle(void)
{
    size_t due = (rvc_stream_delay(f.stream) / PASS_HOP_OUT) - PASS_FADE;
    size_t lag = due + 1 - 2 * rvc_stream_chunk_most(f.stream);
    uint64_t deadline = clock_now_ns() + 60 * CLOCK_NS_PER_S;
    struct rvc_stream_stats stats;
    for (;;) {
        rvc_stream_stats(f.stream, &stats);
        if (stats.frames + stats.chunk + lag > f.n_hops) return;
        assert_true(clock_now_ns() < deadline);
        clock_sleep_until(clock_now_ns() + CLOCK_NS_PER_MS);
    }
}

/* Hops that are waited for: nothing is late on any machine. */
static void calm(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        hop(0.0f, 0.0f);
        if (f.n_hops % CHUNK == 0) settle();
    }
}

static void check_ramp(size_t from, size_t to)
{
    uint32_t delay = rvc_stream_delay(f.stream);
    for (size_t i = from * PASS_HOP_OUT; i < to * PASS_HOP_OUT; i += 7) {
        /* The echo trails by what a feature is made of: 20 ms steps of 25 ms means. */
        double seconds = ((double)i - delay) / PASS_RATE_OUT;
        double error = (double)f.said[i] - 0.05 * seconds;
        if (!(error > -0.05 * 0.03 && error < 0.05 * 0.03))
            fail_msg("at %zu, %f s: %f, not %f", i, seconds, (double)f.said[i], 0.05 * seconds);
    }
}

static void check_silence(size_t from, size_t to)
{
    for (size_t i = from * PASS_HOP_OUT; i < to * PASS_HOP_OUT; i++) assert_true(f.said[i] == 0.0f);
}

static void what_is_said_trails_by_exactly_the_delay(void **state)
{
    (void)state;
    for (int offline = 0; offline < 2; offline++) {
        begin("B-echo", NULL, 0, offline, 0);
        if (offline)
            for (int i = 0; i < 200; i++) hop(0.0f, 0.0f);
        else
            calm(200);
        uint32_t delay = rvc_stream_delay(f.stream);
        check_silence(0, delay / PASS_HOP_OUT - PASS_FADE - 1);
        check_ramp(delay / PASS_HOP_OUT + 4, 200);
        for (size_t i = 0; i < 200; i++) assert_int_equal(f.status[i], KODAMA_OK);
        end();
        assert_int_equal(f.released, 1);
    }
}

static float hum(double seconds)
{
    double sum = 0.0;
    for (int i = 1; i < 12; i++) sum += sin(2 * acos(-1.0) * 150.0 * i * seconds) / i;
    return (float)(0.2 * sum);
}

static void the_tracker_gives_the_pitch_and_chunks_join_without_a_seam(void **state)
{
    (void)state;
    begin("A-sine", NULL, 0, true, 0);
    f.sound = hum;
    for (int i = 0; i < 400; i++) hop(7.0f, 0.0f);
    const double expected = 150.0 * exp2(7.0 / 12.0);
    /* A sine has no second difference beyond its own anywhere, so not at borders either. */
    double step = 2 * acos(-1.0) * expected / PASS_RATE_OUT, energy = 0.0;
    size_t rises = 0;
    for (size_t i = 150 * PASS_HOP_OUT; i < 400 * PASS_HOP_OUT; i++) {
        double bend = (double)f.said[i] - 2.0 * (double)f.said[i - 1] + (double)f.said[i - 2];
        assert_true(fabs(bend) < 0.5 * step * step * 2.0 + 1e-5);
        rises += f.said[i - 1] < 0.0f && f.said[i] >= 0.0f;
        energy += (double)f.said[i] * (double)f.said[i];
    }
    assert_true(fabs((double)rises - expected * 2.5) <= 6.0); /* pieces are moved a little */
    assert_true(fabs(energy / (250 * PASS_HOP_OUT) - 0.125) < 0.01);
    struct rvc_stream_stats stats;
    rvc_stream_stats(f.stream, &stats);
    assert_true(fabsf(stats.f0_hz - 150.0f) < 2.0f);
    assert_true(stats.voiced > 0.5f);
    end();
}

static void the_same_input_gives_the_same_output_after_a_reset(void **state)
{
    (void)state;
    begin("A-rnd", NULL, 0, true, 0);
    static float first[100 * PASS_HOP_OUT];
    for (int i = 0; i < 100; i++) hop(0.0f, 0.0f);
    memcpy(first, f.said, sizeof first);
    rvc_stream_reset(f.stream);
    f.n_hops = 0;
    for (int i = 0; i < 100; i++) hop(0.0f, 0.0f);
    assert_memory_equal(first, f.said, sizeof first);
    assert_true(first[99 * PASS_HOP_OUT] != 0.0f);
    end();
}

/* Above 0.9 between 1 s and 1.3 s, else 0.5. */
static float burst(double seconds)
{
    return seconds >= 1.0 && seconds < 1.3 ? 1.0f : 0.5f;
}

static void a_chunk_that_is_no_number_is_silence_and_the_next_ones_are_said(void **state)
{
    (void)state;
    begin("B-nan", NULL, 0, true, 0);
    f.sound = burst;
    for (int i = 0; i < 300; i++) hop(0.0f, 0.0f);
    size_t n_failed = 0, good_after = 0;
    for (size_t i = 0; i < 300; i++) {
        if (f.status[i] == KODAMA_OK) {
            good_after += n_failed > 0 && f.said[i * PASS_HOP_OUT + 479] > 0.6f;
            continue;
        }
        assert_int_equal(f.status[i], KODAMA_ERR_ENGINE);
        check_silence(i, i + 1);
        n_failed++;
    }
    assert_true(n_failed >= 20 && n_failed <= 80);
    assert_true(good_after > 100);
    assert_non_null(strstr(f.log, "finite"));
    end();
}

static void a_run_that_hangs_is_ended_and_only_silence_came_of_it(void **state)
{
    (void)state;
    begin("B-hang", NULL, 0, false, 200 * CLOCK_NS_PER_MS);
    f.sound = burst;
    calm(100);
    struct rvc_stream_stats stats;
    int n_good = 0;
    /* Only hops end a run that hangs: none may be left when they wait for it below. */
    const uint64_t forgotten = 130 + CONTEXT + PASS_SAID + 3 * CHUNK;
    do { /* it hangs again and again within these, until the loud sound is forgotten */
        n_good = hop(0.0f, 0.0f) == KODAMA_OK ? n_good + 1 : 0;
        clock_sleep_until(clock_now_ns() + 10 * CLOCK_NS_PER_MS);
        rvc_stream_stats(f.stream, &stats);
    } while ((stats.failed == 0 || n_good < 10 || stats.frames < forgotten) && f.n_hops < 1000);
    assert_true(stats.failed >= 1);
    size_t n_silent = 0;
    calm(120);
    for (size_t i = 0; i < f.n_hops; i++) {
        if (f.status[i] == KODAMA_OK) continue;
        check_silence(i, i + 1);
        n_silent++;
    }
    assert_true(n_silent > 0);
    /* It speaks again, as before. */
    for (size_t i = f.n_hops - 20; i < f.n_hops; i++) assert_int_equal(f.status[i], KODAMA_OK);
    assert_true(fabsf(f.said[f.n_hops * PASS_HOP_OUT - 1] - 0.5f) < 1e-3f);
    assert_non_null(strstr(f.log, "stopped"));
    end();
}

static void closing_does_not_wait_for_a_run_that_hangs(void **state)
{
    (void)state;
    begin("B-hang", NULL, 0, false, 0);
    f.sound = burst;
    for (int i = 0; i < 150; i++) hop(0.0f, 0.0f);
    clock_sleep_until(clock_now_ns() + 100 * CLOCK_NS_PER_MS);
    uint64_t began = clock_now_ns();
    end();
    assert_true(clock_now_ns() - began < 5 * CLOCK_NS_PER_S);
    assert_int_equal(f.released, 1);
    assert_null(strstr(f.log, "stopped")); /* that is no failure to tell */
}

static void one_that_falls_behind_helps_itself_in_steps_and_never_grows_late(void **state)
{
    (void)state;
    begin("B-echo", "rmvpe-mel", 2 * CHUNK, false, 0);
    struct rvc_stream_stats stats;
    uint32_t delay = rvc_stream_delay(f.stream);
    calm(100);
    rvc_stream_stats(f.stream, &stats);
    assert_int_equal(stats.step, RVC_STEP_NONE);
    assert_int_equal(stats.chunk, CHUNK);
    /* A clock that runs far faster than any machine, in bursts longer than the delay. */
    while (stats.step != RVC_STEP_SILENCE && f.n_hops + 200 < HOPS_MOST) {
        for (int i = 0; i < 70; i++)
            if (hop(0.0f, 0.0f) < 0) check_silence(f.n_hops - 1, f.n_hops);
        settle();
        rvc_stream_stats(f.stream, &stats);
    }
    assert_int_equal(stats.step, RVC_STEP_SILENCE);
    assert_int_equal(stats.chunk, 2 * CHUNK);
    const char *larger = strstr(f.log, "chunks of 200 ms instead of 100 ms");
    const char *cheaper = strstr(f.log, "instead of RMVPE's");
    const char *silent = strstr(f.log, "silent in places");
    assert_true(larger && cheaper && silent && larger < cheaper && cheaper < silent);
    /* When it has time again, what it says is where it was from the beginning. */
    settle();
    calm(120);
    assert_int_equal(rvc_stream_delay(f.stream), delay);
    for (size_t i = f.n_hops - 30; i < f.n_hops; i++) assert_int_equal(f.status[i], KODAMA_OK);
    check_ramp(f.n_hops - 30, f.n_hops);
    end();
}

static void a_new_speaker_takes_over_in_a_crossfade(void **state)
{
    (void)state;
    static const char *const others[] = {"A-echo-32000", "C-echo-48000", "B-echo-half"};
    for (int k = 0; k < 3; k++) {
        begin("B-echo", NULL, 0, true, 0);
        for (int i = 0; i < 100; i++) hop(0.0f, 0.0f);
        struct rvc_speaker next = speaker_of(&f.others, others[k], NULL, CHUNK);
        assert_int_equal(rvc_stream_swap(f.stream, &next, NULL), KODAMA_OK);
        for (int i = 0; i < 200; i++) hop(0.0f, 0.0f);
        struct rvc_stream_stats stats;
        rvc_stream_stats(f.stream, &stats);
        assert_int_equal(stats.swaps, 1);
        assert_int_equal(f.released, 1);
        for (size_t i = 0; i < 300; i++) assert_int_equal(f.status[i], KODAMA_OK);
        check_ramp(40, 300); /* both echo alike: no gap, no jump */
        end();
        assert_int_equal(f.released, 2);
    }
}

static void a_new_speaker_who_cannot_speak_leaves_the_old_one(void **state)
{
    (void)state;
    static float alone[300 * PASS_HOP_OUT];
    for (int with = 0; with < 2; with++) {
        begin("B-echo", NULL, 0, true, 0);
        f.sound = burst;
        for (int i = 0; i < 120; i++) hop(0.0f, 0.0f);
        if (with) {
            struct rvc_speaker next = speaker_of(&f.others, "B-nan", NULL, CHUNK);
            assert_int_equal(rvc_stream_swap(f.stream, &next, NULL), KODAMA_OK);
        }
        for (int i = 120; i < 300; i++) hop(0.0f, 0.0f);
        struct rvc_stream_stats stats;
        rvc_stream_stats(f.stream, &stats);
        assert_int_equal(stats.swaps, 0);
        assert_int_equal(stats.refused, with);
        for (size_t i = 0; i < 300; i++) assert_int_equal(f.status[i], KODAMA_OK);
        if (with) {
            assert_memory_equal(alone, f.said, sizeof alone);
            assert_non_null(strstr(f.log, "B-echo goes on"));
            assert_int_equal(f.released, 1);
        }
        memcpy(alone, f.said, sizeof alone);
        end();
    }
}

static void a_speaker_who_needs_more_delay_is_refused(void **state)
{
    (void)state;
    begin("B-echo", NULL, 0, true, 0);
    struct kodama_error error = {0};
    struct rvc_speaker next = speaker_of(&f.others, "C-echo", NULL, 2 * CHUNK);
    assert_int_equal(rvc_stream_swap(f.stream, &next, &error), KODAMA_ERR_LIMIT);
    assert_non_null(strstr(error.message, "200 ms"));
    assert_int_equal(f.released, 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_trails_by_exactly_the_delay),
        cmocka_unit_test(the_tracker_gives_the_pitch_and_chunks_join_without_a_seam),
        cmocka_unit_test(the_same_input_gives_the_same_output_after_a_reset),
        cmocka_unit_test(a_chunk_that_is_no_number_is_silence_and_the_next_ones_are_said),
        cmocka_unit_test(a_run_that_hangs_is_ended_and_only_silence_came_of_it),
        cmocka_unit_test(closing_does_not_wait_for_a_run_that_hangs),
        cmocka_unit_test(one_that_falls_behind_helps_itself_in_steps_and_never_grows_late),
        cmocka_unit_test(a_new_speaker_takes_over_in_a_crossfade),
        cmocka_unit_test(a_new_speaker_who_cannot_speak_leaves_the_old_one),
        cmocka_unit_test(a_speaker_who_needs_more_delay_is_refused),
    };
    return cmocka_run_group_tests_name("rvc_stream", tests, NULL, NULL);
}
