/* Tests of the check of Whisper model files: whole ones pass, cut and damaged ones are refused with
 * a sentence; and with libwhisper, what passes can be decoded with. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "speech/engine.h"
#include "speech/engine_whisper_check.h"
#include "support/whisper_model.h"

static const _Atomic bool never = false;

struct bytes {
    uint8_t *data;
    size_t n;
};

static struct bytes read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    struct bytes bytes = {.n = (size_t)ftell(file)};
    rewind(file);
    bytes.data = malloc(bytes.n + 1);
    assert_non_null(bytes.data);
    assert_int_equal(fread(bytes.data, 1, bytes.n, file), bytes.n);
    fclose(file);
    return bytes;
}

static struct bytes make_model(bool multilingual)
{
    const char *path = test_scratch(".bin");
    whisper_model_write(path, "<0.00> as good as whole <1.00>", multilingual);
    return read_file(path);
}

/** Check bytes as if they were a file. */
static int check(struct bytes bytes, size_t n, struct kodama_error *error)
{
    struct whisper_head head;
    FILE *file = n > 0 ? fmemopen(bytes.data, n, "rb") : fopen("/dev/null", "rb");
    assert_non_null(file);
    int status = whisper_file_check(file, "model.bin", &head, error);
    fclose(file);
    return status;
}

/** Where the tensors' data begin: what is before is words and sizes. */
static size_t head_bytes(struct bytes bytes)
{
    static const char first[] = "encoder.positional_embedding";
    for (size_t i = 0; i + sizeof first < bytes.n; i++) {
        if (memcmp(bytes.data + i, first, sizeof first - 1) == 0) return i + sizeof first - 1;
    }
    fail_msg("no tensor");
    return 0;
}

static void whole_models_pass(void **state)
{
    (void)state;
    for (int multilingual = 0; multilingual < 2; multilingual++) {
        struct kodama_error error = {0};
        struct bytes bytes = make_model(multilingual);
        if (check(bytes, bytes.n, &error) < 0) fail_msg("%s", error.message);
        free(bytes.data);
    }
}

static void models_that_are_cut_off_anywhere_are_refused(void **state)
{
    (void)state;
    struct bytes bytes = make_model(false);
    size_t n_head = head_bytes(bytes);
    for (size_t n = 0; n < bytes.n; n += n < 200 ? 1 : n < n_head ? 997 : 4096) {
        struct kodama_error error = {0};
        assert_int_equal(check(bytes, n, &error), KODAMA_ERR_CORRUPT);
        assert_non_null(strstr(error.message, "model.bin is not a whole Whisper model"));
    }
    struct kodama_error error = {0};
    assert_int_equal(check(bytes, bytes.n - 1, &error), KODAMA_ERR_CORRUPT);
    free(bytes.data);
}

/** Offsets of everything that is no weight: the head, the vocabulary, the heads of tensors. */
static size_t list_structure(struct bytes bytes, size_t *offsets, size_t n_max)
{
    size_t n = 0;
    size_t mel_end = 56 + 80 * 201 * 4;
    for (size_t i = 0; i < 56; i++) offsets[n++] = i;
    for (size_t i = mel_end; i < head_bytes(bytes); i++) offsets[n++] = i;
    for (size_t i = 0; i + 40 < bytes.n; i++) {
        bool is_name = memcmp(bytes.data + i, "encoder.", 8) == 0 ||
                       memcmp(bytes.data + i, "decoder.", 8) == 0;
        if (!is_name) continue;
        for (size_t j = i - 20; j < i + 30 && n < n_max; j++) offsets[n++] = j;
    }
    return n;
}

