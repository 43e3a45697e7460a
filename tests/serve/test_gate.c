/* Tests of who may come in. */
#include "support/support.h"

#include "serve/gate.h"

static void only_the_same_secret_is_the_same(void **state)
{
    (void)state;
    assert_true(gate_same_secret("abc", "abc"));
    assert_false(gate_same_secret("abd", "abc"));
    assert_false(gate_same_secret("ab", "abc"));
    assert_false(gate_same_secret("abcd", "abc"));
    assert_false(gate_same_secret("", "abc"));
}

static void a_bearer_token_is_read_from_its_header(void **state)
{
    (void)state;
    assert_string_equal(gate_bearer("Bearer abc"), "abc");
    assert_string_equal(gate_bearer("bearer   abc"), "abc");
    assert_string_equal(gate_bearer("Basic abc"), "");
    assert_string_equal(gate_bearer(""), "");
}

static void pages_of_this_machine_are_admitted_and_foreign_ones_are_not(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "http://localhost",
                                       "http://localhost:3000",
                                       "http://127.0.0.1:8000",
                                       "https://[::1]:8000",
                                       "http://LOCALHOST:1"};
    static const char *const bad[] = {"http://evil.example",
                                      "null",
                                      "http://localhost.evil.example",
                                      "http://127.0.0.1.evil.example",
                                      "http://localhost@evil.example",
                                      "http://evil.example/localhost",
                                      "file://",
                                      "http://[::1]evil.example",
                                      "evil.example://[::1]",
                                      "http://[::1",
                                      "http://localhost:1/evil.example",
                                      "127.0.0.1"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(gate_allows_origin(good[i], NULL, 0));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(gate_allows_origin(bad[i], NULL, 0));
    }
}

static void a_page_on_the_list_is_admitted(void **state)
{
    (void)state;
    static const char *const list[] = {"https://captions.example", "null"};
    assert_true(gate_allows_origin("https://Captions.example", list, 2));
    assert_true(gate_allows_origin("null", list, 2));
    assert_false(gate_allows_origin("http://captions.example", list, 2));
    assert_false(gate_allows_origin("https://captions.example:8443", list, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_same_secret_is_the_same),
        cmocka_unit_test(a_bearer_token_is_read_from_its_header),
        cmocka_unit_test(pages_of_this_machine_are_admitted_and_foreign_ones_are_not),
        cmocka_unit_test(a_page_on_the_list_is_admitted),
    };
    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
