/*
 * The detector `webrtc`: WebRTC's voice activity detector in its strictest mode, for comparison and
 * for those who want it.
 *
 * Debian's library is a C++ one, but the release 0.3 (libwebrtc_audio_processing.so.1, in Debian 12
 * and Ubuntu 24.04; PulseAudio needs it) also exports the C functions of the detector. It is opened
 * at run time by that one name: later releases hide them. Its answer is yes or no.
 *
 * The functions have no means to save a state, so it is taken as the bytes that it is: the instance
 * is one block without pointers. Its size is part of that release's binary interface, and checked
 * at open by the mark that its last field holds.
 */
#include "speech/detector.h"

#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

#define LIBRARY "libwebrtc_audio_processing.so.1"

enum {
    WINDOW_MAX = 160,
    MODE = 3,
    STATE_BYTES = 736, /* sizeof(VadInstT) in release 0.3 */
    READY_AT = 732,    /* its last field, init_flag */
    READY = 42,
};

/** Its functions, as common_audio/vad/include/webrtc_vad.h declares them. */
struct functions {
    void *(*create)(void);
    void (*destroy)(void *vad);
    int (*init)(void *vad);
    int (*set_mode)(void *vad, int mode);
    int (*process)(void *vad, int rate_hz, const int16_t *samples, size_t n_samples);
};

struct webrtc {
    struct kodama_detector detector;

    /* Immutable after open. */
    int rate_hz;
    void *library;
    struct functions call;

    /* State. */
    void *vad;
};

static bool load_function(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol); /* C has no cast between the two */
    return symbol != NULL;
}

static bool load_functions(struct webrtc *w)
{
    return load_function(w->library, "WebRtcVad_Create", &w->call.create) &&
           load_function(w->library, "WebRtcVad_Free", &w->call.destroy) &&
           load_function(w->library, "WebRtcVad_Init", &w->call.init) &&
           load_function(w->library, "WebRtcVad_set_mode", &w->call.set_mode) &&
           load_function(w->library, "WebRtcVad_Process", &w->call.process);
}

static void webrtc_reset(struct kodama_detector *detector)
{
    struct webrtc *w = (struct webrtc *)detector;
    w->call.init(w->vad);
    w->call.set_mode(w->vad, MODE);
}

static void webrtc_close(struct kodama_detector *detector)
{
    struct webrtc *w = (struct webrtc *)detector;
    if (w->vad) w->call.destroy(w->vad);
    if (w->library) dlclose(w->library);
    free(w);
}

/* Whether the instance is laid out as expected: the mark is where it should be. */
static bool is_known_layout(const struct webrtc *w)
{
    int32_t mark;
    memcpy(&mark, (const uint8_t *)w->vad + READY_AT, sizeof mark);
    return mark == READY;
}

static int fill(struct webrtc *w, struct kodama_error *error)
{
    w->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!w->library)
        return error_set(error, KODAMA_ERR_NOT_FOUND,
                         "it needs the library " LIBRARY
                         ", Debian 12's package libwebrtc-audio-processing1: install it, or use "
                         "another detector");
    if (!load_functions(w))
        return error_set(error, KODAMA_ERR_UNSUPPORTED,
                         "this system's " LIBRARY
                         " does not export the functions WebRtcVad_*; use another detector");
    w->vad = w->call.create();
    if (!w->vad) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    if (w->call.init(w->vad) != 0 || w->call.set_mode(w->vad, MODE) != 0 || !is_known_layout(w))
        return error_set(error, KODAMA_ERR_UNSUPPORTED,
                         "this system's " LIBRARY
                         " is not the release 0.3 that is known here; use another detector");
    return KODAMA_OK;
}

static int webrtc_open(struct kodama_detector **detector,
                       const struct kodama_detector_config *config, struct kodama_error *error)
{
    if (config->rate_hz != 16000 && config->rate_hz != 8000)
        return error_set(error, KODAMA_ERR_FORMAT, "it hears 16000 Hz or 8000 Hz, not %u Hz",
                         config->rate_hz);
    struct webrtc *w = memory_array(1, sizeof *w);
    if (!w) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    w->rate_hz = (int)config->rate_hz;
    w->detector.window = config->rate_hz / 100;
    int status = fill(w, error);
    if (status < 0) {
        webrtc_close(&w->detector);
        return status;
    }
    *detector = &w->detector;
    return KODAMA_OK;
}

static float webrtc_process(struct kodama_detector *detector, const float *samples)
{
    struct webrtc *w = (struct webrtc *)detector;
    int16_t window[WINDOW_MAX];
    for (uint32_t i = 0; i < w->detector.window; i++) {
        float sample = detector_sane(samples[i]) * 32768.0f;
        if (sample > 32767.0f) sample = 32767.0f;
        if (sample < -32768.0f) sample = -32768.0f;
        window[i] = (int16_t)lrintf(sample);
    }
    return w->call.process(w->vad, w->rate_hz, window, w->detector.window) == 1 ? 1.0f : 0.0f;
}

static void webrtc_save(const struct kodama_detector *detector, struct record *record)
{
    const struct webrtc *w = (const struct webrtc *)detector;
    record_put_tag(record, "VADW", 1);
    record_put_u32(record, (uint32_t)w->rate_hz);
    record_put_bytes(record, w->vad, STATE_BYTES);
}

static void webrtc_load(struct kodama_detector *detector, struct record *record)
{
    struct webrtc *w = (struct webrtc *)detector;
    uint8_t state[STATE_BYTES];
    int32_t mark;
    record_get_tag(record, "VADW", 1);
    if (record_get_u32(record) != (uint32_t)w->rate_hz) record->failed = true;
    record_get_bytes(record, state, sizeof state);
    if (record->failed) return;
    memcpy(&mark, state + READY_AT, sizeof mark);
    if (mark != READY)
        record->failed = true;
    else
        memcpy(w->vad, state, sizeof state);
}

static void webrtc_describe(const struct kodama_detector *detector, char *about, size_t n_bytes)
{
    const struct webrtc *w = (const struct webrtc *)detector;
    snprintf(about, n_bytes, "windows of 10 ms at %d Hz, mode %d of " LIBRARY, w->rate_hz, MODE);
}

const struct detector_ops detector_webrtc = {
    .name = "webrtc",
    .open = webrtc_open,
    .close = webrtc_close,
    .process = webrtc_process,
    .reset = webrtc_reset,
    .save = webrtc_save,
    .load = webrtc_load,
    .describe = webrtc_describe,
};
