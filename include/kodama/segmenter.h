/*
 * The segmenter: detector plus endpoint rules. Samples in, in blocks of any size; speech starts and
 * speech stops out. The result does not depend on how the samples were cut into blocks. All times
 * are counted in samples (mono float, 16 kHz).
 */
#ifndef KODAMA_SEGMENTER_H
#define KODAMA_SEGMENTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/detector.h>
#include <kodama/status.h>

struct kodama_segmenter;

struct kodama_segmenter_config {
    size_t size;          /**< sizeof this struct, set by KODAMA_SEGMENTER_CONFIG_INIT */
    const char *detector; /**< name; NULL: the default detector */
    const struct kodama_detector_config *detector_config; /**< says more than the name, which is
                               then not looked at; rate_hz is 16000; may be NULL */
    float threshold;      /**< speech begins at this probability, 0..1 */
    float stop_threshold; /**< and ends below this one; 0: threshold - 0.15 (half of a threshold
                               below 0.3) */
    uint32_t onset_ms;    /**< so much speech confirms a start */
    uint32_t
        prefix_padding_ms;    /**< pre-roll: audio before the onset that belongs to the utterance */
    uint32_t fast_silence_ms; /**< so much silence lets the final's decoding begin; not
                                   below silence_duration_ms: there is no PAUSE */
    uint32_t silence_duration_ms; /**< hangover: so much silence ends the utterance */
    uint32_t max_ms;       /**< no utterance is longer: cut at its longest pause (of equal ones the
                              last) */
    uint32_t min_pause_ms; /**< a pause must be so long to be cut at, in its middle; without one
                              the cut is at max_ms */
};
#define KODAMA_SEGMENTER_CONFIG_INIT                                                       \
    {                                                                                      \
        .size = sizeof(struct kodama_segmenter_config), .threshold = 0.5f, .onset_ms = 60, \
        .prefix_padding_ms = 300, .fast_silence_ms = 200, .silence_duration_ms = 500,      \
        .max_ms = 25000, .min_pause_ms = 98                                                \
    }

enum kodama_segment_kind {
    KODAMA_SEGMENT_START = 1, /**< speech began: `begin` includes the pre-roll, `speech` does not */
    KODAMA_SEGMENT_PAUSE,     /**< fast_silence_ms of silence: the utterance may end at `end` */
    KODAMA_SEGMENT_RESUME,    /**< speech went on after a pause */
    KODAMA_SEGMENT_STOP,      /**< the utterance [begin, end) is over */
};

/** What the segmenter decided, in order. */
struct kodama_segment {
    enum kodama_segment_kind kind;
    uint32_t utterance;    /**< counts utterances, from 1 */
    uint64_t begin;        /**< first sample of the utterance, with pre-roll */
    uint64_t end;          /**< PAUSE, STOP: sample after its last one, hangover included (STOP) */
    uint64_t speech_begin; /**< first sample of speech, unpadded */
    uint64_t speech_end;   /**< PAUSE, STOP: sample after the last one of speech, unpadded */
    bool cut;              /**< STOP: forced by max_ms; the next utterance begins at `end` if its
                                speech was heard already, else not before */
    uint64_t decided_at;   /**< samples heard when this was decided */
};

/**
 * Open a segmenter.
 *
 * @param[out] segmenter  owned by the caller; NULL on error
 * @param config          borrowed for the call; NULL: defaults
 * @param[out] error      may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT (a value out of range), KODAMA_ERR_MEMORY, or what
 *         kodama_detector_open_with() returned
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_segmenter_open(struct kodama_segmenter **segmenter,
                                     const struct kodama_segmenter_config *config,
                                     struct kodama_error *error) KODAMA_MUST_USE;

/** Close a segmenter; NULL is allowed. Thread: owner. Real-time safe: no. */
KODAMA_API void kodama_segmenter_close(struct kodama_segmenter *segmenter);

/**
 * Give samples until the first decision.
 *
 * @param segmenter     used by one thread at a time
 * @param samples       mono float at 16 kHz; may be NULL when n_samples is 0
 * @param n_samples     how many
 * @param[out] segment  always filled in; kind is 0 when nothing was decided
 * @return samples consumed. Call again with the rest, until all are consumed and kind is 0: one
 *         window can lead to several decisions (a forced cut is a STOP and at once the START of
 *         the next utterance), and those after the first come out consuming nothing. When kind is
 *         0 all samples were consumed. After kodama_segmenter_finish() samples are ignored.
 *
 * Thread: owner. Real-time safe: yes.
 */
KODAMA_API size_t kodama_segmenter_process(struct kodama_segmenter *segmenter, const float *samples,
                                           size_t n_samples, struct kodama_segment *segment);

/**
 * Say that no more samples come: the utterance in progress, if any, stops here. Samples that did
 * not fill a window belong to it, and are what the window before them was, speech or silence.
 * Speech that onset_ms has not confirmed yet is not an utterance.
 *
 * @param segmenter     used by one thread at a time
 * @param[out] segment  the decision; call until kind is 0
 *
 * Thread: owner. Real-time safe: yes.
 */
KODAMA_API void kodama_segmenter_finish(struct kodama_segmenter *segmenter,
                                        struct kodama_segment *segment);

/**
 * End the utterance in progress here, without waiting for silence (the client asked); `cut` of its
 * STOP is false. Listening goes on: speech that continues is a new onset, and no later utterance
 * begins before here. With nobody speaking, nothing happens.
 *
 * @param segmenter     used by one thread at a time
 * @param[out] segment  the decision; call until kind is 0
 *
 * Thread: owner. Real-time safe: yes.
 */
KODAMA_API void kodama_segmenter_cut(struct kodama_segmenter *segmenter,
                                     struct kodama_segment *segment);

/** Forget everything heard: positions and utterances count from the beginning again. Thread:
 * owner. Real-time safe: yes. */
KODAMA_API void kodama_segmenter_reset(struct kodama_segmenter *segmenter);

/** Speech probability of the newest window, 0..1, for meters. Thread: owner. Real-time safe:
 * yes. */
KODAMA_API float kodama_segmenter_probability(const struct kodama_segmenter *segmenter);

/** Samples heard so far. Thread: owner. Real-time safe: yes. */
KODAMA_API uint64_t kodama_segmenter_position(const struct kodama_segmenter *segmenter);

/** Earliest sample that a decision still to come may reach back to; older audio can be dropped.
 * While somebody speaks it is the utterance's begin, for a forced cut may lie anywhere in it.
 * Thread: owner. Real-time safe: yes. */
KODAMA_API uint64_t kodama_segmenter_horizon(const struct kodama_segmenter *segmenter);

/** Save the state, as kodama_detector_save(). Thread: owner. Real-time safe: no. */
KODAMA_API int64_t kodama_segmenter_save(const struct kodama_segmenter *segmenter, void *data,
                                         size_t n_bytes);

/** Load a state saved by a segmenter of the same configuration. KODAMA_OK or KODAMA_ERR_CORRUPT
 * (then reset). Thread: owner. Real-time safe: no. */
KODAMA_API int kodama_segmenter_load(struct kodama_segmenter *segmenter, const void *data,
                                     size_t n_bytes);

#endif
