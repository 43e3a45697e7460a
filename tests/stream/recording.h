/* What the tests of the recorder share: a timeline whose frames know their place, recording it, and
 * looking at the files. */
#ifndef TESTS_STREAM_RECORDING_H
#define TESTS_STREAM_RECORDING_H

#include "support/support.h"

#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kodama/recorder.h>

enum { RATE = 16000 };

/* Sixteen bits that belong to a place on the timeline, never 0: misplaced frames show. */
static inline int16_t value_at(uint64_t position, uint32_t channel)
{
    uint64_t x = (position * 8 + channel + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 29;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    int16_t value = (int16_t)(uint16_t)(x >> 40);
    return value == 0 ? 1 : value;
}

/* The same with 16 more bits behind it. */
static inline int32_t wide_at(uint64_t position, uint32_t channel)
{
    uint32_t bits = (uint32_t)(uint16_t)value_at(position, channel) << 16;
    return (int32_t)(bits | (uint16_t)value_at(position, channel + 8));
}

/* A tone that rises a little, as what encoders can keep. */
static inline float tone_at(uint64_t position)
{
    double t = (double)position / RATE;
    return (float)(0.3 * sin(2.0 * 3.14159265358979 * (300.0 * t + 20.0 * t * t)));
}

static inline struct kodama_ring *make_ring(enum kodama_sample sample, uint32_t rate_hz,
                                            uint32_t channels, double seconds)
{
    struct kodama_ring *ring;
    struct kodama_ring_config config = KODAMA_RING_CONFIG_INIT;
    config.format = (struct kodama_format){sample, rate_hz, channels, 0};
    config.capacity_seconds = seconds;
    assert_int_equal(kodama_ring_create(&ring, &config, NULL), KODAMA_OK);
    return ring;
}

/* Frames of the timeline in any sample type. s24, s32 and f32 carry more bits than s16. */
static inline void make_frames(struct kodama_format format, uint64_t position, size_t n_frames,
                               void *out)
{
    uint8_t *bytes = out;
    for (size_t i = 0; i < n_frames; i++) {
        for (uint32_t c = 0; c < format.channels; c++) {
            int32_t value = value_at(position + i, c);
            int32_t wide = wide_at(position + i, c);
            float real = (float)value / 32768.0f + (float)c / 8388608.0f;
            switch (format.sample) {
            case KODAMA_SAMPLE_U8: *bytes = (uint8_t)(value >> 8); break;
            case KODAMA_SAMPLE_S16: memcpy(bytes, &(int16_t){(int16_t)value}, 2); break;
            case KODAMA_SAMPLE_S24:
                for (int b = 0; b < 3; b++) bytes[b] = (uint8_t)((uint32_t)wide >> (8 * b + 8));
                break;
            case KODAMA_SAMPLE_S32: memcpy(bytes, &wide, 4); break;
            case KODAMA_SAMPLE_F32: memcpy(bytes, &real, 4); break;
            }
            bytes += kodama_sample_bytes(format.sample);
        }
    }
}

static inline void feed(struct kodama_ring *ring, uint64_t n_frames)
{
    enum { STEP = 160 };
    struct kodama_writer writer;
    struct kodama_format format = kodama_ring_format(ring);
    uint8_t block[STEP * KODAMA_CHANNELS_MAX * 4];
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    while (n_frames > 0) {
        size_t n = n_frames < STEP ? (size_t)n_frames : STEP;
        make_frames(format, kodama_ring_position(ring), n, block);
        assert_int_equal(kodama_writer_write(&writer, block, n, KODAMA_FOREVER), n);
        n_frames -= n;
    }
    kodama_writer_release(&writer);
}

/* Name of a file that does not exist yet. */
static inline const char *new_path(const char *suffix)
{
    const char *path = test_scratch(suffix);
    unlink(path);
    return path;
}

static inline struct kodama_recorder_config config_for(const char *path)
{
    struct kodama_recorder_config config = KODAMA_RECORDER_CONFIG_INIT;
    config.path = path;
    return config;
}

static inline struct kodama_recorder *open_recorder(struct kodama_ring *ring,
                                                    const struct kodama_recorder_config *config)
{
    struct kodama_recorder *recorder;
    struct kodama_error error = {0};
    if (kodama_recorder_open(&recorder, ring, config, &error) < 0) fail_msg("%s", error.message);
    return recorder;
}

/* Stop, wait, give the counters, close. */
static inline struct kodama_recorder_stats finish(struct kodama_recorder *recorder)
{
    struct kodama_recorder_stats stats;
    struct kodama_error error = {0};
    kodama_recorder_stop(recorder);
    if (kodama_recorder_wait(recorder, KODAMA_FOREVER, &error) < 0) fail_msg("%s", error.message);
    kodama_recorder_stats(recorder, &stats);
    kodama_recorder_close(recorder);
    assert_true(stats.ended);
    return stats;
}

static inline uint64_t file_bytes(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 ? (uint64_t)about.st_size : UINT64_MAX;
}

/* All of a file as s32, which holds every integer type. Free it. */
static inline int32_t *read_s32(const char *path, uint64_t *n_frames, SF_INFO *info)
{
    *info = (SF_INFO){0};
    SNDFILE *file = sf_open(path, SFM_READ, info);
    if (!file) fail_msg("cannot open %s: %s", path, sf_strerror(NULL));
    size_t room = 1u << 16, n = 0;
    int32_t *samples = malloc(room * (size_t)info->channels * sizeof *samples);
    assert_non_null(samples);
    for (;;) {
        sf_count_t got = sf_readf_int(file, samples + n * (size_t)info->channels, 4096);
        if (got <= 0) break;
        n += (size_t)got;
        if (n + 4096 > room) {
            room *= 2;
            samples = realloc(samples, room * (size_t)info->channels * sizeof *samples);
            assert_non_null(samples);
        }
    }
    sf_close(file);
    *n_frames = n;
    return samples;
}

/* The frames of an s16 file are those of the timeline from a position on. */
static inline uint64_t check_s16(const char *path, uint64_t position)
{
    SF_INFO info;
    uint64_t n_frames;
    int32_t *samples = read_s32(path, &n_frames, &info);
    for (uint64_t i = 0; i < n_frames; i++) {
        for (int c = 0; c < info.channels; c++) {
            int32_t got = samples[i * (uint64_t)info.channels + (uint64_t)c] / 65536;
            if (got != value_at(position + i, (uint32_t)c)) {
                fail_msg("%s: frame %llu is not the frame %llu of the timeline", path,
                         (unsigned long long)i, (unsigned long long)(position + i));
            }
        }
    }
    free(samples);
    return n_frames;
}

static inline void feed_tone(struct kodama_ring *ring, uint64_t n_frames)
{
    struct kodama_writer writer;
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    for (uint64_t i = 0; i < n_frames; i++) {
        float value = tone_at(kodama_ring_position(ring));
        assert_int_equal(kodama_writer_write(&writer, &value, 1, KODAMA_FOREVER), 1);
    }
    kodama_writer_release(&writer);
}

static inline double tone_error_db(const float *samples, size_t from, size_t to)
{
    double error = 0.0, power = 0.0;
    for (size_t i = from; i < to; i++) {
        double wanted = (double)tone_at(i), difference = (double)samples[i] - wanted;
        error += difference * difference;
        power += wanted * wanted;
    }
    return 10.0 * log10(power / (error + 1e-20));
}

static inline void list_path(char *list, size_t n_bytes, const char *path)
{
    snprintf(list, n_bytes, "%s.jsonl", path);
}

#endif
