/*
 * The recogniser: one conversation's hearing. Frames of any format in; speech started, partial,
 * speech stopped and final out.
 *
 * It owns conversion to 16 kHz mono, the segmenter, the utterance in progress and the
 * conversation's context. It is small and can be saved; decoders are leased from the model for one
 * utterance at a time.
 *
 * A final is a function of the utterance's samples, the settings and the earlier finals, never of
 * partials, of block sizes, of load, or of who used the decoder before.
 */
#ifndef KODAMA_RECOGNIZER_H
#define KODAMA_RECOGNIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/format.h>
#include <kodama/model.h>
#include <kodama/segmenter.h>
#include <kodama/status.h>
#include <kodama/waitable.h>

struct kodama_recognizer;

struct kodama_recognizer_config {
    size_t size;                 /**< sizeof this struct, set by KODAMA_RECOGNIZER_CONFIG_INIT */
    struct kodama_format format; /**< of the frames that will be written */
    struct kodama_segmenter_config segmenter; /**< endpoint rules */
    bool partials;                            /**< make tentative text while somebody speaks */
    uint32_t partial_interval_ms;             /**< audio between two partials; 0: 200 */
    uint32_t max_pending_ms;      /**< audio of utterances that have ended and have no final yet,
                                       before writing waits; 0: 60000 */
    void (*on_event)(void *user); /**< may be NULL: the queue of events is no longer empty; any
                                     thread, must not block, must not call the recogniser */
    void *user;                   /**< handed to on_event */
    const char *language;         /**< spoken here: "en", "de", ..., "auto" (found out for each
                                     utterance); NULL: the model's setting */
    struct kodama_model *partials_model; /**< makes the partials (a fast one), while the model of
                                            the conversation makes the finals; must outlive the
                                            recogniser. Then nothing of a partial is stable, and no
                                            final is revised. NULL: one model does both */
};
#define KODAMA_RECOGNIZER_CONFIG_INIT                               \
    {                                                               \
        .size = sizeof(struct kodama_recognizer_config),            \
        .segmenter = KODAMA_SEGMENTER_CONFIG_INIT, .partials = true \
    }

enum kodama_event_kind {
    KODAMA_EVENT_SPEECH_STARTED = 1, /**< `sample` */
    KODAMA_EVENT_PARTIAL,            /**< `text`, `stable_bytes` */
    KODAMA_EVENT_SPEECH_STOPPED,     /**< `sample` */
    KODAMA_EVENT_FINAL,  /**< `text`, `words`, `start_s`, `end_s`, `confidence`, `revised` */
    KODAMA_EVENT_SLOW,   /**< decoding is `lag_ms` behind the audio; once per episode */
    KODAMA_EVENT_FAILED, /**< an utterance could not be decoded: `text` says why; its final is empty
                          */
};

/** One recognised word. */
struct kodama_word {
    const char *text;
    double start_s; /**< seconds on the audio's own clock */
    double end_s;
    float confidence; /**< 0..1 */
};

/** Something heard. Pointers live until the next kodama_recognizer_next(). */
struct kodama_event {
    enum kodama_event_kind kind;
    uint32_t utterance; /**< counts utterances, from 1 */
    uint64_t sample;  /**< STARTED: first frame (pre-roll included); STOPPED: frame after the last;
                         PARTIAL: frame after what it was made of; at the input's rate */
    const char *text; /**< UTF-8 */
    size_t stable_bytes;   /**< PARTIAL: bytes of `text` that later partials keep */
    double start_s, end_s; /**< FINAL: of the utterance, seconds on the audio's own clock */
    float confidence;      /**< FINAL: 0..1 */
    bool revised;          /**< FINAL: it deviates from text that was called stable */
    const struct kodama_word *words;
    size_t n_words;
    uint32_t lag_ms;      /**< SLOW */
    const char *language; /**< FINAL: code of the language heard, such as "en"; NULL: not known */
    uint64_t decode_ns;   /**< FINAL: processor time its decoding took */
};

/**
 * Open a conversation.
 *
 * @param[out] recognizer  owned by the caller; NULL on error
 * @param model            must outlive it
 * @param config           borrowed for the call; its format must be valid
 * @param[out] error       may be NULL
 * @return KODAMA_OK, KODAMA_ERR_FORMAT, KODAMA_ERR_ARGUMENT (also: a language that the model does
 * not know), KODAMA_ERR_NOT_FOUND (detector), KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_recognizer_open(struct kodama_recognizer **recognizer,
                                      struct kodama_model *model,
                                      const struct kodama_recognizer_config *config,
                                      struct kodama_error *error) KODAMA_MUST_USE;

/** Close a conversation: what is not decided is dropped; waits for a decoder that is at work for
 * it. NULL is allowed. Thread: owner. Real-time safe: no. */
KODAMA_API void kodama_recognizer_close(struct kodama_recognizer *recognizer);

