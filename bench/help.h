/* What every benchmark answers to --help, and to an option that it does not know. */
#ifndef BENCH_HELP_H
#define BENCH_HELP_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Whether a word is among words that are divided by spaces. */
static inline bool help_has(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)) != NULL; at += length) {
        bool begins = at == words || at[-1] == ' ';
        if (begins && (at[length] == ' ' || at[length] == '\0')) return true;
    }
    return false;
}

/** Say how the program is called: the first line of its page. @return the exit code */
static inline int bench_usage(const char *page)
{
    fprintf(stderr, "%.*s\n", (int)strcspn(page, "\n"), page);
    return 2;
}

/**
 * Print the page for --help or -h; complain of a word that begins with two dashes and is not known.
 *
 * @param known  options, divided by spaces; NULL: the program looks after them itself
 * @param page   a usage line, an empty line, what is measured, and the options
 * @return the exit code that is to be returned, or -1: go on
 */
static inline int bench_answer(int argc, char **argv, const char *known, const char *page)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") != 0 && strcmp(argv[i], "-h") != 0) continue;
        fputs(page, stdout);
        return 0;
    }
    for (int i = 1; known && i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0 || help_has(known, argv[i])) continue;
        fprintf(stderr, "%s is no option\n", argv[i]);
        return bench_usage(page);
    }
    return -1;
}

#endif
