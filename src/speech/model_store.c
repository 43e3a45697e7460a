#define _GNU_SOURCE /* secure_getenv */
/* The model store: which models are there, under which names, and which is the default. */
#include "speech/model_store.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

static const char silero_file[] = "silero_vad.onnx";

/* --------------------------------------------------------------------- names */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);
    return n > n_end && strcmp(text + n - n_end, end) == 0;
}

bool store_is_name(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > STORE_NAME_BYTES - 32 || !isalnum((unsigned char)name[0])) return false;
    for (const char *at = name; *at; at++) {
        if (!isalnum((unsigned char)*at) && !strchr("._-", *at)) return false;
    }
    static const char *const taken[] = {".part", ".from", ".sha256", ".new"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        if (ends_with(name, taken[i])) return false;
    }
    return true;
}

void store_path(const struct kodama_model_store *store, char path[STORE_PATH_BYTES],
                const char *name, const char *suffix)
{
    snprintf(path, STORE_PATH_BYTES, "%s/%.*s%s", store->folder, STORE_NAME_BYTES, name, suffix);
}

bool store_name_of_file(const char *file, char name[STORE_NAME_BYTES])
{
    const char *begin = file;
    size_t n = strlen(file);
    if (strcmp(file, silero_file) == 0) {
        snprintf(name, STORE_NAME_BYTES, "silero");
        return true;
    }
    if (strncmp(file, "ggml-", 5) == 0 && ends_with(file, ".bin")) {
        begin += 5;
        n -= 5;
    }
    if (ends_with(begin, ".bin")) n -= 4;
    if (ends_with(begin, ".onnx")) n -= 5;
    if (n >= STORE_NAME_BYTES) return false;
    snprintf(name, STORE_NAME_BYTES, "%.*s", (int)n, begin);
    return store_is_name(name);
}

void store_file_of_name(const char *name, enum model_file_kind kind, char file[STORE_NAME_BYTES])
{
    switch (kind) {
    case MODEL_FILE_WHISPER: snprintf(file, STORE_NAME_BYTES, "ggml-%s.bin", name); return;
    case MODEL_FILE_ONNX:
        if (strcmp(name, "silero") == 0) {
            snprintf(file, STORE_NAME_BYTES, "%s", silero_file);
        } else {
            snprintf(file, STORE_NAME_BYTES, "%s.onnx", name);
        }
        return;
    case MODEL_FILE_FOLDER: snprintf(file, STORE_NAME_BYTES, "%s", name); return;
    }
}

bool store_has(const struct kodama_model_store *store, const char *name,
               char file[STORE_NAME_BYTES])
{
    static const enum model_file_kind kinds[] = {MODEL_FILE_WHISPER, MODEL_FILE_ONNX,
                                                 MODEL_FILE_FOLDER};
    if (!store_is_name(name)) return false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char path[STORE_PATH_BYTES];
        struct stat info;
        store_file_of_name(name, kinds[i], file);
        store_path(store, path, file, "");
        if (lstat(path, &info) < 0) continue;
        if (kinds[i] != MODEL_FILE_FOLDER || !S_ISREG(info.st_mode)) return true;
    }
    return false;
}

/* ---------------------------------------------------------------- small files */

bool store_read_line(const char *path, char *line, size_t n_bytes)
{
    FILE *file = fopen(path, "r");
    if (n_bytes > 0) line[0] = '\0';
    if (!file) return false;
    bool read = fgets(line, (int)n_bytes, file) != NULL;
    fclose(file);
    if (!read) line[0] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    return true;
}

int store_write_text(const char *path, const char *text, struct kodama_error *error)
{
    char fresh[STORE_PATH_BYTES + 8];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    size_t n = strlen(text);
    bool written = fd >= 0 && write(fd, text, n) == (ssize_t)n && fsync(fd) == 0;
    int number = errno;
    if (fd >= 0 && close(fd) < 0 && written) {
        written = false;
        number = errno;
    }
    if (written && rename(fresh, path) == 0) return KODAMA_OK;
    if (written) number = errno;
    (void)unlink(fresh);
    return error_set_file(error, "write", path, number, ": make room on the disk");
}

