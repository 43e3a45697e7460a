#define _DEFAULT_SOURCE
/* kodama convert: voices in sound files, changed, several files at a time. */
#include "command/convert.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kodama/clip.h>
#include <kodama/draft.h>
#include <kodama/stream.h>
#include <kodama/voice.h>
#include <kodama/voice_model.h>

#include "command/input.h"
#include "command/interrupt.h"
#include "command/json.h"
#include "command/output.h"
#include "command/progress.h"
#include "command/soundfile.h"

enum { TICK_MS = 100, JOBS_MAX = 256 };

struct convert;

/* One file. Fields without a word are the worker's while it is at it. */
struct job {
    struct convert *convert;    /* immutable */
    const char *in;             /* immutable */
    char *out;                  /* immutable, owned */
    char *in_place, *out_place; /* immutable, owned: the same files have the same names */
    double length_s;            /* immutable; of IN, below 0: not known */
    struct kodama_voice *voice;
    struct kodama_draft *draft;      /* OUT; NULL where it is standard output */
    struct soundfile_stream *stream; /* OUT where it is standard output, else NULL */
    struct kodama_format format;
    int64_t length;    /* frames of IN, below 0: not known */
    uint64_t n_frames; /* written */
    float *block;      /* what comes out of a chunk */
    size_t room;       /* frames in block */
    uint64_t skip;     /* frames of the delay that are still to come */
    uint32_t latency;
    double spent_s;
    int status;
    int code; /* of writing to standard output */
    struct kodama_error error;
    struct kodama_error written; /* what OUT failed with in the stream's callback */
    _Atomic uint64_t done_ms;    /* of IN; read by the one who shows the progress */
    _Atomic bool ended;
    bool told; /* main thread's */
};

struct convert {
    const struct convert_options *options;
    struct kodama_voice_config config;
    struct kodama_format raw;
    struct job *jobs;
    size_t n_jobs;
    _Atomic size_t next;
    _Atomic bool stopped;
    int wake[2];
    struct progress progress;
};

/* --------------------------------------------------------------- one file */

static enum kodama_file type_of(const struct job *job)
{
    const char *wanted = job->convert->options->type;
    if (soundfile_is_standard(job->out)) return KODAMA_FILE_WAV;
    return wanted ? soundfile_type(wanted) : kodama_file_of(job->out);
}

/* How WAV and FLAC store samples; with the others the type that they came in. */
static enum kodama_sample sample_of(const struct job *job)
{
    enum kodama_sample came = job->format.sample;
    if (job->convert->options->sample) return soundfile_sample(job->convert->options->sample);
    if (came == KODAMA_SAMPLE_U8) return KODAMA_SAMPLE_S16;
    bool fine = came == KODAMA_SAMPLE_S32 || came == KODAMA_SAMPLE_F32;
    return fine && type_of(job) == KODAMA_FILE_FLAC ? KODAMA_SAMPLE_S24 : came;
}

static int open_draft(struct job *job)
{
    const struct convert_options *options = job->convert->options;
    struct kodama_draft_config config = KODAMA_DRAFT_CONFIG_INIT;
    struct kodama_format format = job->format;
    format.sample = KODAMA_SAMPLE_F32;
    config.type = soundfile_type(options->type);
    config.sample = soundfile_sample(options->sample);
    config.origin = job->format.sample;
    config.quality = options->quality;
    config.fit = true;
    config.keep = !options->overwrite;
    if (job->length >= 0) config.n_frames = (uint64_t)job->length;
    return kodama_draft_open(&job->draft, job->out, format, &config, &job->error);
}

/* Standard output complains on its own: KODAMA_ERR_IO without words. */
static int open_stream(struct job *job)
{
    struct kodama_format format = job->format;
    format.sample = KODAMA_SAMPLE_F32;
    job->stream = calloc(1, sizeof *job->stream);
    if (!job->stream) return KODAMA_ERR_MEMORY;
    job->code =
        soundfile_begin(job->stream, "convert", soundfile_type(job->convert->options->type), format,
                        sample_of(job), job->length >= 0 ? (uint64_t)job->length : UINT64_MAX);
    return job->code == EXIT_DONE ? KODAMA_OK : KODAMA_ERR_IO;
}

