#define _DEFAULT_SOURCE
/* Tests of the client on a bad network: whatever happens to its connections, the same is heard. */
#include "client/talker.h"

static struct heard expected, heard;
static struct talk told;

static struct kodama_client_config restless(uint32_t port, const struct sound *sound)
{
    struct kodama_client_config config = talk_config(port, sound->format);
    config.heartbeat_ms = 100; /* what is half open is noticed after 300 ms */
    config.connect_ms = 1000;
    return config;
}

/* One conversation over a bad network; the reference is in `expected`. @return cuts */
static int converse(struct kodama_server *server, const struct sound *sound, uint64_t seed,
                    struct net_plan plan)
{
    static struct net net;
    struct kodama_client *client = NULL;
    struct kodama_error error = {0};
    struct kodama_client_stats stats;
    net_start(&net, kodama_server_port(server), seed, plan);
    struct kodama_client_config config = restless(net.port, sound);
    /* The first connection may be cut before there is a session: that is an error, and tried again
     * by whoever opens. */
    int status = KODAMA_ERR_IO;
    for (int i = 0; i < 1000 && status < 0; i++) {
        status = kodama_client_open(&client, &config, &error);
    }
    assert_int_equal(status, KODAMA_OK);
    status = talk(client, sound, seed, &heard, &told);
    (void)kodama_client_failure(client, &error);
    if (status != KODAMA_ERR_CLOSED) fail_msg("seed %d: %s", (int)seed, error.message);
    kodama_client_stats(client, &stats);
    assert_int_equal(stats.frames, sound->n_frames);
    assert_int_equal(stats.unconfirmed_ms > stats.buffer_ms, 0);
    assert_int_equal(stats.renewals, 0);
    assert_int_equal(stats.reconnects >= (uint32_t)told.n_back, 1);
    kodama_client_close(client);
    net_end(&net);
    assert_string_equal(heard.finals, expected.finals);
    assert_string_equal(heard.positions, expected.positions);
    assert_int_equal(heard.n_errors, 0);
    assert_int_equal(told.lost_frames, 0);
    return net_cuts(&net);
}

static void converse_often(const struct sound *sound, struct kodama_model *model, int n_runs,
                           struct net_plan plan)
{
    struct kodama_server_config config = free_port();
    config.max_per_address = 0; /* connections that are half open count until they are noticed */
    struct kodama_server *server = open_server(model, &config);
    heard_locally(&expected, model, sound, true);
    assert_true(expected.n_finals >= 2);
    int n_cuts = 0;
    for (int i = 0; i < n_runs; i++) n_cuts += converse(server, sound, 900 + (uint64_t)i, plan);
    print_message("# %d cuts in %d runs, all the same\n", n_cuts, n_runs);
    assert_true(n_cuts >= n_runs);
    kodama_server_close(server);
}

static int runs(double n)
{
    int scaled = (int)(n * test_scale());
    return scaled > 1 ? scaled : 1;
}

static void whatever_is_cut_the_same_is_heard(void **state)
{
    (void)state;
    struct sound sound = two_sentences();
    script_reset();
    script.hash = true;
    struct kodama_model *model = open_script(2);
    converse_often(&sound, model, runs(10),
                   (struct net_plan){.bytes_most = 100000, .bytes_few_percent = 20});
    kodama_model_close(model);
    free(sound.frames);
}

static void what_is_half_open_is_noticed_and_nothing_is_lost(void **state)
{
    (void)state;
    struct sound sound = two_sentences();
    script_reset();
    script.hash = true;
    struct kodama_model *model = open_script(2);
    converse_often(
        &sound, model, runs(4),
        (struct net_plan){.bytes_most = 200000, .bytes_few_percent = 20, .freezes = true});
    kodama_model_close(model);
    free(sound.frames);
}

static void delays_and_tiny_pieces_change_nothing(void **state)
{
    (void)state;
    struct sound sound = two_sentences();
    script_reset();
    script.hash = true;
    struct kodama_model *model = open_script(2);
    converse_often(
        &sound, model, runs(2),
        (struct net_plan){.bytes_most = 300000, .delay_most_us = 4000, .piece_bytes = 1500});
    kodama_model_close(model);
    free(sound.frames);
}

static void real_speech_survives_cuts(void **state)
{
    (void)state;
    struct sound sound = two_sentences();
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_model *model;
    struct kodama_error error = {0};
    config.engine = "pocketsphinx";
    if (kodama_model_open(&model, &config, &error) < 0) {
        print_message("# skipped: %s\n", error.message);
        skip();
    }
    converse_often(
        &sound, model, runs(2),
        (struct net_plan){
            .bytes_most = 150000, .bytes_few_percent = 20, .freezes = true, .delay_most_us = 300});
    kodama_model_close(model);
    free(sound.frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_cut_the_same_is_heard),
        cmocka_unit_test(what_is_half_open_is_noticed_and_nothing_is_lost),
        cmocka_unit_test(delays_and_tiny_pieces_change_nothing),
        cmocka_unit_test(real_speech_survives_cuts),
    };
    return cmocka_run_group_tests_name("resume", tests, NULL, NULL);
}
