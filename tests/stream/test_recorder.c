/* Tests of the recorder: what comes into the file, exactly, where it begins, ends and is lost. */
#include "stream/recording.h"

#include "base/clock.h"

/* ---------------------------------------------------------------- content */

static void check_wav_samples(enum kodama_sample sample, uint32_t channels)
{
    enum { FRAMES = 5001 };
    const char *path = new_path(".wav");
    struct kodama_ring *ring = make_ring(sample, RATE, channels, 2.0);
    struct kodama_recorder_config config = config_for(path);
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    feed(ring, FRAMES);
    struct kodama_recorder_stats stats = finish(recorder);
    assert_int_equal(stats.frames, FRAMES);
    assert_int_equal(stats.bytes, file_bytes(path));
    assert_int_equal(stats.files, 1);

    struct kodama_format format = kodama_ring_format(ring);
    size_t n_bytes = FRAMES * kodama_frame_bytes(format);
    uint8_t *wanted = malloc(n_bytes), *got = malloc(n_bytes);
    assert_true(wanted && got);
    make_frames(format, 0, FRAMES, wanted);
    SF_INFO info = {0};
    SNDFILE *file = sf_open(path, SFM_READ, &info);
    assert_non_null(file);
    assert_int_equal(info.frames, FRAMES);
    assert_int_equal(info.channels, channels);
    assert_int_equal(info.samplerate, RATE);
    assert_int_equal(sf_read_raw(file, got, (sf_count_t)n_bytes), n_bytes);
    assert_memory_equal(got, wanted, n_bytes);
    sf_close(file);
    free(wanted);
    free(got);
    kodama_ring_destroy(ring);
}

static void a_wav_file_holds_every_bit_of_every_sample_type(void **state)
{
    (void)state;
    static const enum kodama_sample samples[] = {KODAMA_SAMPLE_S16, KODAMA_SAMPLE_S24,
                                                 KODAMA_SAMPLE_S32, KODAMA_SAMPLE_F32};
    for (size_t i = 0; i < 4; i++) {
        check_wav_samples(samples[i], 1);
        check_wav_samples(samples[i], 2);
        check_wav_samples(samples[i], 6);
    }
}

static void a_ring_of_u8_is_recorded_as_s16(void **state)
{
    (void)state;
    const char *path = new_path(".wav");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_U8, RATE, 1, 2.0);
    struct kodama_recorder_config config = config_for(path);
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    feed(ring, 4000);
    finish(recorder);
    SF_INFO info;
    uint64_t n_frames;
    int32_t *samples = read_s32(path, &n_frames, &info);
    assert_int_equal(n_frames, 4000);
    assert_int_equal(info.format & SF_FORMAT_SUBMASK, SF_FORMAT_PCM_16);
    for (uint64_t i = 0; i < n_frames; i++) {
        assert_int_equal(samples[i] / 65536, ((value_at(i, 0) >> 8 & 0xff) - 128) * 256);
    }
    free(samples);
    kodama_ring_destroy(ring);
}

static void a_flac_file_holds_every_bit_of_s16_and_s24(void **state)
{
    (void)state;
    enum { FRAMES = 30011 };
    for (uint32_t channels = 1; channels <= 2; channels++) {
        const char *path = new_path(".flac");
        struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, channels, 4.0);
        struct kodama_recorder_config config = config_for(path);
        struct kodama_recorder *recorder = open_recorder(ring, &config);
        feed(ring, FRAMES);
        finish(recorder);
        assert_int_equal(check_s16(path, 0), FRAMES);
        kodama_ring_destroy(ring);
    }
    const char *path = new_path(".flac");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S24, RATE, 2, 4.0);
    struct kodama_recorder_config config = config_for(path);
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    feed(ring, FRAMES);
    finish(recorder);
    SF_INFO info;
    uint64_t n_frames;
    int32_t *samples = read_s32(path, &n_frames, &info);
    assert_int_equal(n_frames, FRAMES);
    for (uint64_t i = 0; i < 2 * n_frames; i++) {
        uint32_t c = i & 1;
        int32_t wide = wide_at(i / 2, c);
        assert_int_equal((uint32_t)samples[i] >> 8, (uint32_t)wide >> 8);
    }
    free(samples);
    kodama_ring_destroy(ring);
}

