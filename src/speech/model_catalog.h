/* The models that a store knows by name: where their authors publish them, and their checksums. */
#ifndef SPEECH_MODEL_CATALOG_H
#define SPEECH_MODEL_CATALOG_H

#include <stddef.h>
#include <stdint.h>

struct catalog_entry {
    const char *name;
    const char *file; /* its name at the host and in the store */
    const char *host; /* the address of its folder, "/" at the end */
    const char *engine;
    const char *sha256;
    uint64_t n_bytes;
};

/** Index 0, 1, ... until NULL. */
const struct catalog_entry *catalog_at(size_t index);

/** By name; NULL: not known. */
const struct catalog_entry *catalog_find(const char *name);

#endif
