/* Tests of clips in files: every type there and back, and what a type cannot hold. */
#include "audio/clip_sound.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* Whether this libsndfile has the type; a test of it ends where it is missing, and says so. */
static bool is_there(enum kodama_file type)
{
    struct kodama_error error = {0};
    if (kodama_file_check(type, &error) == KODAMA_OK) return true;
    print_message("# not tested: %s\n", error.message);
    return false;
}

/* Signal to error in decibels, with b moved by some frames. */
static double signal_to_error_db(const struct kodama_clip *a, const struct kodama_clip *b,
                                 int shift)
{
    size_t step = a->format.channels;
    double error = 0.0;
    double power = 0.0;
    for (size_t i = 2000; i + 2000 < a->n_frames; i++) {
        for (size_t c = 0; c < step; c++) {
            double x = (double)a->samples[i * step + c];
            double y = (double)b->samples[(size_t)((long)i + shift) * step + c];
            error += (x - y) * (x - y);
            power += x * x;
        }
    }
    return 10.0 * log10(power / error);
}

/* ------------------------------------------------------------- there and back */

static void lossless_files_give_back_what_they_can_hold(void **state)
{
    (void)state;
    static const enum kodama_sample origins[] = {
        KODAMA_SAMPLE_U8,  KODAMA_SAMPLE_S16, KODAMA_SAMPLE_S24,
        KODAMA_SAMPLE_S32, KODAMA_SAMPLE_F32,
    };
    for (int f = 0; f < 2; f++) {
        for (size_t k = 0; k < 5; k++) {
            for (uint32_t channels = 1; channels <= KODAMA_CHANNELS_MAX; channels += 7) {
                struct kodama_clip *clip = make_sound(origins[k], 44100, channels, 5000);
                const char *path = test_scratch(files[f].suffix);
                save(clip, path, NULL);
                struct kodama_clip *back = load(path);
                /* FLAC has no more than 24 bits: half a step for float. Else every bit is back. */
                bool exact = f == 0 || origins[k] <= KODAMA_SAMPLE_S24;
                double error = largest_difference(clip, back);
                if (channels == 1) {
                    print_message("# %s of %s: stored as %s, largest error %.2g\n",
                                  kodama_file_name(files[f].type), kodama_sample_name(origins[k]),
                                  kodama_sample_name(kodama_clip_origin(back)), error);
                }
                assert_true(error <= (exact ? 0.0 : 0x1p-24));
                kodama_clip_destroy(clip);
                kodama_clip_destroy(back);
            }
        }
    }
}

static void fewer_bits_cost_half_a_step(void **state)
{
    (void)state;
    const struct {
        int file;
        enum kodama_sample sample;
        double step;
    } cases[] = {
        {0, KODAMA_SAMPLE_S16, 0x1p-15}, {0, KODAMA_SAMPLE_S24, 0x1p-23},
        {0, KODAMA_SAMPLE_S32, 0x1p-31}, {0, KODAMA_SAMPLE_F32, 0.0},
        {1, KODAMA_SAMPLE_S16, 0x1p-15}, {1, KODAMA_SAMPLE_S24, 0x1p-23},
    };
    struct kodama_clip *clip = make_sound(KODAMA_SAMPLE_F32, 48000, 2, 20000);
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct kodama_clip_save_config config = KODAMA_CLIP_SAVE_CONFIG_INIT;
        config.sample = cases[k].sample;
        const char *path = test_scratch(files[cases[k].file].suffix);
        save(clip, path, &config);
        struct kodama_clip *back = load(path);
        double error = largest_difference(clip, back);
        print_message("# %s %s: largest error %.3g, half a step is %.3g\n",
                      kodama_file_name(files[cases[k].file].type),
                      kodama_sample_name(cases[k].sample), error, cases[k].step / 2.0);
        assert_int_equal(kodama_clip_origin(back), cases[k].sample);
        assert_true(error <= cases[k].step / 2.0);
        kodama_clip_destroy(back);
    }
    kodama_clip_destroy(clip);
}

