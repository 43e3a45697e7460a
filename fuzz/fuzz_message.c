/* Fuzzing of what a client may send as text: as a message with settings, as a header with a token,
 * as the origin of a page. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "serve/gate.h"
#include "serve/message.h"
#include "serve/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

/* Whatever is accepted must be what a session can work with. */
static void check(const struct settings *settings)
{
    struct kodama_format format = settings->format;
    if (format.rate_hz < KODAMA_RATE_MIN_HZ || format.rate_hz > SETTINGS_RATE_MAX_HZ) abort();
    if (kodama_frame_bytes(format) == 0) abort();
    if (!(settings->threshold >= 0.009f && settings->threshold <= 0.991f)) abort();
    if (settings->silence_duration_ms < 50 || settings->prefix_padding_ms > 5000) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    const char *why;
    struct settings settings = settings_default();
    json_t *message = message_read((const char *)data, n_bytes, &why);
    if (message) {
        struct kodama_error error;
        (void)settings_set_all(&settings, message, &error);
        check(&settings);
    }
    json_decref(message);

    char *text = malloc(n_bytes + 1);
    if (!text) return 0;
    memcpy(text, data, n_bytes);
    text[n_bytes] = '\0';
    if (gate_same_secret(gate_bearer(text), "a secret that nobody guesses")) abort();
    /* No other name hides in what is admitted. */
    if (gate_allows_origin(text, NULL, 0) && strstr(text, "evil")) abort();
    char *answer = message_error("code", text);
    size_t n_answer;
    char *numbered = answer ? message_numbered(answer, n_bytes, 16, &n_answer) : NULL;
    free(numbered);
    free(answer);
    free(text);
    return 0;
}
