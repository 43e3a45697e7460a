/* Tests of the recogniser: the same finals whatever the blocks, the load and the interruptions;
 * order of events; what happens when decoders are slow or fail. */
#include "support/support.h"

#include <kodama/kodama.h>

#include "audio/convert.h"
#include "audio/resampler.h"
#include "scripted.h"

#define READ "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-"

enum { TRANSCRIPT_BYTES = 20000 };

/* --------------------------------------------------------------- the material */

struct sound {
    struct kodama_format format;
    uint8_t *frames;
    size_t n_frames;
};

static struct sound from_mono(const float *samples, size_t n_samples)
{
    struct sound sound = {
        .format = {KODAMA_SAMPLE_F32, 16000, 1, 0}, .frames = NULL, .n_frames = n_samples};
    sound.frames = malloc(n_samples * sizeof *samples);
    assert_non_null(sound.frames);
    memcpy(sound.frames, samples, n_samples * sizeof *samples);
    return sound;
}

/* Two sentences with silence around them. */
static struct sound two_sentences(void)
{
    static float all[300000];
    static const char *const names[] = {READ "0880.wav", READ "0930.wav"};
    size_t at = 0;
    struct test_random random = {.state = 5};
    for (size_t i = 0; i < 300000; i++) all[i] = test_random_float(&random) * 1e-4f;
    for (int i = 0; i < 2; i++) {
        size_t n;
        float *samples = test_read_audio(test_installed(names[i]), &n, NULL, NULL);
        at += 16000;
        memcpy(all + at, samples, n * sizeof *samples);
        at += n;
        free(samples);
    }
    return from_mono(all, at + 16000);
}

/* The same at another rate, 16 bit, two channels of which one is quieter. */
static struct sound converted(struct sound mono, uint32_t rate_hz)
{
    struct resampler *resampler;
    assert_int_equal(resampler_open(&resampler, 16000, rate_hz, 1, NULL), KODAMA_OK);
    float *samples =
        calloc(resampler_output_max(resampler, mono.n_frames) + resampler_output_max(resampler, 0),
               sizeof *samples);
    assert_non_null(samples);
    size_t n = resampler_process(resampler, (float *)(void *)mono.frames, mono.n_frames, samples);
    n += resampler_flush(resampler, samples + n);
    resampler_close(resampler);
    float *stereo = calloc(2 * n, sizeof *stereo);
    assert_non_null(stereo);
    for (size_t i = 0; i < n; i++) {
        stereo[2 * i] = samples[i];
        stereo[2 * i + 1] = 0.8f * samples[i];
    }
    struct sound sound = {
        .format = {KODAMA_SAMPLE_S16, rate_hz, 2, 0}, .frames = calloc(n, 4), .n_frames = n};
    assert_non_null(sound.frames);
    convert_from_float(KODAMA_SAMPLE_S16, stereo, sound.frames, 2 * n);
    free(samples);
    free(stereo);
    return sound;
}

/* ------------------------------------------------------------- a conversation */

static struct kodama_recognizer *open_recognizer(struct kodama_model *model,
                                                 struct kodama_format format, bool partials)
{
    struct kodama_recognizer_config config = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_recognizer *recognizer;
    struct kodama_error error = {0};
    config.format = format;
    config.partials = partials;
    if (kodama_recognizer_open(&recognizer, model, &config, &error) < 0) {
        fail_msg("%s", error.message);
    }
    return recognizer;
}

static void write_frames(struct kodama_recognizer *recognizer, const struct sound *sound,
                         size_t begin, size_t end, size_t block)
{
    while (begin < end) {
        size_t n = end - begin < block ? end - begin : block;
        const uint8_t *frames = sound->frames + begin * kodama_frame_bytes(sound->format);
        assert_int_equal(kodama_recognizer_write(recognizer, frames, n, KODAMA_FOREVER), n);
        begin += n;
    }
}

/* What was told, in writing: positions, texts, times and confidences to the last bit. */
struct transcript {
    char positions[TRANSCRIPT_BYTES];
    char finals[TRANSCRIPT_BYTES];
    int n_finals, n_partials, n_failed, n_slow;
};

