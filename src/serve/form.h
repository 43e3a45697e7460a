/*
 * A reader of multipart/form-data (RFC 7578), in pieces of any size; it holds no more than one head
 * of a part.
 */
#ifndef SERVE_FORM_H
#define SERVE_FORM_H

#include <stdbool.h>
#include <stddef.h>

enum { FORM_BOUNDARY_MAX = 70, FORM_NAME_BYTES = 64, FORM_HELD_MAX = 4096 };

enum form_state { FORM_PREAMBLE, FORM_AFTER, FORM_HEAD, FORM_DATA, FORM_END, FORM_BROKEN };

struct form {
    /** A part's bytes, in order; at its beginning once with none. */
    void (*on_data)(void *user, const char *name, const char *bytes, size_t n_bytes);
    void *user;
    enum form_state state;
    char delimiter[FORM_BOUNDARY_MAX + 5]; /* "\r\n--" and the boundary */
    size_t n_delimiter;
    char name[FORM_NAME_BYTES]; /* of the part that is being read */
    char held[FORM_HELD_MAX + 512];
    size_t n_held;
};

/** Begin. @return false when the content type is no form with a boundary */
bool form_begin(struct form *form, const char *content_type,
                void (*on_data)(void *user, const char *name, const char *bytes, size_t n_bytes),
                void *user);

/** Read on. @return false when it is broken */
bool form_read(struct form *form, const char *bytes, size_t n_bytes);

/** Whether it is whole. */
bool form_ended(const struct form *form);

#endif
