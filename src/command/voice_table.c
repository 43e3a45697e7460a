/* kodama voice: its options, help and manual page. */
#include "command/voice_command.h"

#define VOICE(member) .offset = offsetof(struct voice_command_options, member)

static const struct option_entry voice_table[] = {
    CAPTURE_OPTION_ENTRIES_FOR(struct voice_command_options, "low"),
    {.name = "file",
     .letter = 'f',
     .kind = OPTION_TEXT,
     .argument = "IN",
     .is_file = true,
     .help = "Play a recording as if it were live",
     VOICE(file)},
    {.name = "to",
     .letter = 't',
     .kind = OPTION_TEXT,
     .argument = "WHERE",
     .help = "speakers, speakers:NAME, mic:NAME (a microphone of that name, there for other "
             "programs), or a file that ends in .wav, .flac, .ogg or .opus",
     .fallback = "speakers",
     .group = "Where to",
     VOICE(to)},
    {.name = "monitor",
     .kind = OPTION_ON,
     .help = "Hear it on the default speakers, too",
     VOICE(monitor)},
    {.name = "overwrite",
     .kind = OPTION_ON,
     .help = "Replace a file that is there",
     VOICE(overwrite)},
    VOICE_OPTION_ENTRIES(struct voice_command_options),
    {.name = "save-preset",
     .kind = OPTION_TEXT,
     .argument = "NAME",
     .help = "Save the voice as it is at the end, or at once when there is nothing to hear",
     .group = "Presets of your own",
     VOICE(save_preset)},
    {.name = "list-presets",
     .kind = OPTION_ON,
     .help = "Print the presets that there are, and exit",
     VOICE(list_presets)},
    {.name = "show-preset",
     .kind = OPTION_TEXT,
     .argument = "NAME",
     .help = "Print all that a preset says, and exit",
     VOICE(show_preset)},
    {.name = "remove-preset",
     .kind = OPTION_LIST,
     .argument = "NAME",
     .help = "Forget a preset of your own, and exit; may be given again",
     VOICE(remove_presets)},
    {.name = "duration",
     .letter = 'd',
     .kind = OPTION_TIME,
     .argument = "TIME",
     .help = "End after so much sound: seconds or [H:]M:SS",
     .least = 0.1,
     .most = 1e8,
     .group = "Output",
     VOICE(duration_s)},
    {.name = "interval",
     .kind = OPTION_REAL,
     .argument = "SECONDS",
     .help = "Seconds between two lines of levels with --json",
     .fallback = "1",
     .least = 0.05,
     .most = 60,
     VOICE(interval_s)},
    {.name = "json",
     .letter = 'j',
     .kind = OPTION_ON,
     .help = "Print events as lines of JSON",
     VOICE(json)},
    {0},
};

static const struct section voice_sections[] = {
    {capture_section_title, capture_section_text},
    {"Keys", "On a terminal, while it runs:\n\n"
             "  + -    pitch up, down by a semitone\n"
             "  ] [    a smaller, larger throat\n"
             "  p      the next preset\n"
             "  n      the next place (noise bed)\n"
             "  f      drift on, off\n"
             "  m      mute, and back; a place stays audible\n"
             "  0      your own voice: no pitch, no formant, no effect\n"
             "  s      save under the name of --save-preset, now\n"
             "  q      end, as Ctrl-C"},
    {"Delay",
     "The delay that is shown is the whole way: until the sound is captured, through the voice "
     "(exact, and fixed), and what waits in front of the speakers or the microphone. It does not "
     "grow: after a stall the next pauses are shortened until it is as before, and that is "
     "counted. --latency=low, which is the default here, asks the sound server for short periods; "
     "what a program that listens adds is its own."},
    {"Privacy", "The voice that is heard is never the one that was spoken: when something fails, "
                "there is silence, or the place alone."},
    {"JSON", "  started   rate, to, latency_ms, capture_ms, voice_ms, sink_ms\n"
             "  levels    time, input_db, output_db, f0, voiced, latency_ms, capture_ms,\n"
             "            voice_ms, sink_ms, underruns, shortened_ms, dropped_ms,\n"
             "            limited, faults, lost\n"
             "  settings  pitch, formant, effect, noise, noise_level, fluctuation, mute, gain\n"
             "  ended     reason, and what levels has\n\n"
             "Each line has the member `event` with its name. f0 is null where there is no pitch. "
             "--list-presets prints {\"presets\": [...]}, --show-preset one of these:\n\n"
             "  {\"name\", \"own\", \"pitch\", \"formant\", \"effect\", \"gain\", \"noise\",\n"
             "   \"noise_level\", \"fluctuation\"}"},
    {NULL, NULL},
};

static const struct example voice_examples[] = {
    {"kodama voice --mic --to=mic:Changed --preset deeper",
     "Another voice for a call: choose the microphone Changed there"},
    {"kodama voice --app game --to=mic:Game --pitch 4", "An application's sound, changed"},
    {"kodama voice --mic --preset robot", "Hear yourself; wear headphones"},
    {"kodama voice --mic --to=mic:Cafe --noise cafe --monitor", "Speak from a cafe, and listen"},
    {"kodama voice --pitch 3 --formant 1.5 --save-preset her", "A preset of your own"},
    {"kodama voice --remove-preset her", "Forget it"},
    {NULL, NULL},
};

static const struct exit_entry voice_exits[] = {
    {EXIT_DONE, "The input has ended, --duration has passed, or the key q; a file is whole"},
    {EXIT_FAILED,
     "There is no such input or output, or presets cannot be read or saved; a sentence "
     "on standard error says why"},
    {EXIT_USAGE, "The command line was not understood, or there is no such preset"},
    {EXIT_INTERRUPTED, "Ended by Ctrl-C (SIGINT); a file is whole"},
    {EXIT_UNREAD, "The program that read standard output has gone away"},
    {EXIT_TERMINATED, "Ended by SIGTERM; a file is whole"},
    {0, NULL},
};

const struct command command_voice = {
    .name = "voice",
    .summary = "change a voice live, into speakers or a virtual microphone",
    .description = "Hears an application, a microphone or a file, changes the voice in it, and "
                   "plays it on speakers or as a microphone that other programs can choose, until "
                   "Ctrl-C. For files there is `kodama convert`.",
    .options = voice_table,
    .options_bytes = sizeof(struct voice_command_options),
    .sections = voice_sections,
    .examples = voice_examples,
    .exits = voice_exits,
    .run = voice_run,
};
