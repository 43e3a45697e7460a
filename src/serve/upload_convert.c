/* A file, or a short piece of a conversation, that is sent back in another voice as WAV. */
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kodama/voice.h>

#include "audio/audio_file.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "serve/upload_internal.h"
#include "serve/voice_open.h"

enum { BLOCK_FRAMES = 4096, CHUNK_MAX_MS = 10000 };

/* One conversion on its way. */
struct conversion {
    struct upload *upload;
    struct audio_file *file;
    struct kodama_format in, out;
    struct kodama_voice *voice;
    SNDFILE *wav;
    uint64_t n_in, n_out; /* frames read, and written */
    uint64_t n_skip;      /* of what comes out, that still have to be left out */
    uint64_t cpu_ns;
};

static int option(struct upload_options *options, const char *name, const char *value,
                  struct kodama_error *error)
{
    if (strcmp(name, "session_id") == 0) {
        if (strlen(value) >= sizeof options->session) {
            return error_set(error, KODAMA_ERR_ARGUMENT, "session_id must be shorter.");
        }
        snprintf(options->session, sizeof options->session, "%s", value);
    } else if (voice_options_knows(name)) {
        return voice_options_set(&options->voice, name, value, error);
    }
    return KODAMA_OK;
}

/* ------------------------------------------------------------------- frames */

static int write_frames(struct conversion *c, const void *frames, uint64_t n_frames)
{
    uint64_t skip = n_frames < c->n_skip ? n_frames : c->n_skip;
    const uint8_t *from = (const uint8_t *)frames + skip * kodama_frame_bytes(c->out);
    c->n_skip -= skip;
    n_frames -= skip;
    /* As many frames go out as came in. */
    if (n_frames > c->n_in - c->n_out) n_frames = c->n_in - c->n_out;
    sf_count_t n = (sf_count_t)n_frames;
    sf_count_t wrote = c->out.sample == KODAMA_SAMPLE_S16
                           ? sf_writef_short(c->wav, (const short *)(const void *)from, n)
                           : sf_writef_int(c->wav, (const int *)(const void *)from, n);
    c->n_out += (uint64_t)wrote;
    return wrote == n ? KODAMA_OK : KODAMA_ERR_IO;
}

static int change(struct conversion *c, const void *in, size_t n_in, void *out, size_t room)
{
    uint64_t began = clock_thread_cpu_ns();
    int64_t n = in ? kodama_voice_process(c->voice, in, n_in, out, room)
                   : kodama_voice_flush(c->voice, out, room);
    c->cpu_ns += clock_thread_cpu_ns() - began;
    return n < 0 ? (int)n : write_frames(c, out, (uint64_t)n);
}

/* All of the file through the voice; `whole`: its end, too. */
static int convert_all(struct conversion *c, bool whole, struct kodama_error *error)
{
    size_t room = kodama_voice_room(c->voice, BLOCK_FRAMES), tail = kodama_voice_latency(c->voice);
    uint8_t *in = memory_array(BLOCK_FRAMES, kodama_frame_bytes(c->in));
    uint8_t *out = memory_array(room > tail ? room : tail, kodama_frame_bytes(c->out));
    int64_t n = in && out ? 1 : KODAMA_ERR_MEMORY;
    while (n > 0 && (n = audio_file_read(c->file, in, BLOCK_FRAMES, error)) > 0) {
        c->n_in += (uint64_t)n;
        int status = change(c, in, (size_t)n, out, room > tail ? room : tail);
        if (upload_is_left(c->upload)) status = KODAMA_ERR_CANCELLED;
        if (status < 0) n = status;
    }
    if (n == 0 && whole) n = change(c, NULL, 0, out, room > tail ? room : tail);
    free(in);
    free(out);
    return (int)n;
}

/* -------------------------------------------------------------------- voices */

static int open_voice(struct conversion *c, struct kodama_voice **voice, struct kodama_error *error)
{
    const struct upload *u = c->upload;
    return voice_open_asked(u->server, &u->options.voice, c->in, c->out, true, voice, error);
}

