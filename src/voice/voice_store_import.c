/* Takes a voice into the store. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "voice/voice_folder.h"
#include "voice/voice_store_internal.h"

/* The kind of a picture, by its first bytes; NULL: none that pages can show. */
static const char *picture_kind(const char *path)
{
    static const struct {
        const char *bytes, *name;
        size_t n, at;
    } kinds[] = {{"\x89PNG", "picture.png", 4, 0},
                 {"\xff\xd8\xff", "picture.jpg", 3, 0},
                 {"GIF8", "picture.gif", 4, 0},
                 {"WEBP", "picture.webp", 4, 8}};
    char head[12] = {0};
    FILE *file = fopen(path, "rb");
    size_t n = file ? fread(head, 1, sizeof head, file) : 0;
    if (file) fclose(file);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (n == sizeof head && memcmp(head + kinds[i].at, kinds[i].bytes, kinds[i].n) == 0)
            return kinds[i].name;
    return NULL;
}

static int add(const char *folder, const char *from, const char *name, char *path,
               struct kodama_error *error)
{
    char own[KODAMA_VOICE_PATH_BYTES];
    if (!path) path = own;
    if (!voice_folder_path(path, folder, name))
        return error_set(error, KODAMA_ERR_ARGUMENT, "%s is too long", folder);
    return voice_folder_copy(from, path, error);
}

/* Everything but voice.json. */
static int copy_files(const char *folder, const struct kodama_voice_import *import,
                      struct kodama_voice_entry *e, struct kodama_error *error)
{
    int status = add(folder, import->generator, "generator.onnx", NULL, error);
    if (status == KODAMA_OK && import->index) {
        voice_folder_path(e->index, folder, "voice.kvi");
        status = kodama_voice_index_import(import->index, e->index, error);
    }
    if (status == KODAMA_OK && import->picture) {
        const char *name = picture_kind(import->picture);
        status = name ? add(folder, import->picture, name, e->picture, error)
                      : error_set(error, KODAMA_ERR_FORMAT,
                                  "%s is not there, or neither PNG, JPEG, GIF nor WebP",
                                  import->picture);
    }
    if (status == KODAMA_OK && import->licence)
        status = add(folder, import->licence, "LICENCE.txt", e->licence, error);
    return status;
}

/* What all voices share goes beside them under its own name, which the voice's version decides. */
static int add_shared(struct kodama_voice_store *store, const char *from, const char *name,
                      struct kodama_error *error)
{
    int status = voice_folder_make(voice_store_models(store), error);
    return status < 0 ? status : add(voice_store_models(store), from, name, NULL, error);
}

/* Load it as it will be loaded later, let it speak, and note what it is. An encoder of its own is
 * tried before anybody else gets to use it. */
static int try_it(struct kodama_voice_store *store, const struct kodama_voice_import *import,
                  struct kodama_voice_entry *e, struct kodama_error *error)
{
    struct kodama_voice_model_facts facts;
    struct kodama_voice_model *model;
    int status = voice_store_open_model(store, e, import->encoder, import->rmvpe, &model, error);
    if (status < 0) return status;
    status = voice_model_try(model, error);
    kodama_voice_model_facts(model, &facts);
    kodama_voice_model_close(model);
    e->dialect = facts.dialect;
    e->version = facts.version;
    e->rate_hz = facts.rate_hz;
    e->has_pitch = facts.has_pitch;
    e->rmvpe = e->rmvpe && facts.has_pitch;
    return status;
}

/* Put the finished folder in the place of what may be there. */
static int take_place(const char *part, const char *folder, bool there, struct kodama_error *error)
{
    char old[KODAMA_VOICE_PATH_BYTES + 8];
    snprintf(old, sizeof old, "%s.old", part);
    if (there && rename(folder, old) != 0)
        return error_set_file(error, "replace", folder, errno, "");
    if (rename(part, folder) != 0) {
        int number = errno;
        if (there && rename(old, folder) != 0) number = errno;
        return error_set_file(error, "write", folder, number, ": free some space");
    }
    return there ? voice_folder_remove(old, error) : KODAMA_OK;
}

/* A message about the copy that was tried is one about the file that was given. */
static void name_what_was_given(const char *part, const char *generator, struct kodama_error *error)
{
    char copy[KODAMA_VOICE_PATH_BYTES], words[sizeof error->message];
    if (!error || !voice_folder_path(copy, part, "generator.onnx")) return;
    for (char *at; (at = strstr(error->message, copy)) != NULL;) {
        int n = (int)(at - error->message);
        snprintf(words, sizeof words, "%.*s%s%s", n, error->message, generator, at + strlen(copy));
        if (strstr(generator, copy)) return;
        memcpy(error->message, words, sizeof words);
    }
}

/* Everything in the folder `part`, checked. */
static int prepare(struct kodama_voice_store *store, const struct kodama_voice_import *import,
                   const char *part, struct kodama_error *error)
{
    struct kodama_voice_entry e = {.is_whole = true,
                                   .rmvpe = import->use_rmvpe || import->rmvpe,
                                   .index_rate = import->index_rate,
                                   .protect = import->protect,
                                   .own_volume = import->own_volume,
                                   .transpose = import->transpose,
                                   .speaker = import->speaker};
    snprintf(e.name, sizeof e.name, "%s", import->name);
    snprintf(e.folder, sizeof e.folder, "%s", part);
    int status = voice_folder_make(part, error);
    if (status == KODAMA_OK) status = copy_files(part, import, &e, error);
    if (status == KODAMA_OK) {
        status = try_it(store, import, &e, error);
        if (status < 0) name_what_was_given(part, import->generator, error);
    }
    if (status == KODAMA_OK && import->encoder)
        status = add_shared(store, import->encoder,
                            e.version == 1 ? "content-256.onnx" : "content-768.onnx", error);
    if (status == KODAMA_OK && import->rmvpe)
        status = add_shared(store, import->rmvpe, "rmvpe.onnx", error);
    return status < 0 ? status : voice_folder_write(part, &e, error);
}

int kodama_voice_store_import(struct kodama_voice_store *store,
                              const struct kodama_voice_import *import, struct kodama_error *error)
{
    struct kodama_voice_entry before;
    char part[KODAMA_VOICE_PATH_BYTES], hidden[KODAMA_VOICE_NAME_BYTES + 16];
    char folder[KODAMA_VOICE_PATH_BYTES];
    if (!voice_folder_name_fits(import->name))
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "\"%s\" cannot be the name of a voice: letters, digits, '-', '_' and '.', "
                         "at most 63, and no '.' first",
                         import->name ? import->name : "");
    if (!import->generator)
        return error_set(error, KODAMA_ERR_ARGUMENT, "a voice needs a generator, an ONNX file");
    bool there = voice_folder_read(kodama_voice_store_folder(store), import->name, &before);
    if (there && !import->replace)
        return error_set(error, KODAMA_ERR_BUSY,
                         "there is a voice \"%s\" already: remove it, or ask for it to be replaced",
                         import->name);
    snprintf(hidden, sizeof hidden, ".%s.%ld", import->name, (long)getpid());
    if (!voice_folder_path(part, kodama_voice_store_folder(store), hidden) ||
        !voice_folder_path(folder, kodama_voice_store_folder(store), import->name))
        return error_set(error, KODAMA_ERR_ARGUMENT, "the folder of voices is too long");
    int status = prepare(store, import, part, error);
    if (status == KODAMA_OK) status = take_place(part, folder, there, error);
    if (status < 0)
        voice_folder_remove(part, NULL);
    else
        voice_store_forget(store, import->name);
    return status;
}
