/* What tests of the server have in common: speech, and a server on a free port. */
#ifndef TESTS_SERVE_MATERIAL_H
#define TESTS_SERVE_MATERIAL_H

#include "serve/speaker.h"
#include "speech/scripted.h"

#define READ "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-"

/** Two sentences with silence around them, 16 kHz, mono, 16 bit. Free frames. */
static inline struct sound two_sentences(void)
{
    static const char *const names[] = {READ "0880.wav", READ "0930.wav"};
    struct sound sound = {.format = {KODAMA_SAMPLE_S16, 16000, 1, 0}};
    int16_t *all = calloc(320000, sizeof *all);
    struct test_random random = {.state = 5};
    size_t at = 0;
    assert_non_null(all);
    for (size_t i = 0; i < 320000; i++) all[i] = (int16_t)(test_random_float(&random) * 3.0f);
    for (int i = 0; i < 2; i++) {
        size_t n;
        float *samples = test_read_audio(test_installed(names[i]), &n, NULL, NULL);
        at += 16000;
        for (size_t k = 0; k < n && at < 300000; k++) all[at++] = (int16_t)(samples[k] * 32767.0f);
        free(samples);
    }
    sound.frames = (uint8_t *)all;
    sound.n_frames = at + 16000;
    return sound;
}

static inline struct kodama_server_config free_port(void)
{
    struct kodama_server_config config = KODAMA_SERVER_CONFIG_INIT;
    config.port = 0;
    config.n_workers = 2;
    return config;
}

static inline struct kodama_server *open_server(struct kodama_model *model,
                                                const struct kodama_server_config *config)
{
    struct kodama_server *server;
    struct kodama_error error = {0};
    if (kodama_server_open(&server, model, config, &error) < 0) fail_msg("%s", error.message);
    assert_true(kodama_server_port(server) > 0);
    return server;
}

#endif