/** Decode with a damaged model that passed: nothing may end the program. */
static void use(const char *path)
{
    const struct engine_ops *ops = engine_find("whisper");
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_error error = {0};
    struct engine_context context = {0};
    struct engine_result result;
    static float samples[ENGINE_RATE_HZ];
    char name[100];
    void *model;
    void *decoder;
    config.path = path;
    config.n_decoders = 8;
    if (!ops || ops->model_open(&model, &config, name, sizeof name, &error) < 0) return;
    if (ops->decoder_open(&decoder, model, &error) == KODAMA_OK) {
        for (int i = 0; i < 2; i++) {
            if (ops->decode(decoder, samples, ENGINE_RATE_HZ / 2, &context, &never, &result,
                            &error) == KODAMA_OK) {
                engine_result_clear(&result);
            }
        }
        ops->decoder_close(decoder);
    }
    free(context.data);
    ops->model_close(model);
}

static void damaged_models_are_refused_or_harmless(void **state)
{
    (void)state;
    enum { OFFSETS_MAX = 20000 };
    static size_t offsets[OFFSETS_MAX];
    struct bytes bytes = make_model(true);
    size_t n_offsets = list_structure(bytes, offsets, OFFSETS_MAX);
    struct test_random random = {.state = 11};
    int n_refused = 0;
    int n_flips = (int)(3000 * test_scale());
    int n_used = 0;
    for (int i = 0; i < n_flips; i++) {
        size_t offset = offsets[test_random_below(&random, n_offsets)];
        uint8_t before = bytes.data[offset];
        bool flip = test_random_below(&random, 4) > 0;
        uint64_t value = flip ? before ^ (uint64_t)1 << test_random_below(&random, 8)
                              : test_random_next(&random) & 255;
        bytes.data[offset] = (uint8_t)value;
        struct kodama_error error = {0};
        if (check(bytes, bytes.n, &error) < 0) {
            assert_non_null(strstr(error.message, "model.bin"));
            n_refused++;
        } else if (bytes.data[offset] != before && n_used++ < 12) {
            const char *path = test_scratch(".bin");
            FILE *file = fopen(path, "wb");
            assert_non_null(file);
            assert_int_equal(fwrite(bytes.data, 1, bytes.n, file), bytes.n);
            fclose(file);
            use(path);
            remove(path);
        }
        bytes.data[offset] = before;
    }
    assert_true(n_refused > n_flips / 2);
    free(bytes.data);
}

static void what_is_no_model_is_told_from_one(void **state)
{
    (void)state;
    const char *path = test_scratch(".bin");
    whisper_model_write(path, "<0.00> yes <1.00>", false);
    assert_true(whisper_file_is_model(path));
    assert_string_equal(engine_guess(path), "whisper");
    assert_null(engine_guess(test_path("meson.build")));
    assert_null(engine_guess(test_path("src")));
    assert_null(engine_guess("/nowhere"));
    assert_null(engine_guess(NULL));
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_error error = {0};
    struct kodama_model *model;
    config.path = path;
    config.n_decoders = 1;
    int status = kodama_model_open(&model, &config, &error);
    if (engine_find("whisper")) {
        assert_int_equal(status, KODAMA_OK);
        assert_string_equal(kodama_model_engine(model), "whisper");
        kodama_model_close(model);
        config.path = NULL;
        config.engine = "whisper";
        assert_int_equal(kodama_model_open(&model, &config, &error), KODAMA_ERR_NOT_FOUND);
        config.path = "/nowhere.bin";
        assert_int_equal(kodama_model_open(&model, &config, &error), KODAMA_ERR_NOT_FOUND);
        assert_non_null(strstr(error.message, "/nowhere.bin"));
        config.path = test_path("meson.build");
        assert_int_equal(kodama_model_open(&model, &config, &error), KODAMA_ERR_CORRUPT);
        assert_non_null(strstr(error.message, "mark"));
    } else {
        assert_int_equal(status, KODAMA_ERR_NOT_FOUND);
        assert_non_null(strstr(error.message, "libwhisper-dev"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_models_pass),
        cmocka_unit_test(models_that_are_cut_off_anywhere_are_refused),
        cmocka_unit_test(damaged_models_are_refused_or_harmless),
        cmocka_unit_test(what_is_no_model_is_told_from_one),
    };
    return cmocka_run_group_tests_name("whisper_check", tests, NULL, NULL);
}