int store_make_folder(const struct kodama_model_store *store, struct kodama_error *error)
{
    char path[sizeof store->folder];
    snprintf(path, sizeof path, "%s", store->folder);
    for (char *at = path + 1; *at; at++) {
        if (*at != '/') continue;
        *at = '\0';
        (void)mkdir(path, 0777); /* the last one tells */
        *at = '/';
    }
    if (mkdir(path, 0777) == 0 || errno == EEXIST) return KODAMA_OK;
    return error_set_file(error, "make the folder", path, errno, ": make room on the disk");
}

/* ------------------------------------------------------------- open and close */

static bool usual_folder(char *folder, size_t n_bytes)
{
    const char *data = secure_getenv("XDG_DATA_HOME");
    const char *home = secure_getenv("HOME");
    int n = -1;
    if (data && data[0] == '/') {
        n = snprintf(folder, n_bytes, "%s/kodama/models", data);
    } else if (home && home[0] == '/') {
        n = snprintf(folder, n_bytes, "%s/.local/share/kodama/models", home);
    }
    return n > 0 && (size_t)n < n_bytes;
}

int kodama_model_store_open(struct kodama_model_store **opened, const char *folder,
                            struct kodama_error *error)
{
    if (!opened) return error_set(error, KODAMA_ERR_ARGUMENT, "model store: no place for it");
    *opened = NULL;
    struct kodama_model_store *store = memory_array(1, sizeof *store);
    if (!store) return error_set(error, KODAMA_ERR_MEMORY, "model store: out of memory");
    int status = KODAMA_OK;
    if (!folder || !folder[0]) {
        if (!usual_folder(store->folder, sizeof store->folder)) {
            status = error_set(error, KODAMA_ERR_NOT_FOUND,
                               "model store: neither XDG_DATA_HOME nor HOME says where it is");
        }
    } else {
        int n = snprintf(store->folder, sizeof store->folder, "%s", folder);
        while (n > 1 && (size_t)n < sizeof store->folder && store->folder[n - 1] == '/') {
            store->folder[--n] = '\0';
        }
        if (n < 0 || (size_t)n >= sizeof store->folder) {
            status =
                error_set(error, KODAMA_ERR_ARGUMENT, "model store: the folder's name is too long");
        }
    }
    if (status < 0) {
        free(store);
        return status;
    }
    *opened = store;
    return KODAMA_OK;
}

void kodama_model_store_close(struct kodama_model_store *store)
{
    free(store);
}

const char *kodama_model_store_folder(const struct kodama_model_store *store)
{
    return store->folder;
}

/* ------------------------------------------------------------------------ find */

static int not_there(const struct kodama_model_store *store, const char *name,
                     struct kodama_error *error)
{
    const char *what = catalog_find(name) ? "it can be fetched: kodama models get "
                                          : "kodama models list shows what there is";
    return error_set(error, KODAMA_ERR_NOT_FOUND, "there is no model '%.100s' in %s; %s%s", name,
                     store->folder, what, catalog_find(name) ? name : "");
}

int kodama_model_store_find(struct kodama_model_store *store, const char *name, char *path,
                            size_t n_bytes, struct kodama_error *error)
{
    char file[STORE_NAME_BYTES], whole[STORE_PATH_BYTES], by_file[STORE_NAME_BYTES];
    if (!store || !name || !path) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "model store: needs a name and room");
    }
    bool found = store_has(store, name, file);
    if (!found && store_name_of_file(name, by_file)) {
        found = store_has(store, by_file, file) && strcmp(file, name) == 0;
    }
    if (!found) return not_there(store, name, error);
    store_path(store, whole, file, "");
    if (access(whole, F_OK) < 0) {
        return error_set(error, KODAMA_ERR_NOT_FOUND,
                         "the model '%.100s' in %s is a link to what is gone", name, store->folder);
    }
    int n = snprintf(path, n_bytes, "%s", whole);
    if (n < 0 || (size_t)n >= n_bytes) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "model store: no room for the path");
    }
    return KODAMA_OK;
}

