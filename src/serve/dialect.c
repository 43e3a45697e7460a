/* The dialects that there are. */
#include "serve/dialect.h"

#include <string.h>

static const struct dialect_ops *const dialects[] = {&dialect_native, &dialect_voice, NULL};

const struct dialect_ops *dialect_find(const char *path)
{
    for (size_t i = 0; dialects[i]; i++) {
        for (const char *const *at = dialects[i]->paths; *at; at++) {
            if (strcmp(*at, path) == 0) return dialects[i];
        }
    }
    return NULL;
}

const struct dialect_ops *dialect_named(const char *name)
{
    for (size_t i = 0; dialects[i]; i++) {
        if (strcmp(dialects[i]->name, name) == 0) return dialects[i];
    }
    return NULL;
}
