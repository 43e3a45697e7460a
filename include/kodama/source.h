/*
 * Sources: something that writes frames into a ring. A file, standard input, generators, a mix of
 * others; applications, a microphone, the whole system.
 *
 * A source is opened closed-handed: it knows its native format but moves nothing until a stream
 * starts it.
 */
#ifndef KODAMA_SOURCE_H
#define KODAMA_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/app.h>
#include <kodama/format.h>
#include <kodama/host.h>
#include <kodama/log.h>
#include <kodama/status.h>

struct kodama_source;

/** What the source "null" can do wrong. */
enum kodama_fault_kind {
    /** `length_frames` are lost: silence of that length, one KODAMA_MARK_GAP, in time when the
     * frame after it is due. */
    KODAMA_FAULT_GAP = 1,
    /** Nothing comes for `stall_ms`, then all that is late at once (paced), or just the next frame
     * (not paced). No frame is lost. */
    KODAMA_FAULT_STALL,
    /** `length_frames` come at once, ahead of their time, then nothing until time has caught up. */
    KODAMA_FAULT_BURST,
    /** The source is gone for `length_frames`: silence goes on in periods of 10 ms, each with a
     * KODAMA_MARK_GAP; all of it counts as one gap. KODAMA_MARK_CLOCK stands where it goes and
     * where it comes back. */
    KODAMA_FAULT_VANISH,
    /** The source changes its format: it ends with KODAMA_ERR_FORMAT, as a ring has only one. */
    KODAMA_FAULT_FORMAT,
    /** From here on the source's clock is faster by `drift_ppm` (slower when negative) than the
     * monotonic one: the KODAMA_MARK_TIME marks show it, and the pace when paced. */
    KODAMA_FAULT_DRIFT,
};

/** One fault of the source "null". */
struct kodama_fault {
    enum kodama_fault_kind kind;
    uint64_t position;      /**< frame at which it happens */
    uint64_t length_frames; /**< gap, burst, vanish: 1 or more; other faults: 0 */
    uint32_t stall_ms;      /**< stall */
    double drift_ppm;       /**< drift, -100000..100000 */
};

/** One input of the source "mix". */
struct kodama_mix_input {
    struct kodama_source *source; /**< opened; any kind, a mix too */
    double gain;                  /**< factor, 1: as it is; 0: nothing of it; any finite number */
};

/** How soon what is captured arrives, against how often a processor wakes for it. */
enum kodama_latency {
    KODAMA_LATENCY_NORMAL = 0, /**< as the sound server has it: nothing else is changed by it; on
                                  PulseAudio, which has no period of its own, 20 ms */
    KODAMA_LATENCY_LOW,     /**< about 5 ms; makes the sound server work in small periods for all */
    KODAMA_LATENCY_BATTERY, /**< as seldom as the others allow */
};

struct kodama_source_config {
    size_t size; /**< sizeof this struct, set by KODAMA_SOURCE_CONFIG_INIT */
    /** Files played one after the other as one timeline (source "file"); their rate and channels
     * must agree. Where sample types differ, all of it becomes f32. */
    const char *const *paths;
    size_t n_paths;
    bool paced; /**< "file", generators, "null": one second of audio a second, as if it were live;
                   else as fast as it is read */
    /** "stdin": the format of raw PCM; sample 0 = detect a WAV header and refuse anything else. The
     * header is read when the source is opened, which waits for it; a signal that the application
     * handles ends that wait with KODAMA_ERR_CANCELLED.
     * Generators ("tone", "noise", "silence") and "null": what they make; members that are 0 become
     * f32, 48000 Hz, 1 channel.
     * "mix": what it becomes; members that are 0 become f32, the rate of the inputs, the most
     * channels that an input has. */
    struct kodama_format format;
    int descriptor;               /**< "stdin": the descriptor to read, 0 as a rule; borrowed */
    const struct kodama_log *log; /**< may be NULL */
    double frequency_hz;          /**< "tone": 0 to half the rate; 1000 by default */
    double amplitude; /**< "tone", "noise", "null": the peak, 0..1; 0.5 by default, -6 dBFS */
    /** "tone": of channel 0, 1, ... each its own; channels that have none get frequency_hz and
     * amplitude. No more than there are channels; format.channels 0 becomes the larger count. */
    const double *frequencies_hz;
    size_t n_frequencies;
    const double *amplitudes;
    size_t n_amplitudes;
    /** "noise", "null": which noise. A sample is uniform in [-amplitude, amplitude) and a function
     * of seed, place and channel alone: every run and every cutting into blocks gives the same. */
    uint64_t seed;
    uint64_t length_frames; /**< generators, "null": how many frames; 0: without end */
    /** Generators, "null": behave as a device, which cannot be held back: lossless cursors are
     * refused and slow readers lose frames. One that is not paced then runs as fast as a core can.
     */
    bool live;
    /** "null": what goes wrong, in order of position, none inside the length of another; copied.
     * Without faults it is "noise" with a KODAMA_MARK_TIME every second. */
    const struct kodama_fault *faults;
    size_t n_faults;
    /**
     * "mix": what is mixed; the sources are taken on success and the caller's still on error. They
     * start together, and the slowest one sets the pace. One that ends early is silence from there
     * on, and the mix ends with the last. Gaps stay in their place, marked and counted. Rates must
     * agree; channels are the same, or mono on either side (mono goes into every channel, the mean
     * of the channels into mono).
     *
     * Inputs that keep time (live or paced) and mark when their first frame was heard
     * (KODAMA_MARK_TIME within its first 10 ms) are put in step: one whose first frame was heard
     * 37 ms later than another's begins 37 ms later, to the nearest frame; it is silence before
     * that, which is neither a gap nor counted. The first of them is the reference, whose frames
     * pass as they are; what its clock says is what the mix's marks say. Another one that comes to
     * be 0.5 ms out of step by its marks is resampled from there on, by up to 1000 ppm, so that it
     * comes back into step within seconds and stays there (measured at +-200 ppm: 0.5 ms at the
     * most, 1 us after a minute); until then it passes bit for bit. When the reference has ended
     * the others keep the speed that they have.
     *
     * All other inputs are put together by position: frame n of the mix is the sum of frame n of
     * each. Started again after a stop, these go on where they were; those that keep time are put
     * in step anew, and what they held unread is dropped.
     */
    const struct kodama_mix_input *inputs;
    size_t n_inputs; /**< 1..64 */
    /** "app", "mic", "system": heard through this host, which must outlive the source; NULL: one of
     * its own. Their format's members that are 0 become f32, the rate of the sound server, and 2
     * channels ("mic": those of the microphone). They are live. What is missing (the application is
     * away, the device gone, the server being started again, cycles lost) is silence on the
     * timeline, marked as a gap, counted. They hear who was asked for and never anybody else. */
    struct kodama_host *host;
    const char
        *backend; /**< "app", "mic", "system" without a host: as kodama_host_config.backend */
    /** "app": who is heard: everybody who matches one of these, also who comes later. Their texts
     * are copied. */
    const struct kodama_app_match *apps;
    size_t n_apps;
    /** "system": everybody is heard but who matches one of these; none: what the speakers play. */
    const struct kodama_app_match *except;
    size_t n_except;
    /** "mic": name or description, or a part of one in any case; NULL: the default microphone,
     * whichever it is. "system": the same of the speakers; not with `except`. */
    const char *device;
    enum kodama_latency latency; /**< "app", "mic", "system" */
    bool compensate; /**< "app": undo the application's own volume (not its mute). Where several
                        streams are heard, the loudest one's */
    bool wait;       /**< "app", "mic", "system": nobody needs to be there yet. Else
                        KODAMA_ERR_NOT_FOUND with the names of those who are */
};
#define KODAMA_SOURCE_CONFIG_INIT                                                             \
    {                                                                                         \
        .size = sizeof(struct kodama_source_config), .frequency_hz = 1000.0, .amplitude = 0.5 \
    }

