/*
 * The Whisper engine: segment decoding of whole utterances with libwhisper.
 *
 * One context (the weights) per model, one state per decoder. What a state keeps from one call to
 * the next must not reach a result, and is dealt with as follows: earlier text (`no_context`; the
 * prompt is the conversation's own), the generator of random numbers (never used: the temperature
 * is 0; an utterance that needs another one gets a state of its own), the size of the encoder's
 * window (set before a language is looked for, too). `params.vad` is not used: it is ignored with
 * states, and the segmenter has done that work.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whisper.h>
#if defined(KODAMA_WHISPER_BACKENDS)
#include <ggml-backend.h>
#endif

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "speech/engine.h"
#include "speech/engine_whisper_check.h"
#include "speech/engine_whisper_past.h"
#include "speech/engine_whisper_words.h"

enum {
    SHORTEST = ENGINE_RATE_HZ / 10,               /* libwhisper hears nothing in less */
    WINDOW = WHISPER_CHUNK_SIZE * ENGINE_RATE_HZ, /* longer utterances are cut */
    CUT_WITHIN = 6 * ENGINE_RATE_HZ, /* of a window's end, where it is quietest over ... */
    QUIET = ENGINE_RATE_HZ / 10,
    SAMPLES_PER_PLACE = ENGINE_RATE_HZ / 50, /* of the encoder's output */
    /* The encoder is trained on 1500 places; far fewer than the sound fills make it repeat itself.
     * What is spared is what makes partials affordable: its cost is proportional to them. */
    SPARE_PLACES = 128,
    PLACES_STEP = 64,             /* so that few different graphs are built */
    PROMPT_TOKENS_MAX = 224,      /* half of its 448 places, as Whisper takes */
    DETECT_FROM = ENGINE_RATE_HZ, /* a language found in less is a guess: the last one is better */
    THREADS_MAX = 8,
    POOL_DEFAULT_MAX = 4, /* as model.c */
};

/** whisper.cpp's (and OpenAI's) measures of a decoding that went wrong. */
static const double entropy_least = 2.4;
static const double logprob_least = -1.0;
enum { ENTROPY_TOKENS = 32 };
/** Temperatures that are tried then. */
static const float temperature_step = 0.2f;

struct model {
    struct whisper_context *whisper;
    const struct kodama_log *log;
    char language[ENGINE_LANGUAGE_BYTES]; /* a code, or "auto" */
    int n_threads;                        /* of one decoder */
};

struct decoder {
    const struct model *model;
    struct whisper_state *state;
};

/** What is asked of one call. */
struct request {
    const float *samples;
    size_t n_samples;
    const char *language;
    const whisper_token *prompt;
    int n_prompt;
    const _Atomic bool *cancel;
};

/* ----------------------------------------------------------------- messages */

/* libwhisper has one message sink for the whole process: ours hands each message to the log of the
 * model that the thread is at work for, and keeps the last error for a person. Its helper threads
 * have none and are silent. */
static _Thread_local const struct kodama_log *thread_log;
static _Thread_local char last_error[200];

static void note_message(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    size_t n = strcspn(text, "\n");
    if (n == 0) return;
    bool bad = level == GGML_LOG_LEVEL_ERROR;
    if (bad) snprintf(last_error, sizeof last_error, "%.*s", (int)n, text);
    log_write(thread_log, bad ? KODAMA_LOG_WARNING : KODAMA_LOG_DEBUG, "whisper: %.*s", (int)n,
              text);
}

static const char *reason(void)
{
    return last_error[0] ? last_error : "no reason given";
}

static void begin_work(const struct kodama_log *log)
{
    thread_log = log;
    last_error[0] = 0;
}

static void prepare_library(void)
{
    whisper_log_set(note_message, NULL);
#if defined(KODAMA_WHISPER_BACKENDS)
    /* Distributions build the parts that compute as plugins: without them the library aborts. */
    ggml_backend_load_all();
#endif
}

static pthread_once_t library_prepared = PTHREAD_ONCE_INIT;

/* -------------------------------------------------------------------- model */

static size_t read_file(void *context, void *bytes, size_t n_bytes)
{
    return fread(bytes, 1, n_bytes, context);
}

static bool is_file_over(void *context)
{
    return feof((FILE *)context) != 0;
}

