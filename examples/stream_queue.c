/*
 * A queue with backpressure: a source writes, a slow reader pulls, and what a full queue means is a
 * policy. Once the source waits for the reader and nothing is lost; once it waits for nobody, and
 * what had no room is a gap that is told.
 *
 *     cc stream_queue.c $(pkg-config --cflags --libs kodama) -o stream_queue && ./stream_queue
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <time.h>

#include <kodama/kodama.h>

enum { RATE_HZ = 48000, SECONDS = 2 };

static void work_for(long milliseconds)
{
    struct timespec time = {.tv_nsec = milliseconds * 1000000};
    nanosleep(&time, NULL);
}

/* Read to the end; now and then the work takes long. */
static int read_slowly(struct kodama_stream *stream, struct kodama_error *error)
{
    static float frames[RATE_HZ / 10];
    struct kodama_ring *queue = kodama_stream_ring(stream);
    struct kodama_cursor_config config = KODAMA_CURSOR_CONFIG_INIT;
    config.lossless = true;
    config.watermark_frames = RATE_HZ / 10;
    struct kodama_cursor *cursor;
    int status = kodama_cursor_open(&cursor, queue, &config);
    if (status < 0) return status;
    status = kodama_stream_start(stream, error);
    uint64_t received = 0;
    while (status >= 0) {
        int64_t n = kodama_cursor_read(cursor, frames, RATE_HZ / 10, KODAMA_FOREVER, NULL);
        if (n < 0) break; /* KODAMA_ERR_CLOSED: the end, and all was read */
        received += (uint64_t)n;
        work_for(received % RATE_HZ == RATE_HZ / 2 ? 700 : 5);
        printf("  %.1f s read, %3.0f %% of the queue waits\n", (double)received / RATE_HZ,
               100.0 * (double)kodama_cursor_available(cursor) /
                   (double)kodama_ring_capacity(queue));
    }
    kodama_cursor_close(cursor);
    return status < 0 ? status : kodama_stream_wait(stream, KODAMA_FOREVER, error);
}

static int run(enum kodama_overflow overflow, struct kodama_error *error)
{
    struct kodama_source_config noise = KODAMA_SOURCE_CONFIG_INIT;
    noise.length_frames = SECONDS * RATE_HZ;
    noise.paced = overflow == KODAMA_OVERFLOW_REJECT; /* the other is as fast as it may be */
    struct kodama_source *source;
    int status = kodama_source_open(&source, "noise", &noise, error);
    if (status < 0) return status;
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.ring_seconds = 0.25;
    config.overflow = overflow;
    struct kodama_stream *stream;
    status = kodama_stream_open(&stream, source, &config, error);
    if (status < 0) {
        kodama_source_close(source);
        return status;
    }
    status = read_slowly(stream, error);
    struct kodama_stream_stats stats;
    kodama_stream_stats(stream, &stats);
    printf("  %llu frames on the timeline, %llu of them a gap, because they were refused\n",
           (unsigned long long)stats.source.frames, (unsigned long long)stats.rejected_frames);
    struct kodama_gap gaps[8];
    int64_t n = kodama_stream_gaps(stream, gaps, 8);
    for (int64_t i = 0; i < n && i < 8; i++) {
        printf("  gap of %llu frames at %llu\n", (unsigned long long)gaps[i].length,
               (unsigned long long)gaps[i].position);
    }
    kodama_stream_close(stream);
    return status;
}

int main(void)
{
    struct kodama_error error = {0};
    printf("the source waits for its reader:\n");
    int status = run(KODAMA_OVERFLOW_WAIT, &error);
    if (status >= 0) {
        printf("the source waits for nobody:\n");
        status = run(KODAMA_OVERFLOW_REJECT, &error);
    }
    if (status >= 0) return 0;
    fprintf(stderr, "%s\n", error.message[0] ? error.message : kodama_strerror(status));
    return 1;
}
