/*
 * The backend for PulseAudio (and pipewire-pulse), inside: the connection, and what its parts
 * share. Everything here runs on the loop thread of libpulse or with its lock held, but for what is
 * marked otherwise.
 */
#ifndef CAPTURE_PULSE_H
#define CAPTURE_PULSE_H

#include <pulse/pulseaudio.h>

#include "capture/backends.h"
#include "capture/host.h"
#include "capture/playback.h"

/** A stream that plays (a sink input). */
struct pulse_input {
    uint32_t index, client, sink; /* the server's numbers */
    uint64_t id;                  /* the model's */
    pa_cvolume volume;
    struct pulse_meter *meter; /* NULL: none */
};

/** A device: a sink or a source. */
struct pulse_device {
    enum kodama_device_kind kind;
    uint32_t index;
    uint64_t id; /* the model's */
    char name[256];
    char listen[256]; /* the source to record from: itself, or the monitor of a sink */
    pa_sample_spec spec;
    pa_channel_map map;
};

/** A client, for the names and pids of streams that do not tell their own. */
struct pulse_client {
    uint32_t index;
    char name[KODAMA_NAME_BYTES];
    pa_proplist *properties;
};

struct pulse {
    struct kodama_host *host; /* immutable */
    pa_threaded_mainloop *loop;
    pa_mainloop_api *api;
    pa_context *context;  /* NULL: between two connections */
    char *socket_folder;  /* where the server's socket appears; NULL: not known */
    pa_io_event *watch;   /* of the folder */
    int watch_fd;         /* inotify, -1: none */
    pa_time_event *retry; /* when to connect again */
    unsigned n_retries;   /* since the connection was lost */
    bool listed;          /* the first list of all is complete */
    bool failed;          /* the first connection was refused */
    bool closing;
    bool known;         /* the host was told that the server is there */
    unsigned n_waiting; /* answers of the first list that are still to come */

    struct pulse_input *inputs;
    struct pulse_device *devices;
    struct pulse_client *clients;
    size_t n_inputs, n_devices, n_clients;
};

/* pulse.c */
struct pulse_input *pulse_find_input(struct pulse *pulse, uint64_t id);
struct pulse_device *pulse_find_device(struct pulse *pulse, uint64_t id);
/** The sink with this number of the server; NULL: there is none. */
struct pulse_device *pulse_find_sink(struct pulse *pulse, uint32_t index);
/** The device of this kind that has this name, NULL: none. */
struct pulse_device *pulse_find_name(struct pulse *pulse, enum kodama_device_kind kind,
                                     const char *name);
/** Ask libpulse for its last error in words. */
const char *pulse_words(struct pulse *pulse);
/** Let go of an answer that nobody waits for; NULL is allowed. */
void pulse_forget(pa_operation *operation);
/** Wait for an answer with the lock held, not on the loop thread; false: the server is gone. */
bool pulse_await(struct pulse *pulse, pa_operation *operation);
/** Wake whoever waits in pulse_await(). */
void pulse_wake(struct pulse *pulse);

/* pulse_format.c */
struct kodama_format pulse_format(const pa_sample_spec *spec, const pa_channel_map *map);
/** What libpulse calls a format; false when it has no such sample type. */
bool pulse_spec(struct kodama_format format, pa_sample_spec *spec, pa_channel_map *map);

/* pulse_meter.c: the peak of one stream, 25 times a second */
struct pulse_meter *pulse_meter_open(struct pulse *pulse, const struct pulse_input *input);
void pulse_meter_close(struct pulse_meter *meter);

/* pulse_capture.c */
void pulse_capture_format(struct capture *capture);
int pulse_capture_open(struct capture *capture, struct kodama_error *error);
void pulse_capture_close(struct capture *capture);
int pulse_capture_link(struct capture *capture, uint64_t id);
void pulse_capture_unlink(struct capture *capture, uint64_t id);
/** A stream now plays to another sink: whoever hears it has to follow. */
void pulse_capture_moved(struct pulse *pulse, uint64_t id);

/* pulse_playback.c, pulse_mic.c */
extern const struct playback_ops pulse_playback_ops;
/** Remove virtual microphones of programs that have crashed; asks and does not wait. */
void pulse_mic_sweep(struct pulse *pulse);

/** Property of streams and devices that are the inside of a virtual microphone. */
#define PULSE_INSIDE "kodama.inside"

#endif