static void samples_above_full_scale_clip_in_integer_files_only(void **state)
{
    (void)state;
    const float loud[] = {0.5f, 1.5f, -3.0f, -1.0f, 1.0f};
    const struct kodama_format format = {KODAMA_SAMPLE_F32, 8000, 1, 0};
    struct kodama_clip *clip;
    assert_int_equal(kodama_clip_create(&clip, format, loud, 5, NULL), KODAMA_OK);
    const char *path = test_scratch(".wav");
    save(clip, path, NULL);
    struct kodama_clip *back = load(path);
    assert_memory_equal(back->samples, loud, sizeof loud);
    kodama_clip_destroy(back);
    struct kodama_clip_save_config config = KODAMA_CLIP_SAVE_CONFIG_INIT;
    config.sample = KODAMA_SAMPLE_S16;
    save(clip, path, &config);
    back = load(path);
    const float clipped[] = {0.5f, 32767.0f / 32768, -1.0f, -1.0f, 32767.0f / 32768};
    assert_memory_equal(back->samples, clipped, sizeof clipped);
    kodama_clip_destroy(back);
    kodama_clip_destroy(clip);
}

static void check_lossy(int file, uint32_t rate_hz, uint32_t channels, double quality,
                        double least_db)
{
    struct kodama_clip *clip = make_sound(KODAMA_SAMPLE_F32, rate_hz, channels, rate_hz * 2 + 123);
    struct kodama_clip_save_config config = KODAMA_CLIP_SAVE_CONFIG_INIT;
    config.quality = quality;
    const char *path = test_scratch(files[file].suffix);
    save(clip, path, &config);
    struct kodama_clip *back = load(path);
    assert_int_equal(back->n_frames, clip->n_frames);
    int best = 0;
    for (int shift = -3; shift <= 3; shift++) {
        if (signal_to_error_db(clip, back, shift) > signal_to_error_db(clip, back, best)) {
            best = shift;
        }
    }
    double ratio_db = signal_to_error_db(clip, back, 0);
    print_message("# %s, %u Hz, %u channels, quality %.1f: %.0f kbit/s, error %.1f dB below the "
                  "signal, delay %d frames\n",
                  kodama_file_name(files[file].type), rate_hz, channels, quality,
                  (double)file_bytes(path) * 8e-3 / kodama_clip_duration(clip), ratio_db, best);
    assert_int_equal(best, 0);
    assert_true(ratio_db >= least_db);
    kodama_clip_destroy(clip);
    kodama_clip_destroy(back);
}

static void ogg_vorbis_comes_back_in_place(void **state)
{
    (void)state;
    check_lossy(2, 16000, 1, 0.0, 20.0);
    check_lossy(2, 48000, 2, 0.0, 20.0);
    check_lossy(2, 44100, 2, 1.0, 25.0);
    check_lossy(2, 192000, 1, 0.5, 15.0);
}

static void opus_comes_back_in_place(void **state)
{
    (void)state;
    if (!is_there(KODAMA_FILE_OPUS)) return;
    check_lossy(3, 48000, 1, 0.0, 15.0);
    check_lossy(3, 48000, 2, 1.0, 25.0);
    check_lossy(3, 16000, 1, 0.9, 25.0);
    check_lossy(3, 8000, 1, 0.9, 25.0);
}

static void mp3_comes_back_in_place(void **state)
{
    (void)state;
    if (!is_there(KODAMA_FILE_MP3)) return;
    check_lossy(4, 44100, 2, 0.0, 18.0);
    check_lossy(4, 48000, 1, 0.9, 20.0);
    check_lossy(4, 16000, 1, 0.0, 18.0);
}

static void better_quality_makes_larger_files(void **state)
{
    (void)state;
    struct kodama_clip *clip = make_sound(KODAMA_SAMPLE_F32, 48000, 1, 48000);
    for (int f = 2; f < N_FILES; f++) {
        if (kodama_file_check(files[f].type, NULL) < 0) continue;
        size_t last = 0;
        for (int step = 1; step <= 3; step++) {
            struct kodama_clip_save_config config = KODAMA_CLIP_SAVE_CONFIG_INIT;
            config.quality = step / 3.0;
            const char *path = test_scratch(files[f].suffix);
            save(clip, path, &config);
            assert_true(file_bytes(path) > last);
            last = file_bytes(path);
        }
    }
    kodama_clip_destroy(clip);
}

