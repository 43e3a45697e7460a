#define _GNU_SOURCE /* dladdr, secure_getenv, strverscmp */
/* Where ONNX Runtime and model files may be. */
#include "neural/find.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* Releases whose names are tried: from the first that will do to some years ahead. */
enum {
    RELEASE_FIRST = 16,
    RELEASE_LAST = 49,
    NAME_BYTES = 32,
    N_NAMES = 3 + RELEASE_LAST - RELEASE_FIRST
};

/* Names that the library is known by: its own, Debian's, which is that of one release, the newest
 * first, and that for developers. */
static const char *library_name(size_t index, char *name)
{
    if (index == 0)
        snprintf(name, NAME_BYTES, "libonnxruntime.so.1");
    else if (index == N_NAMES - 1)
        snprintf(name, NAME_BYTES, "libonnxruntime.so");
    else
        snprintf(name, NAME_BYTES, "libonnxruntime.so.1.%d", RELEASE_LAST + 1 - (int)index);
    return name;
}

typedef bool try_function(void *user, const char *path);

const char *find_library_named(const char *library)
{
    if (library && library[0]) return library;
    const char *variable = secure_getenv("KODAMA_ONNXRUNTIME");
    return variable && variable[0] ? variable : NULL;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* The library in a folder, or in its `lib`, as an unpacked archive has it. */
static bool try_folder(const char *folder, try_function *try, void *user)
{
    static const char *const below[] = {"", "/lib", NULL};
    for (size_t i = 0; below[i]; i++) {
        for (size_t j = 0; j < N_NAMES; j++) {
            char path[FIND_PATH_BYTES], name[NAME_BYTES];
            int n = snprintf(path, sizeof path, "%s%s/%s", folder, below[i], library_name(j, name));
            if (n > 0 && (size_t)n < sizeof path && is_file(path) && try(user, path)) return true;
        }
    }
    return false;
}

/* Beside the file that this code is in: `kodama` when installed, `neural` in a build. */
static bool try_beside(try_function *try, void *user)
{
    Dl_info info;
    static const char *const below[] = {"kodama", "neural", NULL};
    if (!dladdr((const void *)below, &info) || !info.dli_fname) return false;
    const char *slash = strrchr(info.dli_fname, '/');
    for (size_t i = 0; slash && below[i]; i++) {
        char folder[FIND_PATH_BYTES];
        int n = snprintf(folder, sizeof folder, "%.*s/%s", (int)(slash - info.dli_fname),
                         info.dli_fname, below[i]);
        if (n > 0 && (size_t)n < sizeof folder && try_folder(folder, try, user)) return true;
    }
    return false;
}

static const char *home_data(char *folder, size_t n_bytes)
{
    const char *data = secure_getenv("XDG_DATA_HOME");
    const char *home = secure_getenv("HOME");
    folder[0] = 0;
    if (data && data[0] == '/') {
        snprintf(folder, n_bytes, "%s", data);
    } else if (home && home[0] == '/') {
        snprintf(folder, n_bytes, "%s/.local/share", home);
    }
    return folder;
}

/* Folders as the archives unpack to, onnxruntime-linux-x64-1.21.1: the newest first. */
static bool try_unpacked(const char *where, try_function *try, void *user)
{
    char pattern[FIND_PATH_BYTES];
    int n = snprintf(pattern, sizeof pattern, "%s/onnxruntime*", where);
    if (n < 0 || (size_t)n >= sizeof pattern) return false;
    glob_t found;
    bool fits = false;
    if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0) return false;
    for (size_t i = 1; i < found.gl_pathc; i++) { /* a few folders: insertion */
        char *path = found.gl_pathv[i];
        size_t j = i;
        for (; j > 0 && strverscmp(found.gl_pathv[j - 1], path) < 0; j--)
            found.gl_pathv[j] = found.gl_pathv[j - 1];
        found.gl_pathv[j] = path;
    }
    for (size_t i = 0; i < found.gl_pathc && !fits; i++)
        fits = is_folder(found.gl_pathv[i]) && try_folder(found.gl_pathv[i], try, user);
    globfree(&found);
    return fits;
}

bool find_library(const char *library, try_function *try, void *user)
{
    const char *named = find_library_named(library);
    if (named) return is_folder(named) ? try_folder(named, try, user) : try(user, named);
    if (try_beside(try, user)) return true;
    char name[NAME_BYTES];
    for (size_t i = 0; i < N_NAMES; i++)
        if (try(user, library_name(i, name))) return true;
    char data[FIND_PATH_BYTES], below[FIND_PATH_BYTES + 8];
    if (home_data(data, sizeof data)[0]) {
        snprintf(below, sizeof below, "%s/kodama", data);
        if (try_unpacked(below, try, user)) return true;
    }
    return try_unpacked("/opt", try, user) || try_unpacked("/usr/local/lib", try, user);
}

/* ------------------------------------------------------------------- models */

static bool model_below(char *path, const char *folder, size_t n_folder, const char *name)
{
    if (n_folder == 0 || folder[0] != '/') return false;
    int n = snprintf(path, FIND_PATH_BYTES, "%.*s/kodama/models/%s", (int)n_folder, folder, name);
    return n > 0 && n < FIND_PATH_BYTES && is_file(path);
}

int find_model(char *path, const char *model, const char *variable, const char *name,
               struct kodama_error *error)
{
    const char *from = NULL;
    if (!model || !model[0]) {
        model = secure_getenv(variable);
        from = variable;
    }
    if (model && model[0]) {
        int n = snprintf(path, FIND_PATH_BYTES, "%s", model);
        if (n > 0 && n < FIND_PATH_BYTES && is_file(path)) return KODAMA_OK;
        return error_set(error, KODAMA_ERR_NOT_FOUND, "there is no model file %s%s%s%s", model,
                         from ? " (" : "", from ? from : "", from ? ")" : "");
    }
    char data[FIND_PATH_BYTES];
    home_data(data, sizeof data);
    if (model_below(path, data, strlen(data), name)) return KODAMA_OK;
    const char *folders = secure_getenv("XDG_DATA_DIRS");
    if (!folders || !folders[0]) folders = "/usr/local/share:/usr/share";
    while (*folders) {
        size_t n = strcspn(folders, ":");
        if (model_below(path, folders, n, name)) return KODAMA_OK;
        folders += n + (folders[n] == ':');
    }
    return error_set(error, KODAMA_ERR_NOT_FOUND,
                     "there is no model: put %s into %s/kodama/models, or name it with %s or in "
                     "the configuration (docs/detectors.md says where to get it)",
                     name, data[0] ? data : "/usr/local/share", variable);
}
