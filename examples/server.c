/* A recognition server of one's own: serves for as many seconds as are asked for, then ends it in
 * good order and says what it did. */
#include <kodama/kodama.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int n_words, char **words)
{
    long seconds = n_words > 1 ? strtol(words[1], NULL, 10) : 3600;
    struct kodama_model *model = NULL;
    struct kodama_server *server = NULL;
    struct kodama_server_config config = KODAMA_SERVER_CONFIG_INIT;
    struct kodama_error error = {0};
    config.port = 0; /* any free one */
    int status = kodama_model_open(&model, NULL, &error);
    if (status == KODAMA_OK) status = kodama_server_open(&server, model, &config, &error);
    if (status == KODAMA_OK) {
        printf("ws://127.0.0.1:%u/ws\n", kodama_server_port(server));
        fflush(stdout);
        nanosleep(&(struct timespec){.tv_sec = seconds}, NULL);

        status = kodama_server_stop(server, 10 * INT64_C(1000000000));
        struct kodama_server_stats stats;
        kodama_server_stats(server, &stats);
        printf("%llu sessions, %llu finals\n", (unsigned long long)stats.sessions_opened,
               (unsigned long long)stats.finals);
    } else {
        fprintf(stderr, "%s\n", error.message);
    }
    kodama_server_close(server);
    kodama_model_close(model);
    if (status == KODAMA_ERR_NOT_FOUND || status == KODAMA_ERR_UNSUPPORTED) return 77;
    return status < 0;
}
