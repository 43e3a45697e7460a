/* What a server counts, and how Prometheus reads it. */
#include "serve/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/api.h>

enum { TEXT_BYTES = 16384 };

static const double bounds_s[METRICS_BUCKETS] = {0.01, 0.025, 0.05, 0.1, 0.15,
                                                 0.25, 0.5,   1.0,  2.5, 10.0};

void metrics_time(struct metrics_histogram *histogram, uint64_t time_ns)
{
    size_t i = 0;
    while (i < METRICS_BUCKETS && (double)time_ns > bounds_s[i] * 1e9) i++;
    METRICS_ADD(histogram->counts[i], 1);
    METRICS_ADD(histogram->sum_ns, time_ns);
}

void metrics_most(_Atomic uint64_t *most, uint64_t value)
{
    uint64_t known = METRICS_GET(*most);
    while (value > known && !atomic_compare_exchange_weak_explicit(
                                most, &known, value, memory_order_relaxed, memory_order_relaxed)) {
        continue;
    }
}

uint64_t metrics_refused(struct metrics *metrics)
{
    uint64_t n = 0;
    for (size_t i = 0; i < REFUSED_KINDS; i++) n += METRICS_GET(metrics->refused[i]);
    return n;
}

struct page {
    char *text;
    size_t n;
};

/* What does not fit is cut; the page is far smaller than its room. */
static void KODAMA_PRINTF(2, 3) add(struct page *page, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(page->text + page->n, TEXT_BYTES - page->n, format, arguments);
    va_end(arguments);
    if (n > 0) page->n += (size_t)n;
    if (page->n >= TEXT_BYTES) page->n = TEXT_BYTES - 1;
}

static void add_value(struct page *page, const char *name, const char *type, const char *help,
                      double value)
{
    add(page, "# HELP kodama_%s %s\n# TYPE kodama_%s %s\nkodama_%s %.15g\n", name, help, name, type,
        name, value);
}

