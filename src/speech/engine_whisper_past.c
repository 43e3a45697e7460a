/* What a Whisper conversation carries on, packed and unpacked. */
#include "speech/engine_whisper_past.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whisper.h>

#include "base/record.h"

enum { CONTEXT_VERSION = 1 };

void whisper_past_get(const struct engine_context *context, struct whisper_past *past)
{
    *past = (struct whisper_past){0};
    if (!context->data) return;
    struct record record = record_reader(context->data, context->n_bytes);
    record_get_tag(&record, "WHSP", CONTEXT_VERSION);
    char *language = record_get_text(&record, sizeof past->language - 1);
    char *text = record_get_text(&record, sizeof past->text - 1);
    if (!record.failed && language && text && (!language[0] || whisper_lang_id(language) >= 0)) {
        snprintf(past->language, sizeof past->language, "%s", language);
        snprintf(past->text, sizeof past->text, "%s", text);
    }
    free(language);
    free(text);
}

void whisper_past_add(struct whisper_past *past, const struct engine_word *words, size_t n_words)
{
    for (size_t i = 0; i < n_words; i++) {
        const char *word = words[i].text;
        size_t n = strlen(word);
        size_t n_text = strlen(past->text);
        if (n > WHISPER_PAST_BYTES) { /* a sentence in a script without spaces: better none */
            past->text[0] = 0;
            continue;
        }
        if (n_text > 0 && n_text + 1 + n > WHISPER_PAST_BYTES) {
            const char *cut = strchr(past->text + (n_text + n - WHISPER_PAST_BYTES), ' ');
            const char *kept = cut ? cut + 1 : past->text + n_text;
            n_text = strlen(kept);
            memmove(past->text, kept, n_text + 1);
        }
        if (n_text > 0) past->text[n_text++] = ' ';
        memcpy(past->text + n_text, word, n + 1);
    }
}

void whisper_past_put(struct engine_context *context, const struct whisper_past *past)
{
    struct record record = record_writer();
    record_put_tag(&record, "WHSP", CONTEXT_VERSION);
    record_put_text(&record, past->language);
    record_put_text(&record, past->text);
    if (record.failed) {
        record_free(&record);
        return;
    }
    free(context->data);
    context->data = record.data;
    context->n_bytes = record.n_bytes;
}
