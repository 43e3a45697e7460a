/*
 * The PocketSphinx engine: dictation and JSGF grammars, streaming partials, whole-utterance finals.
 *
 * A final is decoded with the whole utterance at once, so that the cepstral mean is that of its own
 * samples; what the decoder heard before cannot reach it. Three kinds of state would otherwise
 * leak from one utterance to the next, and each is reset before every use: the kind of
 * normalisation (live feeding switches it from batch to live for good), the live mean, and the
 * noise tracker of the front end. Silence is not dropped: it would shift every word's time, and the
 * segmenter has dropped it already.
 */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "audio/convert.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/record.h"
#include "speech/engine.h"
#include "speech/engine_pocketsphinx_api.h"

enum {
    /* After so much of an utterance its own mean is known well enough to hear it anew on it: the
     * mean of an earlier utterance, or of none, makes poor partials (see bench/recognition). */
    ANEW_FIRST = ENGINE_RATE_HZ,
    ANEW_LAST = 5 * ENGINE_RATE_HZ / 2,
    /* Shorter ones have no words, and those below five frames end the program in 5.1.1. */
    SHORTEST = ENGINE_RATE_HZ / 10,
    PATH_BYTES = 1024,
    GRAMMAR_BYTES_MAX = 1 << 20,
    /* Limits that halve the cost and change no word of Debian's test data. */
    ACTIVE_STATES_MAX = 5000,
    ACTIVE_WORDS_MAX = 10,
};

struct model {
    char acoustic[PATH_BYTES];   /* folder */
    char language[PATH_BYTES];   /* file; empty with a grammar */
    char dictionary[PATH_BYTES]; /* file */
    char grammar_path[PATH_BYTES];
    char *grammar; /* JSGF text, or NULL: dictation. Read once, so that all decoders agree. */
};

struct decoder {
    ps_decoder_t *sphinx;
    sphinx_config *config;
    ngram_model_t *language;  /* NULL with a grammar */
    const char *final_search; /* name */
    const char *live_search;  /* name; NULL: not built yet */
    int normalisation;        /* as the model wants it */
    float cold_mean[SPHINX_CEPSTRA];
    bool has_mean;
    bool streamed;               /* heard something live since the last reset */
    bool hearing;                /* between begin() and abandon() */
    uint32_t heard;              /* samples since begin() */
    int16_t *begun;              /* [ANEW_LAST] the first of them */
    float prior[SPHINX_CEPSTRA]; /* mean that the utterance was begun with */
};

/* ----------------------------------------------------------------- messages */

/* PocketSphinx has one message sink for the whole process. Ours is silent, and keeps a thread's
 * last error for the sentence that a person will read. */
static _Thread_local char last_message[200];

static void note_message(void *user, err_lvl_t level, const char *format, ...)
{
    (void)user;
    if (level != ERR_ERROR && level != ERR_FATAL) return;
    char text[1200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    /* Leave out 'ERROR: "file.c", line 12: '. */
    const char *words = strstr(text, "line ");
    words = words ? strstr(words, ": ") : NULL;
    snprintf(last_message, sizeof last_message, "%.199s", words ? words + 2 : text);
}

static const char *message(void)
{
    return last_message[0] ? last_message : "no reason given";
}

/* -------------------------------------------------------------------- model */

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

static bool is_acoustic(const char *folder)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/mdef", folder);
    return n > 0 && n < PATH_BYTES && is_file(path);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text);
    size_t n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

/** Look through a model's folder: an acoustic model in it or in a folder of it, *.lm.bin, *.dict.
 */
static int find_files(struct model *model, const char *folder, struct kodama_error *error)
{
    char words[128];
    DIR *entries = opendir(folder);
    if (!entries) {
        return error_set(error, KODAMA_ERR_NOT_FOUND, "no speech model in %s: %s; install %s",
                         folder, error_errno(errno, words, sizeof words), "pocketsphinx-en-us");
    }
    if (is_acoustic(folder)) snprintf(model->acoustic, PATH_BYTES, "%s", folder);
    for (struct dirent *entry; (entry = readdir(entries));) {
        char path[PATH_BYTES];
        if (entry->d_name[0] == '.') continue;
        int n = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (n < 0 || n >= PATH_BYTES) continue;
        bool language = ends_with(path, ".lm.bin") || ends_with(path, ".lm");
        if (language && !strstr(entry->d_name, "phone")) {
            memcpy(model->language, path, (size_t)n + 1);
        } else if (ends_with(path, ".dict") || ends_with(path, ".dic")) {
            memcpy(model->dictionary, path, (size_t)n + 1);
        } else if (is_acoustic(path)) {
            memcpy(model->acoustic, path, (size_t)n + 1);
        }
    }
    closedir(entries);
    const char *missing = !model->acoustic[0]     ? "acoustic model (a folder with mdef)"
                          : !model->dictionary[0] ? "dictionary (*.dict)"
                          : !model->language[0]   ? "language model (*.lm.bin)"
                                                  : NULL;
    if (missing && !(model->grammar_path[0] && model->dictionary[0] && model->acoustic[0])) {
        return error_set(error, KODAMA_ERR_NOT_FOUND, "the model in %s has no %s", folder, missing);
    }
    return KODAMA_OK;
}

