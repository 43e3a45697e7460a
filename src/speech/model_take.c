#define _DEFAULT_SOURCE /* realpath, flock */
/* How models come into a store: downloaded, copied or linked; looked at before they are there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "speech/model_download.h"
#include "speech/model_store.h"

enum { BLOCK_BYTES = 1 << 18, TELL_BLOCKS = 8 };

/** A model on its way. */
struct taking {
    struct kodama_model_store *store;
    const struct kodama_store_config *config;
    char name[STORE_NAME_BYTES];
    char address[STORE_PATH_BYTES]; /* "": from a file */
    const char *sha256;             /* that it must have; NULL: any */
    enum kodama_store_sum judged;
    uint64_t n_expected;
    char part[STORE_PATH_BYTES]; /* of the file that grows */
    char from[STORE_PATH_BYTES]; /* of the note beside it */
    int fd;                      /* of part */
};

static bool tell(const struct taking *taking, enum kodama_store_step step, uint64_t n_done,
                 uint64_t n_total)
{
    const struct kodama_store_config *config = taking->config;
    struct kodama_store_progress progress = {step, n_done, n_total};
    return !config->on_progress || config->on_progress(config->user, &progress);
}

static bool is_address(const char *what)
{
    return strncasecmp(what, "http://", 7) == 0 || strncasecmp(what, "https://", 8) == 0;
}

static bool is_sum(const char *text)
{
    return strlen(text) == SHA256_TEXT_BYTES - 1 &&
           strspn(text, "0123456789abcdefABCDEF") == SHA256_TEXT_BYTES - 1;
}

/** Choose the name: as configured, else as the file (with its path or address) is called. */
static int choose_name(struct taking *taking, const char *path, struct kodama_error *error)
{
    char file[STORE_PATH_BYTES];
    const char *name = taking->config->name;
    if (name) {
        if (!store_is_name(name)) {
            return error_set(error, KODAMA_ERR_ARGUMENT,
                             "'%.100s' cannot be a model's name: letters, digits, dots, dashes and "
                             "underscores are allowed",
                             name);
        }
        snprintf(taking->name, sizeof taking->name, "%s", name);
        return KODAMA_OK;
    }
    snprintf(file, sizeof file, "%s", path);
    if (is_address(path)) file[strcspn(file, "?#")] = '\0';
    for (size_t n = strlen(file); n > 1 && file[n - 1] == '/'; n--) file[n - 1] = '\0';
    const char *base = strrchr(file, '/');
    if (store_name_of_file(base ? base + 1 : file, taking->name)) return KODAMA_OK;
    return error_set(
        error, KODAMA_ERR_ARGUMENT,
        "what is the model to be called? %.200s makes no name: give it one with --name", path);
}

/* ------------------------------------------------------------------- checking */

/** The checksum of what is in a file. */
static int sum_of(const struct taking *taking, int fd, char text[SHA256_TEXT_BYTES],
                  struct kodama_error *error)
{
    struct stat info;
    struct sha256 sum;
    uint8_t *block = memory_array(BLOCK_BYTES, 1);
    int status = block ? KODAMA_OK : error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    if (status == KODAMA_OK && (fstat(fd, &info) < 0 || lseek(fd, 0, SEEK_SET) < 0)) {
        status = error_set_file(error, "read", taking->part, errno, "");
    }
    sha256_begin(&sum);
    for (uint64_t n_blocks = 0; status == KODAMA_OK; n_blocks++) {
        if (n_blocks % TELL_BLOCKS == 0 &&
            !tell(taking, KODAMA_STORE_CHECKS, sum.n_bytes, (uint64_t)info.st_size)) {
            status = error_set(error, KODAMA_ERR_CANCELLED, "cancelled; the file is in %s",
                               taking->part);
            break;
        }
        ssize_t n = read(fd, block, BLOCK_BYTES);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) status = error_set_file(error, "read", taking->part, errno, "");
        if (n <= 0) break;
        sha256_add(&sum, block, (size_t)n);
    }
    free(block);
    if (status == KODAMA_OK) sha256_end(&sum, text);
    return status;
}

static void drop(const struct taking *taking)
{
    (void)unlink(taking->part);
    (void)unlink(taking->from);
}

static const char *origin(const struct taking *taking)
{
    return taking->address[0] ? taking->address : taking->part;
}

