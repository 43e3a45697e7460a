/*
 * Clips: finished audio in memory. Made from samples or files, cut, joined, levelled, resampled,
 * measured, saved.
 *
 * A clip owns its samples as interleaved 32-bit float, whatever it was made from, with full scale
 * at 1.0. That is exact for u8, s16, s24 and f32: reading them back gives the same bits. s32 keeps
 * its 24 leading significant bits: the error is at most 2^-25 of full scale. Values above full
 * scale are kept; only integer samples and integer files clip, and kodama_clip_stats() tells how
 * many samples that would be.
 *
 * Every sample of a clip is a number: on the way in, NaN, infinity and magnitudes above
 * KODAMA_CLIP_MAGNITUDE_MAX become silence and are counted (`replaced` in kodama_clip_stats()).
 *
 * What changes the shape (slice, concat, mono, split, merge, resample) makes a new clip and leaves
 * its input alone. What changes levels (gain, fades, normalise) works in place. A call that fails
 * changes nothing and gives NULL for the clip it would have made. Clips without frames are clips
 * like others.
 *
 * A clip has no lock: any number of threads may read it at once (functions that take it const), one
 * may change it while nobody else uses it.
 *
 * A clip that was made from another inherits its origin, the sample type that the audio came in, so
 * that a 16-bit file is saved as a 16-bit file; of several inputs the most precise one counts.
 */
#ifndef KODAMA_CLIP_H
#define KODAMA_CLIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/format.h>
#include <kodama/status.h>

struct kodama_clip;

/** Samples (frames times channels) that a clip may hold: 32 GiB, 24 hours of stereo at 48 kHz. What
 *  is longer is a recording and belongs into a file. */
#define KODAMA_CLIP_SAMPLES_MAX (UINT64_C(1) << 33)

/** Largest magnitude of a sample, 240 dB above full scale: sums and filters of it stay finite. */
#define KODAMA_CLIP_MAGNITUDE_MAX 0x1p40f

/** As a number of frames: all that follow. */
#define KODAMA_CLIP_REST SIZE_MAX

/* ------------------------------------------------------------- make and end */

/**
 * Make a clip from interleaved samples.
 *
 * @param[out] clip   owned by the caller; NULL on error
 * @param format      of `frames`; its sample type becomes the clip's origin
 * @param frames      interleaved [n_frames][channels], any alignment, copied; NULL: silence
 * @param n_frames    how many; 0 makes an empty clip
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_FORMAT, KODAMA_ERR_LIMIT (more than
 *         KODAMA_CLIP_SAMPLES_MAX) or KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_clip_create(struct kodama_clip **clip, struct kodama_format format,
                                  const void *frames, size_t n_frames,
                                  struct kodama_error *error) KODAMA_MUST_USE;

/**
 * Make a clip from planar samples: one array for each channel.
 *
 * @param planes  [channels] pointers to n_frames samples each; a NULL plane is silence, as is a
 *                NULL array
 * Everything else as kodama_clip_create().
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_clip_create_planar(struct kodama_clip **clip, struct kodama_format format,
                                         const void *const *planes, size_t n_frames,
                                         struct kodama_error *error) KODAMA_MUST_USE;

/**
 * Put frames at the end of a clip; for audio that arrives piece by piece. Room grows by doubling,
 * so that n frames cost O(n) however small the pieces are.
 *
 * @param clip        changed; unchanged on error
 * @param format      of `frames`; rate and channels must be those of the clip, the sample type may
 *                    differ. A more precise one becomes the origin.
 * @param frames      interleaved, copied; NULL: silence. Must not point into the clip.
 * @param n_frames    how many; 0 is allowed
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_FORMAT, KODAMA_ERR_LIMIT, KODAMA_ERR_MEMORY
 *
 * Thread: owner. Real-time safe: no.
 */
KODAMA_API int kodama_clip_append(struct kodama_clip *clip, struct kodama_format format,
                                  const void *frames, size_t n_frames, struct kodama_error *error);

/** Destroy a clip; NULL is allowed. Thread: owner. Real-time safe: no. */
KODAMA_API void kodama_clip_destroy(struct kodama_clip *clip);

/* -------------------------------------------------------------- look inside */

/** Format of the samples in memory: always f32; rate and channels of the audio. Thread: any.
 *  Real-time safe: yes. */
KODAMA_API struct kodama_format kodama_clip_format(const struct kodama_clip *clip);

/** The sample type that the audio came in. Thread: any. Real-time safe: yes. */
KODAMA_API enum kodama_sample kodama_clip_origin(const struct kodama_clip *clip);

