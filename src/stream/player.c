/* Players: what comes live goes through pause_cut.h into a sink, without waiting. */
#include <stdatomic.h>
#include <stdlib.h>

#include <kodama/player.h>

#include "base/error.h"
#include "base/memory.h"
#include "stream/pause_cut.h"
#include "stream/sink.h"

enum { BLOCK_FRAMES = 1024 };

struct kodama_player {
    struct kodama_sink *sink;    /* immutable */
    struct kodama_format format; /* immutable */
    uint64_t reserve;            /* immutable */
    uint64_t underruns, starved; /* immutable: what the sink had counted before */
    /* The thread that writes. */
    bool begun;
    struct pause_cut cut;
    float *block; /* room for what comes of BLOCK_FRAMES */
    /* Written by the thread that writes, relaxed. */
    _Atomic uint64_t frames_in, frames_out, shortened, shortenings, dropped, drops, queue_most;
    _Atomic bool behind;
};

static uint64_t frames_of(double ms, uint32_t rate_hz)
{
    return (uint64_t)(ms * 1e-3 * rate_hz);
}

static int check(const struct kodama_player_config *config, const struct kodama_sink *sink,
                 struct kodama_error *error)
{
    if (kodama_sink_format(sink).sample != KODAMA_SAMPLE_F32) {
        return error_set(error, KODAMA_ERR_FORMAT, "a player needs a sink that takes f32");
    }
    if (!(config->reserve_ms >= 1 && config->reserve_ms <= 1000) ||
        !(config->most_ms >= config->reserve_ms + 20 && config->most_ms <= 5000)) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "a player keeps 1 to 1000 ms and lets at least 20 ms more wait, at most "
                         "5000; not %g and %g",
                         config->reserve_ms, config->most_ms);
    }
    return KODAMA_OK;
}

int kodama_player_open(struct kodama_player **player, struct kodama_sink *sink,
                       const struct kodama_player_config *config, struct kodama_error *error)
{
    static const struct kodama_player_config plain = KODAMA_PLAYER_CONFIG_INIT;
    if (!player) return error_set(error, KODAMA_ERR_ARGUMENT, "no place for the player");
    *player = NULL;
    if (!config) config = &plain;
    if (!sink || config->size != sizeof *config) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "a player needs a sink, and a configuration begun with "
                         "KODAMA_PLAYER_CONFIG_INIT");
    }
    int status = check(config, sink, error);
    if (status < 0) return status;
    struct kodama_player *made = memory_array(1, sizeof *made);
    if (!made) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a player");
    made->sink = sink;
    made->format = kodama_sink_format(sink);
    made->reserve = frames_of(config->reserve_ms, made->format.rate_hz);
    uint64_t room = (uint64_t)kodama_ring_capacity(sink->ring) * 9 / 10;
    uint64_t most = frames_of(config->most_ms, made->format.rate_hz);
    if (most > room) most = room;
    status = pause_cut_open(&made->cut, made->format.rate_hz, made->format.channels, made->reserve,
                            most);
    size_t n = pause_cut_room(&made->cut, BLOCK_FRAMES) * made->format.channels;
    if (status >= 0) made->block = memory_array(n, sizeof *made->block);
    if (!made->block) {
        kodama_player_close(made);
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for a player");
    }
    struct kodama_sink_stats before;
    kodama_sink_stats(sink, &before);
    made->underruns = before.underruns;
    made->starved = before.underrun_frames;
    *player = made;
    return KODAMA_OK;
}

void kodama_player_close(struct kodama_player *player)
{
    if (!player) return;
    pause_cut_close(&player->cut);
    free(player->block);
    free(player);
}

static void publish(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static uint64_t queue_of(const struct kodama_player *player)
{
    struct kodama_sink_stats stats;
    kodama_sink_stats(player->sink, &stats);
    return stats.queue_frames;
}

/* Into the sink as far as there is room; what is not is dropped. */
static int put(struct kodama_player *player, const float *frames, size_t n_frames)
{
    int64_t n = kodama_sink_write(player->sink, frames, n_frames, 0);
    if (n == KODAMA_ERR_FULL || n == KODAMA_ERR_TIMEOUT) n = 0;
    if (n < 0) return (int)n;
    if ((size_t)n < n_frames) {
        player->cut.dropped += n_frames - (size_t)n;
        player->cut.drops++;
    }
    publish(&player->frames_out, get(&player->frames_out) + (uint64_t)n);
    return KODAMA_OK;
}

int64_t kodama_player_write(struct kodama_player *player, const float *frames, size_t n_frames)
{
    if (!player || (!frames && n_frames > 0)) return KODAMA_ERR_ARGUMENT;
    if (!player->begun) {
        /* What shall wait has to come from somewhere. */
        player->begun = true;
        int64_t n = kodama_sink_write(player->sink, NULL, player->reserve, 0);
        if (n < 0 && n != KODAMA_ERR_FULL) return n;
    }
    for (size_t done = 0; done < n_frames;) {
        size_t n = n_frames - done < BLOCK_FRAMES ? n_frames - done : BLOCK_FRAMES;
        uint64_t queued = queue_of(player);
        if (queued > get(&player->queue_most)) publish(&player->queue_most, queued);
        size_t n_out = pause_cut_run(&player->cut, queued, frames + done * player->format.channels,
                                     n, player->block);
        int status = n_out > 0 ? put(player, player->block, n_out) : KODAMA_OK;
        if (status < 0) return status;
        done += n;
    }
    publish(&player->frames_in, get(&player->frames_in) + n_frames);
    publish(&player->shortened, player->cut.shortened);
    publish(&player->shortenings, player->cut.shortenings);
    /* One that goes on counts, too. */
    bool drops = player->cut.cutting && player->cut.forced;
    publish(&player->dropped, player->cut.dropped + (drops ? player->cut.taken : 0));
    publish(&player->drops, player->cut.drops + drops);
    atomic_store_explicit(&player->behind, pause_cut_behind(&player->cut), memory_order_relaxed);
    return (int64_t)n_frames;
}

void kodama_player_stats(const struct kodama_player *player, struct kodama_player_stats *stats)
{
    struct kodama_sink_stats sink;
    kodama_sink_stats(player->sink, &sink);
    uint64_t queue_ns = sink.queue_frames * UINT64_C(1000000000) / player->format.rate_hz;
    *stats = (struct kodama_player_stats){
        .frames_in = get(&player->frames_in),
        .frames_out = get(&player->frames_out),
        .shortened_frames = get(&player->shortened),
        .shortenings = get(&player->shortenings),
        .dropped_frames = get(&player->dropped),
        .drops = get(&player->drops),
        .underruns = sink.underruns - player->underruns,
        .underrun_frames = sink.underrun_frames - player->starved,
        .queue_frames = sink.queue_frames,
        .queue_most_frames = get(&player->queue_most),
        .delay_ns = queue_ns + sink.latency_ns,
        .behind = atomic_load_explicit(&player->behind, memory_order_relaxed),
    };
}
