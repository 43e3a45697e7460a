/* Voice activity detectors: the registry, and the public functions in front of the table. */
#include "speech/detector.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* The first is the default. */
static const struct detector_ops *const detectors[] = {
    &detector_builtin,
    &detector_silero,
    &detector_webrtc,
    NULL,
    /* Found by name only. */
    &detector_none,
};

enum { DETECTORS = sizeof detectors / sizeof detectors[0] };

const char *kodama_detector_name(size_t index)
{
    for (size_t i = 0; i <= index; i++) {
        if (!detectors[i]) return NULL;
    }
    return detectors[index]->name;
}

int kodama_detector_open_with(struct kodama_detector **detector,
                              const struct kodama_detector_config *config,
                              struct kodama_error *error)
{
    const struct kodama_detector_config defaults = KODAMA_DETECTOR_CONFIG_INIT;
    if (!detector) return error_set(error, KODAMA_ERR_ARGUMENT, "detector: no place for it");
    *detector = NULL;
    if (!config) config = &defaults;
    if (config->size < sizeof *config)
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "detector: fill the configuration with KODAMA_DETECTOR_CONFIG_INIT");
    const char *name = config->name ? config->name : detectors[0]->name;
    const struct detector_ops *ops = NULL;
    for (size_t i = 0; !ops && i < DETECTORS; i++)
        if (detectors[i] && strcmp(detectors[i]->name, name) == 0) ops = detectors[i];
    if (!ops)
        return error_set(error, KODAMA_ERR_NOT_FOUND, "there is no detector named \"%s\"", name);
    int status = ops->open(detector, config, error);
    if (status < 0) return error_prefix(error, status, "detector %s", ops->name);
    (*detector)->ops = ops;
    ops->reset(*detector);
    return KODAMA_OK;
}

int kodama_detector_open(struct kodama_detector **detector, const char *name, uint32_t rate_hz,
                         struct kodama_error *error)
{
    struct kodama_detector_config config = KODAMA_DETECTOR_CONFIG_INIT;
    config.name = name;
    config.rate_hz = rate_hz;
    return kodama_detector_open_with(detector, &config, error);
}

int kodama_detector_probe(const struct kodama_detector_config *config, char *about, size_t n_bytes)
{
    struct kodama_detector *detector;
    struct kodama_error error = {0};
    char words[sizeof error.message];
    int status = kodama_detector_open_with(&detector, config, &error);
    snprintf(words, sizeof words, "%s", error.message);
    if (status == KODAMA_OK && detector) {
        uint32_t rate_hz = config ? config->rate_hz : 16000;
        snprintf(words, sizeof words, "windows of %u ms", detector->window * 1000 / rate_hz);
        if (detector->ops->describe) detector->ops->describe(detector, words, sizeof words);
        kodama_detector_close(detector);
    }
    if (about && n_bytes > 0) snprintf(about, n_bytes, "%s", words);
    return status;
}

void kodama_detector_close(struct kodama_detector *detector)
{
    if (detector) detector->ops->close(detector);
}

uint32_t kodama_detector_window(const struct kodama_detector *detector)
{
    return detector->window;
}

uint32_t kodama_detector_delay(const struct kodama_detector *detector)
{
    return detector->delay;
}

float kodama_detector_process(struct kodama_detector *detector, const float *samples)
{
    float probability = detector->ops->process(detector, samples);
    if (!(probability > 0.0f)) return 0.0f; /* NaN too */
    return probability < 1.0f ? probability : 1.0f;
}

void kodama_detector_reset(struct kodama_detector *detector)
{
    detector->ops->reset(detector);
}

void detector_save(const struct kodama_detector *detector, struct record *record)
{
    record_put_tag(record, "DETC", 1);
    record_put_text(record, detector->ops->name);
    detector->ops->save(detector, record);
}

void detector_load(struct kodama_detector *detector, struct record *record)
{
    /* Compared in place, not with record_get_text(): loading needs no memory this way. */
    record_get_tag(record, "DETC", 1);
    char name[64] = {0};
    record_get_bytes(record, name, record_get_count(record, sizeof name - 1));
    if (strcmp(name, detector->ops->name) != 0) record->failed = true;
    if (!record->failed) detector->ops->load(detector, record);
    if (record->failed) detector->ops->reset(detector);
}

int64_t kodama_detector_save(const struct kodama_detector *detector, void *data, size_t n_bytes)
{
    struct record record = record_writer();
    detector_save(detector, &record);
    return record_deliver(&record, data, n_bytes);
}

int kodama_detector_load(struct kodama_detector *detector, const void *data, size_t n_bytes)
{
    struct record record = record_reader(data, data ? n_bytes : 0);
    detector_load(detector, &record);
    if (!record.failed && record.offset == record.n_bytes) return KODAMA_OK;
    kodama_detector_reset(detector);
    return KODAMA_ERR_CORRUPT;
}
