#define _GNU_SOURCE /* secure_getenv */
/* The store of voices: what is on disk, and what is loaded of it. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kodama/voice_store.h>

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "voice/voice_folder.h"
#include "voice/voice_store_internal.h"

enum { LOADED_MOST = 64 };

/** A model that is in memory; the store has one of its users. */
struct loaded {
    char name[KODAMA_VOICE_NAME_BYTES];
    struct kodama_voice_model *model;
    uint64_t own_bytes, shared_bytes; /* its own files; encoder and RMVPE, which others use, too */
    uint32_t version;
    bool rmvpe;
    uint64_t used; /* the larger the later */
};

struct kodama_voice_store {
    /* Immutable. */
    char folder[KODAMA_VOICE_PATH_BYTES], models[KODAMA_VOICE_PATH_BYTES];
    char *runtime, *provider;
    struct kodama_voice_store_config config;

    /* With the lock. */
    struct mutex lock;
    struct loaded loaded[LOADED_MOST];
    size_t n_loaded;
    uint64_t n_uses;
};

/* --------------------------------------------------------------------- opening */

static int choose_folder(struct kodama_voice_store *s, const char *folder,
                         struct kodama_error *error)
{
    const char *data = secure_getenv("XDG_DATA_HOME"), *home = secure_getenv("HOME");
    int n;
    if (folder)
        n = snprintf(s->folder, sizeof s->folder, "%s", folder);
    else if (data && data[0] == '/')
        n = snprintf(s->folder, sizeof s->folder, "%s/kodama/voices", data);
    else if (home && home[0] == '/')
        n = snprintf(s->folder, sizeof s->folder, "%s/.local/share/kodama/voices", home);
    else
        return error_set(error, KODAMA_ERR_NOT_FOUND,
                         "there is no place for voices: neither XDG_DATA_HOME nor HOME is set");
    int m = snprintf(s->models, sizeof s->models, "%s/../models", s->folder);
    if (n <= 0 || (size_t)n >= sizeof s->folder - 80 || (size_t)m >= sizeof s->models)
        return error_set(error, KODAMA_ERR_ARGUMENT, "the folder of voices is empty or too long");
    return KODAMA_OK;
}

int kodama_voice_store_open(struct kodama_voice_store **store,
                            const struct kodama_voice_store_config *config,
                            struct kodama_error *error)
{
    static const struct kodama_voice_store_config defaults = KODAMA_VOICE_STORE_CONFIG_INIT;
    struct kodama_voice_store *s = memory_array(1, sizeof *s);
    *store = NULL;
    if (!s) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    s->config = config ? *config : defaults;
    mutex_init(&s->lock);
    s->runtime = memory_text(s->config.runtime);
    s->provider = memory_text(s->config.provider);
    int status = choose_folder(s, s->config.folder, error);
    if (status == KODAMA_OK &&
        ((s->config.runtime && !s->runtime) || (s->config.provider && !s->provider)))
        status = error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    if (status < 0) {
        kodama_voice_store_close(s);
        return status;
    }
    *store = s;
    return KODAMA_OK;
}

void kodama_voice_store_close(struct kodama_voice_store *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->n_loaded; i++) kodama_voice_model_close(s->loaded[i].model);
    mutex_destroy(&s->lock);
    free(s->runtime);
    free(s->provider);
    free(s);
}

const char *kodama_voice_store_folder(const struct kodama_voice_store *s)
{
    return s->folder;
}

/* --------------------------------------------------------------------- listing */

