/* kodama record: its table, from which come parsing, help, manual page and completions. */
#include "command/input.h"
#include "command/progress.h"
#include "command/record.h"
#include "command/soundfile.h"

#define RECORD(member) .offset = offsetof(struct record_options, member)

static const struct option_entry record_table[] = {
    {.name = "input",
     .letter = 'i',
     .kind = OPTION_LIST,
     .argument = "INPUT",
     .help = "What to record: a file, - (standard input), tone, tone:HZ, noise or silence; files "
             "may be given again, before those without --input",
     .is_file = true,
     .group = "Input",
     RECORD(inputs)},
    {.name = "raw",
     .kind = OPTION_TEXT,
     .argument = "SAMPLE[:HZ[:CHANNELS]]",
     .help = "What sound without a header on standard input looks like, and what generators make, "
             "for example s16:48000:2",
     RECORD(raw)},
    {.name = "fast",
     .kind = OPTION_ON,
     .help = "Do not pace files and generators: as fast as the disk takes it",
     RECORD(fast)},
    CAPTURE_OPTION_ENTRIES(struct record_options),
    {.name = "output",
     .letter = 'o',
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "The new file; recording-DATE-TIME.wav when not given; - is a WAV stream on standard "
             "output",
     .is_file = true,
     .group = "Recording",
     RECORD(output)},
    {.name = "duration",
     .letter = 'd',
     .kind = OPTION_TIME,
     .argument = "TIME",
     .help = "End after so much sound, to the frame: seconds or [H:]M:SS",
     .least = 0.001,
     .most = 1e8,
     RECORD(duration_s)},
    {.name = "past",
     .kind = OPTION_TIME,
     .argument = "TIME",
     .help = "Write nothing, but remember so much; SIGUSR2, or the key s, saves what is remembered "
             "into a new file, and it goes on",
     .least = 0.1,
     .most = 86000,
     RECORD(past_s)},
    {.name = "type",
     .letter = 't',
     .kind = OPTION_CHOICE,
     .argument = "TYPE",
     .help = "Type of the file; as its name ends when not given",
     .choice = soundfile_recorded,
     RECORD(type)},
    {.name = "sample",
     .kind = OPTION_CHOICE,
     .argument = "SAMPLE",
     .help = "How WAV and FLAC store samples; as they come when not given",
     .choice = soundfile_sample_name,
     RECORD(sample)},
    {.name = "quality",
     .letter = 'q',
     .kind = OPTION_REAL,
     .argument = "Q",
     .help = "Of Ogg and Opus: above 0 (small) up to 1 (good); the encoder's own when not given",
     .least = 0.01,
     .most = 1,
     RECORD(quality)},
    {.name = "split-time",
     .kind = OPTION_TIME,
     .argument = "TIME",
     .help = "Go on in a new file (NAME-001.wav, NAME-002.wav ...) after so much sound",
     .least = 0.1,
     .most = 1e8,
     RECORD(split_s)},
    {.name = "split-size",
     .kind = OPTION_REAL,
     .argument = "MB",
     .help = "Go on in a new file at so many megabytes",
     .least = 0.1,
     .most = 1e9,
     RECORD(split_mb)},
    {.name = "marks",
     .kind = OPTION_ON,
     .help = "Write FILE.jsonl, too: gaps, losses and pauses with their places",
     RECORD(marks)},
    {.name = "overwrite",
     .kind = OPTION_ON,
     .help = "Replace files that are there; else they are left alone and it is an error",
     RECORD(overwrite)},
    {.name = "json",
     .letter = 'j',
     .kind = OPTION_ON,
     .help = "Print one line of JSON at the end",
     .group = "Output",
     RECORD(json)},
    PROGRESS_OPTION_ENTRY(struct record_options),
    {0},
};

