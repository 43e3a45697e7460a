/*
 * How fast the ring is beside the rings that people use: `ring [--json] [--rounds N] [--quick]`.
 *
 * A writer pinned to one core writes blocks of 64, 640 and 3840 bytes; a reader pinned to another
 * takes them, in blocks of the same size ("copying") or 256 KiB at a time ("in batches").
 * "One thread" fills 16 KiB in blocks and drains them at once on a single core: what the code costs
 * without moving cache lines between cores, which depends on where a virtual machine's cores are.
 * All rings hold 1 MiB. Rounds of all contenders are interleaved, so that a change of the machine's
 * mood meets everybody; what is printed is the median over the rounds, of wall time per write from
 * the first write to the last read. memcpy is one copy of the block into 1 MiB, alone.
 *
 * This ring has waking enabled: its reader waits for frames (spinning 50 us before it parks) and
 * its writer looks after each write whether somebody sleeps. The mutex wakes through its condition.
 * JACK, SPA and Boost have no waking; their readers spin, which costs their writers nothing.
 */
#define _GNU_SOURCE /* pthread_setaffinity_np */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/ring.h>

#include "base/clock.h"
#include "help.h"
#include "ring_others.h"

enum {
    ROUNDS_MAX = 101,
    CONTENDERS_MAX = 40,
    CURSORS_MAX = 16,
    WAKES = 2000,
    ALONE_BYTES = 1 << 14
};

static const size_t SIZES[] = {64, 640, 3840};
enum { N_SIZES = sizeof SIZES / sizeof SIZES[0] };

static void die(const char *what)
{
    fprintf(stderr, "bench/ring: %s\n", what);
    exit(1);
}

static cpu_set_t allowed; /* as the program was started */

static cpu_set_t core(int index)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &allowed) && index-- == 0) CPU_SET(cpu, &one);
    }
    return one;
}

/* The reader begins on its own core: where real-time priorities are used it could not get there. */
static pthread_t start_reader(void *(*run)(void *), void *argument)
{
    pthread_t thread;
    pthread_attr_t attributes;
    cpu_set_t second = core(1);
    pthread_attr_init(&attributes);
    pthread_attr_setaffinity_np(&attributes, sizeof second, &second);
    if (pthread_create(&thread, &attributes, run, argument) != 0) die("cannot start a thread");
    pthread_attr_destroy(&attributes);
    return thread;
}

/* ------------------------------------------------------------------- this ring */

struct own {
    struct kodama_ring *ring;
    struct kodama_writer writer;
    struct kodama_cursor *cursors[CURSORS_MAX];
    struct kodama_cursor *cursor; /* the first */
    int n_cursors;
};

static void *own_create_for(int n_readers, bool lossless, uint64_t capacity)
{
    struct own *own = calloc(1, sizeof *own);
    struct kodama_ring_config config = KODAMA_RING_CONFIG_INIT;
    struct kodama_cursor_config reader = KODAMA_CURSOR_CONFIG_INIT;
    config.format = (struct kodama_format){KODAMA_SAMPLE_F32, 48000, 2, 0};
    config.capacity_frames = capacity;
    config.prefault = true;
    reader.lossless = lossless;
    reader.spin_ns = 50000;
    reader.watermark_frames = BENCH_BATCH / BENCH_FRAME; /* or the whole of a smaller read */
    if (!own || kodama_ring_create(&own->ring, &config, NULL) < 0) die("cannot create a ring");
    if (kodama_writer_claim(&own->writer, own->ring) < 0) die("cannot claim the writer");
    for (own->n_cursors = 0; own->n_cursors < n_readers; own->n_cursors++) {
        if (kodama_cursor_open(&own->cursors[own->n_cursors], own->ring, &reader) < 0) {
            die("cannot open a cursor");
        }
    }
    own->cursor = own->cursors[0];
    return own;
}

static void *own_create(int n_readers)
{
    return own_create_for(n_readers, true, BENCH_CAPACITY / BENCH_FRAME);
}

static void own_destroy(void *context)
{
    struct own *own = context;
    for (int i = 0; i < own->n_cursors; i++) kodama_cursor_close(own->cursors[i]);
    kodama_writer_release(&own->writer);
    kodama_ring_destroy(own->ring);
    free(own);
}

static inline size_t moved(int64_t result)
{
    return result > 0 ? (size_t)result * BENCH_FRAME : 0;
}

BENCH_LOOPS(own, struct own,
            moved(kodama_writer_write(&ring->writer, from, n / BENCH_FRAME, KODAMA_FOREVER)),
            moved(kodama_cursor_read(ring->cursor, to, n / BENCH_FRAME, KODAMA_FOREVER, NULL)))

