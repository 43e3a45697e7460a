/* Reads and writes the folder of a voice. */
#include "voice/voice_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

enum { COPY_BYTES = 1 << 20, FORMAT = 1 };

bool voice_folder_name_fits(const char *name)
{
    if (!name || !name[0] || name[0] == '.' || strlen(name) >= KODAMA_VOICE_NAME_BYTES)
        return false;
    for (const char *c = name; *c; c++) {
        bool fits = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                    (*c >= '0' && *c <= '9') || *c == '-' || *c == '_' || *c == '.';
        if (!fits) return false;
    }
    return true;
}

bool voice_folder_path(char *path, const char *folder, const char *name)
{
    int n = snprintf(path, KODAMA_VOICE_PATH_BYTES, "%s/%s", folder, name);
    return n > 0 && n < KODAMA_VOICE_PATH_BYTES;
}

/* ----------------------------------------------------------------------- files */

int voice_folder_make(const char *path, struct kodama_error *error)
{
    char part[KODAMA_VOICE_PATH_BYTES];
    size_t n = strlen(path);
    if (n >= sizeof part) return error_set(error, KODAMA_ERR_ARGUMENT, "%s is too long", path);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != 0) continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return error_set_file(error, "make the folder", part, errno, ": free some space");
    }
    return KODAMA_OK;
}

/* Returns an errno, 0 when all was copied. */
static int copy(int from, int to)
{
    char *bytes = memory_array(COPY_BYTES, 1);
    int number = bytes ? 0 : ENOMEM;
    while (number == 0) {
        ssize_t n = read(from, bytes, COPY_BYTES);
        if (n == 0) break;
        if (n < 0) number = errno == EINTR ? 0 : errno;
        for (ssize_t at = 0; at < n && number == 0;) {
            ssize_t written = write(to, bytes + at, (size_t)(n - at));
            if (written < 0 && errno != EINTR) number = errno;
            if (written > 0) at += written;
        }
    }
    free(bytes);
    if (number == 0 && fsync(to) != 0) number = errno;
    return number;
}

int voice_folder_copy(const char *from, const char *to, struct kodama_error *error)
{
    char part[KODAMA_VOICE_PATH_BYTES + 8];
    snprintf(part, sizeof part, "%s.part", to);
    int source = open(from, O_RDONLY | O_CLOEXEC);
    if (source < 0) return error_set_file(error, "read", from, errno, "");
    int target = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int number = target < 0 ? errno : copy(source, target);
    if (target >= 0 && close(target) != 0 && number == 0) number = errno;
    close(source);
    if (number == 0 && rename(part, to) != 0) number = errno;
    if (number == 0) return KODAMA_OK;
    unlink(part);
    return error_set_file(error, "write", to, number, ": free some space");
}

int voice_folder_remove(const char *path, struct kodama_error *error)
{
    DIR *folder = opendir(path);
    if (!folder) return error_set_file(error, "remove", path, errno, "");
    int number = 0;
    for (struct dirent *file; number == 0 && (file = readdir(folder));) {
        if (strcmp(file->d_name, ".") == 0 || strcmp(file->d_name, "..") == 0) continue;
        if (unlinkat(dirfd(folder), file->d_name, 0) != 0) number = errno;
    }
    closedir(folder);
    if (number == 0 && rmdir(path) != 0) number = errno;
    return number == 0 ? KODAMA_OK : error_set_file(error, "remove", path, number, "");
}

/* -------------------------------------------------------------------- manifest */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static json_t *make_manifest(const struct kodama_voice_entry *e)
{
    json_t *root = json_object();
    char dialect[2] = {e->dialect, 0};
    json_object_set_new(root, "format", json_integer(FORMAT));
    json_object_set_new(root, "name", json_string(e->name));
    json_object_set_new(root, "dialect", json_string(dialect));
    json_object_set_new(root, "version", json_integer(e->version));
    json_object_set_new(root, "rate", json_integer(e->rate_hz));
    json_object_set_new(root, "pitch", json_boolean(e->has_pitch));
    json_object_set_new(root, "rmvpe", json_boolean(e->rmvpe));
    json_object_set_new(root, "index_rate", json_real((double)e->index_rate));
    json_object_set_new(root, "protect", json_real((double)e->protect));
    json_object_set_new(root, "own_volume", json_real((double)e->own_volume));
    json_object_set_new(root, "transpose", json_real((double)e->transpose));
    json_object_set_new(root, "speaker", json_integer(e->speaker));
    if (e->index[0]) json_object_set_new(root, "index", json_string(last_part(e->index)));
    if (e->picture[0]) json_object_set_new(root, "picture", json_string(last_part(e->picture)));
    if (e->licence[0]) json_object_set_new(root, "licence", json_string(last_part(e->licence)));
    return root;
}