/** Make the checksum and compare it. */
static int check_sum(struct taking *taking, char sum[SHA256_TEXT_BYTES], struct kodama_error *error)
{
    int status = sum_of(taking, taking->fd, sum, error);
    const struct catalog_entry *entry = catalog_find(taking->name);
    if (status < 0) return status;
    const char *wanted = taking->sha256 ? taking->sha256 : entry ? entry->sha256 : NULL;
    bool same = wanted && strcasecmp(sum, wanted) == 0;
    taking->judged = !wanted ? KODAMA_STORE_SUM_UNKNOWN
                     : same  ? KODAMA_STORE_SUM_SAME
                             : KODAMA_STORE_SUM_OTHER;
    if (same || !taking->sha256) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_CORRUPT,
                     "%.200s is not the file it should be: its SHA-256 is %s, not %s; nothing is "
                     "kept",
                     origin(taking), sum, taking->sha256);
}

/** Put the checksum beside the file, as `sha256sum -c` reads it. */
static int write_sum(const struct taking *taking, const char *sum, const char *file,
                     struct kodama_error *error)
{
    char path[STORE_PATH_BYTES], line[SHA256_TEXT_BYTES + STORE_NAME_BYTES + 4];
    store_path(taking->store, path, file, ".sha256");
    snprintf(line, sizeof line, "%s  %s\n", sum, file);
    return store_write_text(path, line, error);
}

/** Compare the checksum and look at the file. @return its kind; on failure it is gone, unless that
 * was an accident */
static int check_part(struct taking *taking, char sum[SHA256_TEXT_BYTES],
                      struct kodama_error *error)
{
    int status = check_sum(taking, sum, error);
    if (status == KODAMA_OK) status = model_file_check(taking->part, origin(taking), error);
    if (status == KODAMA_ERR_CORRUPT) drop(taking);
    return status;
}

/** What has come is whole: make it a model. */
static int settle(struct taking *taking, struct kodama_error *error)
{
    char sum[SHA256_TEXT_BYTES], file[STORE_NAME_BYTES], path[STORE_PATH_BYTES];
    if (fsync(taking->fd) < 0) {
        return error_set_file(error, "write", taking->part, errno, ": make room on the disk");
    }
    int kind = check_part(taking, sum, error);
    if (kind < 0) return kind;
    store_file_of_name(taking->name, (enum model_file_kind)kind, file);
    store_path(taking->store, path, file, "");
    int status = write_sum(taking, sum, file, error);
    if (status < 0) return status;
    if (rename(taking->part, path) < 0) {
        return error_set_file(error, "make", path, errno, "");
    }
    (void)unlink(taking->from);
    return 1;
}

