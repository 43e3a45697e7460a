#define _DEFAULT_SOURCE
/* Tests of Opus packets: what is heard of them is what is heard of the frames that they decode to,
 * over cuts, and with damage in between. */
#include <opus.h>

#include "serve/material.h"

#include "base/clock.h"
#include "base/memory.h"
#include "serve/packets.h"

enum { PACKETS_PER_S = 50, SCALE = 32768 };

/** Two sentences as packets of 20 ms, and the frames that they decode to. */
static struct sound packed(uint32_t rate_hz, uint32_t channels, int bits_per_s)
{
    struct sound mono = two_sentences();
    const int16_t *samples = (const int16_t *)(const void *)mono.frames;
    struct sound sound = {.format = {KODAMA_SAMPLE_F32, rate_hz, channels, 0}};
    int error;
    OpusEncoder *encoder =
        opus_encoder_create((int)rate_hz, (int)channels, OPUS_APPLICATION_VOIP, &error);
    OpusDecoder *decoder = opus_decoder_create((int)rate_hz, (int)channels, &error);
    assert_true(encoder && decoder);
    opus_encoder_ctl(encoder, OPUS_SET_BITRATE(bits_per_s));
    sound.packet_frames = rate_hz / PACKETS_PER_S;
    sound.n_packets = mono.n_frames / (16000 / PACKETS_PER_S);
    sound.n_frames = sound.n_packets * sound.packet_frames;
    sound.packets = calloc(sound.n_packets, sizeof *sound.packets);
    sound.frames = calloc(sound.n_frames * channels, sizeof(float));
    float *block = calloc(sound.packet_frames * channels, sizeof *block);
    assert_true(sound.packets && sound.frames && block);
    for (size_t i = 0; i < sound.n_packets; i++) {
        struct packet *packet = &sound.packets[i];
        size_t from = i * sound.packet_frames;
        for (size_t k = 0; k < sound.packet_frames * channels; k++) {
            size_t at = (from + k / channels) * 16000 / rate_hz;
            block[k] = (float)samples[at] / SCALE;
        }
        int n = opus_encode_float(encoder, block, (int)sound.packet_frames, packet->bytes,
                                  sizeof packet->bytes);
        assert_true(n > 0);
        packet->n_bytes = (size_t)n;
        float *frames = (float *)(void *)sound.frames + from * channels;
        assert_int_equal(
            opus_decode_float(decoder, packet->bytes, n, frames, (int)sound.packet_frames, 0),
            sound.packet_frames);
    }
    opus_encoder_destroy(encoder);
    opus_decoder_destroy(decoder);
    free(block);
    free(mono.frames);
    return sound;
}

static void free_sound(struct sound *sound)
{
    free(sound->packets);
    free(sound->frames);
}

static void packets_are_heard_as_the_frames_that_they_decode_to(void **state)
{
    (void)state;
    static const struct {
        uint32_t rate_hz, channels;
        int bits_per_s;
        const char *query;
    } cases[] = {
        {16000, 1, 24000, "words=1&encoding=opus"},
        {48000, 2, 64000, "words=1&encoding=opus&rate=48000&channels=2"},
        {24000, 1, 16000, "words=1&encoding=opus&rate=24000"},
        {12000, 2, 32000, "words=1&encoding=opus&rate=12000&channels=2"},
        {8000, 1, 12000, "words=1&encoding=opus&rate=8000"},
    };
    static struct heard expected, heard;
    script_reset();
    script.hash = true;
    struct kodama_model *model = open_script(2);
    struct kodama_server_config config = free_port();
    struct kodama_server *server = open_server(model, &config);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sound sound = packed(cases[i].rate_hz, cases[i].channels, cases[i].bits_per_s);
        heard_locally(&expected, model, &sound, true);
        speak(&heard, kodama_server_port(server), &sound, cases[i].query, 1, i);
        assert_true(heard.n_finals > 0);
        assert_string_equal(heard.finals, expected.finals);
        assert_string_equal(heard.positions, expected.positions);
        assert_int_equal(heard.n_errors, 0);
        free_sound(&sound);
    }
    struct kodama_server_stats stats;
    kodama_server_stats(server, &stats);
    print_message("# the longest slice took %d us\n", (int)(stats.longest_slice_ns / 1000));
    assert_int_equal(stats.packets_lost, 0);
    kodama_server_close(server);
    kodama_model_close(model);
}