int store_resolve(const char *given, char path[STORE_PATH_BYTES], struct kodama_error *error)
{
    struct kodama_model_store *store;
    int n = snprintf(path, STORE_PATH_BYTES, "%s", given);
    /* Too long for a name: its engine says what it thinks of it. */
    if (n < 0 || n >= STORE_PATH_BYTES || access(given, F_OK) == 0 || strchr(given, '/')) {
        return KODAMA_OK;
    }
    int status = kodama_model_store_open(&store, NULL, error);
    if (status < 0) return status;
    status = kodama_model_store_find(store, given, path, STORE_PATH_BYTES, error);
    kodama_model_store_close(store);
    return status;
}

/* --------------------------------------------------------------------- default */

int kodama_model_store_default(struct kodama_model_store *store, char *name, size_t n_bytes)
{
    char path[STORE_PATH_BYTES], file[STORE_NAME_BYTES];
    if (!store || !name || n_bytes == 0) return KODAMA_ERR_ARGUMENT;
    store_path(store, path, ".default", "");
    if (!store_read_line(path, name, n_bytes)) return KODAMA_ERR_NOT_FOUND;
    return store_has(store, name, file) ? KODAMA_OK : KODAMA_ERR_NOT_FOUND;
}

int kodama_model_store_set_default(struct kodama_model_store *store, const char *name,
                                   struct kodama_error *error)
{
    char path[STORE_PATH_BYTES], file[STORE_NAME_BYTES], line[STORE_NAME_BYTES + 1];
    if (!store) return error_set(error, KODAMA_ERR_ARGUMENT, "model store: there is none");
    store_path(store, path, ".default", "");
    if (!name) {
        if (unlink(path) == 0 || errno == ENOENT) return KODAMA_OK;
        return error_set_file(error, "remove", path, errno, "");
    }
    if (!store_has(store, name, file)) return not_there(store, name, error);
    if (ends_with(file, ".onnx")) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "the model '%s' recognises no speech: it cannot be the default", name);
    }
    snprintf(line, sizeof line, "%s\n", name);
    return store_write_text(path, line, error);
}

/* ---------------------------------------------------------------------- remove */

int kodama_model_store_remove(struct kodama_model_store *store, const char *name,
                              struct kodama_error *error)
{
    static const char *const sides[] = {".part", ".part.from"};
    char path[STORE_PATH_BYTES], file[STORE_NAME_BYTES], preferred[STORE_NAME_BYTES];
    struct stat info;
    bool removed = false;
    if (!store || !name || !store_is_name(name)) {
        return error_set(error, KODAMA_ERR_NOT_FOUND, "that is no name of a model");
    }
    bool is_default = kodama_model_store_default(store, preferred, sizeof preferred) == KODAMA_OK &&
                      strcmp(preferred, name) == 0;
    if (store_has(store, name, file)) {
        store_path(store, path, file, "");
        if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
            return error_set(error, KODAMA_ERR_UNSUPPORTED,
                             "%s is a folder that was put there by hand: remove it the same way",
                             path);
        }
        if (unlink(path) < 0) return error_set_file(error, "remove", path, errno, "");
        store_path(store, path, file, ".sha256");
        (void)unlink(path);
        removed = true;
    }
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        store_path(store, path, name, sides[i]);
        if (unlink(path) == 0) removed = true;
    }
    if (!removed) return not_there(store, name, error);
    return is_default ? kodama_model_store_set_default(store, NULL, error) : KODAMA_OK;
}