/** Frames in the clip. Thread: any. Real-time safe: yes. */
KODAMA_API size_t kodama_clip_frames(const struct kodama_clip *clip);

/** Seconds: frames divided by rate. Thread: any. Real-time safe: yes. */
KODAMA_API double kodama_clip_duration(const struct kodama_clip *clip);

/** The samples in place, [frames][channels], never NULL; valid until the clip is changed or
 *  destroyed. Thread: any. Real-time safe: yes. */
KODAMA_API const float *kodama_clip_samples(const struct kodama_clip *clip);

/**
 * Copy frames out as interleaved samples of any type: scaled, rounded to nearest, clipped at full
 * scale (f32 is copied as it is).
 *
 * @param clip        borrowed
 * @param first       first frame, 0..kodama_clip_frames()
 * @param sample      sample type wanted
 * @param[out] frames interleaved [n_frames][channels], any alignment
 * @param n_frames    room in `frames`
 * @return frames copied: n_frames, or what is left after `first` (0 at the end), or
 *         KODAMA_ERR_ARGUMENT  `first` lies behind the end, or `sample` is no sample type
 *
 * Thread: any. Real-time safe: yes.
 */
KODAMA_API int64_t kodama_clip_read(const struct kodama_clip *clip, size_t first,
                                    enum kodama_sample sample, void *frames, size_t n_frames);

/**
 * Copy frames out as planar samples of any type.
 *
 * @param planes  [channels] pointers to room for n_frames samples each; a NULL plane is left out
 * Everything else as kodama_clip_read().
 *
 * Thread: any. Real-time safe: yes.
 */
KODAMA_API int64_t kodama_clip_read_planar(const struct kodama_clip *clip, size_t first,
                                           enum kodama_sample sample, void *const *planes,
                                           size_t n_frames);

/** What a clip measures. Decibels are relative to full scale; of silence they are -INFINITY. */
struct kodama_clip_stats {
    double duration_s; /**< frames / rate */
    uint64_t frames;   /**< frames */
    uint32_t rate_hz;  /**< frames per second */
    uint32_t channels; /**< samples per frame */
    double rms;        /**< root of the mean square of all samples; 0 without frames */
    double rms_db;     /**< 20 log10(rms): a full-scale sine has -3.01 */
    double peak;       /**< largest magnitude of a sample */
    double peak_db;    /**< 20 log10(peak) */
    uint64_t peak_at;  /**< first frame that has it; 0 without frames */
    uint64_t over;     /**< samples beyond full scale, which integer samples would clip */
    uint64_t replaced; /**< samples that were no numbers when they came in, now silence */
    double channel_rms[KODAMA_CHANNELS_MAX];  /**< the same for each channel */
    double channel_peak[KODAMA_CHANNELS_MAX]; /**< the same for each channel */
};

/**
 * Measure a clip: one pass, sums in double precision.
 *
 * @param clip        borrowed
 * @param[out] stats  filled in; zeroed when clip is NULL
 *
 * Thread: any. Real-time safe: yes (no system call; time is proportional to the frames).
 */
KODAMA_API void kodama_clip_stats(const struct kodama_clip *clip, struct kodama_clip_stats *stats);

/** Loudness as a listener would judge it: EBU R 128, ITU-R BS.1770-4, EBU Tech 3342. */
struct kodama_clip_loudness {
    double integrated_lufs; /**< gated loudness of the whole; -INFINITY for silence, and for less
                               than the 400 ms that the standard measures at once */
    double range_lu;        /**< loudness range; 0 for less than 3 s */
    double true_peak;       /**< largest magnitude between the samples too (4 times oversampled,
                               2 times from 96 kHz on), 1.0 = full scale */
    double true_peak_db;    /**< 20 log10(true_peak), dBTP */
};

/**
 * Measure loudness. A mono clip counts as one channel, as the standard says: it is 3 LU below the
 * same audio on two channels. LFE does not count, surround channels count 1.41 times.
 *
 * @param clip           borrowed
 * @param[out] loudness  filled in; of a clip without frames -INFINITY, 0, 0, -INFINITY
 * @param[out] error     may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT or KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_clip_loudness(const struct kodama_clip *clip,
                                    struct kodama_clip_loudness *loudness,
                                    struct kodama_error *error);

/**
 * Find where sound begins and ends: from the first to the last frame in which a sample is louder
 * than a threshold.
 *
 * @param clip          borrowed
 * @param threshold_db  dBFS, for example -50; not NaN
 * @param[out] first    first loud frame; 0 when there is none
 * @param[out] n_frames frames up to the last loud one, 0 when there is none
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT or KODAMA_ERR_EMPTY (nothing is that loud)
 *
 * Thread: any. Real-time safe: yes.
 */