static void note(struct transcript *transcript, const struct kodama_event *event)
{
    char *out = transcript->finals;
    size_t n;
    switch (event->kind) {
    case KODAMA_EVENT_SPEECH_STARTED:
    case KODAMA_EVENT_SPEECH_STOPPED:
        out = transcript->positions;
        n = strlen(out);
        snprintf(out + n, TRANSCRIPT_BYTES - n, "%d:%u@%llu\n", (int)event->kind, event->utterance,
                 (unsigned long long)event->sample);
        break;
    case KODAMA_EVENT_FINAL:
        transcript->n_finals++;
        n = strlen(out);
        n += (size_t)snprintf(out + n, TRANSCRIPT_BYTES - n, "%u %a-%a %a: %s\n", event->utterance,
                              event->start_s, event->end_s, (double)event->confidence, event->text);
        for (size_t i = 0; i < event->n_words; i++) {
            const struct kodama_word *word = &event->words[i];
            n += (size_t)snprintf(out + n, TRANSCRIPT_BYTES - n, "  %s %a %a %a\n", word->text,
                                  word->start_s, word->end_s, (double)word->confidence);
        }
        break;
    case KODAMA_EVENT_PARTIAL: transcript->n_partials++; break;
    case KODAMA_EVENT_FAILED: transcript->n_failed++; break;
    case KODAMA_EVENT_SLOW: transcript->n_slow++; break;
    }
}

static void read_all(struct kodama_recognizer *recognizer, struct transcript *transcript)
{
    struct kodama_event event;
    int status;
    int64_t limit = 120 * (int64_t)CLOCK_NS_PER_S;
    while ((status = kodama_recognizer_next(recognizer, &event, limit)) == KODAMA_OK) {
        note(transcript, &event);
    }
    assert_int_equal(status, KODAMA_ERR_CLOSED);
}

static void read_ready(struct kodama_recognizer *recognizer, struct transcript *transcript)
{
    struct kodama_event event;
    while (kodama_recognizer_next(recognizer, &event, 0) == KODAMA_OK) note(transcript, &event);
}

static void run(struct kodama_model *model, const struct sound *sound, size_t block, bool partials,
                struct transcript *transcript)
{
    *transcript = (struct transcript){0};
    struct kodama_recognizer *recognizer = open_recognizer(model, sound->format, partials);
    write_frames(recognizer, sound, 0, sound->n_frames, block);
    assert_int_equal(kodama_recognizer_finish(recognizer), KODAMA_OK);
    read_all(recognizer, transcript);
    kodama_recognizer_close(recognizer);
}

static void assert_same(const struct transcript *a, const struct transcript *b)
{
    assert_string_equal(a->positions, b->positions);
    assert_string_equal(a->finals, b->finals);
}

/* ------------------------------------------------------------------ invariance */

static void blocks_of_any_size_give_the_same_finals(void **state)
{
    (void)state;
    static const size_t blocks[] = {1, 160, 441, 4800, 1000000};
    struct sound mono = two_sentences();
    struct sound sounds[] = {mono, converted(mono, 48000), converted(mono, 44100)};
    script_reset();
    script.hash = true;
    struct kodama_model *model = open_script(2);
    for (int s = 0; s < 3; s++) {
        struct transcript expected;
        struct transcript got;
        run(model, &sounds[s], 777, false, &expected);
        assert_true(expected.n_finals >= 2);
        for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
            run(model, &sounds[s], blocks[i], i % 2 == 0, &got);
            assert_same(&expected, &got);
        }
    }
    kodama_model_close(model);
    for (int s = 0; s < 3; s++) free(sounds[s].frames);
}

static void positions_are_at_the_rate_of_the_input(void **state)
{
    (void)state;
    struct sound mono = two_sentences();
    struct sound stereo = converted(mono, 48000);
    script_reset();
    struct kodama_model *model = open_script(1);
    struct transcript at_16;
    struct transcript at_48;
    run(model, &mono, 480, false, &at_16);
    run(model, &stereo, 480, false, &at_48);
    const char *a = at_16.positions;
    const char *b = at_48.positions;
    int n = 0;
    while ((a = strchr(a, '@')) && (b = strchr(b, '@'))) {
        long at = strtol(++a, NULL, 10);
        long three_times = strtol(++b, NULL, 10);
        assert_true(labs(3 * at - three_times) <= 3 * 480); /* a window may judge otherwise */
        assert_true(three_times % 3 == 0);
        n++;
    }
    assert_true(n >= 4);
    kodama_model_close(model);
    free(mono.frames);
    free(stereo.frames);
}

