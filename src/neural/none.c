/* Instead of ONNX Runtime in a build that had not its header: everything says so. */
#include "base/error.h"
#include "neural/graph.h"
#include "neural/runtime.h"

int runtime_open(struct runtime **runtime, const char *library, struct kodama_error *error)
{
    (void)library;
    *runtime = NULL;
    return error_set(error, KODAMA_ERR_UNSUPPORTED,
                     "this Kodama was built without ONNX Runtime's header: install Debian's "
                     "libonnxruntime-dev, or run tools/install-onnxruntime, and build it again");
}

void runtime_close(struct runtime *runtime)
{
    (void)runtime;
}

const char *runtime_version(const struct runtime *runtime)
{
    (void)runtime;
    return "";
}

const char *runtime_path(const struct runtime *runtime)
{
    (void)runtime;
    return "";
}

unsigned runtime_level(const struct runtime *runtime)
{
    (void)runtime;
    return 0;
}

const char *runtime_provider(const struct runtime *runtime, size_t index)
{
    (void)runtime, (void)index;
    return NULL;
}
