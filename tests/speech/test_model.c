/* Tests of the model's pool of decoders: order, fairness, what is shed, what is never lost. */
#include "support/support.h"

#include <time.h>

#include "scripted.h"

/* A conversation that writes down what it is told. */
struct client {
    struct decode_seat *seat;
    struct mutex mutex;
    struct condition changed;
    char finals[4000]; /* texts, one a line */
    int n_finals;
    int n_partials;
    size_t heard; /* samples that the newest partial is about */
    int n_inside; /* threads in final() now */
    bool overlap; /* ever two of them */
};

static size_t fetch(void *user, uint32_t utterance, size_t from, float *samples, size_t max_samples)
{
    (void)user;
    (void)utterance;
    for (size_t i = 0; i < max_samples; i++) samples[i] = (float)(from + i);
    return max_samples;
}

static void partial(void *user, uint32_t utterance, const struct engine_result *result,
                    size_t n_samples)
{
    struct client *client = user;
    (void)utterance;
    (void)result;
    mutex_lock(&client->mutex);
    client->n_partials++;
    client->heard = n_samples;
    condition_broadcast(&client->changed);
    mutex_unlock(&client->mutex);
}

static void final(void *user, struct decode_final *job)
{
    struct client *client = user;
    mutex_lock(&client->mutex);
    if (client->n_inside++ > 0) client->overlap = true;
    size_t n = strlen(client->finals);
    snprintf(client->finals + n, sizeof client->finals - n, "%s\n",
             job->status < 0 ? job->error.message : job->result.text);
    client->n_finals++;
    client->n_inside--;
    condition_broadcast(&client->changed);
    mutex_unlock(&client->mutex);
}

static const struct decode_client_ops client_ops = {fetch, partial, final};

static void client_open(struct client *client, struct kodama_model *model)
{
    *client = (struct client){0};
    mutex_init(&client->mutex);
    condition_init(&client->changed);
    client->seat = decode_seat_take(model_pool(model), &client_ops, client);
    assert_non_null(client->seat);
}

static void client_close(struct client *client)
{
    decode_seat_leave(client->seat);
    condition_destroy(&client->changed);
    mutex_destroy(&client->mutex);
}

static void await(struct client *client, const int *count, int n)
{
    uint64_t deadline = clock_deadline(20 * (int64_t)CLOCK_NS_PER_S);
    mutex_lock(&client->mutex);
    while (*count < n) {
        if (!condition_wait(&client->changed, &client->mutex, deadline)) {
            fail_msg("waited in vain: %d of %d", *count, n);
        }
    }
    mutex_unlock(&client->mutex);
}

static struct decode_final *job(int said)
{
    struct decode_final *job = calloc(1, sizeof *job);
    assert_non_null(job);
    job->n_samples = ENGINE_RATE_HZ;
    job->samples = calloc(job->n_samples, sizeof *job->samples);
    assert_non_null(job->samples);
    job->samples[0] = (float)said;
    return job;
}

static struct kodama_model_stats stats(struct kodama_model *model)
{
    struct kodama_model_stats result;
    kodama_model_stats(model, &result);
    return result;
}

static void finals_of_one_conversation_run_in_order_and_build_on_each_other(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(4);
    struct client client;
    client_open(&client, model);
    script_gate(true);
    for (int i = 1; i <= 5; i++) decode_seat_submit(client.seat, job(i));
    script_await(&script.n_decoded, 1);
    assert_int_equal(stats(model).finals_waiting, 4);
    assert_int_equal(stats(model).n_leased, 1);
    script_gate(false);
    decode_seat_drain(client.seat);
    assert_string_equal(client.finals, "1\n1 2\n1 2 3\n1 2 3 4\n1 2 3 4 5\n");
    assert_int_equal(script.n_decoding_most, 1);
    assert_int_equal(stats(model).finals, 5);
    assert_int_equal(stats(model).audio_ns / CLOCK_NS_PER_S, 5);
    client_close(&client);
    kodama_model_close(model);
}

