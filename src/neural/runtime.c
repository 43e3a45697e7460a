#define _GNU_SOURCE /* dl_iterate_phdr, memfd_create, dladdr */
/* ONNX Runtime, opened at run time: one environment for the process. */
#include "neural/runtime.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <onnxruntime_c_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/thread.h"
#include "neural/find.h"

enum { PROVIDERS_MAX = 16, PROVIDER_BYTES = 32, VERSION_BYTES = 32 };

struct runtime {
    /* Immutable while n_users > 0. */
    char path[FIND_PATH_BYTES];
    char version[VERSION_BYTES];
    char providers[PROVIDERS_MAX][PROVIDER_BYTES];
    size_t n_providers;
    unsigned level;
    const OrtApi *api;
    OrtEnv *env;
    /* With the lock. */
    size_t n_users;
    bool loaded; /* a model was: the library has said what it says only once */
    int kept;    /* while hushed: the file that takes what is written to standard error */
};

/* The process's; see runtime.h. */
static struct mutex lock = MUTEX_STATIC;
static struct runtime the_runtime;

/* --------------------------------------------------------- choosing a library */

struct search {
    struct runtime *runtime;
    int status;               /* of the best candidate so far */
    struct kodama_error *why; /* what was wrong with it; may be NULL */
    bool found;               /* a file was there, fitting or not */
};

/* Only what is worth telling: that a library is there, but does not do. */
static bool refuse(struct search *search, int status, const char *path, const char *what)
{
    if (search->found) return false;
    search->found = true;
    search->status = error_set(search->why, status, "%s %s", path, what);
    return false;
}

static bool ask_level(struct search *search, const OrtApiBase *base, const char *path)
{
    struct runtime *r = search->runtime;
    const char *version = base->GetVersionString();
    snprintf(r->version, sizeof r->version, "%s", version ? version : "?");
    /* Release 1.N has the levels up to N. Asking for more would make it print. */
    char *end = r->version;
    unsigned long major = strtoul(r->version, &end, 10);
    unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : ORT_API_VERSION;
    unsigned most = major == 1 && minor < ORT_API_VERSION ? (unsigned)minor : ORT_API_VERSION;
    r->api = NULL;
    for (r->level = most; r->level >= RUNTIME_LEVEL_LEAST && !r->api; r->level--)
        r->api = base->GetApi(r->level);
    r->level++;
    if (r->api) return true;
    char what[200];
    snprintf(what, sizeof what,
             "is ONNX Runtime %s, whose interface is not one of those that Kodama knows (level %d "
             "to %d): install a release from 1.%d on",
             r->version, RUNTIME_LEVEL_LEAST, ORT_API_VERSION, RUNTIME_LEVEL_LEAST);
    return refuse(search, KODAMA_ERR_UNSUPPORTED, path, what);
}

/* What the loader says, without the path that it begins with as a rule. */
static bool refuse_file(struct search *search, const char *path)
{
    const char *words = dlerror();
    char what[300];
    if (strchr(path, '/') == NULL || access(path, F_OK) != 0) return false;
    snprintf(what, sizeof what, "cannot be loaded as ONNX Runtime: %s", words ? words : "?");
    return refuse(search, KODAMA_ERR_CORRUPT, path, what);
}

static bool try_library(void *user, const char *path)
{
    struct search *search = user;
    struct runtime *r = search->runtime;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) return refuse_file(search, path);
    const OrtApiBase *(*get_base)(void);
    void *symbol = dlsym(handle, "OrtGetApiBase");
    if (!symbol) {
        dlclose(handle);
        return refuse(search, KODAMA_ERR_CORRUPT, path,
                      "is not ONNX Runtime: it has no function OrtGetApiBase");
    }
    memcpy(&get_base, &symbol, sizeof get_base); /* C has no cast between the two */
    const OrtApiBase *base = get_base();
    if (!base || !ask_level(search, base, path)) {
        dlclose(handle);
        return base ? false : refuse(search, KODAMA_ERR_CORRUPT, path, "is not ONNX Runtime");
    }
    /* From here on it stays loaded: the handle is never closed. */
    Dl_info info;
    bool known = dladdr(symbol, &info) && info.dli_fname;
    char *whole = realpath(known ? info.dli_fname : path, NULL);
    snprintf(r->path, sizeof r->path, "%s", whole ? whole : known ? info.dli_fname : path);
    free(whole);
    return true;
}

