/* The shape of a sound, kept in little memory however long it is, and drawn with characters. */
#include "command/waveform.h"

#include <math.h>

static float lower(float a, float b)
{
    return a < b ? a : b;
}

static float higher(float a, float b)
{
    return a > b ? a : b;
}

/* Two parts become one, and so on: there is room for as many frames again. */
static void halve(struct waveform *waveform)
{
    for (size_t i = 0; i < WAVEFORM_PARTS / 2; i++) {
        waveform->low[i] = lower(waveform->low[2 * i], waveform->low[2 * i + 1]);
        waveform->high[i] = higher(waveform->high[2 * i], waveform->high[2 * i + 1]);
    }
    waveform->part_frames *= 2;
}

void waveform_add(struct waveform *waveform, float low, float high)
{
    if (waveform->part_frames == 0) waveform->part_frames = 1;
    if (waveform->n_frames / waveform->part_frames == WAVEFORM_PARTS) halve(waveform);
    size_t part = (size_t)(waveform->n_frames / waveform->part_frames);
    bool first = waveform->n_frames % waveform->part_frames == 0;
    waveform->low[part] = first ? low : lower(waveform->low[part], low);
    waveform->high[part] = first ? high : higher(waveform->high[part], high);
    waveform->n_frames++;
}

/* ------------------------------------------------------------------ drawing */

struct canvas {
    const struct waveform *waveform;
    size_t n_parts, wide, high; /* parts of the waveform; dots */
    float scale;                /* the loudest sample */
};

/* Rows of dots, from the top, that column `x` of the dots covers. */
static void column(const struct canvas *canvas, size_t x, double *top, double *bottom)
{
    const struct waveform *waveform = canvas->waveform;
    size_t begin = x * canvas->n_parts / canvas->wide;
    size_t end = (x + 1) * canvas->n_parts / canvas->wide;
    if (end <= begin) end = begin + 1;
    float low = waveform->low[begin], high = waveform->high[begin];
    for (size_t i = begin; i < end; i++) {
        low = lower(low, waveform->low[i]);
        high = higher(high, waveform->high[i]);
    }
    double half = (double)canvas->high / 2.0;
    *top = half - (double)(high / canvas->scale) * half;
    *bottom = half - (double)(low / canvas->scale) * half;
}

/* A dot is set when the wave goes through its middle; the middle line always is. */
static bool dot(const struct canvas *canvas, size_t x, size_t y)
{
    double top, bottom, middle = (double)y + 0.5;
    if (y == canvas->high / 2) return true;
    column(canvas, x, &top, &bottom);
    return middle >= top && middle <= bottom;
}

static void add_braille(const struct canvas *canvas, struct text *page, size_t x, size_t y)
{
    /* Dots 1 to 8 of a braille cell: two columns of three, then the row below. */
    static const unsigned char places[8][2] = {{0, 0}, {0, 1}, {0, 2}, {1, 0},
                                               {1, 1}, {1, 2}, {0, 3}, {1, 3}};
    unsigned dots = 0;
    for (unsigned i = 0; i < 8; i++) {
        if (dot(canvas, 2 * x + places[i][0], 4 * y + places[i][1])) dots |= 1U << i;
    }
    unsigned code = 0x2800 + dots;
    char bytes[3] = {(char)(0xE0 | code >> 12), (char)(0x80 | (code >> 6 & 0x3F)),
                     (char)(0x80 | (code & 0x3F))};
    text_add_bytes(page, bytes, sizeof bytes);
}

static void add_ascii(const struct canvas *canvas, struct text *page, size_t x, size_t y)
{
    bool upper = dot(canvas, x, 2 * y), under = dot(canvas, x, 2 * y + 1);
    text_add(page, upper && under ? "#" : upper ? "'" : under ? "." : " ");
}

void waveform_draw(const struct waveform *waveform, struct text *page, size_t columns, size_t rows,
                   bool unicode)
{
    struct canvas canvas = {
        .waveform = waveform,
        .wide = columns * (unicode ? 2 : 1),
        .high = rows * (unicode ? 4 : 2),
    };
    if (waveform->n_frames == 0) return;
    canvas.n_parts =
        (size_t)((waveform->n_frames + waveform->part_frames - 1) / waveform->part_frames);
    for (size_t i = 0; i < canvas.n_parts; i++) {
        canvas.scale = higher(canvas.scale, fabsf(waveform->low[i]));
        canvas.scale = higher(canvas.scale, fabsf(waveform->high[i]));
    }
    if (!(canvas.scale > 0.0f)) canvas.scale = 1.0f;
    for (size_t y = 0; y < rows; y++) {
        for (size_t x = 0; x < columns; x++) {
            if (unicode)
                add_braille(&canvas, page, x, y);
            else
                add_ascii(&canvas, page, x, y);
        }
        text_add(page, "\n");
    }
}
