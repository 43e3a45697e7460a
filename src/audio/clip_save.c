/* Saving clips: all of one through a draft. */
#include <kodama/draft.h>

#include "audio/clip.h"
#include "base/error.h"

int kodama_clip_save(const struct kodama_clip *clip, const char *path,
                     const struct kodama_clip_save_config *config, struct kodama_error *error)
{
    const struct kodama_clip_save_config defaults = KODAMA_CLIP_SAVE_CONFIG_INIT;
    if (!config) config = &defaults;
    if (!clip || !path || config->size < sizeof *config) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "save a clip: %s",
                         clip && path ? "the config was not initialised" : "no clip or no path");
    }
    struct kodama_draft_config how = KODAMA_DRAFT_CONFIG_INIT;
    how.type = config->type;
    how.sample = config->sample;
    how.origin = clip->origin;
    how.quality = config->quality;
    how.fit = config->fit;
    how.n_frames = clip->n_frames;
    struct kodama_draft *draft;
    int status = kodama_draft_open(&draft, path, clip->format, &how, error);
    if (status < 0) return status;
    status = kodama_draft_write(draft, clip->samples, clip->n_frames, error);
    if (status >= 0) status = kodama_draft_finish(draft, error);
    kodama_draft_close(draft);
    return status;
}
