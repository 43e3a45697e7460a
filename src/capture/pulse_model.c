/* What is there on a PulseAudio server: clients, streams, devices, defaults. */
#include "capture/pulse_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "capture/pulse.h"

/* The number of a device that is not shown. */
#define HIDDEN UINT64_MAX

/* ------------------------------------------------------------------- the tables */

/* Add a zeroed element; NULL without memory. */
static void *append(void **array, size_t *n, size_t element_bytes)
{
    char *larger = memory_resize(*array, *n + 1, element_bytes);
    if (!larger) return NULL;
    *array = larger;
    void *added = larger + *n * element_bytes;
    memset(added, 0, element_bytes);
    (*n)++;
    return added;
}

/* Remove the element at `at` by moving the ones behind it. */
static void erase(void *array, size_t *n, size_t element_bytes, void *at)
{
    char *next = (char *)at + element_bytes, *end = (char *)array + *n * element_bytes;
    memmove(at, next, (size_t)(end - next));
    (*n)--;
}

static struct pulse_input *input_at(struct pulse *pulse, uint32_t index)
{
    for (size_t i = 0; i < pulse->n_inputs; i++) {
        if (pulse->inputs[i].index == index) return &pulse->inputs[i];
    }
    return NULL;
}

static struct pulse_device *device_at(struct pulse *pulse, enum kodama_device_kind kind,
                                      uint32_t index)
{
    for (size_t i = 0; i < pulse->n_devices; i++) {
        struct pulse_device *device = &pulse->devices[i];
        if (device->kind == kind && device->index == index) return device;
    }
    return NULL;
}

static struct pulse_client *client_at(struct pulse *pulse, uint32_t index)
{
    for (size_t i = 0; i < pulse->n_clients; i++) {
        if (pulse->clients[i].index == index) return &pulse->clients[i];
    }
    return NULL;
}

struct pulse_input *pulse_find_input(struct pulse *pulse, uint64_t id)
{
    for (size_t i = 0; i < pulse->n_inputs; i++) {
        if (pulse->inputs[i].id == id) return &pulse->inputs[i];
    }
    return NULL;
}

struct pulse_device *pulse_find_device(struct pulse *pulse, uint64_t id)
{
    for (size_t i = 0; i < pulse->n_devices; i++) {
        if (pulse->devices[i].id == id) return &pulse->devices[i];
    }
    return NULL;
}

struct pulse_device *pulse_find_sink(struct pulse *pulse, uint32_t index)
{
    return device_at(pulse, KODAMA_DEVICE_SPEAKERS, index);
}

struct pulse_device *pulse_find_name(struct pulse *pulse, enum kodama_device_kind kind,
                                     const char *name)
{
    for (size_t i = 0; i < pulse->n_devices; i++) {
        struct pulse_device *device = &pulse->devices[i];
        if (device->kind == kind && strcmp(device->name, name) == 0) return device;
    }
    return NULL;
}

static void copy(char *to, size_t n_bytes, const char *from)
{
    snprintf(to, n_bytes, "%s", from ? from : "");
}

/* ------------------------------------------------------------------------ clients */

static void client_gone(struct pulse *pulse, uint32_t index)
{
    struct pulse_client *client = client_at(pulse, index);
    if (!client) return;
    pa_proplist_free(client->properties);
    erase(pulse->clients, &pulse->n_clients, sizeof *client, client);
}

static void client_seen(struct pulse *pulse, const pa_client_info *info)
{
    struct pulse_client *client = client_at(pulse, info->index);
    if (!client) {
        client = append((void **)&pulse->clients, &pulse->n_clients, sizeof *client);
        if (!client) return;
        client->index = info->index;
    }
    if (client->properties) pa_proplist_free(client->properties);
    client->properties = pa_proplist_copy(info->proplist);
    copy(client->name, sizeof client->name, info->name);
}

/* ------------------------------------------------------------------------ streams */

/* A property of the stream, else of its client. */
static const char *property(const pa_sink_input_info *info, const struct pulse_client *client,
                            const char *key)
{
    const char *value = pa_proplist_gets(info->proplist, key);
    return value || !client ? value : pa_proplist_gets(client->properties, key);
}