static void check_lossy(const char *suffix, enum kodama_file type)
{
    enum { FRAMES = 3 * RATE + 17 };
    if (kodama_file_check(type, NULL) < 0) skip();
    const char *path = new_path(suffix);
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_F32, RATE, 1, 4.0);
    struct kodama_recorder_config config = config_for(path);
    config.quality = 0.9;
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    feed_tone(ring, FRAMES);
    finish(recorder);
    size_t n_frames;
    float *samples = test_read_audio(path, &n_frames, NULL, NULL);
    assert_int_equal(n_frames, FRAMES);
    double db = tone_error_db(samples, 1000, FRAMES - 1000);
    print_message("# %s: signal to error %.1f dB\n", suffix, db);
    assert_true(db > 20.0);
    free(samples);
    kodama_ring_destroy(ring);
}

static void an_ogg_vorbis_file_has_the_exact_length_and_the_sound(void **state)
{
    (void)state;
    check_lossy(".ogg", KODAMA_FILE_VORBIS);
}

static void an_opus_file_has_the_exact_length_and_the_sound(void **state)
{
    (void)state;
    check_lossy(".opus", KODAMA_FILE_OPUS);
}

static void a_sample_type_that_was_asked_for_is_the_one_in_the_file(void **state)
{
    (void)state;
    const char *path = new_path(".wav");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_F32, RATE, 1, 2.0);
    struct kodama_recorder_config config = config_for(path);
    config.sample = KODAMA_SAMPLE_S16;
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    feed(ring, 4000);
    finish(recorder);
    assert_int_equal(check_s16(path, 0), 4000);
    kodama_ring_destroy(ring);
}

/* ---------------------------------------------------------------- where it begins and ends */

static void a_recording_can_begin_in_the_past(void **state)
{
    (void)state;
    const char *oldest = new_path(".wav"), *at = new_path(".wav"), *now = new_path(".wav");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 2.0);
    feed(ring, 6000);
    struct kodama_recorder_config config = config_for(oldest);
    config.start = KODAMA_START_OLDEST;
    struct kodama_recorder *first = open_recorder(ring, &config);
    config = config_for(at);
    config.start = KODAMA_START_AT;
    config.start_position = 4567;
    struct kodama_recorder *second = open_recorder(ring, &config);
    config = config_for(now);
    struct kodama_recorder *third = open_recorder(ring, &config);
    feed(ring, 3000);
    finish(first);
    finish(second);
    finish(third);
    assert_int_equal(check_s16(oldest, 0), 9000);
    assert_int_equal(check_s16(at, 4567), 9000 - 4567);
    assert_int_equal(check_s16(now, 6000), 3000);
    kodama_ring_destroy(ring);
}

static void two_recorders_of_one_ring_write_the_same(void **state)
{
    (void)state;
    const char *wav = new_path(".wav"), *flac = new_path(".flac");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 2, 4.0);
    struct kodama_recorder_config config = config_for(wav);
    struct kodama_recorder *first = open_recorder(ring, &config);
    config = config_for(flac);
    struct kodama_recorder *second = open_recorder(ring, &config);
    feed(ring, 40000);
    finish(first);
    finish(second);
    assert_int_equal(check_s16(wav, 0), 40000);
    assert_int_equal(check_s16(flac, 0), 40000);
    kodama_ring_destroy(ring);
}

static void a_stop_in_mid_flow_writes_all_that_the_ring_held_and_no_more(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        const char *path = new_path(i & 1 ? ".flac" : ".wav");
        struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 4.0);
        struct kodama_recorder_config config = config_for(path);
        struct kodama_recorder *recorder = open_recorder(ring, &config);
        uint64_t n_frames = 1 + 1733 * (uint64_t)i;
        feed(ring, n_frames);
        kodama_recorder_stop(recorder);
        feed(ring, 5000);
        assert_int_equal(finish(recorder).frames, n_frames);
        assert_int_equal(check_s16(path, 0), n_frames);
        unlink(path);
        kodama_ring_destroy(ring);
    }
}

