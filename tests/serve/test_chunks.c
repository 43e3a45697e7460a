/* Tests of the reader of chunked bodies: in pieces of any size, and what is broken. */
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

#include "serve/chunks.h"

/** What the data is, read in pieces; the reader ends in `state`. */
static void expect(const char *body, size_t piece, const char *data, enum chunks_state state)
{
    struct chunks chunks = {0};
    char all[4096];
    size_t n_all = 0, n_body = strlen(body);
    for (size_t at = 0; at < n_body; at += piece) {
        const char *bytes = body + at, *found;
        size_t n_bytes = n_body - at < piece ? n_body - at : piece, n;
        while ((n = chunks_read(&chunks, &bytes, &n_bytes, &found)) > 0) {
            assert_true(n_all + n <= sizeof all);
            memcpy(all + n_all, found, n);
            n_all += n;
        }
    }
    assert_int_equal(chunks.state, state);
    assert_int_equal(n_all, strlen(data));
    assert_memory_equal(all, data, n_all);
}

static void chunks_are_read_in_pieces_of_any_size(void **state)
{
    (void)state;
    static const char body[] = "4\r\nWiki\r\n7;x=\"y\"\r\npedia i\r\nB \r\nn \r\nchunks.\r\n"
                               "0\r\nExpires: never\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n";
    for (size_t piece = 1; piece < sizeof body; piece++) {
        expect(body, piece, "Wikipedia in \r\nchunks.", CHUNKS_END);
    }
    expect("0\r\n\r\n", 5, "", CHUNKS_END);
    expect("0005\r\nabcde\r\n000\r\n\r\n", 3, "abcde", CHUNKS_END);
    expect("5\r\nabc", 6, "abc", CHUNKS_DATA);
}

static void what_is_broken_is_seen(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "RIFF",     "\r\n",       "4\nWiki",
        "4\rWiki",  "x4\r\n",     "4x\r\n",
        "-4\r\n",   "0x4\r\n",    "1ffffffffffffffff\r\n",
        "0\r\n\rX", "4;a\nb\r\n",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        expect(bodies[i], 1, "", CHUNKS_BROKEN);
        expect(bodies[i], 100, "", CHUNKS_BROKEN);
    }
    expect("4\r\nWikipedia", 20, "Wiki", CHUNKS_BROKEN);
    expect("4\r\nWiki\n", 20, "Wiki", CHUNKS_BROKEN);
}

static void what_is_no_data_is_not_read_without_end(void **state)
{
    (void)state;
    char *body = calloc(20001, 1);
    assert_non_null(body);
    memset(body, '0', 20000);
    expect(body, 7, "", CHUNKS_BROKEN);
    memset(body, 'x', 20000);
    memcpy(body, "1;", 2);
    expect(body, 7, "", CHUNKS_BROKEN);
    for (size_t i = 3; i + 3 < 20000; i += 3) memcpy(body + i, "x\r\n", 3);
    memcpy(body, "0\r\n", 3);
    expect(body, 7, "", CHUNKS_BROKEN);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_read_in_pieces_of_any_size),
        cmocka_unit_test(what_is_broken_is_seen),
        cmocka_unit_test(what_is_no_data_is_not_read_without_end),
    };
    return cmocka_run_group_tests_name("chunks", tests, NULL, NULL);
}
