/* Playbacks: begun, ended, and carried over the restarts of the sound server. */
#include "capture/playback.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/log.h"
#include "capture/host.h"

static int open_one(struct playback *playback, struct kodama_error *error)
{
    int status = playback->host->ops->playback->open(playback, error);
    if (status < 0) playback->state = NULL;
    return status;
}

static void close_one(struct playback *playback)
{
    if (playback->state) playback->host->ops->playback->close(playback);
    playback->state = NULL;
    playback->broken = false;
    atomic_store_explicit(&playback->present, false, memory_order_relaxed);
}

int playback_begin(struct playback *playback, struct kodama_error *error)
{
    struct kodama_host *host = playback->host;
    if (!host->ops->playback) {
        return error_set(error, KODAMA_ERR_UNSUPPORTED, "%s cannot play", host->ops->name);
    }
    host->ops->lock(host);
    int status = open_one(playback, error);
    if (status >= 0) {
        playback->next = host->playbacks;
        host->playbacks = playback;
    }
    host->ops->unlock(host);
    return status;
}

void playback_end(struct playback *playback)
{
    struct kodama_host *host = playback->host;
    host->ops->lock(host);
    close_one(playback);
    for (struct playback **at = &host->playbacks; *at; at = &(*at)->next) {
        if (*at == playback) {
            *at = playback->next;
            break;
        }
    }
    host->ops->unlock(host);
    free(playback->device);
    free(playback->name);
    free(playback->label);
}

void playbacks_close(struct kodama_host *host)
{
    for (struct playback *playback = host->playbacks; playback; playback = playback->next) {
        close_one(playback);
    }
}

void playbacks_open(struct kodama_host *host)
{
    for (struct playback *playback = host->playbacks; playback; playback = playback->next) {
        struct kodama_error error = {0};
        if (playback->broken) close_one(playback);
        if (playback->state || open_one(playback, &error) >= 0) continue;
        log_write(host->log, KODAMA_LOG_WARNING, "%s: %s",
                  playback->is_mic ? "the virtual microphone is not back" : "cannot play again",
                  error.message);
    }
}
