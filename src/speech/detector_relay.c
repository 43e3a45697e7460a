/* A relay of two detectors of a kind. */
#include "speech/detector_relay.h"

#include <stdlib.h>

#include "base/memory.h"

struct relay {
    struct kodama_detector detector;
    uint64_t n_chunk, n_overlap;       /* immutable */
    struct kodama_detector *runner[2]; /* owned; [0] is the one whose word counts */
    uint64_t n_windows;                /* of the chunk, so far */
};

static void relay_close(struct kodama_detector *detector)
{
    struct relay *relay = (struct relay *)detector;
    kodama_detector_close(relay->runner[0]);
    kodama_detector_close(relay->runner[1]);
    free(relay);
}

static float relay_process(struct kodama_detector *detector, const float *samples)
{
    struct relay *relay = (struct relay *)detector;
    if (relay->n_windows == relay->n_chunk) {
        struct kodama_detector *rested = relay->runner[0];
        relay->runner[0] = relay->runner[1];
        relay->runner[1] = rested;
        kodama_detector_reset(rested);
        relay->n_windows = 0;
    }
    relay->n_windows++;
    if (relay->n_windows > relay->n_chunk - relay->n_overlap)
        kodama_detector_process(relay->runner[1], samples);
    return kodama_detector_process(relay->runner[0], samples);
}

static void relay_reset(struct kodama_detector *detector)
{
    struct relay *relay = (struct relay *)detector;
    kodama_detector_reset(relay->runner[0]);
    kodama_detector_reset(relay->runner[1]);
    relay->n_windows = 0;
}

static void relay_save(const struct kodama_detector *detector, struct record *record)
{
    const struct relay *relay = (const struct relay *)detector;
    record_put_u64(record, relay->n_chunk);
    record_put_u64(record, relay->n_overlap);
    record_put_u64(record, relay->n_windows);
    detector_save(relay->runner[0], record);
    detector_save(relay->runner[1], record);
}

static void relay_load(struct kodama_detector *detector, struct record *record)
{
    struct relay *relay = (struct relay *)detector;
    if (record_get_u64(record) != relay->n_chunk) record->failed = true;
    if (record_get_u64(record) != relay->n_overlap) record->failed = true;
    relay->n_windows = record_get_u64(record);
    if (relay->n_windows > relay->n_chunk) record->failed = true;
    detector_load(relay->runner[0], record);
    detector_load(relay->runner[1], record);
}

static const struct detector_ops relay_ops = {
    .name = "relay",
    .close = relay_close,
    .process = relay_process,
    .reset = relay_reset,
    .save = relay_save,
    .load = relay_load,
};

int detector_relay_open_take(struct kodama_detector **opened, struct kodama_detector *first,
                             struct kodama_detector *second, uint64_t n_chunk, uint64_t n_overlap)
{
    struct relay *relay = memory_array(1, sizeof *relay);
    *opened = NULL;
    if (!relay) {
        kodama_detector_close(first);
        kodama_detector_close(second);
        return KODAMA_ERR_MEMORY;
    }
    *relay = (struct relay){
        .detector = {.ops = &relay_ops, .window = first->window, .delay = first->delay},
        .n_chunk = n_chunk,
        .n_overlap = n_overlap < n_chunk ? n_overlap : n_chunk,
        .runner = {first, second},
    };
    relay_reset(&relay->detector);
    *opened = &relay->detector;
    return KODAMA_OK;
}
