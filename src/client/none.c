/* The client where this build has none: libwebsockets was not there. */
#include <kodama/client.h>

#include "base/error.h"

int kodama_client_open(struct kodama_client **client, const struct kodama_client_config *config,
                       struct kodama_error *error)
{
    (void)config;
    if (client) *client = NULL;
    return error_set(error, KODAMA_ERR_UNSUPPORTED,
                     "client: this build has none; install libwebsockets-dev and build again");
}

void kodama_client_close(struct kodama_client *client)
{
    (void)client;
}

int64_t kodama_client_write(struct kodama_client *client, const void *frames, size_t n_frames,
                            int64_t timeout_ns)
{
    (void)client;
    (void)frames;
    (void)n_frames;
    (void)timeout_ns;
    return KODAMA_ERR_UNSUPPORTED;
}

int kodama_client_finalize(struct kodama_client *client)
{
    (void)client;
    return KODAMA_ERR_UNSUPPORTED;
}

int kodama_client_finish(struct kodama_client *client)
{
    (void)client;
    return KODAMA_ERR_UNSUPPORTED;
}

int kodama_client_next(struct kodama_client *client, struct kodama_client_event *event,
                       int64_t timeout_ns)
{
    (void)client;
    (void)event;
    (void)timeout_ns;
    return KODAMA_ERR_UNSUPPORTED;
}

int kodama_client_waitable(struct kodama_client *client, struct kodama_waitable *waitable)
{
    (void)client;
    (void)waitable;
    return KODAMA_ERR_UNSUPPORTED;
}

int kodama_client_failure(struct kodama_client *client, struct kodama_error *error)
{
    (void)client;
    if (error) *error = (struct kodama_error){0};
    return KODAMA_ERR_UNSUPPORTED;
}

const char *kodama_client_engine(const struct kodama_client *client)
{
    (void)client;
    return "";
}

const char *kodama_client_model(const struct kodama_client *client)
{
    (void)client;
    return "";
}

void kodama_client_stats(struct kodama_client *client, struct kodama_client_stats *stats)
{
    (void)client;
    *stats = (struct kodama_client_stats){0};
}