static void real_speech_survives_every_type(void **state)
{
    (void)state;
    const char *path = test_installed("/usr/share/sounds/alsa/Front_Left.wav");
    struct kodama_clip *clip = load(path);
    assert_int_equal(kodama_clip_origin(clip), KODAMA_SAMPLE_S16);
    for (int f = 0; f < N_FILES; f++) {
        if (kodama_file_check(files[f].type, NULL) < 0) continue;
        const char *copy = test_scratch(files[f].suffix);
        save(clip, copy, NULL);
        struct kodama_clip *back = load(copy);
        assert_int_equal(back->n_frames, clip->n_frames);
        if (f < 2) {
            assert_true(largest_difference(clip, back) == 0.0);
        } else {
            print_message("# %s: %zu bytes, error %.1f dB below the speech\n",
                          kodama_file_name(files[f].type), file_bytes(copy),
                          signal_to_error_db(clip, back, 0));
        }
        struct kodama_clip_loudness a;
        struct kodama_clip_loudness b;
        assert_int_equal(kodama_clip_loudness(clip, &a, NULL), KODAMA_OK);
        assert_int_equal(kodama_clip_loudness(back, &b, NULL), KODAMA_OK);
        assert_true(fabs(a.integrated_lufs - b.integrated_lufs) < 0.5);
        kodama_clip_destroy(back);
    }
    kodama_clip_destroy(clip);
}

static void the_same_clip_makes_the_same_wav_and_flac(void **state)
{
    (void)state;
    struct kodama_clip *clip = make_sound(KODAMA_SAMPLE_F32, 48000, 1, 3000);
    for (int f = 0; f < 2; f++) {
        uint8_t bytes[2][40000];
        size_t n[2];
        for (int i = 0; i < 2; i++) {
            const char *path = test_scratch(files[f].suffix);
            if (i == 1) clock_sleep_until(clock_now_ns() + 1100 * CLOCK_NS_PER_MS);
            save(clip, path, NULL);
            FILE *file = fopen(path, "rb");
            assert_non_null(file);
            n[i] = fread(bytes[i], 1, sizeof bytes[i], file);
            fclose(file);
        }
        assert_int_equal(n[0], n[1]);
        assert_memory_equal(bytes[0], bytes[1], n[0]);
    }
    kodama_clip_destroy(clip);
}

static void channel_places_survive_wav(void **state)
{
    (void)state;
    const uint32_t masks[] = {
        KODAMA_CHANNEL_FL | KODAMA_CHANNEL_FR | KODAMA_CHANNEL_LFE,
        KODAMA_CHANNEL_FL | KODAMA_CHANNEL_FR | KODAMA_CHANNEL_FC | KODAMA_CHANNEL_LFE |
            KODAMA_CHANNEL_SL | KODAMA_CHANNEL_SR,
    };
    for (int k = 0; k < 2; k++) {
        struct kodama_clip *clip = make_sound(KODAMA_SAMPLE_S16, 48000, k == 0 ? 3 : 6, 100);
        clip->format.channel_mask = masks[k];
        const char *path = test_scratch(".wav");
        save(clip, path, NULL);
        struct kodama_clip *back = load(path);
        assert_int_equal(back->format.channel_mask, masks[k]);
        assert_true(largest_difference(clip, back) == 0.0);
        kodama_clip_destroy(back);
        kodama_clip_destroy(clip);
    }
}

static void wav_beyond_four_gibibytes_has_the_wide_header(void **state)
{
    (void)state;
    assert_false(clip_needs_rf64(0));
    assert_false(clip_needs_rf64(UINT64_C(0xFFFFFFFF) - 4096));
    assert_true(clip_needs_rf64(UINT64_C(0xFFFFFFFF) - 4095));
    assert_true(clip_needs_rf64(UINT64_C(1) << 35));
}

