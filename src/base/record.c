/* Records: the state of an object as portable bytes. */
#include "base/record.h"

#include <stdlib.h>
#include <string.h>

#include <kodama/status.h>

#include "base/memory.h"

struct record record_writer(void)
{
    return (struct record){0};
}

struct record record_reader(const void *data, size_t n_bytes)
{
    /* The cast drops const, but a reader never writes through `data`. */
    return (struct record){.data = (uint8_t *)(uintptr_t)data, .n_bytes = n_bytes};
}

void record_free(struct record *record)
{
    free(record->data);
    *record = (struct record){0};
}

int64_t record_deliver(struct record *record, void *data, size_t n_bytes)
{
    int64_t result = (int64_t)record->n_bytes;
    if (record->failed) {
        result = KODAMA_ERR_MEMORY;
    } else if (data && n_bytes < record->n_bytes) {
        result = KODAMA_ERR_ARGUMENT;
    } else if (data) {
        memcpy(data, record->data, record->n_bytes);
    }
    record_free(record);
    return result;
}

void record_put_bytes(struct record *record, const void *bytes, size_t n_bytes)
{
    if (record->failed || n_bytes == 0) return;
    if (n_bytes > record->room - record->n_bytes) {
        size_t room = record->room ? record->room : 256;
        while (room - record->n_bytes < n_bytes && room <= SIZE_MAX / 2) room *= 2;
        uint8_t *data =
            room - record->n_bytes >= n_bytes ? memory_resize(record->data, room, 1) : NULL;
        if (!data) {
            record->failed = true;
            return;
        }
        record->data = data;
        record->room = room;
    }
    memcpy(record->data + record->n_bytes, bytes, n_bytes);
    record->n_bytes += n_bytes;
}

void record_put_u32(struct record *record, uint32_t value)
{
    uint8_t bytes[4];
    for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(value >> (8 * i));
    record_put_bytes(record, bytes, sizeof bytes);
}

void record_put_u64(struct record *record, uint64_t value)
{
    record_put_u32(record, (uint32_t)value);
    record_put_u32(record, (uint32_t)(value >> 32));
}

void record_put_f32(struct record *record, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    record_put_u32(record, bits);
}

void record_put_f64(struct record *record, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    record_put_u64(record, bits);
}

void record_put_floats(struct record *record, const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) record_put_f32(record, values[i]);
}

void record_put_text(struct record *record, const char *text)
{
    size_t n_bytes = strlen(text);
    record_put_u64(record, n_bytes);
    record_put_bytes(record, text, n_bytes);
}

void record_put_tag(struct record *record, const char tag[5], uint32_t version)
{
    record_put_bytes(record, tag, 4);
    record_put_u32(record, version);
}

void record_get_bytes(struct record *record, void *bytes, size_t n_bytes)
{
    if (record->failed || n_bytes > record->n_bytes - record->offset) {
        record->failed = true;
        memset(bytes, 0, n_bytes);
        return;
    }
    if (n_bytes > 0) memcpy(bytes, record->data + record->offset, n_bytes);
    record->offset += n_bytes;
}

uint32_t record_get_u32(struct record *record)
{
    uint8_t bytes[4];
    record_get_bytes(record, bytes, sizeof bytes);
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) value |= (uint32_t)bytes[i] << (8 * i);
    return value;
}

uint64_t record_get_u64(struct record *record)
{
    uint64_t low = record_get_u32(record);
    return low | (uint64_t)record_get_u32(record) << 32;
}

float record_get_f32(struct record *record)
{
    uint32_t bits = record_get_u32(record);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double record_get_f64(struct record *record)
{
    uint64_t bits = record_get_u64(record);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void record_get_floats(struct record *record, float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) values[i] = record_get_f32(record);
}

char *record_get_text(struct record *record, size_t max_bytes)
{
    size_t n_bytes = record_get_count(record, max_bytes);
    if (record->failed || n_bytes > record->n_bytes - record->offset) {
        record->failed = true;
        return NULL;
    }
    char *text = memory_array(n_bytes + 1, 1);
    if (!text) {
        record->failed = true;
        return NULL;
    }
    record_get_bytes(record, text, n_bytes);
    return text;
}

size_t record_get_count(struct record *record, size_t max)
{
    uint64_t count = record_get_u64(record);
    if (count > max) {
        record->failed = true;
        return 0;
    }
    return (size_t)count;
}

void record_get_tag(struct record *record, const char tag[5], uint32_t version)
{
    char found[4];
    record_get_bytes(record, found, sizeof found);
    if (memcmp(found, tag, sizeof found) != 0) record->failed = true;
    if (record_get_u32(record) != version) record->failed = true;
}
