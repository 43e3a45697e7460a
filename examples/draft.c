/*
 * A minute of a rising tone, made and written piece by piece: the file is there when it is whole.
 *
 *   draft OUT         OUT ends in .wav, .flac, .ogg, .opus or .mp3
 */
#include <math.h>
#include <stdio.h>

#include <kodama/kodama.h>

enum { RATE = 48000, PIECE = 4800, N_PIECES = 600 };

int main(int argc, char **argv)
{
    const struct kodama_format format = {
        .sample = KODAMA_SAMPLE_F32, .rate_hz = RATE, .channels = 1};
    struct kodama_draft_config config = KODAMA_DRAFT_CONFIG_INIT;
    struct kodama_draft *draft = NULL;
    struct kodama_error error = {0};
    config.origin = KODAMA_SAMPLE_S16; /* 16 bits are enough where the type has a choice */
    config.n_frames = (uint64_t)PIECE * N_PIECES;
    int status = kodama_draft_open(&draft, argc > 1 ? argv[1] : NULL, format, &config, &error);
    double phase = 0.0;
    for (int i = 0; i < N_PIECES && status >= 0; i++) {
        float piece[PIECE];
        for (int k = 0; k < PIECE; k++) {
            phase += (100.0 + i) / RATE;
            piece[k] = (float)(0.3 * sin(2.0 * 3.14159265358979 * phase));
        }
        status = kodama_draft_write(draft, piece, PIECE, &error);
    }
    if (status >= 0) status = kodama_draft_finish(draft, &error);
    if (status >= 0) printf("%.1f s\n", (double)kodama_draft_frames(draft) / RATE);
    kodama_draft_close(draft); /* without kodama_draft_finish() there is no file */
    if (status < 0) fprintf(stderr, "draft: %s\n", error.message);
    return status < 0;
}
