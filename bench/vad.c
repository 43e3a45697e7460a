/*
 * How well detectors hear: balanced accuracy on real speech in many kinds of noise, noise alone,
 * cost, and how a recording's judging scales with threads; all detectors in one run.
 * Measures and prints; asserts nothing.
 *
 *     bench_vad [--roc FILE.csv]
 *
 * Every speaker's recordings are joined to one stream and mixed, from fixed seeds, with noise at a
 * ratio to the rms of the speech in them. Two truths are kept apart: where the words of the text
 * are (PocketSphinx's alignment), and what Silero says about the clean recording. So are speakers:
 * `builtin` was tuned on the conversation, the reader and the cards; the others were kept aside.
 * Balanced accuracy is the mean of the shares of speech and of silence that are judged right, in
 * windows of 10 ms, at the threshold 0.5.
 *
 * With --roc the true and false positive rates at all thresholds are written as well, of the
 * speakers kept aside, against the words; bench/vad_roc.py draws them.
 */
#include <kodama/kodama.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "help.h"
#include "vad_judges.h"
#include "vad_signals.h"
#include "vad_speech.h"

enum {
    JUDGES_MAX = 8,
    STREAM_SECONDS = 70,
    NOISE_SECONDS = 20,
    NOISE_SEEDS = 3,
    LEVELS = 3,
    STEPS = 201
};

enum path { DIRECT, ROOM, TELEPHONE, FAINT, LOUD };

/* Ratio in dB of the speech to the noise; NULL: no noise. */
static const struct condition {
    const char *name, *noise;
    double snr_db;
    enum path path;
} conditions[] = {
    {"clean", NULL, 0.0, DIRECT},
    {"white 20 dB", "white", 20.0, DIRECT},
    {"white 10 dB", "white", 10.0, DIRECT},
    {"white 0 dB", "white", 0.0, DIRECT},
    {"white -5 dB", "white", -5.0, DIRECT},
    {"pink 5 dB", "pink", 5.0, DIRECT},
    {"brown 0 dB", "brown", 0.0, DIRECT},
    {"fan 5 dB", "fan", 5.0, DIRECT},
    {"traffic 5 dB", "traffic", 5.0, DIRECT},
    {"keyboard 5 dB", "keyboard", 5.0, DIRECT},
    {"hum 0 dB", "hum 50 Hz", 0.0, DIRECT},
    {"music 10 dB", "music", 10.0, DIRECT},
    {"babble 10 dB", "babble", 10.0, DIRECT},
    {"room 0.6 s", NULL, 0.0, ROOM},
    {"telephone", NULL, 0.0, TELEPHONE},
    {"34 dB fainter", NULL, 0.0, FAINT},
    {"12 dB louder and clipped", NULL, 0.0, LOUD},
};
enum { N_CONDITIONS = sizeof conditions / sizeof conditions[0] };

static struct speech files[SPEECH_FILES_MAX];
static size_t n_files;
static const struct judge *here[JUDGES_MAX]; /* those who work here */
static size_t n_here;

static float *room(size_t n)
{
    float *samples = memory_array(n, sizeof *samples);
    if (!samples) abort();
    return samples;
}

/* ---- mixtures ---- */

/* Eight talkers at once: pieces of the recordings, each from another place, alike in level. */
static void make_babble(float *samples, size_t n, uint64_t seed)
{
    struct dice dice = {seed};
    memset(samples, 0, n * sizeof *samples);
    for (int talker = 0; talker < 8; talker++) {
        const struct speech *speech = &files[(size_t)(dice_uniform(&dice) * (double)n_files)];
        size_t length = speech->n_windows * SPEECH_WINDOW;
        size_t at = (size_t)(dice_uniform(&dice) * (double)length);
        for (size_t i = 0; i < n; i++, at++) {
            if (at >= length) {
                speech = &files[(size_t)(dice_uniform(&dice) * (double)n_files)];
                length = speech->n_windows * SPEECH_WINDOW;
                at = 0;
            }
            samples[i] += (float)(speech->samples[at] / speech->rms);
        }
    }
    signal_scale(samples, n, 1.0 / signal_rms(samples, n));
}

