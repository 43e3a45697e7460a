/*
 * Writes small ONNX models, for tests of what runs them: just as much of the format (protocol
 * buffers, onnx.proto) as is needed. Everything is put together in fixed buffers.
 */
#ifndef TESTS_NEURAL_ONNX_H
#define TESTS_NEURAL_ONNX_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "support/support.h"

enum { ONNX_BYTES = 16384, ONNX_F32 = 1, ONNX_I32 = 6, ONNX_I64 = 7, ONNX_F16 = 10, ONNX_F64 = 11 };

/** A message under construction. */
struct onnx {
    uint8_t bytes[ONNX_BYTES];
    size_t n;
};

static inline void onnx_byte(struct onnx *m, uint8_t byte)
{
    assert_true(m->n < ONNX_BYTES);
    m->bytes[m->n++] = byte;
}

static inline void onnx_varint(struct onnx *m, uint64_t value)
{
    while (value >= 128) {
        onnx_byte(m, (uint8_t)(value | 128));
        value >>= 7;
    }
    onnx_byte(m, (uint8_t)value);
}

static inline void onnx_number(struct onnx *m, uint32_t field, uint64_t value)
{
    onnx_varint(m, field << 3);
    onnx_varint(m, value);
}

static inline void onnx_bytes(struct onnx *m, uint32_t field, const void *bytes, size_t n)
{
    onnx_varint(m, field << 3 | 2);
    onnx_varint(m, n);
    for (size_t i = 0; i < n; i++) onnx_byte(m, ((const uint8_t *)bytes)[i]);
}

static inline void onnx_text(struct onnx *m, uint32_t field, const char *text)
{
    onnx_bytes(m, field, text, strlen(text));
}

static inline void onnx_message(struct onnx *m, uint32_t field, const struct onnx *part)
{
    onnx_bytes(m, field, part->bytes, part->n);
}

/** A graph: field 11 is an input, 12 an output. A dimension of -1 is open. */
static inline void onnx_value(struct onnx *graph, uint32_t field, const char *name, int type,
                              size_t n_dims, const int64_t *dims)
{
    struct onnx shape = {.n = 0}, tensor = {.n = 0}, kind = {.n = 0}, value = {.n = 0};
    for (size_t i = 0; i < n_dims; i++) {
        struct onnx dim = {.n = 0};
        if (dims[i] >= 0)
            onnx_number(&dim, 1, (uint64_t)dims[i]);
        else
            onnx_text(&dim, 2, "open");
        onnx_message(&shape, 1, &dim);
    }
    onnx_number(&tensor, 1, (uint64_t)type);
    onnx_message(&tensor, 2, &shape);
    onnx_message(&kind, 1, &tensor);
    onnx_text(&value, 1, name);
    onnx_message(&value, 2, &kind);
    onnx_message(graph, field, &value);
}

/** A constant: float scalar. */
static inline void onnx_scalar(struct onnx *graph, const char *name, float value)
{
    struct onnx tensor = {.n = 0};
    onnx_number(&tensor, 2, ONNX_F32);
    onnx_text(&tensor, 8, name);
    onnx_bytes(&tensor, 9, &value, sizeof value);
    onnx_message(graph, 5, &tensor);
}

/** A node; inputs are divided by spaces. The attribute is whole numbers, or a single one when
 * n_values is 0; NULL: none. */
static inline void onnx_node(struct onnx *graph, const char *operation, const char *inputs,
                             const char *output, const char *attribute, size_t n_values,
                             int64_t value)
{
    struct onnx node = {.n = 0};
    while (*inputs) {
        size_t n = strcspn(inputs, " ");
        onnx_bytes(&node, 1, inputs, n);
        inputs += n + (inputs[n] == ' ');
    }
    onnx_text(&node, 2, output);
    onnx_text(&node, 4, operation);
    if (attribute) {
        struct onnx named = {.n = 0};
        onnx_text(&named, 1, attribute);
        onnx_number(&named, n_values ? 8 : 3, (uint64_t)value);
        onnx_number(&named, 20, n_values ? 7 : 2); /* INTS, INT */
        onnx_message(&node, 5, &named);
    }
    onnx_message(graph, 1, &node);
}

