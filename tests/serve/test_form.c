/* Tests of reading forms: whole, in pieces, broken. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "serve/form.h"

static struct {
    char text[4096];
    size_t n;
} seen;

static void on_data(void *user, const char *name, const char *bytes, size_t n_bytes)
{
    (void)user;
    int n = snprintf(seen.text + seen.n, sizeof seen.text - seen.n, "%s%s%s%.*s",
                     n_bytes == 0 ? "[" : "", n_bytes == 0 ? name : "", n_bytes == 0 ? "]" : "",
                     (int)n_bytes, bytes);
    seen.n += (size_t)n;
}

static const char type[] = "multipart/form-data; boundary=xyz";
static const char body[] =
    "--xyz\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n"
    "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n"
    "Content-Type: audio/wav\r\n\r\nRIFF\r\n--xy\r\n-- not it\r\n--xyz--\r\n";
static const char expected[] = "[model]whisper-1[file]RIFF\r\n--xy\r\n-- not it";

static void a_form_is_read_however_it_was_cut(void **state)
{
    (void)state;
    for (size_t block = 1; block < sizeof body; block++) {
        struct form form;
        memset(&seen, 0, sizeof seen);
        assert_true(form_begin(&form, type, on_data, NULL));
        for (size_t at = 0; at < sizeof body - 1; at += block) {
            size_t n = sizeof body - 1 - at < block ? sizeof body - 1 - at : block;
            assert_true(form_read(&form, body + at, n));
        }
        assert_true(form_ended(&form));
        assert_string_equal(seen.text, expected);
    }
}

static void a_quoted_boundary_is_read_and_what_is_no_form_is_refused(void **state)
{
    (void)state;
    struct form form;
    assert_true(
        form_begin(&form, "Multipart/Form-Data; charset=x; boundary=\"a b\"", on_data, NULL));
    assert_false(form_begin(&form, "audio/wav", on_data, NULL));
    assert_false(form_begin(&form, "multipart/form-data", on_data, NULL));
    assert_false(form_begin(&form, "multipart/form-data; boundary=", on_data, NULL));
    char longer[200] = "multipart/form-data; boundary=";
    memset(longer + strlen(longer), 'b', 100);
    assert_false(form_begin(&form, longer, on_data, NULL));
}

static void a_form_that_is_cut_off_has_not_ended(void **state)
{
    (void)state;
    struct form form;
    memset(&seen, 0, sizeof seen);
    assert_true(form_begin(&form, type, on_data, NULL));
    assert_true(form_read(&form, body, sizeof body - 12));
    assert_false(form_ended(&form));
}

static void an_endless_head_breaks_it(void **state)
{
    (void)state;
    struct form form;
    memset(&seen, 0, sizeof seen);
    assert_true(form_begin(&form, type, on_data, NULL));
    assert_true(form_read(&form, "--xyz\r\n", 7));
    bool read = true;
    for (int i = 0; i < 10000 && read; i++) read = form_read(&form, "X: y\r\n", 6);
    assert_false(read);
}

static void random_bytes_harm_nobody(void **state)
{
    (void)state;
    struct test_random random = {.state = 3};
    int n_runs = (int)(2000 * test_scale());
    for (int i = 0; i < n_runs; i++) {
        struct form form;
        char changed[sizeof body];
        memset(&seen, 0, sizeof seen);
        memcpy(changed, body, sizeof body);
        for (int k = 0; k < 5; k++) {
            changed[test_random_below(&random, sizeof body)] = (char)test_random_next(&random);
        }
        assert_true(form_begin(&form, type, on_data, NULL));
        (void)form_read(&form, changed, sizeof changed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form_is_read_however_it_was_cut),
        cmocka_unit_test(a_quoted_boundary_is_read_and_what_is_no_form_is_refused),
        cmocka_unit_test(a_form_that_is_cut_off_has_not_ended),
        cmocka_unit_test(an_endless_head_breaks_it),
        cmocka_unit_test(random_bytes_harm_nobody),
    };
    return cmocka_run_group_tests_name("form", tests, NULL, NULL);
}
