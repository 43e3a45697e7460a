/* Shortening pauses, against a simulated device and a producer that stalls, on a clock that is only
 * counted. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/status.h>

#include "stream/pause_cut.h"

enum { RATE = 48000, RESERVE = 240, MOST = 12000, BLOCK = 480, ROOM = 48000 * 40 };

/* Speech that is known sample by sample: bursts of noise, with pauses of a given noise between
 * them; the burst's number is in its samples. */
struct speech {
    float *samples;
    size_t n;
    bool *loud;
};

static struct speech speech_of(double seconds, double burst_s, double pause_s, float background)
{
    struct speech speech = {.n = (size_t)(seconds * RATE)};
    speech.samples = calloc(speech.n, sizeof *speech.samples);
    speech.loud = calloc(speech.n, sizeof *speech.loud);
    assert_non_null(speech.samples);
    assert_non_null(speech.loud);
    struct test_random random = {1};
    size_t burst = (size_t)(burst_s * RATE), period = burst + (size_t)(pause_s * RATE);
    for (size_t i = 0; i < speech.n; i++) {
        speech.loud[i] = i % period < burst;
        speech.samples[i] = (speech.loud[i] ? 0.3f : background) * test_random_float(&random);
    }
    return speech;
}

static void speech_free(struct speech *speech)
{
    free(speech->samples);
    free(speech->loud);
}

/* A producer, a device that takes a quantum at a time, and what it heard. */
struct world {
    struct pause_cut cut;
    double speed;                /* the producer's clock against the device's */
    double stall_from, stall_to; /* seconds in which nothing is given; then all at once */
    uint32_t quantum;
    float *out;
    size_t n_out, n_taken;
    uint64_t queue_most, underruns;
    double behind_s; /* longest time without coming back to 30 ms over the quantum */
};

static void run(struct world *world, const struct speech *speech)
{
    static float block[BLOCK * 4];
    world->out = calloc(speech->n + ROOM, sizeof *world->out);
    assert_non_null(world->out);
    size_t given = 0, pulls = 0;
    double late_since = -1;
    for (uint64_t tick = 0; given < speech->n; tick++) {
        double now = (double)tick * 0.001;
        while ((double)(pulls + 1) * world->quantum / RATE <= now) {
            pulls++;
            size_t waits = world->n_out - world->n_taken;
            if (waits < world->quantum && world->n_out > 0) world->underruns++;
            world->n_taken += waits < world->quantum ? waits : world->quantum;
        }
        if (now >= world->stall_from && now < world->stall_to) continue;
        while (given < speech->n && (double)given <= now * RATE * world->speed) {
            size_t n = speech->n - given < BLOCK ? speech->n - given : BLOCK;
            uint64_t queued = world->n_out - world->n_taken;
            assert_true(pause_cut_room(&world->cut, n) <= sizeof block / sizeof *block);
            size_t m = pause_cut_run(&world->cut, queued, speech->samples + given, n, block);
            memcpy(world->out + world->n_out, block, m * sizeof *block);
            world->n_out += m;
            given += n;
            queued += m;
            if (queued > world->queue_most) world->queue_most = queued;
        }
        bool late = (double)(world->n_out - world->n_taken) >
                    (double)world->quantum + BLOCK + RESERVE + RATE * 0.03;
        if (!late)
            late_since = -1;
        else if (late_since < 0)
            late_since = now;
        if (late && now - late_since > world->behind_s) world->behind_s = now - late_since;
    }
}

static struct world world_of(uint32_t quantum)
{
    struct world world = {.speed = 1, .quantum = quantum, .stall_from = 1e9, .stall_to = 1e9};
    assert_int_equal(pause_cut_open(&world.cut, RATE, 1, RESERVE, MOST), KODAMA_OK);
    return world;
}

static void world_end(struct world *world)
{
    pause_cut_close(&world->cut);
    free(world->out);
}

/* All that was loud came out, in order, bit for bit. */
static void assert_speech_is_whole(const struct world *world, const struct speech *speech)
{
    size_t at = 0;
    for (size_t i = 0; i < speech->n;) {
        if (!speech->loud[i]) {
            i++;
            continue;
        }
        size_t n = 0;
        while (i + n < speech->n && speech->loud[i + n]) n++;
        while (at < world->n_out && world->out[at] != speech->samples[i]) at++;
        /* The end of the run may still be kept back. */
        if (i + n + 2 * RATE / 100 >= speech->n) return;
        assert_true(at + n <= world->n_out);
        assert_memory_equal(world->out + at, speech->samples + i, n * sizeof *world->out);
        at += n;
        i += n;
    }
}