static void a_ring_that_ends_ends_the_recording(void **state)
{
    (void)state;
    const char *path = new_path(".wav");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 2.0);
    struct kodama_recorder_config config = config_for(path);
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    feed(ring, 1234);
    assert_int_equal(kodama_recorder_wait(recorder, 0, NULL), KODAMA_ERR_TIMEOUT);
    kodama_ring_close(ring);
    assert_int_equal(kodama_recorder_wait(recorder, KODAMA_FOREVER, NULL), KODAMA_OK);
    assert_int_equal(kodama_recorder_pause(recorder), KODAMA_ERR_STATE);
    kodama_recorder_stop(recorder);
    kodama_recorder_close(recorder);
    assert_int_equal(check_s16(path, 0), 1234);
    kodama_ring_destroy(ring);
}

static void a_recording_with_a_length_ends_by_itself_at_that_frame(void **state)
{
    (void)state;
    const char *path = new_path(".wav");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 2.0);
    struct kodama_recorder_config config = config_for(path);
    struct kodama_recorder_stats stats;
    config.max_frames = 7001;
    config.lossless = true;
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    feed(ring, 7000);
    assert_int_equal(kodama_recorder_pause(recorder), KODAMA_OK);
    feed(ring, 3000);
    assert_int_equal(kodama_recorder_resume(recorder), KODAMA_OK);
    assert_int_equal(kodama_recorder_wait(recorder, 0, NULL), KODAMA_ERR_TIMEOUT);
    feed(ring, 4 * kodama_ring_capacity(ring)); /* held back by nobody afterwards */
    assert_int_equal(kodama_recorder_wait(recorder, KODAMA_FOREVER, NULL), KODAMA_OK);
    kodama_recorder_stats(recorder, &stats);
    assert_int_equal(stats.frames, 7001);
    assert_int_equal(stats.paused_frames, 3000);
    kodama_recorder_close(recorder);
    SF_INFO info;
    uint64_t n_frames;
    int32_t *samples = read_s32(path, &n_frames, &info);
    assert_int_equal(n_frames, 7001);
    assert_int_equal(samples[6999] / 65536, value_at(6999, 0));
    assert_int_equal(samples[7000] / 65536, value_at(10000, 0));
    free(samples);
    kodama_ring_destroy(ring);
}

static void the_end_of_a_recording_signals_its_waitable(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) { /* asked for before the end, and after it */
        struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 2.0);
        struct kodama_recorder_config config = config_for(new_path(".wav"));
        struct kodama_recorder *recorder = open_recorder(ring, &config);
        struct kodama_waitable waitable, again;
        feed(ring, 1000);
        if (!late) {
            assert_int_equal(kodama_recorder_waitable(recorder, &waitable), KODAMA_OK);
            assert_int_equal(kodama_waitable_wait(waitable, 0), KODAMA_ERR_TIMEOUT);
        }
        kodama_ring_close(ring);
        if (late) {
            assert_int_equal(kodama_recorder_wait(recorder, KODAMA_FOREVER, NULL), KODAMA_OK);
            assert_int_equal(kodama_recorder_waitable(recorder, &waitable), KODAMA_OK);
        }
        assert_int_equal(kodama_waitable_wait(waitable, KODAMA_FOREVER), KODAMA_OK);
        assert_int_equal(kodama_recorder_wait(recorder, 0, NULL), KODAMA_OK);
        /* It stays signalled, and is the same one. */
        assert_int_equal(kodama_recorder_waitable(recorder, &again), KODAMA_OK);
        assert_int_equal(again.fd, waitable.fd);
        assert_int_equal(kodama_waitable_wait(again, 0), KODAMA_OK);
        kodama_recorder_close(recorder);
        kodama_ring_destroy(ring);
    }
    assert_int_equal(kodama_recorder_waitable(NULL, NULL), KODAMA_ERR_ARGUMENT);
}

static void closing_a_recorder_finishes_its_file(void **state)
{
    (void)state;
    const char *path = new_path(".flac");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 2.0);
    struct kodama_recorder_config config = config_for(path);
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    feed(ring, 9999);
    kodama_recorder_close(recorder);
    assert_int_equal(check_s16(path, 0), 9999);
    kodama_recorder_close(NULL);
    kodama_ring_destroy(ring);
}

