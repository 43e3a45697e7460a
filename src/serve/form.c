/* A reader of multipart/form-data, in pieces of any size. */
#include "serve/form.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PIECE_BYTES = 512 };

bool form_begin(struct form *form, const char *content_type,
                void (*on_data)(void *user, const char *name, const char *bytes, size_t n_bytes),
                void *user)
{
    *form = (struct form){.on_data = on_data, .user = user};
    if (strncasecmp(content_type, "multipart/form-data", 19) != 0) return false;
    const char *boundary = strstr(content_type, "boundary=");
    if (!boundary) return false;
    boundary += 9;
    size_t n = strcspn(boundary, ";, \t");
    if (*boundary == '"') n = strcspn(++boundary, "\"");
    if (n == 0 || n > FORM_BOUNDARY_MAX) return false;
    memcpy(form->delimiter, "\r\n--", 4);
    memcpy(form->delimiter + 4, boundary, n);
    form->n_delimiter = n + 4;
    /* The first delimiter has no line before it. */
    memcpy(form->held, "\r\n", 2);
    form->n_held = 2;
    return true;
}

/* Where bytes begin in what is held, or n_held. */
static size_t find(const struct form *form, const char *bytes, size_t n_bytes)
{
    for (size_t i = 0; i + n_bytes <= form->n_held; i++) {
        if (memcmp(form->held + i, bytes, n_bytes) == 0) return i;
    }
    return form->n_held;
}

static void consume(struct form *form, size_t n_bytes)
{
    form->n_held -= n_bytes;
    memmove(form->held, form->held + n_bytes, form->n_held);
}

/* The name in a part's head; "" when it has none. */
static void read_name(struct form *form, size_t n_head)
{
    char head[FORM_HELD_MAX + 1];
    memcpy(head, form->held, n_head);
    head[n_head] = '\0';
    form->name[0] = '\0';
    const char *name = head;
    /* "filename=" holds "name=", too. */
    while ((name = strstr(name, "name=\"")) && name > head && name[-1] != ' ' && name[-1] != ';') {
        name++;
    }
    if (!name) return;
    name += 6;
    size_t n = strcspn(name, "\"\r\n");
    if (n < FORM_NAME_BYTES) snprintf(form->name, sizeof form->name, "%.*s", (int)n, name);
}

/* One step with what is held. @return false when more is needed */
static bool step_data(struct form *form)
{
    size_t at = find(form, form->delimiter, form->n_delimiter);
    bool found = at < form->n_held;
    /* Without it, its beginning may be at the end. */
    size_t keep = form->n_delimiter - 1;
    size_t n = found ? at : form->n_held > keep ? form->n_held - keep : 0;
    if (form->state == FORM_DATA && n > 0) form->on_data(form->user, form->name, form->held, n);
    consume(form, found ? at + form->n_delimiter : n);
    if (found) form->state = FORM_AFTER;
    return found;
}

static bool step_after(struct form *form)
{
    if (form->n_held < 2) return false;
    form->state = memcmp(form->held, "--", 2) == 0 ? FORM_END : FORM_HEAD;
    return true;
}

static bool step_head(struct form *form)
{
    size_t at = find(form, "\r\n\r\n", 4);
    if (at == form->n_held) {
        if (form->n_held > FORM_HELD_MAX - 4) form->state = FORM_BROKEN;
        return form->state == FORM_BROKEN;
    }
    if (at > FORM_HELD_MAX) {
        form->state = FORM_BROKEN;
        return true;
    }
    read_name(form, at);
    consume(form, at + 4);
    form->state = FORM_DATA;
    form->on_data(form->user, form->name, form->held, 0);
    return true;
}

static bool step(struct form *form)
{
    switch (form->state) {
    case FORM_PREAMBLE:
    case FORM_DATA: return step_data(form);
    case FORM_AFTER: return step_after(form);
    case FORM_HEAD: return step_head(form);
    case FORM_END:
    case FORM_BROKEN: break;
    }
    return false;
}

bool form_read(struct form *form, const char *bytes, size_t n_bytes)
{
    while (n_bytes > 0 && form->state != FORM_END && form->state != FORM_BROKEN) {
        size_t room = sizeof form->held - form->n_held;
        size_t n = n_bytes < PIECE_BYTES ? n_bytes : PIECE_BYTES;
        if (n > room) n = room;
        if (n == 0) { /* cannot be: every step makes room */
            form->state = FORM_BROKEN;
            break;
        }
        memcpy(form->held + form->n_held, bytes, n);
        form->n_held += n;
        bytes += n;
        n_bytes -= n;
        while (step(form)) continue;
    }
    return form->state != FORM_BROKEN;
}

bool form_ended(const struct form *form)
{
    return form->state == FORM_END;
}
