/*
 * Voice changing: Kodama's shifter beside Rubber Band, SoundTouch and sox, on the same sounds in
 * the same run, block by block as they would run live. Measures and prints.
 *
 *     bench_voice [--full] [--seconds S] [--case PITCH[,FORMANT]]... [--only NAME] [--each]
 *                 [--save FOLDER] [--sessions N,N...] [--pitch]
 *
 * Synthetic speakers (a man, a woman, a child, S seconds each: 3, or 10 with --full) are compared
 * with the same performance synthesised at the pitch and formants that were asked for; recordings
 * (Debian's, and ../shared where it is) with themselves. Columns:
 *   delay    from a sample's block being fed to the sample being there, for a player that never
 *            runs dry: what the stream holds back at the worst, and where in it the content is
 *   states   what the shifter says itself
 *   CPU      of one core, at 48 kHz mono
 *   cents    median F0 error: of steady vowels; of recordings, by the offline reference on both
 *   rough    change from period to period in steady vowels, dB against the voice
 *   gross    places with an F0 that is more than 20 % off; voicing: voiced one side only
 *   formant  median error of F1..F3 from LPC roots
 *   LSD      log-spectral distance, voiced and other places; MCD: mel-cepstral distortion
 *   crackle  sharpest second differences against the truth's, 1 is equal
 *   clicks   a second: steps that stand out of the samples around them
 *   borders  second difference at borders of 10 ms against elsewhere, 1 is equal
 *   leak     correlation with the input
 * Then how well the pitch tracker follows, and how many sessions two threads hold in real time.
 * --case, --pitch and --sessions do only what they name.
 */
#define _GNU_SOURCE /* getopt_long */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/kodama.h>

#include "help.h"
#include "voice_judge.h"

enum { CASES_MAX = 16, RECORDINGS_MAX = 4 };

static const struct voice_contender *const contenders[] = {
    &voice_kodama,
#if HAVE_RUBBERBAND
    &voice_rubberband_r2,
    &voice_rubberband_r3,
    &voice_rubberband_r3_short,
    &voice_rubberband_live,
#endif
#if HAVE_SOUNDTOUCH
    &voice_soundtouch,
#endif
#if HAVE_SOX
    &voice_sox,
#endif
    NULL,
};

struct recording {
    const char *name;
    struct kodama_clip *clip; /* VOICE_RATE, mono */
};

struct options {
    double seconds;
    struct voice_case cases[CASES_MAX];
    int n_cases;
    const char *only, *save, *sessions;
    bool full, each, pitch;
};

/* ------------------------------------------------------------------- sounds */

#define AUSTEN "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-"
#define ALSA "/usr/share/sounds/alsa/"

static const struct {
    const char *name, *paths[8];
} sources[RECORDINGS_MAX] = {
    {"reader", {AUSTEN "0870.wav", AUSTEN "0890.wav"}},
    {"channels",
     {ALSA "Front_Center.wav", ALSA "Front_Left.wav", ALSA "Rear_Right.wav", ALSA "Side_Left.wav"}},
    {"president", {"speech/jfk.wav"}},
    {"conversation", {"speech/conversation-60s.wav"}},
};

static struct kodama_clip *load(const char *path, const char *shared)
{
    char name[1000];
    struct kodama_clip *clip = NULL, *mono = NULL, *result = NULL;
    snprintf(name, sizeof name, "%s%s%s", path[0] == '/' ? "" : shared, path[0] == '/' ? "" : "/",
             path);
    int status = kodama_clip_load(&clip, name, NULL, NULL);
    if (status == KODAMA_OK) status = kodama_clip_mono(&mono, clip, NULL);
    if (status == KODAMA_OK) status = kodama_clip_resample(&result, mono, VOICE_RATE, NULL);
    kodama_clip_destroy(clip);
    kodama_clip_destroy(mono);
    return status == KODAMA_OK ? result : NULL;
}