static void a_conversation_resumed_anywhere_ends_like_an_uninterrupted_one(void **state)
{
    (void)state;
    struct sound mono = two_sentences();
    struct sound sounds[] = {mono, converted(mono, 44100)};
    script_reset();
    script.hash = true;
    struct kodama_model *model = open_script(2);
    struct test_random random = {.state = 11};
    for (int s = 0; s < 2; s++) {
        const struct sound *sound = &sounds[s];
        struct transcript expected;
        run(model, sound, 480, true, &expected);
        for (int round = 0; round < (int)(12 * test_scale()); round++) {
            struct transcript got = {0};
            struct kodama_recognizer *r = open_recognizer(model, sound->format, true);
            size_t at = 0;
            for (int cut = 0; cut < 3; cut++) {
                size_t next = at + test_random_below(&random, sound->n_frames - at);
                write_frames(r, sound, at, next, 331);
                at = next;
                void *data;
                size_t n_bytes;
                assert_int_equal(kodama_recognizer_save(r, &data, &n_bytes), KODAMA_OK);
                read_ready(r, &got);
                kodama_recognizer_close(r);
                r = open_recognizer(model, sound->format, true);
                assert_int_equal(kodama_recognizer_load(r, data, n_bytes), KODAMA_OK);
                kodama_free(data);
            }
            write_frames(r, sound, at, sound->n_frames, 331);
            assert_int_equal(kodama_recognizer_finish(r), KODAMA_OK);
            read_all(r, &got);
            kodama_recognizer_close(r);
            assert_same(&expected, &got);
        }
    }
    kodama_model_close(model);
    for (int s = 0; s < 2; s++) free(sounds[s].frames);
}

static void a_damaged_conversation_is_refused(void **state)
{
    (void)state;
    struct sound mono = two_sentences();
    script_reset();
    script.hash = true;
    struct kodama_model *model = open_script(1);
    struct transcript expected;
    run(model, &mono, 480, false, &expected);
    struct kodama_recognizer *r = open_recognizer(model, mono.format, false);
    write_frames(r, &mono, 0, 40000, 480);
    void *data;
    size_t n_bytes;
    assert_int_equal(kodama_recognizer_save(r, &data, &n_bytes), KODAMA_OK);
    assert_int_equal(kodama_recognizer_load(r, data, n_bytes), KODAMA_ERR_STATE);
    kodama_recognizer_close(r);

    r = open_recognizer(model, (struct kodama_format){KODAMA_SAMPLE_S16, 16000, 1, 0}, false);
    assert_int_equal(kodama_recognizer_load(r, data, n_bytes), KODAMA_ERR_CORRUPT);
    kodama_recognizer_close(r);

    r = open_recognizer(model, mono.format, false);
    struct test_random random = {.state = 1};
    for (int i = 0; i < 300; i++) {
        uint8_t *copy = malloc(n_bytes);
        assert_non_null(copy);
        memcpy(copy, data, n_bytes);
        size_t n = i < 100 ? test_random_below(&random, n_bytes) : n_bytes;
        if (i >= 100) copy[test_random_below(&random, 400)] ^= (uint8_t)(1 + i % 255);
        if (kodama_recognizer_load(r, copy, n) == KODAMA_OK) {
            /* What was hit cannot be told from a possible state: it must do no harm. */
            kodama_recognizer_write(r, mono.frames, 4000, 0);
            kodama_recognizer_close(r);
            r = open_recognizer(model, mono.format, false);
        }
        free(copy);
    }
    kodama_recognizer_close(r);
    /* A recogniser that refused one is as new. */
    r = open_recognizer(model, mono.format, false);
    assert_int_equal(kodama_recognizer_load(r, data, n_bytes - 1), KODAMA_ERR_CORRUPT);
    struct transcript got = {0};
    write_frames(r, &mono, 0, mono.n_frames, 480);
    assert_int_equal(kodama_recognizer_finish(r), KODAMA_OK);
    read_all(r, &got);
    assert_same(&expected, &got);
    kodama_recognizer_close(r);
    free(data);
    free(mono.frames);
    kodama_model_close(model);
}

