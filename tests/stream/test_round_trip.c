/*
 * Formats there and back, through clips and through the recorder, against theory:
 *
 *   - what a type can hold comes back bit by bit;
 *   - fewer bits cost at most half a step (rounding to nearest, no dither), with a mean square of a
 *     twelfth of a step squared and no offset (Bennett 1948): 98.1 dB for a sine in 16 bits;
 *   - lossy coders promise no waveform, they keep their noise below what the sound masks: of a tone
 *     that is 14.5 dB + its place in Bark (ISO/IEC 11172-3 annex D, model 2: tone masking noise),
 *     18.7 dB at 440 Hz. A coder of good quality that stays above it does what it is meant to.
 */
#include "stream/recording.h"

#include <kodama/clip.h>

#include "audio/convert.h"

enum { FRAMES = 30000 };

static const double PI = 3.14159265358979323846;

static const enum kodama_sample SAMPLES[] = {KODAMA_SAMPLE_U8, KODAMA_SAMPLE_S16, KODAMA_SAMPLE_S24,
                                             KODAMA_SAMPLE_S32, KODAMA_SAMPLE_F32};

static const struct {
    const char *suffix;
    enum kodama_sample sample;
} LOSSLESS[] = {
    {".wav", KODAMA_SAMPLE_S16}, {".wav", KODAMA_SAMPLE_S24},  {".wav", KODAMA_SAMPLE_S32},
    {".wav", KODAMA_SAMPLE_F32}, {".flac", KODAMA_SAMPLE_S16}, {".flac", KODAMA_SAMPLE_S24},
};
enum { N_LOSSLESS = sizeof LOSSLESS / sizeof LOSSLESS[0] };

/* How a sound gets into a file: saved as a clip, or recorded from a ring. */
enum way { BY_CLIP, BY_RECORDER, N_WAYS };

static void write_file(enum way way, struct kodama_format format, const void *frames,
                       const char *path, enum kodama_sample sample, double quality)
{
    if (way == BY_CLIP) {
        struct kodama_clip *clip;
        struct kodama_clip_save_config config = KODAMA_CLIP_SAVE_CONFIG_INIT;
        config.sample = sample;
        config.quality = quality;
        struct kodama_error error = {0};
        assert_int_equal(kodama_clip_create(&clip, format, frames, FRAMES, NULL), KODAMA_OK);
        if (kodama_clip_save(clip, path, &config, &error) < 0) fail_msg("%s", error.message);
        kodama_clip_destroy(clip);
        return;
    }
    struct kodama_ring *ring = make_ring(format.sample, format.rate_hz, format.channels, 4.0);
    struct kodama_recorder_config config = config_for(path);
    config.sample = sample;
    config.quality = quality;
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    struct kodama_writer writer;
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    assert_int_equal(kodama_writer_write(&writer, frames, FRAMES, 0), FRAMES);
    kodama_writer_release(&writer);
    assert_int_equal(finish(recorder).frames, FRAMES);
    kodama_ring_destroy(ring);
}

static struct kodama_clip *read_file(const char *path)
{
    struct kodama_clip *clip;
    struct kodama_error error = {0};
    if (kodama_clip_load(&clip, path, NULL, &error) < 0) fail_msg("%s", error.message);
    assert_int_equal(kodama_clip_frames(clip), FRAMES);
    return clip;
}

/* A sample of any type as the number that it stands for, exactly. */
static double value_of(enum kodama_sample sample, const uint8_t *bytes)
{
    int32_t wide = 0;
    float real = 0.0f;
    switch (sample) {
    case KODAMA_SAMPLE_U8: return (bytes[0] - 128) / 128.0;
    case KODAMA_SAMPLE_S16:
        return (int16_t)(uint16_t)(bytes[0] | (unsigned)bytes[1] << 8) / 32768.0;
    case KODAMA_SAMPLE_S24:
        wide = (int32_t)((uint32_t)bytes[0] << 8 | (uint32_t)bytes[1] << 16 |
                         (uint32_t)bytes[2] << 24);
        return wide / 2147483648.0;
    case KODAMA_SAMPLE_S32: memcpy(&wide, bytes, 4); return wide / 2147483648.0;
    case KODAMA_SAMPLE_F32: memcpy(&real, bytes, 4); break;
    }
    return (double)real;
}

static double step_of(enum kodama_sample sample)
{
    switch (sample) {
    case KODAMA_SAMPLE_U8: return 0x1p-7;
    case KODAMA_SAMPLE_S16: return 0x1p-15;
    case KODAMA_SAMPLE_S24: return 0x1p-23;
    case KODAMA_SAMPLE_S32: return 0x1p-31;
    case KODAMA_SAMPLE_F32: break;
    }
    return 0.0;
}

/* The largest error that theory allows. Clips, which both ends here are, keep 24 significant bits:
 * what has more is off by 2^-25 more, once on the way in and once on the way out. */
static double allowed(enum kodama_sample from, enum kodama_sample to)
{
    bool wide = from == KODAMA_SAMPLE_S32 || to == KODAMA_SAMPLE_S32;
    bool holds = to == KODAMA_SAMPLE_F32 || (from != KODAMA_SAMPLE_F32 && from <= to);
    if (from == KODAMA_SAMPLE_F32 && to == KODAMA_SAMPLE_S32) holds = true; /* of 0.9: all bits */
    return (holds ? 0.0 : step_of(to) / 2.0) + (wide ? 2.0 * 0x1p-25 : 0.0);
}

