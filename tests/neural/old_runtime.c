/* A library that looks like an ONNX Runtime of long ago: it has no level of the interface that
 * Kodama knows. */
#include <stddef.h>
#include <stdint.h>

struct base {
    const void *(*get_api)(uint32_t level);
    const char *(*version)(void);
};

static const void *get_api(uint32_t level)
{
    (void)level;
    return NULL;
}

static const char *version(void)
{
    return "1.4.0";
}

const struct base *OrtGetApiBase(void); /* found by its name */
const struct base *OrtGetApiBase(void)
{
    static const struct base base = {get_api, version};
    return &base;
}
