/*
 * The ring: a thread writes a second of a tone in blocks of 10 ms; two cursors read it. The first
 * holds the writer back and gets every frame; the second wants only the newest and is told what it
 * missed.
 */
#include <kodama/ring.h>
#include <pthread.h>
#include <stdio.h>

enum { RATE_HZ = 16000, BLOCK = 160, N_BLOCKS = 100 };

static void *write_tone(void *argument)
{
    struct kodama_writer writer;
    if (kodama_writer_claim(&writer, argument) < 0) return NULL;
    for (int block = 0; block < N_BLOCKS; block++) {
        int16_t frames[BLOCK];
        for (int i = 0; i < BLOCK; i++) frames[i] = (int16_t)((block * BLOCK + i) % 100 * 300);
        /* Waits while the lossless cursor is a whole ring behind. */
        if (kodama_writer_write(&writer, frames, BLOCK, KODAMA_FOREVER) != BLOCK) break;
    }
    kodama_writer_release(&writer);
    kodama_ring_close(argument); /* the end of the timeline: readers drain, then see CLOSED */
    return NULL;
}

int main(void)
{
    struct kodama_ring_config config = KODAMA_RING_CONFIG_INIT;
    config.format = (struct kodama_format){KODAMA_SAMPLE_S16, RATE_HZ, 1, 0};
    config.capacity_seconds = 0.1;
    struct kodama_ring *ring;
    struct kodama_error error;
    if (kodama_ring_create(&ring, &config, &error) < 0) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }

    struct kodama_cursor_config every = KODAMA_CURSOR_CONFIG_INIT;
    every.lossless = true;
    every.watermark_frames = 2 * BLOCK; /* be woken every 20 ms, not every 10 */
    struct kodama_cursor *recorder, *meter;
    if (kodama_cursor_open(&recorder, ring, &every) < 0) return 1;
    if (kodama_cursor_open(&meter, ring, NULL) < 0) return 1; /* lossy, from now on */

    pthread_t writer;
    if (pthread_create(&writer, NULL, write_tone, ring) != 0) return 1;

    /* The recorder copies. */
    int64_t n, recorded = 0;
    int16_t frames[2 * BLOCK];
    while ((n = kodama_cursor_read(recorder, frames, 2 * BLOCK, KODAMA_FOREVER, NULL)) > 0) {
        recorded += n;
    }
    printf("recorder: %lld frames, %s\n", (long long)recorded, kodama_strerror((int)n));

    /* The meter comes late and looks in place. */
    const void *view;
    struct kodama_read info;
    n = kodama_cursor_acquire(meter, BLOCK, KODAMA_FOREVER, &view, &info);
    int peak = 0;
    for (int64_t i = 0; i < n; i++) {
        int sample = ((const int16_t *)view)[i];
        if (sample > peak) peak = sample;
    }
    bool whole = kodama_cursor_release(meter, n > 0 ? (size_t)n : 0) == n;
    printf("meter: lost %llu frames, then %lld with peak %d (%s)\n", (unsigned long long)info.lost,
           (long long)n, peak, whole ? "whole" : "overwritten");

    pthread_join(writer, NULL);
    kodama_cursor_close(meter);
    kodama_cursor_close(recorder);
    kodama_ring_destroy(ring);
    return recorded == N_BLOCKS * BLOCK && whole ? 0 : 1;
}