static int read_grammar(struct model *model, struct kodama_error *error)
{
    char words[128];
    const char *path = model->grammar_path;
    FILE *file = fopen(path, "rb");
    if (!file) {
        return error_set(error, KODAMA_ERR_NOT_FOUND, "cannot read the grammar %s: %s", path,
                         error_errno(errno, words, sizeof words));
    }
    model->grammar = memory_array(GRAMMAR_BYTES_MAX + 1, 1);
    size_t n = model->grammar ? fread(model->grammar, 1, GRAMMAR_BYTES_MAX, file) : 0;
    bool failed = ferror(file) != 0;
    bool more = model->grammar && n == GRAMMAR_BYTES_MAX && fgetc(file) != EOF;
    fclose(file);
    if (!model->grammar) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    if (failed) return error_set(error, KODAMA_ERR_NOT_FOUND, "cannot read the grammar %s", path);
    /* The parser of PocketSphinx prints what it does not know, so it is given grammars only. */
    const char *begin = model->grammar + strspn(model->grammar, "\xef\xbb\xbf \t\r\n");
    if (more || memchr(model->grammar, 0, n) || strncmp(begin, "#JSGF", 5) != 0) {
        return error_set(error, KODAMA_ERR_CORRUPT,
                         "%s is not a JSGF grammar (text below 1 MB that begins with #JSGF)", path);
    }
    return KODAMA_OK;
}

static void sphinx_model_close(void *opaque)
{
    struct model *model = opaque;
    if (!model) return;
    free(model->grammar);
    free(model);
}

static int sphinx_model_open(void **opaque, const struct kodama_model_config *config, char *name,
                             size_t n_name_bytes, struct kodama_error *error)
{
    *opaque = NULL;
    err_set_callback(note_message, NULL);
    err_set_logfp(NULL); /* some tables are printed past the callback */
    struct model *model = memory_array(1, sizeof *model);
    if (!model) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    const char *folder = config->path ? config->path : KODAMA_POCKETSPHINX_MODELS "/en-us";
    if (strlen(folder) >= PATH_BYTES ||
        (config->grammar && strlen(config->grammar) >= PATH_BYTES)) {
        sphinx_model_close(model);
        return error_set(error, KODAMA_ERR_NOT_FOUND,
                         "the path of the model or grammar is longer "
                         "than 1023 bytes");
    }
    if (config->grammar) snprintf(model->grammar_path, PATH_BYTES, "%s", config->grammar);
    int status = find_files(model, folder, error);
    if (status == KODAMA_OK && config->grammar) status = read_grammar(model, error);
    if (status != KODAMA_OK) {
        sphinx_model_close(model);
        return status;
    }
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') n--;
    size_t begin = n;
    while (begin > 0 && folder[begin - 1] != '/') begin--;
    snprintf(name, n_name_bytes, "%.*s%s", (int)(n - begin), folder + begin,
             model->grammar ? " with a grammar" : "");
    *opaque = model;
    return KODAMA_OK;
}

static int sphinx_probe(char *where, size_t n_bytes)
{
    struct model model = {0};
    struct kodama_error error;
    const char *folder = KODAMA_POCKETSPHINX_MODELS "/en-us";
    if (find_files(&model, folder, &error) != KODAMA_OK) {
        snprintf(where, n_bytes, "%s", error.message);
        return KODAMA_ERR_NOT_FOUND;
    }
    snprintf(where, n_bytes, "PocketSphinx %s, %s", sphinx_version(), folder);
    return KODAMA_OK;
}

/* ------------------------------------------------------------------ decoder */

static void sphinx_decoder_close(void *opaque)
{
    struct decoder *decoder = opaque;
    if (!decoder) return;
    if (decoder->hearing) ps_end_utt(decoder->sphinx);
    if (decoder->language) ngram_model_free(decoder->language);
    if (decoder->sphinx) ps_free(decoder->sphinx);
    if (decoder->config) sphinx_config_close(decoder->config);
    free(decoder->begun);
    free(decoder);
}

