/* kodama voice: a voice changed live, with keys to change it further. */
#include "command/voice_command.h"

#include <math.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kodama/voice_model.h>

#include "command/input.h"
#include "command/interrupt.h"
#include "command/keys.h"
#include "command/output.h"
#include "command/progress.h"
#include "command/screen.h"
#include "command/voice_live.h"
#include "command/voice_status.h"

enum { TICK_MS = 50 };
static const double note_s = 3;

struct voice {
    const struct voice_command_options *options;
    struct screen screen;
    struct kodama_log log;
    struct voice_live live;
    struct kodama_voice_settings settings; /* as they are now */
    size_t preset;     /* index of the preset that is heard, when preset_known */
    const char *heard; /* its name; NULL: none */
    const char *note;  /* what was done, for a moment */
    double noted_s;
    bool quit;
    int code; /* of printing */
};

/* ---------------------------------------------------------------- settings */

static void note(struct voice *voice, const char *words)
{
    voice->note = words;
    voice->noted_s = progress_now_s();
}

static void apply(struct voice *voice)
{
    if (kodama_voice_set(voice->live.voice, &voice->settings) < 0) {
        kodama_voice_get(voice->live.voice, &voice->settings);
        note(voice, "that is not possible");
        return;
    }
    if (voice->options->json && voice->code == EXIT_DONE) {
        voice->code = voice_print_settings(&voice->settings);
    }
}

static void next_preset(struct voice *voice)
{
    const char *name = kodama_voice_preset_name(voice->heard ? voice->preset + 1 : 0);
    voice->preset = voice->heard && name ? voice->preset + 1 : 0;
    voice->heard = kodama_voice_preset_name(voice->preset);
    (void)kodama_voice_preset(voice->heard, &voice->settings);
}

/* The bed behind the present one; "none" comes last. */
static void next_noise(struct voice *voice)
{
    const char *now = voice->settings.noise ? voice->settings.noise : "none";
    size_t i = 0;
    while (voice_noise_choice(i) && strcmp(voice_noise_choice(i), now) != 0) i++;
    const char *name = voice_noise_choice(i) ? voice_noise_choice(i + 1) : NULL;
    voice->settings.noise = name ? name : voice_noise_choice(0);
}

static float stepped(float value, float step, float most)
{
    return fminf(fmaxf(roundf(value * 2) / 2 + step, -most), most);
}

static void save(struct voice *voice)
{
    const char *name = voice->options->save_preset;
    if (!name) {
        note(voice, "begin with --save-preset NAME to save");
        return;
    }
    bool saved = voice_preset_save("voice", name, &voice->settings) == EXIT_DONE;
    note(voice, saved ? "saved" : "not saved");
}

static void press(struct voice *voice, char key)
{
    struct kodama_voice_settings *settings = &voice->settings;
    switch (key) {
    case '+':
    case '=': settings->pitch = stepped(settings->pitch, 1, 24); break;
    case '-': settings->pitch = stepped(settings->pitch, -1, 24); break;
    case ']': settings->formant = stepped(settings->formant, 1, 12); break;
    case '[': settings->formant = stepped(settings->formant, -1, 12); break;
    case 'p': next_preset(voice); break;
    case 'n': next_noise(voice); break;
    case 'f': settings->fluctuation = !settings->fluctuation; break;
    case 'm': settings->mute = !settings->mute; break;
    case '0':
        settings->pitch = settings->formant = 0;
        settings->effect = KODAMA_EFFECT_NONE;
        voice->heard = NULL;
        break;
    case 's': save(voice); return;
    case 'q': voice->quit = true; return;
    default: return;
    }
    apply(voice);
}

/* ----------------------------------------------------------------- the loop */

static void show(struct voice *voice)
{
    if (voice->screen.fd < 0) return;
    struct voice_seen seen;
    struct text words = {0};
    voice_look(&voice->live, &seen);
    voice_words(&words, voice->heard, &voice->settings);
    if (progress_now_s() - voice->noted_s > note_s) voice->note = NULL;
    voice_paint(&voice->screen, &seen, text_string(&words), voice->note);
    text_free(&words);
}

static int print_levels(struct voice *voice)
{
    struct voice_seen seen;
    voice_look(&voice->live, &seen);
    return voice_print("levels", &seen, NULL, NULL);
}

