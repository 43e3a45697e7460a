/* What this machine can recognise with, and what loading a model costs. */
#include <kodama/kodama.h>
#include <stdio.h>

int main(void)
{
    char where[300];
    for (size_t i = 0; kodama_engine_name(i); i++) {
        int status = kodama_engine_probe(kodama_engine_name(i), where, sizeof where);
        printf("%-14s %-8s %s\n", kodama_engine_name(i), status < 0 ? "missing" : "ready", where);
    }
    struct kodama_model *model;
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_error error;
    config.n_decoders = 2;
    int status = kodama_model_open(&model, &config, &error);
    if (status < 0) {
        fprintf(stderr, "%s\n", error.message);
        return status == KODAMA_ERR_NOT_FOUND ? 77 : 1;
    }
    struct kodama_model_stats stats;
    kodama_model_stats(model, &stats);
    printf("%s, model %s, %u decoders, %u in use\n", kodama_model_engine(model),
           kodama_model_name(model), stats.n_decoders, stats.n_leased);
    kodama_model_close(model);
    return 0;
}
