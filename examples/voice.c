/*
 * Changes a recording, block by block as it would run live.
 *
 *   voice IN OUT [PRESET]    IN is raw s16 mono at 16 kHz, OUT as well; PRESET: deeper, child,
 * robot ... voice                    lists the presets
 */
#include <stdio.h>

#include <kodama/kodama.h>

enum { RATE = 16000, BLOCK = 160 };

static void list_presets(void)
{
    for (size_t i = 0; kodama_voice_preset_name(i); i++) {
        struct kodama_voice_settings settings = KODAMA_VOICE_SETTINGS_INIT;
        kodama_voice_preset(kodama_voice_preset_name(i), &settings);
        printf("%-10s pitch %+g, formants %+g semitones\n", kodama_voice_preset_name(i),
               (double)settings.pitch, (double)settings.formant);
    }
}

/* The output begins `late` frames after the input: leave them out, so that both files fit. */
static bool write_frames(FILE *out, const int16_t *frames, size_t n, size_t *late)
{
    size_t skip = *late < n ? *late : n;
    *late -= skip;
    return fwrite(frames + skip, sizeof *frames, n - skip, out) == n - skip;
}

static bool change(struct kodama_voice *voice, FILE *in, FILE *out)
{
    int16_t frames[BLOCK], rest[RATE];
    size_t late = kodama_voice_latency(voice);
    for (size_t n; (n = fread(frames, sizeof frames[0], BLOCK, in)) > 0;) {
        /* Both formats are the same: as many frames as went in, in their place. */
        if (kodama_voice_process(voice, frames, n, frames, BLOCK) < 0) return false;
        if (!write_frames(out, frames, n, &late)) return false;
    }
    int64_t n = kodama_voice_flush(voice, rest, RATE);
    return n >= 0 && write_frames(out, rest, (size_t)n, &late);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        list_presets();
        return 0;
    }
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    config.input = (struct kodama_format){KODAMA_SAMPLE_S16, RATE, 1, 0};
    if (kodama_voice_preset(argc > 3 ? argv[3] : "brighter", &config.settings) < 0) {
        fprintf(stderr, "there is no preset %s\n", argv[3]);
        return 2;
    }
    FILE *in = fopen(argv[1], "rb"), *out = in ? fopen(argv[2], "wb") : NULL;
    struct kodama_voice *voice = NULL;
    struct kodama_error error = {0};
    bool done = out && kodama_voice_open(&voice, &config, &error) == KODAMA_OK;
    if (done) {
        done = change(voice, in, out);
        struct kodama_voice_stats stats;
        kodama_voice_stats(voice, &stats);
        printf("%.2f s, delayed by %.1f ms, %.2f %% of a core\n", (double)stats.frames_in / RATE,
               1e3 * kodama_voice_latency(voice) / RATE,
               1e-7 * (double)stats.busy_ns * RATE / (double)(stats.frames_in + 1));
    } else {
        fprintf(stderr, "voice: %s\n", out ? error.message : "cannot open the files");
    }
    kodama_voice_close(voice);
    if (in) fclose(in);
    if (out && fclose(out) != 0) done = false;
    return done ? 0 : in ? 1 : 77; /* 77: nothing to change; test runners call it skipped */
}
