/*
 * What a subcommand is: one declarative table each, from which come parsing, --help, the man page
 * and the completions of three shells. Adding a subcommand is one new file plus one line in
 * commands.c.
 */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

/** Exit codes of every subcommand. Signals end with 128 + their number, as shells expect. */
enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_INTERRUPTED = 130, /* SIGINT */
    EXIT_UNREAD = 141,      /* SIGPIPE: whoever read the output has gone away */
    EXIT_TERMINATED = 143,  /* SIGTERM */
};

enum option_kind {
    OPTION_ON,     /**< a switch: sets a bool */
    OPTION_OFF,    /**< a switch: clears a bool */
    OPTION_TEXT,   /**< const char * */
    OPTION_CHOICE, /**< const char *, one of option.choice */
    OPTION_COUNT,  /**< uint32_t, least..most */
    OPTION_REAL,   /**< double, least..most */
    OPTION_TIME,   /**< double, seconds, least..most: "90", "1:30" or "1:02:03.5" */
    OPTION_LIST,   /**< struct option_list: the option may be given again */
};

enum { OPTION_LIST_MAX = 64 };

/** The values of an option that may be given again, in order. */
struct option_list {
    const char *values[OPTION_LIST_MAX];
    size_t n;
};

/** One option. Lists end with an option without a name. */
struct option_entry {
    const char *name;     /**< long name, without the dashes */
    const char *argument; /**< name of the value in help; NULL for switches */
    const char *help;     /**< a sentence without full stop */
    const char *fallback; /**< default: shown in help, read before the command line; may be NULL */
    const char *group;    /**< heading in help, on the first option of a group */
    const char *(*choice)(size_t index); /**< OPTION_CHOICE: names until NULL */
    double least, most;    /**< OPTION_COUNT, OPTION_REAL, OPTION_TIME: what is allowed */
    size_t offset;         /**< of the value in the command's struct of options */
    enum option_kind kind; /**< how its value is read */
    char letter;           /**< short name, 0: none */
    bool value_optional;   /**< the value may be left out, and is only taken with `=` */
    bool is_file;          /**< the value is a file name: shells complete it */
    bool is_config;        /**< the file holds options, which are read before the command line */
    bool not_in_file;      /**< such a file cannot hold this option */
};

struct example {
    const char *line; /**< what to type */
    const char *what; /**< what it does: a sentence without full stop */
};

struct exit_entry {
    int code;
    const char *when;
};

/** A passage of help and man page. Lists end with a title of NULL. */
struct section {
    const char *title;
    const char *text; /**< paragraphs divided by empty lines; lines that begin with two spaces are
                           kept as they are */
};

struct invocation;

/** One subcommand. */
struct command {
    const char *name;
    const char *summary;      /**< what it does, in a few words */
    const char *description;  /**< as section.text */
    const char *operand;      /**< how operands are written in the usage line; NULL: takes none */
    const char *operand_help; /**< what the operand is */
    size_t operands_least, operands_most;
    bool signed_operands; /**< an operand may be a number with a minus before it */
    const char *(*operand_choice)(size_t index); /**< NULL: operands are files */
    const struct option_entry *options;
    size_t options_bytes; /**< of the struct that the options' offsets point into */
    const struct section *sections;
    const struct example *examples; /**< ends with a line of NULL */
    const struct exit_entry *exits; /**< ends with a `when` of NULL */
    int (*run)(const struct invocation *invocation);
};

/** A parsed command line. */
struct invocation {
    const struct command *command;
    const void *options;   /**< the command's struct of options */
    char *const *operands; /**< n_operands, then NULL */
    size_t n_operands;
};

extern const struct command command_listen, command_record, command_play, command_apps,
    command_devices, command_levels, command_volume, command_info, command_transcode,
    command_convert, command_vad, command_voice, command_serve, command_models, command_voices,
    command_doctor, command_help;

/** The subcommands, ended by NULL. */
extern const struct command *const commands[];

/** Name of a subcommand: index 0, 1, ... until NULL. */
const char *command_name(size_t index);

/** Subcommand of that name, or NULL. */
const struct command *command_find(const char *name);

/** Complain that there is no such subcommand and suggest one. @return EXIT_USAGE */
int command_unknown(const char *name);

/** The options that every subcommand has. */
extern const struct option_entry common_options[];

/** Environment variables that the command reads, for the manual. */
extern const struct section environment_sections[];

#endif
