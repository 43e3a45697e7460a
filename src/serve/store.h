/*
 * A session store: where sessions wait whose client is away, and, when it is durable, where a copy
 * of each is that outlives the process. It knows nothing of them: bytes under a key, for a time.
 * A store that machines share is one more file and one line in server.c.
 */
#ifndef SERVE_STORE_H
#define SERVE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/status.h>

enum { STORE_KEY_BYTES = 72 };

/** What is not marked as optional is mandatory. put, take and remove are called by one thread of a
 * server, the clerk, and may wait. */
struct store_ops {
    const char *name;
    bool durable; /* what was put is there after the loss of this process */
    int (*open)(void **store, struct kodama_error *error);
    void (*close)(void *store);
    /** Keep bytes under a key, instead of those that are there. @return KODAMA_OK, or an error:
     * those are untouched */
    int (*put)(void *store, const char *key, const void *data, size_t n_bytes, uint32_t keep_ms);
    /** Get bytes and forget them, in one step: of two who take only one gets them.
     * @param[out] data  new bytes, to be freed
     * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND or another error */
    int (*take)(void *store, const char *key, void **data, size_t *n_bytes);
    /** Forget bytes. @return KODAMA_OK, also when there are none, or an error */
    int (*remove)(void *store, const char *key);
    /** Optional: how many are in this process's memory. Any thread; must not wait. */
    uint32_t (*count)(void *store);
    /** Optional: forget what is older than it was to be kept. Any thread; must not wait. */
    void (*expire)(void *store, uint64_t now_ns);
};

/** The store of a server. */
struct store {
    const struct store_ops *ops; /* NULL: none; sessions wait in memory as they are */
    void *state;
};

static inline uint32_t store_count(const struct store *store)
{
    return store->ops && store->ops->count ? store->ops->count(store->state) : 0;
}

static inline void store_expire(const struct store *store, uint64_t now_ns)
{
    if (store->ops && store->ops->expire) store->ops->expire(store->state, now_ns);
}

/** In this process's memory. */
extern const struct store_ops store_memory;

#endif
