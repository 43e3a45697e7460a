/* Runs a shifter over sounds and measures what came out. */
#include "voice_judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TAIL = VOICE_RATE / 2 };

const float *voice_next(struct voice_run *run, size_t *n_frames)
{
    if (run->n_fed > run->n_out && run->n_fed - run->n_out > run->n_behind) {
        run->n_behind = run->n_fed - run->n_out;
    }
    if (run->n_fed + VOICE_BLOCK > run->n_in) {
        *n_frames = 0;
        return NULL;
    }
    const float *block = run->in + run->n_fed;
    run->n_fed += VOICE_BLOCK;
    *n_frames = VOICE_BLOCK;
    return block;
}

void voice_give(struct voice_run *run, const float *frames, size_t n_frames)
{
    if (n_frames > run->room - run->n_out) n_frames = run->room - run->n_out;
    memcpy(run->out + run->n_out, frames, n_frames * sizeof *frames);
    run->n_out += n_frames;
}

static uint64_t cpu_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

bool voice_run_over(struct voice_run *run, const struct voice_contender *contender,
                    struct voice_case asked, const float *samples, size_t n_frames)
{
    *run = (struct voice_run){.pitch = asked.pitch, .formant = asked.formant, .states_ms = -1};
    run->n_in = n_frames + TAIL;
    run->room = run->n_in + 2 * VOICE_RATE;
    float *in = calloc(run->n_in, sizeof *in);
    run->out = calloc(run->room, sizeof *run->out);
    bool whole = in && run->out;
    if (whole) {
        memcpy(in, samples, n_frames * sizeof *in);
        run->in = in;
        uint64_t begin_ns = cpu_now_ns();
        whole = contender->run(run);
        run->cpu_ns = cpu_now_ns() - begin_ns;
    }
    free(in);
    run->in = NULL;
    return whole;
}

/* ------------------------------------------------------------------- sounds */

/* How long content takes from being fed to being there for a player that never runs dry: what the
 * stream holds back at the worst, and where in the stream the content is. */
static double whole_delay(const struct voice_run *run, double content)
{
    return 1e3 * ((double)run->n_behind + content) / VOICE_RATE;
}

/* The output from its content's beginning on, as long as what it is compared with. */
static struct measured aligned(const struct voice_run *run, double content, size_t n_frames)
{
    size_t late = content > 0 ? (size_t)llround(content) : 0;
    if (late + n_frames > run->room) n_frames = run->room - late;
    return (struct measured){run->out + late, n_frames, VOICE_RATE};
}

static const double usual_hz[SYNTH_SPEAKERS] = {115, 205, 270};
static const double top_hz[SYNTH_SPEAKERS] = {5000, 5750, 6500};

static int track_sound(struct measured sound, double usual, struct pitch_track *track)
{
    return pitch_reference(sound.samples, sound.n_frames, sound.rate_hz, 0.6 * usual, 2.2 * usual,
                           track);
}

/* All vowels at a steady pitch, with nothing random in them. */
static void write_vowels(struct synth_utterance *utterance, enum synth_speaker speaker)
{
    synth_vowel(utterance, speaker, VOWEL_IY, usual_hz[speaker] * 1.0137, 0.4);
    utterance->breath = 0;
    struct synth_segment pause = utterance->segments[0], vowel = utterance->segments[1];
    utterance->n_segments = 0;
    for (int i = 0; i < VOWELS; i++) {
        vowel.from = vowel.to = (enum synth_vowel)i;
        utterance->segments[utterance->n_segments++] = pause;
        utterance->segments[utterance->n_segments++] = vowel;
    }
    utterance->segments[utterance->n_segments++] = pause;
}