static inline void onnx_metadata(struct onnx *model, const char *key, const char *value)
{
    struct onnx entry = {.n = 0};
    onnx_text(&entry, 1, key);
    onnx_text(&entry, 2, value);
    onnx_message(model, 14, &entry);
}

/** Model around a graph, with operations of version 16. */
static inline void onnx_model(struct onnx *model, struct onnx *graph)
{
    struct onnx set = {.n = 0};
    onnx_text(graph, 2, "test");
    onnx_number(model, 1, 8);
    onnx_text(&set, 1, "");
    onnx_number(&set, 2, 16);
    onnx_message(model, 8, &set);
    onnx_message(model, 7, graph);
}

/** Write n bytes of it (SIZE_MAX: all) to a new scratch file. */
static inline const char *onnx_file(const struct onnx *model, size_t n)
{
    const char *path = test_scratch(".onnx");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (n > model->n) n = model->n;
    assert_int_equal(fwrite(model->bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    return path;
}

/**
 * A model with Silero's inputs and outputs, of version 4 (h, c) or 5 (state): the output is
 * sigmoid(40 (rms - 0.05)) of its input; the states become 0.9 of themselves and 0.1 of the rms.
 *
 * @param n_samples  fixed length of the input, -1: open
 */
static inline void onnx_silero(struct onnx *model, int version, int64_t n_samples)
{
    static struct onnx graph;
    graph.n = 0;
    onnx_scalar(&graph, "k40", 40.0f);
    onnx_scalar(&graph, "k005", 0.05f);
    onnx_scalar(&graph, "k09", 0.9f);
    onnx_scalar(&graph, "k01", 0.1f);
    onnx_scalar(&graph, "k0", 0.0f);
    onnx_node(&graph, "Mul", "input input", "square", NULL, 0, 0);
    onnx_node(&graph, "ReduceMean", "square", "mean", "axes", 1, 1);
    onnx_node(&graph, "Sqrt", "mean", "rms", NULL, 0, 0);
    onnx_node(&graph, "Sub", "rms k005", "above", NULL, 0, 0);
    onnx_node(&graph, "Mul", "above k40", "steep", NULL, 0, 0);
    onnx_node(&graph, "Sigmoid", "steep", "sigmoid", NULL, 0, 0);
    onnx_node(&graph, "Cast", "sr", "rate", "to", 0, ONNX_F32);
    onnx_node(&graph, "Mul", "rate k0", "nothing", NULL, 0, 0);
    onnx_node(&graph, "Add", "sigmoid nothing", "output", NULL, 0, 0);
    onnx_node(&graph, "Mul", "rms k01", "rise", NULL, 0, 0);
    const char *states[] = {version == 4 ? "h" : "state", version == 4 ? "c" : NULL};
    const char *next[] = {version == 4 ? "hn" : "stateN", "cn"};
    const int64_t shape[] = {2, version == 4 ? -1 : 1, version == 4 ? 64 : 128};
    for (int i = 0; i < 2 && states[i]; i++) {
        char decayed[8], words[16];
        snprintf(decayed, sizeof decayed, "d%d", i);
        snprintf(words, sizeof words, "%s k09", states[i]);
        onnx_node(&graph, "Mul", words, decayed, NULL, 0, 0);
        snprintf(words, sizeof words, "%s rise", decayed);
        onnx_node(&graph, "Add", words, next[i], NULL, 0, 0);
        onnx_value(&graph, 11, states[i], ONNX_F32, 3, shape);
        onnx_value(&graph, 12, next[i], ONNX_F32, 3, shape);
    }
    onnx_value(&graph, 11, "input", ONNX_F32, 2, (const int64_t[]){1, n_samples});
    onnx_value(&graph, 11, "sr", ONNX_I64, 0, NULL);
    onnx_value(&graph, 12, "output", ONNX_F32, 2, (const int64_t[]){1, 1});
    model->n = 0;
    onnx_model(model, &graph);
}

#endif
