/* A certificate for a server of one's own, signed by itself. */
#ifndef COMMAND_CERTIFICATE_H
#define COMMAND_CERTIFICATE_H

#include <stddef.h>

/**
 * Make a key and a certificate of it: for localhost, 127.0.0.1, ::1 and more names. Complains.
 *
 * @param certificate  file to be made (PEM), readable by the user only; one that is there is kept
 * @param key          the same, for the key
 * @param names        [n_names] host names and addresses
 * @return EXIT_DONE, EXIT_USAGE (a name), EXIT_FAILED
 */
int certificate_make(const char *certificate, const char *key, const char *const *names,
                     size_t n_names);

#endif