static void leave_file(void *context)
{
    (void)context; /* its opener closes it */
}

static void whisper_model_close(void *opaque)
{
    struct model *model = opaque;
    if (!model) return;
    begin_work(model->log);
    if (model->whisper) whisper_free(model->whisper);
    thread_log = NULL;
    free(model);
}

static int whisper_check_language(void *opaque, const char *language, struct kodama_error *error)
{
    const struct model *model = opaque;
    bool is_short = strlen(language) < ENGINE_LANGUAGE_BYTES;
    if (strcmp(language, "auto") == 0 || strcmp(language, "en") == 0) return KODAMA_OK;
    begin_work(model->log);
    int id = is_short ? whisper_lang_id(language) : -1;
    thread_log = NULL;
    if (id < 0 || strcmp(whisper_lang_str(id), language) != 0) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "Whisper knows no language '%.20s': use a code such as en, de or ja, or "
                         "auto",
                         language);
    }
    if (whisper_is_multilingual(model->whisper)) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_ARGUMENT,
                     "this model knows English only, not '%s': take one without .en in its name",
                     language);
}

static int open_file(struct model *model, const char *path, struct kodama_error *error)
{
    char words[128];
    struct whisper_head head;
    FILE *file = fopen(path, "rb");
    if (!file) {
        return error_set(error, KODAMA_ERR_NOT_FOUND, "cannot open the Whisper model %s: %s", path,
                         error_errno(errno, words, sizeof words));
    }
    int status = whisper_file_check(file, path, &head, error);
    if (status == KODAMA_OK) {
        rewind(file); /* the file that was checked, not another one of its name */
        struct whisper_model_loader loader = {file, read_file, is_file_over, leave_file};
        model->whisper =
            whisper_init_with_params_no_state(&loader, whisper_context_default_params());
        if (!model->whisper) {
            status = error_set(error, KODAMA_ERR_ENGINE, "Whisper cannot load the model %s: %s",
                               path, reason());
        }
    }
    fclose(file);
    return status;
}

/** "base.en" of "/models/ggml-base.en.bin", as the model store calls it. */
static void put_name(const char *path, char *name, size_t n_bytes)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    if (strncmp(base, "ggml-", 5) == 0 && base[5]) base += 5;
    size_t n = strlen(base);
    if (n > 4 && strcmp(base + n - 4, ".bin") == 0) n -= 4;
    snprintf(name, n_bytes, "%.*s", (int)n, base);
}

static int threads_of_decoder(uint32_t n_decoders)
{
    int n_processors = thread_processors();
    int n = n_decoders > 0 ? (int)n_decoders
                           : (n_processors < POOL_DEFAULT_MAX ? n_processors : POOL_DEFAULT_MAX);
    int n_threads = n > 0 ? n_processors / n : 1;
    return n_threads < 1 ? 1 : n_threads > THREADS_MAX ? THREADS_MAX : n_threads;
}

static int whisper_model_open(void **opaque, const struct kodama_model_config *config, char *name,
                              size_t n_name_bytes, struct kodama_error *error)
{
    *opaque = NULL;
    if (!config->path) {
        return error_set(error, KODAMA_ERR_NOT_FOUND,
                         "Whisper has no model of its own: name a file (docs/models.md says where "
                         "to get one)");
    }
    if (config->grammar) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "Whisper takes no grammar; use the engine pocketsphinx for one");
    }
    pthread_once(&library_prepared, prepare_library);
    struct model *model = memory_array(1, sizeof *model);
    if (!model) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    model->log = config->log;
    model->n_threads = threads_of_decoder(config->n_decoders);
    begin_work(model->log);
    const char *language = config->language && config->language[0] ? config->language : "auto";
    int status = open_file(model, config->path, error);
    if (status == KODAMA_OK) status = whisper_check_language(model, language, error);
    thread_log = NULL;
    if (status < 0) {
        whisper_model_close(model);
        return status;
    }
    snprintf(model->language, sizeof model->language, "%s", language);
    put_name(config->path, name, n_name_bytes);
    *opaque = model;
    return KODAMA_OK;
}

static int whisper_probe(char *where, size_t n_bytes)
{
    snprintf(where, n_bytes, "libwhisper %s; models are named with --model FILE",
             whisper_version());
    return KODAMA_OK;
}