static void wait_for_something(struct voice *voice, double next_s)
{
    struct kodama_waitable events = {.fd = -1};
    (void)kodama_stream_event_waitable(voice->live.stream, &events);
    struct pollfd pollers[] = {{.fd = interrupt_descriptor(), .events = POLLIN},
                               {.fd = events.fd, .events = POLLIN},
                               {.fd = keys_descriptor(), .events = POLLIN}};
    double left_ms = (next_s - progress_now_s()) * 1000 + 1;
    int wait_ms = voice->screen.fd >= 0            ? TICK_MS
                  : voice->options->json           ? (int)fmax(left_ms, 0)
                  : voice->options->duration_s > 0 ? TICK_MS
                                                   : -1;
    int n = poll(pollers, 3, wait_ms);
    if (n > 0 && pollers[0].revents) {
        interrupt_acknowledge();
        (void)keys_open();
        screen_refresh(&voice->screen);
    }
    if (n > 0 && pollers[2].revents) press(voice, keys_read());
}

/* Until the input ends, a key or a signal. @return why */
static const char *run(struct voice *voice)
{
    const struct voice_command_options *options = voice->options;
    double next_s = progress_now_s() + options->interval_s;
    while (voice->code == EXIT_DONE) {
        struct kodama_stream_event event;
        struct kodama_voice_stats stats;
        if (interrupt_signal()) return "interrupted";
        if (voice->quit) return "quit";
        while (kodama_stream_next_event(voice->live.stream, &event, 0) == KODAMA_OK) {
            if (event.kind == KODAMA_STREAM_ENDED) return "ended";
        }
        if (options->duration_s > 0) {
            kodama_voice_stats(voice->live.voice, &stats);
            double heard_s = (double)stats.frames_in / (double)voice->live.format.rate_hz;
            if (heard_s >= options->duration_s) return "duration";
        }
        show(voice);
        if (options->json && progress_now_s() >= next_s) {
            next_s += options->interval_s;
            voice->code = print_levels(voice);
        }
        wait_for_something(voice, next_s);
    }
    return "failed";
}

/* ------------------------------------------------------------------ opening */

/* The file that is written: a new one, or one that may be replaced, and not the one that is read.
 */
static int check_file(const struct voice_command_options *options)
{
    struct stat written, read;
    if (stat(options->to, &written) != 0) return EXIT_DONE;
    if (options->file && stat(options->file, &read) == 0 && read.st_dev == written.st_dev &&
        read.st_ino == written.st_ino) {
        complain("voice", "--to is the file that is read; give the new one another name");
        return EXIT_USAGE;
    }
    if (options->overwrite) return EXIT_DONE;
    complain("voice", "there is a file %s already; --overwrite replaces it", options->to);
    return EXIT_FAILED;
}

