/* A voice's folder in the store: its files, and voice.json, which says what they are. */
#ifndef VOICE_VOICE_FOLDER_H
#define VOICE_VOICE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include <kodama/voice_store.h>

/** Whether a name can be that of a voice, and so of a folder. */
bool voice_folder_name_fits(const char *name);

/** Make a folder and those that it is in: KODAMA_OK or what was in the way. */
int voice_folder_make(const char *path, struct kodama_error *error);

/** Copy a file; `to` is complete afterwards, or not there. */
int voice_folder_copy(const char *from, const char *to, struct kodama_error *error);

/** Remove a folder with its files. One with folders in it is no voice's, and stays. */
int voice_folder_remove(const char *path, struct kodama_error *error);

/** Write voice.json for an entry; its paths are left out but for their last parts. */
int voice_folder_write(const char *folder, const struct kodama_voice_entry *entry,
                       struct kodama_error *error);

/** Read a voice's folder. What is wrong with it is in entry->problem. False: it is not there. */
bool voice_folder_read(const char *store, const char *name, struct kodama_voice_entry *entry);

/** "FOLDER/NAME" in a buffer of KODAMA_VOICE_PATH_BYTES; false: too long. */
bool voice_folder_path(char *path, const char *folder, const char *name);

#endif