/* ------------------------------------------------------------ the environment */

static void log_nothing(void *user, OrtLoggingLevel severity, const char *category, const char *id,
                        const char *location, const char *message)
{
    (void)user, (void)severity, (void)category, (void)id, (void)location, (void)message;
}

static int check(struct runtime *r, OrtStatus *status, const char *what, struct kodama_error *error)
{
    if (!status) return KODAMA_OK;
    error_set(error, KODAMA_ERR_ENGINE, "ONNX Runtime cannot %s: %s", what,
              r->api->GetErrorMessage(status));
    r->api->ReleaseStatus(status);
    return KODAMA_ERR_ENGINE;
}

/* Releases name what they were built for, also where the part that does it was not installed: that
 * is a library of its own beside the first, but for what is built in. */
static bool is_installed(const struct runtime *r, const char *provider)
{
    static const char *const apart[] = {"cuda",     "tensorrt", "nvtensorrtrtx", "rocm", "migraphx",
                                        "openvino", "dnnl",     "vitisai",       "cann", "qnn"};
    char path[FIND_PATH_BYTES + 64];
    const char *slash = strrchr(r->path, '/');
    for (size_t i = 0; slash && i < sizeof apart / sizeof apart[0]; i++) {
        if (strcmp(apart[i], provider) != 0) continue;
        snprintf(path, sizeof path, "%.*s/libonnxruntime_providers_%s.so", (int)(slash - r->path),
                 r->path, provider);
        return access(path, R_OK) == 0;
    }
    return true;
}

/* "CUDAExecutionProvider" is "cuda". */
static void list_providers(struct runtime *r)
{
    char **names = NULL;
    int n = 0;
    r->n_providers = 0;
    OrtStatus *status = r->api->GetAvailableProviders(&names, &n);
    for (int i = 0; !status && i < n && r->n_providers < PROVIDERS_MAX; i++) {
        char *to = r->providers[r->n_providers];
        const char *end = strstr(names[i], "ExecutionProvider");
        size_t length = end ? (size_t)(end - names[i]) : strlen(names[i]);
        if (length >= PROVIDER_BYTES) length = PROVIDER_BYTES - 1;
        for (size_t j = 0; j < length; j++) to[j] = (char)tolower((unsigned char)names[i][j]);
        to[length] = 0;
        if (is_installed(r, to)) r->n_providers++;
    }
    if (!status) status = r->api->ReleaseAvailableProviders(names, n);
    if (status) r->api->ReleaseStatus(status);
}

static int open_first(struct runtime *r, const char *library, struct kodama_error *error)
{
    struct search search = {.runtime = r, .why = error};
    const char *named = find_library_named(library);
    if (!find_library(library, try_library, &search)) {
        if (search.found) return search.status;
        if (named)
            return error_set(error, KODAMA_ERR_NOT_FOUND,
                             "there is no ONNX Runtime at %s (no file libonnxruntime.so.1)", named);
        return error_set(error, KODAMA_ERR_NOT_FOUND,
                         "ONNX Runtime is not installed: install Debian's libonnxruntime-dev, or "
                         "unpack a release below /opt or ~/.local/share/kodama, or name the "
                         "library with KODAMA_ONNXRUNTIME");
    }
    if (error) *error = (struct kodama_error){0}; /* of candidates that did not do */
    OrtStatus *status = r->api->CreateEnvWithCustomLogger(
        log_nothing, NULL, ORT_LOGGING_LEVEL_ERROR, "kodama", &r->env);
    if (status) return check(r, status, "begin", error);
    status = r->api->DisableTelemetryEvents(r->env);
    if (status) r->api->ReleaseStatus(status);
    list_providers(r);
    return KODAMA_OK;
}