/** Counters of a source since it was opened; exact, read without a lock. */
struct kodama_source_stats {
    uint64_t frames;        /**< frames written to the ring */
    uint64_t silent_frames; /**< of which the source said they are silent, or a gap filled with
                               silence */
    uint64_t gap_frames;    /**< frames that the source lost, written as silence and marked */
    uint64_t gaps;          /**< how often */
    uint64_t overruns;      /**< blocks for which a paced or live source found the ring full */
    uint64_t
        latency_ns;    /**< age of a frame when it is written, as far as the source knows; else 0 */
    uint64_t vanished; /**< how often the target (an application, a device) went away */
    uint64_t returned; /**< how often it came back */
    bool present;      /**< whether it is there now */
    uint64_t clock_changes; /**< how often another device (or a restarted server) took over */
    /** How much faster the device's clock is than the system's, in parts per million; 0 until it
     * is known, 2 s after the clock began or changed. */
    double drift_ppm;
};

/**
 * Open a source by name.
 *
 * @param[out] source  owned by the caller until a stream takes it; NULL on error
 * @param name         "file", "stdin", "tone", "noise", "silence", "null", "mix", "app", "mic" or
 * "system"; kodama_source_name() lists them
 * @param config       borrowed for the call (log for the source's life)
 * @param[out] error   may be NULL
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND (no such source, file, application or
 * device; no sound server), KODAMA_ERR_PERMISSION,
 * KODAMA_ERR_FORMAT, KODAMA_ERR_CORRUPT, KODAMA_ERR_IO, KODAMA_ERR_CANCELLED, KODAMA_ERR_ARGUMENT,
 * KODAMA_ERR_SYSTEM, KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_source_open(struct kodama_source **source, const char *name,
                                  const struct kodama_source_config *config,
                                  struct kodama_error *error) KODAMA_MUST_USE;

/** Close a source that no stream has taken; NULL is allowed. Thread: owner. Real-time safe: no. */
KODAMA_API void kodama_source_close(struct kodama_source *source);

/** The native format of a source: what it writes into the ring. Thread: any. Real-time safe: yes.
 */
KODAMA_API struct kodama_format kodama_source_format(const struct kodama_source *source);

/** Whether the source cannot be held back: true for devices, false for files and pipes; generators
 * are as configured, and a mix is live when one of its inputs is. Thread: any. Real-time safe:
 * yes. */
KODAMA_API bool kodama_source_is_live(const struct kodama_source *source);

/** Frames that the source will deliver in all, or -1 when it cannot know (a pipe, a device).
 * Thread: any. Real-time safe: yes. */
KODAMA_API int64_t kodama_source_length(const struct kodama_source *source);

/** Read the counters. Thread: any. Real-time safe: yes. */
KODAMA_API void kodama_source_stats(const struct kodama_source *source,
                                    struct kodama_source_stats *stats);

/** Names of the sources in this build: index 0, 1, ... until NULL. Thread: any. Real-time safe:
 * yes. */
KODAMA_API const char *kodama_source_name(size_t index);

#endif
