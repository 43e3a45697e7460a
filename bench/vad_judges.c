/* Those who are measured. */
#include "vad_judges.h"

#include <kodama/detector.h>
#include <math.h>
#include <speex/speex_preprocess.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "vad_signals.h"
#include "vad_speech.h"

enum { SPEEX_FRAME = 320 };

/* What a window of a detector says is valid for the windows of 10 ms whose middle it covers. */
static bool judge_kodama(const char *name, const float *samples, size_t n_windows,
                         float *probabilities)
{
    struct kodama_detector *detector;
    struct kodama_error error = {0};
    if (kodama_detector_open(&detector, name, SIGNALS_RATE, &error) < 0) {
        printf("skipped: %s\n", error.message);
        return false;
    }
    size_t window = kodama_detector_window(detector), delay = kodama_detector_delay(detector);
    static const float silence[4096];
    size_t n = n_windows * SPEECH_WINDOW, next = 0;
    float probability = 0.0f;
    for (size_t at = 0; next < n_windows; at += window) {
        if (at + window <= n || at >= n)
            probability = kodama_detector_process(detector, at >= n ? silence : samples + at);
        while (next < n_windows && next * SPEECH_WINDOW + SPEECH_WINDOW / 2 + delay < at + window)
            probabilities[next++] = probability;
    }
    kodama_detector_close(detector);
    return true;
}

/* Its preprocessor's probability of speech, 20 ms at a time, nothing else switched on. */
static bool judge_speex(const char *name, const float *samples, size_t n_windows,
                        float *probabilities)
{
    (void)name;
    SpeexPreprocessState *speex = speex_preprocess_state_init(SPEEX_FRAME, SIGNALS_RATE);
    if (!speex) return false;
    memset(probabilities, 0, n_windows * sizeof *probabilities);
    for (size_t i = 0; i + 1 < n_windows; i += 2) {
        spx_int16_t frame[SPEEX_FRAME];
        spx_int32_t percent = 0;
        for (int k = 0; k < SPEEX_FRAME; k++) {
            double sample = 32768.0 * (double)samples[i * SPEECH_WINDOW + (size_t)k];
            frame[k] = (spx_int16_t)lrint(fmin(fmax(sample, -32768.0), 32767.0));
        }
        speex_preprocess_run(speex, frame);
        speex_preprocess_ctl(speex, SPEEX_PREPROCESS_GET_PROB, &percent);
        probabilities[i] = probabilities[i + 1] = (float)percent / 100.0f;
    }
    speex_preprocess_state_destroy(speex);
    return true;
}

/* 0.5 is -40 dBFS, 0 and 1 lie 40 dB to either side. */
static bool judge_energy(const char *name, const float *samples, size_t n_windows,
                         float *probabilities)
{
    (void)name;
    for (size_t i = 0; i < n_windows; i++) {
        double rms = signal_rms(samples + i * SPEECH_WINDOW, SPEECH_WINDOW);
        probabilities[i] = (float)((20.0 * log10(rms + 1e-9) + 80.0) / 80.0);
    }
    return true;
}

const struct judge judges[] = {
    {"builtin", judge_kodama, true}, {"webrtc", judge_kodama, false},
    {"silero", judge_kodama, true},  {"speexdsp", judge_speex, true},
    {"energy", judge_energy, true},  {NULL, NULL, false},
};

bool judge_works(const struct judge *judge)
{
    static const float silence[4 * SPEECH_WINDOW];
    float probabilities[4];
    return judge->judge(judge->name, silence, 4, probabilities);
}
