/*
 * The virtual microphone on PulseAudio, made of its own modules: a null sink that we play into, and
 * a remapped source on its monitor, which programs list as a microphone (they hide monitors).
 *
 * module-pipe-source would need no sink, but has no clock: it gives what is in its pipe as fast as
 * it is asked. The null sink takes frames in real time whether somebody listens or not.
 *
 * The modules are unloaded at the end. A program that crashed leaves them behind: their arguments
 * say who made them, and the next program that connects unloads those whose maker has ended.
 */
#define _GNU_SOURCE /* strcasestr */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/process.h"
#include "capture/pulse_playback.h"

#define OWNER_KEY "kodama.owner="

enum { ARGUMENT_BYTES = 1500 };

static void make_source(struct pulse_playback *state);

/* Numbers of processes mean something only within one such space (a container has its own). */
static unsigned long long process_space(void)
{
    struct stat about;
    return stat("/proc/self/ns/pid", &about) == 0 ? (unsigned long long)about.st_ino : 0;
}

static void write_owner(char *text, size_t n_bytes)
{
    struct process self = {0};
    (void)process_read((uint32_t)getpid(), &self);
    snprintf(text, n_bytes, "%lu.%llu.%llu", (unsigned long)self.pid,
             (unsigned long long)self.start, process_space());
}

/* A label within quotes within quotes. */
static void write_label(char *text, size_t n_bytes, const char *label)
{
    snprintf(text, n_bytes, "%s", label);
    for (char *c = text; *c; c++) {
        if (strchr("'\"\\", *c) || (unsigned char)*c < ' ') *c = '-';
    }
}

static void write_map(char *text, size_t n_bytes, const struct playback *playback)
{
    pa_sample_spec spec;
    pa_channel_map map;
    char positions[PA_CHANNEL_MAP_SNPRINT_MAX];
    (void)pulse_spec(playback->format, &spec, &map);
    snprintf(text, n_bytes, "rate=%u channels=%u channel_map=%s", spec.rate, spec.channels,
             pa_channel_map_snprint(positions, sizeof positions, &map));
}

/* ---------------------------------------------------------------------- the steps */

static void on_sink(pa_context *context, const pa_sink_info *info, int end, void *user)
{
    struct pulse_playback *state = user;
    (void)context;
    if (info && !end && info->owner_module == state->sink_module) {
        snprintf(state->sink, sizeof state->sink, "%s", info->name);
    }
    if (!end) return;
    if (state->sink[0]) {
        make_source(state);
    } else {
        pulse_playback_fail(state, "make a virtual microphone");
    }
}

static void on_source_module(pa_context *context, uint32_t index, void *user)
{
    struct pulse_playback *state = user;
    (void)context;
    state->source_module = index;
    if (index == PA_INVALID_INDEX) {
        pulse_playback_fail(state, "load module-remap-source");
    } else {
        pulse_playback_connect(state, state->sink);
    }
}

static void make_source(struct pulse_playback *state)
{
    char arguments[ARGUMENT_BYTES], label[300], map[400], owner[80];
    write_label(label, sizeof label, state->playback->label);
    write_map(map, sizeof map, state->playback);
    write_owner(owner, sizeof owner);
    snprintf(arguments, sizeof arguments,
             "source_name=%s master=%s.monitor %s remix=no "
             "source_properties=\"device.description='%s' "
             "device.icon_name=audio-input-microphone " OWNER_KEY "%s\"",
             state->playback->name, state->sink, map, label, owner);
    pulse_playback_expect(state,
                          pa_context_load_module(state->pulse->context, "module-remap-source",
                                                 arguments, on_source_module, state),
                          "load module-remap-source");
}

static void on_sink_module(pa_context *context, uint32_t index, void *user)
{
    struct pulse_playback *state = user;
    state->sink_module = index;
    if (index == PA_INVALID_INDEX) {
        pulse_playback_fail(state, "load module-null-sink");
        return;
    }
    /* Its name may be another one when ours was taken. */
    pulse_playback_expect(state, pa_context_get_sink_info_list(context, on_sink, state),
                          "list its sinks");
}

