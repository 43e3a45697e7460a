/* kodama listen: what is different when a server recognises. */
#include <string.h>

#include <kodama/client.h>

#include "command/command.h"
#include "command/listen.h"
#include "command/output.h"
#include "command/secret.h"

int listen_server_check(const struct listen_options *options)
{
    if (!options->server) {
        if (!options->token && !options->token_file && !options->ca) return EXIT_DONE;
        complain("listen",
                 "--token, --token-file and --ca are for a server; name it with --server");
        return EXIT_USAGE;
    }
    const char *local = options->grammar      ? "grammar"
                        : options->finals     ? "finals"
                        : options->drafts     ? "partials"
                        : options->detector   ? "detector"
                        : options->n_decoders ? "decoders"
                                              : NULL;
    if (local) {
        complain("listen",
                 "with --server, --%s is an affair of the server: give it to kodama serve", local);
        return EXIT_USAGE;
    }
    if (options->token && options->token_file) {
        complain("listen", "--token and --token-file exclude each other");
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

int listen_server_config(const struct listen_options *options, struct kodama_client_config *config,
                         char *token)
{
    *config = (struct kodama_client_config)KODAMA_CLIENT_CONFIG_INIT;
    config->url = options->server;
    config->token = options->token;
    if (options->token_file) {
        if (!secret_read("listen", options->token_file, token)) return EXIT_FAILED;
        config->token = token;
    }
    config->ca = options->ca;
    config->words = true;
    config->threshold = (float)options->threshold;
    config->silence_duration_ms = options->silence_ms;
    config->engine = options->engine;
    config->model = options->model;
    config->language = options->language;
    config->renew = true;
    return EXIT_DONE;
}

void listen_server_report(struct kodama_client *client)
{
    struct kodama_client_stats stats;
    kodama_client_stats(client, &stats);
    complain("listen", "sent %.2f MB and received %.2f MB; %llu messages, %llu of them twice",
             (double)stats.bytes_sent * 1e-6, (double)stats.bytes_received * 1e-6,
             (unsigned long long)stats.events, (unsigned long long)stats.duplicates);
    complain("listen", "%u reconnects, %u new sessions; %llu of %llu frames were sent again",
             stats.reconnects, stats.renewals, (unsigned long long)stats.frames_again,
             (unsigned long long)stats.frames_sent);
    if (stats.round_trip_ms > 0) {
        complain("listen", "the server answers within %u ms", stats.round_trip_ms);
    }
}