static int stream_out(struct job *job, struct kodama_format format, const float *frames, size_t n)
{
    struct kodama_clip *clip;
    int status = kodama_clip_create(&clip, format, frames, n, &job->written);
    if (status < 0) return status;
    bool written = soundfile_write(job->stream, clip);
    kodama_clip_destroy(clip);
    return written ? KODAMA_OK : KODAMA_ERR_IO;
}

/* Take frames that came out, without those of the delay. */
static int take(struct job *job, int64_t n)
{
    if (n < 0) return (int)n;
    size_t skipped = job->skip < (uint64_t)n ? (size_t)job->skip : (size_t)n;
    size_t n_kept = (size_t)n - skipped;
    struct kodama_format format = job->format;
    const float *frames = job->block + skipped * format.channels;
    format.sample = KODAMA_SAMPLE_F32;
    job->skip -= skipped;
    job->n_frames += n_kept;
    if (job->stream) return stream_out(job, format, frames, n_kept);
    return kodama_draft_write(job->draft, frames, n_kept, &job->written);
}

static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct job *job = user;
    if (atomic_load(&job->convert->stopped)) return KODAMA_ERR_CANCELLED;
    int status = take(job, kodama_voice_process(job->voice, chunk->frames, chunk->n_frames,
                                                job->block, job->room));
    atomic_store(&job->done_ms, (chunk->position + chunk->n_frames) * 1000 / job->format.rate_hz);
    return status;
}

static int open_voice(struct job *job, uint32_t chunk_frames)
{
    struct kodama_voice_config config = job->convert->config;
    config.offline = true;
    config.input = job->format;
    config.output = job->format;
    config.output.sample = KODAMA_SAMPLE_F32;
    int status = kodama_voice_open(&job->voice, &config, &job->error);
    if (status < 0) return status;
    job->latency = kodama_voice_latency(job->voice);
    job->skip = job->latency;
    job->room = kodama_voice_room(job->voice, chunk_frames);
    size_t rest = kodama_voice_room(job->voice, 0);
    if (rest > job->room) job->room = rest;
    job->block = calloc(job->room * job->format.channels, sizeof *job->block);
    if (!job->block) return KODAMA_ERR_MEMORY;
    return soundfile_is_standard(job->out) ? open_stream(job) : open_draft(job);
}

static int read_source(struct job *job, struct kodama_source *source)
{
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    struct kodama_stream *stream = NULL;
    job->format = kodama_source_format(source);
    job->length = kodama_source_length(source);
    config.on_chunk = on_chunk;
    config.user = job;
    config.chunk_frames = job->format.rate_hz / 10;
    int status = open_voice(job, config.chunk_frames);
    if (status >= 0) status = kodama_stream_open(&stream, source, &config, &job->error);
    if (status < 0) {
        kodama_source_close(source);
        return status;
    }
    status = kodama_stream_start(stream, &job->error);
    if (status >= 0) status = kodama_stream_wait(stream, KODAMA_FOREVER, &job->error);
    kodama_stream_close(stream);
    if (status >= 0) status = take(job, kodama_voice_flush(job->voice, job->block, job->room));
    if (status < 0 && job->written.message[0]) job->error = job->written;
    return status;
}

static int open_source(struct job *job, struct kodama_source **source)
{
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    bool standard = soundfile_is_standard(job->in);
    config.paths = &job->in;
    config.n_paths = 1;
    if (standard) config.format = job->convert->raw;
    return kodama_source_open(source, standard ? "stdin" : "file", &config, &job->error);
}

/* Put OUT in its place. */
static int finish(struct job *job)
{
    if (job->stream) {
        soundfile_end(job->stream);
        job->code = output_code("convert", &job->stream->output);
        return job->code == EXIT_DONE ? KODAMA_OK : KODAMA_ERR_IO;
    }
    return kodama_draft_finish(job->draft, &job->error);
}

static void run_job(struct job *job)
{
    struct kodama_source *source;
    double begun_s = progress_now_s();
    int status = open_source(job, &source);
    if (status >= 0) status = read_source(job, source);
    if (status >= 0 && !atomic_load(&job->convert->stopped)) status = finish(job);
    /* The stream's callback has no words for what standard output said. */
    if (status < 0 && job->stream && job->code == EXIT_DONE)
        job->code = output_code("convert", &job->stream->output);
    if (job->stream) soundfile_end(job->stream);
    free(job->stream);
    job->stream = NULL;
    kodama_draft_close(job->draft);
    kodama_voice_close(job->voice);
    job->voice = NULL;
    free(job->block);
    job->spent_s = progress_now_s() - begun_s;
    job->status = status;
}

