/* Live inputs: applications, microphones, the whole system; shared by all subcommands that hear. */
#ifndef COMMAND_CAPTURE_H
#define COMMAND_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include <kodama/host.h>
#include <kodama/source.h>
#include <kodama/stream.h>

#include "command/command.h"

/** Options that say who is heard. */
struct capture_options {
    struct option_list apps, pids, except;
    const char *mic;    /**< NULL: not heard; "": the default one */
    const char *system; /**< NULL: not heard; "": the default speakers */
    const char *backend;
    const char *latency;
    bool wait, compensate;
};

/** The entries for these options in a command's table; `type` has the member `capture`. */
#define CAPTURE_OPTION_ENTRIES(type) CAPTURE_OPTION_ENTRIES_FOR(type, "normal")

/** The same with another --latency when none is given. */
#define CAPTURE_OPTION_ENTRIES_FOR(type, usual)                                                 \
    {.name = "app",                                                                             \
     .letter = 'a',                                                                             \
     .kind = OPTION_LIST,                                                                       \
     .argument = "NAME",                                                                        \
     .help = "Hear an application: part of its name, binary:NAME or pid:N; may be given again", \
     .group = "Live inputs",                                                                    \
     .offset = offsetof(type, capture.apps)},                                                   \
        {.name = "pid",                                                                         \
         .kind = OPTION_LIST,                                                                   \
         .argument = "N",                                                                       \
         .help = "Hear a process and its children; may be given again",                         \
         .offset = offsetof(type, capture.pids)},                                               \
        {.name = "mic",                                                                         \
         .kind = OPTION_TEXT,                                                                   \
         .argument = "NAME",                                                                    \
         .value_optional = true,                                                                \
         .help = "Hear a microphone: part of its name; the default one when not given",         \
         .offset = offsetof(type, capture.mic)},                                                \
        {.name = "system",                                                                      \
         .kind = OPTION_TEXT,                                                                   \
         .argument = "SPEAKERS",                                                                \
         .value_optional = true,                                                                \
         .help = "Hear everything that plays, or what some speakers play",                      \
         .offset = offsetof(type, capture.system)},                                             \
        {.name = "except",                                                                      \
         .kind = OPTION_LIST,                                                                   \
         .argument = "NAME",                                                                    \
         .help = "Hear everything but this application; may be given again",                    \
         .offset = offsetof(type, capture.except)},                                             \
        {.name = "wait",                                                                        \
         .kind = OPTION_ON,                                                                     \
         .help = "Begin although nobody who is meant is there yet: silence until they are",     \
         .offset = offsetof(type, capture.wait)},                                               \
        {.name = "compensate",                                                                  \
         .kind = OPTION_ON,                                                                     \
         .help = "Undo an application's own volume",                                            \
         .offset = offsetof(type, capture.compensate)},                                         \
        {.name = "latency",                                                                     \
         .kind = OPTION_CHOICE,                                                                 \
         .argument = "HOW",                                                                     \
         .help = "How soon sound arrives, against how often a processor wakes for it",          \
         .fallback = (usual),                                                                   \
         .choice = capture_latency_name,                                                        \
         .offset = offsetof(type, capture.latency)},                                            \
        CAPTURE_BACKEND_ENTRY(type, capture.backend)

/** The entry of --backend, where `member` of `type` is a string. */
#define CAPTURE_BACKEND_ENTRY(type, member)                                               \
    {                                                                                     \
        .name = "backend", .kind = OPTION_CHOICE, .argument = "NAME",                     \
        .help = "Sound system; $KODAMA_BACKEND or the first that answers when not given", \
        .choice = kodama_host_backend_name, .offset = offsetof(type, member)              \
    }

/** Connect to the sound system; complains. @return NULL: not possible */
struct kodama_host *capture_host(const char *command, const char *backend, bool peaks);

/** Names for --latency: index 0, 1, ... until NULL. */
const char *capture_latency_name(size_t index);
enum kodama_latency capture_latency(const char *name);

/** What the live inputs are, for manuals. */
extern const char capture_section_title[], capture_section_text[];

/** Whether a live input is meant. */
bool capture_is_chosen(const struct capture_options *options);

/** Check that there is either a live input or something else to hear; complains. @return EXIT_DONE
 * or EXIT_USAGE */
int capture_check(const struct command *command, const struct capture_options *options,
                  size_t n_others);

/**
 * Open what is meant: one source, or a mix of several; complains.
 *
 * @param[out] source  NULL on failure
 * @return EXIT_DONE, EXIT_FAILED or EXIT_USAGE
 */
int capture_open(struct kodama_source **source, const char *command,
                 const struct capture_options *options, const struct kodama_log *log);

/** What was told of a stream; its dispatcher's. */
struct capture_teller {
    const struct kodama_log *log;
    bool told; /* that who is heard has gone */
};

/**
 * Let a stream tell what a person needs to know at once: that who is heard has gone, and is back.
 * With a log that wants all, everything; what is lost is counted and told at the end anyway.
 *
 * @param[out] teller      must outlive the stream
 * @param[in,out] config   of the stream to be opened
 * @param log              borrowed for the stream's life; may be NULL
 */
void capture_tell(struct capture_teller *teller, struct kodama_stream_config *config,
                  const struct kodama_log *log);

#endif
