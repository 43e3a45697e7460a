/* What is shown of a live voice: meters and delay on a terminal, lines of JSON elsewhere. */
#ifndef COMMAND_VOICE_STATUS_H
#define COMMAND_VOICE_STATUS_H

#include "command/screen.h"
#include "command/voice_live.h"

/** What was seen at a time. */
struct voice_seen {
    double time_s;
    struct kodama_voice_stats voice;
    struct kodama_player_stats player; /* zeros for a file */
    struct voice_delay delay;
    uint64_t lost; /* frames that the stream lost */
    double rate_hz;
};

/** Look at a live voice; its peaks begin anew. */
void voice_look(const struct voice_live *live, struct voice_seen *seen);

/** Meters, and a status line with `what` (the settings in words) and `note`. */
void voice_paint(struct screen *screen, const struct voice_seen *seen, const char *what,
                 const char *note);

/** Print an event; `reason` only with "ended". @return an exit code */
int voice_print(const char *event, const struct voice_seen *seen, const char *to,
                const char *reason);

/** Print the event "settings". @return an exit code */
int voice_print_settings(const struct kodama_voice_settings *settings);

/** Settings in a few words: "child  pitch +8.0  formant +4.0". Owned by the caller. */
void voice_words(struct text *words, const char *preset,
                 const struct kodama_voice_settings *settings);

#endif
