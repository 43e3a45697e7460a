/*
 * Applications that make sound: who they are, what they play, how loud.
 *
 * One application is one entry, however many streams it plays and whichever of its processes plays
 * them: streams of a browser's child processes belong to the browser. What these functions hand out
 * is a snapshot; kodama_host_next_event() tells when to take another one.
 */
#ifndef KODAMA_APP_H
#define KODAMA_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/format.h>
#include <kodama/host.h>
#include <kodama/status.h>

enum {
    KODAMA_NAME_BYTES = 128,  /**< room for a name, with the NUL; longer ones are cut */
    KODAMA_MEDIA_BYTES = 256, /**< room for the title of what is played */
};

enum kodama_app_state {
    KODAMA_APP_IDLE = 0, /**< there is a stream, but it does not run: paused */
    KODAMA_APP_ACTIVE,   /**< a stream runs, perhaps with silence */
    KODAMA_APP_GONE,     /**< no stream any more; the process is still there */
};

/** One stream of an application. */
struct kodama_app_stream {
    uint64_t id;                    /**< within its host, never reused */
    uint32_t pid;                   /**< process that plays it, 0 if not known */
    char name[KODAMA_NAME_BYTES];   /**< what the application calls itself, or its client */
    char node[KODAMA_NAME_BYTES];   /**< what the sound system calls the stream */
    char media[KODAMA_MEDIA_BYTES]; /**< what is played, such as a title */
    enum kodama_app_state state;    /**< idle or active */
    double volume;                  /**< 1.0 = 100 % on the scale of the user's mixer */
    bool muted;
    float peak;                  /**< linear, of the last 40 ms; -1: not measured */
    struct kodama_format format; /**< as it is played; members that are not known are 0 */
};

/** An application: all its streams as one entry that can be opened up. */
struct kodama_app {
    uint64_t id;       /**< within its host, never reused for another application */
    uint32_t pid;      /**< of its first stream, 0 if not known */
    uint32_t root_pid; /**< the oldest ancestor that runs the same program (a browser's main
                          process), else pid */
    char name[KODAMA_NAME_BYTES];
    char binary[KODAMA_NAME_BYTES]; /**< file name of the program, "" if not known */
    char icon[KODAMA_NAME_BYTES];   /**< name of an icon in the user's theme, "" if not known */
    char media[KODAMA_MEDIA_BYTES]; /**< of an active stream if there is one */
    enum kodama_app_state state;    /**< active if a stream is */
    double volume;                  /**< of the loudest stream */
    bool muted;                     /**< all streams are */
    float peak;                     /**< of the loudest stream; -1: not measured */
    size_t n_streams;
    const struct kodama_app_stream *streams;
};

/** A snapshot of all applications, in the order in which they were first seen. */
struct kodama_app_list {
    size_t n_apps;
    const struct kodama_app *apps;
};

/**
 * List the applications that play or have played and still run.
 *
 * @param host       opened
 * @param[out] list  owned by the caller: kodama_app_list_free(); NULL on error
 * @param[out] error may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT or KODAMA_ERR_MEMORY. While the sound server is away the
 * list is empty.
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_host_apps(struct kodama_host *host, struct kodama_app_list **list,
                                struct kodama_error *error) KODAMA_MUST_USE;

/** Free a snapshot; NULL is allowed. Thread: any. Real-time safe: no. */
KODAMA_API void kodama_app_list_free(struct kodama_app_list *list);

/**
 * Who is meant. All members that are given must hold. One that gives nothing matches nobody.
 * Texts are borrowed where the struct is used, and copied where it is kept.
 */
struct kodama_app_match {
    const char *name;   /**< part, in any case, of a stream's name, its node's name, or the name of
                           the program or of the main process; NULL: any */
    const char *binary; /**< exact file name of the program or of the main process; NULL: any */
    uint32_t pid;       /**< this process or a descendant of it; 0: any */
};

/**
 * Whether an application is one of those meant: whether one of its streams is.
 *
 * @param app      from a snapshot
 * @param matches  borrowed
 * @param n        how many; it is enough that one of them holds
 * @return false also when n is 0
 *
 * Thread: any. Real-time safe: no (a pid is looked up in /proc).
 */
KODAMA_API bool kodama_app_matches(const struct kodama_app *app,
                                   const struct kodama_app_match *matches, size_t n);

/**
 * Read from text who is meant, as on the command line: "firefox" (part of a name), "pid:123",
 * "binary:mpv".
 *
 * @param text         NUL-terminated; must live as long as *match, which points into it
 * @param[out] match   unchanged on error
 * @param[out] error   may be NULL
 * @return KODAMA_OK or KODAMA_ERR_ARGUMENT
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_app_parse(const char *text, struct kodama_app_match *match,
                                struct kodama_error *error);

/**
 * Set the volume of an application, as the user's mixer does, for all its streams and those that
 * will come. The balance of the channels stays.
 *
 * @param host         opened
 * @param app_id       from a snapshot
 * @param volume       0..KODAMA_VOLUME_MAX; 1.0 = 100 %
 * @param[out] error   may be NULL
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND (no such application any more), KODAMA_ERR_ARGUMENT,
 * KODAMA_ERR_STATE (the sound server is away) or KODAMA_ERR_SYSTEM (it refused)
 *
 * The server is told when this returns; the change is seen with a KODAMA_HOST_APP_CHANGED.
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_host_set_volume(struct kodama_host *host, uint64_t app_id, double volume,
                                      struct kodama_error *error);

/** The largest volume, what mixers offer at most. */
#define KODAMA_VOLUME_MAX 1.5

/**
 * Make an application louder or softer; see kodama_host_set_volume().
 *
 * @param host         opened
 * @param app_id       from a snapshot
 * @param delta        added to the volume, which stays within 0..KODAMA_VOLUME_MAX
 * @param[out] volume  may be NULL; what it is set to
 * @param[out] error   may be NULL
 * @return as kodama_host_set_volume()
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_host_change_volume(struct kodama_host *host, uint64_t app_id, double delta,
                                         double *volume, struct kodama_error *error);

/** Mute or unmute an application, for all its streams and those that will come; its volume stays.
 * Results as kodama_host_set_volume(). Thread: any. Real-time safe: no. */
KODAMA_API int kodama_host_set_mute(struct kodama_host *host, uint64_t app_id, bool mute,
                                    struct kodama_error *error);

#endif