/* All cursors on the one thread, a block of each in turn. */
static void own_read_many(void *context, uint8_t *to, size_t max_bytes, uint64_t n_bytes_total)
{
    struct own *own = context;
    while (n_bytes_total > 0) {
        for (int i = 0; i < own->n_cursors; i++) {
            for (size_t got = 0; got < max_bytes;) {
                got += moved(kodama_cursor_read(
                    own->cursors[i], to, (max_bytes - got) / BENCH_FRAME, KODAMA_FOREVER, NULL));
            }
        }
        n_bytes_total -= max_bytes;
    }
}

/* The writer fills the ring's own memory; the reader looks at every line of it. */
static void own_write_in_place(void *context, const uint8_t *block, size_t n_bytes,
                               uint64_t n_writes)
{
    struct own *own = context;
    void *place;
    for (uint64_t i = 0; i < n_writes; i++) {
        unsigned n_pauses = 1;
        while (kodama_writer_reserve(&own->writer, n_bytes / BENCH_FRAME, &place) < 0) {
            bench_relax(&n_pauses);
        }
        memcpy(place, block, n_bytes);
        if (kodama_writer_commit(&own->writer, n_bytes / BENCH_FRAME) < 0) die("cannot commit");
    }
}

static void own_read_in_place(void *context, uint8_t *to, size_t max_bytes, uint64_t n_bytes_total)
{
    struct own *own = context;
    uint64_t sum = 0;
    while (n_bytes_total > 0) {
        const void *frames;
        int64_t n = kodama_cursor_acquire(own->cursor, max_bytes / BENCH_FRAME, KODAMA_FOREVER,
                                          &frames, NULL);
        if (n < 0) die("cannot acquire");
        const uint64_t *words = frames;
        for (size_t i = 0; i < max_bytes / 8; i += 8) sum += words[i];
        if (kodama_cursor_release(own->cursor, (size_t)n) < 0) die("cannot release");
        n_bytes_total -= max_bytes;
    }
    memcpy(to, &sum, sizeof sum);
}

/* ------------------------------------------------------------------ throughput */

struct entry {
    struct contender who;
    enum mode { BLOCKS, BATCHES, ALONE } mode;
    double ns[N_SIZES][ROUNDS_MAX];
};

static struct entry entries[CONTENDERS_MAX];
static int n_entries;

struct reading {
    const struct contender *who;
    void *context;
    size_t max_bytes;
    uint64_t n_bytes;
    _Atomic bool ready;
};

static void *read_thread(void *argument)
{
    struct reading *reading = argument;
    static uint8_t to[BENCH_BATCH];
    atomic_store(&reading->ready, true);
    reading->who->read(reading->context, to, reading->max_bytes, reading->n_bytes);
    return NULL;
}

static uint8_t block[4096];

/* One thread, which fills 16 KiB and drains them at once: what the code costs by itself, without
 * the cost of moving cache lines from core to core. */
static double measure_alone(const struct entry *entry, size_t n_bytes, uint64_t n_writes)
{
    static uint8_t to[BENCH_BATCH];
    void *context = entry->who.create(1);
    if (!context) die("out of memory");
    uint64_t n_turn = ALONE_BYTES / n_bytes, n_turns = n_writes / n_turn;
    uint64_t start = clock_now_ns();
    for (uint64_t turn = 0; turn < n_turns; turn++) {
        entry->who.write(context, block, n_bytes, n_turn);
        entry->who.read(context, to, n_turn * n_bytes, n_turn * n_bytes);
    }
    uint64_t end = clock_now_ns();
    entry->who.destroy(context);
    return (double)(end - start) / (double)(n_turns * n_turn);
}

static double measure(const struct entry *entry, size_t n_bytes, uint64_t n_writes)
{
    if (entry->mode == ALONE) return measure_alone(entry, n_bytes, n_writes);
    struct reading reading = {.who = &entry->who,
                              .context = entry->who.create(entry->who.n_readers),
                              .max_bytes = entry->mode == BATCHES ? BENCH_BATCH : n_bytes,
                              .n_bytes = n_bytes * n_writes};
    if (!reading.context) die("out of memory");
    pthread_t thread = start_reader(read_thread, &reading);
    while (!atomic_load(&reading.ready)) sched_yield();
    uint64_t start = clock_now_ns();
    entry->who.write(reading.context, block, n_bytes, n_writes);
    pthread_join(thread, NULL);
    uint64_t end = clock_now_ns();
    entry->who.destroy(reading.context);
    return (double)(end - start) / (double)n_writes;
}