/** Open the file that grows, for us alone. */
static int open_part(struct taking *taking, struct kodama_error *error)
{
    store_path(taking->store, taking->part, taking->name, ".part");
    store_path(taking->store, taking->from, taking->name, ".part.from");
    int status = store_make_folder(taking->store, error);
    if (status < 0) return status;
    taking->fd = open(taking->part, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (taking->fd < 0) {
        return error_set_file(error, "write", taking->part, errno, ": make room on the disk");
    }
    if (flock(taking->fd, LOCK_EX | LOCK_NB) == 0) return KODAMA_OK;
    close(taking->fd);
    taking->fd = -1;
    return error_set(error, KODAMA_ERR_BUSY, "somebody else brings the model '%s' in just now",
                     taking->name);
}

static void close_part(struct taking *taking)
{
    if (taking->fd >= 0) close(taking->fd);
}

/* ------------------------------------------------------------------ downloading */

/** Note where the part comes from, so that nothing of another file is put behind it. */
static void note_tag(void *user, const char *tag)
{
    struct taking *taking = user;
    char text[STORE_PATH_BYTES + DOWNLOAD_TAG_BYTES + 4];
    snprintf(text, sizeof text, "%s\n%s\n", taking->address, tag);
    (void)store_write_text(taking->from, text, NULL); /* then the rest is not resumed blindly */
}

/** What an earlier attempt left: how much, and of which version. What may be of another file is
 * forgotten, unless a known checksum will tell. */
static int read_part(const struct taking *taking, struct download *download,
                     struct kodama_error *error)
{
    char address[STORE_PATH_BYTES] = "", tag[DOWNLOAD_TAG_BYTES] = "";
    struct stat info;
    FILE *note = fopen(taking->from, "r");
    if (note) {
        if (!fgets(address, sizeof address, note)) address[0] = '\0';
        if (!fgets(tag, sizeof tag, note)) tag[0] = '\0';
        fclose(note);
    }
    address[strcspn(address, "\n")] = tag[strcspn(tag, "\n")] = '\0';
    bool same = strcmp(address, taking->address) == 0;
    if (!same && !taking->sha256 && ftruncate(taking->fd, 0) < 0) {
        return error_set_file(error, "write", taking->part, errno, "");
    }
    if (same) snprintf(download->tag, sizeof download->tag, "%s", tag);
    if (fstat(taking->fd, &info) < 0 || lseek(taking->fd, 0, SEEK_END) < 0) {
        return error_set_file(error, "read", taking->part, errno, "");
    }
    download->n_done = (uint64_t)info.st_size;
    return KODAMA_OK;
}

static int fetch(struct taking *taking, struct kodama_error *error)
{
    struct download download = {
        .address = taking->address,
        .fd = taking->fd,
        .path = taking->part,
        .n_expected = taking->n_expected,
        .config = taking->config,
        .on_tag = note_tag,
        .user = taking,
    };
    int status = read_part(taking, &download, error);
    if (status < 0) return status;
    bool whole = taking->sha256 && taking->n_expected && download.n_done == taking->n_expected;
    if (!whole) status = download_run(&download, error);
    if (status < 0) {
        /* Nothing came: nothing is left. */
        if (download.n_done == 0) drop(taking);
        return status;
    }
    return settle(taking, error);
}

/** What is to be got, from where. */
static int choose_source(struct taking *taking, const char *what, struct kodama_error *error)
{
    const struct catalog_entry *entry = catalog_find(what);
    const char *mirror = taking->config->mirror;
    int n;
    if (!entry && !is_address(what)) {
        return error_set(error, KODAMA_ERR_NOT_FOUND,
                         "'%.100s' is neither a known model nor an address (http://, https://); "
                         "kodama models list shows what is known",
                         what);
    }
    if (entry) {
        const char *slash = mirror && mirror[0] && mirror[strlen(mirror) - 1] != '/' ? "/" : "";
        n = snprintf(taking->address, sizeof taking->address, "%s%s%s",
                     mirror && mirror[0] ? mirror : entry->host, slash, entry->file);
        if (!taking->sha256) {
            taking->sha256 = entry->sha256;
            taking->n_expected = entry->n_bytes;
        }
    } else {
        n = snprintf(taking->address, sizeof taking->address, "%s", what);
    }
    if (n < 0 || (size_t)n >= sizeof taking->address || strpbrk(taking->address, "\r\n")) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "the address of the model is too long");
    }
    return choose_name(taking, taking->address, error);
}

static int begin(struct taking *taking, struct kodama_model_store *store, const char *what,
                 const struct kodama_store_config *config, struct kodama_error *error)
{
    *taking = (struct taking){.store = store, .config = config, .fd = -1};
    if (!store || !what || config->size < sizeof *config) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "model store: needs a model, and a configuration filled with "
                         "KODAMA_STORE_CONFIG_INIT");
    }
    if (config->sha256 && !is_sum(config->sha256)) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "a SHA-256 checksum has 64 hexadecimal digits; '%.80s' has not",
                         config->sha256);
    }
    taking->sha256 = config->sha256;
    return KODAMA_OK;
}

static void report(const struct taking *taking, struct kodama_taken_model *taken)
{
    if (!taken) return;
    snprintf(taken->name, sizeof taken->name, "%s", taking->name);
    taken->sum = taking->judged;
}

bool kodama_model_store_downloads(void)
{
    return download_is_built();
}

int kodama_model_store_get(struct kodama_model_store *store, const char *what,
                           const struct kodama_store_config *config,
                           struct kodama_taken_model *taken, struct kodama_error *error)
{
    const struct kodama_store_config defaults = KODAMA_STORE_CONFIG_INIT;
    struct taking taking;
    char file[STORE_NAME_BYTES];
    int status = begin(&taking, store, what, config ? config : &defaults, error);
    if (status == KODAMA_OK) status = choose_source(&taking, what, error);
    if (status < 0) return status;
    if (store_has(store, taking.name, file)) {
        report(&taking, taken);
        return 0;
    }
    status = open_part(&taking, error);
    if (status == KODAMA_OK) status = fetch(&taking, error);
    close_part(&taking);
    if (status > 0) report(&taking, taken);
    return status;
}