KODAMA_API int kodama_clip_bounds(const struct kodama_clip *clip, double threshold_db,
                                  size_t *first, size_t *n_frames);

/* --------------------------------------------------------- cut, join, remix */

/**
 * Copy a part of a clip.
 *
 * @param[out] part   owned by the caller; NULL on error
 * @param clip        borrowed
 * @param first       first frame, 0..kodama_clip_frames()
 * @param n_frames    how many, 0 is allowed; KODAMA_CLIP_REST: up to the end
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT (reaches beyond the end: a slice never gives fewer frames
 *         than asked for) or KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_clip_slice(struct kodama_clip **part, const struct kodama_clip *clip,
                                 size_t first, size_t n_frames,
                                 struct kodama_error *error) KODAMA_MUST_USE;

/**
 * Put clips one after the other. The same clip may occur more than once.
 *
 * @param[out] whole  owned by the caller; NULL on error
 * @param clips       borrowed
 * @param n_clips     1 or more
 * @param[out] error  may be NULL; says which clip does not fit
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_FORMAT (rates, channels or channel masks
 *         differ; nothing is resampled or remixed behind your back), KODAMA_ERR_LIMIT,
 *         KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_clip_concat(struct kodama_clip **whole,
                                  const struct kodama_clip *const *clips, size_t n_clips,
                                  struct kodama_error *error) KODAMA_MUST_USE;

/**
 * Mix down to one channel: the mean of the channels; LFE is left out when there are others.
 *
 * @param[out] mono   owned by the caller; NULL on error
 * @param clip        borrowed; a mono clip is copied
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT or KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_clip_mono(struct kodama_clip **mono, const struct kodama_clip *clip,
                                struct kodama_error *error) KODAMA_MUST_USE;

/**
 * Take the channels apart: one mono clip for each, in frame order.
 *
 * @param[out] channels  room for as many clips as the clip has channels (KODAMA_CHANNELS_MAX is
 *                       always enough), owned by the caller; on error all are NULL
 * @param max_channels   room in `channels`
 * @param clip           borrowed
 * @param[out] error     may be NULL
 * @return number of clips made, or KODAMA_ERR_ARGUMENT (no room), KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_clip_split(struct kodama_clip **channels, size_t max_channels,
                                 const struct kodama_clip *clip,
                                 struct kodama_error *error) KODAMA_MUST_USE;

/**
 * Put the channels of several clips beside each other, in order.
 *
 * @param[out] merged  owned by the caller; NULL on error
 * @param clips        borrowed; of the same rate and length, with at most KODAMA_CHANNELS_MAX
 *                     channels together
 * @param n_clips      1 or more
 * @param[out] error   may be NULL; says which clip does not fit
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT (lengths differ), KODAMA_ERR_FORMAT (rates differ, or too
 *         many channels), KODAMA_ERR_LIMIT, KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_clip_merge(struct kodama_clip **merged,
                                 const struct kodama_clip *const *clips, size_t n_clips,
                                 struct kodama_error *error) KODAMA_MUST_USE;

/**
 * Change the rate with soxr at its very high quality: linear phase, flat to 0.91 of the lower
 * Nyquist frequency, aliases below -150 dB. Frame k of the result is the input at time k / rate_hz:
 * there is no delay, and the length is round(frames * rate_hz / rate).
 *
 * @param[out] result  owned by the caller; NULL on error
 * @param clip         borrowed; the same rate copies it bit by bit
 * @param rate_hz      8000..192000
 * @param[out] error   may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_FORMAT (the rate), KODAMA_ERR_LIMIT,
 *         KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_clip_resample(struct kodama_clip **result, const struct kodama_clip *clip,
                                    uint32_t rate_hz, struct kodama_error *error) KODAMA_MUST_USE;

/* ------------------------------------------------------------------- levels */

/**
 * Make a clip louder or softer.
 *
 * @param clip        changed; unchanged on error
 * @param gain_db     decibels; -INFINITY gives silence
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT (NaN or +INFINITY) or KODAMA_ERR_LIMIT (a sample would
 *         exceed KODAMA_CLIP_MAGNITUDE_MAX)
 *
 * Thread: owner. Real-time safe: no.
 */