/* ------------------------------------------------------------------ decoder */

static void whisper_decoder_close(void *opaque)
{
    struct decoder *decoder = opaque;
    if (!decoder) return;
    begin_work(decoder->model->log);
    if (decoder->state) whisper_free_state(decoder->state);
    thread_log = NULL;
    free(decoder);
}

static int whisper_decoder_open(void **opaque, void *opaque_model, struct kodama_error *error)
{
    const struct model *model = opaque_model;
    *opaque = NULL;
    struct decoder *decoder = memory_array(1, sizeof *decoder);
    if (!decoder) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    decoder->model = model;
    begin_work(model->log);
    decoder->state = whisper_init_state(model->whisper);
    thread_log = NULL;
    if (!decoder->state) {
        free(decoder);
        return error_set(error, KODAMA_ERR_MEMORY, "Whisper cannot make a decoder: %s", reason());
    }
    *opaque = decoder;
    return KODAMA_OK;
}

/* ------------------------------------------------------------------ decoding */

/** Tokens of the prompt; returns how many. */
static int tokenize(const struct model *model, const struct whisper_past *past,
                    whisper_token *tokens, int n_max)
{
    char text[WHISPER_PAST_BYTES + 2];
    if (!past->text[0]) return 0;
    snprintf(text, sizeof text, " %s", past->text);
    const char *begin = text;
    for (;;) {
        int n = whisper_tokenize(model->whisper, begin, tokens, n_max);
        if (n >= 0) return n;
        begin = strchr(begin + strlen(begin) / 4 + 1, ' '); /* scripts with more tokens a byte */
        if (!begin) return 0;
    }
}

static bool is_cancelled(void *user)
{
    const _Atomic bool *cancel = user;
    return atomic_load_explicit(cancel, memory_order_relaxed);
}

/** Places of the encoder for so many samples; 0: all. */
static int fit_places(const struct model *model, size_t n_samples)
{
    size_t n = n_samples / SAMPLES_PER_PLACE + 1 + SPARE_PLACES;
    n += PLACES_STEP - 1 - (n - 1) % PLACES_STEP;
    return n < (size_t)whisper_n_audio_ctx(model->whisper) ? (int)n : 0;
}

static struct whisper_full_params parameters(const struct model *model,
                                             const struct request *request)
{
    struct whisper_full_params params = whisper_full_default_params(WHISPER_SAMPLING_GREEDY);
    params.n_threads = model->n_threads;
    params.no_context = true;
    /* One pass over what fits into the window: a second one behind the last mark of time would hear
     * words into the silence, and with marks that hardly move on there may be hundreds. */
    params.single_segment = true;
    params.print_progress = false;
    params.print_timestamps = false;
    params.token_timestamps = true;
    params.suppress_nst = true;
    params.temperature_inc = 0.0f;
    params.greedy.best_of = 1;
    params.language = request->language;
    params.prompt_tokens = request->prompt;
    params.prompt_n_tokens = request->n_prompt;
    params.audio_ctx = fit_places(model, request->n_samples);
    params.abort_callback = is_cancelled;
    /* libwhisper hands it back as it is and does not write to it. */
    params.abort_callback_user_data = (void *)(uintptr_t)request->cancel;
    return params;
}

static int run(const struct model *model, struct whisper_state *state,
               struct whisper_full_params params, const struct request *request)
{
    int failed = whisper_full_with_state(model->whisper, state, params, request->samples,
                                         (int)request->n_samples);
    if (atomic_load_explicit(request->cancel, memory_order_relaxed)) return KODAMA_ERR_CANCELLED;
    return failed ? KODAMA_ERR_ENGINE : KODAMA_OK;
}

/**
 * The language spoken. Looked for by hand: libwhisper's own way uses the window of whatever the
 * state decoded before.
 */
static int detect(const struct decoder *decoder, const struct request *request, const char **found)
{
    struct whisper_full_params params = parameters(decoder->model, request);
    params.language = "en";
    params.duration_ms = SHORTEST / (ENGINE_RATE_HZ / 1000); /* sets up, and decodes nothing */
    int status = run(decoder->model, decoder->state, params, request);
    if (status < 0) return status;
    int id = whisper_lang_auto_detect_with_state(decoder->model->whisper, decoder->state, 0,
                                                 decoder->model->n_threads, NULL);
    if (is_cancelled((void *)(uintptr_t)request->cancel)) return KODAMA_ERR_CANCELLED;
    *found = id >= 0 ? whisper_lang_str(id) : NULL;
    return *found ? KODAMA_OK : KODAMA_ERR_ENGINE;
}