static int use_grammar(struct decoder *decoder, const struct model *model,
                       struct kodama_error *error)
{
    /* Not ps_set_jsgf_string(): it leaks the grammar. */
    last_message[0] = 0;
    jsgf_t *grammar = jsgf_parse_string(model->grammar, NULL);
    jsgf_rule_t *rule = grammar ? jsgf_get_public_rule(grammar) : NULL;
    fsg_model_t *network = rule ? jsgf_build_fsg(grammar, rule, ps_get_logmath(decoder->sphinx),
                                                 sphinx_language_weight(decoder->config))
                                : NULL;
    bool used = network && sphinx_add_network(decoder->sphinx, "grammar", network) == 0 &&
                sphinx_use_search(decoder->sphinx, "grammar") == 0;
    if (network) fsg_model_free(network);
    if (grammar) jsgf_grammar_free(grammar);
    decoder->final_search = decoder->live_search = "grammar";
    if (used) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_CORRUPT, "the grammar %s cannot be used: %s",
                     model->grammar_path, grammar && !rule ? "it has no public rule" : message());
}

static int use_dictation(struct decoder *decoder, const struct model *model,
                         struct kodama_error *error)
{
    last_message[0] = 0;
    decoder->final_search = "dictation";
    decoder->language = ngram_model_read(decoder->config, model->language, NGRAM_AUTO,
                                         ps_get_logmath(decoder->sphinx));
    if (decoder->language &&
        sphinx_add_model(decoder->sphinx, decoder->final_search, decoder->language) == 0) {
        return KODAMA_OK;
    }
    return error_set(error, KODAMA_ERR_CORRUPT, "the language model %s cannot be used: %s",
                     model->language, message());
}

static int sphinx_decoder_open(void **opaque, void *opaque_model, struct kodama_error *error)
{
    const struct model *model = opaque_model;
    *opaque = NULL;
    struct decoder *decoder = memory_array(1, sizeof *decoder);
    if (decoder) decoder->config = sphinx_config_open();
    if (!decoder || !decoder->config) {
        sphinx_decoder_close(decoder);
        return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    }
    sphinx_config *config = decoder->config;
    sphinx_set_text(config, "hmm", model->acoustic);
    sphinx_set_text(config, "dict", model->dictionary);
    sphinx_set_number(config, "maxhmmpf", ACTIVE_STATES_MAX);
    sphinx_set_number(config, "maxwpf", ACTIVE_WORDS_MAX);
    sphinx_set_switch(config, "remove_noise", true);
    sphinx_keep_silence(config);
    last_message[0] = 0;
    decoder->sphinx = ps_init(config);
    if (!decoder->sphinx) {
        sphinx_decoder_close(decoder);
        return error_set(error, KODAMA_ERR_CORRUPT, "PocketSphinx cannot load the model %s: %s",
                         model->acoustic, message());
    }
    int status =
        model->grammar ? use_grammar(decoder, model, error) : use_dictation(decoder, model, error);
    if (status != KODAMA_OK) {
        sphinx_decoder_close(decoder);
        return status;
    }
    decoder->normalisation = sphinx_normalisation(decoder->sphinx);
    decoder->has_mean = sphinx_get_mean(decoder->sphinx, decoder->cold_mean);
    *opaque = decoder;
    return KODAMA_OK;
}

/**
 * The search for partials: the same language model without the second and third pass, so that
 * giving an utterance up costs 10-30 ms and not 100-650. It takes 45 MB, and so is built when the
 * first partial is wanted.
 */
static void build_live_search(struct decoder *decoder)
{
    sphinx_set_switch(decoder->config, "fwdflat", false);
    sphinx_set_switch(decoder->config, "bestpath", false);
    bool built = sphinx_add_model(decoder->sphinx, "live", decoder->language) == 0;
    sphinx_set_switch(decoder->config, "fwdflat", true);
    sphinx_set_switch(decoder->config, "bestpath", true);
    decoder->live_search = built ? "live" : decoder->final_search;
}

static void sphinx_abandon(void *opaque)
{
    struct decoder *decoder = opaque;
    if (decoder->hearing) ps_end_utt(decoder->sphinx);
    decoder->hearing = false;
}

