/* Meters: levels of what a ring hears, measured by whoever looks. */
#include <kodama/meter.h>

#include <math.h>
#include <stdlib.h>

#include "audio/convert.h"
#include "audio/level.h"
#include "base/error.h"
#include "base/memory.h"

/* A level that follows peaks at once, stays, then falls; as a function of the place, so that it
 * does not depend on how often somebody looks. */
struct falling {
    double db;   /* -INFINITY: nothing yet */
    uint64_t at; /* position of the peak */
};

struct kodama_meter {
    /* immutable */
    struct kodama_cursor *cursor;
    struct kodama_format format;
    size_t block_frames; /* 10 ms: how exactly peaks are placed */
    float full_scale, silence;
    double fall_db_per_frame;
    uint64_t hold_frames;

    /* the reader's */
    uint8_t *frames; /* one block as read */
    float *floats;   /* one block */
    struct falling fall[KODAMA_CHANNELS_MAX], hold[KODAMA_CHANNELS_MAX];
    uint64_t clipped_total[KODAMA_CHANNELS_MAX];
    uint64_t silent_frames;
};

static double falling_db(const struct falling *falling, uint64_t position, uint64_t hold_frames,
                         double db_per_frame)
{
    uint64_t age = position > falling->at ? position - falling->at : 0;
    if (age <= hold_frames) return falling->db;
    return falling->db - (double)(age - hold_frames) * db_per_frame;
}

static void follow(const struct kodama_meter *meter, struct falling *falling, uint64_t hold_frames,
                   uint64_t position, double peak_db)
{
    if (peak_db < falling_db(falling, position, hold_frames, meter->fall_db_per_frame)) return;
    *falling = (struct falling){.db = peak_db, .at = position};
}

static bool is_silent(const struct kodama_meter *meter, size_t frame)
{
    const float *samples = meter->floats + frame * meter->format.channels;
    for (uint32_t c = 0; c < meter->format.channels; c++) {
        if (fabsf(samples[c]) > meter->silence) return false;
    }
    return true;
}

/* Frames at the end of a block that are silent. */
static size_t silent_at_end(const struct kodama_meter *meter, size_t n_frames)
{
    size_t n = 0;
    while (n < n_frames && is_silent(meter, n_frames - 1 - n)) n++;
    return n;
}

/* One block that ends at `position`. */
static void measure(struct kodama_meter *meter, struct level_sums *total, size_t n_frames,
                    uint64_t position)
{
    uint32_t channels = meter->format.channels;
    convert_to_float(meter->format.sample, meter->frames, meter->floats, n_frames * channels);
    struct level_sums block = {0};
    level_add(&block, meter->floats, n_frames, channels, meter->full_scale);
    float loudest = 0.0f;
    for (uint32_t c = 0; c < channels; c++) {
        double peak_db = level_db((double)block.peak[c]);
        follow(meter, &meter->fall[c], 0, position, peak_db);
        follow(meter, &meter->hold[c], meter->hold_frames, position, peak_db);
        if (block.peak[c] > loudest) loudest = block.peak[c];
        if (block.peak[c] > total->peak[c]) total->peak[c] = block.peak[c];
        total->energy[c] += block.energy[c];
        total->clipped[c] += block.clipped[c];
        meter->clipped_total[c] += block.clipped[c];
    }
    if (loudest > meter->silence) {
        meter->silent_frames = silent_at_end(meter, n_frames);
    } else {
        meter->silent_frames += n_frames;
    }
}

static void finish(struct kodama_level *level, double fall_db, double hold_db)
{
    level->peak_db = level_db(level->peak);
    level->rms_db = level_db(level->rms);
    level->fall_db = fall_db;
    level->hold_db = hold_db;
    level->fall = level_factor(fall_db);
    level->hold = level_factor(hold_db);
}

static void report(const struct kodama_meter *meter, const struct level_sums *total,
                   struct kodama_levels *levels)
{
    double energy = 0.0, fall_db = -INFINITY, hold_db = -INFINITY;
    uint32_t channels = meter->format.channels;
    double n_frames = levels->frames > 0 ? (double)levels->frames : 1.0;
    for (uint32_t c = 0; c < channels; c++) {
        struct kodama_level *level = &levels->channel[c];
        level->peak = (double)total->peak[c];
        level->rms = sqrt(total->energy[c] / n_frames);
        level->clipped = total->clipped[c];
        level->clipped_total = meter->clipped_total[c];
        finish(level, falling_db(&meter->fall[c], levels->position, 0, meter->fall_db_per_frame),
               falling_db(&meter->hold[c], levels->position, meter->hold_frames,
                          meter->fall_db_per_frame));
        energy += total->energy[c];
        if (level->peak > levels->all.peak) levels->all.peak = level->peak;
        levels->all.clipped += level->clipped;
        levels->all.clipped_total += level->clipped_total;
        fall_db = fmax(fall_db, level->fall_db);
        hold_db = fmax(hold_db, level->hold_db);
    }
    levels->all.rms = sqrt(energy / (n_frames * channels));
    finish(&levels->all, fall_db, hold_db);
}