/* ---------------------------------------------------------------------- events */

static void events_of_an_utterance_come_in_order(void **state)
{
    (void)state;
    struct sound mono = two_sentences();
    script_reset();
    struct kodama_model *model = open_script(2);
    struct kodama_recognizer *r = open_recognizer(model, mono.format, true);
    struct kodama_event event;
    enum kodama_event_kind newest[16] = {0};
    size_t at = 0;
    int n_finals = 0;
    int status = KODAMA_OK;
    while (status != KODAMA_ERR_CLOSED) {
        size_t next = at + 320 < mono.n_frames ? at + 320 : mono.n_frames;
        write_frames(r, &mono, at, next, 320);
        if (next == mono.n_frames) assert_int_equal(kodama_recognizer_finish(r), KODAMA_OK);
        at = next;
        int64_t wait = at == mono.n_frames ? KODAMA_FOREVER : 0;
        while ((status = kodama_recognizer_next(r, &event, wait)) == KODAMA_OK) {
            assert_true(event.utterance >= 1 && event.utterance < 16);
            enum kodama_event_kind *before = &newest[event.utterance];
            assert_true(event.kind >= *before); /* the kinds are numbered in their order */
            assert_true(event.kind == KODAMA_EVENT_PARTIAL || event.kind > *before);
            *before = event.kind;
            if (event.kind == KODAMA_EVENT_FINAL) {
                assert_int_equal(event.utterance, (uint32_t)++n_finals);
            }
            if (event.kind == KODAMA_EVENT_PARTIAL) assert_string_equal(event.text, "hm");
        }
    }
    assert_true(n_finals >= 2);
    assert_int_equal(kodama_recognizer_pending_ms(r), 0);
    kodama_recognizer_close(r);
    kodama_model_close(model);
    free(mono.frames);
}

static void an_utterance_that_cannot_be_decoded_is_told(void **state)
{
    (void)state;
    struct sound mono = two_sentences();
    script_reset();
    script.fail = 0; /* the first sample of all of them */
    struct kodama_model *model = open_script(1);
    struct kodama_recognizer *r = open_recognizer(model, mono.format, false);
    write_frames(r, &mono, 0, mono.n_frames, 480);
    assert_int_equal(kodama_recognizer_finish(r), KODAMA_OK);
    struct kodama_event event;
    uint32_t failed = 0;
    int n_finals = 0;
    while (kodama_recognizer_next(r, &event, KODAMA_FOREVER) == KODAMA_OK) {
        if (event.kind == KODAMA_EVENT_FAILED) {
            assert_string_equal(event.text, "the script says so");
            failed = event.utterance;
        }
        if (event.kind == KODAMA_EVENT_FINAL) {
            assert_int_equal(event.utterance, failed);
            assert_string_equal(event.text, "");
            assert_int_equal(event.n_words, 0);
            n_finals++;
        }
    }
    assert_true(n_finals >= 2);
    kodama_recognizer_close(r);
    kodama_model_close(model);
    free(mono.frames);
}

static void a_writer_waits_when_too_much_is_undecided(void **state)
{
    (void)state;
    struct sound mono = two_sentences();
    script_reset();
    script_gate(true);
    struct kodama_model *model = open_script(1);
    struct kodama_recognizer_config config = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_recognizer *r;
    config.format = mono.format;
    config.max_pending_ms = 1;
    assert_int_equal(kodama_recognizer_open(&r, model, &config, NULL), KODAMA_OK);
    int64_t heard = kodama_recognizer_write(r, mono.frames, mono.n_frames, 0);
    assert_true(heard > 0 && (size_t)heard < mono.n_frames);
    assert_int_equal(kodama_recognizer_write(r, mono.frames, 1, 0), KODAMA_ERR_FULL);
    assert_int_equal(kodama_recognizer_write(r, mono.frames, 1, 1000000), KODAMA_ERR_TIMEOUT);
    assert_true(kodama_recognizer_pending_ms(r) > 100);
    script_gate(false);
    write_frames(r, &mono, (size_t)heard, mono.n_frames, 480);
    assert_int_equal(kodama_recognizer_finish(r), KODAMA_OK);
    assert_int_equal(kodama_recognizer_finish(r), KODAMA_OK);
    assert_int_equal(kodama_recognizer_write(r, mono.frames, 1, 0), KODAMA_ERR_CLOSED);
    struct transcript got = {0};
    read_all(r, &got);
    assert_true(got.n_finals >= 2);
    kodama_recognizer_close(r);
    kodama_model_close(model);
    free(mono.frames);
}