static void add(struct contender who, const char *name, const char *group, enum mode mode)
{
    if (n_entries == CONTENDERS_MAX) die("too many contenders");
    if (name) who.name = name;
    who.group = group;
    entries[n_entries++] = (struct entry){.who = who, .mode = mode};
}

static void add_everybody(void)
{
    struct contender own = {"kodama_ring", "",          "futex",   1,
                            own_create,    own_destroy, own_write, own_read};
    struct contender in_place = own, many = own;
    in_place.write = own_write_in_place;
    in_place.read = own_read_in_place;
    many.read = own_read_many;
    add(bench_memcpy, NULL, "baseline", ALONE);
    static const char *const groups[] = {"copying", "in batches", "one thread, in batches"};
    for (enum mode mode = BLOCKS; mode <= ALONE; mode++) {
        const char *group = groups[mode];
        add(own, NULL, group, mode);
#if HAVE_JACK
        add(bench_jack, NULL, group, mode);
#endif
#if HAVE_SPA
        add(bench_spa, NULL, group, mode);
#endif
#if HAVE_BOOST
        add(bench_boost, NULL, group, mode);
#endif
        add(bench_mutex, NULL, group, mode);
    }
    add(in_place, "kodama_ring, in place", "in place", BLOCKS);
    many.n_readers = 1;
    add(many, "kodama_ring, 1 cursor", "cursors", BLOCKS);
    many.n_readers = 4;
    add(many, "kodama_ring, 4 cursors", "cursors", BLOCKS);
    many.n_readers = 16;
    add(many, "kodama_ring, 16 cursors", "cursors", BLOCKS);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare);
    return values[n / 2];
}

/* ---------------------------------------------------------------- wake latency */

struct waking {
    void *context;
    void (*take)(void *context); /* wait for one frame */
    double *ns;
    _Atomic uint64_t sent_ns;
    _Atomic int n_done;
};

static void *wake_thread(void *argument)
{
    struct waking *waking = argument;
    for (int i = 0; i < WAKES; i++) {
        waking->take(waking->context);
        waking->ns[i] = (double)(clock_now_ns() - atomic_load(&waking->sent_ns));
        atomic_store(&waking->n_done, i + 1);
    }
    return NULL;
}

static void own_take(void *context)
{
    struct own *own = context;
    uint64_t frame;
    if (kodama_cursor_read(own->cursor, &frame, 1, KODAMA_FOREVER, NULL) != 1) die("cannot read");
}

static void own_take_polled(void *context)
{
    struct own *own = context;
    struct kodama_waitable waitable;
    uint64_t frame;
    if (kodama_cursor_waitable(own->cursor, &waitable) < 0) die("no waitable");
    do {
        if (kodama_waitable_wait(waitable, KODAMA_FOREVER) < 0) die("cannot wait");
    } while (kodama_cursor_read(own->cursor, &frame, 1, 0, NULL) < 1);
}

static void own_give(void *context)
{
    struct own *own = context;
    uint64_t frame = 1;
    if (kodama_writer_write(&own->writer, &frame, 1, 0) != 1) die("cannot write");
}

static void locked_take(void *context)
{
    uint8_t frame[8];
    bench_locked_read(context, frame, sizeof frame);
}

static void locked_give(void *context)
{
    static const uint8_t frame[8];
    bench_locked_write(context, frame, sizeof frame);
}

static void *own_create_parking(int n_readers)
{
    struct own *own = own_create(0);
    (void)n_readers;
    if (kodama_cursor_open(&own->cursors[0], own->ring, NULL) < 0) die("cannot open a cursor");
    own->n_cursors = 1;
    own->cursor = own->cursors[0];
    return own;
}

static const struct latency {
    const char *name;
    void *(*create)(int n_readers);
    void (*destroy)(void *context);
    void (*take)(void *context);
    void (*give)(void *context);
} LATENCIES[] = {
    {"kodama_ring, parked reader", own_create_parking, own_destroy, own_take, own_give},
    {"kodama_ring, waitable", own_create_parking, own_destroy, own_take_polled, own_give},
    {"mutex + condition", NULL, NULL, locked_take, locked_give},
};
enum { N_LATENCIES = sizeof LATENCIES / sizeof LATENCIES[0] };

static void measure_wake(const struct latency *latency, double *p50, double *p99)
{
    static double ns[WAKES];
    void *(*create)(int) = latency->create ? latency->create : bench_mutex.create;
    void (*destroy)(void *) = latency->destroy ? latency->destroy : bench_mutex.destroy;
    struct waking waking = {.context = create(1), .take = latency->take, .ns = ns};
    if (!waking.context) die("out of memory");
    pthread_t thread = start_reader(wake_thread, &waking);
    for (int i = 0; i < WAKES; i++) {
        /* Long enough for the reader to fall asleep. */
        clock_sleep_until(clock_now_ns() + 200000);
        atomic_store(&waking.sent_ns, clock_now_ns());
        latency->give(waking.context);
        while (atomic_load(&waking.n_done) != i + 1) sched_yield();
    }
    pthread_join(thread, NULL);
    destroy(waking.context);
    qsort(ns, WAKES, sizeof ns[0], compare);
    *p50 = ns[WAKES / 2];
    *p99 = ns[WAKES * 99 / 100];
}

