/* What the files that make up kodama_clip share. */
#ifndef AUDIO_CLIP_H
#define AUDIO_CLIP_H

#include <kodama/clip.h>

/** A clip. No lock: readers share it, a changer has it alone. */
struct kodama_clip {
    struct kodama_format format; /* sample is always f32 */
    enum kodama_sample origin;   /* sample type that the audio came in */
    size_t n_frames;
    size_t room_frames; /* allocated */
    uint64_t n_replaced;
    float *samples; /* owned, [room_frames][channels], every one finite */
};

/** Silence of a length; format.sample becomes the origin. Checks the format and the length. */
int clip_new(struct kodama_clip **clip, struct kodama_format format, uint64_t n_frames,
             struct kodama_error *error);

/** Silence in the format and with the origin of another clip. */
int clip_new_like(struct kodama_clip **clip, const struct kodama_clip *like, uint64_t n_frames,
                  struct kodama_error *error);

/** Make room for n_more frames behind the last one, by doubling. */
int clip_reserve(struct kodama_clip *clip, size_t n_more, struct kodama_error *error);

/** Give back the room that is not used. */
void clip_fit(struct kodama_clip *clip);

/** Turn what is no number, or is too large, into silence; returns how many samples those were. */
uint64_t clip_repair(float *samples, size_t n_samples);

/** Where the channels sit: the mask, or the usual layout for so many channels where there is none.
 */
uint32_t clip_channel_mask(const struct kodama_clip *clip);

/** The more precise of two origins. */
enum kodama_sample clip_origin_of(enum kodama_sample a, enum kodama_sample b);

/** The largest magnitude of a sample. */
float clip_peak(const struct kodama_clip *clip);

/** Whether a WAV of that many bytes of samples needs the 64-bit header. */
bool clip_needs_rf64(uint64_t n_bytes);

static inline size_t clip_samples_of(const struct kodama_clip *clip)
{
    return clip->n_frames * clip->format.channels;
}

#endif
