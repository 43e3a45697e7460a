/* Devices: what plays and what hears on this machine. */
#ifndef KODAMA_DEVICE_H
#define KODAMA_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/app.h>
#include <kodama/format.h>
#include <kodama/host.h>
#include <kodama/status.h>

enum kodama_device_kind {
    KODAMA_DEVICE_SPEAKERS = 1, /**< plays; what it plays can be heard by the source "system" */
    KODAMA_DEVICE_MICROPHONE,   /**< hears; virtual ones, too */
};

struct kodama_device {
    uint64_t id; /**< within its host, never reused */
    enum kodama_device_kind kind;
    char name[KODAMA_NAME_BYTES];         /**< what the sound system calls it */
    char description[KODAMA_MEDIA_BYTES]; /**< what a person calls it */
    bool is_default;                      /**< of its kind */
    double volume;                        /**< 1.0 = 100 % on the scale of the user's mixer */
    bool muted;
    struct kodama_format format; /**< members that are not known are 0 */
};

/** A snapshot of all devices, in the order in which they were first seen. */
struct kodama_device_list {
    size_t n_devices;
    const struct kodama_device *devices;
};

/**
 * List the devices.
 *
 * @param host       opened
 * @param[out] list  owned by the caller: kodama_device_list_free(); NULL on error
 * @param[out] error may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT or KODAMA_ERR_MEMORY. While the sound server is away the
 * list is empty.
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_host_devices(struct kodama_host *host, struct kodama_device_list **list,
                                   struct kodama_error *error) KODAMA_MUST_USE;

/** Free a snapshot; NULL is allowed. Thread: any. Real-time safe: no. */
KODAMA_API void kodama_device_list_free(struct kodama_device_list *list);

#endif
