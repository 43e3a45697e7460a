/* A file as a bed: read, brought to a rate and a level, its seam hidden. Private to the beds. */
#ifndef VOICE_NOISE_FILE_H
#define VOICE_NOISE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/status.h>

/** Samples that may be played round and round. */
struct noise_file {
    float *samples; /* owned */
    size_t n_samples;
    size_t at; /* the next one */
};

/** Read a file; NOISE_BED_FILE_SECONDS_MAX of it are used. Frees nothing on failure. */
int noise_file_open(struct noise_file *file, const char *path, uint32_t rate_hz,
                    struct kodama_error *error);
void noise_file_close(struct noise_file *file);

/** The next samples. Real-time safe: yes. */
void noise_file_next(struct noise_file *file, float *out, size_t n_samples);

#endif
