/*
 * The PipeWire backend from the inside.
 *
 *   pipewire.c          the connection: made, lost, made again; the table of the backend
 *   pipewire_registry.c what is there: nodes, their clients and ports, the defaults
 *   pipewire_props.c    volumes, mutes and formats, read and set
 *   pipewire_listen.c   one stream of ours that hears nodes through links of our own making
 *   pipewire_capture.c  captures and peak meters, which are such streams
 *
 * Nothing here is ever linked by the session manager: a stream that it links would be given the
 * default source, that is a microphone, when its target goes away. The loop thread owns all fields
 * but those that say otherwise; other threads come in through the loop's lock.
 */
#ifndef CAPTURE_PIPEWIRE_H
#define CAPTURE_PIPEWIRE_H

/* PipeWire's macros are GNU C, which clang does not forgive where they are used. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wgnu-statement-expression"
#pragma clang diagnostic ignored "-Wgnu-empty-initializer"
#endif

#include <pipewire/pipewire.h>

#include <pipewire/extensions/metadata.h> /* needs what the first one declares */
#include <spa/param/audio/format-utils.h>
#include <spa/param/props.h>
#include <spa/utils/list.h>
#include <spa/utils/result.h>

#include "capture/capture.h"
#include "capture/host.h"

#ifdef __clang__
/* PipeWire's macros are written in GNU C. */
#pragma clang diagnostic ignored "-Wgnu-statement-expression"
#pragma clang diagnostic ignored "-Wgnu-empty-initializer"
#endif

struct pipewire;
struct pw_listener;

/** A node that plays or hears, of another program. */
struct pw_node_entry {
    struct spa_list link;
    struct pipewire *pipewire;
    uint32_t global, client; /* PW_ID_ANY: none */
    uint64_t model_id;       /* 0: not reported yet */
    bool is_stream;
    struct pw_proxy *proxy;
    struct spa_hook proxy_hook, hook;
    struct host_stream_info stream;
    struct host_device_info device;
    uint32_t own_pid; /* from the node's own properties */
    char own_name[KODAMA_NAME_BYTES], own_binary[KODAMA_NAME_BYTES], own_icon[KODAMA_NAME_BYTES];
    float volumes[KODAMA_CHANNELS_MAX * 8]; /* linear, as the server has them */
    uint32_t n_volumes;
    struct pw_listener *meter; /* NULL: no peaks */
};

struct pw_client_entry {
    struct spa_list link;
    struct pipewire *pipewire;
    uint32_t global, pid;
    struct pw_proxy *proxy;
    struct spa_hook proxy_hook, hook;
    char name[KODAMA_NAME_BYTES], binary[KODAMA_NAME_BYTES], icon[KODAMA_NAME_BYTES];
};

struct pw_port_entry {
    struct spa_list link;
    uint32_t global, node;
    bool is_output;
    uint32_t index;   /* of its node */
    char channel[16]; /* "FL"; "" if not known */
};

struct pw_metadata_entry {
    struct spa_list link;
    struct pipewire *pipewire;
    uint32_t global;
    bool is_settings; /* else the defaults */
    struct pw_proxy *proxy;
    struct spa_hook proxy_hook, hook;
};

/** The state of a host. */
struct pipewire {
    struct kodama_host *host;
    struct pw_thread_loop *loop;
    struct pw_context *context;
    struct spa_source *retry; /* a timer: tidy up after a lost server, and try to connect */
    unsigned retries;
    struct spa_source *watch; /* of the folder of the server's socket; NULL: none */
    /* While connected. */
    struct pw_core *core; /* NULL: not connected */
    struct spa_hook core_hook;
    struct pw_registry *registry;
    struct spa_hook registry_hook;
    struct spa_list nodes, clients, ports, metadatas, listeners;
    int pending, done; /* sequence numbers of round trips */
    bool failed;       /* the connection is broken */
    bool settling;     /* connected again, but the session manager is not there yet */
    uint32_t rate_hz, forced_rate_hz;
};

/** A link between two ports, made by us. */
struct pw_link_entry {
    struct spa_list link;
    uint64_t model_id;
    uint32_t from, to; /* ports */
    struct pipewire *pipewire;
    struct pw_proxy *proxy;
    struct spa_hook proxy_hook, hook;
    bool is_ready; /* frames flow when both sides run */
};

/** A stream of ours that hears what it is linked to. */
struct pw_listener {
    struct spa_list link;
    struct pipewire *pipewire;
    struct pw_stream *stream;
    struct spa_hook hook;
    struct spa_list links;
    struct kodama_format format;
    struct capture *capture; /* NULL: a meter */
    uint64_t metered;        /* the model's id of what a meter hears */
    bool is_closing;         /* no links any more */
    /* Read in real time. */
    _Atomic(struct spa_io_position *) position;
    uint64_t own_ticks; /* real-time thread only: a clock when there is none */
    float *scratch;     /* real-time thread only; NULL: no gain is ever needed */
    _Atomic float mono; /* factor for several channels that are summed into one */
};

enum { PW_SCRATCH_FRAMES = 8192, PW_METER_HZ = 25 };

/* pipewire.c */
/** The session manager has chosen devices: it works. */
void pipewire_settled(struct pipewire *pipewire);

/* pipewire_registry.c */
void registry_follow(struct pipewire *pipewire);
void registry_forget(struct pipewire *pipewire);
struct pw_node_entry *registry_find(struct pipewire *pipewire, uint64_t model_id);
/** Tell the model what is known of a node. */
void registry_report(struct pw_node_entry *node);

/* pipewire_props.c */
void props_read(struct pw_node_entry *node, uint32_t id, const struct spa_pod *param);
int props_set_volume(struct pw_node_entry *node, double volume, struct kodama_error *error);
int props_set_mute(struct pw_node_entry *node, bool mute, struct kodama_error *error);

/* pipewire_listen.c */
struct pw_listener *listener_open(struct pipewire *pipewire, struct kodama_format format,
                                  struct pw_properties *properties, uint32_t flags,
                                  const struct pw_stream_events *events, struct capture *capture,
                                  struct kodama_error *error);
void listener_close(struct pw_listener *listener);
/** Hear a node; KODAMA_ERR_STATE while its ports or ours are not there yet. */
int listener_link(struct pw_listener *listener, uint64_t model_id);
/** Whether one of its links is ready. */
bool listener_hears(const struct pw_listener *listener);
void listener_unlink(struct pw_listener *listener, uint64_t model_id);
/** Ports have come: complete what could be linked in part only. */
void listeners_complete(struct pipewire *pipewire);

/* pipewire_capture.c */
void pipewire_capture_format(struct capture *capture);
int pipewire_capture_open(struct capture *capture, struct kodama_error *error);
void pipewire_capture_close(struct capture *capture);
int pipewire_capture_link(struct capture *capture, uint64_t id);
bool pipewire_capture_hears(struct capture *capture);
void pipewire_capture_unlink(struct capture *capture, uint64_t id);
void meter_open(struct pw_node_entry *node);
void meters_link(struct pipewire *pipewire);

/* pipewire_playback.c */
extern const struct playback_ops pipewire_playback_ops;

#endif
