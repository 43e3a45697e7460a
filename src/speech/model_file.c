/* What a file of a model is, and whether it is whole. */
#include "speech/model_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/error.h"
#include "speech/engine_whisper_check.h"

/* Fields of ONNX's outermost message, ModelProto (onnx.proto), in the encoding of protocol buffers.
 */
enum {
    ONNX_VERSION = 1,
    ONNX_GRAPH = 7,
    ONNX_FIELD_MAX = 100, /* there are some 25 */
    WIRE_NUMBER = 0,
    WIRE_8_BYTES = 1,
    WIRE_BYTES = 2,
    WIRE_4_BYTES = 5,
    VARINT_BYTES_MAX = 10,
};

static bool read_varint(FILE *file, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX; i++) {
        int byte = getc(file);
        if (byte == EOF) return false;
        *value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (!(byte & 0x80)) return true;
    }
    return false;
}

/** Step over a field's value; never beyond the end. */
static bool skip_field(FILE *file, unsigned wire, off_t end)
{
    uint64_t n = 0;
    switch (wire) {
    case WIRE_NUMBER: return read_varint(file, &n);
    case WIRE_8_BYTES: n = 8; break;
    case WIRE_4_BYTES: n = 4; break;
    case WIRE_BYTES:
        if (!read_varint(file, &n)) return false;
        break;
    default: return false;
    }
    off_t at = ftello(file);
    return at >= 0 && n <= (uint64_t)(end - at) && fseeko(file, (off_t)n, SEEK_CUR) == 0;
}

/** Whether the outermost message is whole and has a version and a graph. @param[out] begins it
 * begins as one at least */
static bool is_onnx(FILE *file, off_t end, bool *begins)
{
    bool version = false, graph = false;
    *begins = false;
    rewind(file);
    while (ftello(file) < end) {
        uint64_t tag;
        if (!read_varint(file, &tag) || tag >> 3 < 1 || tag >> 3 > ONNX_FIELD_MAX) return false;
        unsigned field = (unsigned)(tag >> 3), wire = (unsigned)(tag & 7);
        if (field == ONNX_VERSION && wire == WIRE_NUMBER) *begins = version = true;
        if (field == ONNX_GRAPH && wire == WIRE_BYTES) graph = true;
        if (!skip_field(file, wire, end)) return false;
    }
    return version && graph;
}

static int check_file(FILE *file, off_t n_bytes, const char *path, const char *shown,
                      struct kodama_error *error)
{
    struct whisper_head head;
    bool begins;
    if (whisper_file_is_model(path)) {
        int status = whisper_file_check(file, shown, &head, error);
        return status < 0 ? status : MODEL_FILE_WHISPER;
    }
    if (is_onnx(file, n_bytes, &begins)) return MODEL_FILE_ONNX;
    return error_set(error, KODAMA_ERR_CORRUPT,
                     begins ? "%s begins as an ONNX model, but is cut off or damaged"
                            : "%s is no model that Kodama knows: neither Whisper's (ggml-....bin) "
                              "nor ONNX",
                     shown);
}

/** PocketSphinx's parts: an acoustic model, in the folder or one below, is what all have. */
static bool is_sphinx(const char *path)
{
    char below[4096];
    struct stat info;
    DIR *folder = opendir(path);
    bool found = false;
    if (!folder) return false;
    for (struct dirent *entry; !found && (entry = readdir(folder));) {
        if (strcmp(entry->d_name, "mdef") == 0) found = true;
        int n = snprintf(below, sizeof below, "%s/%s/mdef", path, entry->d_name);
        if (n > 0 && (size_t)n < sizeof below && strcmp(entry->d_name, "..") != 0 &&
            stat(below, &info) == 0) {
            found = true;
        }
    }
    closedir(folder);
    return found;
}

int model_file_check(const char *path, const char *shown, struct kodama_error *error)
{
    struct stat info;
    char words[100];
    FILE *file = stat(path, &info) == 0 ? fopen(path, "rb") : NULL;
    if (!file) {
        return error_set(error, KODAMA_ERR_NOT_FOUND, "cannot read %s: %s", shown,
                         error_errno(errno, words, sizeof words));
    }
    int status;
    if (S_ISDIR(info.st_mode)) {
        status = is_sphinx(path) ? MODEL_FILE_FOLDER
                                 : error_set(error, KODAMA_ERR_CORRUPT,
                                             "the folder %s has no acoustic model of PocketSphinx "
                                             "in it",
                                             shown);
    } else {
        status = check_file(file, info.st_size, path, shown, error);
    }
    fclose(file);
    return status;
}
