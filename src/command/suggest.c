/* Guesses what a mistyped word was meant to be: the smallest edit distance (Damerau 1964, optimal
 * string alignment). */
#include "command/suggest.h"

#include <string.h>

enum { WORD_MAX = 63 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t suggest_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t n_a = least(strlen(a), WORD_MAX), n_b = least(strlen(b), WORD_MAX);
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= n_b; j++) last[j] = before[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        row[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            size_t replaced = last[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(replaced, least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], before[j - 2] + 1);
            }
        }
        size_t *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[n_b];
}

void suggest_consider(struct suggestion *suggestion, const char *word)
{
    size_t typed = strlen(suggestion->typed), length = strlen(word);
    size_t distance = suggest_distance(suggestion->typed, word);
    /* What was typed may be a beginning: --no-part for --no-partials. */
    if (typed >= 3 && typed < length && strncmp(suggestion->typed, word, typed) == 0) distance = 1;
    size_t limit = 1 + least(typed, length) / 4;
    if (distance > limit || distance >= length) return;
    if (suggestion->nearest && distance >= suggestion->distance) return;
    suggestion->nearest = word;
    suggestion->distance = distance;
}
