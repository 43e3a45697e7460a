/* What a model store has and knows, as a list. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/memory.h"
#include "speech/model_store.h"

/** A list with the memory that its texts are in. */
struct list {
    struct kodama_model_list face; /* first: what is handed out */
    size_t room;
    char **texts;
    size_t n_texts;
    bool failed; /* memory is out */
};

static const char *keep(struct list *list, const char *text)
{
    char **texts = memory_resize(list->texts, list->n_texts + 1, sizeof *texts);
    if (texts) list->texts = texts;
    char *copy = texts ? memory_text(text) : NULL;
    if (!copy) {
        list->failed = true;
        return NULL;
    }
    return texts[list->n_texts++] = copy;
}

static struct kodama_stored_model *add(struct list *list)
{
    struct kodama_model_list *face = &list->face;
    if (face->n_models == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        struct kodama_stored_model *models = memory_resize(face->models, room, sizeof *models);
        if (!models) {
            list->failed = true;
            return NULL;
        }
        face->models = models;
        list->room = room;
    }
    struct kodama_stored_model *model = &face->models[face->n_models++];
    *model = (struct kodama_stored_model){0};
    return model;
}

static const char *engine_of(const char *file, bool is_folder)
{
    if (is_folder) return "pocketsphinx";
    if (strncmp(file, "ggml-", 5) == 0) return "whisper";
    return strcmp(file, "silero_vad.onnx") == 0 ? "silero" : NULL;
}

static void add_file(struct list *list, const struct kodama_model_store *store, const char *file)
{
    char name[STORE_NAME_BYTES], path[STORE_PATH_BYTES], known[STORE_NAME_BYTES];
    char sum[SHA256_TEXT_BYTES], address[STORE_PATH_BYTES];
    struct stat info;
    if (!store_name_of_file(file, name)) return;
    if (!store_has(store, name, known) || strcmp(known, file) != 0) return;
    store_path(store, path, file, "");
    if (stat(path, &info) != 0) return;
    struct kodama_stored_model *model = add(list);
    if (!model) return;
    const struct catalog_entry *entry = catalog_find(name);
    model->name = keep(list, name);
    model->path = keep(list, path);
    model->engine = engine_of(file, S_ISDIR(info.st_mode));
    model->recognizes = model->engine && strcmp(model->engine, "silero") != 0;
    model->n_bytes = S_ISDIR(info.st_mode) ? 0 : (uint64_t)info.st_size;
    store_path(store, path, file, ".sha256");
    if (store_read_line(path, sum, sizeof sum) && strlen(sum) == SHA256_TEXT_BYTES - 1) {
        model->sha256 = keep(list, sum);
    }
    if (entry && strcmp(entry->file, file) == 0) {
        snprintf(address, sizeof address, "%s%s", entry->host, entry->file);
        model->address = keep(list, address);
        if (!model->sha256) model->sha256 = entry->sha256;
    }
}

/** Those that are known and not there. */
static void add_known(struct list *list, const struct kodama_model_store *store)
{
    const struct catalog_entry *entry;
    for (size_t i = 0; (entry = catalog_at(i)); i++) {
        char file[STORE_NAME_BYTES], address[STORE_PATH_BYTES];
        if (store_has(store, entry->name, file)) continue;
        struct kodama_stored_model *model = add(list);
        if (!model) return;
        snprintf(address, sizeof address, "%s%s", entry->host, entry->file);
        model->name = entry->name;
        model->engine = entry->engine;
        model->recognizes = strcmp(entry->engine, "silero") != 0;
        model->address = keep(list, address);
        model->sha256 = entry->sha256;
        model->n_bytes = entry->n_bytes;
    }
}

/** Downloads that were cut off: of known models, or of addresses. */
static void add_partial(struct list *list, const struct kodama_model_store *store, const char *file)
{
    char name[STORE_NAME_BYTES], path[STORE_PATH_BYTES], address[STORE_PATH_BYTES];
    struct stat info;
    size_t n = strlen(file);
    if (n <= 5 || n >= sizeof name || strcmp(file + n - 5, ".part") != 0) return;
    snprintf(name, sizeof name, "%.*s", (int)(n - 5), file);
    store_path(store, path, file, "");
    if (!store_is_name(name) || stat(path, &info) != 0) return;
    struct kodama_stored_model *model = NULL;
    for (size_t i = 0; i < list->face.n_models; i++) {
        const char *other = list->face.models[i].name;
        if (other && strcmp(other, name) == 0) model = &list->face.models[i];
    }
    if (!model) {
        model = add(list);
        if (!model) return;
        model->name = keep(list, name);
        store_path(store, path, file, ".from");
        if (store_read_line(path, address, sizeof address)) model->address = keep(list, address);
    }
    model->n_partial = (uint64_t)info.st_size;
}

static int compare(const void *left, const void *right)
{
    const struct kodama_stored_model *a = left, *b = right;
    if (!a->path != !b->path) return a->path ? -1 : 1;
    if (a->n_bytes != b->n_bytes) return a->n_bytes < b->n_bytes ? -1 : 1;
    return strcmp(a->name, b->name);
}

/** Call something for every entry of the folder. */
static int look_through(struct list *list, const struct kodama_model_store *store,
                        void (*look)(struct list *, const struct kodama_model_store *,
                                     const char *),
                        struct kodama_error *error)
{
    DIR *folder = opendir(store->folder);
    if (!folder && (errno == ENOENT || errno == ENOTDIR)) return KODAMA_OK; /* nothing in it */
    if (!folder) return error_set_file(error, "read the folder", store->folder, errno, "");
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] != '.') look(list, store, entry->d_name);
    }
    closedir(folder);
    return KODAMA_OK;
}

int kodama_model_store_list(struct kodama_model_store *store, struct kodama_model_list **listed,
                            struct kodama_error *error)
{
    char preferred[STORE_NAME_BYTES];
    if (listed) *listed = NULL;
    if (!store || !listed) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "model store: needs a place for the list");
    }
    struct list *list = memory_array(1, sizeof *list);
    if (!list) return error_set(error, KODAMA_ERR_MEMORY, "model store: out of memory");
    int status = look_through(list, store, add_file, error);
    if (status == KODAMA_OK) {
        add_known(list, store);
        status = look_through(list, store, add_partial, error);
    }
    if (status == KODAMA_OK && list->failed) {
        status = error_set(error, KODAMA_ERR_MEMORY, "model store: out of memory");
    }
    if (status < 0) {
        kodama_model_list_free(&list->face);
        return status;
    }
    qsort(list->face.models, list->face.n_models, sizeof *list->face.models, compare);
    if (kodama_model_store_default(store, preferred, sizeof preferred) == KODAMA_OK) {
        for (size_t i = 0; i < list->face.n_models; i++) {
            struct kodama_stored_model *model = &list->face.models[i];
            model->is_default = model->path && strcmp(model->name, preferred) == 0;
        }
    }
    *listed = &list->face;
    return KODAMA_OK;
}

void kodama_model_list_free(struct kodama_model_list *face)
{
    struct list *list = (struct list *)face;
    if (!list) return;
    for (size_t i = 0; i < list->n_texts; i++) free(list->texts[i]);
    free(list->texts);
    free(list->face.models);
    free(list);
}
