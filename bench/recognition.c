/*
 * Word error rate and cost of recognition: Kodama's whole way from samples to finals, beside
 * PocketSphinx's own on the same audio. Measures and prints; asserts nothing.
 *
 *     bench_recognition [FILE.wav ...]
 *
 * The reference of a file is its line in a file `transcription` beside it (the form of
 * pocketsphinx-testdata), or known here (jfk.wav). Three ways are compared, interleaved:
 *   kodama   recogniser, partials off, the whole file written as fast as it is taken
 *   live     one cold PocketSphinx decoder fed 2048 samples at a time, as its examples do
 *   full     one PocketSphinx decoder, each segment that Kodama cut at once (full_utt)
 */
#include <kodama/kodama.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "help.h"
#include "speech/engine_pocketsphinx_api.h"

#define READ "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-"

enum { ROUNDS = 3, TEXT_BYTES = 8000, SEGMENTS_MAX = 200, LIVE_BLOCK = 2048, WORDS_MAX = 1000 };

struct outcome {
    char text[TEXT_BYTES];
    double cpu_s[ROUNDS];
};

struct segment {
    double start_s, end_s;
};

struct subject {
    const char *path;
    char reference[TEXT_BYTES];
    int16_t *samples; /* 16 kHz mono */
    size_t n_samples;
    struct segment segments[SEGMENTS_MAX];
    int n_segments;
};

static double cpu_now(void)
{
    return (double)clock_thread_cpu_ns() * 1e-9;
}

static void append(char *text, const char *words)
{
    size_t n = strlen(text);
    snprintf(text + n, TEXT_BYTES - n, "%s%s", n > 0 && words[0] ? " " : "", words);
}

/* ------------------------------------------------------------- word error rate */

static int split(char *text, char **words)
{
    int n = 0;
    for (char *word = text; *word && n < WORDS_MAX;) {
        word += strspn(word, " \n\t");
        if (!*word) break;
        words[n++] = word;
        word += strcspn(word, " \n\t");
        if (*word) *word++ = 0;
    }
    return n;
}

