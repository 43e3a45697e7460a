#define _DEFAULT_SOURCE
/* The live zone of a terminal: what is redrawn in place below the finished lines. */
#include "command/screen.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "command/columns.h"
#include "command/output.h"

enum { STAMP_COLUMNS = 7, NARROW_COLUMNS = 30, BAR_CELLS = 20 };
static const double level_floor_db = -54.0, level_full_db = -3.0;

#define STYLE_OFF "\033[0m"
#define STYLE_BRIGHT "\033[1m"
#define STYLE_DIM "\033[2m"
#define STYLE_VOICE "\033[32m"
#define CLEAR_REST_OF_ROW "\033[K"
#define CLEAR_REST_OF_SCREEN "\033[J"
#define CURSOR_HIDE "\033[?25l"
#define CURSOR_SHOW "\033[?25h"

char *screen_time(double time_s, char text[16])
{
    unsigned seconds = time_s > 0 ? (unsigned)time_s : 0;
    if (seconds >= 3600) {
        snprintf(text, 16, "%u:%02u:%02u", seconds / 3600, seconds / 60 % 60, seconds % 60);
    } else {
        snprintf(text, 16, "%u:%02u", seconds / 60, seconds % 60);
    }
    return text;
}

void screen_bar(const struct screen *screen, struct text *status, double part)
{
    const char *done = screen->unicode ? "\u2501" : "=", *left = screen->unicode ? "\u2500" : "-";
    for (int i = 0; i < BAR_CELLS; i++) text_add(status, i < part * BAR_CELLS ? done : left);
}

void screen_progress(const struct screen *screen, struct text *status, double position_s,
                     double length_s)
{
    char at[16], of[16];
    if (length_s <= 0) {
        text_add(status, screen_time(position_s, at));
        return;
    }
    double part = position_s < length_s ? position_s / length_s : 1.0;
    screen_bar(screen, status, part);
    text_printf(status, "  %s of %s  %.0f %%", screen_time(position_s, at),
                screen_time(length_s, of), 100.0 * part);
}

static void measure(struct screen *screen)
{
    struct winsize size;
    bool known = ioctl(screen->fd, TIOCGWINSZ, &size) == 0;
    screen->width = known && size.ws_col > 0 ? size.ws_col : 80;
    screen->height = known && size.ws_row > 0 ? size.ws_row : 24;
}

bool screen_open(struct screen *screen, int fd)
{
    *screen = (struct screen){.fd = -1};
    pthread_mutex_init(&screen->lock, NULL);
    const char *terminal = getenv("TERM"), *no_color = getenv("NO_COLOR");
    if (fd < 0 || !isatty(fd)) return false;
    if (!terminal || !terminal[0] || strcmp(terminal, "dumb") == 0) return false;
    screen->fd = fd;
    screen->styled = !no_color || !no_color[0];
    screen->unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    measure(screen);
    return true;
}

/* ---------------------------------------------------------------- rows */

/* The rows of one frame: text put together, and how wide each row is. */
struct rows {
    struct screen *screen;
    size_t columns[SCREEN_ROWS_MAX];
    size_t n;
};

static void add_styled(struct screen *screen, const char *style, const char *bytes, size_t n_bytes)
{
    if (n_bytes == 0) return;
    if (screen->styled) text_add(&screen->frame, style);
    for (size_t i = 0; i < n_bytes; i++) {
        /* What was heard must not speak to the terminal. */
        /* The analyzer cannot see that columns_line() stays inside. */
        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
        char byte = (unsigned char)bytes[i] < 0x20 || bytes[i] == 0x7F ? ' ' : bytes[i];
        text_add_bytes(&screen->frame, &byte, 1);
    }
    if (screen->styled) text_add(&screen->frame, STYLE_OFF);
}

static size_t stamp_columns(const struct screen *screen)
{
    return screen->width < NARROW_COLUMNS ? 0 : STAMP_COLUMNS;
}

static void add_stamp(struct screen *screen, const char *stamp)
{
    char padded[32];
    if (stamp_columns(screen) == 0) return;
    snprintf(padded, sizeof padded, "%5s  ", stamp);
    add_styled(screen, STYLE_DIM, padded, strlen(padded));
}

