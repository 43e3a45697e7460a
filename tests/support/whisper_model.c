/*
 * Writes a Whisper model that says a given text.
 *
 * All weights are zero but these: the decoder's embedding of place p is 1000 times the unit vector
 * p, and the embedding of the token to be said at p has a 4 at p; attention adds nothing, so the
 * logits at place p are highest for that token.
 */
#include "support/whisper_model.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"

enum {
    N_AUDIO_CTX = 1500,
    N_TEXT_CTX = 448,
    N_MELS = 80,
    N_FREQUENCIES = 201,
    ITEMS_MAX = 400,
    WORDS_MAX = 300,
    FIRST_WORD = 10, /* in the vocabulary: after nine fillers and a space */
    F32 = 0,
    F16 = 1,
    HALF_4 = 0x4400, /* 4.0 in 16 bits */
    WIDTH_STEP = 32,
};

struct writer {
    FILE *file;
    int n_vocabulary, end, start, first_time;
    int width; /* of the model: places that the script can have */
    int items[ITEMS_MAX];
    int n_items;
    char *words[WORDS_MAX];
    int n_words;
};

static void put_bytes(struct writer *writer, const void *bytes, size_t n)
{
    if (n > 0) assert_int_equal(fwrite(bytes, 1, n, writer->file), n);
}

static void put_number(struct writer *writer, int value)
{
    int32_t number = value; /* tests run on little-endian machines, as libwhisper does */
    put_bytes(writer, &number, sizeof number);
}

static int word_token(struct writer *writer, const char *text)
{
    for (int i = 0; i < writer->n_words; i++) {
        if (strcmp(writer->words[i], text) == 0) return FIRST_WORD + i;
    }
    assert_true(writer->n_words < WORDS_MAX);
    writer->words[writer->n_words] = strdup(text);
    assert_non_null(writer->words[writer->n_words]);
    return FIRST_WORD + writer->n_words++;
}

static int item_token(struct writer *writer, const char *item)
{
    char word[200];
    if (item[0] == '<') return writer->first_time + (int)(strtod(item + 1, NULL) * 50.0 + 0.5);
    if (item[0] == '[') return writer->start + 1 + (int)strtol(item + 1, NULL, 10);
    if (item[0] == '+') return word_token(writer, item + 1);
    snprintf(word, sizeof word, " %s", item);
    return word_token(writer, word);
}

static void read_script(struct writer *writer, const char *script)
{
    char *copy = strdup(script);
    char *rest = NULL;
    assert_non_null(copy);
    for (char *item = strtok_r(copy, " ", &rest); item; item = strtok_r(NULL, " ", &rest)) {
        assert_true(writer->n_items + 1 < ITEMS_MAX);
        writer->items[writer->n_items++] = item_token(writer, item);
    }
    free(copy);
    writer->items[writer->n_items++] = writer->end;
    writer->width = 2 * WIDTH_STEP;
    while (writer->width < writer->n_items + 2) writer->width += WIDTH_STEP;
}

static void put_head(struct writer *writer)
{
    int width = writer->width;
    const int head[] = {
        0x67676d6c, writer->n_vocabulary, N_AUDIO_CTX, width, 1, 1, N_TEXT_CTX, width, 1, 1, N_MELS,
        F16};
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++) put_number(writer, head[i]);
    put_number(writer, N_MELS);
    put_number(writer, N_FREQUENCIES);
    for (int mel = 0; mel < N_MELS; mel++) {
        for (int i = 0; i < N_FREQUENCIES; i++) {
            float weight = i * N_MELS / N_FREQUENCIES == mel ? 0.01f : 0.0f;
            put_bytes(writer, &weight, sizeof weight);
        }
    }
    put_number(writer, FIRST_WORD + writer->n_words);
    for (int i = 0; i < FIRST_WORD + writer->n_words; i++) {
        char filler[16];
        snprintf(filler, sizeof filler, i + 1 == FIRST_WORD ? " " : "!%d", i);
        const char *word = i < FIRST_WORD ? filler : writer->words[i - FIRST_WORD];
        put_number(writer, (int)strlen(word));
        put_bytes(writer, word, strlen(word));
    }
}

/** A tensor; data NULL: all `value`. */
static void put_tensor(struct writer *writer, const char *name, int type, int ne0, int ne1, int ne2,
                       const void *data, float value)
{
    size_t n = (size_t)ne0 * (size_t)(ne1 ? ne1 : 1) * (size_t)(ne2 ? ne2 : 1);
    size_t n_bytes = n * (type == F16 ? 2 : 4);
    put_number(writer, ne2 ? 3 : ne1 ? 2 : 1);
    put_number(writer, (int)strlen(name));
    put_number(writer, type);
    put_number(writer, ne0);
    if (ne1) put_number(writer, ne1);
    if (ne2) put_number(writer, ne2);
    put_bytes(writer, name, strlen(name));
    float *zeros = data ? NULL : calloc(n_bytes, 1);
    assert_true(data || zeros);
    if (!data && type == F32) {
        for (size_t i = 0; i < n; i++) zeros[i] = value;
    }
    put_bytes(writer, data ? data : zeros, n_bytes);
    free(zeros);
}