/** Substitutions, deletions and insertions (Levenshtein), and the words of the reference. */
static int word_errors(const char *reference, const char *heard, int *n_reference)
{
    static char copies[2][TEXT_BYTES];
    static char *words[2][WORDS_MAX];
    static int row[WORDS_MAX + 1];
    snprintf(copies[0], TEXT_BYTES, "%.*s", TEXT_BYTES - 1, reference);
    snprintf(copies[1], TEXT_BYTES, "%.*s", TEXT_BYTES - 1, heard);
    int n = split(copies[0], words[0]);
    int m = split(copies[1], words[1]);
    for (int j = 0; j <= m; j++) row[j] = j;
    for (int i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            int best = diagonal + (strcmp(words[0][i - 1], words[1][j - 1]) != 0);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    *n_reference = n;
    return row[m];
}

/* ------------------------------------------------------------------ the subjects */

static void find_reference(struct subject *subject)
{
    const char *name = strrchr(subject->path, '/');
    name = name ? name + 1 : subject->path;
    if (strcmp(name, "jfk.wav") == 0) {
        append(subject->reference, "and so my fellow americans ask not what your country can do "
                                   "for you ask what you can do for your country");
        return;
    }
    char path[1024];
    snprintf(path, sizeof path, "%.*stranscription", (int)(name - subject->path), subject->path);
    char key[256];
    snprintf(key, sizeof key, "(%.*s)", (int)strcspn(name, "."), name);
    FILE *file = fopen(path, "r");
    char line[2000];
    while (file && fgets(line, sizeof line, file)) {
        char *end = strstr(line, key);
        char *begin = strstr(line, "<s> ");
        char *stop = strstr(line, " </s>");
        if (!end || !begin || !stop) continue;
        *stop = 0;
        append(subject->reference, begin + 4);
    }
    if (file) fclose(file);
}

static bool load(struct subject *subject, const char *path)
{
    SF_INFO info = {0};
    subject->path = path;
    SNDFILE *file = sf_open(path, SFM_READ, &info);
    if (!file || info.samplerate != 16000 || info.channels != 1) {
        fprintf(stderr, "%s: left out (needs 16 kHz mono): %s\n", path, sf_strerror(file));
        if (file) sf_close(file);
        return false;
    }
    subject->samples = calloc((size_t)info.frames + 1, sizeof *subject->samples);
    if (subject->samples) {
        subject->n_samples = (size_t)sf_read_short(file, subject->samples, info.frames);
    }
    sf_close(file);
    find_reference(subject);
    return subject->samples != NULL;
}

/* ---------------------------------------------------------------------- the ways */

static void run_kodama(struct kodama_model *model, struct subject *subject, struct outcome *outcome,
                       int round)
{
    struct kodama_recognizer_config config = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_recognizer *recognizer;
    struct kodama_error error = {0};
    config.format = (struct kodama_format){KODAMA_SAMPLE_S16, 16000, 1, 0};
    config.partials = false;
    if (kodama_recognizer_open(&recognizer, model, &config, &error) < 0) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    outcome->text[0] = 0;
    subject->n_segments = 0;
    double begin = cpu_now();
    int64_t heard =
        kodama_recognizer_write(recognizer, subject->samples, subject->n_samples, KODAMA_FOREVER);
    if (heard < 0) fprintf(stderr, "%s\n", kodama_strerror((int)heard));
    kodama_recognizer_finish(recognizer);
    double cpu_s = cpu_now() - begin; /* detector, segmenter */
    struct kodama_event event;
    while (kodama_recognizer_next(recognizer, &event, KODAMA_FOREVER) == KODAMA_OK) {
        if (event.kind != KODAMA_EVENT_FINAL) continue;
        append(outcome->text, event.text);
        cpu_s += (double)event.decode_ns * 1e-9;
        if (subject->n_segments < SEGMENTS_MAX) {
            subject->segments[subject->n_segments++] = (struct segment){event.start_s, event.end_s};
        }
    }
    outcome->cpu_s[round] = cpu_s;
    kodama_recognizer_close(recognizer);
}

static ps_decoder_t *open_sphinx(sphinx_config **config)
{
    err_set_logfp(NULL);
    *config = sphinx_config_open();
    sphinx_set_text(*config, "hmm", KODAMA_POCKETSPHINX_MODELS "/en-us/en-us");
    sphinx_set_text(*config, "lm", KODAMA_POCKETSPHINX_MODELS "/en-us/en-us.lm.bin");
    sphinx_set_text(*config, "dict", KODAMA_POCKETSPHINX_MODELS "/en-us/cmudict-en-us.dict");
    sphinx_set_number(*config, "maxhmmpf", 5000);
    sphinx_set_number(*config, "maxwpf", 10);
    return ps_init(*config);
}

static void take_text(ps_decoder_t *decoder, struct outcome *outcome)
{
    int32 score;
    const char *text = ps_get_hyp(decoder, &score);
    append(outcome->text, text ? text : "");
}

static void run_live(const struct subject *subject, struct outcome *outcome, int round)
{
    sphinx_config *config;
    ps_decoder_t *decoder = open_sphinx(&config);
    if (!decoder) return;
    outcome->text[0] = 0;
    double begin = cpu_now();
    ps_start_utt(decoder);
    for (size_t i = 0; i < subject->n_samples; i += LIVE_BLOCK) {
        size_t n = subject->n_samples - i < LIVE_BLOCK ? subject->n_samples - i : LIVE_BLOCK;
        ps_process_raw(decoder, subject->samples + i, n, 0, 0);
    }
    ps_end_utt(decoder);
    outcome->cpu_s[round] = cpu_now() - begin;
    take_text(decoder, outcome);
    ps_free(decoder);
    sphinx_config_close(config);
}

static void run_full(const struct subject *subject, struct outcome *outcome, int round)
{
    sphinx_config *config;
    ps_decoder_t *decoder = open_sphinx(&config);
    if (!decoder) return;
    outcome->text[0] = 0;
    outcome->cpu_s[round] = 0.0;
    for (int i = 0; i < subject->n_segments; i++) {
        size_t from = (size_t)(subject->segments[i].start_s * 16000.0 + 0.5);
        size_t to = (size_t)(subject->segments[i].end_s * 16000.0 + 0.5);
        if (to > subject->n_samples) to = subject->n_samples;
        double begin = cpu_now();
        ps_start_stream(decoder);
        ps_start_utt(decoder);
        ps_process_raw(decoder, subject->samples + from, to - from, 0, 1);
        ps_end_utt(decoder);
        outcome->cpu_s[round] += cpu_now() - begin;
        take_text(decoder, outcome);
    }
    ps_free(decoder);
    sphinx_config_close(config);
}

/* -------------------------------------------------------------------- the report */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void compare(struct kodama_model *model, struct subject *subject, int *errors, double *cpu_s,
                    int *n_words)
{
    static const char *const names[] = {"kodama", "live", "full"};
    static struct outcome outcomes[3];
    memset(outcomes, 0, sizeof outcomes);
    for (int round = 0; round < ROUNDS; round++) {
        run_kodama(model, subject, &outcomes[0], round);
        run_live(subject, &outcomes[1], round);
        run_full(subject, &outcomes[2], round);
    }
    double seconds = (double)subject->n_samples / 16000.0;
    printf("%s: %.1f s, %d segments\n", subject->path, seconds, subject->n_segments);
    for (int i = 0; i < 3; i++) {
        int n = 0;
        int wrong = word_errors(subject->reference, outcomes[i].text, &n);
        qsort(outcomes[i].cpu_s, ROUNDS, sizeof(double), by_value);
        double median = outcomes[i].cpu_s[ROUNDS / 2];
        printf("  %-7s %2d of %2d words wrong, WER %.2f, real-time factor %.3f: %s\n", names[i],
               wrong, n, n > 0 ? (double)wrong / n : 0.0, median / seconds, outcomes[i].text);
        errors[i] += wrong;
        cpu_s[i] += median;
        if (i == 0) *n_words += n;
    }
    fflush(stdout);
}

static const char page[] =
    "usage: bench_recognition [FILE.wav ...]\n"
    "\n"
    "Word errors and cost of recognition: Kodama's whole way from samples to finals, beside\n"
    "PocketSphinx on its own, live and in whole utterances. Measures and prints; asserts\n"
    "nothing.\n"
    "\n"
    "  FILE.wav           with a line in a file `transcription` beside it; Debian's\n"
    "                     pocketsphinx-testdata when not given\n";

int main(int argc, char **argv)
{
    int code = bench_answer(argc, argv, "", page);
    if (code >= 0) return code;
    static const char *const usual[] = {READ "0870.wav", READ "0880.wav", READ "0890.wav",
                                        READ "0920.wav", READ "0930.wav"};
    const char *root = getenv("KODAMA_ROOT");
    char jfk[1024]; /* part of no package */
    snprintf(jfk, sizeof jfk, "%s/../shared/speech/jfk.wav", root ? root : ".");
    const char *paths[64];
    int n_paths = 0;
    for (int i = 1; i < argc && n_paths < 64; i++) paths[n_paths++] = argv[i];
    for (size_t i = 0; argc < 2 && i < sizeof usual / sizeof usual[0]; i++) {
        paths[n_paths++] = usual[i];
    }
    if (argc < 2) paths[n_paths++] = jfk;

    struct kodama_model *model;
    struct kodama_error error = {0};
    if (kodama_model_open(&model, NULL, &error) < 0) {
        printf("recognition: left out: %s\n", error.message);
        return 77;
    }
    int errors[3] = {0};
    double cpu_s[3] = {0};
    int n_words = 0;
    double seconds = 0.0;
    for (int i = 0; i < n_paths; i++) {
        static struct subject subject;
        memset(&subject, 0, sizeof subject);
        if (!load(&subject, paths[i])) continue;
        compare(model, &subject, errors, cpu_s, &n_words);
        seconds += (double)subject.n_samples / 16000.0;
        free(subject.samples);
    }
    if (n_words > 0) {
        printf("all: word error rate kodama %.2f, live %.2f, full %.2f; real-time factor %.3f, "
               "%.3f, %.3f (medians of %d)\n",
               (double)errors[0] / n_words, (double)errors[1] / n_words,
               (double)errors[2] / n_words, cpu_s[0] / seconds, cpu_s[1] / seconds,
               cpu_s[2] / seconds, ROUNDS);
    }
    kodama_model_close(model);
    return 0;
}
