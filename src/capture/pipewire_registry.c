/* What PipeWire has: nodes, their clients and ports, the default devices, the graph's rate. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "capture/pipewire.h"

/* ----------------------------------------------------------------------- texts */

/* Copy a property; what is not there leaves the text as it is. */
static void take_text(char *to, size_t n_bytes, const struct spa_dict *props, const char *key)
{
    const char *value = spa_dict_lookup(props, key);
    if (!value) return;
    memset(to, 0, n_bytes); /* infos are compared whole */
    snprintf(to, n_bytes, "%s", value);
}

static void set_text(char *to, size_t n_bytes, const char *value)
{
    memset(to, 0, n_bytes);
    snprintf(to, n_bytes, "%s", value);
}

static uint32_t number(const struct spa_dict *props, const char *key, uint32_t otherwise)
{
    const char *value = props ? spa_dict_lookup(props, key) : NULL;
    return value ? (uint32_t)strtoul(value, NULL, 10) : otherwise;
}

/* ----------------------------------------------------------------------- nodes */

static struct pw_client_entry *find_client(struct pipewire *pipewire, uint32_t global)
{
    struct pw_client_entry *client;
    spa_list_for_each(client, &pipewire->clients, link)
    {
        if (client->global == global) return client;
    }
    return NULL;
}

struct pw_node_entry *registry_find(struct pipewire *pipewire, uint64_t model_id)
{
    struct pw_node_entry *node;
    spa_list_for_each(node, &pipewire->nodes, link)
    {
        if (node->model_id == model_id) return node;
    }
    return NULL;
}

static const char *first_of(const char *a, const char *b, const char *c)
{
    return a[0] ? a : b[0] ? b : c;
}

/* Who plays: the node says it itself (PulseAudio's clients), or its client does. */
static void identify(struct pw_node_entry *node)
{
    static const struct pw_client_entry nobody;
    const struct pw_client_entry *client = find_client(node->pipewire, node->client);
    if (!client) client = &nobody;
    struct host_stream_info *info = &node->stream;
    info->pid = node->own_pid ? node->own_pid : client->pid;
    set_text(info->client, sizeof info->client, client->name);
    set_text(info->name, sizeof info->name, first_of(node->own_name, client->name, info->node));
    set_text(info->binary, sizeof info->binary, first_of(node->own_binary, client->binary, ""));
    set_text(info->icon, sizeof info->icon, first_of(node->own_icon, client->icon, ""));
}

void registry_report(struct pw_node_entry *node)
{
    struct kodama_host *host = node->pipewire->host;
    if (node->is_stream) {
        identify(node);
        if (node->model_id) {
            host_stream_changed(host, node->model_id, &node->stream);
            return;
        }
        host_stream_seen(host, &node->stream, &node->model_id);
        if (node->model_id && host->peaks) meter_open(node);
    } else if (node->model_id) {
        host_device_changed(host, node->model_id, &node->device);
    } else {
        host_device_seen(host, &node->device, &node->model_id);
    }
    /* Ports may have come before it was known who plays. */
    if (node->model_id) host_try_links(host);
}

static void take_node_props(struct pw_node_entry *node, const struct spa_dict *props)
{
    node->client = number(props, PW_KEY_CLIENT_ID, node->client);
    if (!node->is_stream) {
        struct host_device_info *device = &node->device;
        take_text(device->name, sizeof device->name, props, PW_KEY_NODE_NAME);
        take_text(device->description, sizeof device->description, props, PW_KEY_NODE_DESCRIPTION);
        if (!device->description[0]) {
            set_text(device->description, sizeof device->description, device->name);
        }
        device->format.channels = number(props, PW_KEY_AUDIO_CHANNELS, device->format.channels);
        return;
    }
    take_text(node->stream.node, sizeof node->stream.node, props, PW_KEY_NODE_NAME);
    take_text(node->stream.media, sizeof node->stream.media, props, PW_KEY_MEDIA_NAME);
    take_text(node->own_name, sizeof node->own_name, props, PW_KEY_APP_NAME);
    take_text(node->own_binary, sizeof node->own_binary, props, PW_KEY_APP_PROCESS_BINARY);
    take_text(node->own_icon, sizeof node->own_icon, props, PW_KEY_APP_ICON_NAME);
    node->own_pid = number(props, PW_KEY_APP_PROCESS_ID, node->own_pid);
}

