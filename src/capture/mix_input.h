/*
 * Inputs of a mix: each is a source with a ring of its own, read by the mix's feed, put in its
 * place on the mix's timeline and added to a sum.
 */
#ifndef CAPTURE_MIX_INPUT_H
#define CAPTURE_MIX_INPUT_H

#include "capture/mix_align.h"
#include "capture/source.h"

enum { MIX_MARKS_MAX = 64 };

/** What is told of one block of the mix. */
struct mix_marks {
    struct kodama_source *mix; /* whose gaps are counted */
    struct kodama_mark marks[MIX_MARKS_MAX];
    size_t n_marks;
};

/** Add a mark; of more than there is room for, gaps become one gap. */
void mix_marks_add(struct mix_marks *marks, struct kodama_mark mark);

struct mix_input {
    /* Immutable after open. */
    struct kodama_source *source;
    float gain;
    size_t block_frames;
    uint32_t channels; /* of its frames when added: those of the source, or 1 in a mono mix */
    bool tells_time;   /* its TIME marks are the mix's */
    const struct mix_kernel *kernel;
    /* Owner only. */
    struct kodama_ring *ring;
    struct kodama_cursor *cursor;
    bool started;
    /* Written by the source's thread before it closes the ring, read by the feed after it found the
     * ring closed. */
    int status;
    struct kodama_error error;

    /* The feed's thread only, from here on. */
    uint8_t *frames; /* up to a block as read */
    size_t n_held;
    uint64_t first_held;  /* position of the first of them */
    uint64_t n_lost;      /* frames lost before them that are not in the window yet */
    float *window;        /* frames around the place */
    int64_t window_first; /* position of the first of them */
    size_t n_window;
    int64_t place;  /* position of the next frame to add, */
    double between; /* and how far after it */
    int64_t end;    /* position after the last frame; INT64_MAX: not known yet */
    bool ended;     /* nothing more can be read */
    bool timed;     /* its marks say when it was heard */
    struct mix_clock clock;
    struct mix_drift drift;
    uint64_t lead;               /* frames of the mix until it begins */
    size_t n_done;               /* frames in the block that is being made */
    uint64_t gap_end;            /* where its latest gap ends, on the mix's timeline */
    bool gone;                   /* its target is not there, at the place; */
    uint64_t vanished, returned; /* how often it went and came back up to there */
};

/** Prepare. KODAMA_OK or KODAMA_ERR_MEMORY; mix_input_free() is due in any case. */
int mix_input_init(struct mix_input *input, size_t block_frames, uint32_t mix_channels,
                   struct kodama_error *error);
void mix_input_free(struct mix_input *input);

/** Begin at what is read next; of an input that keeps time, what was not read yet is dropped. */
void mix_input_begin(struct mix_input *input);

/**
 * Read the first frames, to know when they were heard.
 *
 * @return KODAMA_OK, also when there are none, or KODAMA_ERR_CANCELLED
 */
int mix_input_find_time(struct mix_input *input);

/** With `lead` known: tell what the first frames brought. */
void mix_input_enter(struct mix_input *input, uint64_t mix_position, struct mix_marks *marks);

/**
 * Add to a block, until it is full or the input has ended.
 *
 * @param sum           [n_frames][mix_channels]
 * @param mix_position  of the block
 * @return KODAMA_OK, or why it cannot be read; calling again goes on where it was
 */
int mix_input_add(struct mix_input *input, float *sum, size_t n_frames, uint32_t mix_channels,
                  uint64_t mix_position, struct mix_marks *marks);

/** Bring an input in step with a reference, after a block of n_frames. */
void mix_input_follow(struct mix_input *input, const struct mix_input *reference, size_t n_frames);

/** See whether what it captures has gone or come back, in the frames that were added. True when it
 * is gone, or was since the last look. */
bool mix_input_look(struct mix_input *input);

#endif
