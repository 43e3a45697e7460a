/* Files that are written beside their target: created, written by libsndfile, put in its place. */
#define _GNU_SOURCE /* realpath */
#include "audio/draft_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

int draft_file_error(const struct draft_file *draft, const char *what, int number,
                     struct kodama_error *error)
{
    return error_set_file(error, what, draft->shown, number,
                          ": free some space; what was there before is as it was");
}

void draft_file_discard(struct draft_file *draft)
{
    if (draft->descriptor >= 0) close(draft->descriptor);
    if (draft->path) unlink(draft->path);
    free(draft->path);
    free(draft->target);
    free(draft->shown);
    *draft = (struct draft_file){.descriptor = -1};
}

/* Create "FOLDER/.kodama-NUMBER.part"; the umask decides its permissions, as for any new file. */
static int create_beside(struct draft_file *draft, struct kodama_error *error)
{
    const char *slash = strrchr(draft->target, '/');
    int folder_bytes = slash ? (int)(slash - draft->target) + 1 : 0;
    size_t n_bytes = (size_t)folder_bytes + sizeof ".kodama-0123456789abcdef.part";
    char *path = memory_array(n_bytes, 1);
    if (!path) return error_set(error, KODAMA_ERR_MEMORY, "no memory to save %s", draft->shown);
    uint64_t number = clock_now_ns() * 1000003 + (uint64_t)getpid();
    for (int attempt = 0; draft->descriptor < 0 && attempt < 100; attempt++) {
        snprintf(path, n_bytes, "%.*s.kodama-%016llx.part", folder_bytes, draft->target,
                 (unsigned long long)number++);
        draft->descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (draft->descriptor < 0 && errno != EEXIST) break;
    }
    if (draft->descriptor < 0) {
        int number_of_error = errno;
        free(path);
        return draft_file_error(draft, "save", number_of_error, error);
    }
    draft->path = path;
    return KODAMA_OK;
}

static int refuse(const struct draft_file *draft, struct kodama_error *error)
{
    return error_set(error, KODAMA_ERR_BUSY, "there is a file %s already", draft->shown);
}

int draft_file_open(struct draft_file *draft, const char *path, bool keep,
                    struct kodama_error *error)
{
    *draft = (struct draft_file){.shown = memory_text(path), .descriptor = -1, .keep = keep};
    if (!draft->shown) return error_set(error, KODAMA_ERR_MEMORY, "no memory to save %s", path);
    struct stat about;
    bool exists = stat(path, &about) == 0;
    if (exists && !S_ISREG(about.st_mode)) {
        return error_set(error, KODAMA_ERR_UNSUPPORTED, "cannot save %s: it is no regular file",
                         path);
    }
    if (exists && keep) return refuse(draft, error);
    if (exists && access(path, W_OK) != 0) return draft_file_error(draft, "replace", errno, error);
    draft->target = exists ? realpath(path, NULL) : memory_text(path);
    if (!draft->target) return draft_file_error(draft, "save", exists ? errno : ENOMEM, error);
    int status = create_beside(draft, error);
    if (status < 0) return status;
    if (exists && fchmod(draft->descriptor, about.st_mode & 07777) != 0) {
        return draft_file_error(draft, "keep the permissions of", errno, error);
    }
    return KODAMA_OK;
}

/* Give the new file its name: 0, or an errno. */
static int take_place(const struct draft_file *draft)
{
    if (!draft->keep) return rename(draft->path, draft->target) == 0 ? 0 : errno;
    if (link(draft->path, draft->target) == 0) return unlink(draft->path) == 0 ? 0 : errno;
    /* Not every file system knows links; there what comes in this very moment is replaced. */
    if (errno == EEXIST || access(draft->target, F_OK) == 0) return EEXIST;
    return rename(draft->path, draft->target) == 0 ? 0 : errno;
}

int draft_file_commit(struct draft_file *draft, struct kodama_error *error)
{
    if (draft->failure) return draft_file_error(draft, "write", draft->failure, error);
    /* Without it a crash of the machine could leave the new name on an empty file. */
    if (fsync(draft->descriptor) != 0) return draft_file_error(draft, "write", errno, error);
    int failure = close(draft->descriptor) != 0 ? errno : 0;
    draft->descriptor = -1;
    if (failure) return draft_file_error(draft, "write", failure, error);
    failure = take_place(draft);
    if (failure == EEXIST && draft->keep) return refuse(draft, error);
    if (failure) return draft_file_error(draft, "save", failure, error);
    free(draft->path);
    draft->path = NULL;
    return KODAMA_OK;
}

static sf_count_t draft_length(void *user)
{
    struct draft_file *draft = user;
    struct stat about;
    return fstat(draft->descriptor, &about) == 0 ? about.st_size : -1;
}

static sf_count_t draft_seek(sf_count_t offset, int whence, void *user)
{
    return lseek(((struct draft_file *)user)->descriptor, offset, whence);
}

static sf_count_t draft_read(void *data, sf_count_t n_bytes, void *user)
{
    ssize_t n = read(((struct draft_file *)user)->descriptor, data, (size_t)n_bytes);
    return n > 0 ? n : 0;
}

static sf_count_t draft_write(const void *data, sf_count_t n_bytes, void *user)
{
    struct draft_file *draft = user;
    const uint8_t *bytes = data;
    for (sf_count_t done = 0; done < n_bytes && !draft->failure;) {
        ssize_t n = write(draft->descriptor, bytes + done, (size_t)(n_bytes - done));
        if (n > 0) {
            done += n;
        } else if (n == 0 || errno != EINTR) {
            draft->failure = n < 0 ? errno : EIO;
        }
    }
    return n_bytes;
}

static sf_count_t draft_tell(void *user)
{
    return lseek(((struct draft_file *)user)->descriptor, 0, SEEK_CUR);
}

SF_VIRTUAL_IO draft_file_io(void)
{
    return (SF_VIRTUAL_IO){draft_length, draft_seek, draft_read, draft_write, draft_tell};
}
