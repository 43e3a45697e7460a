/* The detector `none`: never hears speech. It is not listed: it shows what everything around a
 * detector costs. */
#include "speech/detector.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"

enum { WINDOWS_PER_S = 100 };

static int none_open(struct kodama_detector **detector, const struct kodama_detector_config *config,
                     struct kodama_error *error)
{
    if (config->rate_hz != 16000 && config->rate_hz != 8000)
        return error_set(error, KODAMA_ERR_FORMAT, "hears 8000 or 16000 Hz, not %u",
                         config->rate_hz);
    *detector = memory_array(1, sizeof **detector);
    if (!*detector) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    (*detector)->window = config->rate_hz / WINDOWS_PER_S;
    return KODAMA_OK;
}

static void none_close(struct kodama_detector *detector)
{
    free(detector);
}

static float none_process(struct kodama_detector *detector, const float *samples)
{
    (void)detector;
    (void)samples;
    return 0.0f;
}

static void none_reset(struct kodama_detector *detector)
{
    (void)detector;
}

static void none_save(const struct kodama_detector *detector, struct record *record)
{
    (void)detector;
    (void)record;
}

static void none_load(struct kodama_detector *detector, struct record *record)
{
    (void)detector;
    (void)record;
}

const struct detector_ops detector_none = {
    .name = "none",
    .open = none_open,
    .close = none_close,
    .process = none_process,
    .reset = none_reset,
    .save = none_save,
    .load = none_load,
};
