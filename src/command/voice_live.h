/* The way of a live voice: a stream, the chain, and the sinks that it goes to. */
#ifndef COMMAND_VOICE_LIVE_H
#define COMMAND_VOICE_LIVE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <kodama/player.h>
#include <kodama/sink.h>
#include <kodama/stream.h>
#include <kodama/voice.h>

#include "command/capture.h"

/** Where a voice goes. */
struct voice_target {
    const char *kind; /* "speakers", "mic" or "file" */
    const char
        *name;    /* part of the speakers' name, the microphone's name, or a path; may be NULL */
    bool monitor; /* and to the default speakers */
    bool overwrite;
    const char *backend;
    enum kodama_latency latency;
};

/** A sink with its player; a file has none. */
struct voice_outlet {
    struct kodama_sink *sink;
    struct kodama_player *player;
};

/** Fields without a word are set before the stream starts. */
struct voice_live {
    struct capture_teller teller;
    struct kodama_stream *stream;
    struct kodama_voice *voice;
    struct kodama_format format; /* of what is heard */
    struct voice_outlet target, monitor;
    uint32_t chunk_frames;
    uint32_t channels; /* of what comes out */
    float *block;
    size_t room;   /* frames in block */
    uint64_t skip; /* dispatcher's: frames of the delay that a file does not get */
    _Atomic bool abandoned;
};

/** How late what is heard now is: parts in nanoseconds. */
struct voice_delay {
    uint64_t capture_ns; /* of the source, and until a chunk is whole */
    uint64_t voice_ns;   /* of the chain: exact */
    uint64_t sink_ns;    /* what waits, and what the sound server says; 0 for a file */
};

/**
 * Open everything; nothing runs yet. Complains.
 *
 * @param[out] live  close with voice_live_close()
 * @param source     taken, also on failure
 * @param config     of the voice; its formats are filled in
 * @param log        borrowed; may be NULL
 * @return an exit code
 */
int voice_live_open(struct voice_live *live, struct kodama_source *source,
                    struct kodama_voice_config *config, const struct voice_target *target,
                    const struct kodama_log *log);

/** Begin. @return KODAMA_OK or why not */
int voice_live_start(struct voice_live *live, struct kodama_error *error);

/** End: what was heard is still said, a file is whole afterwards. @return KODAMA_OK, or why it is
 * not whole */
int voice_live_finish(struct voice_live *live, struct kodama_error *error);

struct voice_delay voice_live_delay(const struct voice_live *live);

void voice_live_close(struct voice_live *live);

#endif
