/*
 * The voice: one speaker's changed voice, live. Frames of any format in, as many frames of any
 * format out, delayed by a fixed and known number of frames.
 *
 * Inside: mixed down to mono, converted, drifting a little as a person does, with a noise bed
 * below, limited. The output depends on the input, the settings and the seed, never on how the
 * input was cut into blocks. When anything fails the output is silence, or the bed, never the
 * input.
 */
#ifndef KODAMA_VOICE_H
#define KODAMA_VOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/format.h>
#include <kodama/status.h>

struct kodama_voice;
struct kodama_voice_model;

/** What is done with a voice besides pitch and formants. */
enum kodama_voice_effect {
    KODAMA_EFFECT_NONE,
    KODAMA_EFFECT_ROBOT,   /**< a constant pitch: of 100 Hz, moved by the setting `pitch` */
    KODAMA_EFFECT_WHISPER, /**< no pitch at all: breath in the shape of the voice */
    KODAMA_EFFECT_RADIO,   /**< a narrow band, a little overdriven */
};

/** What can be changed while it runs. Changes glide. They begin with the hop (1 ms with the
 * built-in shifter) that the next frame of input falls into, whatever the blocks are. */
struct kodama_voice_settings {
    size_t size;                     /**< sizeof this struct, set by KODAMA_VOICE_SETTINGS_INIT */
    float pitch;                     /**< semitones, -24..24; formants stay where they are */
    float formant;                   /**< semitones, -12..12; the pitch stays where it is */
    enum kodama_voice_effect effect; /**< of the built-in shifter; models know RADIO only */
    bool mute;                       /**< silence, or the bed alone */
    bool bypass;                     /**< the input itself, mono, delayed alike */
    const char *noise;  /**< name of a bed, see kodama_voice_noise_name(); NULL: none */
    float noise_level;  /**< of the bed, 0..1 */
    bool fluctuation;   /**< let pitch, volume and timbre drift a little */
    float drift_pitch;  /**< spread of the pitch, 0..0.5; 0.05 is 5 % */
    float drift_volume; /**< spread of the volume, 0..0.5 */
    float drift_eq;     /**< spread of each of five bands, 0..0.5 */
    float gain;         /**< of the voice, dB, -60..24 */
};
#define KODAMA_VOICE_SETTINGS_INIT                                                               \
    {                                                                                            \
        .size = sizeof(struct kodama_voice_settings), .noise_level = 0.02f, .fluctuation = true, \
        .drift_pitch = 0.05f, .drift_volume = 0.03f, .drift_eq = 0.02f                           \
    }

/** What a voice is opened with. */
struct kodama_voice_config {
    size_t size;                 /**< sizeof this struct, set by KODAMA_VOICE_CONFIG_INIT */
    struct kodama_format input;  /**< of what comes in; channels are mixed down */
    struct kodama_format output; /**< of what goes out; all zeros: as input */
    bool deep;                   /**< voices below 80 Hz, down to 50, as well: costs more delay */
    bool offline;           /**< nobody waits: a slow model is waited for instead of silenced */
    uint64_t seed;          /**< of drift and bed: the same seed, the same output */
    const char *noise_path; /**< file of the bed "file", looped without a seam; NULL: none */
    struct kodama_voice_model *model;      /**< kept while the voice is open; NULL: the shifter */
    struct kodama_voice_settings settings; /**< to begin with */
};
#define KODAMA_VOICE_CONFIG_INIT                                                               \
    {                                                                                          \
        .size = sizeof(struct kodama_voice_config), .input = {KODAMA_SAMPLE_F32, 48000, 1, 0}, \
        .settings = KODAMA_VOICE_SETTINGS_INIT                                                 \
    }

/** What happened so far. */
struct kodama_voice_stats {
    uint64_t frames_in;       /**< frames taken */
    uint64_t frames_out;      /**< frames given */
    uint64_t faults;          /**< hops that a part of the chain failed in */
    uint64_t silenced_frames; /**< output frames that are silence, or bed, because of that */
    uint64_t limited_frames;  /**< frames in which the limiter was at work */
    float f0_hz;              /**< pitch of the input now; 0: none, or not known */
    float voiced;             /**< how voiced it is now, 0..1 */
    float input_peak;         /**< largest magnitude since the last call of this function */
    float output_peak;        /**< the same, of the output */
    uint64_t busy_ns; /**< time spent in process and flush, by the clock: where the thread had to
                         wait for a processor, that is in it */
};

/**
 * Open a voice.
 *
 * @param[out] voice  owned by the caller; NULL on error
 * @param config      borrowed for the call; the model is kept while the voice is open; NULL:
 *                    defaults
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_FORMAT, KODAMA_ERR_ARGUMENT (a setting out of range, an unknown
 *         bed), KODAMA_ERR_MEMORY, or what the bed's file or the model failed with
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_voice_open(struct kodama_voice **voice,
                                 const struct kodama_voice_config *config,
                                 struct kodama_error *error) KODAMA_MUST_USE;

/** Close a voice; NULL is allowed. Thread: owner. Real-time safe: no. */
KODAMA_API void kodama_voice_close(struct kodama_voice *voice);

/** Frames that kodama_voice_process() gives at the most for n_in frames of input, and
 * kodama_voice_flush() for n_in = 0. Thread: any. Real-time safe: yes. */
