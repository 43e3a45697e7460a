/*
 * The check of a Whisper model's file (ggml format of whisper.cpp: head, mel bank, vocabulary,
 * tensors). Every tensor that the head calls for must be there once, with the shape and type that
 * libwhisper will make room for, and the file must end after the last one.
 */
#include "speech/engine_whisper_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/memory.h"

enum {
    MAGIC = 0x67676d6c,    /* "ggml" as a number */
    VERSION_FACTOR = 1000, /* thousands of the kind: version of the quantisation */
    /* Vocabularies: English only, multilingual, and large-v3 with one language more. libwhisper
     * counts places of its special tokens from these. */
    VOCABULARY_MIN = 51864,
    VOCABULARY_MAX = 51866,
    WORD_BYTES_MAX = 1024,
    N_FREQUENCIES = 201, /* of a 400-point transform */
    AUDIO_CTX_MAX = 1500,
    TEXT_CTX_MIN = 32,
    TEXT_CTX_MAX = 448,
    STATE_MAX = 4096,
    LAYERS_MAX = 64,
    HEAD_STEP = 32, /* heads of real models have 64 values; odd widths end in an assertion */
    HEAD_MAX = 256,
    NAME_BYTES_MAX = 128,
    TENSORS_MAX = 12 + LAYERS_MAX * (15 + 24),
};

/** Types of weights: how many bytes a block of how many values takes (ggml-common.h). */
static const struct {
    int32_t kind; /* in the head */
    int32_t type; /* in front of a tensor */
    uint32_t n_bytes, n_values;
} weights[] = {
    {0, 0, 4, 1},       /* f32 */
    {1, 1, 2, 1},       /* f16 */
    {2, 2, 18, 32},     /* q4_0 */
    {3, 3, 20, 32},     /* q4_1 */
    {7, 8, 34, 32},     /* q8_0 */
    {8, 6, 22, 32},     /* q5_0 */
    {9, 7, 24, 32},     /* q5_1 */
    {10, 10, 84, 256},  /* q2_k */
    {11, 11, 110, 256}, /* q3_k */
    {12, 12, 144, 256}, /* q4_k */
    {13, 13, 176, 256}, /* q5_k */
    {14, 14, 210, 256}, /* q6_k */
};
enum { N_WEIGHTS = sizeof weights / sizeof weights[0], AS_F32 = 0, AS_F16 = 1 };

/** Dimensions of tensors, as a letter each. */
enum dimension { ONE, THREE, STATE, STATE_4, MELS, CTX, VOCABULARY };

/** How a tensor is stored: always f32; f16 unless all is f32; or as the head says. */
enum storage { PLAIN, CONVOLUTION, WEIGHT };

struct kind_of_tensor {
    const char *name; /* in a layer: after "encoder.blocks.N." */
    enum storage storage;
    enum dimension shape[3];
};

static const struct kind_of_tensor audio_tensors[] = {
    {"encoder.positional_embedding", PLAIN, {STATE, CTX, ONE}},
    {"encoder.conv1.weight", CONVOLUTION, {THREE, MELS, STATE}},
    {"encoder.conv1.bias", PLAIN, {ONE, STATE, ONE}},
    {"encoder.conv2.weight", CONVOLUTION, {THREE, STATE, STATE}},
    {"encoder.conv2.bias", PLAIN, {ONE, STATE, ONE}},
    {"encoder.ln_post.weight", PLAIN, {STATE, ONE, ONE}},
    {"encoder.ln_post.bias", PLAIN, {STATE, ONE, ONE}},
};

static const struct kind_of_tensor text_tensors[] = {
    {"decoder.positional_embedding", PLAIN, {STATE, CTX, ONE}},
    {"decoder.token_embedding.weight", WEIGHT, {STATE, VOCABULARY, ONE}},
    {"decoder.ln.weight", PLAIN, {STATE, ONE, ONE}},
    {"decoder.ln.bias", PLAIN, {STATE, ONE, ONE}},
};

