/* Voices that go on from request to request: a list, each entry lent to one request at a time. */
#include "serve/voices.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

struct voices_entry {
    struct voices_entry *next;
    char *owner, *session;
    struct voices_kept kept;
    uint64_t used_ns;
    uint32_t wanted; /* by so many, its holder too */
    bool taken, forgotten;
};

void voices_open(struct voices *voices, uint32_t most, uint64_t keep_ns)
{
    *voices = (struct voices){.most = most, .keep_ns = keep_ns};
    mutex_init(&voices->mutex);
    condition_init(&voices->changed);
}

static void entry_free(struct voices_entry *entry)
{
    if (!entry) return;
    kodama_voice_close(entry->kept.voice);
    free(entry->kept.drift);
    free(entry->owner);
    free(entry->session);
    free(entry);
}

void voices_close(struct voices *voices)
{
    while (voices->first) {
        struct voices_entry *next = voices->first->next;
        entry_free(voices->first);
        voices->first = next;
    }
    condition_destroy(&voices->changed);
    mutex_destroy(&voices->mutex);
}

/* Lock held. */
static struct voices_entry *find(struct voices *voices, const char *owner, const char *session)
{
    for (struct voices_entry *e = voices->first; e; e = e->next) {
        if (strcmp(e->session, session) == 0 && strcmp(e->owner, owner) == 0) return e;
    }
    return NULL;
}

/* Lock held. */
static struct voices_entry *begin(struct voices *voices, const char *owner, const char *session)
{
    struct voices_entry *e = voices->n < voices->most ? memory_array(1, sizeof *e) : NULL;
    if (!e) return NULL;
    e->owner = memory_text(owner);
    e->session = memory_text(session);
    if (!e->owner || !e->session) {
        entry_free(e);
        return NULL;
    }
    e->next = voices->first;
    voices->first = e;
    voices->n++;
    return e;
}

/* Take it out of the list; it is freed when nobody wants it any more. Lock held. */
static void forget(struct voices *voices, struct voices_entry *entry)
{
    for (struct voices_entry **at = &voices->first; *at; at = &(*at)->next) {
        if (*at != entry) continue;
        *at = entry->next;
        voices->n--;
        break;
    }
    entry->forgotten = true;
    if (entry->wanted == 0) entry_free(entry);
}

struct voices_entry *voices_take(struct voices *voices, const char *owner, const char *session,
                                 bool begins)
{
    mutex_lock(&voices->mutex);
    struct voices_entry *e = find(voices, owner, session);
    if (!e && begins) e = begin(voices, owner, session);
    if (e) {
        e->wanted++;
        while (e->taken) condition_wait(&voices->changed, &voices->mutex, CLOCK_NEVER);
        e->taken = true;
    }
    mutex_unlock(&voices->mutex);
    return e;
}

void voices_give(struct voices *voices, struct voices_entry *entry)
{
    if (!entry) return;
    mutex_lock(&voices->mutex);
    entry->taken = false;
    entry->used_ns = clock_now_ns();
    if (--entry->wanted == 0 && entry->forgotten) entry_free(entry);
    condition_broadcast(&voices->changed);
    mutex_unlock(&voices->mutex);
}

bool voices_forget(struct voices *voices, const char *owner, const char *session)
{
    mutex_lock(&voices->mutex);
    struct voices_entry *e = find(voices, owner, session);
    if (e) forget(voices, e);
    mutex_unlock(&voices->mutex);
    return e != NULL;
}

uint32_t voices_expire(struct voices *voices, uint64_t now_ns)
{
    mutex_lock(&voices->mutex);
    struct voices_entry *next;
    for (struct voices_entry *e = voices->first; e; e = next) {
        next = e->next;
        if (e->wanted == 0 && now_ns - e->used_ns > voices->keep_ns) forget(voices, e);
    }
    uint32_t n = voices->n;
    mutex_unlock(&voices->mutex);
    return n;
}

struct voices_kept *voices_kept(struct voices_entry *entry)
{
    return &entry->kept;
}
