/* What a file of a model is, and whether it is whole: looked at before it becomes a model of a
 * store. */
#ifndef SPEECH_MODEL_FILE_H
#define SPEECH_MODEL_FILE_H

#include <kodama/status.h>

enum model_file_kind { MODEL_FILE_WHISPER = 1, MODEL_FILE_ONNX, MODEL_FILE_FOLDER };

/**
 * Look at a model.
 *
 * @param path        of a file, or of a folder with PocketSphinx's parts
 * @param shown       how it is called in the sentence
 * @param[out] error  may be NULL
 * @return an enum model_file_kind; KODAMA_ERR_NOT_FOUND, KODAMA_ERR_CORRUPT (no model, or a damaged
 *         one), KODAMA_ERR_IO
 *
 * Whisper: all but the weights. ONNX: the frame of its parts; what they mean is looked at when it
 * is loaded.
 */
int model_file_check(const char *path, const char *shown, struct kodama_error *error);

#endif
