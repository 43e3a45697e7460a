/*
 * Callbacks with priorities: three listen to one stream, one of them breaks, one leaves early; then
 * the statistics of each and of the stream.
 *
 *     cc stream_callbacks.c $(pkg-config --cflags --libs kodama) -o stream_callbacks
 *     ./stream_callbacks            two seconds of a tone, in real time
 */
#include <stdio.h>

#include <kodama/kodama.h>

struct listener {
    struct kodama_stream *stream;
    int id;
    float peak;
};

/* First, as its priority is the highest. */
static int guard(void *user, const struct kodama_chunk *chunk)
{
    (void)user;
    if (chunk->lost > 0) printf("lost %llu frames\n", (unsigned long long)chunk->lost);
    return KODAMA_OK;
}

/* Looks at one second and then disables itself. */
static int measure(void *user, const struct kodama_chunk *chunk)
{
    struct listener *listener = user;
    const float *samples = chunk->frames;
    for (uint32_t i = 0; i < chunk->n_frames; i++) {
        if (samples[i] > listener->peak) listener->peak = samples[i];
    }
    if (chunk->position < 48000) return KODAMA_OK;
    printf("the first second has a peak of %.2f\n", (double)listener->peak);
    return kodama_stream_disable(listener->stream, listener->id);
}

/* Fails again and again: it is disabled, the others go on. */
static int broken(void *user, const struct kodama_chunk *chunk)
{
    (void)user;
    return chunk->position < 24000 ? KODAMA_OK : KODAMA_ERR_IO;
}

static void on_event(void *user, const struct kodama_stream_event *event)
{
    (void)user;
    printf("event %s%s: %s\n", kodama_stream_event_name(event->kind), event->over ? ", over" : "",
           event->text);
}

static int add(struct kodama_stream *stream, const char *name, int priority,
               kodama_chunk_function on_chunk, void *user, struct kodama_error *error)
{
    struct kodama_callback_config config = KODAMA_CALLBACK_CONFIG_INIT;
    config.name = name;
    config.priority = priority;
    config.on_chunk = on_chunk;
    config.user = user;
    return kodama_stream_add(stream, &config, error);
}

static void show(const struct kodama_stream *stream)
{
    int ids[8];
    int n = kodama_stream_callbacks(stream, ids, 8);
    for (int i = 0; i < n; i++) {
        struct kodama_callback_stats one;
        if (kodama_stream_callback_stats(stream, ids[i], &one) < 0 || one.calls == 0) continue;
        printf("%-8s priority %3d: %3llu calls, %llu failed, mean %.1f us, max %.1f us%s\n",
               one.name, one.priority, (unsigned long long)one.calls,
               (unsigned long long)one.failures, (double)one.total_ns / (double)one.calls / 1e3,
               (double)one.max_ns / 1e3, one.enabled ? "" : ", disabled");
    }
    struct kodama_stream_stats stats;
    kodama_stream_stats(stream, &stats);
    printf("%llu chunks, %llu frames, %llu lost, %llu wake-ups; written to called: "
           "p50 %.0f us, p99 %.0f us, max %.0f us\n",
           (unsigned long long)stats.chunks, (unsigned long long)stats.frames,
           (unsigned long long)stats.lost_frames, (unsigned long long)stats.wakeups,
           (double)stats.latency_p50_ns / 1e3, (double)stats.latency_p99_ns / 1e3,
           (double)stats.latency_max_ns / 1e3);
}

int main(void)
{
    struct kodama_error error = {0};
    struct kodama_source_config tone = KODAMA_SOURCE_CONFIG_INIT;
    tone.length_frames = 2 * 48000;
    tone.paced = true;
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.on_event = on_event;
    struct kodama_source *source;
    struct kodama_stream *stream = NULL;
    int status = kodama_source_open(&source, "tone", &tone, &error);
    if (status >= 0) {
        status = kodama_stream_open(&stream, source, &config, &error);
        if (status < 0) kodama_source_close(source);
    }
    struct listener listener = {.stream = stream};
    if (status >= 0) status = add(stream, "broken", -10, broken, NULL, &error);
    if (status >= 0) status = listener.id = add(stream, "measure", 0, measure, &listener, &error);
    if (status >= 0) status = add(stream, "guard", 10, guard, NULL, &error);
    if (status >= 0) status = kodama_stream_start(stream, &error);
    if (status >= 0) status = kodama_stream_wait(stream, KODAMA_FOREVER, &error);
    if (status >= 0) show(stream);
    kodama_stream_close(stream);
    if (status >= 0) return 0;
    fprintf(stderr, "%s\n", error.message);
    return 1;
}
