/* What a graph runs on: the processor, or an execution provider that the library was built with. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "neural/graph_internal.h"

/* Those with options of their own; all others are appended by name. */
static OrtStatus *append_cuda(const OrtApi *api, OrtSessionOptions *options)
{
    OrtCUDAProviderOptionsV2 *cuda = NULL;
    OrtStatus *status = api->CreateCUDAProviderOptions(&cuda);
    if (!status) status = api->SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda);
    if (cuda) api->ReleaseCUDAProviderOptions(cuda);
    return status;
}

static OrtStatus *append_tensorrt(const OrtApi *api, OrtSessionOptions *options)
{
    OrtTensorRTProviderOptionsV2 *tensorrt = NULL;
    OrtStatus *status = api->CreateTensorRTProviderOptions(&tensorrt);
    if (!status) status = api->SessionOptionsAppendExecutionProvider_TensorRT_V2(options, tensorrt);
    if (tensorrt) api->ReleaseTensorRTProviderOptions(tensorrt);
    return status;
}

static OrtStatus *append_dnnl(const OrtApi *api, OrtSessionOptions *options)
{
    OrtDnnlProviderOptions *dnnl = NULL;
    OrtStatus *status = api->CreateDnnlProviderOptions(&dnnl);
    if (!status) status = api->SessionOptionsAppendExecutionProvider_Dnnl(options, dnnl);
    if (dnnl) api->ReleaseDnnlProviderOptions(dnnl);
    return status;
}

static OrtStatus *append_rocm(const OrtApi *api, OrtSessionOptions *options)
{
    OrtROCMProviderOptions *rocm = NULL;
    OrtStatus *status = api->CreateROCMProviderOptions(&rocm);
    if (!status) status = api->SessionOptionsAppendExecutionProvider_ROCM(options, rocm);
    if (rocm) api->ReleaseROCMProviderOptions(rocm);
    return status;
}

static OrtStatus *append_named(const OrtApi *api, OrtSessionOptions *options, const char *name)
{
    char upper[32] = {0};
    for (size_t i = 0; name[i] && i + 1 < sizeof upper; i++)
        upper[i] = (char)toupper((unsigned char)name[i]);
    return api->SessionOptionsAppendExecutionProvider(options, upper, NULL, NULL, 0);
}

int graph_use_provider(const struct graph *graph, OrtSessionOptions *options,
                       struct kodama_error *error)
{
    static const struct {
        const char *name;
        OrtStatus *(*append)(const OrtApi *api, OrtSessionOptions *options);
    } known[] = {{"cuda", append_cuda},
                 {"tensorrt", append_tensorrt},
                 {"dnnl", append_dnnl},
                 {"rocm", append_rocm}};
    const char *name = graph->provider, *there;
    char all[200] = "";
    bool found = false;
    for (size_t i = 0; (there = runtime_provider(graph->runtime, i)); i++) {
        size_t n = strlen(all);
        snprintf(all + n, sizeof all - n, "%s%s", i > 0 ? ", " : "", there);
        if (strcmp(there, name) == 0) found = true;
    }
    if (!found)
        return error_set(
            error, KODAMA_ERR_UNSUPPORTED,
            "the ONNX Runtime %s cannot run on \"%s\", only on: %s; leave the provider "
            "out, or install a build that can",
            runtime_path(graph->runtime), name, all);
    if (strcmp(name, "cpu") == 0) return KODAMA_OK; /* always there, for what others cannot do */
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].name, name) == 0)
            return graph_check(graph->api, known[i].append(graph->api, options), error,
                               "cannot run on %s", name);
    }
    return graph_check(graph->api, append_named(graph->api, options, name), error,
                       "cannot run on %s", name);
}
