/* Noise beds: which are heard, how loud, and the crossfade from one to the next. */
#include "voice/noise_bed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "voice/noise_file.h"
#include "voice/noise_kind.h"

/* One line per kind. */
static const struct noise_kind *const kinds[] = {
    &noise_cafe_kind, &noise_street_kind, &noise_room_kind,
    &noise_rain_kind, &noise_white_kind,  &noise_pink_kind,
};

enum { N_KINDS = NOISE_BED_KINDS };
_Static_assert(sizeof kinds / sizeof kinds[0] == N_KINDS, "one line for each");
/* What can be chosen: a kind by its index, or one of these. */
enum { PLAYS_FILE = N_KINDS, PLAYS_NOTHING, N_CHOICES };
enum { VERSION = 1 };

static const double FADE_S = 0.25;
static const double GLIDE_S = 0.04;
static const float LEVEL_SNAP = 1e-5f; /* 100 dB below level 1 */

/* A kind that runs. */
struct player {
    void *state;
    uint64_t n_blocks; /* made so far */
    float block[NOISE_BLOCK];
    uint32_t left; /* samples of the block that were not heard yet */
};

struct noise_bed {
    uint32_t rate_hz;
    uint64_t key;
    uint32_t n_fade;
    float glide;
    struct player players[N_KINDS];
    struct noise_file file;
    uint32_t current, next, wanted; /* choices; next is heard while faded > 0 */
    uint32_t faded;                 /* samples into the crossfade; 0: there is none */
    float level;
};

const char *noise_bed_name(size_t index)
{
    return index < N_KINDS ? kinds[index]->name : NULL;
}

/* Begin a kind: each has its own noise, and another one for each place at which it is begun. */
static void begin_player(struct noise_bed *bed, uint32_t kind, uint64_t n_blocks)
{
    struct player *player = &bed->players[kind];
    memset(player->state, 0, kinds[kind]->state_bytes);
    player->n_blocks = n_blocks;
    player->left = 0;
    uint64_t key = random_at(random_at(bed->key, kind), n_blocks);
    kinds[kind]->begin(player->state, bed->rate_hz, key);
}

void noise_bed_reset(struct noise_bed *bed)
{
    for (uint32_t k = 0; k < N_KINDS; k++) begin_player(bed, k, 0);
    bed->file.at = 0;
    bed->current = bed->next = bed->wanted = PLAYS_NOTHING;
    bed->faded = 0;
    bed->level = 0;
}

static int prepare(struct noise_bed *bed, const char *path, struct kodama_error *error)
{
    for (uint32_t k = 0; k < N_KINDS; k++) {
        bed->players[k].state = memory_array(1, kinds[k]->state_bytes);
        if (!bed->players[k].state) {
            return error_set(error, KODAMA_ERR_MEMORY, "no memory for a noise bed");
        }
    }
    return path ? noise_file_open(&bed->file, path, bed->rate_hz, error) : KODAMA_OK;
}

int noise_bed_open(struct noise_bed **bed, uint32_t rate_hz, uint64_t seed, const char *path,
                   struct kodama_error *error)
{
    *bed = NULL;
    if (rate_hz < 8000 || rate_hz > 192000) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "a noise bed has 8000 to 192000 Hz, not %u",
                         rate_hz);
    }
    struct noise_bed *made = memory_array(1, sizeof *made);
    if (!made) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a noise bed");
    made->rate_hz = rate_hz;
    made->key = random_key(seed);
    made->n_fade = (uint32_t)(FADE_S * rate_hz);
    made->glide = (float)(1 - exp(-1 / (GLIDE_S * rate_hz)));
    int status = prepare(made, path, error);
    if (status < 0) {
        noise_bed_close(made);
        return status;
    }
    noise_bed_reset(made);
    *bed = made;
    return KODAMA_OK;
}

void noise_bed_close(struct noise_bed *bed)
{
    if (!bed) return;
    for (uint32_t k = 0; k < N_KINDS; k++) free(bed->players[k].state);
    noise_file_close(&bed->file);
    free(bed);
}

int noise_bed_choose(struct noise_bed *bed, const char *name)
{
    uint32_t choice = N_CHOICES;
    if (!name || strcmp(name, "none") == 0)
        choice = PLAYS_NOTHING;
    else if (strcmp(name, "file") == 0 && bed->file.samples)
        choice = PLAYS_FILE;
    for (uint32_t k = 0; k < N_KINDS && choice == N_CHOICES; k++) {
        if (strcmp(kinds[k]->name, name) == 0) choice = k;
    }
    if (choice == N_CHOICES) return KODAMA_ERR_NOT_FOUND;
    bed->wanted = choice;
    return KODAMA_OK;
}

/* -------------------------------------------------------------------- playing */

