/* Tests of the model of a host, with a backend that only takes notes. */
#define _DEFAULT_SOURCE /* usleep */
#include "support/support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/waitable.h"
#include "capture/capture.h"
#include "capture/host.h"

/* What the backend was asked for. */
static struct {
    int volumes, mutes;
    uint64_t stream;
    double volume;
    bool mute;
} asked;

static void nothing(struct kodama_host *host)
{
    (void)host;
}

static int note_volume(struct kodama_host *host, uint64_t stream, double volume,
                       struct kodama_error *error)
{
    (void)host;
    (void)error;
    asked.volumes++;
    asked.stream = stream;
    asked.volume = volume;
    return KODAMA_OK;
}

static int note_mute(struct kodama_host *host, uint64_t stream, bool mute,
                     struct kodama_error *error)
{
    (void)host;
    (void)error;
    asked.mutes++;
    asked.stream = stream;
    asked.mute = mute;
    return KODAMA_OK;
}

static const struct host_ops ops = {
    .name = "notes",
    .lock = nothing,
    .unlock = nothing,
    .set_volume = note_volume,
    .set_mute = note_mute,
};

static struct kodama_host *make_host(void)
{
    memset(&asked, 0, sizeof asked);
    struct kodama_host *host = calloc(1, sizeof *host);
    assert_non_null(host);
    host->ops = &ops;
    mutex_init(&host->mutex);
    condition_init(&host->changed);
    assert_int_equal(waitable_create(&host->waitable), KODAMA_OK);
    host->opened = host->connected = true;
    return host;
}

static void free_host(struct kodama_host *host)
{
    host_model_free(host);
    waitable_destroy(host->waitable);
    condition_destroy(&host->changed);
    mutex_destroy(&host->mutex);
    free(host);
}

static struct host_stream_info stream_of(uint32_t pid, const char *name)
{
    struct host_stream_info info;
    memset(&info, 0, sizeof info); /* compared whole */
    info.pid = pid;
    info.state = KODAMA_APP_ACTIVE;
    info.volume = 1.0;
    snprintf(info.name, sizeof info.name, "%s", name);
    return info;
}

static struct kodama_host_event next(struct kodama_host *host)
{
    struct kodama_host_event event = {0};
    int status = kodama_host_next_event(host, &event, 0);
    assert_true(status == KODAMA_OK || status == KODAMA_ERR_EMPTY);
    return event;
}

static void streams_of_one_process_are_one_application(void **state)
{
    (void)state;
    struct kodama_host *host = make_host();
    uint32_t self = (uint32_t)getpid();
    struct host_stream_info first = stream_of(self, "One"), second = stream_of(self, "Two");
    uint64_t ids[3];
    host_stream_seen(host, &first, &ids[0]);
    struct kodama_host_event event = next(host);
    assert_int_equal(event.kind, KODAMA_HOST_APP_ADDED);
    host_stream_seen(host, &second, &ids[1]);
    assert_int_equal(next(host).kind, KODAMA_HOST_APP_CHANGED);
    struct host_stream_info other = stream_of(0, "Three"); /* not known whose */
    host_stream_seen(host, &other, &ids[2]);
    struct kodama_app_list *list;
    assert_int_equal(kodama_host_apps(host, &list, NULL), KODAMA_OK);
    assert_int_equal(list->n_apps, 2);
    assert_int_equal(list->apps[0].id, event.id);
    assert_int_equal(list->apps[0].n_streams, 2);
    assert_string_equal(list->apps[0].streams[1].name, "Two");
    assert_int_equal(list->apps[1].n_streams, 1);
    assert_string_equal(list->apps[1].name, "Three");
    kodama_app_list_free(list);
    free_host(host);
}

static void an_application_that_is_gone_is_listed_while_its_process_lives(void **state)
{
    (void)state;
    struct kodama_host *host = make_host();
    pid_t child = fork();
    if (child == 0) {
        execlp("sleep", "sleep", "100", (char *)NULL);
        _exit(1);
    }
    /* Until it is another program than this one. */
    struct process process = {0};
    while (!process_read((uint32_t)child, &process) || strcmp(process.name, "sleep") != 0) {
        usleep(1000);
    }
    struct host_stream_info info = stream_of((uint32_t)child, "Sleeper");
    uint64_t id;
    host_stream_seen(host, &info, &id);
    uint64_t app = next(host).id;
    host_stream_gone(host, id);
    struct kodama_host_event event = next(host);
    assert_int_equal(event.kind, KODAMA_HOST_APP_REMOVED);
    struct kodama_app_list *list;
    assert_int_equal(kodama_host_apps(host, &list, NULL), KODAMA_OK);
    assert_int_equal(list->n_apps, 1);
    assert_int_equal(list->apps[0].state, KODAMA_APP_GONE);
    assert_string_equal(list->apps[0].name, "Sleeper");
    kodama_app_list_free(list);
    /* Back again it is the same application. */
    host_stream_seen(host, &info, &id);
    event = next(host);
    assert_int_equal(event.kind, KODAMA_HOST_APP_ADDED);
    assert_int_equal(event.id, app);
    host_stream_gone(host, id);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(kodama_host_apps(host, &list, NULL), KODAMA_OK);
    assert_int_equal(list->n_apps, 0);
    kodama_app_list_free(list);
    free_host(host);
}

