/* What a subcommand hears: files as one timeline, standard input, or a generator; shared by all
 * that listen. */
#ifndef COMMAND_INPUT_H
#define COMMAND_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include <kodama/source.h>

#include "command/command.h"

/** Options that say how raw sound on standard input looks. */
struct input_options {
    uint32_t rate_hz;
    uint32_t channels;
    const char *sample;
};

/** The entries for these options in a command's table; `type` has the member `input`. */
#define INPUT_OPTION_ENTRIES(type)                                                                 \
    {.name = "rate",                                                                               \
     .kind = OPTION_COUNT,                                                                         \
     .argument = "HZ",                                                                             \
     .help = "Frames per second of raw sound on standard input; 16000 when only --sample or "      \
             "--channels is given",                                                                \
     .group = "Standard input",                                                                    \
     .least = KODAMA_RATE_MIN_HZ,                                                                  \
     .most = KODAMA_RATE_MAX_HZ,                                                                   \
     .offset = offsetof(type, input.rate_hz)},                                                     \
        {.name = "channels",                                                                       \
         .kind = OPTION_COUNT,                                                                     \
         .argument = "N",                                                                          \
         .help = "Channels of raw sound on standard input; 1 when not given",                      \
         .least = 1,                                                                               \
         .most = KODAMA_CHANNELS_MAX,                                                              \
         .offset = offsetof(type, input.channels)},                                                \
    {                                                                                              \
        .name = "sample", .kind = OPTION_CHOICE, .argument = "TYPE",                               \
        .help = "Sample type of raw sound on standard input, s16 when not given; without --rate, " \
                "--channels and --sample a WAV header is expected. Types",                         \
        .choice = input_sample_name, .offset = offsetof(type, input.sample)                        \
    }

/** The entry of --raw in a command's table; `type` has the member `raw`, a string. */
#define INPUT_RAW_ENTRY(type)                                                            \
    {                                                                                    \
        .name = "raw", .kind = OPTION_TEXT, .argument = "SAMPLE[:HZ[:CHANNELS]]",        \
        .help = "What sound without a header on standard input looks like, for example " \
                "s16:48000:2; without it a WAV stream is expected",                      \
        .offset = offsetof(type, raw)                                                    \
    }

/** What is to be heard. */
struct input_choice {
    /** Files, or `-` alone, or (with `generators`) a generator alone: "tone", "tone:440", "noise",
     * "silence". */
    const char *const *names;
    size_t n_names;
    bool generators;
    struct kodama_format format; /**< of standard input and generators; sample 0: WAV; default */
    bool paced;                  /**< one second of a file a second */
    const struct kodama_log *log;
};

/** Whether a choice is a generator. */
bool input_is_generator(const struct input_choice *choice);

/** Read --raw; complains. @return EXIT_DONE or EXIT_USAGE */
int input_raw(struct kodama_format *format, const char *command, const char *raw);

/** Which of the names is the very file that `path` is, so that it must not be written; NULL: none.
 */
const char *input_same_file(const char *path, const char *const *names, size_t n_names);

/** Open what was chosen; complains. @return EXIT_DONE, EXIT_FAILED or EXIT_USAGE */
int input_open_choice(struct kodama_source **source, const char *command,
                      const struct input_choice *choice);

/** What the operand FILE means, for tables. */
extern const char input_operand[];
extern const char input_operand_help[];

/** Names of sample types: index 0, 1, ... until NULL. */
const char *input_sample_name(size_t index);

/**
 * Open the source that the operands name; complains.
 *
 * @param[out] source  NULL on failure
 * @param paced        one second of a file a second
 * @return EXIT_DONE, EXIT_FAILED or EXIT_USAGE
 */
int input_open(struct kodama_source **source, const struct invocation *invocation,
               const struct input_options *options, bool paced, const struct kodama_log *log);

#endif
