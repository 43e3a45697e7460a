/* The server where this build has none: libwebsockets or libuv was not there. */
#include <kodama/server.h>

#include "base/error.h"

int kodama_server_open(struct kodama_server **server, struct kodama_model *model,
                       const struct kodama_server_config *config, struct kodama_error *error)
{
    (void)model;
    (void)config;
    if (server) *server = NULL;
    return error_set(error, KODAMA_ERR_UNSUPPORTED,
                     "server: this build has none; install libwebsockets-dev and libuv1-dev and "
                     "build again");
}

uint32_t kodama_server_port(const struct kodama_server *server)
{
    (void)server;
    return 0;
}

int kodama_server_stop(struct kodama_server *server, int64_t timeout_ns)
{
    (void)server;
    (void)timeout_ns;
    return KODAMA_ERR_UNSUPPORTED;
}

void kodama_server_close(struct kodama_server *server)
{
    (void)server;
}

void kodama_server_stats(struct kodama_server *server, struct kodama_server_stats *stats)
{
    (void)server;
    *stats = (struct kodama_server_stats){0};
}

int kodama_server_swap_model(struct kodama_server *server, const struct kodama_model_config *config,
                             struct kodama_error *error)
{
    (void)server;
    (void)config;
    return error_set(error, KODAMA_ERR_UNSUPPORTED, "server: this build has none");
}

int kodama_server_swap_wait(struct kodama_server *server, struct kodama_swap *swap,
                            int64_t timeout_ns)
{
    (void)server;
    (void)timeout_ns;
    if (swap) *swap = (struct kodama_swap){0};
    return KODAMA_ERR_UNSUPPORTED;
}