/* --------------------------------------------------------- what cannot be held */

static void only_wav_holds_no_frames(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    struct kodama_clip *empty = make_sound(KODAMA_SAMPLE_S16, 48000, 2, 0);
    const char *path = test_scratch(".wav");
    save(empty, path, NULL);
    struct kodama_clip *back = load(path);
    assert_int_equal(back->n_frames, 0);
    assert_int_equal(back->format.channels, 2);
    kodama_clip_destroy(back);
    for (int f = 1; f < N_FILES; f++) {
        path = test_scratch(files[f].suffix);
        assert_int_equal(kodama_clip_save(empty, path, NULL, &error), KODAMA_ERR_EMPTY);
    }
    kodama_clip_destroy(empty);
}

static void one_frame_survives_every_type(void **state)
{
    (void)state;
    struct kodama_clip *clip = make_sound(KODAMA_SAMPLE_S16, 48000, 2, 1);
    for (int f = 0; f < N_FILES; f++) {
        if (kodama_file_check(files[f].type, NULL) < 0) continue;
        const char *path = test_scratch(files[f].suffix);
        save(clip, path, NULL);
        struct kodama_clip *back = load(path);
        assert_int_equal(back->n_frames, 1);
        kodama_clip_destroy(back);
    }
    kodama_clip_destroy(clip);
}

static void what_a_type_cannot_hold_is_refused_in_words(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    struct kodama_clip *clip = make_sound(KODAMA_SAMPLE_S16, 44100, 1, 1000);
    struct kodama_clip *wide = make_sound(KODAMA_SAMPLE_S16, 96000, 6, 1000);
    assert_int_equal(kodama_clip_save(clip, test_scratch(".opus"), NULL, &error),
                     KODAMA_ERR_FORMAT);
    assert_non_null(strstr(error.message, "48000"));
    for (int f = 2; f < N_FILES; f++) {
        const char *path = test_scratch(files[f].suffix);
        assert_int_equal(kodama_clip_save(wide, path, NULL, &error), KODAMA_ERR_FORMAT);
        assert_non_null(strstr(error.message, "channels"));
    }
    struct kodama_clip_save_config config = KODAMA_CLIP_SAVE_CONFIG_INIT;
    config.sample = KODAMA_SAMPLE_F32;
    assert_int_equal(kodama_clip_save(clip, test_scratch(".flac"), &config, &error),
                     KODAMA_ERR_FORMAT);
    assert_non_null(strstr(error.message, "s24"));
    config.sample = KODAMA_SAMPLE_U8;
    assert_int_equal(kodama_clip_save(clip, test_scratch(".wav"), &config, &error),
                     KODAMA_ERR_FORMAT);
    config.sample = 0;
    config.quality = 1.5;
    assert_int_equal(kodama_clip_save(clip, test_scratch(".ogg"), &config, &error),
                     KODAMA_ERR_ARGUMENT);
    config.quality = NAN;
    assert_int_equal(kodama_clip_save(clip, test_scratch(".ogg"), &config, &error),
                     KODAMA_ERR_ARGUMENT);
    config.quality = 0.0;
    config.type = 99;
    assert_int_equal(kodama_clip_save(clip, test_scratch(".ogg"), &config, &error),
                     KODAMA_ERR_ARGUMENT);
    config.size = 3;
    assert_int_equal(kodama_clip_save(clip, test_scratch(".ogg"), &config, &error),
                     KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_clip_save(clip, test_scratch(".txt"), NULL, &error),
                     KODAMA_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, ".flac"));
    kodama_clip_destroy(clip);
    kodama_clip_destroy(wide);
}

