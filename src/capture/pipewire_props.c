/* Volumes, mutes and formats of PipeWire's nodes, read and set. */
#define _GNU_SOURCE
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "capture/pipewire.h"

enum { VOLUMES_MAX = sizeof((struct pw_node_entry *)0)->volumes / sizeof(float) };

/* The scale of mixers is cubic: half way is an eighth of the amplitude. */
static double shown_volume(const struct pw_node_entry *node)
{
    float loudest = 0.0F;
    for (uint32_t i = 0; i < node->n_volumes; i++) loudest = fmaxf(loudest, node->volumes[i]);
    /* The servers keep floats: 50 % comes back as 0.49999999. */
    return round(cbrt((double)loudest) * 1e6) / 1e6;
}

static void read_props(struct pw_node_entry *node, const struct spa_pod *param)
{
    bool muted = node->is_stream ? node->stream.muted : node->device.muted;
    struct spa_pod_object *object = (struct spa_pod_object *)(uintptr_t)param;
    struct spa_pod_prop *prop;
    SPA_POD_OBJECT_FOREACH(object, prop)
    {
        if (prop->key == SPA_PROP_mute) {
            (void)spa_pod_get_bool(&prop->value, &muted);
        } else if (prop->key == SPA_PROP_channelVolumes) {
            node->n_volumes =
                spa_pod_copy_array(&prop->value, SPA_TYPE_Float, node->volumes, VOLUMES_MAX);
        }
    }
    if (node->is_stream) {
        node->stream.muted = muted;
        if (node->n_volumes > 0) node->stream.volume = shown_volume(node);
    } else {
        node->device.muted = muted;
        if (node->n_volumes > 0) node->device.volume = shown_volume(node);
    }
}

static enum kodama_sample sample_of(uint32_t format)
{
    switch (format) {
    case SPA_AUDIO_FORMAT_U8:
    case SPA_AUDIO_FORMAT_U8P: return KODAMA_SAMPLE_U8;
    case SPA_AUDIO_FORMAT_S16_LE:
    case SPA_AUDIO_FORMAT_S16P: return KODAMA_SAMPLE_S16;
    case SPA_AUDIO_FORMAT_S24_LE:
    case SPA_AUDIO_FORMAT_S24P: return KODAMA_SAMPLE_S24;
    case SPA_AUDIO_FORMAT_S24_32_LE:
    case SPA_AUDIO_FORMAT_S32_LE:
    case SPA_AUDIO_FORMAT_S24_32P:
    case SPA_AUDIO_FORMAT_S32P: return KODAMA_SAMPLE_S32;
    case SPA_AUDIO_FORMAT_F32_LE:
    case SPA_AUDIO_FORMAT_F32P: return KODAMA_SAMPLE_F32;
    default: return 0;
    }
}

static void read_format(struct pw_node_entry *node, const struct spa_pod *param)
{
    struct spa_audio_info_raw raw = {0};
    uint32_t type = 0, subtype = 0;
    if (spa_format_parse(param, &type, &subtype) < 0 || type != SPA_MEDIA_TYPE_audio ||
        subtype != SPA_MEDIA_SUBTYPE_raw || spa_format_audio_raw_parse(param, &raw) < 0) {
        return;
    }
    struct kodama_format *format = node->is_stream ? &node->stream.format : &node->device.format;
    format->sample = sample_of(raw.format);
    format->rate_hz = raw.rate;
    format->channels = raw.channels;
}

void props_read(struct pw_node_entry *node, uint32_t id, const struct spa_pod *param)
{
    if (!param) return;
    if (id == SPA_PARAM_Props) read_props(node, param);
    if (id == SPA_PARAM_Format) read_format(node, param);
}

int props_set_volume(struct pw_node_entry *node, double volume, struct kodama_error *error)
{
    float volumes[VOLUMES_MAX];
    uint32_t n = node->n_volumes;
    float loudest = 0.0F, wanted = (float)(volume * volume * volume);
    for (uint32_t i = 0; i < n; i++) loudest = fmaxf(loudest, node->volumes[i]);
    if (n == 0) n = node->stream.format.channels > 0 ? node->stream.format.channels : 2;
    if (n > VOLUMES_MAX) n = VOLUMES_MAX;
    for (uint32_t i = 0; i < n; i++) {
        volumes[i] = loudest > 0.0F ? wanted * (node->volumes[i] / loudest) : wanted;
    }
    uint8_t buffer[1024];
    struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(buffer, sizeof buffer);
    const struct spa_pod *param = spa_pod_builder_add_object(
        &builder, SPA_TYPE_OBJECT_Props, SPA_PARAM_Props, SPA_PROP_channelVolumes,
        SPA_POD_Array(sizeof(float), SPA_TYPE_Float, n, volumes));
    int status = pw_node_set_param((struct pw_node *)node->proxy, SPA_PARAM_Props, 0, param);
    if (status < 0) {
        return error_set(error, KODAMA_ERR_SYSTEM, "PipeWire does not set the volume: %s",
                         spa_strerror(status));
    }
    return KODAMA_OK;
}

int props_set_mute(struct pw_node_entry *node, bool mute, struct kodama_error *error)
{
    uint8_t buffer[256];
    struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(buffer, sizeof buffer);
    const struct spa_pod *param = spa_pod_builder_add_object(
        &builder, SPA_TYPE_OBJECT_Props, SPA_PARAM_Props, SPA_PROP_mute, SPA_POD_Bool(mute));
    int status = pw_node_set_param((struct pw_node *)node->proxy, SPA_PARAM_Props, 0, param);
    if (status < 0) {
        return error_set(error, KODAMA_ERR_SYSTEM, "PipeWire does not %s: %s",
                         mute ? "mute" : "unmute", spa_strerror(status));
    }
    return KODAMA_OK;
}