static void a_volume_that_was_set_holds_for_streams_that_come(void **state)
{
    (void)state;
    struct kodama_host *host = make_host();
    struct host_stream_info info = stream_of((uint32_t)getpid(), "App");
    uint64_t first, second, third;
    host_stream_seen(host, &info, &first);
    uint64_t app = next(host).id;
    assert_int_equal(asked.volumes, 0);
    assert_int_equal(kodama_host_set_volume(host, app, 0.25, NULL), KODAMA_OK);
    assert_int_equal(kodama_host_set_mute(host, app, true, NULL), KODAMA_OK);
    assert_true(asked.volumes == 1 && asked.mutes == 1 && asked.stream == first);
    host_stream_seen(host, &info, &second);
    assert_true(asked.volumes == 2 && asked.mutes == 2 && asked.stream == second);
    assert_true(asked.volume == 0.25 && asked.mute);
    /* The user's mixer has the last word. */
    info.volume = 0.8;
    host_stream_changed(host, second, &info);
    host_stream_seen(host, &info, &third);
    assert_true(asked.stream == third && asked.volume == 0.8);
    double now = 0.0;
    assert_int_equal(kodama_host_change_volume(host, app, 3.0, &now, NULL), KODAMA_OK);
    assert_true(now == KODAMA_VOLUME_MAX && asked.volume == KODAMA_VOLUME_MAX);
    assert_int_equal(kodama_host_change_volume(host, app, -9.0, &now, NULL), KODAMA_OK);
    assert_true(now == 0.0);
    struct kodama_error error = {0};
    assert_int_equal(kodama_host_set_volume(host, app + 100, 0.5, &error), KODAMA_ERR_NOT_FOUND);
    host->connected = false;
    assert_int_equal(kodama_host_set_volume(host, app, 0.5, &error), KODAMA_ERR_STATE);
    free_host(host);
}

static void who_a_stream_belongs_to_may_be_known_later(void **state)
{
    (void)state;
    struct kodama_host *host = make_host();
    struct host_stream_info info = stream_of(0, "stream");
    uint64_t id;
    host_stream_seen(host, &info, &id);
    uint64_t before = next(host).id;
    info.pid = (uint32_t)getpid();
    host_stream_changed(host, id, &info);
    struct kodama_host_event event = next(host);
    assert_int_equal(event.kind, KODAMA_HOST_APP_REMOVED);
    assert_int_equal(event.id, before);
    event = next(host);
    assert_int_equal(event.kind, KODAMA_HOST_APP_ADDED);
    assert_int_not_equal(event.id, before);
    struct kodama_app_list *list;
    assert_int_equal(kodama_host_apps(host, &list, NULL), KODAMA_OK);
    assert_int_equal(list->n_apps, 1);
    assert_int_equal(list->apps[0].pid, getpid());
    kodama_app_list_free(list);
    free_host(host);
}

static void of_events_that_nobody_takes_the_newest_are_kept(void **state)
{
    (void)state;
    struct kodama_host *host = make_host();
    struct kodama_waitable waitable;
    assert_int_equal(kodama_host_waitable(host, &waitable), KODAMA_OK);
    assert_int_equal(kodama_waitable_wait(waitable, 0), KODAMA_ERR_TIMEOUT);
    for (uint64_t i = 0; i < 1000; i++) {
        host_event(host, KODAMA_HOST_APP_CHANGED, i);
        host_event(host, KODAMA_HOST_APP_CHANGED, i); /* the same again is one */
    }
    assert_int_equal(kodama_waitable_wait(waitable, 0), KODAMA_OK);
    for (uint64_t i = 1000 - HOST_EVENTS_MAX; i < 1000; i++) {
        struct kodama_host_event event = next(host);
        assert_int_equal(event.kind, KODAMA_HOST_APP_CHANGED);
        assert_int_equal(event.id, i);
    }
    struct kodama_host_event event;
    assert_int_equal(kodama_host_next_event(host, &event, 0), KODAMA_ERR_EMPTY);
    assert_int_equal(kodama_host_next_event(host, &event, 1000), KODAMA_ERR_TIMEOUT);
    assert_int_equal(kodama_waitable_wait(waitable, 0), KODAMA_ERR_TIMEOUT);
    free_host(host);
}

static void a_lost_server_takes_everything_with_it(void **state)
{
    (void)state;
    struct kodama_host *host = make_host();
    struct host_stream_info info = stream_of(0, "App");
    uint64_t id;
    host_stream_seen(host, &info, &id);
    struct host_device_info device;
    memset(&device, 0, sizeof device);
    device.kind = KODAMA_DEVICE_SPEAKERS;
    snprintf(device.name, sizeof device.name, "sink");
    host_device_seen(host, &device, &id);
    host_default_changed(host, KODAMA_DEVICE_SPEAKERS, "sink");
    struct kodama_device_list *devices;
    assert_int_equal(kodama_host_devices(host, &devices, NULL), KODAMA_OK);
    assert_int_equal(devices->n_devices, 1);
    assert_true(devices->devices[0].is_default);
    kodama_device_list_free(devices);
    while (next(host).kind) {
    }
    host_lost(host);
    assert_false(kodama_host_is_connected(host));
    assert_int_equal(next(host).kind, KODAMA_HOST_APP_REMOVED);
    assert_int_equal(next(host).kind, KODAMA_HOST_DEVICE_REMOVED);
    assert_int_equal(next(host).kind, KODAMA_HOST_LOST);
    assert_int_equal(next(host).kind, 0);
    host_back(host);
    assert_int_equal(next(host).kind, KODAMA_HOST_BACK);
    free_host(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_of_one_process_are_one_application),
        cmocka_unit_test(an_application_that_is_gone_is_listed_while_its_process_lives),
        cmocka_unit_test(a_volume_that_was_set_holds_for_streams_that_come),
        cmocka_unit_test(who_a_stream_belongs_to_may_be_known_later),
        cmocka_unit_test(of_events_that_nobody_takes_the_newest_are_kept),
        cmocka_unit_test(a_lost_server_takes_everything_with_it),
    };
    return cmocka_run_group_tests_name("host model", tests, NULL, NULL);
}