static void nobody_waits_behind_the_backlog_of_another(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(1);
    struct client busy;
    struct client other;
    client_open(&busy, model);
    client_open(&other, model);
    script_gate(true);
    for (int i = 1; i <= 5; i++) decode_seat_submit(busy.seat, job(i));
    script_await(&script.n_decoded, 1);
    decode_seat_submit(other.seat, job(100));
    script_gate(false);
    decode_seat_drain(busy.seat);
    decode_seat_drain(other.seat);
    assert_int_equal(script.decoded[0], 1);
    assert_int_equal(script.decoded[1], 100);
    assert_int_equal(script.decoded[2], 2);
    client_close(&busy);
    client_close(&other);
    kodama_model_close(model);
}

static void conversations_are_decoded_side_by_side(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(3);
    struct client clients[3];
    for (int i = 0; i < 3; i++) client_open(&clients[i], model);
    assert_int_equal(script.n_open, 1); /* the others when they are needed */
    script_gate(true);
    for (int i = 0; i < 3; i++) decode_seat_submit(clients[i].seat, job(i));
    script_await(&script.n_decoding, 3);
    assert_int_equal(script.n_open, 3);
    script_gate(false);
    for (int i = 0; i < 3; i++) client_close(&clients[i]);
    kodama_model_close(model);
}

static void a_spare_decoder_is_loaded_while_the_others_are_in_use(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(3);
    struct client client;
    client_open(&client, model);
    decode_seat_hear(client.seat, 1, 3200);
    script_await(&script.n_open, 2);
    await(&client, &client.n_partials, 1);
    decode_seat_submit_early(client.seat, job(1));
    script_await(&script.n_decoded, 1);
    decode_seat_discard(client.seat);
    script_await(&script.n_open, 2);
    client_close(&client);
    kodama_model_close(model);
}

static void partials_are_shed_while_finals_keep_the_decoder(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(1);
    struct client speaker;
    struct client other;
    client_open(&speaker, model);
    client_open(&other, model);
    script_gate(true);
    decode_seat_submit(other.seat, job(1));
    script_await(&script.n_decoding, 1);
    for (size_t i = 1; i <= 4; i++) decode_seat_hear(speaker.seat, 1, i * 3200);
    assert_int_equal(stats(model).partials_waiting, 1);
    assert_int_equal(stats(model).partials_shed, 3);
    script_gate(false);
    await(&speaker, &speaker.n_partials, 1);
    assert_int_equal(speaker.heard, 4 * 3200);
    assert_int_equal(speaker.n_partials, 1);
    client_close(&speaker);
    client_close(&other);
    kodama_model_close(model);
}

static void a_lease_is_revoked_for_a_final_and_taken_up_again(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(1);
    struct client speaker;
    struct client other;
    client_open(&speaker, model);
    client_open(&other, model);
    decode_seat_hear(speaker.seat, 1, 3200);
    await(&speaker, &speaker.n_partials, 1);
    decode_seat_hear(speaker.seat, 1, 6400);
    await(&speaker, &speaker.n_partials, 2);
    assert_int_equal(script.n_begun, 1);
    assert_int_equal(stats(model).n_leased, 1);
    decode_seat_submit(other.seat, job(1));
    decode_seat_drain(other.seat);
    assert_int_equal(stats(model).partials_shed, 1);
    decode_seat_hear(speaker.seat, 1, 9600);
    await(&speaker, &speaker.n_partials, 3);
    assert_int_equal(script.n_begun, 2);
    assert_int_equal(script.n_abandoned, 1);
    decode_seat_hush(speaker.seat);
    client_close(&speaker);
    client_close(&other);
    kodama_model_close(model);
}

static void a_late_lease_is_not_begun(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(1);
    struct client speaker;
    client_open(&speaker, model);
    decode_seat_hear(speaker.seat, 1, (size_t)20 * ENGINE_RATE_HZ);
    decode_seat_submit(speaker.seat, job(1));
    decode_seat_drain(speaker.seat);
    assert_int_equal(script.n_begun, 0);
    client_close(&speaker);
    kodama_model_close(model);
}