static bool same_library(const char *library, const struct runtime *r)
{
    const char *named = find_library_named(library);
    struct stat wanted, used;
    if (!named || strcmp(named, r->path) == 0) return true;
    if (stat(named, &wanted) != 0 || stat(r->path, &used) != 0) return false;
    if (!S_ISDIR(wanted.st_mode))
        return wanted.st_dev == used.st_dev && wanted.st_ino == used.st_ino;
    char folder[FIND_PATH_BYTES], *slash;
    for (snprintf(folder, sizeof folder, "%s", r->path);
         (slash = strrchr(folder, '/')) && slash > folder;) {
        *slash = 0;
        if (stat(folder, &used) == 0 && wanted.st_dev == used.st_dev &&
            wanted.st_ino == used.st_ino)
            return true;
    }
    return false;
}

int runtime_open(struct runtime **runtime, const char *library, struct kodama_error *error)
{
    struct runtime *r = &the_runtime;
    int status = KODAMA_OK;
    *runtime = NULL;
    mutex_lock(&lock);
    if (r->n_users == 0) {
        status = open_first(r, library, error);
    } else if (!same_library(library, r)) {
        status =
            error_set(error, KODAMA_ERR_STATE,
                      "this process uses the ONNX Runtime %s; %s can be opened when everything "
                      "that uses it is closed",
                      r->path, find_library_named(library));
    }
    if (status == KODAMA_OK) {
        r->n_users++;
        *runtime = r;
    }
    mutex_unlock(&lock);
    return status;
}

void runtime_close(struct runtime *r)
{
    if (!r) return;
    mutex_lock(&lock);
    if (--r->n_users == 0) {
        r->api->ReleaseEnv(r->env);
        r->env = NULL;
    }
    mutex_unlock(&lock);
}

const char *runtime_version(const struct runtime *r)
{
    return r->version;
}

const char *runtime_path(const struct runtime *r)
{
    return r->path;
}

unsigned runtime_level(const struct runtime *r)
{
    return r->level;
}

const char *runtime_provider(const struct runtime *r, size_t index)
{
    return index < r->n_providers ? r->providers[index] : NULL;
}

const void *runtime_api(const struct runtime *r)
{
    return r->api;
}

void *runtime_env(const struct runtime *r)
{
    return r->env;
}

/* -------------------------------------------------------------------- silence */

static int is_shared_onnx(struct dl_phdr_info *info, size_t n_bytes, void *user)
{
    (void)n_bytes;
    bool *shared = user;
    const char *slash = info->dlpi_name ? strrchr(info->dlpi_name, '/') : NULL;
    if (slash && strncmp(slash, "/libonnx.so", 11) == 0) *shared = true;
    return *shared;
}

/* Standard error again, and what others wrote meanwhile. */
static void hand_on(int saved, int kept)
{
    static const char noise[] = "Schema error: ";
    (void)dup2(saved, STDERR_FILENO);
    close(saved);
    off_t length = lseek(kept, 0, SEEK_END);
    char *text = length > 0 ? memory_array((size_t)length, 1) : NULL;
    ssize_t n = text ? pread(kept, text, (size_t)length, 0) : 0;
    for (ssize_t i = 0; i < n;) {
        const char *end = memchr(text + i, '\n', (size_t)(n - i));
        ssize_t line = end ? end - (text + i) + 1 : n - i;
        bool foreign = line > 1 && strncmp(text + i, noise, sizeof noise - 1) != 0;
        if (foreign && write(STDERR_FILENO, text + i, (size_t)line) < 0) break;
        i += line;
    }
    free(text);
    close(kept);
}

/* The token is standard error itself, under another number. */
int runtime_hush(struct runtime *r)
{
    mutex_lock(&lock);
    bool shared = false;
    if (!r->loaded) dl_iterate_phdr(is_shared_onnx, &shared);
    int saved = -1;
    if (shared) {
        r->kept = memfd_create("kodama-stderr", MFD_CLOEXEC);
        saved = r->kept >= 0 ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3) : -1;
        if (saved < 0 || dup2(r->kept, STDERR_FILENO) < 0) {
            if (r->kept >= 0) close(r->kept);
            if (saved >= 0) close(saved);
            r->kept = saved = -1;
        }
    }
    if (saved < 0) mutex_unlock(&lock);
    return saved;
}

void runtime_unhush(struct runtime *r, int token, bool loaded)
{
    if (token < 0) return;
    if (loaded) r->loaded = true;
    hand_on(token, r->kept);
    mutex_unlock(&lock);
}
