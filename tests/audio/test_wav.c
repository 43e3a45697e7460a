/* Tests of reading a WAV header in order: every kind, every size that streaming writers put, every
 * cut. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/wav.h"

struct bytes {
    uint8_t data[400];
    size_t n, at;
};

static void put(struct bytes *bytes, const void *data, size_t n)
{
    assert_true(bytes->n + n <= sizeof bytes->data);
    memcpy(bytes->data + bytes->n, data, n);
    bytes->n += n;
}

static void put_number(struct bytes *bytes, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++) put(bytes, &(uint8_t){(uint8_t)(value >> (8 * i))}, 1);
}

struct kind {
    uint32_t tag, channels, rate_hz, sample_bytes, extensible_tag, mask, data_bytes;
};

static void put_head(struct bytes *bytes, const char *form)
{
    put(bytes, form, 4);
    put_number(bytes, 0xffffffff, 4);
    put(bytes, "WAVE", 4);
}

static void put_fmt(struct bytes *bytes, struct kind kind)
{
    put(bytes, "fmt ", 4);
    put_number(bytes, kind.tag == 0xfffe ? 40 : 16, 4);
    put_number(bytes, kind.tag, 2);
    put_number(bytes, kind.channels, 2);
    put_number(bytes, kind.rate_hz, 4);
    put_number(bytes, (uint64_t)kind.rate_hz * kind.channels * kind.sample_bytes, 4);
    put_number(bytes, kind.channels * kind.sample_bytes, 2);
    put_number(bytes, 8 * kind.sample_bytes, 2);
    if (kind.tag != 0xfffe) return;
    put_number(bytes, 22, 2);
    put_number(bytes, 8 * kind.sample_bytes, 2);
    put_number(bytes, kind.mask, 4);
    put_number(bytes, kind.extensible_tag, 2);
    put(bytes, "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71", 14);
}

static void put_data(struct bytes *bytes, uint32_t n_bytes)
{
    put(bytes, "data", 4);
    put_number(bytes, n_bytes, 4);
}

static struct bytes plain(struct kind kind)
{
    struct bytes bytes = {0};
    put_head(&bytes, "RIFF");
    put_fmt(&bytes, kind);
    put_data(&bytes, kind.data_bytes);
    return bytes;
}

static int64_t read_bytes(void *user, void *out, size_t n, struct kodama_error *error)
{
    (void)error;
    struct bytes *bytes = user;
    if (n > bytes->n - bytes->at) n = bytes->n - bytes->at;
    memcpy(out, bytes->data + bytes->at, n);
    bytes->at += n;
    return (int64_t)n;
}

static const struct kind speech = {1, 1, 16000, 2, 0, 0, 32000};

static void every_supported_kind_is_recognised(void **state)
{
    (void)state;
    const struct {
        struct kind kind;
        enum kodama_sample sample;
        uint32_t mask;
    } cases[] = {
        {{1, 1, 8000, 1, 0, 0, 100}, KODAMA_SAMPLE_U8, 0},
        {{1, 2, 44100, 2, 0, 0, 100}, KODAMA_SAMPLE_S16, 0},
        {{1, 1, 96000, 3, 0, 0, 99}, KODAMA_SAMPLE_S24, 0},
        {{1, 8, 192000, 4, 0, 0, 320}, KODAMA_SAMPLE_S32, 0},
        {{3, 2, 48000, 4, 0, 0, 800}, KODAMA_SAMPLE_F32, 0},
        {{0xfffe, 6, 48000, 2, 1, 0x3f, 1200}, KODAMA_SAMPLE_S16, 0x3f},
        {{0xfffe, 2, 48000, 4, 3, 0x3, 800}, KODAMA_SAMPLE_F32, 0x3},
        {{0xfffe, 2, 48000, 3, 1, 0x3f, 600}, KODAMA_SAMPLE_S24, 0}, /* the mask does not fit */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes bytes = plain(cases[i].kind);
        struct wav_header header;
        assert_int_equal(wav_read_header(read_bytes, &bytes, &header, NULL), KODAMA_OK);
        assert_int_equal(header.format.sample, cases[i].sample);
        assert_int_equal(header.format.rate_hz, cases[i].kind.rate_hz);
        assert_int_equal(header.format.channels, cases[i].kind.channels);
        assert_int_equal(header.format.channel_mask, cases[i].mask);
        assert_int_equal(header.n_frames, cases[i].kind.data_bytes / (cases[i].kind.channels *
                                                                      cases[i].kind.sample_bytes));
        assert_int_equal(header.header_bytes, bytes.n);
        assert_int_equal(bytes.at, bytes.n); /* not a byte further */
    }
}

static void sizes_of_streaming_writers_mean_until_the_end(void **state)
{
    (void)state;
    const uint32_t sizes[] = {0, 0xffffffff, 0x7ffff000, 0x80000000, 0xfffffff0, 0x7fff0000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct kind kind = speech;
        kind.data_bytes = sizes[i];
        struct bytes bytes = plain(kind);
        struct wav_header header;
        assert_int_equal(wav_read_header(read_bytes, &bytes, &header, NULL), KODAMA_OK);
        assert_int_equal(header.n_frames, -1);
    }
}

