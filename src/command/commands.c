/* The list of subcommands: one line for each. */
#include "command/command.h"

#include <string.h>

const struct command *const commands[] = {
    &command_listen, &command_record, &command_play,  &command_apps,      &command_devices,
    &command_levels, &command_volume, &command_info,  &command_transcode, &command_convert,
    &command_vad,    &command_voice,  &command_serve, &command_models,    &command_voices,
    &command_doctor, &command_help,   NULL,
};

const struct option_entry common_options[] = {
    {.name = "help", .letter = 'h', .kind = OPTION_ON, .help = "Show this help and exit"},
    {0},
};

const struct section environment_sections[] = {
    {"NO_COLOR", "When set and not empty, captions on a terminal have no colours and no bright or "
                 "dim text."},
    {"KODAMA_ONNXRUNTIME",
     "Library that runs trained models (libonnxruntime.so.1), or its folder; the "
     "usual places are not looked at then."},
    {"KODAMA_CONTENT_256_MODEL, KODAMA_CONTENT_768_MODEL",
     "Files of the content encoders for trained voices of version 1 and 2, where they are not in "
     "the folder of models."},
    {"KODAMA_SILERO_MODEL",
     "File of the model for the detector silero, when --model is not given."},
    {"KODAMA_MODELS_MIRROR", "Address of a folder with the files of known models, for kodama "
                             "models get, where --mirror does "
                             "not say."},
    {"XDG_DATA_HOME",
     "The store of kodama models is kodama/models below it; ~/.local/share when it is "
     "not set."},
    {"TERM", "With `dumb`, nothing is redrawn in place: only finished lines are printed."},
    {"KODAMA_BACKEND", "The sound system to use, pipewire or pulse, where --backend does not say."},
    {NULL, NULL},
};

const char *command_name(size_t index)
{
    return commands[index] ? commands[index]->name : NULL;
}

const struct command *command_find(const char *name)
{
    for (size_t i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    }
    return NULL;
}
