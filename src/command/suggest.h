/* Guesses what a mistyped word was meant to be. */
#ifndef COMMAND_SUGGEST_H
#define COMMAND_SUGGEST_H

#include <stddef.h>

/** Keeps the nearest of the words it is shown. Starts as {.typed = word}. */
struct suggestion {
    const char *typed;
    const char *nearest; /**< NULL while no word was near enough */
    size_t distance;
};

/** Show a word that would have been right. */
void suggest_consider(struct suggestion *suggestion, const char *word);

/** Edit distance (insert, delete, replace, swap neighbours), for words below 64 bytes; longer ones
 * are cut. */
size_t suggest_distance(const char *a, const char *b);

#endif
