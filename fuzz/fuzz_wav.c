/* Fuzzing of the header of a WAV stream, as it comes through a pipe: not a byte is read beyond the
 * first sample, and what is accepted is a format that exists. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "audio/wav.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

struct input {
    const uint8_t *bytes;
    size_t n, at;
};

static int64_t take(void *user, void *bytes, size_t n_bytes, struct kodama_error *error)
{
    struct input *input = user;
    size_t n = n_bytes < input->n - input->at ? n_bytes : input->n - input->at;
    (void)error;
    memcpy(bytes, input->bytes + input->at, n);
    input->at += n;
    return (int64_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct input input = {data, n_bytes, 0};
    struct wav_header header;
    struct kodama_error error = {0};
    int status = wav_read_header(take, &input, &header, &error);
    if (status < 0) {
        if (error.message[0] == '\0') abort();
        return 0;
    }
    if (header.header_bytes != input.at || kodama_format_check(header.format, NULL) < 0) abort();
    if (header.n_frames < -1 || memcmp(data + input.at - 8, "data", 4) != 0) abort();
    return 0;
}
