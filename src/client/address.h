/* The address of a server: its parts, from what a person writes. */
#ifndef CLIENT_ADDRESS_H
#define CLIENT_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include <kodama/status.h>

enum { ADDRESS_HOST_BYTES = 256, ADDRESS_PATH_BYTES = 512 };

struct address {
    bool tls;
    uint32_t port;
    char host[ADDRESS_HOST_BYTES]; /* without the brackets of IPv6 */
    char path[ADDRESS_PATH_BYTES]; /* with its query */
};

/**
 * Read "ws://host:port/path" and its relatives.
 *
 * @param[out] address  unchanged on failure
 * @param[out] error    says what is allowed
 * @return KODAMA_OK or KODAMA_ERR_ARGUMENT
 */
int address_read(struct address *address, const char *url, struct kodama_error *error);

/** Whether it is this machine by name or number. */
bool address_is_loopback(const struct address *address);

#endif
