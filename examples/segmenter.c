/* Who speaks from when to when? Prints the utterances of a file of raw s16 mono samples at 16 kHz.
 */
#include <kodama/kodama.h>

#include <stdint.h>
#include <stdio.h>

enum { RATE = 16000, BLOCK = 1000 }; /* any block size gives the same utterances */

static void show(const struct kodama_segment *segment)
{
    if (segment->kind != KODAMA_SEGMENT_STOP) return;
    printf("utterance %u: %.2f s to %.2f s, speech from %.2f s to %.2f s%s\n", segment->utterance,
           (double)segment->begin / RATE, (double)segment->end / RATE,
           (double)segment->speech_begin / RATE, (double)segment->speech_end / RATE,
           segment->cut ? " (goes on)" : "");
}

static void listen(struct kodama_segmenter *segmenter, const float *samples, size_t n_samples)
{
    struct kodama_segment segment;
    do {
        size_t n_used = kodama_segmenter_process(segmenter, samples, n_samples, &segment);
        samples += n_used;
        n_samples -= n_used;
        show(&segment);
    } while (n_samples > 0 || segment.kind != 0);
}

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: segmenter FILE (raw s16, 16 kHz, mono)\n");
        return argc == 2 ? 77 : 2; /* 77: nothing to listen to; test runners call it skipped */
    }

    struct kodama_segmenter_config config = KODAMA_SEGMENTER_CONFIG_INIT;
    config.silence_duration_ms = 300;
    struct kodama_segmenter *segmenter;
    struct kodama_error error;
    if (kodama_segmenter_open(&segmenter, &config, &error) < 0) {
        fprintf(stderr, "%s\n", error.message);
        fclose(file);
        return 1;
    }

    int16_t integers[BLOCK];
    float samples[BLOCK];
    size_t n;
    while ((n = fread(integers, sizeof integers[0], BLOCK, file)) > 0) {
        for (size_t i = 0; i < n; i++) samples[i] = (float)integers[i] / 32768.0f;
        listen(segmenter, samples, n);
    }
    struct kodama_segment segment;
    do {
        kodama_segmenter_finish(segmenter, &segment);
        show(&segment);
    } while (segment.kind != 0);

    kodama_segmenter_close(segmenter);
    fclose(file);
    return 0;
}
