/* kodama convert: its options, help and manual page. */
#include <kodama/clip.h>

#include "command/convert.h"
#include "command/input.h"
#include "command/progress.h"
#include "command/soundfile.h"

#define CONVERT(member) .offset = offsetof(struct convert_options, member)

static const struct option_entry convert_table[] = {
    VOICE_OPTION_ENTRIES(struct convert_options),
    {.name = "output-dir",
     .letter = 'o',
     .kind = OPTION_TEXT,
     .argument = "FOLDER",
     .is_file = true,
     .help = "All operands are IN; their OUT has the same name in this folder",
     .group = "The new files",
     CONVERT(folder)},
    {.name = "type",
     .letter = 't',
     .kind = OPTION_CHOICE,
     .argument = "TYPE",
     .help = "Type of the new files; as their names end when not given",
     .choice = soundfile_converted,
     CONVERT(type)},
    {.name = "sample",
     .kind = OPTION_CHOICE,
     .argument = "SAMPLE",
     .help = "How WAV and FLAC store samples; as they came, or the nearest, when not given",
     .choice = soundfile_sample_name,
     CONVERT(sample)},
    {.name = "quality",
     .letter = 'q',
     .kind = OPTION_REAL,
     .argument = "Q",
     .help = "Of Ogg, Opus and MP3: above 0 (small) up to 1 (good)",
     .least = 0.01,
     .most = 1,
     CONVERT(quality)},
    {.name = "overwrite",
     .kind = OPTION_ON,
     .help = "Replace an OUT that is there, once the new one is whole",
     CONVERT(overwrite)},
    {.name = "jobs",
     .letter = 'J',
     .kind = OPTION_COUNT,
     .argument = "N",
     .help = "Files at a time; as many as there are processors when not given",
     .least = 1,
     .most = 256,
     .group = "Work and output",
     CONVERT(jobs)},
    {.name = "json",
     .letter = 'j',
     .kind = OPTION_ON,
     .help = "Print a line of JSON about each new file",
     CONVERT(json)},
    PROGRESS_OPTION_ENTRY(struct convert_options),
    INPUT_RAW_ENTRY(struct convert_options),
    {0},
};

static const struct section convert_sections[] = {
    {"Time", "OUT is exactly as long as IN and in step with it: the delay that a live voice has is "
             "taken off. The same seed gives the same sound, bit for bit."},
    {"Files",
     "The voice is one, so OUT has it on every channel that IN has. OUT is written beside its "
     "place "
     "and moved there when it is whole: there is never half a file. However long it is, little "
     "memory is taken. OUT on standard output begins as soon as IN does."},
    {"JSON", "  in, out, type, sample, rate, channels, duration, seconds, speed, latency_ms\n\n"
             "`seconds` is how long it took, `latency_ms` what was taken off. With - as OUT it is "
             "printed on standard error."},
    {NULL, NULL},
};

static const struct example convert_examples[] = {
    {"kodama convert talk.wav deep.wav --preset deeper", "A deeper voice"},
    {"kodama convert talk.wav other.opus --pitch 5 --formant 2", "By semitones, and made small"},
    {"kodama convert --noise cafe --noise-level 0.05 talk.flac cafe.flac",
     "Somebody speaks in a cafe"},
    {"kodama convert -p child -o children part*.wav", "Many files, on all processors"},
    {NULL, NULL},
};

static const struct exit_entry convert_exits[] = {
    {EXIT_DONE, "All new files are whole"},
    {EXIT_FAILED, "Reading or writing one of them failed, or an OUT is there already; a sentence "
                  "on standard error says which. The others are whole"},
    {EXIT_USAGE, "The command line was not understood"},
    {EXIT_INTERRUPTED, "Ended by Ctrl-C (SIGINT); files that are there are whole"},
    {EXIT_UNREAD, "The program that read standard output has gone away"},
    {EXIT_TERMINATED, "Ended by SIGTERM; files that are there are whole"},
    {0, NULL},
};

const struct command command_convert = {
    .name = "convert",
    .summary = "change the voice in sound files",
    .description = "Reads IN, changes the voice in it, and writes OUT, many times faster than it "
                   "lasts. For live sound there is `kodama voice`.",
    .operand = "IN OUT [IN OUT]...",
    .operand_help =
        "IN is a recording in any format that libsndfile reads; OUT ends in .wav, .flac, .ogg, "
        ".opus or .mp3. With --output-dir there are only INs. A single IN may be `-`: a WAV stream "
        "on standard input, or what --raw says; its OUT may be `-`: a WAV stream on standard "
        "output.",
    .operands_least = 1,
    .operands_most = 10000,
    .options = convert_table,
    .options_bytes = sizeof(struct convert_options),
    .sections = convert_sections,
    .examples = convert_examples,
    .exits = convert_exits,
    .run = convert_run,
};
