/* Transcripts of whole files, in the forms that clients ask for. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "serve/upload.h"

enum { REAL_DIGITS = 12 };

bool upload_keep(struct upload_result *result, const struct kodama_event *event)
{
    if (!event->text || !event->text[0]) return true;
    if (result->n_finals == result->room) {
        size_t room = result->room ? 2 * result->room : 64;
        struct upload_final *finals = memory_resize(result->finals, room, sizeof *finals);
        if (!finals) return false;
        result->finals = finals;
        result->room = room;
    }
    struct upload_final *final = &result->finals[result->n_finals++];
    *final = (struct upload_final){.text = memory_text(event->text),
                                   .start_s = event->start_s,
                                   .end_s = event->end_s,
                                   .confidence = event->confidence,
                                   .words = memory_array(event->n_words + 1, sizeof *final->words)};
    if (event->language) {
        snprintf(final->language, sizeof final->language, "%s", event->language);
    }
    bool kept = final->text && final->words;
    for (size_t i = 0; kept && i < event->n_words; i++) {
        const struct kodama_word *word = &event->words[i];
        final->words[i].text = memory_text(word->text);
        final->words[i].start_s = word->start_s;
        final->words[i].end_s = word->end_s;
        final->n_words = i + 1;
        kept = final->words[i].text != NULL;
    }
    return kept;
}

void upload_result_free(struct upload_result *result)
{
    for (size_t i = 0; i < result->n_finals; i++) {
        struct upload_final *final = &result->finals[i];
        for (size_t k = 0; k < final->n_words; k++) free(final->words[k].text);
        free(final->words);
        free(final->text);
    }
    free(result->finals);
    *result = (struct upload_result){0};
}

/* ---------------------------------------------------------------------- text */

struct growing {
    char *text;
    size_t n, room;
    bool failed;
};

static void grow(struct growing *out, const char *text)
{
    size_t n = strlen(text);
    if (out->failed) return;
    if (out->n + n + 1 > out->room) {
        size_t room = 2 * (out->n + n) + 256;
        char *grown = memory_resize(out->text, room, 1);
        if (!grown) {
            out->failed = true;
            return;
        }
        out->text = grown;
        out->room = room;
    }
    memcpy(out->text + out->n, text, n + 1);
    out->n += n;
}

static char *grown(struct growing *out)
{
    grow(out, "");
    if (!out->failed) return out->text;
    free(out->text);
    return NULL;
}

static char *whole_text(const struct upload_result *result)
{
    struct growing out = {0};
    for (size_t i = 0; i < result->n_finals; i++) {
        if (i > 0) grow(&out, " ");
        grow(&out, result->finals[i].text);
    }
    return grown(&out);
}

static void grow_time(struct growing *out, double time_s, char point)
{
    char text[40];
    unsigned long ms = time_s > 0 ? (unsigned long)lround(time_s * 1000.0) : 0;
    snprintf(text, sizeof text, "%02lu:%02lu:%02lu%c%03lu", ms / 3600000, ms / 60000 % 60,
             ms / 1000 % 60, point, ms % 1000);
    grow(out, text);
}

/* One cue for each utterance. */
static char *subtitles(const struct upload_result *result, bool vtt)
{
    struct growing out = {0};
    if (vtt) grow(&out, "WEBVTT\n\n");
    for (size_t i = 0; i < result->n_finals; i++) {
        const struct upload_final *final = &result->finals[i];
        char number[32];
        snprintf(number, sizeof number, "%zu\n", i + 1);
        if (!vtt) grow(&out, number);
        grow_time(&out, final->start_s, vtt ? '.' : ',');
        grow(&out, " --> ");
        grow_time(&out, final->end_s, vtt ? '.' : ',');
        grow(&out, "\n");
        grow(&out, final->text);
        grow(&out, "\n\n");
    }
    return grown(&out);
}

/* ---------------------------------------------------------------------- JSON */

static json_t *thousandths(double value)
{
    return json_real(round(value * 1000.0) / 1000.0);
}

static json_t *string(const char *text)
{
    json_t *value = json_string(text ? text : "");
    return value ? value : json_string("");
}

static char *dump(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
    json_decref(object);
    return text;
}

static void set_text(json_t *object, const struct upload_result *result)
{
    char *text = whole_text(result);
    json_object_set_new(object, "text", string(text));
    free(text);
}

static json_t *usage(const struct upload_result *result)
{
    json_t *object = json_object();
    json_object_set_new(object, "type", json_string("duration"));
    json_object_set_new(object, "seconds", json_integer((json_int_t)ceil(result->duration_s)));
    return object;
}

static json_t *all_words(const struct upload_result *result)
{
    json_t *words = json_array();
    for (size_t i = 0; i < result->n_finals; i++) {
        for (size_t k = 0; k < result->finals[i].n_words; k++) {
            const struct upload_word *word = &result->finals[i].words[k];
            json_t *entry = json_object();
            json_object_set_new(entry, "word", string(word->text));
            json_object_set_new(entry, "start", thousandths(word->start_s));
            json_object_set_new(entry, "end", thousandths(word->end_s));
            json_array_append_new(words, entry);
        }
    }
    return words;
}

