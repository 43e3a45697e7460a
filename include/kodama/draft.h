/*
 * Drafts: a sound file that is written piece by piece, and takes its place when it is whole.
 *
 * What is written lies in a new file beside the target until kodama_draft_finish() renames it over
 * the target: whatever happens, a file that was there stays as it was until then. A draft keeps no
 * more than a block in memory, however long the sound is. (For sound that must not be lost when the
 * process ends there is the recorder, whose file is valid at any moment.)
 */
#ifndef KODAMA_DRAFT_H
#define KODAMA_DRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/clip.h>
#include <kodama/format.h>
#include <kodama/status.h>

struct kodama_draft;

struct kodama_draft_config {
    size_t size;               /**< sizeof this struct, set by KODAMA_DRAFT_CONFIG_INIT */
    enum kodama_file type;     /**< KODAMA_FILE_AUTO: as the path ends */
    enum kodama_sample sample; /**< WAV and FLAC: how samples are stored; 0: as `origin`, or the
                                  nearest the type has (u8: s16; FLAC of s32, f32: s24) */
    enum kodama_sample origin; /**< the sample type that the sound came in; 0: the frames' own */
    double
        quality; /**< lossy types: above 0 (small) up to 1 (good); 0: the encoder's own default */
    bool fit;    /**< change what the type cannot hold: resample to its next higher rate (or its
                    highest), mix more than two channels down to mono. Else that is an error. */
    bool keep;   /**< a file that is there stays, also one that comes meanwhile */
    uint64_t n_frames; /**< how many will be written, for the header of a WAV; UINT64_MAX: nobody
                          knows, and the header has room for more than 4 GiB */
};
#define KODAMA_DRAFT_CONFIG_INIT                                           \
    {                                                                      \
        .size = sizeof(struct kodama_draft_config), .n_frames = UINT64_MAX \
    }

/**
 * Begin a file.
 *
 * @param[out] draft  owned by the caller; NULL on error
 * @param path        where it shall be; its folder must exist. A link is followed; permissions of a
 *                    file that is replaced are kept
 * @param format      of the frames that will be written
 * @param config      borrowed for the call; NULL: defaults
 * @param[out] error  may be NULL; says what is wrong and what to do
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_FORMAT (the type cannot hold the rate, the
 *         channels or the sample type asked for), KODAMA_ERR_UNSUPPORTED (the type is missing in
 *         this system's libsndfile, or the path is no regular file), KODAMA_ERR_NOT_FOUND (no such
 *         folder), KODAMA_ERR_BUSY (there is such a file, and it is to be kept),
 *         KODAMA_ERR_PERMISSION, KODAMA_ERR_IO (disk full), KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_draft_open(struct kodama_draft **draft, const char *path,
                                 struct kodama_format format,
                                 const struct kodama_draft_config *config,
                                 struct kodama_error *error) KODAMA_MUST_USE;

/**
 * Write frames behind those that were written before. Integer samples are rounded to nearest,
 * without dither, and clipped at full scale; what is no number, or larger than
 * KODAMA_CLIP_MAGNITUDE_MAX, becomes silence.
 *
 * @param draft       used by one thread at a time
 * @param frames      interleaved, in the format given at open; NULL: silence
 * @param n_frames    how many
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_IO (disk full), KODAMA_ERR_LIMIT (a WAV that was announced to be
 *         shorter reaches 4 GiB), KODAMA_ERR_MEMORY, KODAMA_ERR_STATE (finished); once it has
 *         failed, it fails for ever
 *
 * Thread: owner. Real-time safe: no.
 */
KODAMA_API int kodama_draft_write(struct kodama_draft *draft, const void *frames, size_t n_frames,
                                  struct kodama_error *error);

/** Frames that were written, as they came. Thread: owner. Real-time safe: yes. */
KODAMA_API uint64_t kodama_draft_frames(const struct kodama_draft *draft);

/**
 * The file is whole: bring it to the disk and put it in its place.
 *
 * @param draft       can only be closed after this
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_EMPTY (no frames, which only WAV can be), KODAMA_ERR_BUSY (a file
 *         has come there, and is kept), KODAMA_ERR_IO (disk full), KODAMA_ERR_PERMISSION,
 *         KODAMA_ERR_MEMORY, KODAMA_ERR_STATE (finished before), or what a write failed with; the
 *         target is as it was then
 *
 * Thread: owner. Real-time safe: no.
 */
KODAMA_API int kodama_draft_finish(struct kodama_draft *draft, struct kodama_error *error);

/** Close a draft; one that was not finished is thrown away. NULL is allowed. Thread: owner.
 * Real-time safe: no. */
KODAMA_API void kodama_draft_close(struct kodama_draft *draft);

#endif
