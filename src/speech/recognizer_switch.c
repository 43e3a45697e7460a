/*
 * Which model an utterance of a conversation is decoded by.
 *
 * A conversation has a seat in the pool of its model, and with two passes one more in that of the
 * model that makes the partials. When the model is switched, the seat in the old one stays until
 * its last final is told; finals of the new one wait for that, so that they come in order.
 */
#include "speech/recognizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "speech/model.h"

/** A seat, and the model is held; NULL: memory is out. */
static struct decode_seat *take_seat(struct kodama_recognizer *r, struct kodama_model *model)
{
    struct decode_seat *seat = decode_seat_take(model_pool(model), &recognizer_client, r);
    if (!seat) return NULL;
    model_hold(model);
    if (r->language[0]) {
        struct engine_context context = {0};
        memcpy(context.language, r->language, sizeof context.language);
        decode_seat_set_context(seat, context);
    }
    return seat;
}

static void leave_seat(struct decode_seat *seat, struct kodama_model *model)
{
    if (!seat) return;
    decode_seat_leave(seat);
    model_release(model);
}

bool recognizer_seat(struct kodama_recognizer *r, struct kodama_model *model,
                     struct kodama_model *partials_model)
{
    r->model = model;
    r->seat = take_seat(r, model);
    if (!partials_model || !r->seat) return r->seat != NULL;
    r->partials_model = partials_model;
    r->draft = take_seat(r, partials_model);
    return r->draft != NULL;
}

void recognizer_unseat(struct kodama_recognizer *r)
{
    /* The draft first: a partial of it may be told while the others are left. */
    leave_seat(r->draft, r->partials_model);
    leave_seat(r->old, r->old_model);
    leave_seat(r->seat, r->model);
    leave_seat(r->next, r->next_model);
    while (r->held_first) {
        struct decode_final *next = r->held_first->next;
        free(r->held_first->samples);
        free(r->held_first);
        r->held_first = next;
    }
}

struct decode_seat *recognizer_partials(struct kodama_recognizer *r)
{
    return r->draft ? r->draft : r->seat;
}

bool recognizer_is_switching(struct kodama_recognizer *r)
{
    mutex_lock(&r->mutex);
    bool switching = r->n_old > 0;
    mutex_unlock(&r->mutex);
    return switching;
}

void recognizer_submit(struct kodama_recognizer *r, struct decode_final *job)
{
    mutex_lock(&r->mutex);
    bool held = r->n_old > 0;
    if (held) {
        job->next = NULL;
        if (r->held_last) {
            r->held_last->next = job;
        } else {
            r->held_first = job;
        }
        r->held_last = job;
    }
    mutex_unlock(&r->mutex);
    if (!held) decode_seat_submit(r->seat, job);
}

void recognizer_decided(struct kodama_recognizer *r)
{
    if (r->n_old == 0 || --r->n_old > 0) return;
    struct decode_final *job = r->held_first;
    r->held_first = r->held_last = NULL;
    while (job) {
        struct decode_final *next = job->next;
        decode_seat_submit(r->seat, job);
        job = next;
    }
}

bool recognizer_let_go(struct kodama_recognizer *r)
{
    if (!r->old) return true;
    if (recognizer_is_switching(r) || !decode_seat_try_leave(r->old)) return false;
    model_release(r->old_model);
    r->old = NULL;
    return true;
}

void recognizer_take_over(struct kodama_recognizer *r)
{
    if (!recognizer_let_go(r) || !r->next) return;
    mutex_lock(&r->mutex);
    r->old = r->seat;
    r->old_model = r->model;
    r->seat = r->next;
    r->model = r->next_model;
    r->next = NULL;
    for (const struct undecided *u = r->first; u; u = u->next) r->n_old++;
    mutex_unlock(&r->mutex);
    (void)recognizer_let_go(r);
}

int kodama_recognizer_switch(struct kodama_recognizer *r, struct kodama_model *model,
                             struct kodama_error *error)
{
    if (!r || !model) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "recogniser: no model to switch to");
    }
    struct kodama_model *newest = r->next ? r->next_model : r->model;
    if (model != newest) {
        int status = model_check_language(model, r->language, error);
        if (status < 0) return status;
        struct decode_seat *seat = model == r->model ? NULL : take_seat(r, model);
        if (!seat && model != r->model) {
            return error_set(error, KODAMA_ERR_MEMORY, "recogniser: out of memory");
        }
        leave_seat(r->next, r->next_model); /* nobody sat there yet */
        r->next = seat;
        r->next_model = model;
    }
    mutex_lock(&r->mutex);
    bool speaking = r->speaking;
    mutex_unlock(&r->mutex);
    if (!speaking) recognizer_take_over(r);
    return KODAMA_OK;
}