/**
 * Hear frames. Converts, detects, segments and hands work to the decoders; never decodes.
 *
 * @param recognizer  written by one thread at a time
 * @param frames      interleaved, in the configured format; NULL: silence
 * @param n_frames    how many
 * @param timeout_ns  how long to wait when max_pending_ms of audio is undecided
 * @return frames heard: n_frames, or fewer when the time passed in between; or KODAMA_ERR_FULL
 * (timeout_ns is 0) / KODAMA_ERR_TIMEOUT (nothing was heard: try again), KODAMA_ERR_CLOSED (after
 * finish), KODAMA_ERR_MEMORY (the utterance in progress is lost)
 *
 * Thread: writer. Real-time safe: no.
 */
KODAMA_API int64_t kodama_recognizer_write(struct kodama_recognizer *recognizer, const void *frames,
                                           size_t n_frames, int64_t timeout_ns);

/** Close the utterance in progress now, as if silence had followed. Thread: writer. Real-time safe:
 * no. */
KODAMA_API int kodama_recognizer_finalize(struct kodama_recognizer *recognizer);

/** No more frames come: flush, so that the last words are recognised; then kodama_recognizer_next()
 * ends with KODAMA_ERR_CLOSED. Thread: writer. Real-time safe: no. */
KODAMA_API int kodama_recognizer_finish(struct kodama_recognizer *recognizer);

/**
 * The next event, in order: finals come in order of their utterances; a partial that was overtaken
 * by a newer one, or by its final, is not delivered.
 *
 * @param recognizer  read by one thread at a time
 * @param[out] event  filled in; its pointers live until the next call
 * @param timeout_ns  how long to wait
 * @return KODAMA_OK, KODAMA_ERR_EMPTY (timeout_ns is 0), KODAMA_ERR_TIMEOUT, KODAMA_ERR_CLOSED
 * (finished, and all was delivered)
 *
 * Thread: reader. Real-time safe: no.
 */
KODAMA_API int kodama_recognizer_next(struct kodama_recognizer *recognizer,
                                      struct kodama_event *event, int64_t timeout_ns);

/** A waitable that is signalled while an event can be taken or the conversation has ended. Valid
 * until close. Thread: reader. Real-time safe: no. */
KODAMA_API int kodama_recognizer_waitable(struct kodama_recognizer *recognizer,
                                          struct kodama_waitable *waitable);

/**
 * Let the utterances to come be decoded by another model. The one in progress, and those that have
 * ended and have no final yet, stay with the one that they were begun with. The engine's context is
 * not carried over: the new model begins as in a new conversation. A model that makes the partials
 * only stays.
 *
 * @param recognizer   borrowed
 * @param model        must outlive the recogniser, or until it is switched to another one; the one
 *                     before may be closed when kodama_model_wait_unused() says so. The one that it
 *                     has already: nothing happens, but what is over of an earlier switch is let go
 * @param[out] error   may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT (the model does not know the conversation's language;
 *         nothing has changed), KODAMA_ERR_MEMORY
 *
 * Thread: writer. Real-time safe: no.
 */
KODAMA_API int kodama_recognizer_switch(struct kodama_recognizer *recognizer,
                                        struct kodama_model *model, struct kodama_error *error);

/** Audio heard but not decided yet, in milliseconds. Thread: any. Real-time safe: no. */
KODAMA_API uint32_t kodama_recognizer_pending_ms(struct kodama_recognizer *recognizer);

/** Speech probability now, for meters. Thread: any. Real-time safe: yes. */
KODAMA_API float kodama_recognizer_probability(struct kodama_recognizer *recognizer);

/**
 * Save the conversation: positions, detector, segmenter and resampler state, the utterance in
 * progress, the engine's context. Waits for finals that are being decoded. Events not yet taken are
 * not part of it.
 *
 * @param recognizer   unchanged
 * @param[out] data    new bytes, to be freed with kodama_free()
 * @param[out] n_bytes how many
 * @return KODAMA_OK or KODAMA_ERR_MEMORY
 *
 * Thread: writer. Real-time safe: no.
 */
KODAMA_API int kodama_recognizer_save(struct kodama_recognizer *recognizer, void **data,
                                      size_t *n_bytes);

/** Load a conversation into a recogniser that has heard nothing and has the same configuration. A
 * model of another engine begins without the context that was saved. KODAMA_OK, KODAMA_ERR_CORRUPT,
 * KODAMA_ERR_STATE (it has heard something), KODAMA_ERR_MEMORY. Thread: writer. Real-time safe: no.
 */
KODAMA_API int kodama_recognizer_load(struct kodama_recognizer *recognizer, const void *data,
                                      size_t n_bytes);

/** Free memory that the library handed out as bytes; NULL is allowed. Thread: any. Real-time safe:
 * no. */
KODAMA_API void kodama_free(void *data);

#endif