static void make_noise(const char *name, uint64_t seed, float *samples, size_t n)
{
    if (strcmp(name, "babble") == 0)
        make_babble(samples, n, seed);
    else
        noise_make(name, seed, samples, n);
}

static void mix(const struct speech *speech, const struct condition *condition, uint64_t seed,
                float *samples, float *noise)
{
    size_t n = speech->n_windows * SPEECH_WINDOW;
    memcpy(samples, speech->samples, n * sizeof *samples);
    if (condition->path == ROOM) signal_reverberate(samples, n, 0.6);
    if (condition->path == TELEPHONE) signal_telephone(samples, n);
    if (condition->path == FAINT) signal_scale(samples, n, 0.02);
    if (condition->path == LOUD) {
        signal_scale(samples, n, 4.0);
        for (size_t i = 0; i < n; i++) samples[i] = fmaxf(-1.0f, fminf(1.0f, samples[i]));
    }
    if (!condition->noise) return;
    make_noise(condition->noise, seed, noise, n);
    double gain = speech->rms * pow(10.0, -condition->snr_db / 20.0);
    for (size_t i = 0; i < n; i++) samples[i] += (float)(gain * (double)noise[i]);
}

/* ---- accuracy ---- */

struct count {
    double speech, heard, silence, quiet;
};

/* Of one judge under one condition, against one truth, of speakers tuned on and kept aside. */
static struct count counts[JUDGES_MAX][N_CONDITIONS][N_TRUTHS][2];
/* The same at every threshold, of speakers kept aside and by words only. */
static struct count curves[JUDGES_MAX][N_CONDITIONS][STEPS];

static void add(struct count *count, int truth, bool heard)
{
    if (truth == 1) {
        count->speech++;
        count->heard += heard;
    } else if (truth == 0) {
        count->silence++;
        count->quiet += !heard;
    }
}

static double accuracy(const struct count *count)
{
    if (count->speech < 1.0 || count->silence < 1.0) return NAN;
    return 0.5 * (count->heard / count->speech + count->quiet / count->silence);
}

static void count_windows(size_t judge, size_t condition, enum speaker speaker,
                          const float *probabilities)
{
    for (size_t f = 0; f < n_files; f++) {
        if (files[f].speaker != speaker) continue;
        for (size_t i = 0; i < files[f].n_windows; i++, probabilities++) {
            for (int truth = 0; truth < N_TRUTHS; truth++)
                add(&counts[judge][condition][truth][is_kept_aside(speaker)],
                    files[f].truths[truth][i], *probabilities >= 0.5f);
            for (int step = 0; is_kept_aside(speaker) && step < STEPS; step++)
                add(&curves[judge][condition][step], files[f].truths[BY_WORDS][i],
                    *probabilities >= (float)step / (STEPS - 1));
        }
    }
}

static void measure_speech(void)
{
    size_t most = (size_t)STREAM_SECONDS * SIGNALS_RATE;
    float *samples = room(most), *noise = room(most), *probabilities = room(most / SPEECH_WINDOW);
    for (size_t c = 0; c < N_CONDITIONS; c++)
        for (int speaker = 0; speaker < N_SPEAKERS; speaker++) {
            size_t n = 0;
            for (size_t f = 0; f < n_files; f++) {
                if (files[f].speaker != (enum speaker)speaker) continue;
                mix(&files[f], &conditions[c], 1000 + 50 * c + f, samples + n, noise);
                n += files[f].n_windows * SPEECH_WINDOW;
            }
            for (size_t k = 0; k < n_here; k++) {
                here[k]->judge(here[k]->name, samples, n / SPEECH_WINDOW, probabilities);
                count_windows(k, c, (enum speaker)speaker, probabilities);
            }
        }
    free(samples);
    free(noise);
    free(probabilities);
}

static void print_head(const char *first)
{
    printf("\n| %s |", first);
    for (size_t k = 0; k < n_here; k++) printf(" %s |", here[k]->name);
    printf("\n|---|");
    for (size_t k = 0; k < n_here; k++) printf("---|");
    printf("\n");
}