static void put_mean(struct engine_context *context, const float mean[SPHINX_CEPSTRA])
{
    for (int i = 0; i < SPHINX_CEPSTRA; i++) {
        if (!isfinite(mean[i])) return; /* digital silence has no mean */
    }
    struct record record = record_writer();
    record_put_tag(&record, "SPHX", 1);
    record_put_floats(&record, mean, SPHINX_CEPSTRA);
    if (record.failed) {
        record_free(&record);
        return;
    }
    free(context->data);
    context->data = record.data;
    context->n_bytes = record.n_bytes;
}

static bool get_mean(const struct engine_context *context, float mean[SPHINX_CEPSTRA])
{
    if (!context->data) return false;
    struct record record = record_reader(context->data, context->n_bytes);
    record_get_tag(&record, "SPHX", 1);
    record_get_floats(&record, mean, SPHINX_CEPSTRA);
    return !record.failed;
}

/** Forget all that was heard, and take up the conversation's mean. */
static void reset(struct decoder *decoder, const struct engine_context *context)
{
    float mean[SPHINX_CEPSTRA];
    sphinx_abandon(decoder);
    if (decoder->streamed) {
        sphinx_restore_normalisation(decoder->sphinx, decoder->normalisation);
        decoder->streamed = false;
    }
    if (decoder->has_mean) {
        sphinx_set_mean(decoder->sphinx, get_mean(context, mean) ? mean : decoder->cold_mean);
    }
    ps_start_stream(decoder->sphinx); /* the noise tracker */
}

static float probability(struct decoder *decoder, ps_seg_t *segment)
{
    int32 acoustic;
    int32 language;
    int32 backoff;
    double p = logmath_exp(ps_get_logmath(decoder->sphinx),
                           ps_seg_prob(segment, &acoustic, &language, &backoff));
    return p >= 0.0 && p <= 1.0 ? (float)p : p > 1.0 ? 1.0f : 0.0f;
}

/** The words of the hypothesis without silences, noises and the numbers of pronunciations. */
static int take_words(struct decoder *decoder, size_t n_samples, struct engine_result *result)
{
    bool enough = true;
    int base = 0;
    bool first = true;
    for (ps_seg_t *segment = ps_seg_iter(decoder->sphinx); segment;
         segment = ps_seg_next(segment)) {
        const char *word = ps_seg_word(segment);
        int begin;
        int end;
        ps_seg_frames(segment, &begin, &end);
        /* Frames count from where the front end heard its first speech ever; the first segment is
         * always at the utterance's beginning. */
        if (first) base = begin;
        first = false;
        if (!word || strchr("<[+(", word[0])) continue; /* "(NULL)": a grammar's empty step */
        size_t from = (size_t)(begin - base) * ENGINE_HOP;
        size_t to = (size_t)(end - base + 1) * ENGINE_HOP;
        if (to > n_samples) to = n_samples;
        if (from > to) from = to;
        const char *variant = strrchr(word, '(');
        size_t n_bytes = variant && variant > word ? (size_t)(variant - word) : strlen(word);
        enough = enough && engine_result_add(result, word, n_bytes, (uint32_t)from, (uint32_t)to,
                                             probability(decoder, segment));
    }
    return enough && engine_result_join(result) ? KODAMA_OK : KODAMA_ERR_MEMORY;
}

static int sphinx_decode(void *opaque, const float *samples, size_t n_samples,
                         struct engine_context *context, const _Atomic bool *cancel,
                         struct engine_result *result, struct kodama_error *error)
{
    struct decoder *decoder = opaque;
    *result = (struct engine_result){0};
    /* PocketSphinx cannot be interrupted inside an utterance: this is the only look. */
    if (atomic_load_explicit(cancel, memory_order_relaxed)) return KODAMA_ERR_CANCELLED;
    if (n_samples < SHORTEST) {
        return engine_result_join(result) ? KODAMA_OK
                                          : error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    }
    reset(decoder, context);
    int16_t *pcm = memory_array(n_samples, sizeof *pcm);
    if (!pcm) return error_set(error, KODAMA_ERR_MEMORY, "out of memory for an utterance");
    convert_from_float(KODAMA_SAMPLE_S16, samples, pcm, n_samples);
    last_message[0] = 0;
    bool failed = sphinx_use_search(decoder->sphinx, decoder->final_search) < 0 ||
                  ps_start_utt(decoder->sphinx) < 0;
    if (!failed) {
        failed = ps_process_raw(decoder->sphinx, pcm, n_samples, 0, 1) < 0;
        failed = ps_end_utt(decoder->sphinx) < 0 || failed;
    }
    free(pcm);
    if (failed) {
        return error_set(error, KODAMA_ERR_ENGINE, "PocketSphinx gave an utterance up: %s",
                         message());
    }
    int status = take_words(decoder, n_samples, result);
    float mean[SPHINX_CEPSTRA];
    if (status != KODAMA_OK) {
        engine_result_clear(result);
        return error_set(error, status, "out of memory for the words of an utterance");
    }
    if (ps_get_n_frames(decoder->sphinx) > 0 && sphinx_get_mean(decoder->sphinx, mean)) {
        put_mean(context, mean);
    }
    return KODAMA_OK;
}