static void when_nothing_is_late_nothing_changes(void **state)
{
    (void)state;
    struct speech speech = speech_of(20, 0.5, 0.5, 0.001f);
    struct world world = world_of(1024);
    run(&world, &speech);
    assert_int_equal(world.cut.shortened + world.cut.dropped, 0);
    assert_int_equal(world.n_out, speech.n);
    assert_memory_equal(world.out, speech.samples, speech.n * sizeof *world.out);
    world_end(&world);
    speech_free(&speech);
}

static void after_a_stall_it_comes_back_in_the_next_pauses(void **state)
{
    (void)state;
    const float backgrounds[] = {0, 0.0005f, 0.02f};
    for (size_t b = 0; b < 3; b++) {
        struct speech speech = speech_of(30, 0.8, 0.4, backgrounds[b]);
        struct world world = world_of(1024);
        world.stall_from = 8;
        world.stall_to = 8.18; /* less than what may wait */
        run(&world, &speech);
        print_message("# background %g: %.1f ms out of %u pauses, back after %.2f s\n",
                      (double)backgrounds[b], (double)world.cut.shortened * 1000 / RATE,
                      (unsigned)world.cut.shortenings, world.behind_s);
        assert_int_equal(world.cut.dropped, 0);
        assert_true(world.cut.shortenings >= 1);
        assert_true((double)world.cut.shortened > RATE * 0.1);
        assert_true((double)world.cut.shortened < RATE * 0.2);
        assert_true(world.behind_s < 3);
        assert_speech_is_whole(&world, &speech);
        assert_int_equal(speech.n - world.n_out - world.cut.shortened - world.cut.dropped,
                         world.cut.cutting ? world.cut.n_tail + world.cut.taken : 0);
        world_end(&world);
        speech_free(&speech);
    }
}

static void a_producer_that_is_too_fast_is_kept_up_with(void **state)
{
    (void)state;
    struct speech speech = speech_of(120, 1.5, 0.3, 0.003f);
    struct world world = world_of(512);
    world.speed = 1.005;
    run(&world, &speech);
    print_message("# %u pauses shortened by %.1f ms in all, most %.1f ms\n",
                  (unsigned)world.cut.shortenings, (double)world.cut.shortened * 1000 / RATE,
                  (double)world.queue_most * 1000 / RATE);
    /* 0.5 % of two minutes. */
    assert_true(fabs((double)world.cut.shortened - 0.6 * RATE) < 0.05 * RATE);
    assert_int_equal(world.cut.dropped, 0);
    assert_true((double)world.queue_most < RATE * 0.06);
    assert_speech_is_whole(&world, &speech);
    world_end(&world);
    speech_free(&speech);
}

static void it_never_grows_beyond_its_bound(void **state)
{
    (void)state;
    struct test_random random = {9};
    for (int i = 0; i < 12; i++) {
        /* Speech without any pause, and stalls that are longer than the bound. */
        struct speech speech = speech_of(15, i % 2 ? 100 : 0.7, 0.2, 0.01f);
        struct world world = world_of(i % 3 ? 1024 : 256);
        world.stall_from = 3 + (double)test_random_below(&random, 1000) / 300;
        world.stall_to = world.stall_from + 0.3 + (double)test_random_below(&random, 1000) / 500;
        world.speed = 1 + (double)test_random_below(&random, 100) / 1000;
        run(&world, &speech);
        assert_true(world.queue_most <= MOST + BLOCK);
        assert_true(world.cut.drops > 0 && world.cut.dropped > 0);
        /* After it what waits is at most the bound again, and sound comes. */
        assert_true(world.n_out > speech.n * 3 / 5);
        world_end(&world);
        speech_free(&speech);
    }
}

