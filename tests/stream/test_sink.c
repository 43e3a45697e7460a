/* Tests of sinks that need no sound daemon: the file, and what is refused. */
#include "support/sound.h"
#include "support/support.h"

#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/sink.h>

static struct sound *sound;
static const int64_t patience_ns = INT64_C(60000000000);

static struct kodama_sink *open_sink(const char *name, const struct kodama_sink_config *config)
{
    struct kodama_sink *sink;
    struct kodama_error error = {0};
    if (kodama_sink_open(&sink, name, config, &error) < 0) fail_msg("%s", error.message);
    return sink;
}

static struct kodama_sink_stats stats_of(const struct kodama_sink *sink)
{
    struct kodama_sink_stats stats;
    kodama_sink_stats(sink, &stats);
    return stats;
}

static void write_sound(struct kodama_sink *sink, size_t from, size_t n_frames)
{
    int64_t n =
        kodama_sink_write(sink, sound->frames + from * SOUND_CHANNELS, n_frames, patience_ns);
    assert_int_equal(n, n_frames);
}

static void file_gets_every_frame(void **state)
{
    (void)state;
    struct kodama_sink_config config = KODAMA_SINK_CONFIG_INIT;
    config.path = test_scratch(".wav");
    config.overwrite = true;
    config.ring_seconds = 0.05;
    struct kodama_sink *sink = open_sink("file", &config);
    write_sound(sink, 0, SOUND_RATE);
    assert_int_equal(kodama_sink_drain(sink, patience_ns, NULL), KODAMA_OK);
    assert_int_equal(stats_of(sink).frames, SOUND_RATE);
    assert_int_equal(stats_of(sink).queue_frames, 0);
    assert_int_equal(kodama_sink_write(sink, sound->frames, 10, 0), KODAMA_ERR_CLOSED);
    kodama_sink_close(sink);
    SF_INFO info = {0};
    SNDFILE *file = sf_open(config.path, SFM_READ, &info);
    assert_non_null(file);
    assert_int_equal(info.frames, SOUND_RATE);
    float *frames = malloc(SOUND_RATE * SOUND_CHANNELS * sizeof *frames);
    assert_non_null(frames);
    assert_int_equal(sf_readf_float(file, frames, SOUND_RATE), SOUND_RATE);
    assert_memory_equal(frames, sound->frames, SOUND_RATE * SOUND_CHANNELS * sizeof *frames);
    free(frames);
    sf_close(file);
}

static void wrong_configuration_is_told(void **state)
{
    (void)state;
    struct kodama_sink_config config = KODAMA_SINK_CONFIG_INIT;
    struct kodama_sink *sink;
    struct kodama_error error = {0};
    assert_int_equal(kodama_sink_open(&sink, "cellar", &config, &error), KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "speakers, mic, file"));
    assert_int_equal(kodama_sink_open(&sink, "file", &config, &error), KODAMA_ERR_ARGUMENT);
    char path[200];
    snprintf(path, sizeof path, "%s-none/a.wav", test_scratch(".wav"));
    config.path = path;
    assert_int_equal(kodama_sink_open(&sink, "file", &config, &error), KODAMA_ERR_NOT_FOUND);
    config.ring_seconds = -1;
    assert_int_equal(kodama_sink_open(&sink, "file", &config, &error), KODAMA_ERR_ARGUMENT);
    config.ring_seconds = 0;
    config.format.channels = 99;
    assert_int_equal(kodama_sink_open(&sink, "file", &config, &error), KODAMA_ERR_FORMAT);
    config.size = 1;
    assert_int_equal(kodama_sink_open(&sink, "file", &config, &error), KODAMA_ERR_ARGUMENT);
    kodama_sink_close(NULL);
}

int main(void)
{
    sound = sound_make(440.0, 1.5);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_gets_every_frame),
        cmocka_unit_test(wrong_configuration_is_told),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sound_free(sound);
    return failed;
}
