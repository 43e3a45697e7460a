/*
 * Live detectors on few threads: what one costs, how late results are, how many hold real time.
 * Measures and prints; asserts nothing.
 *
 *     bench_detector_pool [SEATS [SECONDS]]
 *
 * Every seat is given one window's worth of samples as often as a microphone would; the seats'
 * turns are spread over the window. The delay is from the moment at which a window was due to its
 * result. With Silero's model (KODAMA_SILERO_MODEL) the number of seats is raised until the machine
 * does not keep up.
 */
#include <kodama/kodama.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "help.h"

enum { RATE_HZ = 16000, DELAY_BUCKETS = 12000, BUCKET_NS = 25000, STAMPS = 64 };

struct bench {
    uint32_t n_seats;
    uint64_t start_ns;
    uint32_t window;
    _Atomic uint64_t delays[DELAY_BUCKETS];
    _Atomic uint64_t n_results;
    _Atomic uint64_t most_ns;
};

struct listener {
    struct bench *bench;
    struct kodama_detector_seat *seat;
    _Atomic uint64_t written_ns[STAMPS]; /* of the newest windows */
};

static uint64_t due_ns(const struct bench *bench, uint32_t number, uint64_t window)
{
    uint64_t window_ns = (uint64_t)bench->window * CLOCK_NS_PER_S / RATE_HZ;
    return bench->start_ns + window * window_ns + window_ns * number / bench->n_seats;
}

