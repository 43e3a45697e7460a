/* Tensors without a runtime: sizes, and conversion from and to float. */
#include <math.h>
#include <string.h>

#include "neural/graph.h"

size_t tensor_elements(const struct tensor_shape *shape)
{
    size_t n = 1;
    for (size_t i = 0; i < shape->n_dims; i++) {
        int64_t length = shape->dims[i] == -1 ? 1 : shape->dims[i];
        if (length < 1 || (uint64_t)length > SIZE_MAX / 16 / n) return 0;
        n *= (size_t)length;
    }
    return n;
}

size_t tensor_bytes(enum tensor_type type)
{
    switch (type) {
    case TENSOR_F32:
    case TENSOR_I32: return 4;
    case TENSOR_F16: return 2;
    case TENSOR_I64: return 8;
    case TENSOR_OTHER: break;
    }
    return 0;
}

/* IEEE 754 binary16, rounded to nearest even. */
static uint16_t half_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return sign | 0x7e00;  /* not a number */
    if (magnitude >= 0x477ff000) return sign | 0x7c00; /* rounds beyond 65504: infinite */
    if (magnitude < 0x38800000) {                      /* below 2^-14: denormal */
        float scaled = fabsf(value) * 0x1p24f;         /* exact; in steps of the least half */
        return sign | (uint16_t)lrintf(scaled);
    }
    uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
    return sign | (uint16_t)((rounded - 0x38000000) >> 13);
}

static float of_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, rest = half & 1023;
    if (exponent == 0) {
        float value = (float)rest * 0x1p-24f;
        return sign ? -value : value;
    }
    uint32_t bits = sign | (exponent == 31 ? 0x7f800000 : (exponent + 112) << 23) | rest << 13;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int64_t whole(float value, float most, int64_t largest)
{
    if (!(value > -most)) return value != value ? 0 : -largest - 1;
    return value < most ? llrintf(value) : largest;
}

void tensor_from_floats(void *data, enum tensor_type type, const float *values, size_t n)
{
    if (type == TENSOR_F32 && n > 0) memcpy(data, values, n * sizeof *values);
    for (size_t i = 0; type == TENSOR_F16 && i < n; i++) ((uint16_t *)data)[i] = half_of(values[i]);
    for (size_t i = 0; type == TENSOR_I64 && i < n; i++)
        ((int64_t *)data)[i] = whole(values[i], 0x1p63f, INT64_MAX);
    for (size_t i = 0; type == TENSOR_I32 && i < n; i++)
        ((int32_t *)data)[i] = (int32_t)whole(values[i], 0x1p31f, INT32_MAX);
}

void tensor_to_floats(float *values, const void *data, enum tensor_type type, size_t n)
{
    if (type == TENSOR_F32 && n > 0) memcpy(values, data, n * sizeof *values);
    for (size_t i = 0; type == TENSOR_F16 && i < n; i++)
        values[i] = of_half(((const uint16_t *)data)[i]);
    for (size_t i = 0; type == TENSOR_I64 && i < n; i++)
        values[i] = (float)((const int64_t *)data)[i];
    for (size_t i = 0; type == TENSOR_I32 && i < n; i++)
        values[i] = (float)((const int32_t *)data)[i];
}
