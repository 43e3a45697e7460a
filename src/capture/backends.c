/* One line per sound backend that this build has. */
#include "capture/backends.h"

#include "capture/host.h"

/* Ends with NULL, so that it is an array also where there is none. */
static const struct host_ops *const backends[] = {
#ifdef KODAMA_HAVE_PIPEWIRE
    &host_pipewire_ops,
#endif
#ifdef KODAMA_HAVE_PULSE
    &host_pulse_ops,
#endif
    NULL,
};

const struct host_ops *const *host_backends(void)
{
    return backends;
}

size_t host_n_backends(void)
{
    return sizeof backends / sizeof backends[0] - 1;
}
