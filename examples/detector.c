/* Where is speech? Judges a file of raw s16 mono samples at 16 kHz, 10 ms at a time, and draws it.
 */
#include <kodama/kodama.h>

#include <stdint.h>
#include <stdio.h>

enum { RATE = 16000, WINDOW_MAX = 4096 };

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: detector FILE (raw s16, 16 kHz, mono)\n");
        return argc == 2 ? 77 : 2; /* 77: nothing to listen to; test runners call it skipped */
    }

    struct kodama_detector *detector;
    struct kodama_error error;
    if (kodama_detector_open(&detector, NULL, RATE, &error) < 0) {
        fprintf(stderr, "%s\n", error.message);
        fclose(file);
        return 1;
    }

    const uint32_t window = kodama_detector_window(detector);
    int16_t integers[WINDOW_MAX];
    float samples[WINDOW_MAX];
    uint64_t n_windows = 0;
    while (window <= WINDOW_MAX && fread(integers, sizeof integers[0], window, file) == window) {
        for (uint32_t i = 0; i < window; i++) samples[i] = (float)integers[i] / 32768.0f;
        float probability = kodama_detector_process(detector, samples);
        printf("%7.2f s  %.2f  %.*s\n", (double)(n_windows * window) / RATE, (double)probability,
               (int)(probability * 40.0f), "########################################");
        n_windows++;
    }

    kodama_detector_close(detector);
    fclose(file);
    return n_windows > 0 ? 0 : 1;
}