int kodama_meter_read(struct kodama_meter *meter, struct kodama_levels *levels)
{
    if (!levels) return KODAMA_ERR_ARGUMENT;
    *levels = (struct kodama_levels){0};
    if (!meter) return KODAMA_ERR_ARGUMENT;
    struct kodama_ring *ring = kodama_cursor_ring(meter->cursor);
    struct level_sums total = {0};
    /* What arrives from here on is for the next look, so that a fast writer cannot hold this one.
     */
    uint64_t end = kodama_ring_position(ring);
    levels->position = kodama_cursor_position(meter->cursor);
    while (levels->position < end) {
        uint64_t left = end - levels->position;
        size_t wanted = left < meter->block_frames ? (size_t)left : meter->block_frames;
        struct kodama_read info;
        int64_t n = kodama_cursor_read(meter->cursor, meter->frames, wanted, 0, &info);
        if (n <= 0) break;
        if (info.lost > 0) meter->silent_frames = 0;
        levels->lost_frames += info.lost;
        levels->frames += (uint64_t)n;
        levels->position = info.position + (uint64_t)n;
        measure(meter, &total, (size_t)n, levels->position);
    }
    levels->channels = meter->format.channels;
    levels->silent_frames = meter->silent_frames;
    levels->silence_s = (double)meter->silent_frames / meter->format.rate_hz;
    levels->ended = kodama_ring_is_closed(ring) && levels->position == kodama_ring_position(ring);
    report(meter, &total, levels);
    return KODAMA_OK;
}

void kodama_meter_reset(struct kodama_meter *meter)
{
    if (!meter) return;
    for (uint32_t c = 0; c < KODAMA_CHANNELS_MAX; c++) {
        meter->fall[c] = meter->hold[c] = (struct falling){.db = -INFINITY};
        meter->clipped_total[c] = 0;
    }
    meter->silent_frames = 0;
}

static int check_config(const struct kodama_ring *ring, const struct kodama_meter_config *config,
                        struct kodama_error *error)
{
    const char *wrong = NULL;
    if (!ring || config->size != sizeof *config) {
        wrong = "it needs a ring and a configuration begun with KODAMA_METER_CONFIG_INIT";
    } else if (!(config->fall_db_s > 0.0 && config->fall_db_s < (double)INFINITY)) {
        wrong = "it falls by more than 0 dB a second";
    } else if (isnan(config->silence_db) || config->silence_db > 0.0) {
        wrong = "silence is at most at 0 dBFS";
    } else if (config->start < KODAMA_START_NOW || config->start > KODAMA_START_AT) {
        wrong = "there is no such start";
    }
    if (!wrong) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_ARGUMENT, "open a meter: %s", wrong);
}

static int prepare(struct kodama_meter *meter, struct kodama_ring *ring,
                   const struct kodama_meter_config *config, struct kodama_error *error)
{
    meter->format = kodama_ring_format(ring);
    meter->block_frames = meter->format.rate_hz / 100;
    meter->full_scale = level_full_scale(meter->format.sample);
    meter->silence = (float)level_factor(config->silence_db);
    meter->fall_db_per_frame = config->fall_db_s / meter->format.rate_hz;
    meter->hold_frames = (uint64_t)config->hold_ms * meter->format.rate_hz / 1000;
    kodama_meter_reset(meter);
    meter->frames = memory_array(meter->block_frames, kodama_frame_bytes(meter->format));
    meter->floats = memory_array(meter->block_frames * meter->format.channels, sizeof(float));
    if (!meter->frames || !meter->floats) {
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for a meter");
    }
    struct kodama_cursor_config cursor = KODAMA_CURSOR_CONFIG_INIT;
    cursor.start = config->start;
    cursor.start_position = config->start_position;
    int status = kodama_cursor_open(&meter->cursor, ring, &cursor);
    if (status < 0) {
        return error_set(error, status, "cannot open a meter's cursor: %s",
                         kodama_strerror(status));
    }
    return KODAMA_OK;
}

int kodama_meter_open(struct kodama_meter **meter, struct kodama_ring *ring,
                      const struct kodama_meter_config *config, struct kodama_error *error)
{
    static const struct kodama_meter_config defaults = KODAMA_METER_CONFIG_INIT;
    if (!config) config = &defaults;
    if (!meter) return error_set(error, KODAMA_ERR_ARGUMENT, "nowhere to put the meter");
    *meter = NULL;
    int status = check_config(ring, config, error);
    if (status < 0) return status;
    struct kodama_meter *opened = memory_array(1, sizeof *opened);
    if (!opened) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a meter");
    status = prepare(opened, ring, config, error);
    if (status < 0) {
        kodama_meter_close(opened);
        return status;
    }
    *meter = opened;
    return KODAMA_OK;
}

void kodama_meter_close(struct kodama_meter *meter)
{
    if (!meter) return;
    kodama_cursor_close(meter->cursor);
    free(meter->frames);
    free(meter->floats);
    free(meter);
}
