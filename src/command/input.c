/* What a subcommand hears: files as one timeline, or standard input. */
#include "command/input.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/output.h"

const char input_operand[] = "FILE...|-";
const char input_operand_help[] =
    "FILE is a recording in any format that libsndfile reads: WAV, FLAC, Ogg, Opus, MP3 and more. "
    "Several files are heard one after the other as one timeline; their rates and channels must "
    "agree. `-` is standard input: a WAV stream, or raw sound as --rate, --channels and --sample "
    "describe it.";

static const enum kodama_sample samples[] = {KODAMA_SAMPLE_U8, KODAMA_SAMPLE_S16, KODAMA_SAMPLE_S24,
                                             KODAMA_SAMPLE_S32, KODAMA_SAMPLE_F32};
static const char *const sample_names[] = {"u8", "s16", "s24", "s32", "f32", NULL};

const char *input_sample_name(size_t index)
{
    return sample_names[index];
}

bool input_is_standard(const struct invocation *invocation)
{
    return invocation->n_operands == 1 && strcmp(invocation->operands[0], "-") == 0;
}

static struct kodama_format raw_format(const struct input_options *options)
{
    struct kodama_format format = {.sample = KODAMA_SAMPLE_S16, .rate_hz = 16000, .channels = 1};
    if (!options->rate_hz && !options->channels && !options->sample)
        return (struct kodama_format){0};
    if (options->rate_hz) format.rate_hz = options->rate_hz;
    if (options->channels) format.channels = options->channels;
    for (size_t i = 0; options->sample && sample_names[i]; i++) {
        if (strcmp(sample_names[i], options->sample) == 0) format.sample = samples[i];
    }
    return format;
}

static int check_standard(const struct invocation *invocation, const struct input_options *options)
{
    const char *name = invocation->command->name;
    for (size_t i = 0; i < invocation->n_operands && invocation->n_operands > 1; i++) {
        if (strcmp(invocation->operands[i], "-") != 0) continue;
        complain(name, "- (standard input) stands alone; name either files or -");
        return EXIT_USAGE;
    }
    if (!input_is_standard(invocation)) {
        if (!options->rate_hz && !options->channels && !options->sample) return EXIT_DONE;
        complain(name, "--rate, --channels and --sample describe standard input; files say "
                       "themselves what they are");
        return EXIT_USAGE;
    }
    if (isatty(STDIN_FILENO)) {
        complain(name,
                 "standard input is a terminal; pipe sound into it, for example: "
                 "sox talk.mp3 -t wav - | kodama %s -",
                 name);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

int input_open(struct kodama_source **source, const struct invocation *invocation,
               const struct input_options *options, bool paced, const struct kodama_log *log)
{
    *source = NULL;
    int code = check_standard(invocation, options);
    if (code != EXIT_DONE) return code;
    bool standard = input_is_standard(invocation);
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.log = log;
    if (standard) {
        config.format = raw_format(options);
        config.descriptor = STDIN_FILENO;
    } else {
        config.paths = (const char *const *)invocation->operands;
        config.n_paths = invocation->n_operands;
        config.paced = paced;
    }
    struct kodama_error error = {0};
    if (kodama_source_open(source, standard ? "stdin" : "file", &config, &error) < 0) {
        complain(invocation->command->name, "%s", error.message);
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}