static void await_partials(struct kodama_model *model, uint64_t n)
{
    uint64_t deadline = clock_deadline(20 * (int64_t)CLOCK_NS_PER_S);
    while (stats(model).partials < n) {
        if (clock_now_ns() > deadline) fail_msg("waited in vain for a partial");
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void a_segment_engine_decodes_again_when_the_audio_has_grown_by_what_it_cost(void **state)
{
    (void)state;
    script_reset();
    struct engine_ops ops = scripted_engine;
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_error error = {0};
    struct kodama_model *model;
    ops.streaming = false;
    config.n_decoders = 1;
    if (model_open_engine(&model, &ops, &config, &error) < 0) fail_msg("%s", error.message);
    struct client speaker;
    client_open(&speaker, model);
    script_gate(true);
    decode_seat_hear(speaker.seat, 1, 1600);
    script_await(&script.n_decoded, 1);
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL); /* it took at least so long */
    script_gate(false);
    await_partials(model, 1);
    /* Three times 50 ms are 2400 samples. */
    decode_seat_hear(speaker.seat, 1, 1600 + 2399);
    assert_int_equal(stats(model).partials_waiting, 0);
    assert_int_equal(stats(model).partials_shed, 0);
    decode_seat_hear(speaker.seat, 1, (size_t)60 * ENGINE_RATE_HZ);
    await_partials(model, 2);
    /* Another utterance is not held up by it. */
    decode_seat_hush(speaker.seat);
    decode_seat_hear(speaker.seat, 2, 1600);
    await_partials(model, 3);
    client_close(&speaker);
    kodama_model_close(model);
}

static void an_early_final_is_told_when_it_is_confirmed(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(2);
    struct client client;
    client_open(&client, model);
    decode_seat_submit_early(client.seat, job(1)); /* decoded before */
    script_await(&script.n_decoded, 1);
    while (stats(model).n_leased > 0) clock_sleep_until(clock_now_ns() + CLOCK_NS_PER_MS);
    assert_int_equal(client.n_finals, 0);
    decode_seat_confirm(client.seat);
    assert_string_equal(client.finals, "1\n");

    script_gate(true); /* while it is decoded */
    decode_seat_submit_early(client.seat, job(2));
    script_await(&script.n_decoded, 2);
    decode_seat_confirm(client.seat);
    decode_seat_submit(client.seat, job(3));
    script_gate(false);
    decode_seat_drain(client.seat);
    assert_string_equal(client.finals, "1\n1 2\n1 2 3\n");
    assert_int_equal(stats(model).finals_discarded, 0);
    client_close(&client);
    kodama_model_close(model);
}

static void a_discarded_early_final_leaves_no_trace(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(2);
    struct client client;
    client_open(&client, model);
    script_gate(true);
    decode_seat_submit_early(client.seat, job(1));
    script_await(&script.n_decoded, 1);
    decode_seat_discard(client.seat);
    decode_seat_submit(client.seat, job(2)); /* does not wait for the orphan */
    script_await(&script.n_decoding, 2);
    script_gate(false);
    decode_seat_drain(client.seat);
    while (stats(model).n_leased > 0) clock_sleep_until(clock_now_ns() + CLOCK_NS_PER_MS);
    assert_string_equal(client.finals, "2\n");
    assert_int_equal(stats(model).finals_discarded, 1);
    decode_seat_discard(client.seat);
    decode_seat_confirm(client.seat); /* there is none: nothing happens */
    client_close(&client);
    kodama_model_close(model);
}

static void a_final_that_fails_does_not_stop_the_next(void **state)
{
    (void)state;
    script_reset();
    script.fail = 2;
    struct kodama_model *model = open_script(1);
    struct client client;
    client_open(&client, model);
    for (int i = 1; i <= 3; i++) decode_seat_submit(client.seat, job(i));
    decode_seat_drain(client.seat);
    assert_string_equal(client.finals, "1\nthe script says so\n1 3\n");
    client_close(&client);
    kodama_model_close(model);
}

static void a_decoder_that_cannot_be_opened_is_done_without(void **state)
{
    (void)state;
    script_reset();
    script.n_open_allowed = 1;
    struct kodama_model *model = open_script(3);
    struct client clients[3];
    for (int i = 0; i < 3; i++) client_open(&clients[i], model);
    script_gate(true);
    for (int i = 0; i < 3; i++) decode_seat_submit(clients[i].seat, job(i));
    while (stats(model).n_decoders > 1) clock_sleep_until(clock_now_ns() + CLOCK_NS_PER_MS);
    script_gate(false);
    for (int i = 0; i < 3; i++) decode_seat_drain(clients[i].seat);
    assert_int_equal(stats(model).finals, 3);
    assert_int_equal(script.n_decoding_most, 1);
    for (int i = 0; i < 3; i++) client_close(&clients[i]);
    kodama_model_close(model);
    struct kodama_error error;
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    assert_int_equal(model_open_engine(&model, &scripted_engine, &config, &error),
                     KODAMA_ERR_MEMORY);
    config.n_decoders = 100000;
    assert_int_equal(model_open_engine(&model, &scripted_engine, &config, &error),
                     KODAMA_ERR_ARGUMENT);
}

static void leaving_waits_for_nothing(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(1);
    struct client client;
    client_open(&client, model);
    script_gate(true);
    for (int i = 1; i <= 3; i++) decode_seat_submit(client.seat, job(i));
    decode_seat_submit_early(client.seat, job(4));
    decode_seat_hear(client.seat, 5, 3200);
    script_await(&script.n_decoding, 1);
    client_close(&client); /* the decoder is still held up at the gate */
    assert_int_equal(client.n_finals, 0);
    script_gate(false);
    kodama_model_close(model);
}

/* One of many that talk at random. */
static void talk(void *argument)
{
    struct client *client = argument;
    struct test_random random = {.state = (uint64_t)(uintptr_t)client};
    int rounds = (int)(60 * test_scale());
    for (int i = 1; i <= rounds; i++) {
        size_t n = 0;
        for (uint64_t k = test_random_below(&random, 4); k > 0; k--) {
            decode_seat_hear(client->seat, (uint32_t)i, n += 3200);
        }
        bool early = test_random_below(&random, 2) > 0;
        if (early) decode_seat_submit_early(client->seat, job(i));
        if (early && test_random_below(&random, 2) > 0) {
            decode_seat_discard(client->seat);
            early = false;
        }
        decode_seat_hush(client->seat);
        if (early) {
            decode_seat_confirm(client->seat);
        } else {
            decode_seat_submit(client->seat, job(i));
        }
        if (test_random_below(&random, 8) == 0) decode_seat_drain(client->seat);
    }
    decode_seat_drain(client->seat);
}

static void many_conversations_at_once_get_all_their_finals_in_order(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(3);
    struct client clients[6];
    struct thread threads[6];
    for (int i = 0; i < 6; i++) {
        client_open(&clients[i], model);
        assert_int_equal(thread_start(&threads[i], "talk", talk, &clients[i], NULL), KODAMA_OK);
    }
    int rounds = (int)(60 * test_scale());
    for (int i = 0; i < 6; i++) {
        thread_join(&threads[i]);
        assert_int_equal(clients[i].n_finals, rounds);
        assert_false(clients[i].overlap);
        client_close(&clients[i]);
    }
    assert_int_equal(stats(model).finals, 6 * rounds);
    assert_int_equal(stats(model).finals_waiting, 0);
    kodama_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finals_of_one_conversation_run_in_order_and_build_on_each_other),
        cmocka_unit_test(nobody_waits_behind_the_backlog_of_another),
        cmocka_unit_test(conversations_are_decoded_side_by_side),
        cmocka_unit_test(a_spare_decoder_is_loaded_while_the_others_are_in_use),
        cmocka_unit_test(partials_are_shed_while_finals_keep_the_decoder),
        cmocka_unit_test(a_lease_is_revoked_for_a_final_and_taken_up_again),
        cmocka_unit_test(a_late_lease_is_not_begun),
        cmocka_unit_test(a_segment_engine_decodes_again_when_the_audio_has_grown_by_what_it_cost),
        cmocka_unit_test(an_early_final_is_told_when_it_is_confirmed),
        cmocka_unit_test(a_discarded_early_final_leaves_no_trace),
        cmocka_unit_test(a_final_that_fails_does_not_stop_the_next),
        cmocka_unit_test(a_decoder_that_cannot_be_opened_is_done_without),
        cmocka_unit_test(leaving_waits_for_nothing),
        cmocka_unit_test(many_conversations_at_once_get_all_their_finals_in_order),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