/* The decoder goes through the store as well, and hears on to the bit. */
static void whatever_is_cut_packets_are_heard_alike(void **state)
{
    (void)state;
    static struct heard expected, heard;
    struct kodama_server_stats stats;
    struct sound sound = packed(16000, 1, 24000);
    script_reset();
    script.hash = true;
    struct kodama_model *model = open_script(2);
    struct kodama_server_config config = free_port();
    config.park_ms = 0;
    struct kodama_server *server = open_server(model, &config);
    heard_locally(&expected, model, &sound, true);
    int n_runs = (int)(4 * test_scale());
    for (int i = 0; i < (n_runs > 1 ? n_runs : 1); i++) {
        struct proxy proxy;
        proxy_start(&proxy, kodama_server_port(server), 33 + (uint64_t)i, 12000);
        struct speaker speaker = {.port = proxy.port,
                                  .sound = &sound,
                                  .query = "words=1&encoding=opus",
                                  .block = 1,
                                  .random = {(uint64_t)i},
                                  .parks = i % 2 ? server : NULL};
        kodama_server_stats(server, &stats);
        speaker.n_parked = stats.parked;
        speak_on(&speaker, &heard);
        proxy_end(&proxy);
        assert_string_equal(heard.finals, expected.finals);
        assert_string_equal(heard.positions, expected.positions);
        assert_int_equal(heard.n_errors, 0);
    }
    kodama_server_stats(server, &stats);
    print_message("# %d resumes, %d of them from the store\n", (int)stats.resumes,
                  (int)stats.restored);
    assert_true(stats.restored > 0);
    kodama_server_close(server);
    kodama_model_close(model);
    free_sound(&sound);
}

static void a_damaged_packet_is_told_and_leaves_its_time_in_place(void **state)
{
    (void)state;
    struct sound sound = packed(16000, 1, 24000);
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    struct kodama_server *server = open_server(model, &config);
    struct client client = client_open(kodama_server_port(server), "/ws?encoding=opus", NULL);
    static uint8_t large[9000];
    /* Two frames of equal size in an odd number of bytes; more frames than 120 ms have. */
    static const uint8_t odd[] = {0x09, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    static const uint8_t many[] = {0x0b, 0x30, 1, 2};
    large[0] = sound.packets[0].bytes[0];
    client_send(&client, CLIENT_BINARY, sound.packets[0].bytes, sound.packets[0].n_bytes);
    client_send(&client, CLIENT_BINARY, odd, 15 + 1);
    client_send(&client, CLIENT_BINARY, many, sizeof many);
    client_send(&client, CLIENT_BINARY, large, sizeof large);
    client_send(&client, CLIENT_BINARY, "", 0); /* lost on its way to us */
    client_send(&client, CLIENT_BINARY, sound.packets[1].bytes, sound.packets[1].n_bytes);
    client_say(&client, "{\"type\":\"stop\"}");
    int n_errors = 0;
    int64_t n_samples = -1;
    json_t *message;
    while (n_samples < 0 && (message = client_message(&client, CLIENT_LIMIT_MS))) {
        const char *type = json_string_value(json_object_get(message, "type"));
        const char *code = json_string_value(json_object_get(message, "code"));
        if (strcmp(type, "error") == 0) {
            assert_string_equal(code, "damaged_packet");
            if (n_errors++ == 0) {
                assert_non_null(strstr(json_string_value(json_object_get(message, "message")),
                                       "at sample 320 is damaged; 20 ms"));
            }
        }
        if (strcmp(type, "closed") == 0) {
            n_samples = json_integer_value(json_object_get(message, "samples"));
        }
        json_decref(message);
    }
    assert_int_equal(n_errors, 3);
    assert_int_equal(n_samples, 6 * 320);
    struct kodama_server_stats stats;
    kodama_server_stats(server, &stats);
    assert_int_equal(stats.packets_lost, 4);
    client_close(&client);
    kodama_server_close(server);
    kodama_model_close(model);
    free_sound(&sound);
}

static void what_opus_has_not_is_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *path, *words;
    } cases[] = {
        {"/ws?encoding=opus&rate=44100", "rate must be 8000, 12000, 16000, 24000 or 48000"},
        {"/ws?encoding=opus&channels=3", "channels must be 1 or 2"},
        {"/ws?encoding=mp3", "encoding must be pcm_s16le, pcm_f32le or opus"},
        {"/ws/voice?encoding=opus", "send frames"},
    };
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    struct kodama_server *server = open_server(model, &config);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client client = client_open(kodama_server_port(server), cases[i].path, NULL);
        json_t *error = client_await(&client, "error");
        assert_non_null(error);
        assert_string_equal(json_string_value(json_object_get(error, "code")), "bad_setting");
        assert_non_null(
            strstr(json_string_value(json_object_get(error, "message")), cases[i].words));
        json_decref(error);
        client_close(&client);
    }
    kodama_server_close(server);
    kodama_model_close(model);
}

