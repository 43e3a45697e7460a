/* Formats as libpulse calls them. */
#include "capture/pulse.h"

static const struct {
    enum kodama_sample sample;
    pa_sample_format_t pulse;
} samples[] = {
    {KODAMA_SAMPLE_U8, PA_SAMPLE_U8},         {KODAMA_SAMPLE_S16, PA_SAMPLE_S16LE},
    {KODAMA_SAMPLE_S24, PA_SAMPLE_S24LE},     {KODAMA_SAMPLE_S32, PA_SAMPLE_S32LE},
    {KODAMA_SAMPLE_F32, PA_SAMPLE_FLOAT32LE},
};

static const struct {
    enum kodama_channel channel;
    pa_channel_position_t pulse;
} positions[] = {
    {KODAMA_CHANNEL_FL, PA_CHANNEL_POSITION_FRONT_LEFT},
    {KODAMA_CHANNEL_FR, PA_CHANNEL_POSITION_FRONT_RIGHT},
    {KODAMA_CHANNEL_FC, PA_CHANNEL_POSITION_FRONT_CENTER},
    {KODAMA_CHANNEL_LFE, PA_CHANNEL_POSITION_LFE},
    {KODAMA_CHANNEL_BL, PA_CHANNEL_POSITION_REAR_LEFT},
    {KODAMA_CHANNEL_BR, PA_CHANNEL_POSITION_REAR_RIGHT},
    {KODAMA_CHANNEL_BC, PA_CHANNEL_POSITION_REAR_CENTER},
    {KODAMA_CHANNEL_SL, PA_CHANNEL_POSITION_SIDE_LEFT},
    {KODAMA_CHANNEL_SR, PA_CHANNEL_POSITION_SIDE_RIGHT},
};

enum {
    N_SAMPLES = sizeof samples / sizeof samples[0],
    N_POSITIONS = sizeof positions / sizeof positions[0],
};

/* Bits of a mask are in frame order, and only an increasing order can be said. */
static uint32_t mask_of(const pa_channel_map *map)
{
    uint32_t mask = 0;
    for (unsigned c = 0; c < map->channels; c++) {
        uint32_t bit = 0;
        for (size_t i = 0; i < N_POSITIONS; i++) {
            if (positions[i].pulse == map->map[c]) bit = (uint32_t)positions[i].channel;
        }
        if (bit <= mask) return 0;
        mask |= bit;
    }
    return mask;
}

struct kodama_format pulse_format(const pa_sample_spec *spec, const pa_channel_map *map)
{
    struct kodama_format format = {.rate_hz = spec->rate, .channels = spec->channels};
    for (size_t i = 0; i < N_SAMPLES; i++) {
        if (samples[i].pulse == spec->format) format.sample = samples[i].sample;
    }
    if (map && spec->channels > 2) format.channel_mask = mask_of(map);
    return format;
}

bool pulse_spec(struct kodama_format format, pa_sample_spec *spec, pa_channel_map *map)
{
    *spec = (pa_sample_spec){
        .format = PA_SAMPLE_INVALID, .rate = format.rate_hz, .channels = (uint8_t)format.channels};
    for (size_t i = 0; i < N_SAMPLES; i++) {
        if (samples[i].sample == format.sample) spec->format = samples[i].pulse;
    }
    pa_channel_map_init_extend(map, format.channels, PA_CHANNEL_MAP_WAVEEX);
    unsigned c = 0;
    for (size_t i = 0; i < N_POSITIONS && format.channel_mask; i++) {
        if (!(format.channel_mask & (uint32_t)positions[i].channel)) continue;
        if (c < format.channels) map->map[c++] = positions[i].pulse;
    }
    return pa_sample_spec_valid(spec) && pa_channel_map_valid(map);
}
