/* SHA-256 against the examples of its standard and the system's own program. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"

static void sum_of(const void *bytes, size_t n_bytes, char text[SHA256_TEXT_BYTES])
{
    struct sha256 sum;
    sha256_begin(&sum);
    sha256_add(&sum, bytes, n_bytes);
    sha256_end(&sum, text);
}

static void known_texts_have_their_known_sums(void **state)
{
    static const struct {
        const char *text, *sum;
    } known[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char text[SHA256_TEXT_BYTES];
        sum_of(known[i].text, strlen(known[i].text), text);
        assert_string_equal(text, known[i].sum);
    }
}

static void a_million_letters_have_their_known_sum(void **state)
{
    enum { N = 1000000 };
    char text[SHA256_TEXT_BYTES], *letters = malloc(N);
    (void)state;
    memset(letters, 'a', N);
    sum_of(letters, N, text);
    free(letters);
    assert_string_equal(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void how_it_is_cut_does_not_matter(void **state)
{
    struct test_random random = {7};
    uint8_t bytes[700];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)test_random_next(&random);
    for (int round = 0; round < 300; round++) {
        char whole[SHA256_TEXT_BYTES], pieces[SHA256_TEXT_BYTES];
        size_t n_bytes = (size_t)test_random_below(&random, sizeof bytes);
        sum_of(bytes, n_bytes, whole);
        struct sha256 sum;
        sha256_begin(&sum);
        for (size_t at = 0; at < n_bytes;) {
            size_t n = 1 + (size_t)test_random_below(&random, n_bytes - at);
            sha256_add(&sum, bytes + at, n);
            at += n;
        }
        sha256_end(&sum, pieces);
        assert_string_equal(pieces, whole);
    }
}

static void it_says_what_sha256sum_says(void **state)
{
    (void)state;
    const char *path = test_path("LICENSE");
    char command[512], said[SHA256_TEXT_BYTES] = "", text[SHA256_TEXT_BYTES];
    snprintf(command, sizeof command, "sha256sum '%s' 2>/dev/null", path);
    FILE *program = popen(command, "r"), *file = fopen(path, "rb");
    assert_non_null(program);
    assert_non_null(file);
    size_t n_said = fread(said, 1, sizeof said - 1, program);
    pclose(program);
    if (n_said < sizeof said - 1) {
        fclose(file);
        skip();
    }
    static char bytes[65536];
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    sum_of(bytes, n, text);
    assert_string_equal(text, said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts_have_their_known_sums),
        cmocka_unit_test(a_million_letters_have_their_known_sum),
        cmocka_unit_test(how_it_is_cut_does_not_matter),
        cmocka_unit_test(it_says_what_sha256sum_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