/* What OpenAI's form has and this engine does not know is empty or neutral. */
static json_t *all_segments(const struct upload_result *result, bool openai)
{
    json_t *segments = json_array();
    for (size_t i = 0; i < result->n_finals; i++) {
        const struct upload_final *final = &result->finals[i];
        json_t *entry = json_object();
        json_object_set_new(entry, "id", json_integer((json_int_t)i));
        json_object_set_new(entry, "start", thousandths(final->start_s));
        json_object_set_new(entry, "end", thousandths(final->end_s));
        json_object_set_new(entry, "text", string(final->text));
        if (openai) {
            double likely = fmax((double) final->confidence, 1e-6);
            json_object_set_new(entry, "seek", json_integer((json_int_t)(final->start_s * 100.0)));
            json_object_set_new(entry, "tokens", json_array());
            json_object_set_new(entry, "temperature", json_real(0));
            json_object_set_new(entry, "avg_logprob", thousandths(log(likely)));
            json_object_set_new(entry, "compression_ratio", json_real(1));
            json_object_set_new(entry, "no_speech_prob", json_real(0));
        } else {
            json_object_set_new(entry, "confidence", thousandths((double) final->confidence));
        }
        json_array_append_new(segments, entry);
    }
    return segments;
}

/* Its name, as OpenAI's form has it: what was heard first, else what was asked for. Where neither
 * is known the model is the English one that needs no such setting. */
static const char *language_name(const struct upload_result *result,
                                 const struct upload_options *options)
{
    static const struct {
        const char *code, *name;
    } names[] = {
        {"ar", "arabic"},     {"cs", "czech"},   {"de", "german"},  {"en", "english"},
        {"es", "spanish"},    {"fr", "french"},  {"hi", "hindi"},   {"it", "italian"},
        {"ja", "japanese"},   {"ko", "korean"},  {"nl", "dutch"},   {"pl", "polish"},
        {"pt", "portuguese"}, {"ru", "russian"}, {"sv", "swedish"}, {"tr", "turkish"},
        {"uk", "ukrainian"},  {"zh", "chinese"},
    };
    const char *code = options->language;
    for (size_t i = 0; i < result->n_finals; i++) {
        if (!result->finals[i].language[0]) continue;
        code = result->finals[i].language;
        break;
    }
    if (!code[0] || strcmp(code, "auto") == 0) return "english";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i].code, code) == 0) return names[i].name;
    }
    return code;
}

static char *verbose(const struct upload_result *result, const struct upload_options *options)
{
    json_t *object = json_object();
    json_object_set_new(object, "task", json_string("transcribe"));
    json_object_set_new(object, "language", string(language_name(result, options)));
    json_object_set_new(object, "duration", thousandths(result->duration_s));
    set_text(object, result);
    if (options->words) json_object_set_new(object, "words", all_words(result));
    if (options->segments || !options->words) {
        json_object_set_new(object, "segments", all_segments(result, true));
    }
    json_object_set_new(object, "usage", usage(result));
    return dump(object);
}

static char *plain_json(const struct upload_result *result, const struct upload_options *options)
{
    json_t *object = json_object();
    set_text(object, result);
    if (options->openai) {
        json_object_set_new(object, "usage", usage(result));
    } else {
        json_object_set_new(object, "segments", all_segments(result, false));
        if (options->words) json_object_set_new(object, "words", all_words(result));
        json_object_set_new(object, "duration", thousandths(result->duration_s));
    }
    return dump(object);
}

bool upload_knows_format(const char *format)
{
    static const char *const known[] = {"", "json", "text", "srt", "vtt", "verbose_json"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(format, known[i]) == 0) return true;
    }
    return false;
}

char *upload_text(const struct upload_result *result, const struct upload_options *options,
                  const char **type)
{
    const char *format = options->format;
    *type = "text/plain; charset=utf-8";
    if (strcmp(format, "srt") == 0) return subtitles(result, false);
    if (strcmp(format, "text") == 0) {
        char *text = whole_text(result);
        struct growing out = {0};
        if (text) grow(&out, text);
        grow(&out, "\n");
        free(text);
        return grown(&out);
    }
    if (strcmp(format, "vtt") == 0) {
        *type = "text/vtt; charset=utf-8";
        return subtitles(result, true);
    }
    *type = "application/json";
    return strcmp(format, "verbose_json") == 0 ? verbose(result, options)
                                               : plain_json(result, options);
}

/* -------------------------------------------------------- server-sent events */

static char *event(json_t *object)
{
    char *text = dump(object);
    struct growing out = {0};
    if (!text) return NULL;
    grow(&out, "data: ");
    grow(&out, text);
    grow(&out, "\n\n");
    free(text);
    return grown(&out);
}

char *upload_delta(const char *text, bool first)
{
    json_t *object = json_object();
    struct growing out = {0};
    if (!first) grow(&out, " ");
    grow(&out, text);
    char *delta = grown(&out);
    json_object_set_new(object, "type", json_string("transcript.text.delta"));
    json_object_set_new(object, "delta", string(delta));
    free(delta);
    return event(object);
}

char *upload_done(const struct upload_result *result)
{
    json_t *object = json_object();
    json_object_set_new(object, "type", json_string("transcript.text.done"));
    set_text(object, result);
    json_object_set_new(object, "usage", usage(result));
    return event(object);
}
