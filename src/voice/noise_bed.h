/*
 * Noise beds: a place around a voice. A cafe, a street, a room, rain, white or pink noise, or the
 * user's own file.
 *
 * Beds are synthesised from a seed, sample by sample, so they never repeat: voices that murmur
 * phrases in a cafe, cars that pass, drops that fall. The file is looped, its end crossfaded with
 * equal power into its beginning. What is added depends on the seed, the rate and the samples at
 * which something was chosen, never on blocks.
 *
 * Level 1 is -12 dBFS (root of the mean square over minutes), for every bed and also for a file,
 * whatever its own level is; level 0.02 is 34 dB below that. A bed at level 0 stands still and
 * costs nothing.
 */
#ifndef VOICE_NOISE_BED_H
#define VOICE_NOISE_BED_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/status.h>

#include "base/record.h"

/** Root of the mean square at level 1: -12 dBFS. */
#define NOISE_BED_RMS 0.25118864f

/** Of a longer file so many seconds are used. */
enum { NOISE_BED_FILE_SECONDS_MAX = 600 };

/** Kinds that are synthesised. */
enum { NOISE_BED_KINDS = 6 };

struct noise_bed;

/** Names: index 0, 1, ... until NULL: cafe, street, room, rain, white, pink. ("none" and "file" can
 * be chosen, too.) */
const char *noise_bed_name(size_t index);

/**
 * @param[out] bed    owned by the caller; NULL on error
 * @param rate_hz     8000..192000
 * @param seed        the same seed is the same noise
 * @param path        what "file" plays, read now; NULL: there is no "file"
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_MEMORY, KODAMA_ERR_FORMAT (a file without
 * sound) or what reading the file fails with
 */
int noise_bed_open(struct noise_bed **bed, uint32_t rate_hz, uint64_t seed, const char *path,
                   struct kodama_error *error);
void noise_bed_close(struct noise_bed *bed);

/**
 * Choose what is heard from the next sample on. The beds crossfade in 0.25 s; what is chosen
 * meanwhile comes after that.
 *
 * @param name  a bed, "file", or "none" (NULL is the same)
 * @return KODAMA_OK, or KODAMA_ERR_NOT_FOUND: there is no such bed, or no file; nothing changes
 *
 * Real-time safe: yes.
 */
int noise_bed_choose(struct noise_bed *bed, const char *name);

/**
 * Add the bed to samples.
 *
 * @param level  0..1, where to glide (time constant 40 ms); anything else is brought into that
 *
 * Real-time safe: yes.
 */
void noise_bed_add(struct noise_bed *bed, float *samples, size_t n_samples, float level);

/** As after opening; nothing is chosen. */
void noise_bed_reset(struct noise_bed *bed);

/**
 * Save what is chosen, how far everything is, and the level. After loading, a file goes on where it
 * was; synthesised beds go on with new noise of the same kind, which begins there: their cars and
 * voices are not saved. A damaged record fails it and leaves the bed as it was. Real-time safe: no.
 */
void noise_bed_save(const struct noise_bed *bed, struct record *record);
void noise_bed_load(struct noise_bed *bed, struct record *record);

/** What a record says of a bed. */
struct noise_bed_place {
    uint64_t key;
    uint32_t choice;
    float level;
    double file_s;
    uint64_t n_blocks[NOISE_BED_KINDS]; /* made so far */
};

/** noise_bed_load() in two steps, for those who have more to read before anything is changed. */
void noise_bed_place_load(struct noise_bed_place *place, struct record *record);
void noise_bed_go_on(struct noise_bed *bed, const struct noise_bed_place *place);

#endif