static int load_recordings(struct recording recordings[RECORDINGS_MAX])
{
    const char *root = getenv("KODAMA_ROOT");
    char shared[900];
    int n = 0;
    snprintf(shared, sizeof shared, "%s/../shared", root ? root : ".");
    for (int i = 0; i < RECORDINGS_MAX; i++) {
        struct kodama_clip *parts[8], *whole = NULL;
        size_t n_parts = 0;
        for (int k = 0; k < 8 && sources[i].paths[k]; k++) {
            struct kodama_clip *part = load(sources[i].paths[k], shared);
            if (part) parts[n_parts++] = part;
        }
        if (n_parts > 0 && kodama_clip_concat(&whole, (const struct kodama_clip *const *)parts,
                                              n_parts, NULL) == KODAMA_OK) {
            recordings[n++] = (struct recording){sources[i].name, whole};
        } else {
            printf("skipped: no recording of the %s\n", sources[i].name);
        }
        for (size_t k = 0; k < n_parts; k++) kodama_clip_destroy(parts[k]);
    }
    return n;
}

/* -------------------------------------------------------------------- table */

static void print_number(double value, int width, int digits)
{
    if (isnan(value))
        printf(" %*s", width, "-");
    else
        printf(" %*.*f", width, digits, value);
}

static void print_head(const char *title)
{
    printf("\n%s\n%-22s %6s %6s %6s %6s %6s %6s %7s %7s %6s %6s %6s %7s %6s %7s %6s\n", title, "",
           "delay", "states", "CPU %", "cents", "rough", "gross%", "voicing", "formant", "LSD v",
           "LSD u", "MCD", "crackle", "clicks", "borders", "leak");
}

static void print_marks(const char *name, const struct voice_marks *marks)
{
    printf("%-22s", name);
    print_number(marks->delay_ms, 6, 1);
    print_number(marks->states_ms < 0 ? NAN : marks->states_ms, 6, 1);
    print_number(marks->cpu_percent, 6, 2);
    print_number(marks->cents, 6, 2);
    print_number(marks->roughness_db, 6, 1);
    print_number(marks->gross, 6, 2);
    print_number(marks->voicing, 7, 2);
    print_number(marks->formant, 7, 1);
    print_number(marks->lsd_voiced, 6, 2);
    print_number(marks->lsd_rest, 6, 2);
    print_number(marks->mcd, 6, 2);
    print_number(marks->crackle, 7, 2);
    print_number(marks->clicks, 6, 1);
    print_number(marks->borders, 7, 2);
    print_number(marks->leakage, 6, 3);
    printf("\n");
    fflush(stdout);
}

static bool is_asked(const struct options *options, const struct voice_contender *contender,
                     struct voice_case asked)
{
    if (options->only && strcmp(options->only, contender->name) != 0) return false;
    return asked.formant == 0 || contender->moves_formants;
}

/* One table: all shifters on one case, means over the sounds. */
static void run_synthetic(const struct options *options, struct voice_case asked)
{
    static const char *const names[] = {"  man", "  woman", "  child"};
    char title[100];
    snprintf(title, sizeof title, "pitch %+g, formants %+g: synthetic voices", asked.pitch,
             asked.formant);
    print_head(title);
    for (int i = 0; contenders[i]; i++) {
        struct voice_marks sum = {0};
        if (!is_asked(options, contenders[i], asked)) continue;
        struct voice_marks marks[SYNTH_SPEAKERS];
        for (int k = 0; k < SYNTH_SPEAKERS; k++) {
            marks[k] =
                judge_synthetic(contenders[i], asked, (enum synth_speaker)k, options->seconds);
            voice_marks_add(&sum, &marks[k]);
        }
        if (sum.n == 0) continue;
        voice_marks_mean(&sum);
        print_marks(contenders[i]->name, &sum);
        for (int k = 0; options->each && k < SYNTH_SPEAKERS; k++) print_marks(names[k], &marks[k]);
    }
}