/* -------------------------------------------------------------------- printing */

static void print_throughput(bool json, int n_rounds)
{
    double base[N_SIZES];
    for (int s = 0; s < N_SIZES; s++) base[s] = median(entries[0].ns[s], n_rounds);
    if (json)
        printf("{\"capacity_bytes\":%d,\"rounds\":%d,\"throughput\":[", BENCH_CAPACITY, n_rounds);
    for (int e = 0; e < n_entries; e++) {
        const struct contender *who = &entries[e].who;
        bool new_group = e == 0 || strcmp(who->group, entries[e - 1].who.group) != 0;
        if (!json && new_group) {
            printf("\n%-30s %-12s", who->group, "waking");
            for (int s = 0; s < N_SIZES; s++) printf("  %5zu B: ns  x memcpy", SIZES[s]);
            printf("\n");
        }
        if (!json) printf("  %-28s %-12s", who->name, who->waking);
        for (int s = 0; s < N_SIZES; s++) {
            double ns = median(entries[e].ns[s], n_rounds);
            if (json) {
                printf("%s{\"name\":\"%s\",\"group\":\"%s\",\"waking\":\"%s\",\"bytes\":%zu,"
                       "\"ns_per_write\":%.2f,\"ratio\":%.3f}",
                       e + s > 0 ? "," : "", who->name, who->group, who->waking, SIZES[s], ns,
                       ns / base[s]);
            } else {
                printf("  %11.1f %9.2f", ns, ns / base[s]);
            }
        }
        if (!json) printf("\n");
    }
    if (json) printf("],");
}

static void print_wakes(bool json)
{
    if (json)
        printf("\"wake\":[");
    else
        printf("\nwake latency, reader asleep        p50 us   p99 us\n");
    for (int i = 0; i < N_LATENCIES; i++) {
        double p50, p99;
        measure_wake(&LATENCIES[i], &p50, &p99);
        if (json) {
            printf("%s{\"name\":\"%s\",\"p50_us\":%.2f,\"p99_us\":%.2f}", i ? "," : "",
                   LATENCIES[i].name, p50 / 1e3, p99 / 1e3);
        } else {
            printf("  %-30s %8.1f %8.1f\n", LATENCIES[i].name, p50 / 1e3, p99 / 1e3);
        }
    }
    if (json) printf("]}\n");
}

static const char page[] =
    "usage: bench_ring [--json] [--rounds 1..101] [--quick]\n"
    "\n"
    "How fast the ring is beside those of JACK, PipeWire and Boost and a mutex: nanoseconds\n"
    "per write between two cores and on one, and how long waking a reader takes. Measures and\n"
    "prints; asserts nothing.\n"
    "\n"
    "  --json             print JSON\n"
    "  --rounds N         of which the median is printed; 15 when not given\n"
    "  --quick            three rounds of an eighth\n";

int main(int argc, char **argv)
{
    int code = bench_answer(argc, argv, "--json --rounds --quick", page);
    if (code >= 0) return code;
    bool json = false;
    int n_rounds = 15;
    uint64_t n_bytes = UINT64_C(24) << 20;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--quick") == 0) {
            n_rounds = 3;
            n_bytes /= 8;
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            n_rounds = (int)strtol(argv[++i], NULL, 10);
        } else {
            return bench_usage(page);
        }
    }
    if (n_rounds < 1 || n_rounds > ROUNDS_MAX) die("rounds out of range");
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2) {
        die("needs two cores: contenders that spin would wait for each other");
    }
    cpu_set_t first = core(0);
    pthread_setaffinity_np(pthread_self(), sizeof first, &first);
    add_everybody();
    for (int round = 0; round < n_rounds; round++) {
        for (int s = 0; s < N_SIZES; s++) {
            uint64_t n = n_bytes / (SIZES[s] < 640 ? 4 : 1) / SIZES[s];
            for (int e = 0; e < n_entries; e++) {
                uint64_t share = n / (uint64_t)entries[e].who.n_readers;
                entries[e].ns[s][round] = measure(&entries[e], SIZES[s], share);
            }
        }
    }
    print_throughput(json, n_rounds);
    print_wakes(json);
    return 0;
}
