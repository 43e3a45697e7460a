/*
 * Sinks: something that takes frames. The speakers, a virtual microphone that other programs can
 * choose, a file.
 *
 * A sink has a ring of its own. kodama_sink_write() puts frames into it and waits while it is full,
 * so nothing that was written is ever left out; the device takes frames out at its own pace. When
 * it finds too few it plays silence and counts it. A file takes them as fast as the disk does.
 *
 *   - "speakers": the default output, or a device by name. What the sound server converts, it
 *     converts; at its rate and with volume 1 frames arrive bit for bit.
 *   - "mic": a microphone in the lists of all programs that record. It is never made the default
 *     one, is there from open to close whether somebody listens or not, and takes frames in real
 *     time in both cases. After a restart of the sound server it is there again. What an earlier
 *     program that crashed has left behind in the sound server goes away.
 *   - "file": as a recorder writes it (recorder.h), valid at any moment.
 */
#ifndef KODAMA_SINK_H
#define KODAMA_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/clip.h>
#include <kodama/format.h>
#include <kodama/host.h>
#include <kodama/log.h>
#include <kodama/source.h>
#include <kodama/status.h>

struct kodama_sink;

struct kodama_sink_config {
    size_t size; /**< sizeof this struct, set by KODAMA_SINK_CONFIG_INIT */
    /** What will be written; members that are 0 become f32, 48000 Hz, 2 channels ("mic": 1). */
    struct kodama_format format;
    double ring_seconds; /**< frames that can wait; 0: 0.5 s. "speakers", "mic": what is written
                            when nothing waits is heard at once, so a long ring is no delay */
    const struct kodama_log *log; /**< may be NULL */
    /** "speakers", "mic": shared, must outlive the sink; NULL: one of its own. */
    struct kodama_host *host;
    const char *backend;         /**< of its own host, as in kodama_host_config */
    enum kodama_latency latency; /**< "speakers", "mic" */
    const char *device; /**< "speakers": a part of a device's name or description, in any case;
                           NULL: the default device, also when that becomes another one */
    const char *name;   /**< "mic": what programs list it as; NULL: "Kodama". Where only plain names
                           are allowed, other characters than letters, digits, '.', '_' and '-' become
                           '-' */
    const char *path;   /**< "file" */
    enum kodama_file type;     /**< "file": KODAMA_FILE_AUTO: as the path ends */
    enum kodama_sample sample; /**< "file": how samples are stored; 0: as they are written */
    double quality;            /**< "file": Ogg types, see kodama_recorder_config */
    bool overwrite;            /**< "file": replace one that is there; else it is refused */
};
#define KODAMA_SINK_CONFIG_INIT                   \
    {                                             \
        .size = sizeof(struct kodama_sink_config) \
    }

/** Counters of a sink; each is exact, together they are a snapshot without a lock. */
struct kodama_sink_stats {
    uint64_t frames_written; /**< frames that were accepted */
    uint64_t frames;         /**< of which the device has taken, or the file has */
    uint64_t dropped_frames; /**< of which kodama_sink_clear() has dropped */
    uint64_t queue_frames;   /**< of which the others, which wait in the ring */
    uint64_t silent_frames;  /**< silence that the device got because nothing was there, also before
                                the first frame and after a drain */
    uint64_t underrun_frames; /**< of which in the middle: after a frame, and without a drain */
    uint64_t underruns;       /**< how often */
    uint64_t latency_ns;      /**< from here until a frame that finds no other waiting is heard, as
                                 the sound server says; 0 if not known */
    bool present; /**< whether the device takes frames now; false while the sound server,
                     or the device, is away */
};

/**
 * Open a sink by name.
 *
 * @param[out] sink   owned by the caller; NULL on error
 * @param kind        "speakers", "mic" or "file"; kodama_sink_name() lists them
 * @param config      borrowed for the call (log, host: for the sink's life)
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND (no such sink, device or folder, or no sound server: it
 * says what to start), KODAMA_ERR_ARGUMENT, KODAMA_ERR_FORMAT, KODAMA_ERR_BUSY (there is such a
 * file), KODAMA_ERR_UNSUPPORTED, KODAMA_ERR_PERMISSION,
 * KODAMA_ERR_IO, KODAMA_ERR_SYSTEM or KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_sink_open(struct kodama_sink **sink, const char *kind,
                                const struct kodama_sink_config *config,
                                struct kodama_error *error) KODAMA_MUST_USE;

/**
 * Write frames: all of them, unless the time passes or the sink fails.
 *
 * @param sink        opened
 * @param frames      interleaved, in the sink's format; NULL: silence
 * @param n_frames    how many; 0 is allowed and returns 0
 * @param timeout_ns  how long to wait for room in all
 * @return frames accepted, 1..n_frames, or KODAMA_ERR_FULL (timeout_ns is 0 and there is no room),
 * KODAMA_ERR_TIMEOUT, KODAMA_ERR_ARGUMENT, KODAMA_ERR_CLOSED (a file that was drained), or what a
 * file failed with, such as KODAMA_ERR_IO (kodama_sink_drain() has the words)
 *
 * Thread: one at a time. Real-time safe: yes, may wake, when timeout_ns is 0.
 */
KODAMA_API int64_t kodama_sink_write(struct kodama_sink *sink, const void *frames, size_t n_frames,
                                     int64_t timeout_ns);

/**
 * Wait until all that was written has been heard. Speakers and microphones can be written to
 * afterwards; a file is finished and closed.
 *
 * @param sink        opened
 * @param timeout_ns  how long
 * @param[out] error  may be NULL; why a file is not whole
 * @return KODAMA_OK, KODAMA_ERR_TIMEOUT, or what a file failed with
 *
 * Thread: that of kodama_sink_write(). Real-time safe: no.
 */
KODAMA_API int kodama_sink_drain(struct kodama_sink *sink, int64_t timeout_ns,
                                 struct kodama_error *error);

/** Drop what waits in the ring, so that what is written next is heard at once. A file gets it all
 * the same. Thread: that of kodama_sink_write(). Real-time safe: yes. */
KODAMA_API void kodama_sink_clear(struct kodama_sink *sink);

/** End a sink at once and free it; what waits is dropped, but a file gets it. NULL is allowed.
 *  Thread: owner. Real-time safe: no. */
KODAMA_API void kodama_sink_close(struct kodama_sink *sink);

/** The format to write in. Thread: any. Real-time safe: yes. */
KODAMA_API struct kodama_format kodama_sink_format(const struct kodama_sink *sink);

/** Read the counters. Thread: any. Real-time safe: no (a file: one short lock). */
KODAMA_API void kodama_sink_stats(const struct kodama_sink *sink, struct kodama_sink_stats *stats);

/** Names of the sinks in this build: index 0, 1, ... until NULL. Thread: any. Real-time safe:
 * yes. */
KODAMA_API const char *kodama_sink_name(size_t index);

#endif