/* A whole file: its sound lies where it lay. With a session its drift goes on from file to file. */
static int convert_file(struct conversion *c, struct voices_kept *kept, struct kodama_error *error)
{
    int status = open_voice(c, &c->voice, error);
    if (status < 0) return status;
    if (kept && kept->drift) {
        /* Of another rate, it begins anew. */
        (void)kodama_voice_load(c->voice, kept->drift, kept->n_drift);
        status = kodama_voice_set(c->voice, &c->upload->options.voice.settings);
    }
    c->n_skip = kodama_voice_latency(c->voice);
    if (status >= 0) status = convert_all(c, true, error);
    int64_t n = kept && status >= 0 ? kodama_voice_save(c->voice, NULL, 0) : 0;
    void *drift = n > 0 ? memory_array((size_t)n, 1) : NULL;
    if (drift && kodama_voice_save(c->voice, drift, (size_t)n) == n) {
        free(kept->drift);
        kept->drift = drift;
        kept->n_drift = (size_t)n;
    } else {
        free(drift);
    }
    kodama_voice_close(c->voice);
    return status;
}

/* Another model takes over in a crossfade. */
static int use_model(struct conversion *c, struct voices_kept *kept, struct kodama_error *error)
{
    const char *name = voice_open_name(&c->upload->options.voice);
    struct kodama_voice_model *model;
    if (strcmp(name, kept->name) == 0) return KODAMA_OK;
    if (!voice_open_waits(&c->upload->options.voice)) {
        return error_set(error, KODAMA_ERR_STATE, "A session with a model goes on with models.");
    }
    int status = voice_open_model(c->upload->server, name, &model, error);
    if (status >= 0) status = kodama_voice_use(kept->voice, model, error);
    kodama_voice_model_close(model);
    if (status >= 0) snprintf(kept->name, sizeof kept->name, "%s", name);
    return status;
}

/* A piece of a conversation: the voice goes on, and its latency stays. No bed: the pieces lie in
 * somebody else's sound. */
static int convert_chunk(struct conversion *c, struct voices_kept *kept, struct kodama_error *error)
{
    c->upload->options.voice.settings.noise = NULL;
    int status = KODAMA_OK;
    if (!kept->voice) {
        status = open_voice(c, &kept->voice, error);
        kept->format = c->in;
        snprintf(kept->name, sizeof kept->name, "%s", voice_open_name(&c->upload->options.voice));
    } else if (kept->format.rate_hz != c->in.rate_hz || kept->format.sample != c->in.sample ||
               kept->format.channels != c->in.channels) {
        return error_set(error, KODAMA_ERR_STATE,
                         "All chunks of a session must have the same format.");
    } else {
        status = kodama_voice_set(kept->voice, &c->upload->options.voice.settings);
    }
    if (status >= 0) status = use_model(c, kept, error);
    c->voice = kept->voice;
    return status < 0 ? status : convert_all(c, false, error);
}

/* ------------------------------------------------------------------ answering */

static unsigned http_status(int status)
{
    switch (status) {
    case KODAMA_ERR_STATE: return 409;
    case KODAMA_ERR_NOT_FOUND: return 404;
    case KODAMA_ERR_LIMIT: return 503;
    case KODAMA_ERR_IO: return 507;
    case KODAMA_ERR_CORRUPT:
    case KODAMA_ERR_FORMAT:
    case KODAMA_ERR_ARGUMENT: return 400;
    default: return 500;
    }
}

static void describe(struct conversion *c, uint64_t began_ns)
{
    struct upload *u = c->upload;
    u->headers[0].name = "X-Processing-Time-Ms:";
    snprintf(u->headers[0].value, UPLOAD_HEADER_BYTES, "%.3f",
             (double)(clock_now_ns() - began_ns) / CLOCK_NS_PER_MS);
    u->headers[1].name = "X-Audio-Length-Seconds:";
    snprintf(u->headers[1].value, UPLOAD_HEADER_BYTES, "%.6f", (double)c->n_out / c->out.rate_hz);
    u->headers[2].name = "X-Voice:";
    snprintf(u->headers[2].value, UPLOAD_HEADER_BYTES, "%s", voice_open_name(&u->options.voice));
    METRICS_ADD(u->server->metrics.conversions, 1);
    METRICS_ADD(u->server->metrics.voice_ns, c->cpu_ns);
    METRICS_ADD(u->server->metrics.voice_audio_ns, c->n_in * CLOCK_NS_PER_S / c->in.rate_hz);
}