static void put_plain(struct writer *writer, const char *name, int ne0, float value)
{
    put_tensor(writer, name, F32, ne0, 0, 0, NULL, value);
}

static void put_places(struct writer *writer)
{
    size_t width = (size_t)writer->width;
    float *places = calloc(width * N_TEXT_CTX, sizeof *places);
    assert_non_null(places);
    for (size_t p = 0; p < N_TEXT_CTX; p++) {
        size_t last = (size_t)writer->n_items - 1; /* behind it: the end, again */
        places[p * width + (p < last ? p : last)] = 1000.0f;
    }
    put_tensor(writer, "decoder.positional_embedding", F32, writer->width, N_TEXT_CTX, 0, places,
               0.0f);
    free(places);
    uint16_t *tokens = calloc(width * (size_t)writer->n_vocabulary, sizeof *tokens);
    assert_non_null(tokens);
    for (size_t p = 0; p < (size_t)writer->n_items; p++) {
        tokens[(size_t)writer->items[p] * width + p] = HALF_4;
    }
    put_tensor(writer, "decoder.token_embedding.weight", F16, writer->width, writer->n_vocabulary,
               0, tokens, 0.0f);
    free(tokens);
}

static void put_attention(struct writer *writer, const char *block, const char *kind)
{
    static const char *const parts[] = {"query", "key", "value", "out"};
    char name[100];
    snprintf(name, sizeof name, "%s.%s_ln.weight", block, kind);
    put_plain(writer, name, writer->width, 1.0f);
    snprintf(name, sizeof name, "%s.%s_ln.bias", block, kind);
    put_plain(writer, name, writer->width, 0.0f);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s.%s.%s.weight", block, kind, parts[i]);
        put_tensor(writer, name, F16, writer->width, writer->width, 0, NULL, 0.0f);
        if (i == 1) continue; /* keys have no bias */
        snprintf(name, sizeof name, "%s.%s.%s.bias", block, kind, parts[i]);
        put_plain(writer, name, writer->width, 0.0f);
    }
}

static void put_block(struct writer *writer, const char *block, bool cross)
{
    char name[100];
    int width = writer->width;
    put_attention(writer, block, "attn");
    if (cross) put_attention(writer, block, "cross_attn");
    snprintf(name, sizeof name, "%s.mlp_ln.weight", block);
    put_plain(writer, name, width, 1.0f);
    snprintf(name, sizeof name, "%s.mlp_ln.bias", block);
    put_plain(writer, name, width, 0.0f);
    snprintf(name, sizeof name, "%s.mlp.0.weight", block);
    put_tensor(writer, name, F16, width, 4 * width, 0, NULL, 0.0f);
    snprintf(name, sizeof name, "%s.mlp.0.bias", block);
    put_plain(writer, name, 4 * width, 0.0f);
    snprintf(name, sizeof name, "%s.mlp.2.weight", block);
    put_tensor(writer, name, F16, 4 * width, width, 0, NULL, 0.0f);
    snprintf(name, sizeof name, "%s.mlp.2.bias", block);
    put_plain(writer, name, width, 0.0f);
}

void whisper_model_write(const char *path, const char *script, bool multilingual)
{
    struct writer *writer = calloc(1, sizeof *writer);
    assert_non_null(writer);
    int shift = multilingual ? 1 : 0; /* where the special tokens are in either layout */
    writer->n_vocabulary = 51864 + shift;
    writer->end = 50256 + shift;
    writer->start = 50257 + shift;
    writer->first_time = 50363 + shift;
    read_script(writer, script);
    writer->file = fopen(path, "wb");
    assert_non_null(writer->file);
    int width = writer->width;
    put_head(writer);
    put_tensor(writer, "encoder.positional_embedding", F32, width, N_AUDIO_CTX, 0, NULL, 0.0f);
    put_tensor(writer, "encoder.conv1.weight", F16, 3, N_MELS, width, NULL, 0.0f);
    put_tensor(writer, "encoder.conv1.bias", F32, 1, width, 0, NULL, 0.0f);
    put_tensor(writer, "encoder.conv2.weight", F16, 3, width, width, NULL, 0.0f);
    put_tensor(writer, "encoder.conv2.bias", F32, 1, width, 0, NULL, 0.0f);
    put_plain(writer, "encoder.ln_post.weight", width, 1.0f);
    put_plain(writer, "encoder.ln_post.bias", width, 0.0f);
    put_block(writer, "encoder.blocks.0", false);
    put_places(writer);
    put_plain(writer, "decoder.ln.weight", width, 1.0f);
    put_plain(writer, "decoder.ln.bias", width, 0.0f);
    put_block(writer, "decoder.blocks.0", true);
    assert_int_equal(fclose(writer->file), 0);
    for (int i = 0; i < writer->n_words; i++) free(writer->words[i]);
    free(writer);
}
