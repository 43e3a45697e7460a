/*
 * For tests of captures with applications that play through a daemon's PulseAudio protocol: which
 * backend is tested on which daemon, players, and what is claimed of what was heard.
 */
#ifndef TESTS_CAPTURE_LIVE_PLAYERS_H
#define TESTS_CAPTURE_LIVE_PLAYERS_H

#include "capture/live.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>

#include <kodama/app.h>
#include <kodama/host.h>

static const char *backend;
static struct daemon_options options;
static struct sound *low, *high;

static inline void use(void)
{
    bool built = false;
    for (size_t i = 0; kodama_host_backend_name(i); i++) {
        built = built || strcmp(kodama_host_backend_name(i), backend) == 0;
    }
    if (!built) {
        printf("# skipped: built without %s\n", backend);
        skip();
    }
    daemon_use(&options);
}

/* An application with a name plays a sound; on a device, or NULL. */
static inline pid_t play_on(const struct sound *sound, const char *name, const char *device)
{
    char client[200], to[200];
    snprintf(client, sizeof client, "--client-name=%s", name);
    snprintf(to, sizeof to, "--device=%s", device ? device : daemon_sink());
    return program_start((const char *[]){"paplay", client, to, sound->path, NULL});
}

static inline pid_t play(const struct sound *sound, const char *name)
{
    return play_on(sound, name, NULL);
}

static inline struct kodama_source_config config_for_app(const struct kodama_app_match *match)
{
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.backend = backend;
    config.apps = match;
    config.n_apps = 1;
    config.wait = true;
    return config;
}

static inline void hear(struct live *live, const char *name)
{
    struct kodama_app_match match = {.name = name};
    struct kodama_source_config config = config_for_app(&match);
    live_start(live, "app", &config);
}

static inline void hear_more(struct live *live, double seconds)
{
    live_receive(live, live_received(live), seconds);
}

/*
 * The sound is there, bit for bit and in order. Frames of it that are missing between two stretches
 * are missing because of a gap that was reported between them.
 */
static inline struct sound_report assert_sound(const struct live *live, const struct sound *sound,
                                               double at_least_s)
{
    struct sound_report report = live_compare(live, sound);
    size_t gaps = live_gap_frames(live, 0, (size_t)(report.end_at < 0 ? 0 : report.end_at));
    size_t untold = report.first_at < 0
                        ? 0
                        : live_untold_silence(live, (size_t)report.first_at, (size_t)report.end_at);
    print_message("# %zu frames, from %lld of it; %zu in gaps, %zu silent, %zu lost\n",
                  report.matched, (long long)report.first_from, gaps, untold, report.lost);
    assert_in_range(report.matched, (size_t)(at_least_s * LIVE_RATE), SIZE_MAX);
    assert_in_range(report.lost, 0, gaps + 256); /* both clocks are read to some frames */
    return report;
}

/* No other sound, to 90 dB below full scale. */
static inline void assert_absent(const struct live *live, const struct sound_report *report,
                                 const struct sound *other)
{
    double level = sound_level(live->frames + 2 * report->first_at,
                               (size_t)(report->end_at - report->first_at), other->frequency_hz);
    print_message("# the other one is at %.1f dBFS\n", level);
    assert_true(level < -90.0);
}

static inline bool is_there(const struct live *live, size_t from, size_t to,
                            const struct sound *sound)
{
    return sound_level(live->frames + 2 * from, to - from, sound->frequency_hz) > -30.0;
}

/* Begin: BACKEND DAEMON from the command line. */
static inline void begin(char **argv)
{
    backend = argv[1];
    options.kind = strcmp(argv[2], "pulse") == 0 ? DAEMON_PULSE : DAEMON_PIPEWIRE;
    /* A quantum that stalls of a shared machine seldom break. */
    if (strcmp(backend, "pipewire") == 0) options.quantum = 4096;
    low = sound_make(440.0, 12.0);
    high = sound_make(1000.0, 12.0);
}

static inline int end(int failed)
{
    sound_free(low);
    sound_free(high);
    return failed;
}

#endif
