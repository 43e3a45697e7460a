/* What `kodama info` finds out about a sound while it passes by. */
#ifndef COMMAND_MEASURE_H
#define COMMAND_MEASURE_H

#include <stdint.h>

#include <kodama/clip.h>
#include <kodama/loudness.h>
#include <kodama/stream.h>

#include "command/waveform.h"

/** A piece of 10 ms without a louder sample is silent, dBFS. */
#define MEASURE_SILENCE_DB (-60.0)

/** Memory does not grow with the sound, but for what kodama_loudness keeps. */
struct measure {
    struct kodama_format format;
    struct kodama_loudness *loudness;
    float clip_at;    /* samples of this magnitude and above are clipped */
    float silence_at; /* as a factor */
    uint64_t n_frames;
    double sum[KODAMA_CHANNELS_MAX], squares; /* of samples; squares of all channels together */
    double peak;
    uint64_t peak_at;  /* first frame that has it */
    uint64_t clipped;  /* samples */
    uint64_t replaced; /* samples that were no numbers */
    uint64_t pieces, silent_pieces;
    uint32_t piece_frames, in_piece;
    float piece_peak;
    struct waveform waveform;
};

/** What came out. Decibels of silence are -INFINITY. */
struct measure_result {
    double rms_db, peak_db;
    double silent_share; /**< 0..1 */
    double offset;       /**< mean of the channel that is furthest from 0 */
    struct kodama_clip_loudness loudness;
};

/** Begin. @return KODAMA_OK, KODAMA_ERR_FORMAT or KODAMA_ERR_MEMORY */
int measure_open(struct measure *measure, struct kodama_format format, struct kodama_error *error);
void measure_close(struct measure *measure);

/** For kodama_stream_config.on_chunk, with the measure as `user`. */
int measure_chunk(void *measure, const struct kodama_chunk *chunk);

/** After the last chunk. @return KODAMA_OK or KODAMA_ERR_MEMORY */
int measure_finish(struct measure *measure, struct measure_result *result);

#endif