static void slow_decoding_is_told_once(void **state)
{
    (void)state;
    struct sound mono = two_sentences();
    script_reset();
    script_gate(true);
    struct kodama_model *model = open_script(1);
    struct kodama_recognizer *r = open_recognizer(model, mono.format, false);
    struct transcript got = {0};
    write_frames(r, &mono, 0, mono.n_frames / 2, 480);
    assert_int_equal(kodama_recognizer_finalize(r), KODAMA_OK);
    read_ready(r, &got);
    assert_int_equal(got.n_slow, 0);
    clock_sleep_until(clock_now_ns() + 2100 * CLOCK_NS_PER_MS);
    for (int i = 0; i < 20; i++) kodama_recognizer_write(r, NULL, 320, 0);
    read_ready(r, &got);
    assert_int_equal(got.n_slow, 1);
    script_gate(false);
    assert_int_equal(kodama_recognizer_finish(r), KODAMA_OK);
    read_all(r, &got);
    assert_int_equal(got.n_slow, 1);
    assert_true(got.n_finals >= 1);
    kodama_recognizer_close(r);
    kodama_model_close(model);
    free(mono.frames);
}

static void count_call(void *user)
{
    atomic_fetch_add((_Atomic int *)user, 1);
}

static void a_reader_can_poll_or_be_called(void **state)
{
    (void)state;
    struct sound mono = two_sentences();
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_recognizer_config config = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_recognizer *r;
    struct kodama_waitable waitable;
    struct kodama_event event;
    _Atomic int n_calls = 0;
    config.format = mono.format;
    config.on_event = count_call;
    config.user = (void *)&n_calls;
    assert_int_equal(kodama_recognizer_open(&r, model, &config, NULL), KODAMA_OK);
    assert_int_equal(kodama_recognizer_waitable(r, &waitable), KODAMA_OK);
    assert_int_equal(kodama_waitable_wait(waitable, 0), KODAMA_ERR_TIMEOUT);
    assert_int_equal(kodama_recognizer_next(r, &event, 0), KODAMA_ERR_EMPTY);
    assert_int_equal(kodama_recognizer_next(r, &event, 1000000), KODAMA_ERR_TIMEOUT);
    write_frames(r, &mono, 0, mono.n_frames / 2, 480);
    assert_int_equal(kodama_waitable_wait(waitable, 0), KODAMA_OK);
    assert_true(atomic_load(&n_calls) > 0);
    assert_true(kodama_recognizer_probability(r) >= 0.0f);
    assert_int_equal(kodama_recognizer_finalize(r), KODAMA_OK);
    assert_int_equal(kodama_recognizer_finish(r), KODAMA_OK);
    while (kodama_recognizer_next(r, &event, KODAMA_FOREVER) == KODAMA_OK) {
    }
    assert_int_equal(kodama_waitable_wait(waitable, 0), KODAMA_OK); /* the end is to be seen */
    kodama_recognizer_close(r);
    kodama_model_close(model);
    free(mono.frames);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_recognizer_config config = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_recognizer *r;
    assert_int_equal(kodama_recognizer_open(&r, model, &config, NULL), KODAMA_ERR_FORMAT);
    config.format = (struct kodama_format){KODAMA_SAMPLE_S16, 16000, 1, 0};
    config.segmenter.detector = "telepathy";
    assert_int_equal(kodama_recognizer_open(&r, model, &config, NULL), KODAMA_ERR_NOT_FOUND);
    config.segmenter.detector = NULL;
    config.segmenter.threshold = 7.0f;
    assert_int_equal(kodama_recognizer_open(&r, model, &config, NULL), KODAMA_ERR_ARGUMENT);
    assert_null(r);
    assert_int_equal(kodama_recognizer_open(&r, NULL, &config, NULL), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_recognizer_write(NULL, NULL, 0, 0), KODAMA_ERR_ARGUMENT);
    kodama_recognizer_close(NULL);
    kodama_model_close(model);
}