static void *work(void *argument)
{
    struct convert *convert = argument;
    while (!atomic_load(&convert->stopped)) {
        size_t i = atomic_fetch_add(&convert->next, 1);
        if (i >= convert->n_jobs) break;
        run_job(&convert->jobs[i]);
        atomic_store(&convert->jobs[i].ended, true);
        char byte = 0;
        if (write(convert->wake[1], &byte, 1) < 0) break;
    }
    return NULL;
}

/* ------------------------------------------------------------ what is told */

static int tell_json(const struct job *job)
{
    bool standard = soundfile_is_standard(job->out);
    double duration_s = (double)job->n_frames / (double)job->format.rate_hz;
    json_t *all = json_object();
    json_object_set_new(all, "in", json_words(job->in));
    json_object_set_new(all, "out", json_words(job->out));
    json_object_set_new(all, "type", json_string(kodama_file_name(type_of(job))));
    json_object_set_new(all, "sample", json_string(kodama_sample_name(sample_of(job))));
    json_object_set_new(all, "rate", json_integer(job->format.rate_hz));
    json_object_set_new(all, "channels", json_integer(job->format.channels));
    json_object_set_new(all, "duration", json_rounded(duration_s, 6));
    json_object_set_new(all, "seconds", json_rounded(job->spent_s, 3));
    json_object_set_new(all, "speed", json_rounded(duration_s / job->spent_s, 1));
    json_object_set_new(all, "latency_ms",
                        json_rounded((double)job->latency * 1000 / (double)job->format.rate_hz, 3));
    return json_print("convert", standard ? STDERR_FILENO : STDOUT_FILENO, all);
}

static int tell_words(const struct job *job)
{
    if (soundfile_is_standard(job->out)) return EXIT_DONE;
    struct text line = {0};
    double duration_s = (double)job->n_frames / (double)job->format.rate_hz;
    text_printf(&line, "%s: %.3f s, %.0f times as fast as it lasts\n", job->out, duration_s,
                duration_s / job->spent_s);
    int code = output_whole("convert", line.bytes, line.length);
    text_free(&line);
    return code;
}

/* What became of a file that has ended. */
static int tell(struct convert *convert, struct job *job)
{
    int code = EXIT_DONE;
    job->told = true;
    if (job->status == KODAMA_ERR_CANCELLED || atomic_load(&convert->stopped)) {
        /* the signal says enough */
    } else if (job->code != EXIT_DONE) {
        code = job->code; /* complained of */
    } else if (job->status < 0) {
        if (job->status == KODAMA_ERR_BUSY)
            progress_note(&convert->progress, "there is a file %s already; --overwrite replaces it",
                          job->out);
        else
            progress_note(&convert->progress, "%s: %s", job->in,
                          job->error.message[0] ? job->error.message
                                                : kodama_strerror(job->status));
        code = EXIT_FAILED;
    } else {
        code = convert->options->json ? tell_json(job) : tell_words(job);
    }
    return code;
}

/* Until all have ended; the worst of their codes. */
static int look_on(struct convert *convert)
{
    int code = EXIT_DONE;
    double length_s = 0;
    for (size_t i = 0; i < convert->n_jobs; i++) {
        length_s = convert->jobs[i].length_s < 0 ? -1 : length_s + convert->jobs[i].length_s;
        if (length_s < 0) break;
    }
    for (size_t n_told = 0; n_told < convert->n_jobs && !atomic_load(&convert->stopped);) {
        struct pollfd pollers[] = {{.fd = interrupt_descriptor(), .events = POLLIN},
                                   {.fd = convert->wake[0], .events = POLLIN}};
        int n = poll(pollers, 2, progress_is_shown(&convert->progress) ? TICK_MS : -1);
        if (n > 0 && pollers[0].revents) {
            interrupt_acknowledge();
            screen_refresh(&convert->progress.screen);
        }
        char bytes[64];
        if (n > 0 && pollers[1].revents && read(convert->wake[0], bytes, sizeof bytes) < 0) break;
        if (interrupt_signal()) atomic_store(&convert->stopped, true);
        double done_s = 0;
        for (size_t i = 0; i < convert->n_jobs; i++) {
            struct job *job = &convert->jobs[i];
            done_s += (double)atomic_load(&job->done_ms) * 1e-3;
            if (job->told || !atomic_load(&job->ended)) continue;
            int told = tell(convert, job);
            if (told != EXIT_DONE) code = told;
            if (told == EXIT_UNREAD) atomic_store(&convert->stopped, true);
            n_told++;
        }
        progress_show(&convert->progress, done_s, length_s);
    }
    return code;
}

