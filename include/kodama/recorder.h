/*
 * The recorder: writes what a ring hears to disk, as it arrives.
 *
 * A recorder is one more cursor of a ring with a thread of its own. It sleeps until a tenth of a
 * second of audio has arrived, writes it, and makes the file valid again, so that whatever happens
 * to the process, what was written so far can be played:
 *
 *   - WAV: the header is right from the moment the file is opened, and after every write; beyond
 *     4 GiB it becomes RF64;
 *   - FLAC: playable up to the last whole block of 4096 frames;
 *   - Ogg Vorbis and Opus: playable up to the last page, which is 4 KiB of Vorbis (one or two
 *     seconds of speech) and 100 ms of Opus. Before the first of them the file may be empty.
 *
 * The timeline of the file is exact: frames that the recorder lost because it was lapped are
 * written as silence of the same length and counted. Paused time is left out of the file.
 *
 * When the disk is full, or fails, the recorder ends by itself: what is on the disk is made
 * playable, kodama_recorder_wait() and the log say what happened, and the ring and its other
 * readers go on.
 *
 * Writing beyond the process's RLIMIT_FSIZE raises SIGXFSZ, which kills a process that does not
 * ignore it; the recorder leaves signals alone.
 *
 * The list of marks, where asked for, is a text file named like the recording with ".jsonl" behind
 * ("talk.flac.jsonl"): one JSON object per line, in the order of the recording, each line written
 * whole. All have "event", "position" (of the ring) and "frame" (of the recording: frames in all
 * its files before this). The events:
 *
 *     start   "version": 1, "rate_hz", "channels": the recording begins
 *     file    "path": a file begins here
 *     mark    "length", "time_ns", "flags": [of "gap", "silent", "clock", "time"]: what the source
 *             said; a gap is silence in the recording, too, for the source wrote it as silence.
 *             Where it began before the recording, or in a pause, "frame" is where it enters
 *     lost    "length": frames that the recorder lost, silence in the recording
 *     unknown "length": marks about these frames were overwritten before the recorder came
 *     pause, resume
 *     end     "status": the name of a status code; missing when the process was killed
 */
#ifndef KODAMA_RECORDER_H
#define KODAMA_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/clip.h>
#include <kodama/format.h>
#include <kodama/log.h>
#include <kodama/ring.h>
#include <kodama/status.h>
#include <kodama/waitable.h>

struct kodama_recorder;

struct kodama_recorder_config {
    size_t size;               /**< sizeof this struct, set by KODAMA_RECORDER_CONFIG_INIT */
    const char *path;          /**< the file to write; its folder must exist */
    enum kodama_file type;     /**< KODAMA_FILE_AUTO: as the path ends. Not MP3 */
    enum kodama_sample sample; /**< WAV and FLAC: how samples are stored; 0: as the ring's, or the
                                  nearest the type has (u8: s16; FLAC of s32, f32: s24) */
    double quality;            /**< Ogg types: above 0 (small) up to 1 (good); 0: the encoder's own
                                  default */
    enum kodama_start start;   /**< where in the ring to begin */
    uint64_t start_position;   /**< with KODAMA_START_AT */
    bool lossless;         /**< hold the ring's writer back rather than lose frames; not on a live
                              ring */
    bool overwrite;        /**< replace files that are there; else they are refused */
    uint64_t split_frames; /**< go on in a new file after so many frames; 0: never */
    uint64_t split_bytes;  /**< go on in a new file at so many bytes, 65536 at least; 0: never. WAV
                              files do not exceed it, the others by less than 200 ms and a page */
    uint64_t max_frames;   /**< end by itself with exactly so many frames in all files, silence for
                              lost ones included, pauses not; 0: never */
    bool marks;            /**< write the list of marks */
    uint32_t sync_ms; /**< bring the file to the disk so often, against power failures; 0: leave
                         that to the system */
    const struct kodama_log *log; /**< may be NULL; borrowed for the recorder's life */
};
#define KODAMA_RECORDER_CONFIG_INIT                   \
    {                                                 \
        .size = sizeof(struct kodama_recorder_config) \
    }

