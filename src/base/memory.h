/* Memory: arrays whose size is checked, and what this process really occupies. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/** Zeroed array of n elements; NULL when n * element overflows or memory is out. Free with free().
 */
void *memory_array(size_t n, size_t element_bytes);

/** Resize an array; on failure NULL, and the old one is untouched. New elements are not
 * initialised. */
void *memory_resize(void *array, size_t n, size_t element_bytes);

/** Copy of a string; NULL when memory is out or text is NULL. Free with free(). */
char *memory_text(const char *text);

/**
 * Proportional set size of this process in bytes, 0 where the system does not tell. (The resident
 * set size counts a mirrored ring twice.)
 *
 * Thread: any. Real-time safe: no.
 */
uint64_t memory_proportional_bytes(void);

#endif
