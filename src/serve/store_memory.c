/* A session store in this process's memory: sessions wait there for their client, and end with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/thread.h"
#include "serve/gate.h"
#include "serve/store.h"

struct entry {
    struct entry *next;
    char key[STORE_KEY_BYTES];
    uint64_t until_ns;
    void *data;
    size_t n_bytes;
};

/* Few: no more than a server has sessions. */
struct memory_store {
    struct mutex mutex;
    struct entry *first;
    uint32_t n;
};

static int open_store(void **opened, struct kodama_error *error)
{
    struct memory_store *store = memory_array(1, sizeof *store);
    if (!store) return error_set(error, KODAMA_ERR_MEMORY, "server: out of memory");
    mutex_init(&store->mutex);
    *opened = store;
    return KODAMA_OK;
}

/* Take an entry out of the list. Lock held. */
static struct entry *unlink_entry(struct memory_store *store, struct entry **at)
{
    struct entry *entry = *at;
    *at = entry->next;
    store->n--;
    return entry;
}

static void free_entry(struct entry *entry)
{
    if (!entry) return;
    free(entry->data);
    free(entry);
}

static void close_store(void *state)
{
    struct memory_store *store = state;
    while (store->first) free_entry(unlink_entry(store, &store->first));
    mutex_destroy(&store->mutex);
    free(store);
}

/* The key has a secret in it. Lock held. */
static struct entry *take_entry(struct memory_store *store, const char *key)
{
    for (struct entry **at = &store->first; *at; at = &(*at)->next) {
        if (gate_same_secret(key, (*at)->key)) return unlink_entry(store, at);
    }
    return NULL;
}

static int put(void *state, const char *key, const void *data, size_t n_bytes, uint32_t keep_ms)
{
    struct memory_store *store = state;
    struct entry *entry = memory_array(1, sizeof *entry);
    void *copy = memory_array(n_bytes + 1, 1);
    if (!entry || !copy || strlen(key) >= sizeof entry->key) {
        free(entry);
        free(copy);
        return KODAMA_ERR_MEMORY;
    }
    memcpy(copy, data, n_bytes);
    *entry = (struct entry){
        .data = copy, .n_bytes = n_bytes, .until_ns = clock_now_ns() + keep_ms * CLOCK_NS_PER_MS};
    snprintf(entry->key, sizeof entry->key, "%s", key);
    mutex_lock(&store->mutex);
    struct entry *older = take_entry(store, key);
    entry->next = store->first;
    store->first = entry;
    store->n++;
    mutex_unlock(&store->mutex);
    free_entry(older);
    return KODAMA_OK;
}

static int take(void *state, const char *key, void **data, size_t *n_bytes)
{
    struct memory_store *store = state;
    mutex_lock(&store->mutex);
    struct entry *entry = take_entry(store, key);
    mutex_unlock(&store->mutex);
    bool found = entry && entry->until_ns > clock_now_ns();
    if (found) {
        *data = entry->data;
        *n_bytes = entry->n_bytes;
        entry->data = NULL;
    }
    free_entry(entry);
    return found ? KODAMA_OK : KODAMA_ERR_NOT_FOUND;
}

static int forget(void *state, const char *key)
{
    struct memory_store *store = state;
    mutex_lock(&store->mutex);
    struct entry *entry = take_entry(store, key);
    mutex_unlock(&store->mutex);
    free_entry(entry);
    return KODAMA_OK;
}

static uint32_t count(void *state)
{
    struct memory_store *store = state;
    mutex_lock(&store->mutex);
    uint32_t n = store->n;
    mutex_unlock(&store->mutex);
    return n;
}

static void expire(void *state, uint64_t now_ns)
{
    struct memory_store *store = state;
    mutex_lock(&store->mutex);
    for (struct entry **at = &store->first; *at;) {
        if ((*at)->until_ns > now_ns) {
            at = &(*at)->next;
        } else {
            free_entry(unlink_entry(store, at));
        }
    }
    mutex_unlock(&store->mutex);
}

const struct store_ops store_memory = {
    .name = "memory",
    .open = open_store,
    .close = close_store,
    .put = put,
    .take = take,
    .remove = forget,
    .count = count,
    .expire = expire,
};
