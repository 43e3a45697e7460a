/* Fuzzing of files of settings: what is accepted is within its bounds, and a file reads the same
 * twice. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/config.h"
#include "command/output.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

struct options {
    const char *host;
    uint32_t port;
    double pause_s, gain;
    const char *detector;
    struct option_list origins;
    bool verbose;
};

static const char *choice(size_t index)
{
    static const char *const names[] = {"builtin", "silero", NULL};
    return names[index];
}

#define AT(field) offsetof(struct options, field)

static const struct option_entry table[] = {
    {.name = "host", .kind = OPTION_TEXT, .argument = "A", .offset = AT(host)},
    {.name = "port", .kind = OPTION_COUNT, .argument = "N", .most = 65535, .offset = AT(port)},
    {.name = "pause", .kind = OPTION_TIME, .argument = "S", .most = 100, .offset = AT(pause_s)},
    {.name = "gain", .kind = OPTION_REAL, .argument = "X", .most = 1, .offset = AT(gain)},
    {.name = "detector",
     .kind = OPTION_CHOICE,
     .argument = "D",
     .choice = choice,
     .offset = AT(detector)},
    {.name = "origin", .kind = OPTION_LIST, .argument = "O", .offset = AT(origins)},
    {.name = "verbose", .kind = OPTION_ON, .offset = AT(verbose)},
    {.name = "config", .kind = OPTION_TEXT, .argument = "F", .not_in_file = true},
    {0},
};

static const struct command command = {.name = "serve", .options = table};

/* In the place of output.c: sentences are made, and not printed. */
void complain(const char *name, const char *format, ...)
{
    char words[2048];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    if (n < 0 || !name) abort();
}

const char *error_words(int number)
{
    (void)number;
    return "";
}

static void check(const struct options *options)
{
    if (options->port > 65535) abort();
    if (!(options->pause_s >= 0 && options->pause_s <= 100)) abort();
    if (!(options->gain >= 0 && options->gain <= 1)) abort();
    if (options->origins.n > OPTION_LIST_MAX) abort();
    for (size_t i = 0; i < options->origins.n; i++) {
        if (strlen(options->origins.values[i]) == 0) abort();
    }
    if (options->host && strlen(options->host) == 0) abort();
    if (options->detector && options->detector != choice(0) && options->detector != choice(1)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    int status[2];
    struct options options[2];
    for (int i = 0; i < 2; i++) {
        struct config config = {0};
        memset(&options[i], 0, sizeof options[i]);
        status[i] =
            config_parse(&config, &command, "x.conf", (const char *)data, n_bytes, &options[i]);
        check(&options[i]);
        config_free(&config);
    }
    if (status[0] != status[1] || options[0].port != options[1].port) abort();
    return 0;
}