static void on_node_info(void *data, const struct pw_node_info *info)
{
    struct pw_node_entry *node = data;
    if ((info->change_mask & PW_NODE_CHANGE_MASK_PROPS) && info->props) {
        take_node_props(node, info->props);
    }
    if (info->change_mask & PW_NODE_CHANGE_MASK_STATE) {
        node->stream.state =
            info->state == PW_NODE_STATE_RUNNING ? KODAMA_APP_ACTIVE : KODAMA_APP_IDLE;
    }
    registry_report(node);
}

static void on_node_param(void *data, int sequence, uint32_t id, uint32_t index, uint32_t next,
                          const struct spa_pod *param)
{
    struct pw_node_entry *node = data;
    (void)sequence;
    (void)index;
    (void)next;
    props_read(node, id, param);
    if (node->model_id) registry_report(node);
}

static const struct pw_node_events node_events = {
    PW_VERSION_NODE_EVENTS,
    .info = on_node_info,
    .param = on_node_param,
};

static void forget_node(struct pw_node_entry *node)
{
    if (node->meter) listener_close(node->meter);
    if (node->model_id && node->is_stream) host_stream_gone(node->pipewire->host, node->model_id);
    if (node->model_id && !node->is_stream) host_device_gone(node->pipewire->host, node->model_id);
    spa_list_remove(&node->link);
    spa_hook_remove(&node->hook);
    pw_proxy_destroy(node->proxy);
    free(node);
}

static void add_node(struct pipewire *pipewire, uint32_t global, const struct spa_dict *props)
{
    const char *class = spa_dict_lookup(props, PW_KEY_MEDIA_CLASS);
    if (!class) return;
    bool is_stream = strcmp(class, "Stream/Output/Audio") == 0;
    bool is_sink = strcmp(class, "Audio/Sink") == 0 || strcmp(class, "Audio/Duplex") == 0;
    bool is_source = strncmp(class, "Audio/Source", strlen("Audio/Source")) == 0;
    if (!is_stream && !is_sink && !is_source) return;
    struct pw_node_entry *node = memory_array(1, sizeof *node);
    struct pw_proxy *proxy = node ? pw_registry_bind(pipewire->registry, global,
                                                     PW_TYPE_INTERFACE_Node, PW_VERSION_NODE, 0)
                                  : NULL;
    if (!proxy) {
        free(node);
        return;
    }
    node->pipewire = pipewire;
    node->global = global;
    node->client = PW_ID_ANY;
    node->is_stream = is_stream;
    node->stream.volume = node->device.volume = 1.0;
    node->device.kind = is_sink ? KODAMA_DEVICE_SPEAKERS : KODAMA_DEVICE_MICROPHONE;
    node->proxy = proxy;
    take_node_props(node, props);
    spa_list_append(&pipewire->nodes, &node->link);
    pw_node_add_listener((struct pw_node *)proxy, &node->hook, &node_events, node);
    uint32_t ids[] = {SPA_PARAM_Props, SPA_PARAM_Format};
    pw_node_subscribe_params((struct pw_node *)proxy, ids, SPA_N_ELEMENTS(ids));
}

/* --------------------------------------------------------------------- clients */