KODAMA_API size_t kodama_voice_room(const struct kodama_voice *voice, size_t n_in);

/**
 * Change a block. After N frames of input in all, N * output rate / input rate frames, rounded
 * down, have come out: with equal rates as many as went in.
 *
 * @param voice     used by one thread at a time
 * @param in        n_in frames in the input's format; NULL: silence
 * @param n_in      frames, any number
 * @param[out] out  frames in the output's format; may be the memory of `in` when both formats are
 *                  the same
 * @param room_out  frames that `out` has room for, at least kodama_voice_room(n_in)
 * @return frames given, or KODAMA_ERR_ARGUMENT (room; nothing was taken then)
 *
 * Thread: owner. Real-time safe: yes with the built-in shifter.
 */
KODAMA_API int64_t kodama_voice_process(struct kodama_voice *voice, const void *in, size_t n_in,
                                        void *out, size_t room_out) KODAMA_MUST_USE;

/**
 * The end of the input: the last frames, as many as the latency, so that all of the input came
 * out. After it the voice is as new, but for its drift and its bed, which go on.
 *
 * @param voice     used by one thread at a time
 * @param[out] out  frames in the output's format
 * @param room_out  frames that `out` has room for, at least kodama_voice_room(0)
 * @return frames given, or KODAMA_ERR_ARGUMENT (room; nothing happened then)
 *
 * Thread: owner. Real-time safe: yes with the built-in shifter.
 */
KODAMA_API int64_t kodama_voice_flush(struct kodama_voice *voice, void *out,
                                      size_t room_out) KODAMA_MUST_USE;

/** By how many frames of output the output trails the input: exact, and fixed from open to close.
 * Thread: any. Real-time safe: yes. */
KODAMA_API uint32_t kodama_voice_latency(const struct kodama_voice *voice);

/**
 * Change the settings; also while another thread is in kodama_voice_process(), which never waits.
 *
 * @param voice     any
 * @param settings  borrowed for the call
 * @return KODAMA_OK, or KODAMA_ERR_ARGUMENT (a value out of range, an unknown bed; nothing changed)
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_voice_set(struct kodama_voice *voice,
                                const struct kodama_voice_settings *settings);

/**
 * Speak as another model from now on, in a crossfade of 50 ms; also while another thread is in
 * kodama_voice_process(). It is measured and warmed up within this call, beside the one that
 * speaks. On failure, also of its first chunk, the old one goes on.
 *
 * @param voice       opened with a model; the delay stays as it is
 * @param model       kept by the voice as long as it is used
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_UNSUPPORTED (the voice was opened without a model: open it anew),
 *         KODAMA_ERR_LIMIT (too slow here, or needs more delay than this voice has),
 *         KODAMA_ERR_MEMORY, KODAMA_ERR_ENGINE
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_voice_use(struct kodama_voice *voice, struct kodama_voice_model *model,
                                struct kodama_error *error);

/** The settings that were set last. Thread: any. Real-time safe: no. */
KODAMA_API void kodama_voice_get(const struct kodama_voice *voice,
                                 struct kodama_voice_settings *settings);

/**
 * Put a preset's pitch, formant and effect into settings; everything else stays.
 *
 * @param name              as of kodama_voice_preset_name()
 * @param[in,out] settings  to be changed
 * @return KODAMA_OK or KODAMA_ERR_NOT_FOUND
 *
 * Thread: any. Real-time safe: yes.
 */
KODAMA_API int kodama_voice_preset(const char *name, struct kodama_voice_settings *settings);

/** Names of the presets: index 0, 1, ... until NULL. Thread: any. Real-time safe: yes. */
KODAMA_API const char *kodama_voice_preset_name(size_t index);

/** Names of the noise beds: index 0, 1, ... until NULL. "none" and, when a file was given, "file"
 * are understood, too. Thread: any. Real-time safe: yes. */
KODAMA_API const char *kodama_voice_noise_name(size_t index);

/** What happened so far. The peaks begin anew with each call. Thread: any. Real-time safe: yes. */
KODAMA_API void kodama_voice_stats(struct kodama_voice *voice, struct kodama_voice_stats *stats);

/** Forget everything heard; drift and bed begin anew from the seed, the settings stay. Thread:
 * owner. Real-time safe: yes with the built-in shifter. */
KODAMA_API void kodama_voice_reset(struct kodama_voice *voice);

/**
 * Save what lasts of a session: settings, drift, place in the bed. Sound that is inside is not
 * saved; flush before.
 *
 * @param voice      unchanged
 * @param[out] data  room for it; NULL to ask for its size
 * @param n_bytes    size of data
 * @return bytes of it, KODAMA_ERR_ARGUMENT (no room) or KODAMA_ERR_MEMORY
 *
 * Thread: owner. Real-time safe: no.
 */
KODAMA_API int64_t kodama_voice_save(const struct kodama_voice *voice, void *data, size_t n_bytes);

/** Load what was saved: the session goes on, also of another voice and in another process.
 * KODAMA_OK, or KODAMA_ERR_CORRUPT (no record of this kind, of another rate, cut short or too long)
 * or KODAMA_ERR_MEMORY: nothing changed then. Thread: owner. Real-time safe: no. */
KODAMA_API int kodama_voice_load(struct kodama_voice *voice, const void *data, size_t n_bytes);

#endif