/* The clients' own memory is not the server's: whoever sends and never reads. */
static void damage_without_end_is_bounded_by_who_does_not_read(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    struct kodama_server *server = open_server(model, &config);
    struct client client = client_open(kodama_server_port(server), "/ws?encoding=opus", NULL);
    int small = 4096;
    setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    struct timeval limit = {.tv_sec = 1};
    setsockopt(client.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    static const uint8_t many[] = {0x0b, 0x30, 1, 2};
    struct kodama_server_stats stats = {0};
    uint64_t n_sent = 0, before = memory_proportional_bytes();
    while (client_send(&client, CLIENT_BINARY, many, sizeof many)) n_sent++;
    /* A busy machine has not taken what filled the buffers yet, but it will. */
    uint64_t give_up_ns = clock_now_ns() + (uint64_t)CLIENT_LIMIT_MS * 1000000;
    do {
        kodama_server_stats(server, &stats);
        clock_sleep_until(clock_now_ns() + 10 * 1000000);
    } while (stats.pauses == 0 && clock_now_ns() < give_up_ns);
    print_message("# %d packets were sent, %d taken\n", (int)n_sent, (int)stats.packets_lost);
    assert_true(stats.pauses > 0 && stats.packets_lost < 60000);
#if !defined(__SANITIZE_ADDRESS__) /* it keeps what was freed for a while */
    assert_true((int64_t)memory_proportional_bytes() - (int64_t)before < 30 * 1000000);
#else
    (void)before;
#endif
    client_close(&client);
    kodama_server_close(server);
    kodama_model_close(model);
}

static void a_decoder_is_saved_exactly_for_its_own_process_and_nearly_for_others(void **state)
{
    (void)state;
    static const uint8_t key[SEAL_KEY_BYTES] = "a secret of us", other[SEAL_KEY_BYTES] = "theirs";
    struct sound sound = packed(16000, 1, 24000);
    struct packets *first, *same, *near;
    static float a[320], b[320], c[320];
    double most = 0;
    assert_int_equal(packets_open(&first, 16000, 1), KODAMA_OK);
    assert_int_equal(packets_open(&same, 16000, 1), KODAMA_OK);
    assert_int_equal(packets_open(&near, 16000, 1), KODAMA_OK);
    size_t half = sound.n_packets / 2;
    for (size_t i = 0; i < half; i++) {
        const struct packet *p = &sound.packets[i];
        assert_true(packets_decode(first, p->bytes, p->n_bytes, 320, a));
    }
    struct record record = record_writer();
    packets_save(first, key, &record);
    assert_false(record.failed);
    struct record reader = record_reader(record.data, record.n_bytes);
    packets_load(same, key, &reader);
    assert_false(reader.failed);
    assert_int_equal(reader.offset, reader.n_bytes);
    reader = record_reader(record.data, record.n_bytes);
    packets_load(near, other, &reader);
    assert_false(reader.failed);
    for (size_t i = half; i < sound.n_packets; i++) {
        const struct packet *p = &sound.packets[i];
        packets_decode(first, p->bytes, p->n_bytes, 320, a);
        packets_decode(same, p->bytes, p->n_bytes, 320, b);
        packets_decode(near, p->bytes, p->n_bytes, 320, c);
        assert_memory_equal(a, b, sizeof a);
        for (size_t k = 0; k < 320; k++) {
            double difference = (double)(a[k] - c[k]);
            if (difference < 0) difference = -difference;
            if (difference > most) most = difference;
        }
    }
    print_message("# another process's decoder differs by %.4f at most\n", most);
    assert_true(most < 0.03);
    for (size_t n = 0; n < record.n_bytes; n += 97) {
        struct packets *damaged;
        assert_int_equal(packets_open(&damaged, 16000, 1), KODAMA_OK);
        reader = record_reader(record.data, n);
        packets_load(damaged, key, &reader);
        assert_true(reader.failed);
        packets_close(damaged);
    }
    record_free(&record);
    packets_close(first);
    packets_close(same);
    packets_close(near);
    free_sound(&sound);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_are_heard_as_the_frames_that_they_decode_to),
        cmocka_unit_test(whatever_is_cut_packets_are_heard_alike),
        cmocka_unit_test(a_damaged_packet_is_told_and_leaves_its_time_in_place),
        cmocka_unit_test(what_opus_has_not_is_refused_in_words),
        cmocka_unit_test(damage_without_end_is_bounded_by_who_does_not_read),
        cmocka_unit_test(a_decoder_is_saved_exactly_for_its_own_process_and_nearly_for_others),
    };
    return cmocka_run_group_tests_name("opus", tests, NULL, NULL);
}
