/* Tests of what a client makes of messages that no server of ours sends. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "client/internal.h"

enum { ROOM = 4000, WRITTEN = 1000, SENT = 600 };

static struct kodama_client client;

static void begin(bool renews)
{
    static int16_t frames[WRITTEN];
    client = (struct kodama_client){.config.renew = renews};
    client.format = (struct kodama_format){KODAMA_SAMPLE_S16, 16000, 1, 0};
    client.wire = client.format;
    mutex_init(&client.mutex);
    condition_init(&client.changed);
    assert_true(tape_open(&client.tape, 2, ROOM));
    tape_write(&client.tape, frames, WRITTEN);
    client.frames = WRITTEN;
}

static void end(void)
{
    event_queue_clear(&client.events);
    tape_free(&client.tape);
    condition_destroy(&client.changed);
    mutex_destroy(&client.mutex);
}

static enum client_verdict ready(int next_sample)
{
    char text[200];
    snprintf(text, sizeof text,
             "{\"type\":\"ready\",\"seq\":1,\"session\":\"s\",\"token\":\"t\",\"rate\":16000,"
             "\"engine\":\"e\",\"model\":\"m\",\"next_sample\":%d}",
             next_sample);
    return client_message(&client, text, strlen(text), false);
}

/* Greeted, and SENT frames sent. */
static void converse(void)
{
    int16_t out[SENT];
    assert_int_equal(ready(0), VERDICT_READY);
    client.began = true;
    assert_int_equal(tape_take(&client.tape, out, SENT), SENT);
}

static void a_server_that_has_what_was_sent_goes_on_there(void **state)
{
    (void)state;
    begin(true);
    converse();
    assert_int_equal(ready(SENT), VERDICT_READY);
    assert_int_equal(client.tape.sent, SENT);
    assert_int_equal(client.stats.reconnects, 1);
    end();
}

static void a_server_that_says_it_has_more_than_was_sent_gets_a_new_session(void **state)
{
    (void)state;
    begin(true);
    converse();
    assert_int_equal(ready(SENT + 1), VERDICT_CLOSE);
    assert_int_equal(client.session[0], '\0');
    assert_int_equal(client.tape.sent, 0); /* all is sent again: nothing was decided */
    assert_int_equal(client.stats.renewals, 1);
    assert_int_equal(client.stats.lost_frames, 0);
    end();
}

static void or_an_end_in_words(void **state)
{
    (void)state;
    begin(false);
    converse();
    assert_int_equal(ready(WRITTEN), VERDICT_CLOSE);
    assert_int_equal(client.failure.status, KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(client.failure.message, "never sent"));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_has_what_was_sent_goes_on_there),
        cmocka_unit_test(a_server_that_says_it_has_more_than_was_sent_gets_a_new_session),
        cmocka_unit_test(or_an_end_in_words),
    };
    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
