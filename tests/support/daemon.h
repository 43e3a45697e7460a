/*
 * A real sound daemon for a test: PipeWire or PulseAudio, private, headless, with one null sink,
 * started by tests/support/audio-host. A test program has one at a time, since the environment
 * that points to it belongs to the whole process.
 */
#ifndef TESTS_DAEMON_H
#define TESTS_DAEMON_H

#include <stdbool.h>
#include <sys/types.h>

enum daemon_kind { DAEMON_PIPEWIRE = 1, DAEMON_PULSE };

struct daemon_options {
    enum daemon_kind kind;
    unsigned quantum; /* PipeWire: frames of a cycle; 0: the default, which clients may change */
    const char *mic;  /* also a virtual microphone of this name, fed by the sink "MIC-feed" */
};

/**
 * Have such a daemon run, and the environment point to it: the one that runs already when it is of
 * the same options, else a new one. When the machine does not have the programs the test is skipped
 * with "# skipped: no PipeWire" and the call does not return; a daemon that does not get ready
 * fails the test.
 */
void daemon_use(const struct daemon_options *options);

/** daemon_use() of one without any options: the sink's rate is 48 kHz, stereo. */
void daemon_use_kind(enum daemon_kind kind);

/** The daemon crashes (SIGKILL to all of its programs). */
void daemon_kill(void);
/** The daemon ends in order, as at a logout. */
void daemon_stop(void);
/** The daemon that was killed or stopped is there again and ready. */
void daemon_start(void);
/** End it; done at the end of the program anyway. */
void daemon_end(void);

/** Name of the null sink, which is the default sink. */
const char *daemon_sink(void);

/*
 * Programs beside the test: applications that play or record. They are in a process group of their
 * own, their output is discarded, and whatever still runs when the test program ends is killed.
 */

/** Start a program, found on PATH; skips the test when it is not installed. The arguments end with
 * NULL. */
pid_t program_start(const char *const arguments[]);
/** Start a shell script: the root of a process tree. */
pid_t program_start_shell(const char *script);
/** Send a signal to a program and everything in its group. */
void program_signal(pid_t program, int signal_number);
/** Wait until it has ended; its exit status, 128 + N when signal N ended it. -1: timed out. */
int program_wait(pid_t program, double timeout_s);
/** Kill a program and its group, and wait for it. */
void program_end(pid_t program);
/** Run a program to its end and keep the first line that it prints (NULL: not wanted); its exit
 * status. Fails the test after 20 s. */
int program_run(const char *const arguments[], char *line, size_t n_bytes);

#endif
