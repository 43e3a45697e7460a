/* One stream of ours on PipeWire that hears nodes through links of our own making. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "capture/pipewire.h"

/* ----------------------------------------------------------------------- links */

static void on_link_removed(void *data)
{
    struct pw_link_entry *link = data;
    pw_proxy_destroy(link->proxy);
}

static void on_link_destroy(void *data)
{
    struct pw_link_entry *link = data;
    spa_hook_remove(&link->proxy_hook);
    spa_hook_remove(&link->hook);
    spa_list_remove(&link->link);
    free(link);
}

static const struct pw_proxy_events link_events = {
    PW_VERSION_PROXY_EVENTS,
    .removed = on_link_removed,
    .destroy = on_link_destroy,
};

/* Until a link is negotiated, what is played does not reach us. */
static void on_link_info(void *data, const struct pw_link_info *info)
{
    struct pw_link_entry *link = data;
    if (link->is_ready || info->state < PW_LINK_STATE_PAUSED) return;
    link->is_ready = true;
    host_try_links(link->pipewire->host);
}

static const struct pw_link_events link_info_events = {
    PW_VERSION_LINK_EVENTS,
    .info = on_link_info,
};

static void connect_ports(struct pw_listener *listener, uint64_t model_id,
                          const struct pw_port_entry *from, const struct pw_port_entry *to)
{
    struct pw_link_entry *link;
    spa_list_for_each(link, &listener->links, link)
    {
        if (link->from == from->global && link->to == to->global) return;
    }
    link = memory_array(1, sizeof *link);
    struct pw_properties *properties = pw_properties_new(PW_KEY_OBJECT_LINGER, "false", NULL);
    if (link && properties) {
        pw_properties_setf(properties, PW_KEY_LINK_OUTPUT_NODE, "%u", from->node);
        pw_properties_setf(properties, PW_KEY_LINK_OUTPUT_PORT, "%u", from->global);
        pw_properties_setf(properties, PW_KEY_LINK_INPUT_NODE, "%u", to->node);
        pw_properties_setf(properties, PW_KEY_LINK_INPUT_PORT, "%u", to->global);
        link->proxy =
            pw_core_create_object(listener->pipewire->core, "link-factory", PW_TYPE_INTERFACE_Link,
                                  PW_VERSION_LINK, &properties->dict, 0);
    }
    pw_properties_free(properties);
    if (!link || !link->proxy) {
        free(link);
        log_write(listener->pipewire->host->log, KODAMA_LOG_ERROR, "PipeWire: cannot make a link");
        return;
    }
    link->pipewire = listener->pipewire;
    link->model_id = model_id;
    link->from = from->global;
    link->to = to->global;
    spa_list_append(&listener->links, &link->link);
    pw_proxy_add_listener(link->proxy, &link->proxy_hook, &link_events, link);
    pw_link_add_listener((struct pw_link *)link->proxy, &link->hook, &link_info_events, link);
}

/* ---------------------------------------------------------- which port to which */

static bool is_side(const char *channel, char side)
{
    size_t n = strlen(channel);
    return n >= 2 && channel[n - 1] == side && strchr("FRS", channel[0]) != NULL;
}

/* Whether an output belongs to an input of ours: the same channel; mono to and from all; of more
 * channels than two those of a side to that side, and the centre to both. */
static bool belongs(const struct pw_port_entry *from, const struct pw_port_entry *to,
                    const struct pw_listener *listener)
{
    uint32_t channels = listener->format.channels;
    if (channels == 1) return strcmp(from->channel, "LFE") != 0;
    if (!from->channel[0] || strcmp(from->channel, "UNK") == 0 ||
        strncmp(from->channel, "AUX", 3) == 0) {
        return from->index % channels == to->index % channels;
    }
    if (strcmp(from->channel, "MONO") == 0) return true;
    if (strcmp(from->channel, to->channel) == 0) return true;
    if (channels != 2) return false;
    if (strcmp(from->channel, "FC") == 0) return true;
    return strcmp(to->channel, "FL") == 0 ? is_side(from->channel, 'L')
                                          : is_side(from->channel, 'R');
}

/* Make the links that are missing from a node to us; how many there are then. */
static size_t connect_node(struct pw_listener *listener, const struct pw_node_entry *node)
{
    uint32_t self = pw_stream_get_node_id(listener->stream);
    struct spa_list *ports = &listener->pipewire->ports;
    struct pw_port_entry *from, *to;
    size_t n = 0, outputs = 0;
    if (self == SPA_ID_INVALID || listener->is_closing) return 0;
    spa_list_for_each(from, ports, link)
    {
        if (from->node != node->global || !from->is_output) continue;
        outputs++;
        spa_list_for_each(to, ports, link)
        {
            if (to->node != self || to->is_output || !belongs(from, to, listener)) continue;
            connect_ports(listener, node->model_id, from, to);
            n++;
        }
    }
    if (listener->format.channels == 1 && n > 0) {
        atomic_store_explicit(&listener->mono, 1.0F / (float)n, memory_order_relaxed);
    }
    return outputs > 0 ? n : 0;
}

int listener_link(struct pw_listener *listener, uint64_t model_id)
{
    struct pw_node_entry *node = registry_find(listener->pipewire, model_id);
    if (!node) return KODAMA_ERR_NOT_FOUND;
    return connect_node(listener, node) > 0 ? KODAMA_OK : KODAMA_ERR_STATE;
}

bool listener_hears(const struct pw_listener *listener)
{
    const struct pw_link_entry *link;
    spa_list_for_each(link, &listener->links, link)
    {
        if (link->is_ready) return true;
    }
    return false;
}