static struct loaded *find_loaded(struct kodama_voice_store *s, const char *name)
{
    for (size_t i = 0; i < s->n_loaded; i++)
        if (strcmp(s->loaded[i].name, name) == 0) return &s->loaded[i];
    return NULL;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of all folders; the caller frees each and the list. */
static int read_names(const char *path, char ***names, struct kodama_error *error)
{
    size_t n = 0, room = 0;
    DIR *folder = opendir(path);
    *names = NULL;
    if (!folder && errno == ENOENT) return 0;
    if (!folder) return error_set_file(error, "read the voices in", path, errno, "");
    bool memory = true;
    for (struct dirent *file; memory && (file = readdir(folder));) {
        if (!voice_folder_name_fits(file->d_name)) continue;
        if (n == room) {
            char **larger = memory_resize(*names, room = 2 * room + 16, sizeof *larger);
            memory = larger != NULL;
            if (larger) *names = larger;
        }
        char *name = memory ? memory_text(file->d_name) : NULL;
        memory = name != NULL;
        if (name) (*names)[n++] = name;
    }
    closedir(folder);
    if (n > 0) qsort(*names, n, sizeof **names, compare_names);
    if (memory) return (int)n;
    while (n > 0) free((*names)[--n]);
    free(*names);
    *names = NULL;
    return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
}

int kodama_voice_store_list(struct kodama_voice_store *s, struct kodama_voice_entry *entries,
                            size_t room, struct kodama_error *error)
{
    char **names;
    int n = read_names(s->folder, &names, error), found = 0;
    for (int i = 0; i < n; i++) {
        struct kodama_voice_entry entry;
        if (voice_folder_read(s->folder, names[i], &entry)) {
            mutex_lock(&s->lock);
            entry.is_loaded = find_loaded(s, names[i]) != NULL;
            mutex_unlock(&s->lock);
            if ((size_t)found < room) entries[found] = entry;
            found++;
        }
        free(names[i]);
    }
    free(names);
    return n < 0 ? n : found;
}

int kodama_voice_store_find(struct kodama_voice_store *s, const char *name,
                            struct kodama_voice_entry *entry, struct kodama_error *error)
{
    if (!name) name = "";
    if (!voice_folder_read(s->folder, name, entry))
        return error_set(error, KODAMA_ERR_NOT_FOUND,
                         "there is no voice \"%s\" in %s; `kodama voice models` lists all", name,
                         s->folder);
    mutex_lock(&s->lock);
    entry->is_loaded = find_loaded(s, name) != NULL;
    mutex_unlock(&s->lock);
    return KODAMA_OK;
}

/* --------------------------------------------------------------------- loading */

/* Path of a file that voices share, such as "rmvpe.onnx"; false: it is not in the store. */
static bool shared_file(const struct kodama_voice_store *s, const char *name, char *path)
{
    struct stat info;
    return voice_folder_path(path, s->models, name) && stat(path, &info) == 0 &&
           S_ISREG(info.st_mode);
}

const char *voice_store_models(const struct kodama_voice_store *s)
{
    return s->models;
}

int voice_store_open_model(struct kodama_voice_store *s, const struct kodama_voice_entry *e,
                           const char *encoder, const char *other_rmvpe,
                           struct kodama_voice_model **model, struct kodama_error *error)
{
    struct kodama_voice_model_config config = KODAMA_VOICE_MODEL_CONFIG_INIT;
    char generator[KODAMA_VOICE_PATH_BYTES], rmvpe[KODAMA_VOICE_PATH_BYTES];
    if (!voice_folder_path(generator, e->folder, "generator.onnx"))
        return error_set(error, KODAMA_ERR_ARGUMENT, "%s is too long", e->folder);
    config.name = e->name;
    config.generator = generator;
    config.models = s->models;
    config.encoder = encoder;
    if (e->rmvpe && !other_rmvpe && !shared_file(s, "rmvpe.onnx", rmvpe))
        return error_set(error, KODAMA_ERR_NOT_FOUND,
                         "the voice %s takes its pitch from RMVPE, but there is no %s/rmvpe.onnx: "
                         "name its file when it is imported",
                         e->name, s->models);
    config.rmvpe = !e->rmvpe ? NULL : other_rmvpe ? other_rmvpe : rmvpe;
    config.index = e->index[0] ? e->index : NULL;
    config.index_rate = e->index_rate;
    config.protect = e->protect;
    config.own_volume = e->own_volume;
    config.transpose = e->transpose;
    config.speaker = e->speaker;
    config.runtime = s->runtime;
    config.provider = s->provider;
    config.n_threads = s->config.n_threads;
    config.chunk_ms = s->config.chunk_ms;
    config.slow = s->config.slow;
    config.log = s->config.log;
    return kodama_voice_model_open(model, &config, error);
}

/* What is shared is counted once, with the largest who use it. Lock held. */
static uint64_t loaded_bytes(const struct kodama_voice_store *s)
{
    uint64_t own = 0, shared[4] = {0};
    for (size_t i = 0; i < s->n_loaded; i++) {
        const struct loaded *l = &s->loaded[i];
        size_t which = (l->version == 1 ? 2u : 0u) + (l->rmvpe ? 1u : 0u);
        own += l->own_bytes;
        if (l->shared_bytes > shared[which]) shared[which] = l->shared_bytes;
    }
    for (size_t v = 0; v < 4; v += 2) own += shared[v] > shared[v + 1] ? shared[v] : shared[v + 1];
    return own;
}

/* Unload the one that was used the longest ago and that nobody uses now. Lock held. */
static bool unload_one(struct kodama_voice_store *s)
{
    struct loaded *oldest = NULL;
    for (size_t i = 0; i < s->n_loaded; i++) {
        struct loaded *l = &s->loaded[i];
        if (voice_model_users(l->model) > 1) continue;
        if (!oldest || l->used < oldest->used) oldest = l;
    }
    if (!oldest) return false;
    log_write(s->config.log, KODAMA_LOG_INFO, "the voice %s is unloaded", oldest->name);
    kodama_voice_model_close(oldest->model);
    *oldest = s->loaded[--s->n_loaded];
    return true;
}

void voice_store_forget(struct kodama_voice_store *s, const char *name)
{
    mutex_lock(&s->lock);
    struct loaded *l = find_loaded(s, name);
    if (l) {
        kodama_voice_model_close(l->model);
        *l = s->loaded[--s->n_loaded];
    }
    mutex_unlock(&s->lock);
}

/* Room for one more of so many bytes of its own. Lock held. */
static int make_space(struct kodama_voice_store *s, const struct kodama_voice_entry *e,
                      struct kodama_error *error)
{
    uint64_t budget = s->config.budget_bytes;
    while (s->n_loaded == LOADED_MOST || (budget > 0 && loaded_bytes(s) + e->n_bytes > budget)) {
        if (unload_one(s)) continue;
        return error_set(error, KODAMA_ERR_LIMIT,
                         "there is no room for the voice %s (%llu MB): %llu of %llu MB are in use "
                         "by voices that speak",
                         e->name, (unsigned long long)(e->n_bytes >> 20),
                         (unsigned long long)(loaded_bytes(s) >> 20),
                         (unsigned long long)(budget >> 20));
    }
    return KODAMA_OK;
}

/* Lock held: others who want a voice wait for it. */
static int load(struct kodama_voice_store *s, const struct kodama_voice_entry *e,
                struct kodama_voice_model **model, struct kodama_error *error)
{
    struct kodama_voice_model_facts facts;
    int status = make_space(s, e, error);
    if (status == KODAMA_OK) status = voice_store_open_model(s, e, NULL, NULL, model, error);
    if (status < 0) return status;
    kodama_voice_model_facts(*model, &facts);
    struct loaded *l = &s->loaded[s->n_loaded++];
    *l =
        (struct loaded){.model = *model,
                        .own_bytes = e->n_bytes,
                        .shared_bytes = facts.n_bytes > e->n_bytes ? facts.n_bytes - e->n_bytes : 0,
                        .version = facts.version,
                        .rmvpe = facts.has_rmvpe};
    memcpy(l->name, e->name, sizeof l->name);
    /* What it shares is known only now; the new one itself stays. */
    kodama_voice_model_keep(*model);
    while (s->config.budget_bytes > 0 && loaded_bytes(s) > s->config.budget_bytes)
        if (!unload_one(s)) break;
    return KODAMA_OK;
}

int kodama_voice_store_load(struct kodama_voice_store *s, const char *name,
                            struct kodama_voice_model **model, struct kodama_error *error)
{
    struct kodama_voice_entry entry;
    *model = NULL;
    int status = kodama_voice_store_find(s, name, &entry, error);
    if (status == KODAMA_OK && !entry.is_whole)
        status = error_set(error, KODAMA_ERR_CORRUPT,
                           "the voice %s is damaged: %s; import it again", name, entry.problem);
    if (status < 0) return status;
    mutex_lock(&s->lock);
    struct loaded *l = find_loaded(s, name);
    if (l) {
        *model = l->model;
        kodama_voice_model_keep(l->model);
    } else {
        status = load(s, &entry, model, error);
    }
    l = find_loaded(s, name);
    if (l) l->used = ++s->n_uses;
    mutex_unlock(&s->lock);
    return status;
}

uint64_t kodama_voice_store_loaded(struct kodama_voice_store *s)
{
    mutex_lock(&s->lock);
    uint64_t n_bytes = loaded_bytes(s);
    mutex_unlock(&s->lock);
    return n_bytes;
}

int kodama_voice_store_remove(struct kodama_voice_store *s, const char *name,
                              struct kodama_error *error)
{
    struct kodama_voice_entry entry;
    int status = kodama_voice_store_find(s, name, &entry, error);
    if (status == KODAMA_OK) status = voice_folder_remove(entry.folder, error);
    if (status == KODAMA_OK) voice_store_forget(s, name);
    return status;
}