static void end_row(struct rows *rows, size_t columns)
{
    if (rows->n < SCREEN_ROWS_MAX) rows->columns[rows->n++] = columns;
}

static void begin_row(struct rows *rows)
{
    if (rows->n > 0) text_add(&rows->screen->frame, CLEAR_REST_OF_ROW "\n");
}

/* Text that is not final: firm bright, the rest dim. Only its last rows are shown. */
static void add_live(struct rows *rows, const struct screen_live *live, size_t rows_most)
{
    struct screen *screen = rows->screen;
    static const char waiting_unicode[] = "\u2026", waiting_ascii[] = "...";
    const char *waiting = screen->unicode ? waiting_unicode : waiting_ascii;
    const char *words = live->text.length ? live->text.bytes : waiting;
    size_t n_bytes = strlen(words), width = screen->width - 1 - stamp_columns(screen);
    size_t begins[64], n_rows = 0, at = 0, next;
    while (at < n_bytes) {
        begins[n_rows++ % 64] = at;
        columns_line(words + at, n_bytes - at, width, &next);
        at += next;
    }
    size_t first = n_rows > rows_most ? n_rows - rows_most : 0;
    char stamp[16];
    for (size_t row = first; row < n_rows; row++) {
        size_t begin = begins[row % 64];
        size_t end = begin + columns_line(words + begin, n_bytes - begin, width, &next);
        size_t firm = live->firm_bytes < begin ? begin : live->firm_bytes;
        if (firm > end) firm = end;
        begin_row(rows);
        const char *left = row > first ? ""
                           : first > 0 ? waiting
                                       : screen_time(live->start_s, stamp);
        add_stamp(screen, left);
        add_styled(screen, STYLE_BRIGHT, words + begin, firm - begin);
        add_styled(screen, STYLE_DIM, words + firm, end - firm);
        end_row(rows, stamp_columns(screen) + columns_of(words + begin, end - begin));
    }
}

static size_t add_meter(struct screen *screen)
{
    static const char *const blocks[] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                         "\u2585", "\u2586", "\u2587", "\u2588"};
    static const char *const letters[] = {" ", ".", ":", "-", "=", "+", "*", "#"};
    if (!screen->has_meter || screen->width < NARROW_COLUMNS) return 0;
    struct text cells = {0};
    for (size_t i = 0; i < SCREEN_METER_CELLS; i++) {
        text_add(&cells, (screen->unicode ? blocks : letters)[screen->meter[i]]);
    }
    text_add(&screen->frame, "  ");
    add_styled(screen, screen->voice ? STYLE_VOICE : STYLE_DIM, cells.bytes, cells.length);
    text_free(&cells);
    return 2 + SCREEN_METER_CELLS;
}

/* Bytes of text that fit into so many columns. */
static size_t fitting(const char *text, size_t n_bytes, size_t room, size_t *used)
{
    size_t fit = 0;
    *used = 0;
    while (fit < n_bytes) {
        size_t wide, n = columns_character(text + fit, n_bytes - fit, &wide);
        if (*used + wide > room) break;
        *used += wide;
        fit += n;
    }
    return fit;
}

static void add_table(struct rows *rows)
{
    struct screen *screen = rows->screen;
    const char *row = text_string(&screen->table);
    while (*row && rows->n + 2 < SCREEN_ROWS_MAX && rows->n + 2 < screen->height) {
        size_t n_bytes = strcspn(row, "\n"), used;
        begin_row(rows);
        add_styled(screen, "", row, fitting(row, n_bytes, screen->width - 1, &used));
        end_row(rows, used);
        row += n_bytes + (row[n_bytes] == '\n');
    }
}

static void add_status(struct rows *rows)
{
    struct screen *screen = rows->screen;
    if (screen->status.length == 0) return;
    if (screen->n_live > 0 && screen->height > 8) {
        begin_row(rows);
        end_row(rows, 0);
    }
    begin_row(rows);
    size_t columns = add_meter(screen), room = screen->width - 1 - columns, used;
    room = room > 2 ? room - 2 : 0;
    size_t n_bytes = fitting(screen->status.bytes, screen->status.length, room, &used);
    text_add(&screen->frame, "  ");
    add_styled(screen, STYLE_DIM, screen->status.bytes, n_bytes);
    end_row(rows, columns + 2 + used);
}

