/* The speech that detectors are measured on, and two opinions about where somebody speaks in it. */
#include "vad_speech.h"

#include <kodama/kodama.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define SPHINX "/usr/share/pocketsphinx/test/data/"
#define AUSTEN SPHINX "librivox/sense_and_sensibility_01_austen_64kb-"
#define ALSA "/usr/share/sounds/alsa/"

/*
 * Where the words are, in windows of 10 ms, first and last: PocketSphinx's alignment of the known
 * text, with silence allowed between all words. An alignment joins the consonants to their words
 * and sees short pauses; it knows nothing of energy or of any detector. What is said in the
 * conversation is not written anywhere, so it has none.
 */
static const struct source {
    const char *path;
    enum speaker speaker;
    const char *words;
} sources[] = {
    {"speech/conversation-60s.wav", CONVERSATION, NULL},
    {AUSTEN "0870.wav", READER, "20-220 225-394 400-678"},
    {AUSTEN "0880.wav", READER, "21-105 113-273"},
    {AUSTEN "0890.wav", READER, "27-358 363-508"},
    {AUSTEN "0920.wav", READER, "22-582"},
    {AUSTEN "0930.wav", READER, "21-301"},
    {SPHINX "cards/001.wav", CARDS, "0-95"},
    {SPHINX "cards/002.wav", CARDS, "0-62 77-171"},
    {SPHINX "cards/003.wav", CARDS, "6-126"},
    {SPHINX "cards/004.wav", CARDS, "0-71 83-123"},
    {SPHINX "cards/005.wav", CARDS, "19-113 125-325"},
    {"speech/jfk.wav", PRESIDENT, "29-215 325-384 399-429 537-766 815-916 920-1045"},
    {ALSA "Front_Center.wav", CHANNELS, "0-47 77-141"},
    {ALSA "Front_Left.wav", CHANNELS, "0-48 72-129"},
    {ALSA "Front_Right.wav", CHANNELS, "0-58 86-151"},
    {ALSA "Rear_Center.wav", CHANNELS, "0-47 66-133"},
    {ALSA "Rear_Left.wav", CHANNELS, "0-46 80-129"},
    {ALSA "Rear_Right.wav", CHANNELS, "0-53 92-150"},
    {ALSA "Side_Left.wav", CHANNELS, "0-62 80-138"},
    {ALSA "Side_Right.wav", CHANNELS, "0-62 81-133"},
    {SPHINX "goforward.raw", DIGITS, "46-211"},
    {SPHINX "something.raw", DIGITS, "43-211"},
    {SPHINX "numbers.raw", DIGITS, "39-325"},
    {SPHINX "tidigits/dhd.2934z.raw", DIGITS, "22-161"},
};

/* Headerless: 16 bits, mono, 16 kHz. */
static int load_raw(struct kodama_clip **clip, const char *path, struct kodama_error *error)
{
    static int16_t samples[60 * 16000];
    FILE *file = fopen(path, "rb");
    if (!file) return KODAMA_ERR_NOT_FOUND;
    size_t n = fread(samples, sizeof samples[0], sizeof samples / sizeof samples[0], file);
    fclose(file);
    struct kodama_format format = {KODAMA_SAMPLE_S16, 16000, 1, 0};
    return kodama_clip_create(clip, format, samples, n, error);
}

static bool load_samples(struct speech *speech, const char *path)
{
    struct kodama_clip *clip = NULL, *resampled = NULL;
    const char *end = strrchr(path, '.');
    int status = end && strcmp(end, ".raw") == 0 ? load_raw(&clip, path, NULL)
                                                 : kodama_clip_load(&clip, path, NULL, NULL);
    if (status == KODAMA_OK) status = kodama_clip_resample(&resampled, clip, 16000, NULL);
    if (status == KODAMA_OK && kodama_clip_format(resampled).channels == 1) {
        speech->n_windows = kodama_clip_frames(resampled) / SPEECH_WINDOW;
        speech->samples =
            memory_array(speech->n_windows * SPEECH_WINDOW + 1, sizeof *speech->samples);
    }
    if (speech->samples)
        memcpy(speech->samples, kodama_clip_samples(resampled),
               speech->n_windows * SPEECH_WINDOW * sizeof *speech->samples);
    kodama_clip_destroy(clip);
    kodama_clip_destroy(resampled);
    return speech->samples != NULL;
}

static void read_words(struct speech *speech, const char *words)
{
    int8_t *truth = speech->truths[BY_WORDS];
    memset(truth, words ? 0 : -1, speech->n_windows);
    for (char *next; words && *words; words = *next ? next + 1 : next) {
        size_t first = strtoul(words, &next, 10);
        size_t last = strtoul(next + 1, &next, 10);
        for (size_t i = first; i <= last && i < speech->n_windows; i++) truth[i] = 1;
    }
}

/* Silero's output on the clean recording, at 0.5. */
static bool ask_silero(struct speech *speech)
{
    struct kodama_detector *detector;
    int8_t *truth = speech->truths[BY_SILERO];
    memset(truth, -1, speech->n_windows);
    if (kodama_detector_open(&detector, "silero", 16000, NULL) < 0) return false;
    size_t window = kodama_detector_window(detector), n = speech->n_windows * SPEECH_WINDOW;
    for (size_t at = 0; at + window <= n; at += window) {
        bool is = kodama_detector_process(detector, speech->samples + at) >= 0.5f;
        for (size_t i = 0; i < speech->n_windows; i++) {
            size_t middle = i * SPEECH_WINDOW + SPEECH_WINDOW / 2;
            if (middle >= at && middle < at + window) truth[i] = is;
        }
    }
    kodama_detector_close(detector);
    return true;
}

static void measure(struct speech *speech)
{
    const int8_t *truth = speech->truths[speech->truths[BY_WORDS][0] >= 0 ? BY_WORDS : BY_SILERO];
    double sum = 0.0;
    size_t n = 0;
    for (size_t i = 0; i < speech->n_windows * SPEECH_WINDOW; i++) {
        if (truth[i / SPEECH_WINDOW] != 1) continue;
        sum += (double)speech->samples[i] * (double)speech->samples[i];
        n++;
    }
    speech->rms = n > 0 ? sqrt(sum / (double)n) : 0.05;
}

size_t speech_load(struct speech *files, const char *shared)
{
    size_t n_files = 0, n_missing = 0;
    bool silero = true;
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        const struct source *source = &sources[i];
        struct speech *speech = &files[n_files];
        char path[1000];
        snprintf(path, sizeof path, "%s%s%s", source->path[0] == '/' ? "" : shared,
                 source->path[0] == '/' ? "" : "/", source->path);
        *speech = (struct speech){.name = source->path, .speaker = source->speaker};
        if (!load_samples(speech, path)) {
            n_missing++;
            continue;
        }
        for (int truth = 0; truth < N_TRUTHS; truth++) {
            speech->truths[truth] = memory_array(speech->n_windows + 1, 1);
            if (!speech->truths[truth]) abort();
        }
        read_words(speech, source->words);
        silero = ask_silero(speech) && silero;
        measure(speech);
        n_files++;
    }
    if (n_missing > 0)
        printf("skipped: %zu recordings (of pocketsphinx-testdata, alsa-utils and ../shared) that "
               "are not here\n",
               n_missing);
    if (!silero) printf("skipped: what is measured against Silero; its model is not here\n");
    return n_files;
}

void speech_free(struct speech *files, size_t n_files)
{
    for (size_t i = 0; i < n_files; i++) {
        free(files[i].samples);
        for (int truth = 0; truth < N_TRUTHS; truth++) free(files[i].truths[truth]);
    }
}