static void fitting_resamples_and_mixes_down_as_needed(void **state)
{
    (void)state;
    const struct {
        int file;
        uint32_t rate_hz;
        uint32_t channels;
        uint32_t fitted_hz;
        uint32_t fitted_channels;
    } cases[] = {
        {3, 44100, 2, 48000, 2}, {3, 11025, 1, 12000, 1}, {3, 96000, 6, 48000, 1},
        {4, 96000, 1, 48000, 1}, {4, 37800, 2, 44100, 2}, {2, 96000, 3, 96000, 1},
        {1, 96000, 8, 96000, 8},
    };
    struct kodama_clip_save_config config = KODAMA_CLIP_SAVE_CONFIG_INIT;
    config.fit = true;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        if (kodama_file_check(files[cases[k].file].type, NULL) < 0) continue;
        struct kodama_clip *clip =
            make_sound(KODAMA_SAMPLE_S16, cases[k].rate_hz, cases[k].channels, cases[k].rate_hz);
        const char *path = test_scratch(files[cases[k].file].suffix);
        save(clip, path, &config);
        struct kodama_clip *back = load(path);
        assert_int_equal(back->format.rate_hz, cases[k].fitted_hz);
        assert_int_equal(back->format.channels, cases[k].fitted_channels);
        assert_int_equal(back->n_frames, cases[k].fitted_hz);
        kodama_clip_destroy(back);
        kodama_clip_destroy(clip);
    }
}

static void types_are_known_by_name_and_ending(void **state)
{
    (void)state;
    assert_int_equal(kodama_file_of("a.wav"), KODAMA_FILE_WAV);
    assert_int_equal(kodama_file_of("/x.flac/A.FLAC"), KODAMA_FILE_FLAC);
    assert_int_equal(kodama_file_of("a.b.oga"), KODAMA_FILE_VORBIS);
    assert_int_equal(kodama_file_of("x.Opus"), KODAMA_FILE_OPUS);
    assert_int_equal(kodama_file_of(".mp3"), KODAMA_FILE_MP3);
    assert_int_equal(kodama_file_of("x.wav/y"), KODAMA_FILE_AUTO);
    assert_int_equal(kodama_file_of("wav"), KODAMA_FILE_AUTO);
    assert_int_equal(kodama_file_of(""), KODAMA_FILE_AUTO);
    assert_int_equal(kodama_file_of(NULL), KODAMA_FILE_AUTO);
    assert_string_equal(kodama_file_name(KODAMA_FILE_VORBIS), "Ogg Vorbis");
    assert_string_equal(kodama_file_name(KODAMA_FILE_AUTO), "?");
    struct kodama_error error = {0};
    assert_int_equal(kodama_file_check(KODAMA_FILE_AUTO, &error), KODAMA_ERR_ARGUMENT);
    for (int f = 0; f < N_FILES; f++) {
        int status = kodama_file_check(files[f].type, &error);
        print_message("# %s: %s\n", kodama_file_name(files[f].type),
                      status < 0 ? error.message : "can be written");
        assert_true(status == KODAMA_OK || f >= 3); /* Opus and MP3 may be missing */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lossless_files_give_back_what_they_can_hold),
        cmocka_unit_test(fewer_bits_cost_half_a_step),
        cmocka_unit_test(samples_above_full_scale_clip_in_integer_files_only),
        cmocka_unit_test(ogg_vorbis_comes_back_in_place),
        cmocka_unit_test(opus_comes_back_in_place),
        cmocka_unit_test(mp3_comes_back_in_place),
        cmocka_unit_test(better_quality_makes_larger_files),
        cmocka_unit_test(real_speech_survives_every_type),
        cmocka_unit_test(the_same_clip_makes_the_same_wav_and_flac),
        cmocka_unit_test(channel_places_survive_wav),
        cmocka_unit_test(wav_beyond_four_gibibytes_has_the_wide_header),
        cmocka_unit_test(only_wav_holds_no_frames),
        cmocka_unit_test(one_frame_survives_every_type),
        cmocka_unit_test(what_a_type_cannot_hold_is_refused_in_words),
        cmocka_unit_test(fitting_resamples_and_mixes_down_as_needed),
        cmocka_unit_test(types_are_known_by_name_and_ending),
    };
    return cmocka_run_group_tests_name("clip files", tests, NULL, NULL);
}