static void a_recording_of_nothing_is_an_empty_wav_or_no_file(void **state)
{
    (void)state;
    const char *wav = new_path(".wav"), *flac = new_path(".flac");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 2.0);
    struct kodama_recorder_config config = config_for(wav);
    assert_int_equal(finish(open_recorder(ring, &config)).frames, 0);
    assert_int_equal(check_s16(wav, 0), 0);
    config = config_for(flac);
    assert_int_equal(finish(open_recorder(ring, &config)).bytes, 0);
    assert_int_equal(access(flac, F_OK), -1);
    kodama_ring_destroy(ring);
}

static void a_recorder_is_woken_once_for_a_tenth_of_a_second(void **state)
{
    (void)state;
    const char *path = new_path(".wav");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 4.0);
    struct kodama_recorder_config config = config_for(path);
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    for (int i = 0; i < 200; i++) { /* two seconds in steps of 10 ms */
        feed(ring, RATE / 100);
        clock_sleep_until(clock_now_ns() + 500000);
    }
    struct kodama_ring_stats stats;
    kodama_ring_stats(ring, &stats);
    assert_in_range(stats.wakes, 1, 20);
    assert_int_equal(finish(recorder).frames, 2 * RATE);
    kodama_ring_destroy(ring);
}

/* ---------------------------------------------------------------- pause, loss, gaps */

static void a_pause_leaves_out_exactly_what_was_written_in_it(void **state)
{
    (void)state;
    const char *path = new_path(".wav");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 4.0);
    struct kodama_recorder_config config = config_for(path);
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    assert_int_equal(kodama_recorder_resume(recorder), KODAMA_ERR_STATE);
    uint64_t kept[400], n_kept = 0, total = 0, out = 0;
    uint64_t places[400];
    struct test_random random = {7};
    for (int i = 0; i < 40; i++) {
        uint64_t n = test_random_below(&random, 1500);
        places[n_kept] = total;
        kept[n_kept++] = n;
        feed(ring, n);
        total += n;
        assert_int_equal(kodama_recorder_pause(recorder), KODAMA_OK);
        assert_int_equal(kodama_recorder_pause(recorder), KODAMA_ERR_STATE);
        n = test_random_below(&random, 1500);
        if (i % 4 == 0) n = 0;
        feed(ring, n);
        total += n;
        out += n;
        assert_int_equal(kodama_recorder_resume(recorder), KODAMA_OK);
        if (i % 8 == 0) clock_sleep_until(clock_now_ns() + 5000000);
    }
    struct kodama_recorder_stats stats = finish(recorder);
    assert_int_equal(stats.lost_frames, 0);
    assert_int_equal(stats.frames, total - out);
    assert_int_equal(stats.paused_frames, out);
    SF_INFO info;
    uint64_t n_frames, place = 0;
    int32_t *samples = read_s32(path, &n_frames, &info);
    assert_int_equal(n_frames, total - out);
    for (uint64_t k = 0; k < n_kept; k++) {
        for (uint64_t i = 0; i < kept[k]; i++) {
            assert_int_equal(samples[place++] / 65536, value_at(places[k] + i, 0));
        }
    }
    free(samples);
    kodama_ring_destroy(ring);
}

/* Write three times the ring in one go, again and again until the recorder could not follow.
 * Returns how many frames that were. */
static uint64_t overrun(struct kodama_ring *ring, struct kodama_recorder *recorder)
{
    uint64_t n = 3 * kodama_ring_capacity(ring), total = 0;
    int16_t *frames = malloc(n * sizeof *frames);
    assert_non_null(frames);
    struct kodama_writer writer;
    struct kodama_recorder_stats stats = {0};
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    for (int i = 0; i < 1000 && stats.lost_frames == 0; i++) {
        make_frames(kodama_ring_format(ring), kodama_ring_position(ring), n, frames);
        assert_int_equal(kodama_writer_write(&writer, frames, n, 0), n);
        total += n;
        clock_sleep_until(clock_now_ns() + CLOCK_NS_PER_MS);
        kodama_recorder_stats(recorder, &stats);
    }
    kodama_writer_release(&writer);
    free(frames);
    assert_true(stats.lost_frames > 0);
    return total;
}

