/* kodama models: its table, from which come parsing, help, manual page and completions. */
#include "command/models.h"

#define AT(field) offsetof(struct models_options, field)

static const struct option_entry models_table[] = {
    {.name = "dir",
     .letter = 'd',
     .kind = OPTION_TEXT,
     .argument = "FOLDER",
     .help = "The store's folder, kodama/models below XDG_DATA_HOME or ~/.local/share when not "
             "given, where --model looks, too",
     .is_file = true,
     .offset = AT(folder)},
    {.name = "json", .letter = 'j', .kind = OPTION_ON, .help = "Print JSON", .offset = AT(json)},
    {.name = "all",
     .letter = 'a',
     .kind = OPTION_ON,
     .help = "list: also the known models that are not here",
     .offset = AT(all)},
    {.name = "name",
     .letter = 'n',
     .kind = OPTION_TEXT,
     .argument = "NAME",
     .help = "get, add: what the model is called here, as its file when not given",
     .group = "Bringing models in",
     .offset = AT(name)},
    {.name = "sha256",
     .kind = OPTION_TEXT,
     .argument = "SUM",
     .help = "get, add: the checksum that the file must have; known models bring theirs along",
     .offset = AT(sha256)},
    {.name = "mirror",
     .kind = OPTION_TEXT,
     .argument = "ADDRESS",
     .help = "get: ask this folder of files for known models, not their authors' hosts; "
             "KODAMA_MODELS_MIRROR when not given",
     .offset = AT(mirror)},
    {.name = "link",
     .kind = OPTION_ON,
     .help = "add: do not copy, link; folders can only be linked",
     .offset = AT(link)},
    {.name = "progress",
     .kind = OPTION_ON,
     .help = "Tell how far it is on standard error also when that is no terminal: one line for "
             "every tenth",
     .offset = AT(progress)},
    {.name = "unset",
     .kind = OPTION_ON,
     .help = "default: use no model of the store where none is named",
     .group = "The default",
     .offset = AT(unset)},
    {0},
};

static const struct section models_sections[] = {
    {"What can be done",
     "  list            the models that are here; also when nothing is said\n"
     "  get NAME...     download known models, or a file from an address\n"
     "  add FILE...     bring files of this machine in: for machines without a network\n"
     "  remove NAME...  remove them\n"
     "  default [NAME]  show or choose the model that kodama listen and kodama serve\n"
     "                  use without --model\n\n"
     "Where a command takes --model, the name of a model does."},
    {"Names",
     "Whisper's models are known by the names of their sizes: tiny, base, small, medium, large-v3 "
     "and large-v3-turbo, with .en for those that know English only, -q5_1 (-q5_0) and -q8_0 for "
     "smaller files. silero is the model of the voice activity detector of that name. A file that "
     "lies in the folder as ggml-NAME.bin or NAME.onnx is a model of it, however it came there."},
    {"Downloads",
     "What was received before a connection was cut, or the program was ended, is kept as "
     "NAME.part "
     "and not asked for again. A file is compared with its checksum and looked at before it "
     "becomes "
     "a model; when it is not what it should be, nothing is kept. Where no checksum is known that "
     "of what came is written beside it, and said. sha256sum -c *.sha256 in the folder compares "
     "them all again."},
    {"JSON", "list: {\"folder\", \"models\": [...]}; get and add: one model, a line for each:\n\n"
             "  {\"name\", \"engine\", \"here\", \"default\", \"recognizes\", \"bytes\",\n"
             "   \"partial_bytes\", \"path\", \"address\", \"sha256\"}\n\n"
             "What is not known is null. default: {\"default\"}."},
    {NULL, NULL},
};

static const struct example models_examples[] = {
    {"kodama models get base.en", "Download a model of Whisper's for English"},
    {"kodama models default base.en", "Use it from now on"},
    {"kodama listen --model base.en talk.wav", "Use it once"},
    {"kodama models add --name ours ggml-model.bin", "Bring in a file from elsewhere"},
    {"kodama models get silero", "The model of the detector silero"},
    {"kodama models list --all", "Everything that is known"},
    {NULL, NULL},
};

static const struct exit_entry models_exits[] = {
    {EXIT_DONE, "Done"},
    {EXIT_FAILED, "There is no such model, or it could not be brought in; a sentence on standard "
                  "error says why"},
    {EXIT_USAGE, "The command line was not understood"},
    {EXIT_INTERRUPTED, "Ended by Ctrl-C (SIGINT); what was received is kept"},
    {EXIT_TERMINATED, "Ended by SIGTERM; what was received is kept"},
    {0, NULL},
};

const struct command command_models = {
    .name = "models",
    .summary = "download and manage recognition models",
    .description = "Keeps models in a folder, by name: downloads them, takes files in, removes "
                   "them, and says which one is used where none is named.",
    .operand = "[list|get|add|remove|default [NAME|ADDRESS|FILE...]]",
    .operand_help = "What is to be done, and with which models; list when not given",
    .operands_least = 0,
    .operands_most = 1001,
    .operand_choice = models_operand,
    .options = models_table,
    .options_bytes = sizeof(struct models_options),
    .sections = models_sections,
    .examples = models_examples,
    .exits = models_exits,
    .run = models_run,
};