static void print_number(double value)
{
    char text[20];
    snprintf(text, sizeof text, "%.3f", value);
    printf("%s", isnan(value) ? "-" : text + (text[0] == '0'));
}

static void print_accuracy(enum truth truth, const char *title)
{
    printf("\nBalanced accuracy %s: speakers kept aside (speakers that builtin was tuned on)\n",
           title);
    print_head("");
    for (size_t c = 0; c < N_CONDITIONS; c++) {
        printf("| %s |", conditions[c].name);
        for (size_t k = 0; k < n_here; k++) {
            printf(" ");
            print_number(accuracy(&counts[k][c][truth][1]));
            printf(" (");
            print_number(accuracy(&counts[k][c][truth][0]));
            printf(") |");
        }
        printf("\n");
    }
}

static void write_curves(const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        return;
    }
    fprintf(file, "condition,detector,threshold,false positive rate,true positive rate\n");
    for (size_t c = 0; c < N_CONDITIONS; c++)
        for (size_t k = 0; k < n_here; k++)
            for (int step = 0; step < STEPS; step++) {
                const struct count *count = &curves[k][c][step];
                if (!here[k]->graded && step != STEPS / 2) continue;
                fprintf(file, "%s,%s,%.3f,%.4f,%.4f\n", conditions[c].name, here[k]->name,
                        (double)step / (STEPS - 1), 1.0 - count->quiet / count->silence,
                        count->heard / count->speech);
            }
    fclose(file);
}

/* ---- noise alone ---- */

/* Share of a noise that is taken for speech: mean and worst of three levels and seeds. */
static void measure_noise(const char *name, double *mean, double *worst)
{
    static const double levels_db[LEVELS] = {-60.0, -42.0, -24.0};
    size_t n = (size_t)NOISE_SECONDS * SIGNALS_RATE, n_windows = n / SPEECH_WINDOW;
    float *samples = room(n), *probabilities = room(n_windows);
    for (size_t k = 0; k < n_here; k++) mean[k] = worst[k] = 0.0;
    for (int level = 0; level < LEVELS; level++)
        for (int seed = 0; seed < NOISE_SEEDS; seed++) {
            make_noise(name, 500 + 100 * (uint64_t)level + (uint64_t)seed, samples, n);
            signal_scale(samples, n, pow(10.0, levels_db[level] / 20.0));
            for (size_t k = 0; k < n_here; k++) {
                double taken = 0.0;
                here[k]->judge(here[k]->name, samples, n_windows, probabilities);
                for (size_t i = 0; i < n_windows; i++) taken += probabilities[i] >= 0.5f;
                taken *= 100.0 / (double)n_windows;
                mean[k] += taken / (LEVELS * NOISE_SEEDS);
                if (taken > worst[k]) worst[k] = taken;
            }
        }
    free(samples);
    free(probabilities);
}

static void print_noise(void)
{
    printf("\nNoise alone taken for speech, percent: mean (worst) of %d times %d s at -60, -42 and "
           "-24 dBFS\n",
           LEVELS * NOISE_SEEDS, NOISE_SECONDS);
    print_head("noise");
    const char *names[40];
    size_t n_names = 0;
    for (const struct noise *noise = noises; noise->name; noise++) names[n_names++] = noise->name;
    names[n_names++] = "babble";
    for (size_t i = 0; i < n_names; i++) {
        double mean[JUDGES_MAX], worst[JUDGES_MAX];
        measure_noise(names[i], mean, worst);
        printf("| %s |", names[i]);
        for (size_t k = 0; k < n_here; k++) printf(" %.1f (%.1f) |", mean[k], worst[k]);
        printf("\n");
        fflush(stdout);
    }
}

/* ---- cost ---- */

static void print_cost(const float *samples, size_t n_windows)
{
    float *probabilities = room(n_windows);
    printf("\nCost on one core, us per 10 ms (best of 3)\n");
    print_head("");
    printf("| us per 10 ms |");
    for (size_t k = 0; k < n_here; k++) {
        uint64_t best = UINT64_MAX;
        for (int round = 0; round < 3; round++) {
            uint64_t begin = clock_thread_cpu_ns();
            here[k]->judge(here[k]->name, samples, n_windows, probabilities);
            uint64_t took = clock_thread_cpu_ns() - begin;
            if (took < best) best = took;
        }
        printf(" %.1f |", (double)best / 1e3 / (double)n_windows);
    }
    printf("\n");
    free(probabilities);
}