void listener_unlink(struct pw_listener *listener, uint64_t model_id)
{
    struct pw_link_entry *link, *after;
    spa_list_for_each_safe(link, after, &listener->links, link)
    {
        if (link->model_id == model_id) pw_proxy_destroy(link->proxy);
    }
}

void listeners_complete(struct pipewire *pipewire)
{
    struct pw_listener *listener;
    spa_list_for_each(listener, &pipewire->listeners, link)
    {
        struct pw_node_entry *node;
        spa_list_for_each(node, &pipewire->nodes, link)
        {
            struct pw_link_entry *link;
            bool is_heard = false;
            spa_list_for_each(link, &listener->links, link)
            {
                is_heard = is_heard || (node->model_id && link->model_id == node->model_id);
            }
            if (is_heard) connect_node(listener, node);
        }
    }
}

/* ---------------------------------------------------------- opening and closing */

static uint32_t spa_format_of(enum kodama_sample sample)
{
    switch (sample) {
    case KODAMA_SAMPLE_U8: return SPA_AUDIO_FORMAT_U8;
    case KODAMA_SAMPLE_S16: return SPA_AUDIO_FORMAT_S16_LE;
    case KODAMA_SAMPLE_S24: return SPA_AUDIO_FORMAT_S24_LE;
    case KODAMA_SAMPLE_S32: return SPA_AUDIO_FORMAT_S32_LE;
    case KODAMA_SAMPLE_F32: return SPA_AUDIO_FORMAT_F32_LE;
    }
    return SPA_AUDIO_FORMAT_F32_LE;
}

/* The bits of enum kodama_channel in their order, as PipeWire names them. */
static void set_positions(struct spa_audio_info_raw *raw, struct kodama_format format)
{
    static const struct {
        uint32_t bit, position;
    } places[] = {
        {KODAMA_CHANNEL_FL, SPA_AUDIO_CHANNEL_FL}, {KODAMA_CHANNEL_FR, SPA_AUDIO_CHANNEL_FR},
        {KODAMA_CHANNEL_FC, SPA_AUDIO_CHANNEL_FC}, {KODAMA_CHANNEL_LFE, SPA_AUDIO_CHANNEL_LFE},
        {KODAMA_CHANNEL_BL, SPA_AUDIO_CHANNEL_RL}, {KODAMA_CHANNEL_BR, SPA_AUDIO_CHANNEL_RR},
        {KODAMA_CHANNEL_BC, SPA_AUDIO_CHANNEL_RC}, {KODAMA_CHANNEL_SL, SPA_AUDIO_CHANNEL_SL},
        {KODAMA_CHANNEL_SR, SPA_AUDIO_CHANNEL_SR},
    };
    /* The usual layouts of 1 to 8 channels. */
    static const uint32_t usual[] = {0, 0x4, 0x3, 0x7, 0x33, 0x37, 0x3f, 0x13f, 0x63f};
    uint32_t mask = format.channel_mask ? format.channel_mask : usual[format.channels];
    uint32_t n = 0;
    for (size_t i = 0; i < SPA_N_ELEMENTS(places) && n < format.channels; i++) {
        if (mask & places[i].bit) raw->position[n++] = places[i].position;
    }
    if (format.channels == 1) raw->position[0] = SPA_AUDIO_CHANNEL_MONO;
}

struct pw_listener *listener_open(struct pipewire *pipewire, struct kodama_format format,
                                  struct pw_properties *properties, uint32_t flags,
                                  const struct pw_stream_events *events, struct capture *capture,
                                  struct kodama_error *error)
{
    struct pw_listener *listener = memory_array(1, sizeof *listener);
    if (!listener || !properties) {
        pw_properties_free(properties);
        free(listener);
        error_set(error, KODAMA_ERR_MEMORY, "no memory for a stream of PipeWire");
        return NULL;
    }
    listener->pipewire = pipewire;
    listener->format = format;
    listener->capture = capture;
    atomic_init(&listener->mono, 1.0F);
    spa_list_init(&listener->links);
    spa_list_append(&pipewire->listeners, &listener->link);
    listener->stream = pw_stream_new(pipewire->core, "capture", properties);
    if (!listener->stream) {
        spa_list_remove(&listener->link);
        free(listener);
        error_set(error, KODAMA_ERR_SYSTEM, "PipeWire does not make a stream");
        return NULL;
    }
    pw_stream_add_listener(listener->stream, &listener->hook, events, listener);
    if (capture && format.sample == KODAMA_SAMPLE_F32) {
        listener->scratch =
            memory_array((size_t)PW_SCRATCH_FRAMES * format.channels, sizeof(float));
    }
    uint8_t buffer[1024];
    struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(buffer, sizeof buffer);
    struct spa_audio_info_raw raw = {.format = spa_format_of(format.sample),
                                     .rate = format.rate_hz,
                                     .channels = format.channels};
    set_positions(&raw, format);
    const struct spa_pod *params[] = {
        spa_format_audio_raw_build(&builder, SPA_PARAM_EnumFormat, &raw)};
    int status =
        pw_stream_connect(listener->stream, PW_DIRECTION_INPUT, PW_ID_ANY, flags, params, 1);
    if (status < 0) {
        error_set(error, KODAMA_ERR_SYSTEM, "PipeWire does not connect a stream: %s",
                  spa_strerror(status));
        listener_close(listener);
        return NULL;
    }
    return listener;
}

void listener_close(struct pw_listener *listener)
{
    struct pw_link_entry *link, *after;
    listener->is_closing = true; /* its stream tells on its way out that it is paused */
    spa_list_for_each_safe(link, after, &listener->links, link) pw_proxy_destroy(link->proxy);
    pw_stream_destroy(listener->stream); /* waits for the real-time thread to leave it */
    spa_list_remove(&listener->link);
    free(listener->scratch);
    free(listener);
}
