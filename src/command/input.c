/* What a subcommand hears: files as one timeline, standard input, or a generator. */
#include "command/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static bool is_standard(const struct input_choice *choice)
{
    return choice->n_names == 1 && strcmp(choice->names[0], "-") == 0;
}

static bool names_generator(const char *name)
{
    static const char *const names[] = {"tone", "noise", "silence"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) return true;
    }
    return strncmp(name, "tone:", 5) == 0;
}

bool input_is_generator(const struct input_choice *choice)
{
    return choice->generators && choice->n_names == 1 && names_generator(choice->names[0]);
}

static int check_choice(const char *command, const struct input_choice *choice)
{
    for (size_t i = 0; i < choice->n_names && choice->n_names > 1; i++) {
        if (strcmp(choice->names[i], "-") == 0) {
            complain(command, "- (standard input) stands alone; name either files or -");
            return EXIT_USAGE;
        }
        if (choice->generators && names_generator(choice->names[i])) {
            complain(command, "%s stands alone; a file of that name is ./%s", choice->names[i],
                     choice->names[i]);
            return EXIT_USAGE;
        }
    }
    if (is_standard(choice) && isatty(STDIN_FILENO)) {
        complain(command,
                 "standard input is a terminal; pipe sound into it, for example: "
                 "sox talk.mp3 -t wav - | kodama %s -",
                 command);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

int input_raw(struct kodama_format *format, const char *command, const char *raw)
{
    struct kodama_error error = {0};
    *format = (struct kodama_format){0};
    if (!raw) return EXIT_DONE;
    *format = (struct kodama_format){.sample = KODAMA_SAMPLE_S16, .rate_hz = 48000, .channels = 1};
    if (kodama_format_parse(raw, format, &error) == KODAMA_OK &&
        kodama_format_check(*format, &error) == KODAMA_OK) {
        return EXIT_DONE;
    }
    complain(command, "--raw: %s", error.message);
    return EXIT_USAGE;
}

/* "tone:440"; the source's own frequency for "tone". */
static int choose_tone(const char *command, const char *name, struct kodama_source_config *config)
{
    const char *colon = strchr(name, ':');
    if (!colon) return EXIT_DONE;
    char *end;
    double most = (config->format.rate_hz ? config->format.rate_hz : 48000) / 2.0;
    config->frequency_hz = strtod(colon + 1, &end);
    if (end != colon + 1 && *end == '\0' && config->frequency_hz > 0 &&
        config->frequency_hz <= most) {
        return EXIT_DONE;
    }
    complain(command, "\"%s\" is no tone; tone:HZ takes a frequency up to %g, for example tone:440",
             name, most);
    return EXIT_USAGE;
}

const char *input_same_file(const char *path, const char *const *names, size_t n_names)
{
    struct stat written, heard;
    if (stat(path, &written) < 0) return NULL;
    for (size_t i = 0; i < n_names; i++) {
        if (stat(names[i], &heard) < 0) continue;
        if (written.st_dev == heard.st_dev && written.st_ino == heard.st_ino) return names[i];
    }
    return NULL;
}

int input_open_choice(struct kodama_source **source, const char *command,
                      const struct input_choice *choice)
{
    *source = NULL;
    int code = check_choice(command, choice);
    if (code != EXIT_DONE) return code;
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    struct kodama_error error = {0};
    char name[8];
    config.log = choice->log;
    config.paced = choice->paced;
    if (is_standard(choice)) {
        snprintf(name, sizeof name, "stdin");
        config.format = choice->format;
        config.descriptor = STDIN_FILENO;
        config.paced = false;
    } else if (input_is_generator(choice)) {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(choice->names[0], ":"), choice->names[0]);
        config.format = choice->format;
        code = choose_tone(command, choice->names[0], &config);
        if (code != EXIT_DONE) return code;
    } else {
        snprintf(name, sizeof name, "file");
        config.paths = choice->names;
        config.n_paths = choice->n_names;
    }
    if (kodama_source_open(source, name, &config, &error) == KODAMA_OK) return EXIT_DONE;
    complain(command, "%s", error.message);
    return EXIT_FAILED;
}

int input_open(struct kodama_source **source, const struct invocation *invocation,
               const struct input_options *options, bool paced, const struct kodama_log *log)
{
    *source = NULL;
    struct input_choice choice = {
        .names = (const char *const *)invocation->operands,
        .n_names = invocation->n_operands,
        .format = raw_format(options),
        .paced = paced,
        .log = log,
    };
    int code = check_choice(invocation->command->name, &choice);
    if (code != EXIT_DONE) return code;
    if (choice.format.sample != 0 && !is_standard(&choice)) {
        complain(invocation->command->name, "--rate, --channels and --sample describe standard "
                                            "input; files say themselves what they are");
        return EXIT_USAGE;
    }
    return input_open_choice(source, invocation->command->name, &choice);
}