static int choose_target(const struct voice_command_options *options, struct voice_target *target)
{
    const char *to = options->to, *name = strchr(to, ':');
    size_t length = name ? (size_t)(name - to) : strlen(to);
    name = name && name[1] ? name + 1 : NULL;
    *target = (struct voice_target){
        .kind = "file",
        .name = to,
        .monitor = options->monitor,
        .overwrite = options->overwrite,
        .backend = options->capture.backend,
        .latency = capture_latency(options->capture.latency),
    };
    bool speakers = length == 8 && strncmp(to, "speakers", length) == 0;
    bool mic = length == 3 && strncmp(to, "mic", length) == 0;
    if (speakers || mic) {
        target->kind = speakers ? "speakers" : "mic";
        target->name = name;
    } else if (kodama_file_of(to) == KODAMA_FILE_AUTO) {
        complain("voice",
                 "--to cannot be \"%s\": it is speakers, speakers:NAME, mic:NAME, or a file that "
                 "ends in .wav, .flac, .ogg or .opus",
                 to);
        return EXIT_USAGE;
    }
    if (strcmp(target->kind, "file") == 0) return check_file(options);
    if (speakers && options->monitor) {
        complain("voice", "--monitor is for a microphone or a file; the speakers are heard anyway");
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

static void log_line(void *user, enum kodama_log_level level, const char *line)
{
    struct voice *voice = user;
    (void)level;
    screen_note(&voice->screen, "voice", "%s", line);
}

static int open_source(struct voice *voice, struct kodama_source **source)
{
    const struct voice_command_options *options = voice->options;
    if (!options->file) return capture_open(source, "voice", &options->capture, &voice->log);
    struct input_choice choice = {.names = &options->file, .n_names = 1, .paced = true};
    return input_open_choice(source, "voice", &choice);
}

/* What the end was like, where nobody looked on. */
static void tell_end(const struct voice *voice, const char *reason)
{
    struct voice_seen seen;
    voice_look(&voice->live, &seen);
    if (voice->options->json) {
        (void)voice_print("ended", &seen, NULL, reason);
        return;
    }
    double frame_ms = 1000 / seen.rate_hz;
    if (seen.player.drops > 0) {
        complain("voice", "%.0f ms were left out because they came too late",
                 (double)seen.player.dropped_frames * frame_ms);
    }
    if (seen.voice.faults > 0) {
        complain("voice", "the voice failed %llu times, which were silent for %.0f ms",
                 (unsigned long long)seen.voice.faults,
                 (double)seen.voice.silenced_frames * frame_ms);
    }
    if (seen.lost > 0) {
        complain("voice", "%llu frames were lost on the way", (unsigned long long)seen.lost);
    }
}

static int talk(struct voice *voice, const struct voice_target *target)
{
    struct kodama_error error = {0};
    interrupt_arm();
    int status = voice_live_start(&voice->live, &error);
    if (status < 0) {
        screen_note(&voice->screen, "voice", "%s", error.message);
        return EXIT_FAILED;
    }
    if (voice->options->json) {
        struct voice_seen seen;
        voice_look(&voice->live, &seen);
        voice->code = voice_print("started", &seen, voice->options->to, NULL);
    }
    (void)target;
    const char *reason = run(voice);
    status = voice_live_finish(&voice->live, &error);
    screen_close(&voice->screen);
    keys_close();
    if (voice->code == EXIT_DONE) tell_end(voice, reason);
    if (status < 0 && status != KODAMA_ERR_CANCELLED) {
        complain("voice", "%s", error.message[0] ? error.message : kodama_strerror(status));
        return EXIT_FAILED;
    }
    return voice->code;
}

static int open_and_talk(struct voice *voice, struct kodama_voice_config *config)
{
    struct voice_target target;
    struct kodama_source *source = NULL;
    int code = choose_target(voice->options, &target);
    if (code != EXIT_DONE) return code;
    (void)screen_open(&voice->screen, voice->options->json ? -1 : STDOUT_FILENO);
    voice->screen.transient = true;
    (void)interrupt_open(keys_restore, &voice->screen);
    if (voice->screen.fd >= 0) (void)keys_open();
    code = open_source(voice, &source);
    if (code == EXIT_DONE) {
        code = voice_live_open(&voice->live, source, config, &target, &voice->log);
        if (code == EXIT_DONE) code = talk(voice, &target);
        voice_live_close(&voice->live);
    }
    screen_close(&voice->screen);
    keys_close();
    if (code == EXIT_DONE && interrupt_signal()) code = 128 + interrupt_signal();
    interrupt_close();
    return code;
}

static int change(struct voice *voice, const struct invocation *invocation,
                  struct kodama_voice_config *config)
{
    const struct voice_command_options *options = voice->options;
    bool heard = options->file || capture_is_chosen(&options->capture);
    if (!heard && options->save_preset) {
        return voice_preset_save("voice", options->save_preset, &config->settings);
    }
    int code = capture_check(invocation->command, &options->capture, options->file ? 1 : 0);
    if (code != EXIT_DONE) return code;
    for (size_t i = 0; voice->heard && kodama_voice_preset_name(i); i++) {
        if (strcmp(kodama_voice_preset_name(i), voice->heard) == 0) voice->preset = i;
    }
    voice->settings = config->settings;
    code = open_and_talk(voice, config);
    bool saves = options->save_preset && code != EXIT_FAILED && code != EXIT_USAGE;
    if (saves && voice_preset_save("voice", options->save_preset, &voice->settings) != EXIT_DONE) {
        code = EXIT_FAILED;
    }
    return code;
}

/* What is asked about presets, and nothing else. */
static bool is_about_presets(const struct voice_command_options *options)
{
    return options->list_presets || options->show_preset || options->remove_presets.n > 0;
}

static int tend_presets(const struct voice_command_options *options)
{
    const struct option_list *gone = &options->remove_presets;
    int n_asked = options->list_presets + (options->show_preset != NULL) + (gone->n > 0) +
                  (options->save_preset != NULL);
    if (n_asked > 1) {
        complain("voice", "--list-presets, --show-preset, --remove-preset and --save-preset do not "
                          "go together");
        return EXIT_USAGE;
    }
    if (options->list_presets) return voice_preset_list("voice", options->json);
    if (options->show_preset)
        return voice_preset_show("voice", options->show_preset, options->json);
    return voice_preset_remove("voice", gone);
}

int voice_run(const struct invocation *invocation)
{
    const struct voice_command_options *options = invocation->options;
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    struct voice voice = {.options = options, .screen = {.fd = -1}, .heard = options->voice.preset};
    voice.log = (struct kodama_log){.write = log_line, .user = &voice, .level = KODAMA_LOG_WARNING};
    if (is_about_presets(options)) return tend_presets(options);
    int code = voice_options_read("voice", &options->voice, &config);
    if (code != EXIT_DONE) return code;
    code = change(&voice, invocation, &config);
    kodama_voice_model_close(config.model);
    return code;
}