/* ----------------------------------------------------------------- real decoding */

struct side {
    struct kodama_model *model;
    const struct sound *sound;
    struct transcript transcript;
};

static void run_side(void *argument)
{
    struct side *side = argument;
    run(side->model, side->sound, 160, true, &side->transcript);
}

static void real_finals_do_not_depend_on_load_partials_or_other_speakers(void **state)
{
    (void)state;
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_model *model;
    struct kodama_error error = {0};
    size_t n;
    float *samples = test_read_audio(test_shared("speech/jfk.wav"), &n, NULL, NULL);
    struct sound jfk = from_mono(samples, n);
    free(samples);
    struct sound other = two_sentences();
    config.n_decoders = 2;
    if (kodama_model_open(&model, &config, &error) == KODAMA_ERR_NOT_FOUND) {
        printf("# skipped: %s\n", error.message);
        skip();
    }
    struct transcript alone;
    run(model, &jfk, 4800, false, &alone);
    assert_true(alone.n_finals >= 3);
    assert_non_null(strstr(alone.finals, "fellow"));

    struct side sides[3] = {{model, &jfk, {{0}, {0}, 0, 0, 0, 0}},
                            {model, &other, {{0}, {0}, 0, 0, 0, 0}},
                            {model, &other, {{0}, {0}, 0, 0, 0, 0}}};
    struct thread threads[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(thread_start(&threads[i], "side", run_side, &sides[i], NULL), KODAMA_OK);
    }
    for (int i = 0; i < 3; i++) thread_join(&threads[i]);
    assert_same(&alone, &sides[0].transcript);
    assert_same(&sides[1].transcript, &sides[2].transcript);

    /* And taken up again elsewhere in the middle of the third sentence. */
    struct transcript resumed = {0};
    struct kodama_recognizer *r = open_recognizer(model, jfk.format, false);
    write_frames(r, &jfk, 0, 100000, 441);
    void *data;
    size_t n_bytes;
    assert_int_equal(kodama_recognizer_save(r, &data, &n_bytes), KODAMA_OK);
    read_ready(r, &resumed);
    kodama_recognizer_close(r);
    r = open_recognizer(model, jfk.format, false);
    assert_int_equal(kodama_recognizer_load(r, data, n_bytes), KODAMA_OK);
    kodama_free(data);
    write_frames(r, &jfk, 100000, jfk.n_frames, 441);
    assert_int_equal(kodama_recognizer_finish(r), KODAMA_OK);
    read_all(r, &resumed);
    kodama_recognizer_close(r);
    assert_same(&alone, &resumed);

    struct kodama_model_stats stats;
    kodama_model_stats(model, &stats);
    assert_true(stats.finals >= 6);
    assert_string_equal(kodama_model_engine(model), "pocketsphinx");
    assert_string_equal(kodama_model_name(model), "en-us");
    kodama_model_close(model);
    free(jfk.frames);
    free(other.frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_any_size_give_the_same_finals),
        cmocka_unit_test(positions_are_at_the_rate_of_the_input),
        cmocka_unit_test(a_conversation_resumed_anywhere_ends_like_an_uninterrupted_one),
        cmocka_unit_test(a_damaged_conversation_is_refused),
        cmocka_unit_test(events_of_an_utterance_come_in_order),
        cmocka_unit_test(an_utterance_that_cannot_be_decoded_is_told),
        cmocka_unit_test(a_writer_waits_when_too_much_is_undecided),
        cmocka_unit_test(slow_decoding_is_told_once),
        cmocka_unit_test(a_reader_can_poll_or_be_called),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(real_finals_do_not_depend_on_load_partials_or_other_speakers),
    };
    return cmocka_run_group_tests_name("recognizer", tests, NULL, NULL);
}