/* The next samples of a choice. */
static void play(struct noise_bed *bed, uint32_t choice, float *out, uint32_t n_samples)
{
    if (choice == PLAYS_NOTHING) {
        memset(out, 0, n_samples * sizeof *out);
        return;
    }
    if (choice == PLAYS_FILE) {
        noise_file_next(&bed->file, out, n_samples);
        return;
    }
    struct player *player = &bed->players[choice];
    while (n_samples > 0) {
        if (player->left == 0) {
            kinds[choice]->block(player->state, player->block);
            player->n_blocks++;
            player->left = NOISE_BLOCK;
        }
        uint32_t n = player->left < n_samples ? player->left : n_samples;
        memcpy(out, player->block + NOISE_BLOCK - player->left, n * sizeof *out);
        player->left -= n;
        out += n;
        n_samples -= n;
    }
}

static bool fades(const struct noise_bed *bed)
{
    return bed->faded > 0 || bed->wanted != bed->current;
}

/* The samples of what is heard; not beyond the end of a crossfade. */
static void next_samples(struct noise_bed *bed, float *out, uint32_t n_samples)
{
    if (!fades(bed)) {
        play(bed, bed->current, out, n_samples);
        return;
    }
    if (bed->faded == 0) bed->next = bed->wanted;
    float other[NOISE_BLOCK];
    play(bed, bed->current, out, n_samples);
    play(bed, bed->next, other, n_samples);
    for (uint32_t i = 0; i < n_samples; i++) {
        bed->faded++;
        float angle = (float)bed->faded / (float)bed->n_fade * (float)(NOISE_PI / 2);
        out[i] = cosf(angle) * out[i] + sinf(angle) * other[i];
    }
    if (bed->faded < bed->n_fade) return;
    bed->current = bed->next;
    bed->faded = 0;
}

/* Levels of the next samples; fewer when it comes to silence, which is where a bed stops. */
static uint32_t next_levels(struct noise_bed *bed, float target, float *levels, uint32_t n_samples)
{
    uint32_t n = 0;
    for (; n < n_samples && (bed->level > 0 || target > 0); n++) {
        float way = target - bed->level;
        bed->level = fabsf(way) < LEVEL_SNAP ? target : bed->level + bed->glide * way;
        levels[n] = bed->level;
    }
    return n;
}

void noise_bed_add(struct noise_bed *bed, float *samples, size_t n_samples, float level)
{
    float target = level > 0 ? level : 0; /* NaN, too */
    target = target < 1 ? target : 1;
    while (n_samples > 0) {
        if (bed->level == 0) {
            bed->current = bed->wanted;
            bed->faded = 0;
        }
        if (bed->current == PLAYS_NOTHING && !fades(bed) && bed->level == target) return;
        float levels[NOISE_BLOCK], noise[NOISE_BLOCK];
        uint32_t n = n_samples < NOISE_BLOCK ? (uint32_t)n_samples : NOISE_BLOCK;
        if (fades(bed) && n > bed->n_fade - bed->faded) n = bed->n_fade - bed->faded;
        n = next_levels(bed, target, levels, n);
        if (n == 0) return; /* silent until the caller's samples end */
        next_samples(bed, noise, n);
        for (uint32_t i = 0; i < n; i++) samples[i] += levels[i] * noise[i];
        samples += n;
        n_samples -= n;
    }
}

/* -------------------------------------------------------------------- keeping */

void noise_bed_save(const struct noise_bed *bed, struct record *record)
{
    record_put_tag(record, "NBED", VERSION);
    record_put_u64(record, bed->key);
    record_put_u32(record, bed->faded > 0 ? bed->next : bed->wanted);
    record_put_f32(record, bed->level);
    record_put_f64(record, (double)bed->file.at / bed->rate_hz);
    for (uint32_t k = 0; k < N_KINDS; k++) record_put_u64(record, bed->players[k].n_blocks);
}

void noise_bed_place_load(struct noise_bed_place *place, struct record *record)
{
    record_get_tag(record, "NBED", VERSION);
    place->key = record_get_u64(record);
    place->choice = record_get_u32(record);
    place->level = record_get_f32(record);
    place->file_s = record_get_f64(record);
    for (uint32_t k = 0; k < N_KINDS; k++) place->n_blocks[k] = record_get_u64(record);
    if (place->choice >= N_CHOICES || !(place->level >= 0 && place->level <= 1) ||
        !(place->file_s >= 0 && place->file_s <= NOISE_BED_FILE_SECONDS_MAX)) {
        record->failed = true;
    }
}

void noise_bed_go_on(struct noise_bed *bed, const struct noise_bed_place *place)
{
    uint32_t choice = place->choice;
    bed->key = place->key;
    for (uint32_t k = 0; k < N_KINDS; k++) begin_player(bed, k, place->n_blocks[k]);
    /* Another machine may not have the file: then there is silence. */
    if (bed->file.samples)
        bed->file.at = (size_t)(place->file_s * bed->rate_hz + 0.5) % bed->file.n_samples;
    if (choice == PLAYS_FILE && !bed->file.samples) choice = PLAYS_NOTHING;
    bed->current = bed->next = bed->wanted = choice;
    bed->faded = 0;
    bed->level = place->level;
}

void noise_bed_load(struct noise_bed *bed, struct record *record)
{
    struct noise_bed_place place;
    noise_bed_place_load(&place, record);
    if (!record->failed) noise_bed_go_on(bed, &place);
}
