/* kodama listen: its options, as the table fills them in, and what runs them. */
#ifndef COMMAND_LISTEN_H
#define COMMAND_LISTEN_H

#include "command/capture.h"
#include "command/command.h"
#include "command/input.h"

struct listen_options {
    struct input_options input;
    struct capture_options capture;
    const char *format;
    const char *save;
    const char *engine;
    const char *model;
    const char *finals;
    const char *drafts; /* --partials */
    const char *language;
    const char *grammar;
    const char *detector;
    const char *server; /* NULL: this machine recognises */
    const char *token;
    const char *token_file;
    const char *ca;
    double threshold;
    uint32_t silence_ms;
    uint32_t n_decoders;
    bool fast, partials, verbose;
};

/** Caption what the operands name. @return an exit code */
int listen_run(const struct invocation *invocation);

/* listen_server.c: what is different when a server recognises. */
struct kodama_client;
struct kodama_client_config;

/** Check that the options go together; complains. @return EXIT_DONE or EXIT_USAGE */
int listen_server_check(const struct listen_options *options);

/** What the client is to ask for; `token` is room for one from a file. Complains. @return EXIT_DONE
 * or EXIT_FAILED */
int listen_server_config(const struct listen_options *options, struct kodama_client_config *config,
                         char *token);

/** Statistics of the connection on standard error. */
void listen_server_report(struct kodama_client *client);

#endif
