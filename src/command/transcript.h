/*
 * Transcripts: what was heard, written in one of several formats. A transcript is well formed after
 * every event; a format is one table of functions and one line in transcript.c.
 */
#ifndef COMMAND_TRANSCRIPT_H
#define COMMAND_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/recognizer.h>

#include "command/output.h"
#include "command/text.h"

struct transcript;

/** A format. Functions add to transcript->text what is to be written; all are optional. */
struct transcript_format {
    const char *name;
    const char *const *extensions; /**< of files in this format, with the dot, ended by NULL */
    void (*begin)(struct transcript *transcript);
    void (*event)(struct transcript *transcript, const struct kodama_event *event);
    void (*end)(struct transcript *transcript, const char *reason, uint64_t samples);
};

/** What a transcript is of. */
struct transcript_facts {
    uint32_t rate_hz;
    const char *engine; /* borrowed */
    const char *model;  /* borrowed */
};

struct transcript {
    const struct transcript_format *format;
    struct output output;
    struct transcript_facts facts;
    bool partials;    /* tentative text is wanted, too */
    struct text text; /* not written yet */
    uint64_t counter; /* messages or cues written */
    uint32_t finals;
    double written_to_s; /* end of the newest cue */
};

/** Name of a format: index 0, 1, ... until NULL. */
const char *transcript_format_name(size_t index);

/** The format of that name, or NULL. */
const struct transcript_format *transcript_format_find(const char *name);

/** The format that a file's extension stands for, or NULL. */
const struct transcript_format *transcript_format_of(const char *path);

/** Begin; format and output were set by the caller. All of these return false once writing failed
 * (transcript->output.error). */
bool transcript_begin(struct transcript *transcript, struct transcript_facts facts);
bool transcript_event(struct transcript *transcript, const struct kodama_event *event);

/** End: "stopped" (the input has ended), "interrupted" or "failed". */
bool transcript_end(struct transcript *transcript, const char *reason, uint64_t samples);
void transcript_free(struct transcript *transcript);

extern const struct transcript_format transcript_json, transcript_srt, transcript_vtt;

#endif