/* ------------------------------------------------------------- painting */

/* To the first row of the live zone. A terminal that became narrower has broken its rows. */
static void add_home(struct screen *screen)
{
    size_t rows = 0;
    if (atomic_exchange(&screen->displaced, false)) screen->n_painted = 0;
    for (size_t i = 0; i < screen->n_painted; i++) {
        size_t columns = screen->painted[i];
        rows += columns == 0 ? 1 : (columns + screen->width - 1) / screen->width;
    }
    text_add(&screen->frame, "\r");
    if (rows > 1) text_printf(&screen->frame, "\033[%zuA", rows - 1);
}

static void flush(struct screen *screen)
{
    struct output output = {.fd = screen->fd, .name = "the terminal"};
    if (!screen->failed && !output_write(&output, screen->frame.bytes, screen->frame.length)) {
        screen->failed = true;
    }
}

/* Paint the frame: finished lines (with their line ends) first, then the live zone. */
static void paint(struct screen *screen, const char *finished)
{
    struct rows rows = {.screen = screen};
    size_t most = screen->height / 2 < 8 ? screen->height / 2 : 8;
    measure(screen);
    text_clear(&screen->frame);
    text_add(&screen->frame, CURSOR_HIDE);
    add_home(screen);
    if (finished) text_add(&screen->frame, finished);
    for (size_t i = 0; i < screen->n_live; i++) {
        /* Utterances that wait for a decoder behind another one have nothing to show yet. */
        if (i > 0 && screen->live[i].text.length == 0) continue;
        if (rows.n < most) add_live(&rows, &screen->live[i], most - rows.n);
    }
    add_table(&rows);
    add_status(&rows);
    text_add(&screen->frame, CLEAR_REST_OF_ROW CLEAR_REST_OF_SCREEN);
    if (rows.n == 0) text_add(&screen->frame, CURSOR_SHOW);
    memcpy(screen->painted, rows.columns, sizeof rows.columns);
    screen->n_painted = rows.n;
    bool same = screen->frame.length == screen->last.length &&
                memcmp(screen->frame.bytes, text_string(&screen->last), screen->frame.length) == 0;
    if (!finished && same) return;
    flush(screen);
    text_clear(&screen->last);
    text_add_bytes(&screen->last, screen->frame.bytes, screen->frame.length);
}

/* ----------------------------------------------------------- operations */

static bool screen_enter(struct screen *screen)
{
    if (screen->fd < 0) return false;
    pthread_mutex_lock(&screen->lock);
    return true;
}

static void screen_leave(struct screen *screen)
{
    pthread_mutex_unlock(&screen->lock);
}

static struct screen_live *find_live(struct screen *screen, uint32_t utterance)
{
    for (size_t i = 0; i < screen->n_live; i++) {
        if (screen->live[i].utterance == utterance) return &screen->live[i];
    }
    return NULL;
}

static void remove_live(struct screen *screen, uint32_t utterance)
{
    struct screen_live *live = find_live(screen, utterance);
    if (!live) return;
    text_free(&live->text);
    screen->n_live--;
    size_t behind = screen->n_live - (size_t)(live - screen->live);
    memmove(live, live + 1, behind * sizeof *live);
}

void screen_show(struct screen *screen, uint32_t utterance, double start_s, const char *text,
                 size_t firm_bytes)
{
    if (!screen_enter(screen)) return;
    struct screen_live *live = find_live(screen, utterance);
    if (!live && screen->n_live < SCREEN_LIVE_MAX) {
        live = &screen->live[screen->n_live++];
        *live = (struct screen_live){.utterance = utterance, .start_s = start_s};
    }
    if (live) {
        text_clear(&live->text);
        text_add(&live->text, text);
        live->firm_bytes = firm_bytes < live->text.length ? firm_bytes : live->text.length;
        paint(screen, NULL);
    }
    screen_leave(screen);
}