static void a_recorder_that_was_lapped_writes_silence_of_the_same_length(void **state)
{
    (void)state;
    static const char *const suffixes[] = {".wav", ".flac"};
    for (int k = 0; k < 2; k++) {
        const char *path = new_path(suffixes[k]);
        struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 0.5);
        struct kodama_recorder_config config = config_for(path);
        struct kodama_recorder *recorder = open_recorder(ring, &config);
        feed(ring, 1000);
        uint64_t total = 1000 + overrun(ring, recorder);
        feed(ring, 1000);
        total += 1000;
        struct kodama_recorder_stats stats = finish(recorder);
        assert_int_equal(stats.frames, total);

        SF_INFO info;
        uint64_t n_frames, silent = 0;
        int32_t *samples = read_s32(path, &n_frames, &info);
        assert_int_equal(n_frames, total);
        for (uint64_t i = 0; i < n_frames; i++) {
            silent += samples[i] == 0;
            if (samples[i] != 0) assert_int_equal(samples[i] / 65536, value_at(i, 0));
        }
        assert_int_equal(silent, stats.lost_frames);
        free(samples);
        kodama_ring_destroy(ring);
    }
}

static void a_lossless_recorder_of_a_short_ring_loses_nothing(void **state)
{
    (void)state;
    const char *path = new_path(".flac");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 0.05);
    struct kodama_recorder_config config = config_for(path);
    config.lossless = true;
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    feed(ring, 20 * RATE);
    struct kodama_recorder_stats stats = finish(recorder);
    assert_int_equal(stats.lost_frames, 0);
    assert_int_equal(check_s16(path, 0), 20 * RATE);
    kodama_ring_destroy(ring);
}

static void a_paused_lossless_recorder_does_not_hold_the_writer_back(void **state)
{
    (void)state;
    const char *path = new_path(".wav");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 0.1);
    struct kodama_recorder_config config = config_for(path);
    config.lossless = true;
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    assert_int_equal(kodama_recorder_pause(recorder), KODAMA_OK);
    feed(ring, 10 * kodama_ring_capacity(ring));
    assert_int_equal(kodama_recorder_resume(recorder), KODAMA_OK);
    feed(ring, 777);
    assert_int_equal(finish(recorder).frames, 777);
    assert_int_equal(check_s16(path, 10 * kodama_ring_capacity(ring)), 777);
    kodama_ring_destroy(ring);
}

static char *read_text(const char *path)
{
    static char text[16384];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void mark(struct kodama_ring *ring, uint64_t position, uint64_t length, uint32_t flags)
{
    struct kodama_writer writer;
    struct kodama_mark made = {position, length, 42, flags, 0};
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    assert_int_equal(kodama_writer_mark(&writer, &made), KODAMA_OK);
    kodama_writer_release(&writer);
}

static void gaps_are_counted_and_listed_with_their_places(void **state)
{
    (void)state;
    char list[200];
    const char *path = new_path(".wav");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 4.0);
    feed(ring, 100);
    struct kodama_recorder_config config = config_for(path);
    config.marks = true;
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    feed(ring, 500);
    mark(ring, 600, 5000, KODAMA_MARK_GAP | KODAMA_MARK_SILENT); /* over several reads */
    feed(ring, 5000);
    mark(ring, 5600, 0, KODAMA_MARK_CLOCK);
    mark(ring, 5600, 300, KODAMA_MARK_GAP);
    mark(ring, 5700, 300, KODAMA_MARK_GAP); /* overlaps the one before */
    feed(ring, 1000);
    kodama_recorder_pause(recorder);
    feed(ring, 400);
    mark(ring, 7000, 200, KODAMA_MARK_GAP); /* enters from the pause */
    kodama_recorder_resume(recorder);
    feed(ring, 1000);
    struct kodama_recorder_stats stats = finish(recorder);
    assert_int_equal(stats.gap_frames, 5000 + 400 + 200);
    assert_int_equal(stats.frames, 7500);
    list_path(list, sizeof list, path);
    const char *wanted[] = {
        "{\"event\": \"start\", \"position\": 100, \"frame\": 0, \"version\": 1, \"rate_hz\": "
        "16000, \"channels\": 1}\n",
        "{\"event\": \"file\", \"position\": 100, \"frame\": 0, \"path\": \"",
        "{\"event\": \"mark\", \"position\": 600, \"frame\": 500, \"length\": 5000, \"time_ns\": "
        "42, \"flags\": [\"gap\", \"silent\"]}\n",
        "{\"event\": \"mark\", \"position\": 5600, \"frame\": 5500, \"length\": 0, \"time_ns\": "
        "42, \"flags\": [\"clock\"]}\n",
        "{\"event\": \"mark\", \"position\": 5600, \"frame\": 5500, \"length\": 300,",
        "{\"event\": \"mark\", \"position\": 5700, \"frame\": 5600, \"length\": 300,",
        "{\"event\": \"pause\", \"position\": 6600, \"frame\": 6500}\n",
        "{\"event\": \"resume\", \"position\": 7000, \"frame\": 6500}\n",
        "{\"event\": \"mark\", \"position\": 7000, \"frame\": 6500, \"length\": 200,",
        "{\"event\": \"end\", \"position\": 8000, \"frame\": 7500, \"status\": \"KODAMA_OK\"}\n",
    };
    const char *text = read_text(list), *at = text;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        const char *found = strstr(at, wanted[i]);
        if (!found)
            fail_msg("line %zu is missing or out of order: %s\nin:\n%s", i, wanted[i], text);
        at = found + 1;
    }
    int lines = 0;
    for (const char *c = text; *c; c++) lines += *c == '\n';
    assert_int_equal(lines, 10);
    unlink(list);
    kodama_ring_destroy(ring);
}

