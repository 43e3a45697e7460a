/*
 * How far long work is: one bar on standard error, redrawn in place on a terminal; lines there when
 * it is none and --progress asks for it. Shows the speed and the time that is left, or only the
 * position where the length is not known.
 */
#ifndef COMMAND_PROGRESS_H
#define COMMAND_PROGRESS_H

#include <stdbool.h>

#include <kodama/stream.h>

#include "command/screen.h"

struct progress {
    struct screen screen; /* the bar; inactive where lines are printed */
    const char *command;
    bool open;
    bool lines;        /* one line for each step */
    bool signals;      /* this has opened interrupt.h */
    const char *work;  /* what is being done, before the bar; may be NULL */
    double started_s;  /* monotonic */
    double shown_s;    /* monotonic; when something was shown last */
    double shown_to;   /* percent or, without a length, seconds that the last line was about */
    double begun_at_s; /* position when the work began */
};

/** The entry of --progress in a command's table; `type` has the member `progress`, a bool. */
#define PROGRESS_OPTION_ENTRY(type)                                                             \
    {                                                                                           \
        .name = "progress", .kind = OPTION_ON,                                                  \
        .help = "Tell how far it is on standard error also when that is no terminal: one line " \
                "for every tenth",                                                              \
        .offset = offsetof(type, progress)                                                      \
    }

/**
 * Get ready; nothing is shown before the work has lasted half a second.
 *
 * Takes the signals that end the program (interrupt.h) unless the command has done so, so that the
 * bar is cleared before it ends: call it before any other thread is started. What cannot be left
 * half done may interrupt_arm() then.
 *
 * @param[out] progress  close with progress_close(); stays where it is until then
 * @param command        name of the subcommand (borrowed)
 * @param wanted         --progress was given: lines where there is no terminal
 * @param printing       the command prints on standard output meanwhile: no bar between the lines
 *                       when that is a terminal, too
 */
void progress_open(struct progress *progress, const char *command, bool wanted, bool printing);

/** Whether anything is ever shown: who waits for work needs to wake up for it only then. */
bool progress_is_shown(const struct progress *progress);

/** A new piece of work begins. @param work  what is done, a few words (borrowed); may be NULL */
void progress_begin(struct progress *progress, const char *work);

/**
 * Tell how far the work is; shows it at most ten times a second, so call it as often as it suits.
 *
 * @param position_s  seconds of audio that are done
 * @param length_s    of all audio; 0 or less: not known
 */
void progress_show(struct progress *progress, double position_s, double length_s);

/**
 * Wait for the end of a stream and tell meanwhile how far it is.
 *
 * @param stream       started
 * @param length_s     of it; below 0: not known
 * @param[out] error   why it ended badly
 * @return what kodama_stream_wait() says
 */
int progress_stream(struct progress *progress, struct kodama_stream *stream, double length_s,
                    struct kodama_error *error);

/** Say something for good, above the bar: as complain(). */
void progress_note(struct progress *progress, const char *format, ...) KODAMA_PRINTF(2, 3);

/** Take the bar away. Twice is allowed, and without opening. */
void progress_close(struct progress *progress);

/** Seconds of a clock that only goes forward. */
double progress_now_s(void);

#endif