static void run_recordings(const struct options *options, struct voice_case asked,
                           const struct recording *recordings, int n_recordings)
{
    char title[100];
    snprintf(title, sizeof title, "pitch %+g, formants %+g: recordings", asked.pitch,
             asked.formant);
    print_head(title);
    for (int i = 0; contenders[i]; i++) {
        struct voice_marks sum = {0}, marks[RECORDINGS_MAX];
        if (!is_asked(options, contenders[i], asked)) continue;
        for (int k = 0; k < n_recordings; k++) {
            size_t n = kodama_clip_frames(recordings[k].clip);
            size_t most = (size_t)(options->seconds * 2 * VOICE_RATE);
            marks[k] = judge_recording(
                contenders[i], asked, kodama_clip_samples(recordings[k].clip), n < most ? n : most);
            voice_marks_add(&sum, &marks[k]);
        }
        if (sum.n == 0) continue;
        voice_marks_mean(&sum);
        print_marks(contenders[i]->name, &sum);
        for (int k = 0; options->each && k < n_recordings; k++) {
            char name[40];
            snprintf(name, sizeof name, "  %s", recordings[k].name);
            print_marks(name, &marks[k]);
        }
    }
}

/* ----------------------------------------------------------------- sessions */

static void run_sessions(const char *counts, double seconds)
{
    int most = 0;
    printf("\nLive sessions of Kodama on 2 threads, a block of 10 ms each, %g s\n", seconds);
    printf("%9s %8s %8s %8s %8s\n", "sessions", "p50 ms", "p99 ms", "max ms", "cores");
    for (const char *next = counts; next && *next;) {
        char *end;
        struct voice_sessions sessions = {
            .n_sessions = (int)strtol(next, &end, 10), .n_threads = 2, .seconds = seconds};
        if (sessions.n_sessions < 1) break;
        voice_run_sessions(&sessions);
        printf("%9d %8.2f %8.2f %8.2f %8.2f%s\n", sessions.n_sessions, sessions.p50_ms,
               sessions.p99_ms, sessions.max_ms, sessions.cpu, sessions.failed ? " failed" : "");
        fflush(stdout);
        bool held = !sessions.failed && sessions.p99_ms < 10;
        if (held && sessions.n_sessions > most) most = sessions.n_sessions;
        next = *end == ',' ? end + 1 : end;
    }
    printf("the most with 99 of 100 blocks done before the next one came: %d\n", most);
}

static void run_pitch(const struct recording *recordings, int n_recordings, double seconds)
{
    const char *names[RECORDINGS_MAX];
    const float *samples[RECORDINGS_MAX];
    size_t n_frames[RECORDINGS_MAX];
    for (int i = 0; i < n_recordings; i++) {
        names[i] = recordings[i].name;
        samples[i] = kodama_clip_samples(recordings[i].clip);
        n_frames[i] = kodama_clip_frames(recordings[i].clip);
    }
    voice_judge_pitch(names, samples, n_frames, n_recordings, seconds);
}

/* ------------------------------------------------------------------ options */

static void save_outputs(const struct options *options, const struct recording *recordings,
                         int n_recordings)
{
    static const struct kodama_format format = {KODAMA_SAMPLE_F32, VOICE_RATE, 1, 0};
    for (int c = 0; c < options->n_cases; c++) {
        for (int i = 0; contenders[i]; i++) {
            if (!is_asked(options, contenders[i], options->cases[c])) continue;
            for (int k = 0; k < n_recordings; k++) {
                struct voice_run run;
                struct kodama_clip *clip = NULL;
                char path[1000];
                snprintf(path, sizeof path, "%s/%s%+g%+g-%s.wav", options->save, recordings[k].name,
                         options->cases[c].pitch, options->cases[c].formant, contenders[i]->name);
                for (char *p = path; *p; p++) *p = *p == ' ' ? '-' : *p;
                if (voice_run_over(&run, contenders[i], options->cases[c],
                                   kodama_clip_samples(recordings[k].clip),
                                   kodama_clip_frames(recordings[k].clip)) &&
                    (kodama_clip_create(&clip, format, run.out, run.n_out, NULL) < 0 ||
                     kodama_clip_save(clip, path, NULL, NULL) < 0)) {
                    fprintf(stderr, "bench_voice: cannot write %s\n", path);
                }
                kodama_clip_destroy(clip);
                free(run.out);
            }
        }
    }
}