KODAMA_API int kodama_clip_gain(struct kodama_clip *clip, double gain_db,
                                struct kodama_error *error);

/** The curve of a fade over its n frames, with t = (i + 1/2) / n at frame i. */
enum kodama_fade {
    KODAMA_FADE_LINEAR = 0,  /**< t: two fades that cross add up to 1; for the same signal */
    KODAMA_FADE_EQUAL_POWER, /**< sin(t pi/2): their powers add up to 1; for unrelated signals */
};

/**
 * Fade in over the first frames.
 *
 * @param clip        changed; unchanged on error
 * @param n_frames    length of the fade, 0..kodama_clip_frames(); 0 changes nothing
 * @param fade        the curve
 * @param[out] error  may be NULL
 * @return KODAMA_OK or KODAMA_ERR_ARGUMENT (longer than the clip, or no such curve)
 *
 * Thread: owner. Real-time safe: no.
 */
KODAMA_API int kodama_clip_fade_in(struct kodama_clip *clip, size_t n_frames, enum kodama_fade fade,
                                   struct kodama_error *error);

/** Fade out over the last frames: the mirror image of kodama_clip_fade_in(), with its results.
 *  Thread: owner. Real-time safe: no. */
KODAMA_API int kodama_clip_fade_out(struct kodama_clip *clip, size_t n_frames,
                                    enum kodama_fade fade, struct kodama_error *error);

/** What kodama_clip_normalise() brings to the level. */
enum kodama_normalise {
    KODAMA_NORMALISE_PEAK = 0, /**< the loudest sample */
    KODAMA_NORMALISE_LOUDNESS, /**< the integrated loudness */
};

struct kodama_clip_normalise_config {
    size_t size;                /**< sizeof this struct, set by the INIT macro */
    enum kodama_normalise what; /**< peak by default */
    double peak_db;             /**< peak: where the loudest sample shall be, dBFS; -1 by default */
    double loudness_lufs; /**< loudness: the integrated loudness; -23 by default (EBU R 128) */
    double
        ceiling_db; /**< loudness: the true peak may not exceed it, dBTP; the gain is made smaller
                       rather than the signal limited. -1 by default; INFINITY: no ceiling */
};
#define KODAMA_CLIP_NORMALISE_CONFIG_INIT                                                   \
    {                                                                                       \
        .size = sizeof(struct kodama_clip_normalise_config), .what = KODAMA_NORMALISE_PEAK, \
        .peak_db = -1.0, .loudness_lufs = -23.0, .ceiling_db = -1.0                         \
    }

/**
 * Bring a clip to a level, with one gain for all of it. Digital silence and clips without frames
 * stay as they are.
 *
 * @param clip          changed; unchanged on error
 * @param config        borrowed; NULL: the loudest sample to -1 dBFS
 * @param[out] gain_db  may be NULL; the gain that was applied, 0 for silence
 * @param[out] error    may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT (a level that is not finite), KODAMA_ERR_LIMIT (as
 *         kodama_clip_gain()), KODAMA_ERR_STATE (loudness of what has none: shorter than 400 ms or
 *         below -70 LUFS; use the peak), KODAMA_ERR_MEMORY
 *
 * Thread: owner. Real-time safe: no.
 */
KODAMA_API int kodama_clip_normalise(struct kodama_clip *clip,
                                     const struct kodama_clip_normalise_config *config,
                                     double *gain_db, struct kodama_error *error);

/* -------------------------------------------------------------------- files */

/** Types of files that clips are saved as. What is read is decided by the file's content. */
enum kodama_file {
    KODAMA_FILE_AUTO = 0, /**< as the name ends: .wav, .flac, .ogg, .oga, .opus, .mp3 */
    KODAMA_FILE_WAV,      /**< s16, s24, s32 or f32, up to 8 channels; RF64 beyond 4 GiB */
    KODAMA_FILE_FLAC,     /**< s16 or s24, lossless, up to 8 channels */
    KODAMA_FILE_VORBIS,   /**< Ogg Vorbis, lossy, any rate, 1 or 2 channels */
    KODAMA_FILE_OPUS,     /**< Ogg Opus, lossy, 8, 12, 16, 24 or 48 kHz, 1 or 2 channels */
    KODAMA_FILE_MP3,      /**< MPEG layer III, lossy, up to 48 kHz, 1 or 2 channels */
};

/**
 * Name a type of file.
 *
 * @return "WAV", "FLAC", "Ogg Vorbis", "Opus", "MP3", or "?" for a value that is none
 *
 * Thread: any. Real-time safe: yes.
 */
