/* The registry of recognition engines: one line each, the best first. */
#include "speech/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "speech/engine_whisper_check.h"

#if defined(KODAMA_POCKETSPHINX)
extern const struct engine_ops engine_pocketsphinx;
#endif

#if defined(KODAMA_WHISPER)
extern const struct engine_ops engine_whisper;
#endif

/* PocketSphinx stands first because it has a model of its own right after it was installed. */
static const struct engine_ops *const engines[] = {
#if defined(KODAMA_POCKETSPHINX)
    &engine_pocketsphinx,
#endif
#if defined(KODAMA_WHISPER)
    &engine_whisper,
#endif
    NULL,
};

/* Engines that Kodama knows but that this build may lack, and how to get them. */
static const struct {
    const char *name, *how;
} known[] = {
    {"pocketsphinx",
     "this build has no PocketSphinx: install libpocketsphinx-dev, libsphinxbase-dev and "
     "pocketsphinx-en-us, and build again"},
    {"whisper",
     "this build has no Whisper: install libwhisper-dev, where the system has it, and build again; "
     "docs/models.md says more"},
};

const struct engine_ops *engine_find(const char *name)
{
    if (!name) return engines[0];
    for (size_t i = 0; engines[i]; i++) {
        if (strcmp(engines[i]->name, name) == 0) return engines[i];
    }
    return NULL;
}

const char *engine_missing(const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!name || strcmp(known[i].name, name) == 0) return known[i].how;
    }
    return "there is no such engine";
}

const char *engine_guess(const char *path)
{
    return path && whisper_file_is_model(path) ? "whisper" : NULL;
}

const char *kodama_engine_name(size_t index)
{
    return index < sizeof engines / sizeof engines[0] ? engines[index] ? engines[index]->name : NULL
                                                      : NULL;
}

int kodama_engine_probe(const char *name, char *where, size_t n_bytes)
{
    char unused[1];
    if (!where || n_bytes == 0) {
        where = unused;
        n_bytes = sizeof unused;
    }
    const struct engine_ops *ops = engine_find(name);
    if (ops) return ops->probe(where, n_bytes);
    snprintf(where, n_bytes, "%s", engine_missing(name));
    return KODAMA_ERR_NOT_FOUND;
}

void engine_result_clear(struct engine_result *result)
{
    free(result->text);
    for (size_t i = 0; i < result->n_words; i++) free(result->words[i].text);
    free(result->words);
    *result = (struct engine_result){0};
}

bool engine_result_add(struct engine_result *result, const char *word, size_t n_bytes,
                       uint32_t begin, uint32_t end, float confidence)
{
    struct engine_word *words =
        memory_resize(result->words, result->n_words + 1, sizeof *result->words);
    if (!words) return false;
    result->words = words;
    char *text = memory_array(n_bytes + 1, 1);
    if (!text) return false;
    memcpy(text, word, n_bytes);
    words[result->n_words++] =
        (struct engine_word){.text = text, .begin = begin, .end = end, .confidence = confidence};
    return true;
}

bool engine_result_join(struct engine_result *result)
{
    size_t n_bytes = 1;
    double weighted = 0.0;
    double weight = 0.0;
    for (size_t i = 0; i < result->n_words; i++) {
        const struct engine_word *word = &result->words[i];
        n_bytes += strlen(word->text) + 1;
        double length = (double)word->end - (double)word->begin + 1.0;
        weighted += (double)word->confidence * length;
        weight += length;
    }
    char *text = memory_array(n_bytes, 1);
    if (!text) return false;
    size_t offset = 0;
    for (size_t i = 0; i < result->n_words; i++) {
        if (i > 0) text[offset++] = ' ';
        size_t n = strlen(result->words[i].text);
        memcpy(text + offset, result->words[i].text, n);
        offset += n;
    }
    free(result->text);
    result->text = text;
    result->confidence = weight > 0.0 ? (float)(weighted / weight) : 0.0f;
    return true;
}
