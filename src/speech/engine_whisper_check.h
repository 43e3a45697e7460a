/* The check of a Whisper model's file before libwhisper sees it: the library trusts sizes and names
 * in the file, and ends the program (assertion, exception, overflow) over wrong ones. */
#ifndef SPEECH_ENGINE_WHISPER_CHECK_H
#define SPEECH_ENGINE_WHISPER_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <kodama/status.h>

/** What the file's head says of the model. */
struct whisper_head {
    int32_t n_vocabulary;
    int32_t n_audio_ctx, n_audio_state, n_audio_head, n_audio_layer;
    int32_t n_text_ctx, n_text_state, n_text_head, n_text_layer;
    int32_t n_mels;
    int32_t weights; /* kind of the big weights */
};

/** Whether a file begins as Whisper's ggml models do. */
bool whisper_file_is_model(const char *path);

/**
 * Read a whole model file but its weights: every size, every word, every tensor's name, type, shape
 * and place.
 *
 * @param file        read from its beginning; left anywhere
 * @param path        for the sentence
 * @param[out] head   what it says
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_CORRUPT, KODAMA_ERR_IO
 */
int whisper_file_check(FILE *file, const char *path, struct whisper_head *head,
                       struct kodama_error *error);

#endif