KODAMA_API const char *kodama_file_name(enum kodama_file type);

/**
 * The type that a name stands for, by its ending; case does not matter.
 *
 * @param path  NUL-terminated (borrowed); need not exist
 * @return the type, or KODAMA_FILE_AUTO for an ending that is none of them
 *
 * Thread: any. Real-time safe: yes.
 */
KODAMA_API enum kodama_file kodama_file_of(const char *path);

/**
 * Whether this system's libsndfile writes (and reads) a type; MP3 came with its version 1.1, Opus
 * with 1.0.29, and a distribution may leave both out.
 *
 * @param type        any
 * @param[out] error  may be NULL; says what is missing when it does not
 * @return KODAMA_OK, KODAMA_ERR_UNSUPPORTED or KODAMA_ERR_ARGUMENT (no type)
 *
 * Thread: any. Real-time safe: no (tries it in memory).
 */
KODAMA_API int kodama_file_check(enum kodama_file type, struct kodama_error *error);

struct kodama_clip_load_config {
    size_t size;  /**< sizeof this struct, set by KODAMA_CLIP_LOAD_CONFIG_INIT */
    bool partial; /**< of a damaged file, keep what comes before the damage rather than fail; the
                     call then returns KODAMA_OK with the damage in `error` */
};
#define KODAMA_CLIP_LOAD_CONFIG_INIT                   \
    {                                                  \
        .size = sizeof(struct kodama_clip_load_config) \
    }

/**
 * Load a file: WAV, RF64, FLAC, Ogg Vorbis, Opus, MP3, AIFF and what else libsndfile reads.
 *
 * @param[out] clip   owned by the caller; NULL on error
 * @param path        the file
 * @param config      borrowed; NULL: defaults
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND, KODAMA_ERR_PERMISSION, KODAMA_ERR_FORMAT (not audio, or
 *         a rate or channel count outside the library's limits), KODAMA_ERR_CORRUPT, KODAMA_ERR_IO,
 *         KODAMA_ERR_LIMIT (longer than a clip may be), KODAMA_ERR_ARGUMENT, KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_clip_load(struct kodama_clip **clip, const char *path,
                                const struct kodama_clip_load_config *config,
                                struct kodama_error *error) KODAMA_MUST_USE;

struct kodama_clip_save_config {
    size_t size;               /**< sizeof this struct, set by KODAMA_CLIP_SAVE_CONFIG_INIT */
    enum kodama_file type;     /**< KODAMA_FILE_AUTO: as the path ends */
    enum kodama_sample sample; /**< WAV and FLAC: how samples are stored; 0: as the clip's origin,
                                  or the nearest the type has (u8: s16; FLAC of s32, f32: s24) */
    double quality;            /**< lossy types: above 0 (small) up to 1 (good); 0: the encoder's
                                  own default */
    bool fit; /**< change what the type cannot hold: resample to its next higher rate (or its
                 highest), mix more than two channels down to mono. Else that is an error. */
};
#define KODAMA_CLIP_SAVE_CONFIG_INIT                   \
    {                                                  \
        .size = sizeof(struct kodama_clip_save_config) \
    }

/**
 * Save a clip to a file.
 *
 * All of it is written to a new file beside the target, brought to the disk, and renamed over the
 * target: whatever happens, a file that was there stays as it was until the new one is complete.
 * When the disk is full or a write fails the new file is removed; when the process is killed a file
 * named .kodama-*.part stays behind. A link is followed; permissions of a file that is replaced are
 * kept. Integer samples are rounded to nearest, without dither, and clipped at full scale.
 *
 * @param clip        borrowed. A clip without frames can be saved as WAV only.
 * @param path        the file; its folder must exist
 * @param config      borrowed; NULL: defaults
 * @param[out] error  may be NULL; says what is wrong and what to do
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_FORMAT (the type cannot hold the clip's rate,
 *         channels or the sample type asked for), KODAMA_ERR_UNSUPPORTED (the type is missing in
 *         this system's libsndfile, or the path is no regular file), KODAMA_ERR_EMPTY (no frames),
 *         KODAMA_ERR_NOT_FOUND (no such folder), KODAMA_ERR_PERMISSION, KODAMA_ERR_IO (disk full),
 *         KODAMA_ERR_LIMIT, KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_clip_save(const struct kodama_clip *clip, const char *path,
                                const struct kodama_clip_save_config *config,
                                struct kodama_error *error) KODAMA_MUST_USE;

#endif