static void other_chunks_are_skipped_with_their_padding(void **state)
{
    (void)state;
    struct bytes bytes = {0};
    put_head(&bytes, "RIFF");
    put(&bytes, "LIST\x05\0\0\0abcde\0", 14);
    put_fmt(&bytes, speech);
    put(&bytes, "junk\0\0\0\0", 8);
    put(&bytes, "fact\x04\0\0\0abcd", 12);
    put_data(&bytes, 64);
    struct wav_header header;
    assert_int_equal(wav_read_header(read_bytes, &bytes, &header, NULL), KODAMA_OK);
    assert_int_equal(header.n_frames, 32);
    assert_int_equal(header.header_bytes, bytes.n);
}

static void rf64_gives_its_length_in_64_bits(void **state)
{
    (void)state;
    struct bytes bytes = {0};
    put_head(&bytes, "RF64");
    put(&bytes, "ds64", 4);
    put_number(&bytes, 28, 4);
    put_number(&bytes, UINT64_C(10000000036), 8);
    put_number(&bytes, UINT64_C(10000000000), 8);
    put_number(&bytes, UINT64_C(5000000000), 8);
    put_number(&bytes, 0, 4);
    put_fmt(&bytes, speech);
    put_data(&bytes, 0xffffffff);
    struct wav_header header;
    assert_int_equal(wav_read_header(read_bytes, &bytes, &header, NULL), KODAMA_OK);
    assert_true(header.n_frames == INT64_C(5000000000));
}

static void every_cut_of_the_header_is_said_to_be_one(void **state)
{
    (void)state;
    struct kind kind = {0xfffe, 6, 48000, 2, 1, 0x3f, 1200};
    struct bytes whole = plain(kind);
    for (size_t n = 0; n < whole.n; n++) {
        struct bytes bytes = whole;
        bytes.n = n;
        struct wav_header header;
        struct kodama_error error = {0};
        int status = wav_read_header(read_bytes, &bytes, &header, &error);
        assert_int_equal(status, n > 0 && n < 12 ? KODAMA_ERR_UNSUPPORTED : KODAMA_ERR_CORRUPT);
        assert_true(strlen(error.message) > 10);
    }
}

static void what_is_not_supported_is_refused_in_words(void **state)
{
    (void)state;
    const struct kind kinds[] = {
        {7, 1, 8000, 1, 0, 0, 100},        /* mu-law */
        {3, 1, 8000, 8, 0, 0, 100},        /* double */
        {1, 1, 8000, 5, 0, 0, 100},        /* no such integer */
        {1, 0, 8000, 2, 0, 0, 100},        /* no channels */
        {1, 9, 8000, 2, 0, 0, 100},        /* too many */
        {1, 1, 4000, 2, 0, 0, 100},        /* too slow */
        {1, 1, 0xffffffff, 2, 0, 0, 100},  /* too fast */
        {1, 0xffff, 8000, 4, 0, 0, 100},   /* the product does not fit 16 bits */
        {0xfffe, 2, 48000, 2, 85, 3, 100}, /* extensible MP3 */
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct bytes bytes = plain(kinds[i]);
        struct wav_header header;
        struct kodama_error error = {0};
        assert_int_equal(wav_read_header(read_bytes, &bytes, &header, &error), KODAMA_ERR_FORMAT);
        assert_non_null(strstr(error.message, "supported"));
    }
    struct bytes bytes = {0};
    struct wav_header header;
    put(&bytes, "OggS123456789012345", 19);
    assert_int_equal(wav_read_header(read_bytes, &bytes, &header, NULL), KODAMA_ERR_UNSUPPORTED);
    bytes = (struct bytes){0};
    put_head(&bytes, "RIFF");
    put_data(&bytes, 100); /* audio before its format */
    assert_int_equal(wav_read_header(read_bytes, &bytes, &header, NULL), KODAMA_ERR_CORRUPT);
    bytes = (struct bytes){0};
    put_head(&bytes, "RIFF");
    put(&bytes, "LIST\xff\xff\xff\xff", 8);
    assert_int_equal(wav_read_header(read_bytes, &bytes, &header, NULL), KODAMA_ERR_CORRUPT);
    bytes = (struct bytes){0};
    put_head(&bytes, "RIFF");
    put(&bytes, "fmt \x0f\0\0\0abcdefghijklmnop", 24);
    assert_int_equal(wav_read_header(read_bytes, &bytes, &header, NULL), KODAMA_ERR_CORRUPT);
}

static void random_damage_gives_an_answer(void **state)
{
    (void)state;
    struct test_random random = {.state = 1};
    struct kind kind = {0xfffe, 6, 48000, 2, 1, 0x3f, 1200};
    struct bytes whole = plain(kind);
    for (int i = 0; i < 100000; i++) {
        struct bytes bytes = whole;
        for (int k = 0; k < 3; k++) {
            bytes.data[test_random_below(&random, bytes.n)] = (uint8_t)test_random_next(&random);
        }
        struct wav_header header;
        if (wav_read_header(read_bytes, &bytes, &header, NULL) == KODAMA_OK) {
            assert_int_equal(kodama_format_check(header.format, NULL), KODAMA_OK);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_supported_kind_is_recognised),
        cmocka_unit_test(sizes_of_streaming_writers_mean_until_the_end),
        cmocka_unit_test(other_chunks_are_skipped_with_their_padding),
        cmocka_unit_test(rf64_gives_its_length_in_64_bits),
        cmocka_unit_test(every_cut_of_the_header_is_said_to_be_one),
        cmocka_unit_test(what_is_not_supported_is_refused_in_words),
        cmocka_unit_test(random_damage_gives_an_answer),
    };
    return cmocka_run_group_tests_name("wav", tests, NULL, NULL);
}