/* ----------------------------------------------------------------- from a file */

static int copy(const struct taking *taking, const char *path, struct kodama_error *error)
{
    struct stat info = {0};
    int from = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *block = memory_array(BLOCK_BYTES, 1);
    int status = KODAMA_OK;
    if (!block) status = error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    if (from < 0 || fstat(from, &info) < 0) status = error_set_file(error, "read", path, errno, "");
    if (status == KODAMA_OK && ftruncate(taking->fd, 0) < 0) {
        status = error_set_file(error, "write", taking->part, errno, "");
    }
    for (uint64_t n_done = 0; status == KODAMA_OK;) {
        ssize_t n = read(from, block, BLOCK_BYTES);
        if (n < 0) status = error_set_file(error, "read", path, errno, "");
        if (n <= 0) break;
        for (ssize_t done = 0; done < n && status == KODAMA_OK;) {
            ssize_t written = write(taking->fd, block + done, (size_t)(n - done));
            if (written < 0) {
                status =
                    error_set_file(error, "write", taking->part, errno, ": make room on the disk");
            }
            done += written;
        }
        n_done += (uint64_t)n;
        if (!tell(taking, KODAMA_STORE_COPIES, n_done, (uint64_t)info.st_size)) {
            status = error_set(error, KODAMA_ERR_CANCELLED, "cancelled; nothing is kept");
        }
    }
    free(block);
    if (from >= 0) close(from);
    return status;
}

static int put_copy(struct taking *taking, const char *path, struct kodama_error *error)
{
    int status = open_part(taking, error);
    if (status < 0) return status;
    status = copy(taking, path, error);
    if (status == KODAMA_OK) status = settle(taking, error);
    if (status < 0) drop(taking); /* the file is still where it was */
    close_part(taking);
    return status;
}

/** A link, and the checksum that its target has now. */
static int put_link(struct taking *taking, const char *path, enum model_file_kind kind,
                    struct kodama_error *error)
{
    char file[STORE_NAME_BYTES], link[STORE_PATH_BYTES], sum[SHA256_TEXT_BYTES];
    snprintf(taking->part, sizeof taking->part, "%s", path);
    int status = store_make_folder(taking->store, error);
    if (status == KODAMA_OK && kind != MODEL_FILE_FOLDER) {
        taking->fd = open(path, O_RDONLY | O_CLOEXEC);
        status = taking->fd < 0 ? error_set_file(error, "read", path, errno, "")
                                : check_sum(taking, sum, error);
        close_part(taking);
    }
    if (status < 0) return status;
    char *target = realpath(path, NULL);
    store_file_of_name(taking->name, kind, file);
    store_path(taking->store, link, file, "");
    bool linked = target && symlink(target, link) == 0;
    int number = errno;
    free(target);
    if (!linked) return error_set_file(error, "make the link", link, number, "");
    if (kind != MODEL_FILE_FOLDER) status = write_sum(taking, sum, file, error);
    if (status < 0) (void)unlink(link);
    return status < 0 ? status : 1;
}

int kodama_model_store_add(struct kodama_model_store *store, const char *path,
                           const struct kodama_store_config *config,
                           struct kodama_taken_model *taken, struct kodama_error *error)
{
    const struct kodama_store_config defaults = KODAMA_STORE_CONFIG_INIT;
    struct taking taking;
    char file[STORE_NAME_BYTES];
    int status = begin(&taking, store, path, config ? config : &defaults, error);
    if (status < 0) return status;
    int kind = model_file_check(path, path, error);
    if (kind < 0) return kind;
    status = choose_name(&taking, path, error);
    if (status < 0) return status;
    if (store_has(store, taking.name, file)) {
        return error_set(error, KODAMA_ERR_STATE,
                         "there is a model '%s' already: remove it, or give this one another name",
                         taking.name);
    }
    if (taking.config->link) {
        status = put_link(&taking, path, (enum model_file_kind)kind, error);
    } else if (kind == MODEL_FILE_FOLDER) {
        status =
            error_set(error, KODAMA_ERR_ARGUMENT, "%s is a folder: it can only be linked", path);
    } else {
        status = put_copy(&taking, path, error);
    }
    if (status > 0) report(&taking, taken);
    return status;
}