/* Pitch and roughness in the middle of vowels: 0.1 s from either end. */
static void judge_vowels(const struct voice_contender *contender, struct voice_case asked,
                         enum synth_speaker speaker, struct voice_marks *marks)
{
    static struct synth_utterance utterance;
    struct voice_run run = {0};
    write_vowels(&utterance, speaker);
    struct synth_sound *voice = synth_say(&utterance);
    utterance.pitch_scale = exp2(asked.pitch / 12);
    utterance.formant_scale = exp2(asked.formant / 12);
    struct synth_sound *truth = synth_say(&utterance);
    double f0_hz = usual_hz[speaker] * 1.0137 * utterance.pitch_scale;
    if (voice && truth && voice_run_over(&run, contender, asked, voice->samples, voice->n_frames)) {
        struct measured is = {run.out, run.n_out, VOICE_RATE};
        struct measured should = {truth->samples, truth->n_frames, VOICE_RATE};
        double content = measure_delay(should, is, 0.5);
        struct pitch_track found = {0}, known = {0};
        is = aligned(&run, content, truth->n_frames);
        track_sound(is, f0_hz, &found);
        pitch_of_synth(truth, &known);
        for (size_t i = 0; i < known.n; i++) {
            double in_vowel = fmod((double)i * known.hop_s, 0.5) - 0.1;
            if (in_vowel < 0.1 || in_vowel > 0.3) known.f0_hz[i] = 0;
        }
        marks->cents = measure_pitch(&found, &known, 1).median_cents;
        marks->roughness_db = 0;
        for (int i = 0; i < VOWELS; i++) {
            struct measured middle = is;
            middle.samples += (size_t)((0.5 * i + 0.2) * VOICE_RATE);
            middle.n_frames = VOICE_RATE / 5;
            marks->roughness_db += measure_roughness_db(middle, f0_hz) / VOWELS;
        }
        pitch_track_free(&found);
        pitch_track_free(&known);
    }
    free(run.out);
    synth_sound_free(voice);
    synth_sound_free(truth);
}

static void judge_run(const struct voice_run *run, double content, struct voice_marks *marks)
{
    marks->n = 1;
    marks->delay_ms = whole_delay(run, content);
    marks->states_ms = run->states_ms;
    marks->cpu_percent = 100 * (double)run->cpu_ns * 1e-9 * VOICE_RATE / (double)run->n_in;
}

/* Blocks of 10 ms that do not fit together would show at one of the phases; the delay says which.
 */
static double borders_of(struct measured sound, double content)
{
    double worst = 0;
    size_t late = content > 0 ? (size_t)llround(content) : 0;
    for (size_t near = 0; near < 3; near++) {
        size_t phase = (2 * VOICE_BLOCK - late % VOICE_BLOCK + near - 1) % VOICE_BLOCK;
        worst = fmax(worst, measure_borders(sound, VOICE_BLOCK, phase));
    }
    return worst;
}

static const struct voice_marks nothing = {
    .n = 0,
    .delay_ms = NAN,
    .states_ms = NAN,
    .cpu_percent = NAN,
    .cents = NAN,
    .gross = NAN,
    .voicing = NAN,
    .formant = NAN,
    .lsd_voiced = NAN,
    .lsd_rest = NAN,
    .mcd = NAN,
    .crackle = NAN,
    .clicks = NAN,
    .borders = NAN,
    .leakage = NAN,
    .roughness_db = NAN,
};

static void judge_speech(const struct voice_run *run, struct voice_case asked,
                         const struct synth_sound *voice, const struct synth_sound *truth,
                         enum synth_speaker speaker, struct voice_marks *marks)
{
    struct measured should = {truth->samples, truth->n_frames, VOICE_RATE};
    struct measured before = {voice->samples, voice->n_frames, VOICE_RATE};
    double content =
        measure_delay(should, (struct measured){run->out, run->n_out, VOICE_RATE}, 0.5);
    struct measured is = aligned(run, content, truth->n_frames);
    struct pitch_track found = {0}, known = {0};
    judge_run(run, content, marks);
    if (track_sound(is, usual_hz[speaker] * exp2(asked.pitch / 12), &found) < 0 ||
        pitch_of_synth(truth, &known) < 0) {
        return;
    }
    struct pitch_errors errors = measure_pitch(&found, &known, 1);
    marks->gross = 100 * errors.gross;
    marks->voicing = 100 * (errors.missed + errors.invented);
    double formant_scale = exp2(asked.formant / 12);
    struct formant_task task = {.track = &known,
                                .top_hz = top_hz[speaker] * formant_scale,
                                .pitch_ratio = 1,
                                .formant_ratio = 1};
    marks->formant = 100 * measure_formant_error(is, should, &task);
    struct spectral_distance distance = measure_spectrum(is, should, &known, 1);
    marks->lsd_voiced = distance.lsd_db;
    marks->mcd = distance.mcd_db;
    marks->lsd_rest = measure_spectrum(is, should, &known, -1).lsd_db;
    marks->crackle = measure_crackle(is, should);
    marks->clicks = measure_clicks(is);
    marks->borders = borders_of(is, content);
    marks->leakage = asked.pitch != 0 ? measure_leakage(before, is, 0.1) : NAN;
    pitch_track_free(&found);
    pitch_track_free(&known);
}

