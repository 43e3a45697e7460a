/* How the files of a recording store what comes: type, sample type, and memory to convert. */
#include "stream/recorder_shape.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"

int recorder_shape_choose(struct recorder_shape *shape, struct kodama_format format,
                          const struct kodama_recorder_config *config, struct kodama_error *error)
{
    enum kodama_file wanted = config->type ? config->type : kodama_file_of(config->path);
    const struct clip_file_type *type = clip_file_type(wanted);
    if (!type && config->type) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "there is no file type %d", (int)config->type);
    }
    if (!type) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "cannot tell the type of %s by its name: let it end in .wav, .flac, .ogg "
                         "or .opus, or name the type",
                         config->path);
    }
    if (wanted == KODAMA_FILE_MP3) {
        return error_set(error, KODAMA_ERR_UNSUPPORTED,
                         "cannot record %s: MP3 is not recorded live, for a file that was not "
                         "finished does not play right: use Ogg Vorbis or Opus",
                         config->path);
    }
    if (format.channels > type->max_channels) {
        return error_set(error, KODAMA_ERR_FORMAT,
                         "%s is recorded with at most %u channels, the ring has %u: use FLAC or "
                         "WAV",
                         type->name, (unsigned)type->max_channels, (unsigned)format.channels);
    }
    uint32_t rate_hz = clip_file_rate(type, format.rate_hz);
    if (rate_hz != format.rate_hz) {
        return error_set(error, KODAMA_ERR_FORMAT,
                         "%s cannot hold %u Hz: record a ring of %u Hz, or use FLAC or WAV",
                         type->name, (unsigned)format.rate_hz, (unsigned)rate_hz);
    }
    enum kodama_sample sample = clip_file_sample(type, config->sample, format.sample);
    if (sample == 0) {
        return error_set(error, KODAMA_ERR_FORMAT, "%s cannot hold %s samples: use s16 or s24%s",
                         type->name, kodama_sample_name(config->sample),
                         wanted == KODAMA_FILE_WAV ? ", s32 or f32" : "");
    }
    *shape = (struct recorder_shape){
        .type = type,
        .from = format,
        .to = format,
        .quality = config->quality,
        .overwrite = config->overwrite,
    };
    shape->to.sample = sample;
    return kodama_file_check(wanted, error);
}

int recorder_shape_init(struct recorder_shape *shape)
{
    shape->from_bytes = kodama_frame_bytes(shape->from);
    shape->to_bytes = kodama_frame_bytes(shape->to);
    size_t n_samples = (size_t)RECORDER_BLOCK_FRAMES * shape->from.channels;
    shape->floats = memory_array(n_samples, sizeof *shape->floats);
    shape->block = memory_array(n_samples + 1, sizeof *shape->block); /* and a pad byte */
    return shape->floats && shape->block ? KODAMA_OK : KODAMA_ERR_MEMORY;
}

void recorder_shape_free(struct recorder_shape *shape)
{
    free(shape->floats);
    free(shape->block);
}