static void on_result(void *user, const struct kodama_detector_result *result)
{
    struct listener *listener = user;
    struct bench *bench = listener->bench;
    uint64_t written = listener->written_ns[result->begin / bench->window % STAMPS];
    uint64_t now = clock_now_ns(), delay = now > written ? now - written : 0;
    size_t bucket =
        delay / BUCKET_NS < DELAY_BUCKETS ? (size_t)(delay / BUCKET_NS) : DELAY_BUCKETS - 1;
    atomic_fetch_add_explicit(&bench->delays[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&bench->n_results, 1, memory_order_relaxed);
    uint64_t most = atomic_load(&bench->most_ns);
    while (delay > most && !atomic_compare_exchange_weak(&bench->most_ns, &most, delay)) continue;
}

static double delay_ms(const struct bench *bench, double part)
{
    uint64_t n = (uint64_t)((double)bench->n_results * part), sum = 0;
    for (size_t i = 0; i < DELAY_BUCKETS; i++) {
        sum += bench->delays[i];
        if (sum >= n) return (double)((i + 1) * BUCKET_NS) * 1e-6;
    }
    return (double)(DELAY_BUCKETS * (uint64_t)BUCKET_NS) * 1e-6;
}

/** What the writer's thread did. */
struct writing {
    uint64_t n_windows, n_refused, cpu_ns, late_most_ns;
    double spent_s;
};

/* As microphones would, for so long. */
static struct writing write_live(struct bench *bench, struct listener *listeners, double seconds)
{
    static float samples[RATE_HZ];
    uint32_t random = 1;
    for (size_t i = 0; i < RATE_HZ; i++) {
        random = random * 1664525u + 1013904223u;
        samples[i] = ((i / 4000) % 2 ? 0.2f : 0.01f) * ((float)(random >> 8) / 8388608.0f - 1.0f);
    }
    struct writing done = {0};
    uint64_t n = (uint64_t)(seconds * RATE_HZ) / bench->window;
    bench->start_ns = clock_now_ns() + 10 * CLOCK_NS_PER_MS;
    for (uint64_t w = 0; w < n; w++) {
        for (uint32_t i = 0; i < bench->n_seats; i++) {
            uint64_t due = due_ns(bench, i, w), now = clock_now_ns();
            if (due > now) clock_sleep_until(due + CLOCK_NS_PER_MS);
            if (now > due && now - due > done.late_most_ns) done.late_most_ns = now - due;
            listeners[i].written_ns[w % STAMPS] = due > now ? clock_now_ns() : now;
            uint64_t begin = clock_thread_cpu_ns();
            const float *from = samples + (w + i) * bench->window % (RATE_HZ - bench->window);
            int64_t taken = kodama_detector_seat_write(listeners[i].seat, from, bench->window, 0);
            done.cpu_ns += clock_thread_cpu_ns() - begin;
            done.n_windows++;
            done.n_refused += taken != (int64_t)bench->window;
        }
    }
    done.spent_s = (double)(clock_now_ns() - bench->start_ns) * 1e-9;
    return done;
}

static bool report(const char *name, const struct bench *bench, const struct writing *done,
                   const struct kodama_detector_pool_stats *stats, uint64_t bytes)
{
    bool held = done->n_refused == 0 && delay_ms(bench, 0.99) <= 100.0;
    double cpu_ns = (double)(stats->busy_ns + done->cpu_ns);
    double part = 100e-9 * cpu_ns / done->spent_s;
    printf("%s: %u live seats, %u threads, %.1f s: %.2f us a window, %.2f us to write it; %.1f %% "
           "of one core for all, %.4f %% each\n",
           name, bench->n_seats, stats->n_threads, done->spent_s,
           (double)stats->busy_ns * 1e-3 / (double)stats->windows,
           (double)done->cpu_ns * 1e-3 / (double)done->n_windows, part, part / bench->n_seats);
    printf("  results late by %.2f ms (half), %.2f ms (99 of 100), %.2f ms (most); %llu windows "
           "refused; writer late by %.1f ms at most; %.1f KiB a seat: %s\n",
           delay_ms(bench, 0.5), delay_ms(bench, 0.99), (double)bench->most_ns * 1e-6,
           (unsigned long long)done->n_refused, (double)done->late_most_ns * 1e-6,
           (double)bytes / 1024.0 / bench->n_seats,
           held ? "real time is held" : "real time is not held");
    fflush(stdout);
    return held;
}

/* Returns whether real time was held: no window was refused, and 99 of 100 results came within
 * 100 ms. */
static bool run(const char *name, uint32_t n_seats, double seconds)
{
    static struct bench bench;
    struct kodama_detector_config detector = KODAMA_DETECTOR_CONFIG_INIT;
    struct kodama_detector_pool_config config = KODAMA_DETECTOR_POOL_CONFIG_INIT;
    struct kodama_detector_pool_stats stats;
    struct kodama_detector_pool *pool;
    struct kodama_error error = {0};
    memset(&bench, 0, sizeof bench);
    detector.name = name;
    config.detector = &detector;
    struct listener *listeners = memory_array(n_seats, sizeof *listeners);
    if (!listeners || kodama_detector_pool_open(&pool, &config, &error) < 0) {
        printf("%s: left out: %s\n", name, error.message);
        free(listeners);
        return false;
    }
    uint64_t before_bytes = memory_proportional_bytes();
    bench.window = kodama_detector_pool_window(pool);
    bench.n_seats = n_seats;
    for (uint32_t i = 0; i < n_seats; i++) {
        struct kodama_detector_seat_config seat = KODAMA_DETECTOR_SEAT_CONFIG_INIT;
        listeners[i].bench = &bench;
        seat.on_result = on_result;
        seat.user = &listeners[i];
        if (kodama_detector_seat_take(&listeners[i].seat, pool, &seat, &error) < 0) {
            fprintf(stderr, "%s\n", error.message);
            exit(1);
        }
    }
    uint64_t bytes = memory_proportional_bytes() - before_bytes;
    struct writing done = write_live(&bench, listeners, seconds);
    for (uint32_t i = 0; i < n_seats; i++) {
        (void)kodama_detector_seat_drain(listeners[i].seat, KODAMA_FOREVER);
        kodama_detector_seat_leave(listeners[i].seat);
    }
    kodama_detector_pool_stats(pool, &stats);
    bool held = report(name, &bench, &done, &stats, bytes);
    kodama_detector_pool_close(pool);
    free(listeners);
    return held;
}

static const char page[] =
    "usage: bench_detector_pool [SEATS [SECONDS]]\n"
    "\n"
    "Live detectors on few threads: what one costs, how late results are, how many hold real\n"
    "time, with the detector builtin and, where its model is, silero. Measures and prints;\n"
    "asserts nothing.\n"
    "\n"
    "  SEATS              detectors at a time; 1000 when not given\n"
    "  SECONDS            how long; 5 when not given\n";

int main(int argc, char **argv)
{
    int code = bench_answer(argc, argv, "", page);
    if (code >= 0) return code;
    uint32_t n_seats = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000;
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 5.0;
    if (n_seats == 0 || !(seconds > 0.0)) return bench_usage(page);
    run("builtin", n_seats, seconds);
    uint32_t step = 50, most = 0;
    struct kodama_detector_config silero = KODAMA_DETECTOR_CONFIG_INIT;
    char about[500];
    silero.name = "silero";
    if (kodama_detector_probe(&silero, about, sizeof about) < 0) {
        printf("silero: left out: %s\n", about);
        return 0;
    }
    for (uint32_t n = step; n <= 4000 && run("silero", n, seconds); n += step) most = n;
    printf("silero: up to %u seats hold real time (in steps of %u)\n", most, step);
    return 0;
}