#define ATTENTION(name)                                                                         \
    {name "_ln.weight", PLAIN, {STATE, ONE, ONE}}, {name "_ln.bias", PLAIN, {STATE, ONE, ONE}}, \
        {name ".query.weight", WEIGHT, {STATE, STATE, ONE}},                                    \
        {name ".query.bias", PLAIN, {STATE, ONE, ONE}},                                         \
        {name ".key.weight", WEIGHT, {STATE, STATE, ONE}},                                      \
        {name ".value.weight", WEIGHT, {STATE, STATE, ONE}},                                    \
        {name ".value.bias", PLAIN, {STATE, ONE, ONE}},                                         \
        {name ".out.weight", WEIGHT, {STATE, STATE, ONE}},                                      \
    {                                                                                           \
        name ".out.bias", PLAIN,                                                                \
        {                                                                                       \
            STATE, ONE, ONE                                                                     \
        }                                                                                       \
    }

/* A layer of the encoder has the first N_AUDIO_LAYER of them, one of the decoder all. */
static const struct kind_of_tensor layer_tensors[] = {
    {"mlp_ln.weight", PLAIN, {STATE, ONE, ONE}},
    {"mlp_ln.bias", PLAIN, {STATE, ONE, ONE}},
    {"mlp.0.weight", WEIGHT, {STATE, STATE_4, ONE}},
    {"mlp.0.bias", PLAIN, {STATE_4, ONE, ONE}},
    {"mlp.2.weight", WEIGHT, {STATE_4, STATE, ONE}},
    {"mlp.2.bias", PLAIN, {STATE, ONE, ONE}},
    ATTENTION("attn"),
    ATTENTION("cross_attn"),
};
enum {
    N_AUDIO = sizeof audio_tensors / sizeof audio_tensors[0],
    N_TEXT = sizeof text_tensors / sizeof text_tensors[0],
    N_TEXT_LAYER = sizeof layer_tensors / sizeof layer_tensors[0],
    N_AUDIO_LAYER = N_TEXT_LAYER - 9,
};

struct check {
    FILE *file;
    const char *path;
    uint64_t n_bytes; /* of the file */
    uint64_t offset;
    struct whisper_head head;
    size_t weight; /* index of the big weights' type */
    bool seen[TENSORS_MAX];
    struct kodama_error *error;
};

static int refuse(struct check *check, const char *what)
{
    return error_set(check->error, KODAMA_ERR_CORRUPT,
                     "%s is not a whole Whisper model: %s (at byte %llu of %llu); fetch it again",
                     check->path, what, (unsigned long long)check->offset,
                     (unsigned long long)check->n_bytes);
}

static bool take(struct check *check, void *bytes, size_t n_bytes)
{
    if (n_bytes > check->n_bytes - check->offset) return false;
    if (n_bytes > 0 && fread(bytes, 1, n_bytes, check->file) != n_bytes) return false;
    check->offset += n_bytes;
    return true;
}

static bool skip_bytes(struct check *check, uint64_t n_bytes)
{
    if (n_bytes > check->n_bytes - check->offset) return false;
    if (fseeko(check->file, (off_t)n_bytes, SEEK_CUR) != 0) return false;
    check->offset += n_bytes;
    return true;
}

/** Little-endian, as libwhisper reads it on the machines that it runs on. */
static bool take_numbers(struct check *check, int32_t *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t bytes[4];
        if (!take(check, bytes, sizeof bytes)) return false;
        uint32_t value = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                         (uint32_t)bytes[3] << 24;
        memcpy(&numbers[i], &value, sizeof value);
    }
    return true;
}

static bool between(int32_t value, int32_t least, int32_t most)
{
    return value >= least && value <= most;
}

static bool is_head_width(int32_t n_state, int32_t n_heads)
{
    if (n_heads < 1 || n_state % n_heads != 0) return false;
    int32_t width = n_state / n_heads;
    return width % HEAD_STEP == 0 && width <= HEAD_MAX;
}