static void lost_frames_are_listed(void **state)
{
    (void)state;
    char list[200];
    const char *path = new_path(".wav");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 0.5);
    struct kodama_recorder_config config = config_for(path);
    config.marks = true;
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    overrun(ring, recorder);
    struct kodama_recorder_stats stats = finish(recorder);
    list_path(list, sizeof list, path);
    uint64_t listed = 0;
    for (const char *at = read_text(list); (at = strstr(at, "{\"event\": \"lost\"")); at++) {
        unsigned long long position, frame, length;
        assert_int_equal(sscanf(at,
                                "{\"event\": \"lost\", \"position\": %llu, \"frame\": %llu, "
                                "\"length\": %llu}\n",
                                &position, &frame, &length),
                         3);
        assert_int_equal(position, frame); /* nothing was left out before */
        listed += length;
    }
    assert_int_equal(listed, stats.lost_frames);
    unlink(list);
    kodama_ring_destroy(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wav_file_holds_every_bit_of_every_sample_type),
        cmocka_unit_test(a_ring_of_u8_is_recorded_as_s16),
        cmocka_unit_test(a_flac_file_holds_every_bit_of_s16_and_s24),
        cmocka_unit_test(an_ogg_vorbis_file_has_the_exact_length_and_the_sound),
        cmocka_unit_test(an_opus_file_has_the_exact_length_and_the_sound),
        cmocka_unit_test(a_sample_type_that_was_asked_for_is_the_one_in_the_file),
        cmocka_unit_test(a_recording_can_begin_in_the_past),
        cmocka_unit_test(two_recorders_of_one_ring_write_the_same),
        cmocka_unit_test(a_stop_in_mid_flow_writes_all_that_the_ring_held_and_no_more),
        cmocka_unit_test(a_ring_that_ends_ends_the_recording),
        cmocka_unit_test(a_recording_with_a_length_ends_by_itself_at_that_frame),
        cmocka_unit_test(the_end_of_a_recording_signals_its_waitable),
        cmocka_unit_test(closing_a_recorder_finishes_its_file),
        cmocka_unit_test(a_recording_of_nothing_is_an_empty_wav_or_no_file),
        cmocka_unit_test(a_recorder_is_woken_once_for_a_tenth_of_a_second),
        cmocka_unit_test(a_pause_leaves_out_exactly_what_was_written_in_it),
        cmocka_unit_test(a_recorder_that_was_lapped_writes_silence_of_the_same_length),
        cmocka_unit_test(a_lossless_recorder_of_a_short_ring_loses_nothing),
        cmocka_unit_test(a_paused_lossless_recorder_does_not_hold_the_writer_back),
        cmocka_unit_test(gaps_are_counted_and_listed_with_their_places),
        cmocka_unit_test(lost_frames_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