static void describe(struct pulse *pulse, const pa_sink_input_info *info,
                     struct host_stream_info *stream)
{
    const struct pulse_client *client = client_at(pulse, info->client);
    const char *pid = property(info, client, PA_PROP_APPLICATION_PROCESS_ID);
    const char *name = property(info, client, PA_PROP_APPLICATION_NAME);
    const char *media = pa_proplist_gets(info->proplist, PA_PROP_MEDIA_NAME);
    const char *node = pa_proplist_gets(info->proplist, "node.name"); /* pipewire-pulse */
    memset(stream, 0, sizeof *stream); /* all bytes: the host compares them */
    stream->pid = pid ? (uint32_t)strtoul(pid, NULL, 10) : 0;
    stream->state = info->corked ? KODAMA_APP_IDLE : KODAMA_APP_ACTIVE;
    stream->volume =
        info->has_volume ? (double)pa_cvolume_max(&info->volume) / PA_VOLUME_NORM : 1.0;
    stream->muted = info->mute != 0;
    stream->format = pulse_format(&info->sample_spec, &info->channel_map);
    copy(stream->name, sizeof stream->name, name ? name : info->name);
    copy(stream->client, sizeof stream->client, client ? client->name : NULL);
    copy(stream->node, sizeof stream->node, node ? node : info->name);
    copy(stream->binary, sizeof stream->binary,
         property(info, client, PA_PROP_APPLICATION_PROCESS_BINARY));
    const char *icon = property(info, client, PA_PROP_APPLICATION_ICON_NAME);
    copy(stream->icon, sizeof stream->icon,
         icon ? icon : property(info, client, PA_PROP_MEDIA_ICON_NAME));
    copy(stream->media, sizeof stream->media, media ? media : info->name);
}

static void input_gone(struct pulse *pulse, uint32_t index)
{
    struct pulse_input *input = input_at(pulse, index);
    if (!input) return;
    struct pulse_meter *meter = input->meter;
    uint64_t id = input->id;
    erase(pulse->inputs, &pulse->n_inputs, sizeof *input, input);
    pulse_meter_close(meter);
    host_stream_gone(pulse->host, id);
}

static void input_seen(struct pulse *pulse, const pa_sink_input_info *info)
{
    if (pa_proplist_contains(info->proplist, PULSE_INSIDE)) return;
    /* Without a client it is the inside of a module, such as a loopback: no application. */
    if (info->client == PA_INVALID_INDEX) return;
    struct host_stream_info stream;
    describe(pulse, info, &stream);
    struct pulse_input *input = input_at(pulse, info->index);
    bool is_new = !input;
    if (is_new) {
        input = append((void **)&pulse->inputs, &pulse->n_inputs, sizeof *input);
        if (!input) return;
        input->index = info->index;
    }
    bool moved = !is_new && input->sink != info->sink;
    input->client = info->client;
    input->sink = info->sink;
    input->volume = info->volume;
    if (is_new) {
        /* It is known here before the host hears of it, for that may link it at once. */
        host_stream_seen(pulse->host, &stream, &input->id);
        input = input_at(pulse, info->index);
    } else {
        uint64_t id = input->id;
        if (moved) pulse_capture_moved(pulse, id);
        host_stream_changed(pulse->host, id, &stream);
        input = input_at(pulse, info->index);
    }
    if (!input || !pulse->host->peaks) return;
    if (moved) {
        pulse_meter_close(input->meter);
        input->meter = NULL;
    }
    if (!input->meter) input->meter = pulse_meter_open(pulse, input);
}

/* ------------------------------------------------------------------------ devices */

static void device_gone(struct pulse *pulse, enum kodama_device_kind kind, uint32_t index)
{
    struct pulse_device *device = device_at(pulse, kind, index);
    if (!device) return;
    uint64_t id = device->id;
    erase(pulse->devices, &pulse->n_devices, sizeof *device, device);
    if (id != HIDDEN) host_device_gone(pulse->host, id);
}

/* What sinks and sources have in common. */
struct device_facts {
    enum kodama_device_kind kind;
    uint32_t index;
    const char *name, *description, *listen;
    const pa_sample_spec *spec;
    const pa_channel_map *map;
    const pa_cvolume *volume;
    bool muted, hidden;
};