static int check_head(struct check *check)
{
    int32_t n[12];
    if (!take_numbers(check, n, 12)) return refuse(check, "its head is cut off");
    if (n[0] != MAGIC) return refuse(check, "it does not begin with the mark of one");
    struct whisper_head *head = &check->head;
    *head =
        (struct whisper_head){n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10], n[11]};
    if (!between(head->n_vocabulary, VOCABULARY_MIN, VOCABULARY_MAX)) {
        return refuse(check, "its vocabulary is of a wrong size");
    }
    bool sizes = between(head->n_audio_ctx, 1, AUDIO_CTX_MAX) &&
                 between(head->n_text_ctx, TEXT_CTX_MIN, TEXT_CTX_MAX) &&
                 between(head->n_audio_state, HEAD_STEP, STATE_MAX) &&
                 head->n_text_state == head->n_audio_state &&
                 between(head->n_audio_layer, 1, LAYERS_MAX) &&
                 between(head->n_text_layer, 1, LAYERS_MAX) &&
                 is_head_width(head->n_audio_state, head->n_audio_head) &&
                 is_head_width(head->n_text_state, head->n_text_head) &&
                 (head->n_mels == 80 || head->n_mels == 128);
    if (!sizes) return refuse(check, "the sizes in its head do not fit together");
    for (check->weight = 0; check->weight < N_WEIGHTS; check->weight++) {
        if (weights[check->weight].kind == head->weights % VERSION_FACTOR) break;
    }
    if (check->weight == N_WEIGHTS || !between(head->weights, 0, 100 * VERSION_FACTOR) ||
        head->n_audio_state % (int32_t)weights[check->weight].n_values != 0) {
        return refuse(check, "its weights are of an unknown kind");
    }
    return KODAMA_OK;
}

static int check_mel_bank(struct check *check)
{
    int32_t n[2];
    if (!take_numbers(check, n, 2)) return refuse(check, "its mel bank is cut off");
    if (n[0] != check->head.n_mels || n[1] != N_FREQUENCIES) {
        return refuse(check, "its mel bank is of a wrong size");
    }
    if (!skip_bytes(check, (uint64_t)n[0] * N_FREQUENCIES * sizeof(float))) {
        return refuse(check, "its mel bank is cut off");
    }
    return KODAMA_OK;
}

static int check_vocabulary(struct check *check)
{
    int32_t n_words;
    if (!take_numbers(check, &n_words, 1)) return refuse(check, "its vocabulary is cut off");
    if (!between(n_words, 1, check->head.n_vocabulary)) {
        return refuse(check, "its vocabulary is of a wrong size");
    }
    bool has_space = false; /* libwhisper looks it up and ends the program when it is not there */
    for (int32_t i = 0; i < n_words; i++) {
        int32_t n_bytes;
        char word[WORD_BYTES_MAX];
        if (!take_numbers(check, &n_bytes, 1)) return refuse(check, "its vocabulary is cut off");
        if (!between(n_bytes, 0, WORD_BYTES_MAX)) {
            return refuse(check, "a word of its vocabulary is too long");
        }
        if (!take(check, word, (size_t)n_bytes)) return refuse(check, "its vocabulary is cut off");
        if (n_bytes == 1 && word[0] == ' ') has_space = true;
    }
    return has_space ? KODAMA_OK : refuse(check, "its vocabulary has no space");
}

static const struct kind_of_tensor *find_kind(const char *name, const struct kind_of_tensor *kinds,
                                              size_t n_kinds, size_t *index)
{
    for (size_t i = 0; i < n_kinds; i++) {
        if (strcmp(kinds[i].name, name) != 0) continue;
        *index += i;
        return &kinds[i];
    }
    return NULL;
}

/** A tensor by its name, and its own number among those that the head calls for. */
static const struct kind_of_tensor *find_tensor(const struct whisper_head *head, const char *name,
                                                size_t *index)
{
    static const char audio[] = "encoder.blocks.";
    static const char text[] = "decoder.blocks.";
    bool is_audio = strncmp(name, "encoder.", 8) == 0;
    *index = is_audio ? 0 : N_AUDIO;
    const struct kind_of_tensor *kind = is_audio ? find_kind(name, audio_tensors, N_AUDIO, index)
                                                 : find_kind(name, text_tensors, N_TEXT, index);
    if (kind) return kind;
    if (strncmp(name, is_audio ? audio : text, sizeof audio - 1) != 0) return NULL;
    const char *number = name + sizeof audio - 1;
    char *end;
    if (number[0] < '0' || number[0] > '9' || (number[0] == '0' && number[1] != '.')) return NULL;
    unsigned long layer = strtoul(number, &end, 10);
    unsigned long n_layers = (unsigned long)(is_audio ? head->n_audio_layer : head->n_text_layer);
    if (*end != '.' || layer >= n_layers) return NULL;
    size_t n_kinds = is_audio ? N_AUDIO_LAYER : N_TEXT_LAYER;
    *index = N_AUDIO + N_TEXT + layer * n_kinds;
    if (!is_audio) *index += (size_t)head->n_audio_layer * N_AUDIO_LAYER;
    return find_kind(end + 1, layer_tensors, n_kinds, index);
}