/** Choose the request's language: as set, or that of the conversation, or found out. */
static int choose_language(const struct decoder *decoder, const struct engine_context *context,
                           const struct whisper_past *past, bool guess, struct request *request)
{
    const struct model *model = decoder->model;
    const char *wanted = context->language[0] ? context->language : model->language;
    request->language = "en";
    if (!whisper_is_multilingual(model->whisper)) return KODAMA_OK;
    request->language = wanted;
    if (strcmp(wanted, "auto") != 0) return KODAMA_OK;
    /* A partial does not pay for a second pass of the encoder once a language is known. */
    if (past->language[0] && (guess || request->n_samples < DETECT_FROM)) {
        request->language = past->language;
        return KODAMA_OK;
    }
    return detect(decoder, request, &request->language);
}

/** Whether what the state decoded looks like a loop or like noise made to words. */
static bool looks_wrong(struct whisper_context *whisper, struct whisper_state *state)
{
    whisper_token last[ENTROPY_TOKENS];
    size_t n_tokens = 0;
    double sum = 0.0;
    for (int i = 0; i < whisper_full_n_segments_from_state(state); i++) {
        for (int j = 0; j < whisper_full_n_tokens_from_state(state, i); j++) {
            whisper_token_data token = whisper_full_get_token_data_from_state(state, i, j);
            if (token.id >= whisper_token_eot(whisper)) continue;
            last[n_tokens++ % ENTROPY_TOKENS] = token.id;
            sum += (double)token.plog;
        }
    }
    if (n_tokens == 0) return false;
    if (sum / (double)n_tokens < logprob_least) return true;
    if (n_tokens <= ENTROPY_TOKENS) return false;
    double entropy = 0.0;
    for (size_t i = 0; i < ENTROPY_TOKENS; i++) {
        size_t n_same = 0;
        for (size_t j = 0; j < ENTROPY_TOKENS; j++) n_same += last[i] == last[j];
        entropy -= log((double)n_same / ENTROPY_TOKENS) / ENTROPY_TOKENS;
    }
    return entropy < entropy_least;
}

/** Decode anew with some chance in it, in a state that nobody used: its random numbers are the same
 * each time. */
static int decode_warmer(const struct model *model, const struct request *request, size_t first,
                         struct engine_result *result)
{
    struct whisper_state *state = whisper_init_state(model->whisper);
    if (!state) return KODAMA_ERR_MEMORY;
    struct whisper_full_params params = parameters(model, request);
    params.temperature = temperature_step;
    params.temperature_inc = temperature_step;
    int status = run(model, state, params, request);
    if (status == KODAMA_OK) {
        status = whisper_take_words(model->whisper, state, first, request->n_samples, result);
    }
    whisper_free_state(state);
    return status;
}

/** Decode what fits into a window; it begins at sample `first` of the utterance. */
static int decode_piece(struct decoder *decoder, bool guess, const struct whisper_past *past,
                        size_t first, struct request *request, struct engine_result *result)
{
    const struct model *model = decoder->model;
    whisper_token prompt[PROMPT_TOKENS_MAX];
    request->prompt = prompt;
    request->n_prompt = tokenize(model, past, prompt, PROMPT_TOKENS_MAX);
    int status = run(model, decoder->state, parameters(model, request), request);
    if (status < 0) return status;
    if (!guess && looks_wrong(model->whisper, decoder->state)) {
        return decode_warmer(model, request, first, result);
    }
    return whisper_take_words(model->whisper, decoder->state, first, request->n_samples, result);
}

/** How much of so many samples to decode at once: all, or up to where it is quietest. */
static size_t piece_length(const float *samples, size_t n_samples)
{
    if (n_samples <= WINDOW) return n_samples;
    size_t best = WINDOW;
    double least = INFINITY;
    for (size_t begin = WINDOW - CUT_WITHIN; begin + QUIET <= WINDOW; begin += QUIET / 2) {
        double energy = 0.0;
        for (size_t i = begin; i < begin + QUIET; i++) {
            energy += (double)samples[i] * (double)samples[i];
        }
        if (energy > least) continue;
        least = energy;
        best = begin + QUIET / 2;
    }
    return best;
}

