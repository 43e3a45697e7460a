/*
 * Writes examples to listen to: the same speech unchanged, through every preset, shifted, with
 * every noise bed, and a synthetic speaker beside the true voice at the target.
 *
 *     bench_listen FOLDER [SPEECH.wav]
 *
 * `make listen-examples` runs it and draws a spectrogram of each.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/kodama.h>

#include "help.h"
#include "tests/support/voice_synth.h"

enum { RATE = 48000 };

static const struct kodama_format format = {KODAMA_SAMPLE_F32, RATE, 1, 0};

static _Noreturn void fail(const char *what, const struct kodama_error *error)
{
    fprintf(stderr, "bench_listen: %s: %s\n", what, error->message);
    exit(1);
}

static void save(const char *folder, const char *name, const float *samples, size_t n_frames)
{
    struct kodama_clip *clip;
    struct kodama_error error;
    char path[1000];
    snprintf(path, sizeof path, "%s/%s.wav", folder, name);
    int status = kodama_clip_create(&clip, format, samples, n_frames, &error);
    if (status == KODAMA_OK) status = kodama_clip_save(clip, path, NULL, &error);
    if (status < 0) fail(path, &error);
    kodama_clip_destroy(clip);
    printf("%s\n", path);
}

static void convert(const char *folder, const char *name, const float *samples, size_t n_frames,
                    const struct kodama_voice_settings *settings)
{
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    struct kodama_error error;
    struct kodama_voice *voice;
    config.settings = *settings;
    if (kodama_voice_open(&voice, &config, &error) < 0) fail(name, &error);
    size_t room = kodama_voice_room(voice, n_frames) + kodama_voice_room(voice, 0);
    float *out = malloc(room * sizeof *out);
    int64_t n = out ? kodama_voice_process(voice, samples, n_frames, out, room) : -1, rest = 0;
    if (n >= 0) rest = kodama_voice_flush(voice, out + n, room - (size_t)n);
    uint32_t latency = kodama_voice_latency(voice);
    if (n >= 0 && rest >= 0 && n + rest >= latency) {
        save(folder, name, out + latency, (size_t)(n + rest) - latency);
    }
    free(out);
    kodama_voice_close(voice);
}

static void convert_all(const char *folder, const float *samples, size_t n_frames)
{
    static const struct kodama_voice_settings usual = KODAMA_VOICE_SETTINGS_INIT;
    static const float shifts[][2] = {{7, 0}, {-7, 0}, {12, 0}, {-12, 0}, {0, 5}, {0, -5}, {7, 3}};
    char file[100];
    struct kodama_voice_settings settings = usual;
    save(folder, "before", samples, n_frames);
    settings.fluctuation = false;
    for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i++) {
        settings.pitch = shifts[i][0];
        settings.formant = shifts[i][1];
        snprintf(file, sizeof file, "pitch%+g-formant%+g", (double)shifts[i][0],
                 (double)shifts[i][1]);
        convert(folder, file, samples, n_frames, &settings);
    }
    for (size_t i = 0; kodama_voice_preset_name(i); i++) {
        settings = usual;
        if (kodama_voice_preset(kodama_voice_preset_name(i), &settings) < 0) continue;
        snprintf(file, sizeof file, "preset-%s", kodama_voice_preset_name(i));
        convert(folder, file, samples, n_frames, &settings);
    }
    for (size_t i = 0; kodama_voice_noise_name(i); i++) {
        settings = usual;
        settings.noise = kodama_voice_noise_name(i);
        settings.noise_level = 0.2F;
        snprintf(file, sizeof file, "noise-%s", settings.noise);
        convert(folder, file, samples, n_frames, &settings);
        settings.mute = true; /* the bed alone, and louder */
        settings.noise_level = 0.8F;
        snprintf(file, sizeof file, "noise-%s-alone", settings.noise);
        convert(folder, file, samples, n_frames, &settings);
    }
}

/* A synthetic speaker, what became of him, and how he would have said it. */
static void convert_synthetic(const char *folder, enum synth_speaker speaker, const char *name,
                              float pitch)
{
    static struct synth_utterance utterance;
    struct kodama_voice_settings settings = KODAMA_VOICE_SETTINGS_INIT;
    char file[100];
    synth_speech(&utterance, speaker, 4, 3);
    struct synth_sound *voice = synth_say(&utterance);
    utterance.pitch_scale = exp2((double)pitch / 12);
    struct synth_sound *truth = synth_say(&utterance);
    if (!voice || !truth) exit(1);
    settings.pitch = pitch;
    settings.fluctuation = false;
    snprintf(file, sizeof file, "synthetic-%s-before", name);
    save(folder, file, voice->samples, voice->n_frames);
    snprintf(file, sizeof file, "synthetic-%s%+g", name, (double)pitch);
    convert(folder, file, voice->samples, voice->n_frames, &settings);
    snprintf(file, sizeof file, "synthetic-%s%+g-truth", name, (double)pitch);
    save(folder, file, truth->samples, truth->n_frames);
    synth_sound_free(voice);
    synth_sound_free(truth);
}

static const char page[] =
    "usage: bench_listen FOLDER [SPEECH.wav]\n"
    "\n"
    "Writes examples to listen to: the same speech unchanged, through every preset, shifted,\n"
    "in every place, and a synthetic speaker beside the true voice at the target. Measures\n"
    "nothing.\n"
    "\n"
    "  FOLDER             where the files go; it must exist\n"
    "  SPEECH.wav         what is spoken; a recording of pocketsphinx-testdata when not given\n";

int main(int argc, char **argv)
{
    int code = bench_answer(argc, argv, "", page);
    if (code >= 0) return code;
    if (argc < 2) return bench_usage(page);
    const char *speech = argc > 2 ? argv[2]
                                  : "/usr/share/pocketsphinx/test/data/librivox/"
                                    "sense_and_sensibility_01_austen_64kb-0880.wav";
    struct kodama_clip *clip, *mono, *wide;
    struct kodama_error error;
    if (kodama_clip_load(&clip, speech, NULL, &error) < 0 ||
        kodama_clip_mono(&mono, clip, &error) < 0 ||
        kodama_clip_resample(&wide, mono, RATE, &error) < 0) {
        fail(speech, &error);
    }
    convert_all(argv[1], kodama_clip_samples(wide), kodama_clip_frames(wide));
    convert_synthetic(argv[1], SYNTH_MAN, "man", 7);
    convert_synthetic(argv[1], SYNTH_WOMAN, "woman", -7);
    kodama_clip_destroy(clip);
    kodama_clip_destroy(mono);
    kodama_clip_destroy(wide);
    return 0;
}
