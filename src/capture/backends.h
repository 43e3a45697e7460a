/* The list of sound backends in this build. */
#ifndef CAPTURE_BACKENDS_H
#define CAPTURE_BACKENDS_H

#include <stddef.h>

struct host_ops;

/** The backends in the order in which they are tried. */
const struct host_ops *const *host_backends(void);
size_t host_n_backends(void);

extern const struct host_ops host_pipewire_ops;
extern const struct host_ops host_pulse_ops;

#endif
