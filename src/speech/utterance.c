/* The stretch of the timeline that may still be decoded. */
#include "speech/utterance.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum {
    ROOM_MIN = 16000, /* one second: pre-roll and blocks need no more */
    /* Moved is at most so many times what goes: silence costs little memory, and still no time. */
    MOVE_SHARE = 4,
    ROOM_SPARE = 4 * 16000, /* above this, memory that is mostly unused is given back */
};

void utterance_audio_free(struct utterance_audio *audio)
{
    free(audio->samples);
    *audio = (struct utterance_audio){0};
}

bool utterance_audio_reserve(struct utterance_audio *audio, size_t n)
{
    if (n <= audio->room - audio->n) return true;
    if (n > SIZE_MAX / 4 - audio->n) return false;
    size_t room = audio->room ? audio->room : ROOM_MIN;
    while (room < audio->n + n) room += room / 2;
    float *samples = memory_resize(audio->samples, room, sizeof *samples);
    if (!samples) return false;
    audio->samples = samples;
    audio->room = room;
    return true;
}

void utterance_audio_append(struct utterance_audio *audio, const float *samples, size_t n)
{
    if (n == 0) return;
    memcpy(audio->samples + audio->n, samples, n * sizeof *samples);
    audio->n += n;
}

void utterance_audio_trim(struct utterance_audio *audio, uint64_t keep_from)
{
    if (keep_from <= audio->first) return;
    uint64_t n_old = keep_from - audio->first;
    if (n_old > audio->n) n_old = audio->n;
    size_t n_kept = audio->n - (size_t)n_old;
    if (n_old < n_kept / MOVE_SHARE) return;
    if (n_kept > 0) {
        memmove(audio->samples, audio->samples + n_old, n_kept * sizeof *audio->samples);
    }
    audio->first += n_old;
    audio->n = n_kept;
    if (audio->room > ROOM_SPARE && n_kept < audio->room / 4) {
        size_t room = n_kept > ROOM_MIN ? n_kept : ROOM_MIN;
        float *samples = memory_resize(audio->samples, room, sizeof *samples);
        if (!samples) return; /* keeps what it has */
        audio->samples = samples;
        audio->room = room;
    }
}

size_t utterance_audio_read(const struct utterance_audio *audio, uint64_t from, float *out,
                            size_t max)
{
    if (from < audio->first || from >= utterance_audio_end(audio)) return 0;
    size_t offset = (size_t)(from - audio->first);
    size_t n = audio->n - offset < max ? audio->n - offset : max;
    memcpy(out, audio->samples + offset, n * sizeof *out);
    return n;
}

float *utterance_audio_copy(const struct utterance_audio *audio, uint64_t begin, uint64_t end)
{
    size_t n = end > begin ? (size_t)(end - begin) : 0;
    float *copy = memory_array(n, sizeof *copy);
    if (copy && n > 0) utterance_audio_read(audio, begin, copy, n);
    return copy;
}