static int run_all(struct convert *convert)
{
    pthread_t threads[JOBS_MAX];
    size_t n_threads = 0;
    long n_cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = convert->options->jobs ? convert->options->jobs
                    : n_cores > 0          ? (size_t)n_cores
                                           : 1;
    if (wanted > convert->n_jobs) wanted = convert->n_jobs;
    if (wanted > JOBS_MAX) wanted = JOBS_MAX;
    if (pipe(convert->wake) < 0) {
        complain("convert", "no pipe: %s", error_words(errno));
        return EXIT_FAILED;
    }
    /* From here on a signal waits for what is being written. */
    interrupt_arm();
    while (n_threads < wanted && pthread_create(&threads[n_threads], NULL, work, convert) == 0) {
        n_threads++;
    }
    if (n_threads == 0) complain("convert", "no thread can be started");
    int code = n_threads > 0 ? look_on(convert) : EXIT_FAILED;
    atomic_store(&convert->stopped, true);
    for (size_t i = 0; i < n_threads; i++) pthread_join(threads[i], NULL);
    close(convert->wake[0]);
    close(convert->wake[1]);
    return interrupt_signal() ? 128 + interrupt_signal() : code;
}

/* ------------------------------------------------------------ what to do */

/* FOLDER/NAME, with the ending of the type that is asked for, or of one that can be written. */
static char *out_in_folder(const struct convert_options *options, const char *in)
{
    const char *name = strrchr(in, '/') ? strrchr(in, '/') + 1 : in;
    const char *dot = strrchr(name, '.');
    int stem = (int)(dot && dot != name ? dot - name : (ptrdiff_t)strlen(name));
    struct text path = {0};
    if (options->type)
        text_printf(&path, "%s/%.*s.%s", options->folder, stem, name, options->type);
    else if (kodama_file_of(name) != KODAMA_FILE_AUTO)
        text_printf(&path, "%s/%s", options->folder, name);
    else
        text_printf(&path, "%s/%.*s.wav", options->folder, stem, name);
    char *out = strdup(text_string(&path));
    text_free(&path);
    return out;
}

/* The name of a file that need not be there, with a folder that all its spellings have in common.
 */
static char *place_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    struct text folder = {0}, place = {0};
    char *there = realpath(path, NULL);
    if (there || soundfile_is_standard(path)) return there ? there : strdup(path);
    if (slash) text_add_bytes(&folder, path, (size_t)(name - path));
    there = realpath(slash ? text_string(&folder) : ".", NULL);
    text_printf(&place, "%s/%s", there ? there : "", there ? name : path);
    free(there);
    there = strdup(text_string(&place));
    text_free(&folder);
    text_free(&place);
    return there;
}

/* Make --output-dir, if it is not there. */
static int make_folder(const char *path)
{
    struct stat about;
    if (mkdir(path, 0777) == 0) return EXIT_DONE;
    int number = errno;
    if (number == EEXIST && stat(path, &about) == 0) {
        if (S_ISDIR(about.st_mode)) return EXIT_DONE;
        number = ENOTDIR;
    }
    complain("convert", "cannot make the folder %s: %s", path, error_words(number));
    return EXIT_FAILED;
}

static int add_jobs(struct convert *convert, const struct invocation *invocation)
{
    const struct convert_options *options = convert->options;
    bool folder = options->folder != NULL;
    size_t n = invocation->n_operands;
    if (!folder && n % 2 != 0) {
        complain("convert", "%s has no OUT: give pairs of IN and OUT, or --output-dir",
                 invocation->operands[n - 1]);
        return EXIT_USAGE;
    }
    convert->n_jobs = folder ? n : n / 2;
    convert->jobs = calloc(convert->n_jobs, sizeof *convert->jobs);
    for (size_t i = 0; convert->jobs && i < convert->n_jobs; i++) {
        struct job *job = &convert->jobs[i];
        job->convert = convert;
        job->in = invocation->operands[folder ? i : 2 * i];
        job->out =
            folder ? out_in_folder(options, job->in) : strdup(invocation->operands[2 * i + 1]);
        if (!job->out) return EXIT_FAILED;
    }
    if (!convert->jobs) return EXIT_FAILED;
    int code = folder ? make_folder(options->folder) : EXIT_DONE;
    for (size_t i = 0; i < convert->n_jobs && code == EXIT_DONE; i++) {
        struct job *job = &convert->jobs[i];
        job->in_place = place_of(job->in);
        job->out_place = place_of(job->out);
        if (!job->in_place || !job->out_place) code = EXIT_FAILED;
    }
    return code;
}