struct voice_marks judge_synthetic(const struct voice_contender *contender, struct voice_case asked,
                                   enum synth_speaker speaker, double seconds)
{
    static struct synth_utterance utterance;
    struct voice_marks marks = nothing;
    struct voice_run run = {0};
    synth_speech(&utterance, speaker, 11 + (uint64_t)speaker, seconds);
    struct synth_sound *voice = synth_say(&utterance);
    utterance.pitch_scale = exp2(asked.pitch / 12);
    utterance.formant_scale = exp2(asked.formant / 12);
    struct synth_sound *truth = synth_say(&utterance);
    if (voice && truth && voice_run_over(&run, contender, asked, voice->samples, voice->n_frames)) {
        judge_speech(&run, asked, voice, truth, speaker, &marks);
        judge_vowels(contender, asked, speaker, &marks);
    }
    free(run.out);
    synth_sound_free(voice);
    synth_sound_free(truth);
    return marks;
}

struct voice_marks judge_recording(const struct voice_contender *contender, struct voice_case asked,
                                   const float *samples, size_t n_frames)
{
    struct voice_marks marks = nothing;
    struct voice_run run = {0};
    struct measured before = {samples, n_frames, VOICE_RATE};
    struct pitch_track found = {0}, known = {0};
    double ratio = exp2(asked.pitch / 12);
    if (voice_run_over(&run, contender, asked, samples, n_frames) &&
        pitch_reference(samples, n_frames, VOICE_RATE, 70, 450, &known) == 0) {
        double content =
            measure_delay(before, (struct measured){run.out, run.n_out, VOICE_RATE}, 0.5);
        struct measured is = aligned(&run, content, n_frames);
        judge_run(&run, content, &marks);
        pitch_reference(is.samples, is.n_frames, VOICE_RATE, 70 * ratio, 450 * ratio, &found);
        struct pitch_errors errors = measure_pitch(&found, &known, ratio);
        marks.cents = errors.median_cents;
        marks.gross = 100 * errors.gross;
        marks.voicing = 100 * (errors.missed + errors.invented);
        struct formant_task task = {.track = &known,
                                    .top_hz = 5500,
                                    .pitch_ratio = ratio,
                                    .formant_ratio = exp2(asked.formant / 12)};
        marks.formant = 100 * measure_formant_error(is, before, &task);
        if (asked.formant == 0) marks.lsd_rest = measure_spectrum(is, before, &known, -1).lsd_db;
        marks.crackle = measure_crackle(is, before);
        marks.clicks = measure_clicks(is);
        marks.borders = borders_of(is, content);
        if (asked.pitch != 0) marks.leakage = measure_leakage(before, is, 0.1);
        pitch_track_free(&found);
    }
    pitch_track_free(&known);
    free(run.out);
    return marks;
}

/* -------------------------------------------------------------------- means */

/* Marks are nothing but doubles, n first. */
enum { N_MARKS = sizeof(struct voice_marks) / sizeof(double) };
_Static_assert(sizeof(struct voice_marks) == N_MARKS * sizeof(double), "doubles only");

void voice_marks_add(struct voice_marks *sum, const struct voice_marks *marks)
{
    double to[N_MARKS], from[N_MARKS];
    if (marks->n == 0) return;
    memcpy(to, sum, sizeof to);
    memcpy(from, marks, sizeof from);
    for (size_t i = 0; i < N_MARKS; i++) to[i] += from[i];
    memcpy(sum, to, sizeof to);
}

void voice_marks_mean(struct voice_marks *sum)
{
    double marks[N_MARKS], n = sum->n;
    memcpy(marks, sum, sizeof marks);
    for (size_t i = 1; i < N_MARKS; i++) marks[i] = n > 0 ? marks[i] / n : NAN;
    memcpy(sum, marks, sizeof marks);
}
