/*
 * Records: the state of an object as portable bytes (little-endian), for save and load.
 *
 * A record is written field by field and read back in the same order. Both sides carry a sticky
 * failure, so that a sequence of fields needs one check at its end. Sections begin with a
 * four-letter tag and a version.
 */
#ifndef BASE_RECORD_H
#define BASE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A record being written or read; initialise with record_writer() or record_reader(). */
struct record {
    uint8_t *data;  /* writer: owned; reader: borrowed, never written through */
    size_t n_bytes; /* writer: written; reader: whole size */
    size_t room;    /* writer: allocated */
    size_t offset;  /* reader: next byte */
    bool failed;    /* out of memory; or read past the end, wrong tag, bad value */
};

/** An empty record to write to; give it to record_free(). */
struct record record_writer(void);

/** A record to read; the bytes are borrowed. */
struct record record_reader(const void *data, size_t n_bytes);

void record_free(struct record *record);

/**
 * Copy a finished record out and free it: the end of every public save function.
 *
 * @param data     room for it; NULL to ask for its size
 * @param n_bytes  size of data
 * @return bytes of the record, KODAMA_ERR_ARGUMENT (no room) or KODAMA_ERR_MEMORY (it had failed)
 */
int64_t record_deliver(struct record *record, void *data, size_t n_bytes);

void record_put_bytes(struct record *record, const void *bytes, size_t n_bytes);
void record_put_u32(struct record *record, uint32_t value);
void record_put_u64(struct record *record, uint64_t value);
void record_put_f32(struct record *record, float value);
void record_put_f64(struct record *record, double value);
void record_put_floats(struct record *record, const float *values, size_t n);
void record_put_text(struct record *record, const char *text);
/** Begin a section: four letters, and a version to be raised when its fields change. */
void record_put_tag(struct record *record, const char tag[5], uint32_t version);

void record_get_bytes(struct record *record, void *bytes, size_t n_bytes);
uint32_t record_get_u32(struct record *record);
uint64_t record_get_u64(struct record *record);
float record_get_f32(struct record *record);
double record_get_f64(struct record *record);
void record_get_floats(struct record *record, float *values, size_t n);
/** A new string (free it), or NULL with the record failed. At most max_bytes are accepted. */
char *record_get_text(struct record *record, size_t max_bytes);
/** A count of elements that must be at most max, else the record fails and 0 is returned. */
size_t record_get_count(struct record *record, size_t max);
/** Expect a section with this tag and version; anything else fails the record. */
void record_get_tag(struct record *record, const char tag[5], uint32_t version);

#endif