static const struct section record_sections[] = {
    {capture_section_title, capture_section_text},
    {"While it records",
     "On a terminal, standard error shows the level of the last moments, the time, peak and rms in "
     "dBFS, the size of what is written, and what was lost.\n\n"
     "Frames that the source or the disk lost are silence in the file, of the same length, and "
     "are counted: the file's clock is that of the source.\n\n"
     "SIGUSR1 pauses, and goes on: what comes meanwhile is left out.\n\n"
     "  kill -USR1 $(pidof kodama)"},
    {"The past",
     "With --past the last moments are in memory (30 s of stereo at 48 kHz take 12 MB). Each time "
     "SIGUSR2 comes, or s is pressed on the terminal, they are saved: to FILE, FILE-2, FILE-3 and "
     "so "
     "on, or named by date and time. Hearing goes on meanwhile, without a seam: two files that "
     "were "
     "saved soon after each other overlap to the sample. --duration ends all of it.\n\n"
     "  kill -USR2 $(pidof kodama)"},
    {"Ends",
     "The recording ends with its input, after --duration, or with Ctrl-C or SIGTERM: in each case "
     "the file is whole, and the exit code says which signal it was. A second Ctrl-C ends at once. "
     "Even then, or when it is killed or the power fails, the file can be played: WAV up to the "
     "last tenth of a second, FLAC up to the last block of 4096 frames, Ogg and Opus up to the "
     "last page.\n\n"
     "When the disk is full, what is there is kept."},
    {"JSON",
     "  file, type, sample, rate, channels, frames, duration, bytes,\n"
     "  files, lost, gaps, gap_frames, paused, reason\n\n"
     "`lost` frames were lost by the recorder, `gap_frames` in so many `gaps` by the source. The "
     "reason is ended (the input), duration, interrupted or failed. With -o - it is printed on "
     "standard error."},
    {NULL, NULL},
};

static const struct example record_examples[] = {
    {"kodama record --app firefox -o talk.flac", "Record an application, until Ctrl-C"},
    {"kodama record --mic --app zoom -d 1:00:00 -o call.opus", "Record both sides of a call"},
    {"kodama record --input tone:440 -d 2 -o tuning.wav", "Two seconds of a tone"},
    {"arecord -t wav -f S16_LE -r 48000 | kodama record -i - -o talk.flac",
     "Record what another program captures, until Ctrl-C"},
    {"kodama record --fast part1.wav part2.wav -o whole.flac", "Join two files"},
    {"kodama record --system --past 30 -o clip.flac",
     "Save the last half minute whenever s is pressed"},
    {"kodama record -i - -o day.opus --split-time 1:00:00 --marks",
     "One file an hour, with a list of what went wrong"},
    {"kodama record --fast talk.flac -o - | kodama listen --fast -", "Into a pipe as WAV"},
    {NULL, NULL},
};

static const struct exit_entry record_exits[] = {
    {EXIT_DONE, "The input has ended, or --duration has passed; the file is whole"},
    {EXIT_FAILED, "The input or the file failed; a sentence on standard error says how, and what "
                  "was recorded is kept"},
    {EXIT_USAGE, "The command line was not understood"},
    {EXIT_INTERRUPTED, "Ended by Ctrl-C (SIGINT); the file is whole"},
    {EXIT_UNREAD, "The program that read standard output has gone away"},
    {EXIT_TERMINATED, "Ended by SIGTERM; the file is whole"},
    {0, NULL},
};

const struct command command_record = {
    .name = "record",
    .summary = "record sound into a file",
    .description = "Records applications, microphones, everything that plays, files, standard "
                   "input or a generated "
                   "signal, as it arrives. Files and generators "
                   "are paced in real time, as if they were live, unless --fast is given.",
    .operand = "[FILE...|-]",
    .operand_help = input_operand_help,
    .operands_least = 0,
    .operands_most = 10000,
    .options = record_table,
    .options_bytes = sizeof(struct record_options),
    .sections = record_sections,
    .examples = record_examples,
    .exits = record_exits,
    .run = record_run,
};