static bool read_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {{"full", no_argument, NULL, 'f'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"case", required_argument, NULL, 'c'},
                                          {"only", required_argument, NULL, 'o'},
                                          {"each", no_argument, NULL, 'e'},
                                          {"save", required_argument, NULL, 'w'},
                                          {"sessions", required_argument, NULL, 'n'},
                                          {"pitch", no_argument, NULL, 'p'},
                                          {0}};
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) >= 0;) {
        char *end;
        switch (option) {
        case 'f': options->full = true; break;
        case 's': options->seconds = strtod(optarg, NULL); break;
        case 'o': options->only = optarg; break;
        case 'e': options->each = true; break;
        case 'w': options->save = optarg; break;
        case 'n': options->sessions = optarg; break;
        case 'p': options->pitch = true; break;
        case 'c':
            if (options->n_cases == CASES_MAX) return false;
            options->cases[options->n_cases].pitch = strtod(optarg, &end);
            if (*end == ',') options->cases[options->n_cases].formant = strtod(end + 1, &end);
            options->n_cases++;
            break;
        default: return false;
        }
    }
    return optind == argc;
}

static const char page[] =
    "usage: bench_voice [OPTION]...\n"
    "\n"
    "Voice changing: Kodama's shifter beside Rubber Band, SoundTouch and sox, on the same\n"
    "synthetic and recorded voices: delay, processor time, errors of pitch and formants,\n"
    "distance to the true voice, clicks; then the pitch tracker, and how many sessions two\n"
    "threads hold. Measures and prints; the head of bench/voice.c explains the columns.\n"
    "\n"
    "  --full                   the documented run\n"
    "  --seconds S              of each synthetic speaker; 3, or 10 with --full\n"
    "  --case PITCH[,FORMANT]   only this shift, in semitones; may be given again\n"
    "  --only NAME              only contenders whose name has this in it\n"
    "  --each                   a line for each speaker\n"
    "  --save FOLDER            write what comes out, to listen to\n"
    "  --sessions N,N...        only: how many sessions hold real time\n"
    "  --pitch                  only: how well the tracker follows\n";

int main(int argc, char **argv)
{
    int code = bench_answer(argc, argv, NULL, page);
    if (code >= 0) return code;
    static const struct voice_case usual[] = {{7, 0}, {-5, 0}, {12, 0}, {-12, 0},
                                              {0, 4}, {0, -4}, {5, 3}};
    struct recording recordings[RECORDINGS_MAX];
    struct options options = {0};
    if (!read_options(argc, argv, &options)) return bench_usage(page);
    bool whole = options.n_cases == 0 && !options.sessions && !options.pitch;
    if (options.seconds <= 0) options.seconds = options.full ? 10 : 3;
    if (whole && !options.sessions) {
        options.sessions = options.full ? "25,50,100,150,200,300,400,600" : "50";
    }
    if (whole) {
        options.n_cases = sizeof usual / sizeof *usual;
        memcpy(options.cases, usual, sizeof usual);
        options.pitch = true;
    }
    int n_recordings = load_recordings(recordings);
    for (int i = 0; i < options.n_cases; i++) {
        run_synthetic(&options, options.cases[i]);
        if (n_recordings > 0) {
            run_recordings(&options, options.cases[i], recordings, n_recordings);
        }
    }
    if (options.save) save_outputs(&options, recordings, n_recordings);
    if (options.pitch) run_pitch(recordings, n_recordings, 2 * options.seconds);
    if (options.sessions) run_sessions(options.sessions, options.full ? 10 : 2);
    for (int i = 0; i < n_recordings; i++) kodama_clip_destroy(recordings[i].clip);
    return 0;
}
