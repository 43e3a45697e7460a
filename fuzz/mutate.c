/* Changes an input into one that nobody wrote: the same changes for the same seed, on any machine.
 */
#include "mutate.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { CHANGES_MAX = 8, RUN_MAX = 64, DIGITS_MAX = 24 };

struct input {
    uint64_t *state;
    const struct sample *samples;
    size_t n_samples;
    uint8_t *bytes;
    size_t n, room;
};

/* Where parsers' comparisons and widths have their edges. */
static const int64_t edges[] = {
    0,         1,          -1,        2,         7,         8,         15,
    16,        31,         32,        63,        64,        100,       126,
    127,       128,        -128,      -129,      255,       256,       1000,
    1023,      1024,       4095,      4096,      8000,      16000,     32767,
    32768,     -32768,     48000,     65535,     65536,     1 << 20,   INT32_MAX,
    INT32_MIN, UINT32_MAX, 1LL << 32, 1LL << 53, INT64_MAX, INT64_MIN, INT32_MAX - 1,
};
enum { N_EDGES = sizeof edges / sizeof *edges };

/* Numbers as in MMIX (Knuth); the low bits of such a generator repeat early. */
static uint32_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

size_t mutate_below(uint64_t *state, size_t n)
{
    return (size_t)next(state) % n;
}

static size_t below(struct input *input, size_t n)
{
    return mutate_below(input->state, n);
}

/* Bytes at a place, in place of n_old ones there, as far as there is room. */
static void replace(struct input *input, size_t at, size_t n_old, const uint8_t *bytes, size_t n)
{
    size_t n_rest = input->n - at - n_old;
    if (at + n + n_rest > input->room) return;
    memmove(input->bytes + at + n, input->bytes + at + n_old, n_rest);
    memcpy(input->bytes + at, bytes, n);
    input->n = at + n + n_rest;
}

static size_t a_run(struct input *input, size_t most)
{
    return 1 + below(input, most < RUN_MAX ? most : RUN_MAX);
}

static void flip(struct input *input)
{
    input->bytes[below(input, input->n)] ^= (uint8_t)(1u << below(input, 8));
}

static void set(struct input *input)
{
    input->bytes[below(input, input->n)] = (uint8_t)next(input->state);
}

/* A number of 1, 2, 4 or 8 bytes, in either order. */
static void set_number(struct input *input)
{
    uint64_t value = (uint64_t)edges[below(input, N_EDGES)];
    size_t width = (size_t)1 << below(input, 4);
    bool big = below(input, 2) == 0;
    if (width > input->n) return;
    uint8_t *at = input->bytes + below(input, input->n - width + 1);
    for (size_t i = 0; i < width; i++) at[big ? width - 1 - i : i] = (uint8_t)(value >> 8 * i);
}

/* A number in digits by another, or one put where there is none. */
static void set_digits(struct input *input)
{
    size_t at = below(input, input->n), end;
    for (size_t i = 0; i < input->n; i++) {
        size_t k = (at + i) % input->n;
        if (input->bytes[k] < '0' || input->bytes[k] > '9') continue;
        at = k;
        break;
    }
    for (end = at; end < input->n && input->bytes[end] >= '0' && input->bytes[end] <= '9'; end++) {
    }
    char text[DIGITS_MAX];
    int n = snprintf(text, sizeof text, "%lld", (long long)edges[below(input, N_EDGES)]);
    replace(input, at, end - at, (const uint8_t *)text, (size_t)n);
}

static void put_in(struct input *input)
{
    uint8_t bytes[RUN_MAX];
    size_t n = a_run(input, RUN_MAX);
    bool same = below(input, 2) == 0;
    for (size_t i = 0; i < n; i++)
        bytes[i] = same && i > 0 ? bytes[0] : (uint8_t)next(input->state);
    replace(input, below(input, input->n + 1), 0, bytes, n);
}

static void take_out(struct input *input)
{
    size_t n = a_run(input, input->n);
    replace(input, below(input, input->n - n + 1), n, input->bytes, 0);
}

/* A run of its own bytes at another place, put in or over what is there. */
static void repeat(struct input *input)
{
    uint8_t bytes[RUN_MAX];
    size_t n = a_run(input, input->n);
    memcpy(bytes, input->bytes + below(input, input->n - n + 1), n);
    if (below(input, 2) == 0)
        replace(input, below(input, input->n + 1), 0, bytes, n);
    else
        replace(input, below(input, input->n - n + 1), n, bytes, n);
}

static void cut(struct input *input)
{
    input->n = below(input, input->n);
}

static void splice(struct input *input)
{
    if (input->n_samples == 0) return;
    const struct sample *other = &input->samples[below(input, input->n_samples)];
    if (other->n == 0) return;
    size_t at = below(input, input->n), from = below(input, other->n), n = other->n - from;
    if (n > input->room - at) n = input->room - at;
    memcpy(input->bytes + at, other->bytes + from, n);
    input->n = at + n;
}

size_t mutate(uint64_t *state, const struct sample *samples, size_t n_samples, uint8_t *bytes,
              size_t n, size_t room)
{
    static void (*const changes[])(struct input *) = {
        flip, set, set_number, set_number, set_digits, put_in, take_out, repeat, splice, cut,
    };
    struct input input = {state, samples, n_samples, bytes, n, room};
    size_t n_changes = 1 + below(&input, CHANGES_MAX);
    for (size_t i = 0; i < n_changes; i++) {
        if (input.n == 0)
            put_in(&input);
        else
            changes[below(&input, sizeof changes / sizeof *changes)](&input);
    }
    return input.n;
}
