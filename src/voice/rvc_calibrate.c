/* Measures what chunks of a voice model cost on this machine, and chooses. */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "voice/rvc_model.h"

enum { N_RUNS = 5 };

/* A chunk may take this share of its own length: the rest is for everybody else. */
#define SHARE_MOST 0.7
/* Beyond this there is little to spare: the delay leaves room for the next larger chunk. */
#define SHARE_AMPLE 0.5

const size_t rvc_chunks[RVC_N_CHUNKS] = {5, 10, 20};

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The last but one of a few runs on a voice-like hum: what will be sustained, not what was lucky.
 */
static int measure(struct rvc_model *m, size_t which, struct kodama_error *error)
{
    struct rvc_pass *pass;
    int status =
        rvc_pass_open(&pass, &m->weights, &m->manner, m->context, rvc_chunks[which], 1, error);
    if (status < 0) return status;
    size_t n = rvc_pass_window(pass);
    float *samples = memory_array(n * PASS_HOP_IN, sizeof *samples);
    float *pitch = memory_array(n, sizeof *pitch), *zeros = memory_array(n, sizeof *zeros);
    float *said = memory_array((PASS_SAID + rvc_chunks[which]) * PASS_HOP_OUT, sizeof *said);
    if (samples && pitch && zeros && said) {
        for (size_t i = 0; i < n * PASS_HOP_IN; i++)
            samples[i] = 0.1f * sinf((float)i * 0.06f) + 0.05f * sinf((float)i * 0.21f);
        for (size_t i = 0; i < n; i++) pitch[i] = 153.0f;
        struct rvc_input input = {.samples = samples, .pitch_hz = pitch, .semitones = zeros};
        uint64_t took[N_RUNS];
        for (int i = 0; i < N_RUNS && status == KODAMA_OK; i++) {
            uint64_t began = clock_now_ns();
            status = rvc_pass_run(pass, &input, said, error);
            took[i] = clock_now_ns() - began;
        }
        if (status == KODAMA_OK) {
            qsort(took, N_RUNS, sizeof *took, compare);
            m->cost_ns[which] = took[N_RUNS - 2] > 0 ? took[N_RUNS - 2] : 1;
        }
    } else {
        status = error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    }
    free(samples);
    free(pitch);
    free(zeros);
    free(said);
    rvc_pass_close(pass);
    return status;
}

static double share(const struct rvc_model *m, size_t which)
{
    return (double)m->cost_ns[which] / ((double)rvc_chunks[which] * 10e6);
}

static int choose(struct rvc_model *m, struct kodama_error *error)
{
    for (size_t i = m->smallest; i < RVC_N_CHUNKS; i++) {
        int status = measure(m, i, error);
        if (status < 0) return status;
        m->chunk = m->chunk_most = i;
        m->sustained = share(m, i) <= SHARE_MOST;
        if (m->sustained) break;
    }
    if (m->sustained && share(m, m->chunk) > SHARE_AMPLE && m->chunk + 1 < RVC_N_CHUNKS)
        m->chunk_most = m->chunk + 1;
    m->measured = true;
    if (m->sustained)
        log_write(m->log, KODAMA_LOG_INFO,
                  "%s: a chunk of %zu ms takes %.0f ms here (%.0f %%), on %u threads", m->name,
                  rvc_chunks[m->chunk] * 10, (double)m->cost_ns[m->chunk] * 1e-6,
                  100.0 * share(m, m->chunk), m->n_threads);
    return KODAMA_OK;
}

int rvc_calibrate(struct rvc_model *m, struct kodama_error *error)
{
    mutex_lock(&m->lock);
    int status = m->measured ? KODAMA_OK : choose(m, error);
    if (status == KODAMA_OK && !m->sustained)
        status =
            error_set(error, KODAMA_ERR_LIMIT,
                      "this machine is too slow to speak live as %s: %zu ms of voice take %.0f "
                      "ms (%.0f %% of real time, %.0f %% is the most); use a faster machine, "
                      "a GPU (provider cuda) or more threads, or convert files, which may "
                      "take longer than they last",
                      m->name, rvc_chunks[m->chunk] * 10, (double)m->cost_ns[m->chunk] * 1e-6,
                      100.0 * share(m, m->chunk), 100.0 * SHARE_MOST);
    mutex_unlock(&m->lock);
    return status;
}