/* ----------------------------------------------------------------- partials */

static int sphinx_begin(void *opaque, const struct engine_context *context)
{
    struct decoder *decoder = opaque;
    reset(decoder, context);
    if (!decoder->begun) decoder->begun = memory_array(ANEW_LAST, sizeof *decoder->begun);
    if (!decoder->begun) return KODAMA_ERR_MEMORY;
    if (!decoder->live_search) build_live_search(decoder);
    if (!get_mean(context, decoder->prior)) {
        memcpy(decoder->prior, decoder->cold_mean, sizeof decoder->prior);
    }
    if (sphinx_use_search(decoder->sphinx, decoder->live_search) < 0 ||
        ps_start_utt(decoder->sphinx) < 0) {
        return KODAMA_ERR_ENGINE;
    }
    decoder->hearing = true;
    decoder->heard = 0;
    return KODAMA_OK;
}

/** Hear the utterance from its beginning again, on its own mean. */
static int hear_anew(struct decoder *decoder)
{
    float mean[SPHINX_CEPSTRA];
    int n_frames = (int)(decoder->heard / ENGINE_HOP);
    if (!sphinx_heard_mean(decoder->sphinx, decoder->prior, n_frames, mean)) return KODAMA_OK;
    for (int i = 0; i < SPHINX_CEPSTRA; i++) {
        if (!isfinite(mean[i])) return KODAMA_OK;
    }
    sphinx_abandon(decoder);
    memcpy(decoder->prior, mean, sizeof decoder->prior);
    sphinx_set_mean(decoder->sphinx, mean);
    ps_start_stream(decoder->sphinx);
    if (ps_start_utt(decoder->sphinx) < 0) return KODAMA_ERR_ENGINE;
    decoder->hearing = true;
    for (size_t i = 0; i < decoder->heard; i += ENGINE_HOP) {
        if (ps_process_raw(decoder->sphinx, decoder->begun + i, ENGINE_HOP, 0, 0) < 0) {
            return KODAMA_ERR_ENGINE;
        }
    }
    return KODAMA_OK;
}

static int sphinx_hear(void *opaque, const float *samples, size_t n_samples)
{
    struct decoder *decoder = opaque;
    decoder->streamed = true;
    /* Fixed hops: live results change with the size of the blocks. */
    for (size_t i = 0; i + ENGINE_HOP <= n_samples; i += ENGINE_HOP) {
        int16_t pcm[ENGINE_HOP];
        convert_from_float(KODAMA_SAMPLE_S16, samples + i, pcm, ENGINE_HOP);
        if (decoder->heard < ANEW_LAST) memcpy(decoder->begun + decoder->heard, pcm, sizeof pcm);
        if (ps_process_raw(decoder->sphinx, pcm, ENGINE_HOP, 0, 0) < 0) return KODAMA_ERR_ENGINE;
        decoder->heard += ENGINE_HOP;
        if (decoder->heard == ANEW_FIRST || decoder->heard == ANEW_LAST) {
            int status = hear_anew(decoder);
            if (status < 0) return status;
        }
    }
    return KODAMA_OK;
}

static int sphinx_partial(void *opaque, struct engine_result *result)
{
    struct decoder *decoder = opaque;
    *result = (struct engine_result){0};
    int status = take_words(decoder, decoder->heard, result);
    if (status != KODAMA_OK) engine_result_clear(result);
    return status;
}

extern const struct engine_ops engine_pocketsphinx;
const struct engine_ops engine_pocketsphinx = {
    .name = "pocketsphinx",
    .streaming = true,
    .probe = sphinx_probe,
    .model_open = sphinx_model_open,
    .model_close = sphinx_model_close,
    .decoder_open = sphinx_decoder_open,
    .decoder_close = sphinx_decoder_close,
    .decode = sphinx_decode,
    .begin = sphinx_begin,
    .hear = sphinx_hear,
    .partial = sphinx_partial,
    .abandon = sphinx_abandon,
};