/* Seconds that a scanner takes for the recording; NaN: it cannot. */
static double scan(const char *name, uint32_t n_threads, const float *samples, size_t n)
{
    struct kodama_scanner_config config = KODAMA_SCANNER_CONFIG_INIT;
    struct kodama_scanner *scanner;
    config.segmenter.detector = name;
    config.n_threads = n_threads;
    if (kodama_scanner_open(&scanner, &config, NULL) < 0) return NAN;
    uint64_t begin = clock_now_ns();
    if (kodama_scanner_write(scanner, samples, n) < 0 || kodama_scanner_finish(scanner) < 0)
        begin = 0;
    double took = (double)(clock_now_ns() - begin) * 1e-9;
    kodama_scanner_close(scanner);
    return took;
}

static void print_scaling(const float *samples, size_t n)
{
    static const char *const names[] = {"builtin", "silero"};
    long n_cores = sysconf(_SC_NPROCESSORS_ONLN);
    double minutes = (double)n / SIGNALS_RATE / 60.0;
    printf(
        "\nA recording of %.0f minutes, kodama_scanner, %ld cores: seconds (times real time)\n\n",
        minutes, n_cores);
    printf("| threads |");
    for (size_t k = 0; k < 2; k++) printf(" %s |", names[k]);
    printf("\n|---|---|---|\n");
    for (uint32_t threads = 1; threads <= (uint32_t)n_cores; threads *= 2) {
        printf("| %u |", threads);
        for (size_t k = 0; k < 2; k++) {
            double took = scan(names[k], threads, samples, n);
            printf(" %.2f (%.0f) |", took, 60.0 * minutes / took);
        }
        printf("\n");
    }
}

static void measure_cost(void)
{
    size_t n = (size_t)10 * 60 * SIGNALS_RATE, at = 0;
    float *samples = room(n);
    while (at < n)
        for (size_t f = 0; f < n_files && at < n; f++) {
            size_t length = files[f].n_windows * SPEECH_WINDOW;
            if (length > n - at) length = n - at;
            memcpy(samples + at, files[f].samples, length * sizeof *samples);
            at += length;
        }
    print_cost(samples, (size_t)60 * SIGNALS_RATE / SPEECH_WINDOW);
    print_scaling(samples, n);
    free(samples);
}

static const char page[] =
    "usage: bench_vad [--roc FILE.csv]\n"
    "\n"
    "How well detectors hear: balanced accuracy on real speech in many kinds of noise, noise\n"
    "alone, cost, and how the judging of a recording scales with threads. Measures and\n"
    "prints; asserts nothing.\n"
    "\n"
    "  --roc FILE.csv     write the rates at all thresholds, too; bench/vad_roc.py draws them\n";

int main(int argc, char **argv)
{
    int code = bench_answer(argc, argv, "--roc", page);
    if (code >= 0) return code;
    char shared[1000], model[1100];
    const char *root = getenv("KODAMA_ROOT");
    snprintf(shared, sizeof shared, "%s/../shared", root ? root : ".");
    snprintf(model, sizeof model, "%s/models/silero_vad.onnx", shared);
    if (access(model, R_OK) == 0) setenv("KODAMA_SILERO_MODEL", model, 0);
    n_files = speech_load(files, shared);
    for (const struct judge *judge = judges; judge->name; judge++)
        if (judge_works(judge)) here[n_here++] = judge;
    if (n_files == 0) {
        printf("vad: left out: there is no speech\n");
        return 77;
    }
    measure_speech();
    print_accuracy(BY_WORDS, "against the words");
    print_accuracy(BY_SILERO, "against Silero's opinion of the clean recording");
    if (argc == 3 && strcmp(argv[1], "--roc") == 0) write_curves(argv[2]);
    print_noise();
    measure_cost();
    speech_free(files, n_files);
    return 0;
}