/** Counters of a recorder; each is exact, together they are a snapshot without a lock. */
struct kodama_recorder_stats {
    uint64_t frames;        /**< frames in the files, silence for lost ones included. After a failed
                               write: what can be read back */
    uint64_t bytes;         /**< bytes of all files together, without the list of marks */
    uint64_t gap_frames;    /**< of frames: silence that the source marked as a gap */
    uint64_t lost_frames;   /**< of frames: silence for what the recorder lost to a full ring */
    uint64_t paused_frames; /**< frames left out by pauses */
    uint32_t files;         /**< files begun */
    uint32_t behind_ms;     /**< audio in the ring that is not written yet */
    bool ended;             /**< nothing will be written any more */
    int status;             /**< KODAMA_OK, or why it ended badly */
};

/**
 * Begin to record.
 *
 * With split_frames or split_bytes the files are called NAME-001.EXT, NAME-002.EXT and so on. A
 * number that turns out to be taken later on is skipped: a recording does not end for that.
 *
 * @param[out] recorder  owned by the caller; NULL on error
 * @param ring           must outlive the recorder
 * @param config         borrowed for the call (log: for the recorder's life)
 * @param[out] error     may be NULL; says what is wrong and what to do
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT (also a name whose ending says no type), KODAMA_ERR_FORMAT
 *         (the type cannot hold the ring's rate, channels, or the sample type asked for),
 *         KODAMA_ERR_UNSUPPORTED (the type is missing in this system's libsndfile, MP3, or the path
 *         is no regular file), KODAMA_ERR_BUSY (there is such a file), KODAMA_ERR_LIVE (lossless on
 *         a live ring), KODAMA_ERR_NOT_FOUND (no such folder), KODAMA_ERR_PERMISSION,
 *         KODAMA_ERR_IO, KODAMA_ERR_LIMIT (no more cursors), KODAMA_ERR_MEMORY, KODAMA_ERR_SYSTEM
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_recorder_open(struct kodama_recorder **recorder, struct kodama_ring *ring,
                                    const struct kodama_recorder_config *config,
                                    struct kodama_error *error) KODAMA_MUST_USE;

/**
 * Stop, finish what the ring held at that moment, close the file and free the recorder. Whether all
 * went well is what kodama_recorder_wait() says before. NULL is allowed.
 *
 * Thread: owner. Real-time safe: no.
 */
KODAMA_API void kodama_recorder_close(struct kodama_recorder *recorder);

/**
 * Leave out what is written to the ring from now on: the pause begins at kodama_ring_position() of
 * this moment, exactly, also when the recorder lags.
 *
 * @return KODAMA_OK, KODAMA_ERR_STATE (paused, stopped or ended before) or KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_recorder_pause(struct kodama_recorder *recorder);

/** Go on with what is written to the ring from now on; the file continues without a join.
 * KODAMA_OK, KODAMA_ERR_STATE (not paused, stopped or ended before) or KODAMA_ERR_MEMORY. Thread:
 * any. Real-time safe: no. */
KODAMA_API int kodama_recorder_resume(struct kodama_recorder *recorder);

/**
 * End the recording at kodama_ring_position() of this moment. What the ring holds until there is
 * still written; kodama_recorder_wait() waits for it. Stopping twice is allowed.
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API void kodama_recorder_stop(struct kodama_recorder *recorder);

/**
 * Wait until everything is written and the file is closed: the recorder was stopped, the ring was
 * closed, max_frames were recorded, or writing failed.
 *
 * @param recorder    the recorder
 * @param timeout_ns  how long
 * @param[out] error  may be NULL; why the recording ended badly
 * @return KODAMA_OK (ended well), KODAMA_ERR_TIMEOUT (still recording), or what it failed with:
 *         KODAMA_ERR_IO (disk full), KODAMA_ERR_PERMISSION, KODAMA_ERR_MEMORY ...
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_recorder_wait(struct kodama_recorder *recorder, int64_t timeout_ns,
                                    struct kodama_error *error);

/**
 * A waitable that is signalled from the end of the recording on, for event loops: what
 * kodama_recorder_wait() waits for.
 *
 * @param recorder       the recorder
 * @param[out] waitable  created by the first call; valid until the recorder is closed
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT or KODAMA_ERR_SYSTEM (too many descriptors are open)
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_recorder_waitable(struct kodama_recorder *recorder,
                                        struct kodama_waitable *waitable);

/** Read the counters. Thread: any. Real-time safe: no (one short lock). */
KODAMA_API void kodama_recorder_stats(struct kodama_recorder *recorder,
                                      struct kodama_recorder_stats *stats);

#endif
