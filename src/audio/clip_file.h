/* Types of files for saving: what each can hold, and how libsndfile calls it. */
#ifndef AUDIO_CLIP_FILE_H
#define AUDIO_CLIP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/clip.h>

/** A row of the table of types. */
struct clip_file_type {
    enum kodama_file type;
    const char *name;
    const char *endings[2]; /* without the dot; NULL: none */
    int major;              /* of libsndfile */
    int subtype;            /* of libsndfile; 0 where it depends on the sample type */
    bool lossy;             /* takes floats and a quality */
    uint32_t max_channels;
    const uint32_t *rates_hz; /* rising, ends with 0; NULL: any */
};

/** The row of a type; NULL for KODAMA_FILE_AUTO and for a value that is none. */
const struct clip_file_type *clip_file_type(enum kodama_file type);

/**
 * The rate that a type can hold: the same, the next higher one, or the highest there is.
 */
uint32_t clip_file_rate(const struct clip_file_type *type, uint32_t rate_hz);

/**
 * Sample type in which a file stores what came as `origin`.
 *
 * @param wanted  what was asked for; 0: what fits the origin
 * @return a sample type, or 0 when the file cannot hold the one asked for
 */
enum kodama_sample clip_file_sample(const struct clip_file_type *type, enum kodama_sample wanted,
                                    enum kodama_sample origin);

#endif
