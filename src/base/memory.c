/* Arrays whose size is checked. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void *memory_array(size_t n, size_t element_bytes)
{
    /* calloc checks the product, too, but the sanitizers end the program there. */
    if (element_bytes != 0 && n > SIZE_MAX / element_bytes) return NULL;
    return calloc(n > 0 ? n : 1, element_bytes);
}

void *memory_resize(void *array, size_t n, size_t element_bytes)
{
    if (element_bytes != 0 && n > SIZE_MAX / element_bytes) return NULL;
    size_t n_bytes = n * element_bytes;
    return realloc(array, n_bytes > 0 ? n_bytes : 1);
}

char *memory_text(const char *text)
{
    if (!text) return NULL;
    size_t n_bytes = strlen(text) + 1;
    char *copy = memory_array(n_bytes, 1);
    if (copy) memcpy(copy, text, n_bytes);
    return copy;
}