static void check_noise(enum way way, enum kodama_sample from, size_t file)
{
    static float floats[2 * FRAMES];
    static uint8_t frames[2 * FRAMES * 4];
    struct test_random random = {.state = 5};
    for (size_t i = 0; i < 2 * FRAMES; i++) floats[i] = 0.9f * test_random_float(&random);
    struct kodama_format format = {from, 48000, 2, 0};
    convert_from_float(from, floats, frames, 2 * FRAMES);
    enum kodama_sample to = LOSSLESS[file].sample;
    const char *path = new_path(LOSSLESS[file].suffix);
    write_file(way, format, frames, path, to, 0.0);
    struct kodama_clip *back = read_file(path);
    assert_int_equal(kodama_clip_origin(back), to);
    const float *samples = kodama_clip_samples(back);
    double largest = 0.0, square = 0.0, sum = 0.0;
    for (size_t i = 0; i < 2 * FRAMES; i++) {
        double error = (double)samples[i] - value_of(from, frames + i * kodama_sample_bytes(from));
        largest = fmax(largest, fabs(error));
        square += error * error;
        sum += error;
    }
    double most = allowed(from, to);
    if (largest > most) {
        fail_msg("%s %s from %s: off by %g, theory allows %g", LOSSLESS[file].suffix,
                 kodama_sample_name(to), kodama_sample_name(from), largest, most);
    }
    if (to == KODAMA_SAMPLE_S16 && from > to) {
        double n = 2.0 * FRAMES, step = step_of(to);
        /* Half a step is used up, the error is uniform, and has no offset (4 sigma). */
        assert_true(largest > 0.49 * step);
        assert_true(fabs(sqrt(square / n) / (step / sqrt(12.0)) - 1.0) < 0.02);
        assert_true(fabs(sum / n) < 4.0 * step / sqrt(12.0 * n));
    }
    kodama_clip_destroy(back);
    unlink(path);
}

static void every_lossless_type_comes_back_within_its_theoretical_error(void **state)
{
    (void)state;
    for (int way = 0; way < N_WAYS; way++) {
        for (size_t s = 0; s < 5; s++) {
            for (size_t f = 0; f < N_LOSSLESS; f++) check_noise((enum way)way, SAMPLES[s], f);
        }
    }
}

/* How far what came back is from a sine at full scale, less a step: dB below it. */
static double sine_error_db(enum way way, const char *suffix, enum kodama_sample sample,
                            double quality, double hz, double amplitude)
{
    static float frames[FRAMES];
    for (size_t i = 0; i < FRAMES; i++) {
        frames[i] = (float)(amplitude * sin(2.0 * PI * hz * (double)i / 48000.0));
    }
    struct kodama_format format = {KODAMA_SAMPLE_F32, 48000, 1, 0};
    const char *path = new_path(suffix);
    write_file(way, format, frames, path, sample, quality);
    struct kodama_clip *back = read_file(path);
    const float *samples = kodama_clip_samples(back);
    double error = 0.0, power = 0.0;
    for (size_t i = 4000; i < FRAMES - 4000; i++) { /* coders may take time at the ends */
        double difference = (double)samples[i] - (double)frames[i];
        error += difference * difference;
        power += (double)frames[i] * (double)frames[i];
    }
    kodama_clip_destroy(back);
    unlink(path);
    return 10.0 * log10(power / error);
}

static void a_sine_at_full_scale_in_16_bits_has_the_98_db_of_theory(void **state)
{
    (void)state;
    static const char *const suffixes[] = {".wav", ".flac"};
    for (int way = 0; way < N_WAYS; way++) {
        for (int f = 0; f < 2; f++) {
            double db = sine_error_db((enum way)way, suffixes[f], KODAMA_SAMPLE_S16, 0.0, 997.0,
                                      1.0 - 0x1p-15);
            assert_true(fabs(db - (6.0206 * 16 + 1.7609)) < 0.1);
        }
    }
}

static void lossy_types_keep_their_noise_below_what_a_tone_masks(void **state)
{
    (void)state;
    static const struct {
        const char *suffix;
        enum kodama_file type;
        int ways; /* the recorder does not write MP3 */
    } lossy[] = {{".ogg", KODAMA_FILE_VORBIS, 2},
                 {".opus", KODAMA_FILE_OPUS, 2},
                 {".mp3", KODAMA_FILE_MP3, 1}};
    const double bark = 4.2; /* of 440 Hz (Zwicker 1961) */
    for (size_t f = 0; f < 3; f++) {
        struct kodama_error error = {0};
        if (kodama_file_check(lossy[f].type, &error) < 0) {
            print_message("# not tested: %s\n", error.message);
            continue;
        }
        for (int way = 0; way < lossy[f].ways; way++) {
            double db = sine_error_db((enum way)way, lossy[f].suffix, 0, 0.8, 440.0, 0.5);
            print_message("# %s by %s: noise %.1f dB below a tone of 440 Hz, %.1f are masked\n",
                          kodama_file_name(lossy[f].type), way == BY_CLIP ? "clip" : "recorder", db,
                          14.5 + bark);
            assert_true(db >= 14.5 + bark);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_lossless_type_comes_back_within_its_theoretical_error),
        cmocka_unit_test(a_sine_at_full_scale_in_16_bits_has_the_98_db_of_theory),
        cmocka_unit_test(lossy_types_keep_their_noise_below_what_a_tone_masks),
    };
    return cmocka_run_group_tests_name("round trip", tests, NULL, NULL);
}
