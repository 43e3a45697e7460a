/* A small Whisper model whose decoder says what it is told, in the real file format: the whole path
 * of recognition without weights to fetch. */
#ifndef TESTS_WHISPER_MODEL_H
#define TESTS_WHISPER_MODEL_H

#include <stdbool.h>

/**
 * Write a model.
 *
 * The decoder says item p of the script at place p of its text window, whatever the sound is. Its
 * place is the number of tokens before it: one (English) or three (multilingual: place 0 answers
 * which language it is) without a prompt; a prompt of n tokens moves it by n + 1.
 *
 * @param path          file to write
 * @param script        items with spaces between them: "word"; "+ly" (goes on with the word
 * before);
 *                      "<1.50>" (a mark of time); "[3]" (language number 3); the end follows by
 * itself
 * @param multilingual  with the vocabulary of that kind of model
 *
 * Fails the running test when the file cannot be written.
 */
void whisper_model_write(const char *path, const char *script, bool multilingual);

#endif
