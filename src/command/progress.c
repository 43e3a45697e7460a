/* How far long work is: a bar on a terminal, lines elsewhere. */
#include "command/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "command/interrupt.h"
#include "command/keys.h"
#include "command/output.h"

/* What is shorter needs no bar. */
static const double quiet_s = 0.5, redraw_s = 0.1;
/* Before, speed and time left are guesses. */
static const double settled_s = 1.0;
/* Lines: a step of the percentage, or of the position where there is none. */
enum { STREAM_WAIT_NS = 100000000 };
static const double step_percent = 10.0, step_s = 60.0;

double progress_now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void progress_open(struct progress *progress, const char *command, bool wanted, bool printing)
{
    *progress = (struct progress){.screen.fd = -1, .command = command, .open = true};
    bool between = printing && isatty(STDOUT_FILENO);
    bool bar = screen_open(&progress->screen, between ? -1 : STDERR_FILENO);
    progress->screen.transient = true;
    progress->lines = !bar && !between && wanted;
    progress->signals =
        interrupt_descriptor() < 0 && interrupt_open(keys_restore, &progress->screen);
    progress_begin(progress, NULL);
}

bool progress_is_shown(const struct progress *progress)
{
    return progress->lines || progress->screen.fd >= 0;
}

void progress_begin(struct progress *progress, const char *work)
{
    progress->work = work;
    progress->started_s = progress_now_s();
    progress->shown_s = progress->started_s + quiet_s - redraw_s;
    progress->shown_to = 0.0;
    progress->begun_at_s = -1.0;
}

static void add_speed(struct text *line, double done_s, double left_s, double spent_s)
{
    char left[16];
    if (spent_s < settled_s || done_s <= 0) return;
    double speed = done_s / spent_s;
    text_printf(line, speed < 10 ? "  %.1fx" : "  %.0fx", speed);
    if (left_s > 0) text_printf(line, "  %s left", screen_time(left_s / speed + 0.5, left));
}

static void show_bar(struct progress *progress, double position_s, double length_s, double spent_s)
{
    struct text line = {0};
    if (progress->work) text_printf(&line, "%s  ", progress->work);
    screen_progress(&progress->screen, &line, position_s, length_s);
    add_speed(&line, position_s - progress->begun_at_s, length_s - position_s, spent_s);
    screen_status(&progress->screen, text_string(&line));
    text_free(&line);
}

/* A line is for good, so there is one for each step only. */
static void show_line(struct progress *progress, double position_s, double length_s, double spent_s)
{
    char at[16], of[16];
    double to = length_s > 0 ? 100.0 * position_s / length_s : position_s;
    double step = length_s > 0 ? step_percent : step_s;
    if (to < progress->shown_to + step) return;
    while (progress->shown_to + step <= to) progress->shown_to += step;
    struct text line = {0};
    if (progress->work) text_printf(&line, "%s: ", progress->work);
    if (length_s > 0) {
        text_printf(&line, "%.0f %%, %s of %s", to < 100 ? to : 100.0, screen_time(position_s, at),
                    screen_time(length_s, of));
    } else {
        text_add(&line, screen_time(position_s, at));
    }
    add_speed(&line, position_s - progress->begun_at_s, length_s - position_s, spent_s);
    complain(progress->command, "%s", text_string(&line));
    text_free(&line);
}

void progress_show(struct progress *progress, double position_s, double length_s)
{
    if (!progress_is_shown(progress)) return;
    double now_s = progress_now_s();
    if (progress->begun_at_s < 0) progress->begun_at_s = position_s;
    if (progress->lines) {
        show_line(progress, position_s, length_s, now_s - progress->started_s);
        return;
    }
    if (now_s - progress->shown_s < redraw_s) return;
    progress->shown_s = now_s;
    show_bar(progress, position_s, length_s, now_s - progress->started_s);
}

int progress_stream(struct progress *progress, struct kodama_stream *stream, double length_s,
                    struct kodama_error *error)
{
    double rate_hz = (double)kodama_stream_format(stream).rate_hz;
    int64_t wait_ns = progress_is_shown(progress) ? STREAM_WAIT_NS : KODAMA_FOREVER;
    int status;
    do {
        struct kodama_stream_stats stats;
        status = kodama_stream_wait(stream, wait_ns, error);
        kodama_stream_stats(stream, &stats);
        progress_show(progress, (double)stats.frames / rate_hz, length_s);
    } while (status == KODAMA_ERR_TIMEOUT);
    return status;
}

void progress_note(struct progress *progress, const char *format, ...)
{
    char words[800];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    screen_note(&progress->screen, progress->command, "%s", words);
}

void progress_close(struct progress *progress)
{
    if (!progress->open) return;
    progress->open = false;
    screen_close(&progress->screen);
    progress->lines = false;
    if (progress->signals) interrupt_close();
    progress->signals = false;
}