int voice_folder_write(const char *folder, const struct kodama_voice_entry *entry,
                       struct kodama_error *error)
{
    char path[KODAMA_VOICE_PATH_BYTES];
    if (!voice_folder_path(path, folder, "voice.json"))
        return error_set(error, KODAMA_ERR_ARGUMENT, "%s is too long", folder);
    json_t *root = make_manifest(entry);
    int failed = root ? json_dump_file(root, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : -1;
    int number = errno;
    json_decref(root);
    return failed ? error_set_file(error, "write", path, number, ": free some space") : KODAMA_OK;
}

static bool file_size(const char *path, uint64_t *n_bytes)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) return false;
    *n_bytes += (uint64_t)info.st_size;
    return true;
}

static void break_entry(struct kodama_voice_entry *e, const char *problem, const char *what)
{
    e->is_whole = false;
    snprintf(e->problem, sizeof e->problem, "%s%.100s", problem, what);
}

/* A file that the manifest names lies in the folder, whatever it says. */
static void read_file(struct kodama_voice_entry *e, const json_t *root, const char *key, char *path)
{
    const char *name = json_string_value(json_object_get(root, key));
    uint64_t n_bytes = 0;
    if (!name) return;
    if (strchr(name, '/') || !voice_folder_path(path, e->folder, name) ||
        !file_size(path, &n_bytes)) {
        path[0] = 0;
        break_entry(e, "it lacks its file ", name);
    }
    if (strcmp(key, "index") == 0) e->n_bytes += n_bytes;
}

static float number_of(const json_t *root, const char *key, float least, float most, float other)
{
    const json_t *value = json_object_get(root, key);
    double number = json_number_value(value);
    return json_is_number(value) && number >= (double)least && number <= (double)most
               ? (float)number
               : other;
}

static void read_manifest(struct kodama_voice_entry *e, const json_t *root)
{
    const char *dialect = json_string_value(json_object_get(root, "dialect"));
    if (json_integer_value(json_object_get(root, "format")) != FORMAT)
        break_entry(e, "its voice.json is of another version of Kodama", "");
    e->dialect = dialect && dialect[0] >= 'A' && dialect[0] <= 'C' ? dialect[0] : '?';
    e->version = (uint32_t)number_of(root, "version", 0.0f, 99.0f, 0.0f);
    e->rate_hz = (uint32_t)number_of(root, "rate", 0.0f, 192000.0f, 0.0f);
    e->has_pitch = json_is_true(json_object_get(root, "pitch"));
    e->rmvpe = json_is_true(json_object_get(root, "rmvpe"));
    e->index_rate = number_of(root, "index_rate", 0.0f, 1.0f, 0.75f);
    e->protect = number_of(root, "protect", 0.0f, 0.5f, 0.33f);
    e->own_volume = number_of(root, "own_volume", 0.0f, 1.0f, 0.25f);
    e->transpose = number_of(root, "transpose", -48.0f, 48.0f, 0.0f);
    e->speaker = (uint32_t)number_of(root, "speaker", 0.0f, 65535.0f, 0.0f);
    read_file(e, root, "index", e->index);
    read_file(e, root, "picture", e->picture);
    read_file(e, root, "licence", e->licence);
}

bool voice_folder_read(const char *store, const char *name, struct kodama_voice_entry *entry)
{
    struct kodama_voice_entry *e = entry;
    struct stat info;
    char path[KODAMA_VOICE_PATH_BYTES];
    *e = (struct kodama_voice_entry){.is_whole = true};
    if (!voice_folder_name_fits(name) || !voice_folder_path(e->folder, store, name) ||
        stat(e->folder, &info) != 0 || !S_ISDIR(info.st_mode))
        return false;
    snprintf(e->name, sizeof e->name, "%s", name);
    json_t *root =
        voice_folder_path(path, e->folder, "voice.json") ? json_load_file(path, 0, NULL) : NULL;
    if (root)
        read_manifest(e, root);
    else
        break_entry(e, "its voice.json is missing or damaged", "");
    json_decref(root);
    if (!voice_folder_path(path, e->folder, "generator.onnx") || !file_size(path, &e->n_bytes))
        break_entry(e, "it lacks its generator.onnx", "");
    return true;
}
