/* Where does somebody speak? Judges a file of raw s16 mono samples at 16 kHz on all cores. */
#include <kodama/kodama.h>

#include <stdint.h>
#include <stdio.h>

enum { RATE = 16000, BLOCK = 16000 };

static void print_segment(void *user, const struct kodama_segment *segment)
{
    (void)user;
    if (segment->kind == KODAMA_SEGMENT_STOP)
        printf("%7.2f s to %7.2f s\n", (double)segment->speech_begin / RATE,
               (double)segment->speech_end / RATE);
}

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: scanner FILE (raw s16, 16 kHz, mono)\n");
        return argc == 2 ? 77 : 2; /* 77: nothing to listen to; test runners call it skipped */
    }

    struct kodama_scanner_config config = KODAMA_SCANNER_CONFIG_INIT;
    struct kodama_scanner *scanner;
    struct kodama_error error;
    config.on_segment = print_segment;
    if (kodama_scanner_open(&scanner, &config, &error) < 0) {
        fprintf(stderr, "%s\n", error.message);
        fclose(file);
        return 1;
    }

    static int16_t integers[BLOCK];
    static float samples[BLOCK];
    size_t n;
    int status = KODAMA_OK;
    while (status == KODAMA_OK && (n = fread(integers, sizeof integers[0], BLOCK, file)) > 0) {
        for (size_t i = 0; i < n; i++) samples[i] = (float)integers[i] / 32768.0f;
        status = kodama_scanner_write(scanner, samples, n);
    }
    if (status == KODAMA_OK) status = kodama_scanner_finish(scanner);
    if (status < 0) fprintf(stderr, "%s\n", kodama_strerror(status));

    kodama_scanner_close(scanner);
    fclose(file);
    return status < 0;
}