static void add_histogram(struct page *page, const char *name, const char *help,
                          struct metrics_histogram *histogram)
{
    uint64_t n = 0;
    add(page, "# HELP kodama_%s %s\n# TYPE kodama_%s histogram\n", name, help, name);
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        n += METRICS_GET(histogram->counts[i]);
        add(page, "kodama_%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, bounds_s[i], n);
    }
    n += METRICS_GET(histogram->counts[METRICS_BUCKETS]);
    add(page, "kodama_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, n);
    add(page, "kodama_%s_sum %.9g\n", name, (double)METRICS_GET(histogram->sum_ns) / 1e9);
    add(page, "kodama_%s_count %" PRIu64 "\n", name, n);
}

static void add_refusals(struct page *page, struct metrics *m)
{
    static const char *const kinds[REFUSED_KINDS] = {
        [REFUSED_TOKEN] = "token",       [REFUSED_ORIGIN] = "origin",
        [REFUSED_ADDRESS] = "address",   [REFUSED_SESSIONS] = "sessions",
        [REFUSED_STOPPING] = "stopping", [REFUSED_MESSAGE] = "message",
        [REFUSED_RESUME] = "resume",     [REFUSED_UPLOAD] = "upload",
    };
    add(page, "# HELP kodama_refused_total Requests and messages refused, by reason\n"
              "# TYPE kodama_refused_total counter\n");
    for (size_t i = 0; i < REFUSED_KINDS; i++) {
        add(page, "kodama_refused_total{reason=\"%s\"} %" PRIu64 "\n", kinds[i],
            METRICS_GET(m->refused[i]));
    }
}

static void add_errors(struct page *page, struct metrics *m)
{
    static const char *const kinds[ERROR_KINDS] = {
        [ERROR_DECODE] = "decode", [ERROR_SESSION] = "session", [ERROR_HEARTBEAT] = "heartbeat"};
    add(page, "# HELP kodama_errors_total What went wrong, by kind\n"
              "# TYPE kodama_errors_total counter\n");
    for (size_t i = 0; i < ERROR_KINDS; i++) {
        add(page, "kodama_errors_total{kind=\"%s\"} %" PRIu64 "\n", kinds[i],
            METRICS_GET(m->errors[i]));
    }
}

enum { MODEL_FACTS = 8 };

static const struct {
    const char *name, *type, *help;
} model_facts[MODEL_FACTS] = {
    {"decoders", "gauge", "Decoders in the pool"},
    {"decoders_leased", "gauge", "Decoders in use"},
    {"finals_waiting", "gauge", "Finals that wait for a decoder"},
    {"partials_waiting", "gauge", "Partials that wait for a decoder"},
    {"partials_not_made_total", "counter", "Partials not made, decoders being busy"},
    {"decoded_seconds_total", "counter", "Audio decoded for finals"},
    {"decoder_cpu_seconds_total", "counter", "Processor time of decoders"},
    {"real_time_factor", "gauge", "Decoders' processor time for a second of speech"},
};

/* In the order of model_facts. */
static void read_model(const struct kodama_model_stats *stats, double values[MODEL_FACTS])
{
    double audio_s = (double)stats->audio_ns / 1e9;
    double cpu_s = (double)(stats->final_cpu_ns + stats->partial_cpu_ns) / 1e9;
    const double all[MODEL_FACTS] = {
        stats->n_decoders,
        stats->n_leased,
        stats->finals_waiting,
        stats->partials_waiting,
        (double)stats->partials_shed,
        audio_s,
        cpu_s,
        audio_s > 0 ? cpu_s / audio_s : 0,
    };
    memcpy(values, all, sizeof all);
}

static void add_models(struct page *page, const struct metrics_model *models, size_t n_models)
{
    for (size_t i = 0; i < MODEL_FACTS; i++) {
        const char *name = model_facts[i].name;
        add(page, "# HELP kodama_%s %s\n# TYPE kodama_%s %s\n", name, model_facts[i].help, name,
            model_facts[i].type);
        for (size_t k = 0; k < n_models; k++) {
            double values[MODEL_FACTS];
            read_model(&models[k].stats, values);
            add(page, "kodama_%s{role=\"%s\"} %.15g\n", name, models[k].role, values[i]);
        }
    }
}

static void add_voices(struct page *page, struct metrics *m)
{
    double audio_s = (double)METRICS_GET(m->voice_audio_ns) / 1e9;
    double worked_s = (double)METRICS_GET(m->voice_ns) / 1e9;
    add_value(page, "voices", "gauge", "Voices being changed", METRICS_GET(m->voices));
    add_value(page, "voice_audio_seconds_total", "counter", "Audio changed", audio_s);
    add_value(page, "voice_work_seconds_total", "counter", "Time that this took", worked_s);
    add_value(page, "voice_real_time_factor", "gauge", "Time for a second of changed audio",
              audio_s > 0 ? worked_s / audio_s : 0);
    add_value(page, "voice_faults_total", "counter", "Failures that silence was put in place of",
              (double)METRICS_GET(m->voice_faults));
    add_value(page, "conversions_total", "counter", "Files and chunks changed over HTTP",
              (double)METRICS_GET(m->conversions));
    add_histogram(page, "voice_latency_seconds",
                  "From a voice's audio to its answer, without the chain's own latency",
                  &m->voice_latency);
}

char *metrics_text(struct metrics *m, const struct metrics_model *models, size_t n_models,
                   uint64_t uptime_ns, uint32_t n_workers)
{
    struct page page = {.text = malloc(TEXT_BYTES)};
    if (!page.text) return NULL;
    page.text[0] = '\0';
    add_value(&page, "uptime_seconds", "gauge", "Since the start", (double)uptime_ns / 1e9);
    add_value(&page, "sessions", "gauge", "Sessions in progress", METRICS_GET(m->sessions));
    add_value(&page, "connections", "gauge", "Open WebSockets", METRICS_GET(m->connections));
    add_value(&page, "connections_paused", "gauge", "Sockets not read, their session being full",
              METRICS_GET(m->paused));
    add_value(&page, "uploads", "gauge", "Files being received or transcribed",
              METRICS_GET(m->uploads));
    add_value(&page, "lag_seconds", "gauge",
              "Longest audio that a session has received and not heard",
              METRICS_GET(m->lag_ms) / 1e3);
    add_value(&page, "audio_queued_seconds", "gauge",
              "Audio that all sessions have received and not heard",
              METRICS_GET(m->queued_ms) / 1e3);
    add_value(&page, "sessions_waiting", "gauge", "Sessions that wait for a worker",
              METRICS_GET(m->waiting));
    add_value(&page, "sessions_total", "counter", "Sessions opened",
              (double)METRICS_GET(m->sessions_opened));
    add_value(&page, "resumes_total", "counter", "Sessions taken up again",
              (double)METRICS_GET(m->resumes));
    add_value(&page, "audio_seconds_total", "counter", "Audio heard",
              (double)METRICS_GET(m->audio_ns) / 1e9);
    add_value(&page, "samples_total", "counter", "Frames heard, at their clients' rates",
              (double)METRICS_GET(m->samples));
    add_value(&page, "finals_total", "counter", "Finals made", (double)METRICS_GET(m->finals));
    add_value(&page, "partials_total", "counter", "Partials made",
              (double)METRICS_GET(m->partials));
    add_value(&page, "partials_shed_total", "counter", "Partials not sent, being overtaken",
              (double)METRICS_GET(m->partials_shed));
    add_value(&page, "pauses_total", "counter", "Times that a socket was not read",
              (double)METRICS_GET(m->pauses));
    add_value(&page, "workers", "gauge", "Threads that hear audio", n_workers);
    add_value(&page, "worker_seconds_total", "counter", "Time that sessions held workers",
              (double)METRICS_GET(m->worker_ns) / 1e9);
    add_value(&page, "longest_slice_seconds", "gauge", "Longest time that a session held a worker",
              (double)METRICS_GET(m->longest_slice_ns) / 1e9);
    add_histogram(&page, "partial_latency_seconds", "Audio heard since what a partial was made of",
                  &m->partial_latency);
    add_histogram(&page, "final_latency_seconds", "From the end of an utterance to its final",
                  &m->final_latency);
    add_voices(&page, m);
    add_refusals(&page, m);
    add_errors(&page, m);
    add_models(&page, models, n_models);
    return page.text;
}