static int decode_words(struct decoder *decoder, const struct engine_context *context, bool guess,
                        const struct request *whole, struct whisper_past *past,
                        struct engine_result *result)
{
    struct request request = *whole;
    for (size_t first = 0; first + SHORTEST <= whole->n_samples; first += request.n_samples) {
        request.samples = whole->samples + first;
        request.n_samples = piece_length(request.samples, whole->n_samples - first);
        if (first == 0) {
            int chosen = choose_language(decoder, context, past, guess, &request);
            if (chosen < 0) return chosen;
            snprintf(past->language, sizeof past->language, "%s", request.language);
        }
        size_t n_before = result->n_words;
        int status = decode_piece(decoder, guess, past, first, &request, result);
        if (status < 0) return status;
        whisper_past_add(past, result->words + n_before, result->n_words - n_before);
    }
    return KODAMA_OK;
}

/** Samples that libwhisper can do with: a recording may hold what is no number. NULL: as they are.
 */
static int clean(const float *samples, size_t n_samples, float **cleaned)
{
    size_t i = 0;
    *cleaned = NULL;
    while (i < n_samples && isfinite(samples[i])) i++;
    if (i == n_samples) return KODAMA_OK;
    *cleaned = memory_array(n_samples, sizeof **cleaned);
    if (!*cleaned) return KODAMA_ERR_MEMORY;
    for (i = 0; i < n_samples; i++) (*cleaned)[i] = isfinite(samples[i]) ? samples[i] : 0.0f;
    return KODAMA_OK;
}

static int hear(struct decoder *decoder, const float *samples, size_t n_samples,
                const struct engine_context *context, bool guess, const _Atomic bool *cancel,
                struct whisper_past *past, struct engine_result *result)
{
    *result = (struct engine_result){0};
    if (atomic_load_explicit(cancel, memory_order_relaxed)) return KODAMA_ERR_CANCELLED;
    float *cleaned;
    int status = clean(samples, n_samples, &cleaned);
    if (status < 0) return status;
    begin_work(decoder->model->log);
    whisper_past_get(context, past);
    const struct request request = {
        .samples = cleaned ? cleaned : samples, .n_samples = n_samples, .cancel = cancel};
    status = decode_words(decoder, context, guess, &request, past, result);
    snprintf(result->language, sizeof result->language, "%s", past->language);
    thread_log = NULL;
    free(cleaned);
    if (status == KODAMA_OK && !engine_result_join(result)) status = KODAMA_ERR_MEMORY;
    if (status < 0) engine_result_clear(result);
    return status;
}

static int whisper_engine_decode(void *opaque, const float *samples, size_t n_samples,
                                 struct engine_context *context, const _Atomic bool *cancel,
                                 struct engine_result *result, struct kodama_error *error)
{
    struct whisper_past past;
    int status = hear(opaque, samples, n_samples, context, false, cancel, &past, result);
    if (status == KODAMA_OK && n_samples >= SHORTEST) whisper_past_put(context, &past);
    if (status == KODAMA_ERR_ENGINE) {
        return error_set(error, status, "Whisper gave an utterance up: %s", reason());
    }
    if (status == KODAMA_ERR_MEMORY) {
        return error_set(error, status, "out of memory for an utterance");
    }
    return status;
}

static int whisper_engine_guess(void *opaque, const float *samples, size_t n_samples,
                                const struct engine_context *context, const _Atomic bool *cancel,
                                struct engine_result *result)
{
    struct whisper_past past;
    return hear(opaque, samples, n_samples, context, true, cancel, &past, result);
}

extern const struct engine_ops engine_whisper;
const struct engine_ops engine_whisper = {
    .name = "whisper",
    .streaming = false,
    .probe = whisper_probe,
    .model_open = whisper_model_open,
    .model_close = whisper_model_close,
    .decoder_open = whisper_decoder_open,
    .decoder_close = whisper_decoder_close,
    .decode = whisper_engine_decode,
    .guess = whisper_engine_guess,
    .check_language = whisper_check_language,
};