static void on_client_info(void *data, const struct pw_client_info *info)
{
    struct pw_client_entry *client = data;
    if (!(info->change_mask & PW_CLIENT_CHANGE_MASK_PROPS) || !info->props) return;
    /* In a sandbox the first is a pid of another namespace; the second is what the kernel says. */
    uint32_t own = number(info->props, PW_KEY_APP_PROCESS_ID, 0);
    client->pid = own ? own : number(info->props, PW_KEY_SEC_PID, 0);
    take_text(client->name, sizeof client->name, info->props, PW_KEY_APP_NAME);
    take_text(client->binary, sizeof client->binary, info->props, PW_KEY_APP_PROCESS_BINARY);
    take_text(client->icon, sizeof client->icon, info->props, PW_KEY_APP_ICON_NAME);
    struct pw_node_entry *node;
    spa_list_for_each(node, &client->pipewire->nodes, link)
    {
        if (node->client == client->global && node->model_id) registry_report(node);
    }
}

static const struct pw_client_events client_events = {
    PW_VERSION_CLIENT_EVENTS,
    .info = on_client_info,
};

static void add_client(struct pipewire *pipewire, uint32_t global)
{
    struct pw_client_entry *client = memory_array(1, sizeof *client);
    struct pw_proxy *proxy = client
                                 ? pw_registry_bind(pipewire->registry, global,
                                                    PW_TYPE_INTERFACE_Client, PW_VERSION_CLIENT, 0)
                                 : NULL;
    if (!proxy) {
        free(client);
        return;
    }
    client->pipewire = pipewire;
    client->global = global;
    client->proxy = proxy;
    spa_list_append(&pipewire->clients, &client->link);
    pw_client_add_listener((struct pw_client *)proxy, &client->hook, &client_events, client);
}

static void forget_client(struct pw_client_entry *client)
{
    spa_list_remove(&client->link);
    spa_hook_remove(&client->hook);
    pw_proxy_destroy(client->proxy);
    free(client);
}

/* ----------------------------------------------------------------------- ports */

static void add_port(struct pipewire *pipewire, uint32_t global, const struct spa_dict *props)
{
    const char *direction = spa_dict_lookup(props, PW_KEY_PORT_DIRECTION);
    struct pw_port_entry *port = direction ? memory_array(1, sizeof *port) : NULL;
    if (!port) return;
    port->global = global;
    port->node = number(props, PW_KEY_NODE_ID, PW_ID_ANY);
    port->index = number(props, PW_KEY_PORT_ID, 0);
    port->is_output = strcmp(direction, "out") == 0;
    take_text(port->channel, sizeof port->channel, props, PW_KEY_AUDIO_CHANNEL);
    spa_list_append(&pipewire->ports, &port->link);
    listeners_complete(pipewire);
    host_try_links(pipewire->host);
    meters_link(pipewire);
}

/* -------------------------------------------------------------------- metadata */

/* The name in {"name":"..."}; names are plain, so no escapes are expected. */
static void name_in(const char *json, char *name, size_t n_bytes)
{
    name[0] = '\0';
    const char *at = json ? strstr(json, "\"name\"") : NULL;
    at = at ? strchr(at + 6, ':') : NULL;
    at = at ? strchr(at, '"') : NULL;
    if (at) snprintf(name, n_bytes, "%.*s", (int)strcspn(at + 1, "\""), at + 1);
}

static int on_metadata(void *data, uint32_t subject, const char *key, const char *type,
                       const char *value)
{
    struct pw_metadata_entry *metadata = data;
    struct pipewire *pipewire = metadata->pipewire;
    (void)type;
    if (subject != 0 || !key) return 0;
    if (metadata->is_settings) {
        uint32_t rate = value ? (uint32_t)strtoul(value, NULL, 10) : 0;
        if (strcmp(key, "clock.rate") == 0 && rate > 0) pipewire->rate_hz = rate;
        if (strcmp(key, "clock.force-rate") == 0) pipewire->forced_rate_hz = rate;
        return 0;
    }
    char name[KODAMA_NAME_BYTES];
    name_in(value, name, sizeof name);
    if (strncmp(key, "default.audio.", strlen("default.audio.")) == 0 && name[0]) {
        pipewire_settled(pipewire);
    }
    if (strcmp(key, "default.audio.sink") == 0) {
        host_default_changed(pipewire->host, KODAMA_DEVICE_SPEAKERS, name);
    } else if (strcmp(key, "default.audio.source") == 0) {
        host_default_changed(pipewire->host, KODAMA_DEVICE_MICROPHONE, name);
    }
    return 0;
}

