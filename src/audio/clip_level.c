/* Levels of clips, changed in place: gain, fades, normalising. */
#include <math.h>

#include "audio/clip.h"
#include "base/error.h"

#define HALF_PI 1.57079632679489661923

/* Multiply all samples; refuses what would leave the range of a clip. */
static int scale(struct kodama_clip *clip, double factor, struct kodama_error *error)
{
    if (!((double)clip_peak(clip) * factor <= (double)KODAMA_CLIP_MAGNITUDE_MAX)) {
        return error_set(error, KODAMA_ERR_LIMIT,
                         "a gain of %.1f dB takes the clip more than 240 dB above full scale",
                         20.0 * log10(factor));
    }
    size_t n_samples = clip_samples_of(clip);
    /* In double, so that the only error is one rounding of the result. */
    for (size_t i = 0; i < n_samples; i++) {
        clip->samples[i] = (float)((double)clip->samples[i] * factor);
    }
    return KODAMA_OK;
}

int kodama_clip_gain(struct kodama_clip *clip, double gain_db, struct kodama_error *error)
{
    if (!clip) return error_set(error, KODAMA_ERR_ARGUMENT, "gain: there is no clip");
    if (isnan(gain_db) || gain_db == INFINITY) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "gain: %g dB is not a gain", gain_db);
    }
    return scale(clip, pow(10.0, gain_db / 20.0), error);
}

/* Fade n frames from `first` on; mirrored, the gain rises from the last of them to the first. */
static void apply_fade(struct kodama_clip *clip, size_t first, size_t n_frames,
                       enum kodama_fade fade, bool mirrored)
{
    size_t channels = clip->format.channels;
    for (size_t i = 0; i < n_frames; i++) {
        size_t at = mirrored ? n_frames - 1 - i : i;
        double t = ((double)at + 0.5) / (double)n_frames;
        double factor = fade == KODAMA_FADE_LINEAR ? t : sin(t * HALF_PI);
        float *frame = clip->samples + (first + i) * channels;
        for (size_t c = 0; c < channels; c++) frame[c] = (float)((double)frame[c] * factor);
    }
}

static int check_fade(const struct kodama_clip *clip, size_t n_frames, enum kodama_fade fade,
                      struct kodama_error *error)
{
    if (!clip) return error_set(error, KODAMA_ERR_ARGUMENT, "fade: there is no clip");
    if (fade != KODAMA_FADE_LINEAR && fade != KODAMA_FADE_EQUAL_POWER) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "fade: there is no curve %d", (int)fade);
    }
    if (n_frames > clip->n_frames) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "fade: %zu frames are more than the clip's %zu frames", n_frames,
                         clip->n_frames);
    }
    return KODAMA_OK;
}

int kodama_clip_fade_in(struct kodama_clip *clip, size_t n_frames, enum kodama_fade fade,
                        struct kodama_error *error)
{
    int status = check_fade(clip, n_frames, fade, error);
    if (status == KODAMA_OK) apply_fade(clip, 0, n_frames, fade, false);
    return status;
}

int kodama_clip_fade_out(struct kodama_clip *clip, size_t n_frames, enum kodama_fade fade,
                         struct kodama_error *error)
{
    int status = check_fade(clip, n_frames, fade, error);
    if (status == KODAMA_OK) apply_fade(clip, clip->n_frames - n_frames, n_frames, fade, true);
    return status;
}

/* Gain that brings the integrated loudness to its target, or the true peak to its ceiling. */
static int loudness_gain(const struct kodama_clip *clip,
                         const struct kodama_clip_normalise_config *config, double *gain_db,
                         struct kodama_error *error)
{
    struct kodama_clip_loudness loudness;
    int status = kodama_clip_loudness(clip, &loudness, error);
    if (status < 0) return status;
    if (!isfinite(loudness.integrated_lufs)) {
        return error_set(error, KODAMA_ERR_STATE,
                         "a clip of %.3f s with a true peak of %.1f dB has no loudness (it needs "
                         "400 ms above -70 LUFS); normalise its peak",
                         kodama_clip_duration(clip), loudness.true_peak_db);
    }
    *gain_db = config->loudness_lufs - loudness.integrated_lufs;
    if (loudness.true_peak_db + *gain_db > config->ceiling_db) {
        *gain_db = config->ceiling_db - loudness.true_peak_db;
    }
    return KODAMA_OK;
}

static int check_normalise(const struct kodama_clip_normalise_config *config,
                           struct kodama_error *error)
{
    switch (config->what) {
    case KODAMA_NORMALISE_PEAK:
        if (isfinite(config->peak_db)) return KODAMA_OK;
        return error_set(error, KODAMA_ERR_ARGUMENT, "normalise: a peak of %g dBFS is no level",
                         config->peak_db);
    case KODAMA_NORMALISE_LOUDNESS:
        if (isfinite(config->loudness_lufs) && config->ceiling_db > -INFINITY) return KODAMA_OK;
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "normalise: %g LUFS with a ceiling of %g dBTP are no levels",
                         config->loudness_lufs, config->ceiling_db);
    }
    return error_set(error, KODAMA_ERR_ARGUMENT, "normalise: there is no level %d",
                     (int)config->what);
}

int kodama_clip_normalise(struct kodama_clip *clip,
                          const struct kodama_clip_normalise_config *config, double *gain_db,
                          struct kodama_error *error)
{
    if (gain_db) *gain_db = 0.0;
    const struct kodama_clip_normalise_config defaults = KODAMA_CLIP_NORMALISE_CONFIG_INIT;
    if (!config) config = &defaults;
    if (!clip || config->size < sizeof *config) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "normalise: %s",
                         clip ? "the config was not initialised" : "no clip");
    }
    int status = check_normalise(config, error);
    if (status < 0) return status;
    double peak = (double)clip_peak(clip);
    if (peak == 0.0) return KODAMA_OK;
    double gain = config->peak_db - 20.0 * log10(peak);
    if (config->what == KODAMA_NORMALISE_LOUDNESS) {
        status = loudness_gain(clip, config, &gain, error);
        if (status < 0) return status;
    }
    status = scale(clip, pow(10.0, gain / 20.0), error);
    if (status == KODAMA_OK && gain_db) *gain_db = gain;
    return status;
}