static void device_seen(struct pulse *pulse, const struct device_facts *facts)
{
    struct pulse_device *device = device_at(pulse, facts->kind, facts->index);
    bool is_new = !device;
    if (is_new) {
        device = append((void **)&pulse->devices, &pulse->n_devices, sizeof *device);
        if (!device) return;
        device->kind = facts->kind;
        device->index = facts->index;
    }
    copy(device->name, sizeof device->name, facts->name);
    copy(device->listen, sizeof device->listen, facts->listen);
    device->spec = *facts->spec;
    device->map = *facts->map;
    if (facts->hidden) device->id = HIDDEN;
    if (device->id == HIDDEN) return;
    struct host_device_info info;
    memset(&info, 0, sizeof info); /* all bytes: the host compares them */
    info.kind = facts->kind;
    info.volume = (double)pa_cvolume_max(facts->volume) / PA_VOLUME_NORM;
    info.muted = facts->muted;
    info.format = pulse_format(facts->spec, facts->map);
    copy(info.name, sizeof info.name, facts->name);
    copy(info.description, sizeof info.description, facts->description);
    if (!is_new) {
        host_device_changed(pulse->host, device->id, &info);
        return;
    }
    host_device_seen(pulse->host, &info, &device->id);
    if (facts->kind == KODAMA_DEVICE_SPEAKERS) {
        host_try_links(pulse->host); /* streams that play to it */
    }
}

static void sink_seen(struct pulse *pulse, const pa_sink_info *info)
{
    device_seen(pulse, &(struct device_facts){
                           .kind = KODAMA_DEVICE_SPEAKERS,
                           .index = info->index,
                           .name = info->name,
                           .description = info->description,
                           .listen = info->monitor_source_name,
                           .spec = &info->sample_spec,
                           .map = &info->channel_map,
                           .volume = &info->volume,
                           .muted = info->mute != 0,
                           .hidden = pa_proplist_contains(info->proplist, PULSE_INSIDE) != 0,
                       });
}

static void source_seen(struct pulse *pulse, const pa_source_info *info)
{
    if (info->monitor_of_sink != PA_INVALID_INDEX) return; /* the sink stands for it */
    device_seen(pulse, &(struct device_facts){
                           .kind = KODAMA_DEVICE_MICROPHONE,
                           .index = info->index,
                           .name = info->name,
                           .description = info->description,
                           .listen = info->name,
                           .spec = &info->sample_spec,
                           .map = &info->channel_map,
                           .volume = &info->volume,
                           .muted = info->mute != 0,
                       });
}

/* ------------------------------------------------------------- answers and events */

/* The first list of one kind is complete. */
static void one_listed(struct pulse *pulse)
{
    if (pulse->n_waiting > 0 && --pulse->n_waiting == 0) pulse_listed(pulse);
}

static void on_client(pa_context *context, const pa_client_info *info, int end, void *user)
{
    (void)context;
    if (info && !end) client_seen(user, info);
}

static void on_input(pa_context *context, const pa_sink_input_info *info, int end, void *user)
{
    (void)context;
    if (info && !end) input_seen(user, info);
}

static void on_sink(pa_context *context, const pa_sink_info *info, int end, void *user)
{
    (void)context;
    if (info && !end) sink_seen(user, info);
}

static void on_source(pa_context *context, const pa_source_info *info, int end, void *user)
{
    (void)context;
    if (info && !end) source_seen(user, info);
}

static void on_server(pa_context *context, const pa_server_info *info, void *user)
{
    struct pulse *pulse = user;
    (void)context;
    if (!info) return;
    host_default_changed(pulse->host, KODAMA_DEVICE_SPEAKERS, info->default_sink_name);
    /* A monitor is no microphone: then there is none, and none is heard by default. */
    const char *source = info->default_source_name;
    bool is_mic = source && pulse_find_name(pulse, KODAMA_DEVICE_MICROPHONE, source);
    host_default_changed(pulse->host, KODAMA_DEVICE_MICROPHONE, is_mic ? source : NULL);
}

static void on_first_client(pa_context *context, const pa_client_info *info, int end, void *user)
{
    on_client(context, info, end, user);
    if (end) one_listed(user);
}

static void on_first_sink(pa_context *context, const pa_sink_info *info, int end, void *user)
{
    on_sink(context, info, end, user);
    if (end) one_listed(user);
}

