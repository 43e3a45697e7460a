/*
 * The live zone of a terminal: text that is still changing and a status line, redrawn in place
 * below the lines that are finished. Every change is one write, and nothing is written when nothing
 * changed.
 */
#ifndef COMMAND_SCREEN_H
#define COMMAND_SCREEN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>

#include "command/text.h"

enum { SCREEN_LIVE_MAX = 8, SCREEN_METER_CELLS = 10, SCREEN_ROWS_MAX = 32 };

/** An utterance whose text is not final. */
struct screen_live {
    uint32_t utterance;
    double start_s;
    struct text text;
    size_t firm_bytes; /* of text: will not change any more */
};

/** Fields below the lock: with the lock held only. */
struct screen {
    int fd;       /* immutable; -1: nothing is painted */
    bool styled;  /* immutable: bright, dim and colour */
    bool unicode; /* immutable: more than ASCII can be shown */
    pthread_mutex_t lock;
    struct screen_live live[SCREEN_LIVE_MAX];
    size_t n_live;
    uint8_t meter[SCREEN_METER_CELLS]; /* 0..7, oldest first */
    bool has_meter, voice;
    struct text status, table;
    struct text frame, last;         /* being put together; as painted last */
    size_t painted[SCREEN_ROWS_MAX]; /* columns of each row that is on the screen */
    size_t n_painted;
    size_t width, height;
    bool failed;            /* the terminal is gone */
    bool transient;         /* set after opening: a signal clears the live zone, it does not stay */
    _Atomic bool displaced; /* set without the lock: others wrote below what is painted */
};

/**
 * Use a terminal.
 *
 * @param[out] screen  close with screen_close()
 * @param fd           descriptor; when it is no terminal that can be painted on, or -1, the screen
 *                     is inactive and everything but notes is ignored
 * @return whether it is active
 */
bool screen_open(struct screen *screen, int fd);

/** Take the live zone away and leave the finished lines. */
void screen_close(struct screen *screen);

/** Show an utterance's tentative text. */
void screen_show(struct screen *screen, uint32_t utterance, double start_s, const char *text,
                 size_t firm_bytes);

/** An utterance is finished: its tentative text goes, and `text` stays as a line unless it is
 * empty. */
void screen_finish(struct screen *screen, uint32_t utterance, double start_s, const char *text);

/** What a level in dBFS is on the meter: 0 (-54 and below, and what is no number) to 1 (-3). */
float screen_level(double db);

/** Move the level meter on by one cell. @param level 0..1 @param voice somebody speaks */
void screen_meter(struct screen *screen, float level, bool voice);

/** Change the rows above the status line, divided by line ends, and paint. They are cut at the
 * width and height of the terminal. */
void screen_table(struct screen *screen, const char *rows);

/** Change the status line and paint. */
void screen_status(struct screen *screen, const char *status);

/** Say something for good on standard error, above the live zone. Thread: any. */
void screen_note(struct screen *screen, const char *command, const char *format, ...)
    KODAMA_PRINTF(3, 4);

/** Paint again, after a resize or when the program was suspended. */
void screen_refresh(struct screen *screen);

/** Leave the terminal in order, for the end (for good: nothing is painted afterwards) or the
 * suspension of the program by a signal. Waits at most 0.2 s for whoever paints. */
void screen_restore(void *screen, bool for_good);

/** A bar, for a status line. @param part 0..1 is done */
void screen_bar(const struct screen *screen, struct text *status, double part);

/** How much is done, for a status line: "━━━━━━────  0:42 of 1:00  70 %"; only the time when the
 * length is not known (below 0). */
void screen_progress(const struct screen *screen, struct text *status, double position_s,
                     double length_s);

/** "1:02:03" or "2:03". @param text room for 16 bytes @return text */
char *screen_time(double time_s, char text[16]);

#endif