static int check_job(struct convert *convert, struct job *job)
{
    const struct convert_options *options = convert->options;
    bool standard = soundfile_is_standard(job->in) || soundfile_is_standard(job->out);
    if (standard && convert->n_jobs > 1) {
        complain("convert", "- (standard input or output) stands alone");
        return EXIT_USAGE;
    }
    if (!soundfile_is_standard(job->out)) {
        struct stat about;
        if (stat(job->out, &about) == 0 && S_ISDIR(about.st_mode)) {
            complain("convert", "%s is a folder: name a file in it, or give --output-dir %s",
                     job->out, job->out);
            return EXIT_USAGE;
        }
        if (!options->type && kodama_file_of(job->out) == KODAMA_FILE_AUTO) {
            complain("convert",
                     "cannot tell the type of %s by its name: let it end in .wav, .flac, .ogg, "
                     ".opus or .mp3, or give --type",
                     job->out);
            return EXIT_USAGE;
        }
        if (!options->overwrite && lstat(job->out, &about) == 0) {
            complain("convert", "there is a file %s already; --overwrite replaces it", job->out);
            return EXIT_FAILED;
        }
    }
    job->length_s = -1;
    if (soundfile_is_standard(job->in)) return input_raw(&convert->raw, "convert", options->raw);
    struct kodama_source *source;
    if (open_source(job, &source) < 0) {
        complain("convert", "%s", job->error.message);
        return EXIT_FAILED;
    }
    int64_t length = kodama_source_length(source);
    double rate_hz = (double)kodama_source_format(source).rate_hz;
    if (length >= 0) job->length_s = (double)length / rate_hz;
    kodama_source_close(source);
    return EXIT_DONE;
}

/* Two that would write the same file, or one that would read what another one writes. */
static int check_pairs(const struct convert *convert)
{
    for (size_t i = 0; i < convert->n_jobs; i++) {
        for (size_t k = 0; k < convert->n_jobs; k++) {
            const struct job *a = &convert->jobs[i], *b = &convert->jobs[k];
            if (i < k && strcmp(a->out_place, b->out_place) == 0) {
                complain("convert", "%s and %s would both become %s", a->in, b->in, a->out);
                return EXIT_USAGE;
            }
            if (i != k && strcmp(a->out_place, b->in_place) == 0) {
                complain("convert",
                         "%s would be written while it is read: convert one after the "
                         "other",
                         a->out);
                return EXIT_USAGE;
            }
        }
    }
    return EXIT_DONE;
}

int convert_run(const struct invocation *invocation)
{
    static const struct kodama_voice_config plain = KODAMA_VOICE_CONFIG_INIT;
    struct convert convert = {.options = invocation->options, .config = plain};
    int code = voice_options_read("convert", &convert.options->voice, &convert.config);
    if (code == EXIT_DONE) code = add_jobs(&convert, invocation);
    if (code == EXIT_DONE) code = check_pairs(&convert);
    for (size_t i = 0; i < convert.n_jobs && code == EXIT_DONE; i++) {
        code = check_job(&convert, &convert.jobs[i]);
    }
    if (code == EXIT_DONE) {
        bool standard = soundfile_is_standard(convert.jobs[0].out);
        progress_open(&convert.progress, "convert", convert.options->progress, !standard);
        progress_begin(&convert.progress, "converting");
        code = run_all(&convert);
        progress_close(&convert.progress);
    }
    for (size_t i = 0; convert.jobs && i < convert.n_jobs; i++) {
        free(convert.jobs[i].out);
        free(convert.jobs[i].in_place);
        free(convert.jobs[i].out_place);
    }
    free(convert.jobs);
    kodama_voice_model_close(convert.config.model);
    return code;
}
