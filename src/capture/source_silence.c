/* The source "silence": silence that says that it is silence. */
#include "capture/source_generator.h"

/* One mark a second rather than one a block, so that a lane of marks reaches as far back as the
 * longest ring. It is published before its frames: one that is stopped within the second has
 * promised more than came. Where frames may be refused, only a block can be promised. */
static int64_t silence_read(void *state, void *frames, size_t max_frames,
                            struct kodama_error *error)
{
    struct generator *generator = state;
    struct kodama_source *source = generator->source;
    uint64_t second = source->format.rate_hz, position = generator->position;
    uint64_t to_second = second - position % second;
    if (to_second < max_frames) max_frames = (size_t)to_second;
    int64_t n = generator_read(generator, frames, max_frames, error);
    if (n <= 0) return n;
    if (source->rejects) {
        feed_mark(&generator->feed, (uint64_t)n, 0, KODAMA_MARK_SILENT);
    } else if (position % second == 0) {
        uint64_t left = generator->end - position;
        feed_mark(&generator->feed, left < second ? left : second, 0, KODAMA_MARK_SILENT);
    }
    feed_say(&generator->feed, FEED_SILENCE);
    return n;
}

static int silence_open(struct kodama_source *source, const struct kodama_source_config *config,
                        struct kodama_error *error)
{
    return generator_open(source, config, NULL, silence_read, error);
}

const struct source_ops source_silence_ops = {
    .name = "silence",
    .live = false,
    .open = silence_open,
    .start = generator_start,
    .stop = generator_stop,
    .close = generator_close,
};
