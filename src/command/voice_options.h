/* How a voice is changed: the options that `kodama voice` and `kodama convert` share, and presets
 * saved by name. */
#ifndef COMMAND_VOICE_OPTIONS_H
#define COMMAND_VOICE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <kodama/voice.h>

#include "command/command.h"

struct voice_options {
    const char *preset, *noise, *noise_file, *model, *provider;
    double pitch, formant, noise_level, gain_db;
    uint32_t seed, threads;
    bool steady, deep;
};

/** The entries for these options in a command's table; `type` has the member `voice`. */
#define VOICE_OPTION_ENTRIES(type)                                                                \
    {.name = "preset",                                                                            \
     .letter = 'p',                                                                               \
     .kind = OPTION_TEXT,                                                                         \
     .argument = "NAME",                                                                          \
     .help = "deeper, brighter, child, giant, robot, whisper, radio, helium, or one of your own", \
     .group = "The voice",                                                                        \
     .offset = offsetof(type, voice.preset)},                                                     \
        {.name = "model",                                                                         \
         .kind = OPTION_TEXT,                                                                     \
         .argument = "NAME",                                                                      \
         .help = "A trained voice, by its name in `kodama voice models`, not a shifted one",      \
         .offset = offsetof(type, voice.model)},                                                  \
        {.name = "provider",                                                                      \
         .kind = OPTION_TEXT,                                                                     \
         .argument = "NAME",                                                                      \
         .help = "What runs it: cpu, or what else the ONNX Runtime here was built for, as cuda",  \
         .offset = offsetof(type, voice.provider)},                                               \
        {.name = "threads",                                                                       \
         .kind = OPTION_COUNT,                                                                    \
         .argument = "N",                                                                         \
         .help = "Threads that run it; 0: one per processor, at most 8",                          \
         .fallback = "0",                                                                         \
         .most = 256,                                                                             \
         .offset = offsetof(type, voice.threads)},                                                \
        {.name = "pitch",                                                                         \
         .kind = OPTION_REAL,                                                                     \
         .argument = "SEMITONES",                                                                 \
         .help = "Higher or lower by so much, on top of the preset; formants stay",               \
         .least = -24,                                                                            \
         .most = 24,                                                                              \
         .offset = offsetof(type, voice.pitch)},                                                  \
        {.name = "formant",                                                                       \
         .kind = OPTION_REAL,                                                                     \
         .argument = "SEMITONES",                                                                 \
         .help = "A smaller (above 0) or larger throat, on top of the preset; pitch stays",       \
         .least = -12,                                                                            \
         .most = 12,                                                                              \
         .offset = offsetof(type, voice.formant)},                                                \
        {.name = "gain",                                                                          \
         .letter = 'g',                                                                           \
         .kind = OPTION_REAL,                                                                     \
         .argument = "DB",                                                                        \
         .help = "Louder or softer by so many decibels; peaks stay below -1 dBFS",                \
         .least = -60,                                                                            \
         .most = 24,                                                                              \
         .offset = offsetof(type, voice.gain_db)},                                                \
        {.name = "noise",                                                                         \
         .letter = 'n',                                                                           \
         .kind = OPTION_CHOICE,                                                                   \
         .argument = "BED",                                                                       \
         .help = "A place around the voice",                                                      \
         .choice = voice_noise_choice,                                                            \
         .offset = offsetof(type, voice.noise)},                                                  \
        {.name = "noise-level",                                                                   \
         .kind = OPTION_REAL,                                                                     \
         .argument = "LEVEL",                                                                     \
         .help = "How loud that is, above 0 to 1 (-12 dBFS); 0.02 when not given",                \
         .least = 0,                                                                              \
         .most = 1,                                                                               \
         .offset = offsetof(type, voice.noise_level)},                                            \
        {.name = "noise-file",                                                                    \
         .kind = OPTION_TEXT,                                                                     \
         .argument = "FILE",                                                                      \
         .is_file = true,                                                                         \
         .help = "A recording as the place, round and round without a seam",                      \
         .offset = offsetof(type, voice.noise_file)},                                             \
        {.name = "no-fluctuation",                                                                \
         .kind = OPTION_ON,                                                                       \
         .help = "Do not let pitch, volume and timbre drift a little",                            \
         .offset = offsetof(type, voice.steady)},                                                 \
        {.name = "deep",                                                                          \
         .kind = OPTION_ON,                                                                       \
         .help = "Understand voices below 80 Hz, down to 50, too; costs more delay",              \
         .offset = offsetof(type, voice.deep)},                                                   \
    {                                                                                             \
        .name = "seed", .kind = OPTION_COUNT, .argument = "N",                                    \
        .help = "Of drift and place: the same number, the same sound", .fallback = "0",           \
        .most = 4294967295.0, .offset = offsetof(type, voice.seed)                                \
    }

/** Names for --noise: index 0, 1, ... until NULL. */
const char *voice_noise_choice(size_t index);

/** The name of an effect, "none" for none. */
const char *voice_effect_name(enum kodama_voice_effect effect);

/** Put what was asked for into a voice's configuration; complains. Its model, if there is one, is
 * the caller's to close. @return EXIT_DONE, EXIT_FAILED or EXIT_USAGE */
int voice_options_read(const char *command, const struct voice_options *options,
                       struct kodama_voice_config *config);

/** Put a preset into settings, a built-in one or one of the user's; complains. @return an exit code
 */
int voice_preset_take(const char *command, const char *name,
                      struct kodama_voice_settings *settings);

/** Save settings under a name; complains. @return an exit code */
int voice_preset_save(const char *command, const char *name,
                      const struct kodama_voice_settings *settings);

/** Forget presets of the user's; complains, of one that is built in or that there is not, too, and
 * then forgets none. @return an exit code */
int voice_preset_remove(const char *command, const struct option_list *names);

/** Print what a preset says; with json one line of JSON; complains. @return an exit code */
int voice_preset_show(const char *command, const char *name, bool json);

/** Print the presets that there are, built-in ones and the user's; with json one line of JSON.
 * @return an exit code */
int voice_preset_list(const char *command, bool json);

#endif