static void a_cut_does_not_click(void **state)
{
    (void)state;
    /* A background that bends slowly, so that a jump would be seen: a hum of 50 Hz. */
    enum { N = 30 * RATE };
    struct speech speech = speech_of(30, 0.5, 0.5, 0);
    for (size_t i = 0; i < N; i++) {
        float hum = 0.01f * sinf(2 * 3.14159265f * 50 * (float)(i % RATE) / RATE);
        speech.samples[i] = speech.loud[i] ? hum + 0.3f * sinf(0.07f * (float)(i % RATE)) : hum;
        if (speech.loud[i]) {
            size_t in = i % RATE;
            float edge = fminf(1, fminf((float)in, (float)(RATE / 2 - in)) / 480);
            speech.samples[i] = hum + edge * (speech.samples[i] - hum);
        }
    }
    struct world world = world_of(1024);
    world.speed = 1.01;
    run(&world, &speech);
    assert_true(world.cut.shortenings > 5);
    float most = 0, own = 0;
    for (size_t i = 2; i < world.n_out; i++) {
        most = fmaxf(most, fabsf(world.out[i] - 2 * world.out[i - 1] + world.out[i - 2]));
    }
    for (size_t i = 2; i < N; i++) {
        float bend = fabsf(speech.samples[i] - 2 * speech.samples[i - 1] + speech.samples[i - 2]);
        own = fmaxf(own, bend);
    }
    print_message("# most bent: %g, of the sound itself %g\n", (double)most, (double)own);
    assert_true(most < 1.5f * own);
    world_end(&world);
    speech_free(&speech);
}

static void steady_sound_is_no_pause(void **state)
{
    (void)state;
    /* A long tone, and music-like noise: there is nothing that may be taken out. */
    struct speech speech = speech_of(20, 100, 1, 0);
    struct world world = world_of(1024);
    world.stall_from = 10;
    world.stall_to = 10.15;
    run(&world, &speech);
    assert_int_equal(world.cut.shortened, 0);
    assert_int_equal(world.cut.dropped, 0);
    world_end(&world);
    speech_free(&speech);
}

static void channels_are_cut_together(void **state)
{
    (void)state;
    struct pause_cut cut;
    assert_int_equal(pause_cut_open(&cut, RATE, 2, RESERVE, MOST), KODAMA_OK);
    enum { N = 4 * RATE };
    float *in = calloc(2 * N, sizeof *in), *out = calloc(2 * (N + 2000), sizeof *out);
    struct test_random random = {4};
    for (size_t i = 0; i < N; i++) {
        float x = (i < RATE || i > 2 * RATE ? 0.3f : 0.002f) * test_random_float(&random);
        in[2 * i] = x;
        in[2 * i + 1] = -x;
    }
    size_t n_out = 0;
    for (size_t at = 0; at < N; at += 480) {
        n_out += pause_cut_run(&cut, 5000 - cut.shortened, in + 2 * at, 480, out + 2 * n_out);
    }
    assert_true(cut.shortened > 4000);
    assert_int_equal(n_out, N - cut.shortened);
    for (size_t i = 0; i < n_out; i++) assert_true(out[2 * i] == -out[2 * i + 1]);
    pause_cut_close(&cut);
    free(in);
    free(out);
}

static void read_speech_has_pauses_too(void **state)
{
    (void)state;
    /* Dense reading with a hiss: what is always late shall find something to shorten. */
    const char *path = test_installed("/usr/share/pocketsphinx/test/data/librivox/"
                                      "sense_and_sensibility_01_austen_64kb-0870.wav");
    size_t n;
    uint32_t rate_hz, channels;
    float *speech = test_read_audio(path, &n, &rate_hz, &channels);
    struct pause_cut cut;
    assert_int_equal(pause_cut_open(&cut, rate_hz, 1, rate_hz / 200, 1u << 30), KODAMA_OK);
    static float out[16000];
    double loud_in = 0, loud_out = 0;
    for (size_t at = 0; at + 80 <= n; at += 80) {
        size_t m = pause_cut_run(&cut, 1u << 20, speech + at, 80, out);
        for (size_t i = 0; i < 80; i++) loud_in += (double)speech[at + i] * (double)speech[at + i];
        for (size_t i = 0; i < m; i++) loud_out += (double)out[i] * (double)out[i];
    }
    uint64_t taken = cut.shortened + (cut.cutting ? cut.taken : 0);
    print_message("# %.1f %% of the time is taken out, %.2f %% of the energy\n",
                  100 * (double)taken / (double)n, 100 * (1 - loud_out / loud_in));
    assert_true((double)taken > 0.03 * (double)n);
    assert_true(loud_out > 0.995 * loud_in);
    pause_cut_close(&cut);
    free(speech);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(when_nothing_is_late_nothing_changes),
        cmocka_unit_test(after_a_stall_it_comes_back_in_the_next_pauses),
        cmocka_unit_test(a_producer_that_is_too_fast_is_kept_up_with),
        cmocka_unit_test(it_never_grows_beyond_its_bound),
        cmocka_unit_test(a_cut_does_not_click),
        cmocka_unit_test(steady_sound_is_no_pause),
        cmocka_unit_test(channels_are_cut_together),
        cmocka_unit_test(read_speech_has_pauses_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