static void make_sink(struct pulse_playback *state)
{
    char arguments[ARGUMENT_BYTES], label[300], map[400], owner[80];
    pa_sample_spec spec;
    pa_channel_map channels;
    (void)pulse_spec(state->playback->format, &spec, &channels);
    write_label(label, sizeof label, state->playback->label);
    write_map(map, sizeof map, state->playback);
    write_owner(owner, sizeof owner);
    /* Without rewinds nothing that was given to who records is taken back. */
    snprintf(arguments, sizeof arguments,
             "sink_name=%s.feed %s format=%s%s sink_properties=\"device.description='%s "
             "feed' " PULSE_INSIDE "=1 " OWNER_KEY "%s\"",
             state->playback->name, map, pa_sample_format_to_string(spec.format),
             state->on_pipewire ? "" : " norewinds=1", label, owner);
    pulse_playback_expect(state,
                          pa_context_load_module(state->pulse->context, "module-null-sink",
                                                 arguments, on_sink_module, state),
                          "load module-null-sink");
}

static void on_pinned(pa_context *context, int success, void *user)
{
    (void)context;
    (void)success;
    make_sink(user);
}

static void on_server(pa_context *context, const pa_server_info *info, void *user)
{
    struct pulse_playback *state = user;
    if (!info) {
        pulse_playback_fail(state, "say what it is");
        return;
    }
    state->on_pipewire = info->server_name && strcasestr(info->server_name, "pipewire");
    const char *source = info->default_source_name;
    bool has_mic = source && pulse_find_name(state->pulse, KODAMA_DEVICE_MICROPHONE, source);
    if (has_mic || !source || state->on_pipewire) {
        make_sink(state);
        return;
    }
    /* Without any microphone the default source is a monitor, and the first source that is none
     * would take its place: unless the default was chosen by somebody. So choose what is. */
    pulse_playback_expect(state, pa_context_set_default_source(context, source, on_pinned, state),
                          "keep the default source");
}

void pulse_mic_begin(struct pulse_playback *state)
{
    pulse_playback_expect(state,
                          pa_context_get_server_info(state->pulse->context, on_server, state),
                          "say what it is");
}

static void on_unloaded(pa_context *context, int success, void *user)
{
    (void)context;
    (void)success;
    pulse_wake(user);
}

void pulse_mic_end(struct pulse_playback *state)
{
    struct pulse *pulse = state->pulse;
    if (!pulse->context || pa_context_get_state(pulse->context) != PA_CONTEXT_READY) return;
    uint32_t modules[] = {state->source_module, state->sink_module};
    for (size_t i = 0; i < 2; i++) {
        if (modules[i] == PA_INVALID_INDEX) continue;
        pa_operation *operation =
            pa_context_unload_module(pulse->context, modules[i], on_unloaded, pulse);
        /* A connection that is closed next would take the order along. */
        if (pa_threaded_mainloop_in_thread(pulse->loop)) {
            pulse_forget(operation);
        } else {
            (void)pulse_await(pulse, operation);
        }
    }
}

/* ----------------------------------------------------------------------- the sweep */

/* A number and the '.' behind it, or the end; the place behind that, NULL: it is none. */
static const char *read_number(const char *text, unsigned long long *number)
{
    if (!text || *text < '0' || *text > '9') return NULL;
    char *end;
    *number = strtoull(text, &end, 10);
    return *end == '.' ? end + 1 : end;
}

/* Whether the maker of a module has ended. */
static bool is_stale(const char *argument)
{
    const char *owner = argument ? strstr(argument, OWNER_KEY) : NULL;
    unsigned long long pid, start, space;
    if (!owner) return false;
    const char *next = read_number(owner + strlen(OWNER_KEY), &pid);
    next = read_number(next, &start);
    next = read_number(next, &space);
    struct process process;
    if (!next || pid > UINT32_MAX || space == 0 || space != process_space()) return false;
    return !process_read((uint32_t)pid, &process) || process.start != start;
}

static void on_module(pa_context *context, const pa_module_info *info, int end, void *user)
{
    struct pulse *pulse = user;
    if (end || !info || !is_stale(info->argument)) return;
    log_write(pulse->host->log, KODAMA_LOG_INFO,
              "removing what a program that crashed has left in PulseAudio: %s %s", info->name,
              info->argument);
    pulse_forget(pa_context_unload_module(context, info->index, NULL, NULL));
}

void pulse_mic_sweep(struct pulse *pulse)
{
    if (!pa_context_is_local(pulse->context)) return;
    pulse_forget(pa_context_get_module_info_list(pulse->context, on_module, pulse));
}
