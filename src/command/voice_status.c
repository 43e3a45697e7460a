/* What is shown of a live voice: meters and delay on a terminal, lines of JSON elsewhere. */
#include "command/voice_status.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "command/json.h"
#include "command/levels_text.h"
#include "command/voice_options.h"

static double db_of(float peak)
{
    return peak > 0 ? 20 * log10((double)peak) : -INFINITY;
}

static double ms_of(uint64_t ns)
{
    return (double)ns * 1e-6;
}

static double total_ms(const struct voice_delay *delay)
{
    return ms_of(delay->capture_ns + delay->voice_ns + delay->sink_ns);
}

void voice_look(const struct voice_live *live, struct voice_seen *seen)
{
    struct kodama_stream_stats stream;
    *seen = (struct voice_seen){.rate_hz = (double)live->format.rate_hz};
    kodama_voice_stats(live->voice, &seen->voice);
    if (live->target.player) kodama_player_stats(live->target.player, &seen->player);
    kodama_stream_stats(live->stream, &stream);
    seen->lost = stream.lost_frames;
    seen->time_s = (double)seen->voice.frames_in / seen->rate_hz;
    seen->delay = voice_live_delay(live);
}

static void add_meter(const struct screen *screen, struct text *page, const char *name, float peak)
{
    double db = db_of(peak);
    text_add(page, name);
    screen_bar(screen, page, (double)screen_level(db));
    levels_db(page, db);
    text_add(page, " dBFS");
}

void voice_paint(struct screen *screen, const struct voice_seen *seen, const char *what,
                 const char *note)
{
    struct text page = {0}, status = {0};
    char at[16];
    add_meter(screen, &page, "in  ", seen->voice.input_peak);
    if (seen->voice.f0_hz > 0) text_printf(&page, "  %3.0f Hz", (double)seen->voice.f0_hz);
    text_add(&page, "\n");
    add_meter(screen, &page, "out ", seen->voice.output_peak);
    text_printf(&page, "  %.0f ms behind: %.0f captured, %.1f changed, %.0f waiting\n",
                total_ms(&seen->delay), ms_of(seen->delay.capture_ns), ms_of(seen->delay.voice_ns),
                ms_of(seen->delay.sink_ns));
    text_printf(&status, "%s  %s", screen_time(seen->time_s, at), what);
    if (seen->player.underruns > 0) {
        text_printf(&status, "  %" PRIu64 " underruns", seen->player.underruns);
    }
    if (seen->player.behind) text_add(&status, "  catching up");
    if (seen->player.drops > 0) text_printf(&status, "  %" PRIu64 " dropped", seen->player.drops);
    if (seen->voice.faults > 0) text_printf(&status, "  %" PRIu64 " faults", seen->voice.faults);
    if (seen->lost > 0) text_printf(&status, "  %" PRIu64 " frames lost", seen->lost);
    if (note && note[0]) text_printf(&status, "  %s", note);
    screen_table(screen, text_string(&page));
    screen_status(screen, text_string(&status));
    text_free(&page);
    text_free(&status);
}

static void set_ms(json_t *all, const char *name, double ms)
{
    json_object_set_new(all, name, json_rounded(ms, 2));
}

static void set_count(json_t *all, const char *name, uint64_t value)
{
    json_object_set_new(all, name, json_integer((json_int_t)value));
}

static void add_levels(json_t *all, const struct voice_seen *seen)
{
    double frame_ms = 1000 / seen->rate_hz;
    bool voiced = seen->voice.f0_hz > 0;
    json_object_set_new(all, "time", json_rounded(seen->time_s, 3));
    json_object_set_new(all, "input_db", json_rounded(db_of(seen->voice.input_peak), 2));
    json_object_set_new(all, "output_db", json_rounded(db_of(seen->voice.output_peak), 2));
    json_object_set_new(all, "f0",
                        voiced ? json_rounded((double)seen->voice.f0_hz, 1) : json_null());
    json_object_set_new(all, "voiced", json_rounded((double)seen->voice.voiced, 2));
    set_count(all, "underruns", seen->player.underruns);
    set_ms(all, "shortened_ms", (double)seen->player.shortened_frames * frame_ms);
    set_ms(all, "dropped_ms", (double)seen->player.dropped_frames * frame_ms);
    set_count(all, "limited", seen->voice.limited_frames);
    set_count(all, "faults", seen->voice.faults);
    set_count(all, "lost", seen->lost);
}

int voice_print(const char *event, const struct voice_seen *seen, const char *to,
                const char *reason)
{
    json_t *all = json_object();
    json_object_set_new(all, "event", json_string(event));
    if (reason) json_object_set_new(all, "reason", json_string(reason));
    if (to) {
        set_count(all, "rate", (uint64_t)seen->rate_hz);
        json_object_set_new(all, "to", json_words(to));
    } else {
        add_levels(all, seen);
    }
    set_ms(all, "latency_ms", total_ms(&seen->delay));
    set_ms(all, "capture_ms", ms_of(seen->delay.capture_ns));
    set_ms(all, "voice_ms", ms_of(seen->delay.voice_ns));
    set_ms(all, "sink_ms", ms_of(seen->delay.sink_ns));
    return json_print("voice", STDOUT_FILENO, all);
}

int voice_print_settings(const struct kodama_voice_settings *settings)
{
    json_t *all = json_object();
    json_object_set_new(all, "event", json_string("settings"));
    json_object_set_new(all, "pitch", json_rounded((double)settings->pitch, 3));
    json_object_set_new(all, "formant", json_rounded((double)settings->formant, 3));
    json_object_set_new(all, "effect", json_string(voice_effect_name(settings->effect)));
    json_object_set_new(all, "noise", json_string(settings->noise ? settings->noise : "none"));
    json_object_set_new(all, "noise_level", json_rounded((double)settings->noise_level, 4));
    json_object_set_new(all, "fluctuation", json_boolean(settings->fluctuation));
    json_object_set_new(all, "mute", json_boolean(settings->mute));
    json_object_set_new(all, "gain", json_rounded((double)settings->gain, 3));
    return json_print("voice", STDOUT_FILENO, all);
}

void voice_words(struct text *words, const char *preset,
                 const struct kodama_voice_settings *settings)
{
    if (settings->mute) text_add(words, "MUTE  ");
    if (preset) text_printf(words, "%s  ", preset);
    text_printf(words, "pitch %+g  formant %+g", (double)settings->pitch,
                (double)settings->formant);
    if (settings->effect != KODAMA_EFFECT_NONE) {
        text_printf(words, "  %s", voice_effect_name(settings->effect));
    }
    if (settings->noise && strcmp(settings->noise, "none") != 0) {
        text_printf(words, "  in %s", settings->noise);
    }
    if (!settings->fluctuation) text_add(words, "  steady");
}