/* The format of the answer: mono, as exact as the file was. */
static struct kodama_format format_of_answer(struct kodama_format in)
{
    bool is_exact = in.sample == KODAMA_SAMPLE_S24 || in.sample == KODAMA_SAMPLE_S32;
    return (struct kodama_format){.sample = is_exact ? KODAMA_SAMPLE_S32 : KODAMA_SAMPLE_S16,
                                  .rate_hz = in.rate_hz,
                                  .channels = 1};
}

/* Into an open file without a name. */
static int convert_into(struct conversion *c, int fd, bool chunk, struct voices_kept *kept,
                        struct kodama_error *error)
{
    SF_INFO info = {.samplerate = (int)c->out.rate_hz, .channels = 1};
    info.format =
        SF_FORMAT_WAV | (c->out.sample == KODAMA_SAMPLE_S16 ? SF_FORMAT_PCM_16 : SF_FORMAT_PCM_24);
    c->wav = sf_open_fd(fd, SFM_WRITE, &info, 0);
    if (!c->wav) return error_set(error, KODAMA_ERR_IO, "The server has no room for the answer.");
    int status = chunk ? convert_chunk(c, kept, error) : convert_file(c, kept, error);
    if (sf_close(c->wav) != 0 && status >= 0) status = KODAMA_ERR_IO;
    if (status == KODAMA_ERR_IO) {
        (void)error_set(error, status, "The server has no room for the answer.");
    }
    return status;
}

static void convert(struct upload *u, bool chunk, struct voices_kept *kept)
{
    struct conversion c = {.upload = u};
    struct kodama_error error = {0};
    char path[UPLOAD_PATH_BYTES];
    uint64_t began_ns = clock_now_ns();
    int status = audio_file_open(&c.file, u->path, &error);
    unlink(u->path); /* nothing is left behind, whatever comes */
    u->path[0] = '\0';
    if (status < 0) {
        upload_fail(u, 400, "The file is no sound that this server can read.");
        return;
    }
    c.in = audio_file_format(c.file);
    c.out = format_of_answer(c.in);
    int fd = upload_temporary(path);
    if (fd >= 0) {
        unlink(path);
        status = convert_into(&c, fd, chunk, kept, &error);
    } else {
        status = error_set(&error, KODAMA_ERR_IO, "The server has no room for the answer.");
    }
    audio_file_close(c.file);
    if (status >= 0) {
        describe(&c, began_ns);
        (void)upload_send_file(u, fd, "audio/wav");
    } else if (status != KODAMA_ERR_CANCELLED) {
        upload_fail(u, http_status(status),
                    error.message[0] ? error.message : "The file cannot be converted.");
    }
    if (fd >= 0) close(fd);
}

static void run(struct upload *u, bool chunk)
{
    struct voices *voices = &u->server->voices;
    struct voices_entry *entry = NULL;
    if (u->options.session[0]) {
        entry = voices_take(voices, u->options.owner, u->options.session, true);
        if (!entry) {
            upload_fail(u, 503, "There are as many voices as the server allows.");
            return;
        }
    } else if (chunk) {
        upload_fail(u, 400, "A chunk needs a session_id: it goes on from the chunk before.");
        return;
    }
    convert(u, chunk, entry ? voices_kept(entry) : NULL);
    voices_give(voices, entry);
}

static void run_file(struct upload *u)
{
    run(u, false);
}

static void run_chunk(struct upload *u)
{
    run(u, true);
}

#define NO_AUDIO "There is no sound; send it as the body, or as the field \"audio\" of a form."

const struct upload_work upload_convert = {
    .file = "audio", .no_file = NO_AUDIO, .option = option, .run = run_file};

const struct upload_work upload_convert_chunk = {
    .file = "audio", .no_file = NO_AUDIO, .is_short = true, .option = option, .run = run_chunk};
