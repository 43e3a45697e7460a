#define _GNU_SOURCE
/* Tests of what a running voice asks of the system: nothing. Every allocation is counted, and every
 * system call ends the process that makes it. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include <kodama/voice.h>

/* The sanitizers allocate and call as they like. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define WATCHED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WATCHED 0
#endif
#endif
#if !defined(WATCHED)
#define WATCHED 1
#endif

enum { MOST = 4800 };

/* A thing to do to a voice while it runs; in, out: MOST frames of any format. */
typedef void (*voice_step)(struct kodama_voice *voice, const void *in, void *out);

static void process_some(struct kodama_voice *voice, const void *in, void *out)
{
    static const size_t blocks[] = {1, 64, 480, MOST};
    for (size_t i = 0; i < 4; i++) {
        if (kodama_voice_process(voice, in, blocks[i], out, MOST) < 0) abort();
    }
    if (kodama_voice_process(voice, NULL, 480, out, MOST) < 0) abort();
}

static void end_and_begin_again(struct kodama_voice *voice, const void *in, void *out)
{
    (void)in;
    struct kodama_voice_stats stats;
    kodama_voice_stats(voice, &stats);
    if (kodama_voice_flush(voice, out, MOST) < 0) abort();
    kodama_voice_reset(voice);
}

/* A pulse train under noise, so that the tracker, the marks and the limiter have work. */
static void make_sound(float *samples, size_t n)
{
    struct test_random random = {.state = 3};
    for (size_t i = 0; i < n; i++)
        samples[i] = (i % 300 < 20 ? 0.9f : -0.1f) + 0.05f * test_random_float(&random);
}

/* Everything that a voice can be set to, with `watched` around what is done to it each time. */
static void run_everything(void (*watched)(voice_step, struct kodama_voice *, const void *, void *))
{
    static const struct kodama_format formats[][2] = {
        {{KODAMA_SAMPLE_F32, 48000, 1, 0}, {KODAMA_SAMPLE_F32, 48000, 1, 0}},
        {{KODAMA_SAMPLE_S16, 44100, 2, 0}, {KODAMA_SAMPLE_S24, 16000, 1, 0}},
    };
    static float in[2 * MOST], out[2 * MOST];
    make_sound(in, 2 * MOST);
    for (size_t f = 0; f < 2; f++) {
        struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
        config.input = formats[f][0];
        config.output = formats[f][1];
        struct kodama_voice *voice;
        if (kodama_voice_open(&voice, &config, NULL) < 0) abort();
        for (size_t p = 0; kodama_voice_preset_name(p); p++) {
            struct kodama_voice_settings settings = config.settings;
            (void)kodama_voice_preset(kodama_voice_preset_name(p), &settings);
            settings.noise = kodama_voice_noise_name(p);
            settings.noise_level = 1.0f;
            settings.gain = 12.0f;
            settings.bypass = p == 1;
            if (kodama_voice_set(voice, &settings) < 0) abort();
            for (int i = 0; i < 3; i++) watched(process_some, voice, in, out);
            watched(end_and_begin_again, voice, in, out);
        }
        kodama_voice_close(voice);
    }
}

/* ---- memory ---- */

static size_t n_allocations;
static bool counting;

#if WATCHED
/* glibc's own, behind those that are replaced here. */
extern void *__libc_malloc(size_t n_bytes);
extern void *__libc_calloc(size_t n, size_t n_bytes);
extern void *__libc_realloc(void *old, size_t n_bytes);
extern void *__libc_memalign(size_t alignment, size_t n_bytes);
extern void __libc_free(void *old);

void *malloc(size_t n_bytes)
{
    n_allocations += counting;
    return __libc_malloc(n_bytes);
}

void *calloc(size_t n, size_t n_bytes)
{
    n_allocations += counting;
    return __libc_calloc(n, n_bytes);
}

void *realloc(void *old, size_t n_bytes)
{
    n_allocations += counting;
    return __libc_realloc(old, n_bytes);
}

void *aligned_alloc(size_t alignment, size_t n_bytes)
{
    n_allocations += counting;
    return __libc_memalign(alignment, n_bytes);
}

void free(void *old)
{
    n_allocations += counting && old;
    __libc_free(old);
}
#endif

static void count(voice_step step, struct kodama_voice *voice, const void *in, void *out)
{
    counting = true;
    step(voice, in, out);
    counting = false;
}

static void a_running_voice_neither_takes_nor_gives_back_memory(void **state)
{
    (void)state;
    if (!WATCHED) skip();
    /* That what is counted is counted: the library's own calls, too. */
    struct kodama_voice *voice;
    counting = true;
    int status = kodama_voice_open(&voice, NULL, NULL);
    counting = false;
    assert_int_equal(status, KODAMA_OK);
    assert_true(n_allocations > 10);
    kodama_voice_close(voice);
    n_allocations = 0;
    run_everything(count);
    assert_int_equal(n_allocations, 0);
}

/* ---- system calls ---- */

#if WATCHED
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OF(field) ((unsigned)offsetof(struct seccomp_data, field))
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OF(field))
#define UNLESS(value, skipped) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(value), 0, skipped)
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, action)

enum { FORBIDDEN_NOT = 77 }; /* exit code: this system forbids nothing */

/* From now on every system call ends this process, but for its end, and for the monotonic clock,
 * which is none where the kernel lets it be read without one. */
static bool forbid_calls(void)
{
    static struct sock_filter steps[] = {
        LOAD(nr),
        UNLESS(SYS_exit_group, 1),
        ANSWER(SECCOMP_RET_ALLOW),
        UNLESS(SYS_clock_gettime, 3),
        LOAD(args[0]),
        UNLESS(CLOCK_MONOTONIC, 1),
        ANSWER(SECCOMP_RET_ALLOW),
        ANSWER(SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {.len = sizeof steps / sizeof steps[0], .filter = steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Whether a step ends as it should in a process that may not call. */
static bool passes(voice_step step, struct kodama_voice *voice, const void *in, void *out)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_DUMPABLE, 0); /* no core file */
        if (!forbid_calls()) _exit(FORBIDDEN_NOT);
        step(voice, in, out);
        _exit(0);
    }
    int ended;
    assert_int_equal(waitpid(child, &ended, 0), child);
    if (WIFEXITED(ended) && WEXITSTATUS(ended) == FORBIDDEN_NOT) skip();
    return WIFEXITED(ended) && WEXITSTATUS(ended) == 0;
}

static void forbid(voice_step step, struct kodama_voice *voice, const void *in, void *out)
{
    assert_true(passes(step, voice, in, out));
    step(voice, in, out);
}

/* What must not pass. */
static void ask_for_processor_time(struct kodama_voice *voice, const void *in, void *out)
{
    (void)voice, (void)in, (void)out;
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
}
#endif

static void a_running_voice_makes_no_system_call(void **state)
{
    (void)state;
#if WATCHED
    assert_false(passes(ask_for_processor_time, NULL, NULL, NULL));
    run_everything(forbid);
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_running_voice_neither_takes_nor_gives_back_memory),
        cmocka_unit_test(a_running_voice_makes_no_system_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