static const struct pw_metadata_events metadata_events = {
    PW_VERSION_METADATA_EVENTS,
    .property = on_metadata,
};

static void add_metadata(struct pipewire *pipewire, uint32_t global, const struct spa_dict *props)
{
    const char *name = spa_dict_lookup(props, PW_KEY_METADATA_NAME);
    bool is_settings = name && strcmp(name, "settings") == 0;
    if (!name || (!is_settings && strcmp(name, "default") != 0)) return;
    struct pw_metadata_entry *metadata = memory_array(1, sizeof *metadata);
    struct pw_proxy *proxy =
        metadata ? pw_registry_bind(pipewire->registry, global, PW_TYPE_INTERFACE_Metadata,
                                    PW_VERSION_METADATA, 0)
                 : NULL;
    if (!proxy) {
        free(metadata);
        return;
    }
    metadata->pipewire = pipewire;
    metadata->global = global;
    metadata->is_settings = is_settings;
    metadata->proxy = proxy;
    spa_list_append(&pipewire->metadatas, &metadata->link);
    pw_metadata_add_listener((struct pw_metadata *)proxy, &metadata->hook, &metadata_events,
                             metadata);
}

static void forget_metadata(struct pw_metadata_entry *metadata)
{
    spa_list_remove(&metadata->link);
    spa_hook_remove(&metadata->hook);
    pw_proxy_destroy(metadata->proxy);
    free(metadata);
}

/* ---------------------------------------------------------------- the registry */

static void on_global(void *data, uint32_t id, uint32_t permissions, const char *type,
                      uint32_t version, const struct spa_dict *props)
{
    struct pipewire *pipewire = data;
    (void)permissions;
    (void)version;
    if (strcmp(type, PW_TYPE_INTERFACE_Client) == 0) add_client(pipewire, id);
    if (!props) return;
    if (strcmp(type, PW_TYPE_INTERFACE_Node) == 0) add_node(pipewire, id, props);
    if (strcmp(type, PW_TYPE_INTERFACE_Port) == 0) add_port(pipewire, id, props);
    if (strcmp(type, PW_TYPE_INTERFACE_Metadata) == 0) add_metadata(pipewire, id, props);
}

/* Call `forget` on the entries of a list with a global id (PW_ID_ANY: all). */
#define FORGET(list, type, id, forget)                                     \
    do {                                                                   \
        struct type *entry, *after;                                        \
        spa_list_for_each_safe(entry, after, (list), link)                 \
        {                                                                  \
            if ((id) == PW_ID_ANY || entry->global == (id)) forget(entry); \
        }                                                                  \
    } while (0)

static void forget_port(struct pw_port_entry *port)
{
    spa_list_remove(&port->link);
    free(port);
}

static void on_global_remove(void *data, uint32_t id)
{
    struct pipewire *pipewire = data;
    FORGET(&pipewire->nodes, pw_node_entry, id, forget_node);
    FORGET(&pipewire->clients, pw_client_entry, id, forget_client);
    FORGET(&pipewire->ports, pw_port_entry, id, forget_port);
    FORGET(&pipewire->metadatas, pw_metadata_entry, id, forget_metadata);
}

static const struct pw_registry_events registry_events = {
    PW_VERSION_REGISTRY_EVENTS,
    .global = on_global,
    .global_remove = on_global_remove,
};

void registry_follow(struct pipewire *pipewire)
{
    pipewire->registry = pw_core_get_registry(pipewire->core, PW_VERSION_REGISTRY, 0);
    if (!pipewire->registry) return;
    pw_registry_add_listener(pipewire->registry, &pipewire->registry_hook, &registry_events,
                             pipewire);
}

void registry_forget(struct pipewire *pipewire)
{
    on_global_remove(pipewire, PW_ID_ANY);
    if (pipewire->registry) spa_hook_remove(&pipewire->registry_hook);
}
