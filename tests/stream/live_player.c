/* A player into a real virtual microphone: it comes back after a stall, and says how late it is. */
#include "support/daemon.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>

#include <kodama/player.h>

#include "base/clock.h"

enum { RATE = 48000, BLOCK = 480 };
static const uint64_t block_ns = UINT64_C(10000000);

static struct kodama_sink *sink;
static struct kodama_player *player;

static void open_all(void)
{
    struct kodama_sink_config config = KODAMA_SINK_CONFIG_INIT;
    struct kodama_error error = {0};
    daemon_use(&(struct daemon_options){.kind = DAEMON_PIPEWIRE, .quantum = 1024});
    config.backend = "pipewire";
    config.name = "Player Test";
    if (kodama_sink_open(&sink, "mic", &config, &error) < 0) fail_msg("%s", error.message);
    if (kodama_player_open(&player, sink, NULL, &error) < 0) fail_msg("%s", error.message);
    uint64_t end = clock_now_ns() + UINT64_C(15000000000);
    for (struct kodama_sink_stats stats = {0}; !stats.present; kodama_sink_stats(sink, &stats)) {
        if (clock_now_ns() > end) fail_msg("the microphone did not come");
        clock_sleep_until(clock_now_ns() + block_ns);
    }
}

/* Blocks in real time: 0.6 s of noise, 0.4 s of nothing. */
static void play(uint64_t *next_ns, uint64_t *block, size_t n_blocks)
{
    static struct test_random random = {1};
    float frames[BLOCK];
    for (size_t b = 0; b < n_blocks; b++, (*block)++, *next_ns += block_ns) {
        float loud = *block % 100 < 60 ? 0.2f : 0;
        for (size_t i = 0; i < BLOCK; i++) frames[i] = loud * test_random_float(&random);
        if (*next_ns > clock_now_ns()) clock_sleep_until(*next_ns);
        assert_int_equal(kodama_player_write(player, frames, BLOCK), BLOCK);
    }
}

static struct kodama_player_stats show(const char *when)
{
    struct kodama_player_stats stats;
    kodama_player_stats(player, &stats);
    print_message("# %s: waits %.1f ms, delay %.1f ms, most %.1f ms, %u underruns (%.1f ms), "
                  "shortened %.1f ms in %u, dropped %.1f ms\n",
                  when, (double)stats.queue_frames * 1000 / RATE, (double)stats.delay_ns * 1e-6,
                  (double)stats.queue_most_frames * 1000 / RATE, (unsigned)stats.underruns,
                  (double)stats.underrun_frames * 1000 / RATE,
                  (double)stats.shortened_frames * 1000 / RATE, (unsigned)stats.shortenings,
                  (double)stats.dropped_frames * 1000 / RATE);
    return stats;
}

static void after_a_stall_the_delay_comes_back(void **state)
{
    (void)state;
    open_all();
    uint64_t next_ns = clock_now_ns(), block = 0;
    play(&next_ns, &block, 200);
    struct kodama_player_stats before = show("before the stall");
    /* Nothing for 150 ms, then all at once: the blocks are due already. */
    clock_sleep_until(next_ns + UINT64_C(150000000));
    play(&next_ns, &block, 30);
    struct kodama_player_stats stalled = show("after the stall");
    play(&next_ns, &block, 400);
    struct kodama_player_stats after = show("4 s later");
    assert_true(stalled.underruns > before.underruns);
    assert_true(after.shortened_frames > before.shortened_frames + RATE / 20);
    /* What a busy machine does meanwhile is bounded all the same. */
    assert_true(after.queue_most_frames <= RATE / 4 + BLOCK);
    assert_true(after.queue_frames < RATE / 8);
    assert_int_equal(after.frames_in, 630 * BLOCK);
    kodama_player_close(player);
    kodama_sink_close(sink);
}

static void a_producer_that_is_never_awaited_is_bounded(void **state)
{
    (void)state;
    open_all();
    /* Three seconds of speech without a pause at once. */
    static float frames[BLOCK];
    for (size_t i = 0; i < BLOCK; i++) frames[i] = 0.2f * sinf((float)i);
    uint64_t begun = clock_now_ns();
    for (size_t b = 0; b < 300; b++) {
        assert_int_equal(kodama_player_write(player, frames, BLOCK), BLOCK);
    }
    assert_true(clock_now_ns() - begun < UINT64_C(2500000000));
    struct kodama_player_stats stats = show("a burst");
    assert_true(stats.queue_most_frames <= RATE / 4 + BLOCK);
    assert_true(stats.drops > 0 && stats.dropped_frames > RATE);
    kodama_player_close(player);
    kodama_sink_close(sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_stall_the_delay_comes_back),
        cmocka_unit_test(a_producer_that_is_never_awaited_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