static void on_first_source(pa_context *context, const pa_source_info *info, int end, void *user)
{
    on_source(context, info, end, user);
    if (end) one_listed(user);
}

static void on_first_input(pa_context *context, const pa_sink_input_info *info, int end, void *user)
{
    on_input(context, info, end, user);
    if (end) one_listed(user);
}

static void on_first_server(pa_context *context, const pa_server_info *info, void *user)
{
    on_server(context, info, user);
    one_listed(user);
}

static void on_new(struct pulse *pulse, pa_context *context, unsigned facility, uint32_t index)
{
    switch (facility) {
    case PA_SUBSCRIPTION_EVENT_CLIENT:
        pulse_forget(pa_context_get_client_info(context, index, on_client, pulse));
        break;
    case PA_SUBSCRIPTION_EVENT_SINK_INPUT:
        pulse_forget(pa_context_get_sink_input_info(context, index, on_input, pulse));
        break;
    case PA_SUBSCRIPTION_EVENT_SINK:
        pulse_forget(pa_context_get_sink_info_by_index(context, index, on_sink, pulse));
        break;
    case PA_SUBSCRIPTION_EVENT_SOURCE:
        pulse_forget(pa_context_get_source_info_by_index(context, index, on_source, pulse));
        /* It may be the default one, which could not be said before it was known. */
        pulse_forget(pa_context_get_server_info(context, on_server, pulse));
        break;
    default: pulse_forget(pa_context_get_server_info(context, on_server, pulse)); break;
    }
}

static void on_event(pa_context *context, pa_subscription_event_type_t type, uint32_t index,
                     void *user)
{
    struct pulse *pulse = user;
    unsigned facility = type & PA_SUBSCRIPTION_EVENT_FACILITY_MASK;
    if ((type & PA_SUBSCRIPTION_EVENT_TYPE_MASK) != PA_SUBSCRIPTION_EVENT_REMOVE) {
        on_new(pulse, context, facility, index);
        return;
    }
    switch (facility) {
    case PA_SUBSCRIPTION_EVENT_CLIENT: client_gone(pulse, index); break;
    case PA_SUBSCRIPTION_EVENT_SINK_INPUT: input_gone(pulse, index); break;
    case PA_SUBSCRIPTION_EVENT_SINK: device_gone(pulse, KODAMA_DEVICE_SPEAKERS, index); break;
    case PA_SUBSCRIPTION_EVENT_SOURCE: device_gone(pulse, KODAMA_DEVICE_MICROPHONE, index); break;
    default: break;
    }
}

void pulse_model_list(struct pulse *pulse)
{
    pa_context *context = pulse->context;
    pa_context_set_subscribe_callback(context, on_event, pulse);
    pulse_forget(pa_context_subscribe(
        context,
        PA_SUBSCRIPTION_MASK_CLIENT | PA_SUBSCRIPTION_MASK_SINK_INPUT | PA_SUBSCRIPTION_MASK_SINK |
            PA_SUBSCRIPTION_MASK_SOURCE | PA_SUBSCRIPTION_MASK_SERVER,
        NULL, NULL));
    /* Answers come in the order of the questions: streams are known last, when what they refer to
     * is. */
    pulse->n_waiting = 5;
    pulse_forget(pa_context_get_client_info_list(context, on_first_client, pulse));
    pulse_forget(pa_context_get_sink_info_list(context, on_first_sink, pulse));
    pulse_forget(pa_context_get_source_info_list(context, on_first_source, pulse));
    pulse_forget(pa_context_get_server_info(context, on_first_server, pulse));
    pulse_forget(pa_context_get_sink_input_info_list(context, on_first_input, pulse));
}

void pulse_model_clear(struct pulse *pulse)
{
    for (size_t i = 0; i < pulse->n_inputs; i++) pulse_meter_close(pulse->inputs[i].meter);
    for (size_t i = 0; i < pulse->n_clients; i++) pa_proplist_free(pulse->clients[i].properties);
    free(pulse->inputs);
    free(pulse->devices);
    free(pulse->clients);
    pulse->inputs = NULL;
    pulse->devices = NULL;
    pulse->clients = NULL;
    pulse->n_inputs = pulse->n_devices = pulse->n_clients = 0;
    pulse->n_waiting = 0;
}