void screen_finish(struct screen *screen, uint32_t utterance, double start_s, const char *text)
{
    if (!screen_enter(screen)) return;
    measure(screen);
    remove_live(screen, utterance);
    struct text lines = {0};
    size_t width = screen->width - 1 - stamp_columns(screen), n_bytes = strlen(text), next;
    char stamp[16];
    for (size_t at = 0; at < n_bytes; at += next) {
        size_t line = columns_line(text + at, n_bytes - at, width, &next);
        text_clear(&screen->frame);
        add_stamp(screen, at == 0 ? screen_time(start_s, stamp) : "");
        add_styled(screen, "", text + at, line);
        text_add(&lines, screen->frame.bytes);
        text_add(&lines, CLEAR_REST_OF_ROW "\n");
    }
    paint(screen, lines.length ? lines.bytes : NULL);
    text_free(&lines);
    screen_leave(screen);
}

float screen_level(double db)
{
    double part = (db - level_floor_db) / (level_full_db - level_floor_db);
    return part > 1.0 ? 1.0f : part > 0.0 ? (float)part : 0.0f; /* also for NaN */
}

void screen_meter(struct screen *screen, float level, bool voice)
{
    if (!screen_enter(screen)) return;
    float cell = level * 8.0f;
    memmove(screen->meter, screen->meter + 1, SCREEN_METER_CELLS - 1);
    screen->meter[SCREEN_METER_CELLS - 1] = (uint8_t)(cell >= 7.0f  ? 7
                                                      : cell > 0.0f ? (int)cell
                                                                    : 0);
    screen->has_meter = true;
    screen->voice = voice;
    screen_leave(screen);
}

void screen_table(struct screen *screen, const char *rows)
{
    if (!screen_enter(screen)) return;
    text_clear(&screen->table);
    text_add(&screen->table, rows);
    paint(screen, NULL);
    screen_leave(screen);
}

void screen_status(struct screen *screen, const char *status)
{
    if (!screen_enter(screen)) return;
    text_clear(&screen->status);
    text_add(&screen->status, status);
    paint(screen, NULL);
    screen_leave(screen);
}

void screen_note(struct screen *screen, const char *command, const char *format, ...)
{
    char words[800];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    if (!screen_enter(screen)) {
        complain(command, "%s", words);
        return;
    }
    measure(screen);
    text_clear(&screen->frame);
    add_home(screen);
    text_add(&screen->frame, CLEAR_REST_OF_SCREEN);
    flush(screen);
    screen->n_painted = 0;
    complain(command, "%s", words);
    text_clear(&screen->last);
    paint(screen, NULL);
    screen_leave(screen);
}

void screen_refresh(struct screen *screen)
{
    if (!screen_enter(screen)) return;
    text_clear(&screen->last);
    paint(screen, NULL);
    screen_leave(screen);
}

void screen_restore(void *user, bool for_good)
{
    static const char stays[] = STYLE_OFF CURSOR_SHOW "\r\n";
    static const char clears[] = STYLE_OFF "\r" CLEAR_REST_OF_SCREEN CURSOR_SHOW;
    struct screen *screen = user;
    if (screen->fd < 0) return;
    const char *order = screen->transient ? clears : stays;
    /* Whoever paints must be done, and for good must not begin again; but a terminal that takes no
     * more bytes holds a painter for ever, and must not hold the end of the program. */
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_nsec += 200000000;
    limit.tv_sec += limit.tv_nsec / 1000000000;
    limit.tv_nsec %= 1000000000;
    bool held = pthread_mutex_timedlock(&screen->lock, &limit) == 0;
    ssize_t n = write(screen->fd, order, strlen(order));
    (void)n;
    atomic_store(&screen->displaced, true);
    if (held && !for_good) screen_leave(screen);
}

void screen_close(struct screen *screen)
{
    if (screen_enter(screen)) {
        while (screen->n_live > 0) remove_live(screen, screen->live[0].utterance);
        text_clear(&screen->status);
        text_clear(&screen->table);
        paint(screen, NULL);
        screen_leave(screen);
    }
    text_free(&screen->status);
    text_free(&screen->table);
    text_free(&screen->frame);
    text_free(&screen->last);
    pthread_mutex_destroy(&screen->lock);
    screen->fd = -1;
}
