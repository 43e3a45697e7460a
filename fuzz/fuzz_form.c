/* Fuzzing of forms: the first byte says in what pieces the rest is read, as a form and as a content
 * type. What is read in pieces must be what is read at once. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "serve/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

struct sum {
    uint32_t hash;
};

/* FNV-1a of names and bytes (Fowler, Noll, Vo); pieces leave no trace in it. */
static void on_data(void *user, const char *name, const char *bytes, size_t n_bytes)
{
    struct sum *sum = user;
    if (n_bytes == 0) {
        for (; *name; name++) sum->hash = (sum->hash ^ (uint8_t)*name) * 16777619u;
    }
    for (size_t i = 0; i < n_bytes; i++) {
        sum->hash = (sum->hash ^ (uint8_t)bytes[i]) * 16777619u;
    }
}

static uint32_t read_form(const char *bytes, size_t n_bytes, size_t piece, bool *whole)
{
    struct form form;
    struct sum sum = {2166136261u};
    if (!form_begin(&form, "multipart/form-data; boundary=xyz", on_data, &sum)) abort();
    for (size_t at = 0; at < n_bytes; at += piece) {
        size_t n = n_bytes - at < piece ? n_bytes - at : piece;
        if (!form_read(&form, bytes + at, n)) break;
    }
    *whole = form_ended(&form);
    return sum.hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    if (n_bytes < 1) return 0;
    const char *bytes = (const char *)data + 1;
    size_t piece = 1 + data[0];
    bool whole, whole_at_once;
    uint32_t hash = read_form(bytes, n_bytes - 1, piece, &whole);
    uint32_t hash_at_once = read_form(bytes, n_bytes - 1, n_bytes, &whole_at_once);
    if (whole && (!whole_at_once || hash != hash_at_once)) abort();

    char *type = malloc(n_bytes);
    if (!type) return 0;
    memcpy(type, bytes, n_bytes - 1);
    type[n_bytes - 1] = '\0';
    struct form form;
    struct sum sum = {0};
    if (form_begin(&form, type, on_data, &sum)) (void)form_read(&form, bytes, n_bytes - 1);
    free(type);
    return 0;
}