static int32_t extent(const struct whisper_head *head, bool is_audio, enum dimension dimension)
{
    int32_t n_state = is_audio ? head->n_audio_state : head->n_text_state;
    switch (dimension) {
    case ONE: return 1;
    case THREE: return 3;
    case STATE: return n_state;
    case STATE_4: return 4 * n_state;
    case MELS: return head->n_mels;
    case CTX: return is_audio ? head->n_audio_ctx : head->n_text_ctx;
    case VOCABULARY: return head->n_vocabulary;
    }
    return 0;
}

static int check_tensor(struct check *check)
{
    int32_t n[3]; /* dimensions, bytes of the name, type */
    int32_t shape[3] = {1, 1, 1};
    char name[NAME_BYTES_MAX + 1];
    if (!take_numbers(check, n, 3)) return refuse(check, "a tensor is cut off");
    if (!between(n[0], 1, 3) || !between(n[1], 1, NAME_BYTES_MAX)) {
        return refuse(check, "the head of a tensor is damaged");
    }
    if (!take_numbers(check, shape, (size_t)n[0]) || !take(check, name, (size_t)n[1])) {
        return refuse(check, "a tensor is cut off");
    }
    name[n[1]] = 0;
    size_t index;
    const struct kind_of_tensor *kind = find_tensor(&check->head, name, &index);
    if (!kind || strlen(name) != (size_t)n[1]) return refuse(check, "a tensor has an unknown name");
    if (check->seen[index]) return refuse(check, "a tensor is there twice");
    check->seen[index] = true;
    bool is_audio = name[0] == 'e';
    uint64_t n_values = 1;
    for (int i = 0; i < 3; i++) {
        if (shape[i] != extent(&check->head, is_audio, kind->shape[i])) {
            return refuse(check, "a tensor has a wrong shape");
        }
        n_values *= (uint64_t)shape[i];
    }
    size_t stored = kind->storage == WEIGHT                             ? check->weight
                    : kind->storage == PLAIN || check->weight == AS_F32 ? AS_F32
                                                                        : AS_F16;
    if (n[2] != weights[stored].type) return refuse(check, "a tensor is of a wrong type");
    uint64_t n_bytes = n_values / weights[stored].n_values * weights[stored].n_bytes;
    if (!skip_bytes(check, n_bytes)) return refuse(check, "a tensor is cut off");
    return KODAMA_OK;
}

static int check_tensors(struct check *check)
{
    size_t n_tensors = N_AUDIO + N_TEXT + (size_t)check->head.n_audio_layer * N_AUDIO_LAYER +
                       (size_t)check->head.n_text_layer * N_TEXT_LAYER;
    for (size_t i = 0; i < n_tensors; i++) {
        int status = check_tensor(check);
        if (status < 0) return status;
    }
    if (check->offset != check->n_bytes) return refuse(check, "something follows its last tensor");
    return KODAMA_OK;
}

bool whisper_file_is_model(const char *path)
{
    static const uint8_t magic[4] = {'l', 'm', 'g', 'g'};
    uint8_t begin[4];
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) return false;
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    bool is_model = fread(begin, 1, sizeof begin, file) == sizeof begin &&
                    memcmp(begin, magic, sizeof begin) == 0;
    fclose(file);
    return is_model;
}

int whisper_file_check(FILE *file, const char *path, struct whisper_head *head,
                       struct kodama_error *error)
{
    struct check *check = memory_array(1, sizeof *check);
    if (!check) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    *check = (struct check){.file = file, .path = path, .error = error};
    int status = KODAMA_OK;
    if (fseeko(file, 0, SEEK_END) == 0) {
        off_t end = ftello(file);
        check->n_bytes = end > 0 ? (uint64_t)end : 0;
    }
    if (check->n_bytes == 0 || fseeko(file, 0, SEEK_SET) != 0)
        status = refuse(check, "it is empty");
    if (status == KODAMA_OK) status = check_head(check);
    if (status == KODAMA_OK) status = check_mel_bank(check);
    if (status == KODAMA_OK) status = check_vocabulary(check);
    if (status == KODAMA_OK) status = check_tensors(check);
    *head = check->head;
    free(check);
    return status;
}
