/*
 * From what libwhisper decoded to words with times.
 *
 * A token that begins with a space begins a word; others go on with it. In scripts without spaces a
 * word is thus as long as a sentence. A token may hold part of a character: bytes that make no
 * character in the whole word (from a damaged vocabulary) become '?'.
 */
#include "speech/engine_whisper_words.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { SAMPLES_PER_TICK = ENGINE_RATE_HZ / 100 };

struct word {
    char *text;
    size_t n_bytes, room;
    int64_t begin, end; /* ticks of 10 ms; -1: not known */
    double p;           /* sum over its tokens */
    int n_tokens;
};

struct taking {
    struct engine_result *result;
    struct word word;
    uint32_t first, last; /* samples that were decoded */
    uint32_t end;         /* of the word before */
};

/** Bytes of the character at the beginning of n, 0 when it is none (RFC 3629). */
static size_t character_bytes(const unsigned char *text, size_t n)
{
    unsigned char c = text[0];
    size_t length = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : 4;
    if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || length > n) return 0;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) return 0;
    }
    bool wrong = (c == 0xe0 && text[1] < 0xa0) || (c == 0xed && text[1] > 0x9f) ||
                 (c == 0xf0 && text[1] < 0x90) || (c == 0xf4 && text[1] > 0x8f);
    return wrong ? 0 : length;
}

static void make_printable(char *text, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes;) {
        size_t n = character_bytes((const unsigned char *)text + i, n_bytes - i);
        if (n == 0 || (n == 1 && ((unsigned char)text[i] < 0x20 || text[i] == 0x7f))) {
            text[i] = '?';
            n = 1;
        }
        i += n;
    }
}

static uint32_t position(const struct taking *taking, int64_t ticks, uint32_t least)
{
    if (ticks < 0) return least;
    uint64_t samples = taking->first + (uint64_t)ticks * SAMPLES_PER_TICK;
    uint32_t most = taking->last;
    return samples < least ? least : samples > most ? most : (uint32_t)samples;
}

/** End the word that is being put together. */
static bool flush(struct taking *taking)
{
    struct word *word = &taking->word;
    size_t n = word->n_bytes;
    bool added = true;
    while (n > 0 && word->text[n - 1] == ' ') n--;
    if (n > 0) {
        make_printable(word->text, n);
        uint32_t begin = position(taking, word->begin, taking->end);
        uint32_t end = position(taking, word->end, begin);
        double p = word->p / (word->n_tokens > 0 ? word->n_tokens : 1);
        float confidence = p >= 0.0 && p <= 1.0 ? (float)p : p > 1.0 ? 1.0f : 0.0f;
        added = engine_result_add(taking->result, word->text, n, begin, end, confidence);
        taking->end = end;
    }
    *word = (struct word){.text = word->text, .room = word->room, .begin = -1, .end = -1};
    return added;
}

static bool append(struct word *word, const char *text, size_t n)
{
    if (word->n_bytes + n > word->room) {
        size_t room = 2 * (word->n_bytes + n);
        char *grown = memory_resize(word->text, room, 1);
        if (!grown) return false;
        word->text = grown;
        word->room = room;
    }
    memcpy(word->text + word->n_bytes, text, n);
    word->n_bytes += n;
    return true;
}

static bool take_token(struct taking *taking, const char *text, const whisper_token_data *token)
{
    struct word *word = &taking->word;
    size_t n_spaces = strspn(text, " ");
    if (n_spaces > 0 && !flush(taking)) return false;
    size_t n = strlen(text + n_spaces);
    if (n > 0 && !append(word, text + n_spaces, n)) return false;
    if (word->begin < 0) word->begin = token->t0;
    if (token->t1 >= 0) word->end = token->t1;
    word->p += (double)token->p;
    word->n_tokens++;
    return true;
}

int whisper_take_words(struct whisper_context *whisper, struct whisper_state *state, size_t first,
                       size_t n_samples, struct engine_result *result)
{
    /* No utterance is longer than what 32 bits count: three days. */
    struct taking taking = {.result = result,
                            .first = (uint32_t)first,
                            .last = (uint32_t)(first + n_samples),
                            .end = (uint32_t)first};
    bool enough = flush(&taking);
    for (int i = 0; i < whisper_full_n_segments_from_state(state) && enough; i++) {
        for (int j = 0; j < whisper_full_n_tokens_from_state(state, i) && enough; j++) {
            whisper_token_data token = whisper_full_get_token_data_from_state(state, i, j);
            if (token.id >= whisper_token_eot(whisper)) continue;
            const char *text = whisper_full_get_token_text_from_state(whisper, state, i, j);
            if (text) enough = take_token(&taking, text, &token);
        }
        enough = enough && flush(&taking);
    }
    free(taking.word.text);
    return enough ? KODAMA_OK : KODAMA_ERR_MEMORY;
}
