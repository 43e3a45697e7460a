/* Runs a harness for a short while, for compilers without libFuzzer: on its corpus, then on inputs
 * made from that, the same ones in every run.
 *
 *     fuzz_NAME FOLDER KEPT [SECONDS [SEED]]   FOLDER: the corpus; KEPT: how the file of a harmful
 * input begins fuzz_NAME FILE                           one input, such as a kept one
 *
 * The harness runs in a child, which shares its present input with its parent: whatever ends it (a
 * signal, a sanitizer, an exit, a hang), the parent writes down the input. Speaks TAP. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

enum {
    INPUT_BYTES_MAX = 16384, /* as in tools/run-fuzz */
    SAMPLES_MAX = 256,
    RUNS_MAX = 200000,
    HANG_S = 20,
    PATH_BYTES = 4096,
};

/* What the child tells its parent, in shared memory; the parent reads it when the child has ended.
 */
struct shared {
    uint64_t n_runs;
    bool running; /* the harness has the input */
    size_t n;
    uint8_t bytes[INPUT_BYTES_MAX];
};

struct corpus {
    struct sample samples[SAMPLES_MAX];
    size_t n;
};

/* Not the time of the clock: a busy machine has no shorter runs. */
static double cpu_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static bool load(struct sample *sample, const char *path)
{
    static uint8_t bytes[INPUT_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    sample->n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    /* Of its very size, so that a checker sees who reads beyond it. */
    sample->bytes = malloc(sample->n > 0 ? sample->n : 1);
    if (!sample->bytes) return false;
    memcpy(sample->bytes, bytes, sample->n);
    return true;
}

/* In the order of their names, which is the same everywhere. */
static void load_folder(struct corpus *corpus, const char *folder)
{
    struct dirent **entries;
    int n_entries = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < n_entries; i++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && corpus->n < SAMPLES_MAX &&
            load(&corpus->samples[corpus->n], path))
            corpus->n++;
        free(entries[i]);
    }
    if (n_entries >= 0) free(entries);
}

static void run(struct shared *shared, const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);
    if (!copy) _exit(1);
    memcpy(copy, bytes, n);
    if (bytes != shared->bytes) memcpy(shared->bytes, bytes, n);
    shared->n = n;
    shared->running = true;
    alarm(HANG_S);
    (void)LLVMFuzzerTestOneInput(copy, n);
    alarm(0);
    shared->running = false;
    shared->n_runs++;
    free(copy);
}

static void run_all(struct shared *shared, const struct corpus *corpus, uint64_t n_runs,
                    double seconds, uint64_t state)
{
    double until_s = cpu_s() + seconds;
    for (size_t i = 0; i < corpus->n; i++)
        run(shared, corpus->samples[i].bytes, corpus->samples[i].n);
    while (shared->n_runs < n_runs && cpu_s() < until_s) {
        const struct sample *from = &corpus->samples[mutate_below(&state, corpus->n)];
        memcpy(shared->bytes, from->bytes, from->n);
        size_t n =
            mutate(&state, corpus->samples, corpus->n, shared->bytes, from->n, INPUT_BYTES_MAX);
        run(shared, shared->bytes, n);
    }
}

/* The input in a file that is named after what is in it (FNV-1a). */
static void keep(const struct shared *shared, const char *start)
{
    char path[PATH_BYTES];
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < shared->n; i++) hash = (hash ^ shared->bytes[i]) * 0x100000001b3u;
    snprintf(path, sizeof path, "%s%016llx", start, (unsigned long long)hash);
    FILE *file = fopen(path, "wb");
    bool kept = file && fwrite(shared->bytes, 1, shared->n, file) == shared->n;
    if (file) kept = fclose(file) == 0 && kept;
    printf("# the input (%zu bytes) %s %s\n", shared->n, kept ? "is kept in" : "cannot be kept in",
           path);
}

static void report(const struct shared *shared, int status, size_t n_samples, const char *start)
{
    bool ok = status == 0 && shared->n_runs > 0;
    unsigned long long n_runs = shared->n_runs;
    if (status != 0) {
        if (WIFSIGNALED(status))
            printf("# ended by signal %d (%s) after %llu runs\n", WTERMSIG(status),
                   strsignal(WTERMSIG(status)), n_runs);
        else
            printf("# ended with status %d after %llu runs\n", WEXITSTATUS(status), n_runs);
        if (shared->running) keep(shared, start);
    }
    printf("1..1\n%s 1 - %zu inputs of the corpus and %llu made from them harm nobody\n",
           ok ? "ok" : "not ok", n_samples, n_runs > n_samples ? n_runs - n_samples : 0);
}

int main(int n_words, char **words)
{
    static struct corpus corpus;
    if (n_words == 2) {
        if (!load(&corpus.samples[0], words[1])) return 2;
        (void)LLVMFuzzerTestOneInput(corpus.samples[0].bytes, corpus.samples[0].n);
        free(corpus.samples[0].bytes);
        return 0;
    }
    if (n_words < 3) return 2;
    /* A fast harness has the same inputs on every machine; who names a time means it. */
    uint64_t n_runs = n_words > 3 ? UINT64_MAX : RUNS_MAX;
    double seconds = n_words > 3 ? strtod(words[3], NULL) : 1.5;
    uint64_t seed = n_words > 4 ? strtoull(words[4], NULL, 0) : 1;
    load_folder(&corpus, words[1]);
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return 2;
    fflush(NULL);
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        if (corpus.n > 0) run_all(shared, &corpus, n_runs, seconds, seed);
        for (size_t i = 0; i < corpus.n; i++) free(corpus.samples[i].bytes);
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) status = 1 << 8;
    report(shared, status, corpus.n, words[2]);
    for (size_t i = 0; i < corpus.n; i++) free(corpus.samples[i].bytes);
    bool ok = status == 0 && shared->n_runs > 0;
    munmap(shared, sizeof *shared);
    return ok ? 0 : 1;
}
