/* Many live streams on few threads: four seats in a pool, given the same speech at different times.
 */
#include <kodama/kodama.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { RATE = 16000, SEATS = 4, SAMPLES_MAX = 10 * RATE, BLOCK = 160 };

/* Called on one of the pool's threads, for one seat never twice at once. */
static void count_speech(void *user, const struct kodama_detector_result *result)
{
    int *n_windows = user;
    if (result->probability >= 0.5f) ++*n_windows;
}

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: detector_pool FILE (raw s16, 16 kHz, mono)\n");
        return argc == 2 ? 77 : 2; /* 77: nothing to listen to; test runners call it skipped */
    }
    static int16_t integers[SAMPLES_MAX];
    static float samples[SAMPLES_MAX];
    size_t n = fread(integers, sizeof integers[0], SAMPLES_MAX, file);
    fclose(file);
    for (size_t i = 0; i < n; i++) samples[i] = (float)integers[i] / 32768.0f;

    struct kodama_detector_pool *pool;
    struct kodama_error error;
    if (kodama_detector_pool_open(&pool, NULL, &error) < 0) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    struct kodama_detector_seat *seats[SEATS];
    int n_speech[SEATS] = {0};
    for (int i = 0; i < SEATS; i++) {
        struct kodama_detector_seat_config config = KODAMA_DETECTOR_SEAT_CONFIG_INIT;
        config.on_result = count_speech;
        config.user = &n_speech[i];
        if (kodama_detector_seat_take(&seats[i], pool, &config, &error) < 0) {
            fprintf(stderr, "%s\n", error.message);
            exit(1);
        }
    }

    for (size_t at = 0; at + BLOCK <= n; at += BLOCK)
        for (int i = 0; i < SEATS; i++)
            if (kodama_detector_seat_write(seats[i], samples + at, BLOCK, KODAMA_FOREVER) < 0)
                fprintf(stderr, "seat %d: lost\n", i);

    uint32_t window = kodama_detector_pool_window(pool);
    for (int i = 0; i < SEATS; i++) {
        kodama_detector_seat_drain(seats[i], KODAMA_FOREVER);
        kodama_detector_seat_leave(seats[i]);
        printf("seat %d: %.2f s of speech\n", i, (double)n_speech[i] * window / RATE);
    }
    kodama_detector_pool_close(pool);
    return 0;
}
