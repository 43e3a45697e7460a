/* kodama listen: its table, from which come parsing, help, manual page and completions. */
#include <kodama/detector.h>
#include <kodama/model.h>

#include "command/command.h"
#include "command/input.h"
#include "command/listen.h"
#include "command/transcript.h"

static const struct option_entry listen_table[] = {
    {.name = "format",
     .letter = 'f',
     .kind = OPTION_CHOICE,
     .argument = "FORMAT",
     .help = "How captions are written",
     .fallback = "text",
     .choice = transcript_format_name,
     .group = "Captions",
     .offset = offsetof(struct listen_options, format)},
    {.name = "save",
     .letter = 'o',
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "Write the transcript to FILE, too, as it comes; in the format that its extension "
             "names (.txt, .json, .srt, .vtt), else in that of --format",
     .is_file = true,
     .offset = offsetof(struct listen_options, save)},
    {.name = "fast",
     .kind = OPTION_ON,
     .help = "Do not pace files: hear them as fast as they can be decoded",
     .offset = offsetof(struct listen_options, fast)},
    {.name = "no-partials",
     .kind = OPTION_OFF,
     .help = "Finished captions only: no tentative text while somebody speaks, which else is shown "
             "on a terminal and in json",
     .offset = offsetof(struct listen_options, partials)},
    {.name = "verbose",
     .letter = 'v',
     .kind = OPTION_ON,
     .help = "Tell on standard error what goes on, with statistics at the end",
     .offset = offsetof(struct listen_options, verbose)},
    {.name = "engine",
     .letter = 'e',
     .kind = OPTION_CHOICE,
     .argument = "ENGINE",
     .help =
         "Recognition engine; the one that --model is for, else the best one that is there, when "
         "not given",
     .choice = kodama_engine_name,
     .group = "Recognition",
     .offset = offsetof(struct listen_options, engine)},
    {.name = "model",
     .letter = 'm',
     .kind = OPTION_TEXT,
     .argument = "MODEL",
     .help = "Name of a model (kodama models), or its folder or file; the default one of kodama "
             "models, else the engine's own, when not given",
     .is_file = true,
     .offset = offsetof(struct listen_options, model)},
    {.name = "partials",
     .kind = OPTION_TEXT,
     .argument = "ENGINE",
     .help = "Make the tentative text with this engine, or this model: a fast one beside a better "
             "one for the finished captions. Then nothing of it is sure to stay",
     .offset = offsetof(struct listen_options, drafts)},
    {.name = "finals",
     .kind = OPTION_TEXT,
     .argument = "ENGINE",
     .help = "Make the finished captions with this engine, or this model; as --engine or --model",
     .offset = offsetof(struct listen_options, finals)},
    {.name = "language",
     .kind = OPTION_TEXT,
     .argument = "CODE",
     .help = "Language spoken, such as en, de or ja, with an engine that knows several; found out "
             "for each utterance when not given",
     .offset = offsetof(struct listen_options, language)},
    {.name = "grammar",
     .letter = 'g',
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "Recognise only what this JSGF grammar allows",
     .is_file = true,
     .offset = offsetof(struct listen_options, grammar)},
    {.name = "decoders",
     .kind = OPTION_COUNT,
     .argument = "N",
     .help = "Utterances decoded at the same time; 0: one per processor, at most 4",
     .fallback = "0",
     .least = 0,
     .most = 64,
     .offset = offsetof(struct listen_options, n_decoders)},
    {.name = "server",
     .kind = OPTION_TEXT,
     .argument = "URL",
     .help = "Let a server recognise (kodama serve): ws://HOST:PORT, also wss, http or https; "
             "--engine and --model are then names that the server must have",
     .group = "Recognition by a server",
     .offset = offsetof(struct listen_options, server)},
    {.name = "token",
     .kind = OPTION_TEXT,
     .argument = "SECRET",
     .help = "What the server demands; others on this machine can read it in the list of processes",
     .offset = offsetof(struct listen_options, token)},
    {.name = "token-file",
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "Read that secret from the first line of a file",
     .is_file = true,
     .offset = offsetof(struct listen_options, token_file)},
    {.name = "ca",
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "Trust the authorities in this PEM file instead of the system's; for a certificate of "
             "your own, that certificate",
     .is_file = true,
     .offset = offsetof(struct listen_options, ca)},
    {.name = "detector",
     .kind = OPTION_CHOICE,
     .argument = "NAME",
     .help = "Voice activity detector",
     .choice = kodama_detector_name,
     .group = "Speech and silence",
     .offset = offsetof(struct listen_options, detector)},
    {.name = "threshold",
     .kind = OPTION_REAL,
     .argument = "P",
     .help = "Speech begins at this probability; higher hears less",
     .fallback = "0.5",
     .least = 0.01,
     .most = 0.99,
     .offset = offsetof(struct listen_options, threshold)},
    {.name = "silence-ms",
     .kind = OPTION_COUNT,
     .argument = "MS",
     .help = "So much silence ends an utterance",
     .fallback = "500",
     .least = 50,
     .most = 10000,
     .offset = offsetof(struct listen_options, silence_ms)},
    CAPTURE_OPTION_ENTRIES(struct listen_options),
    INPUT_OPTION_ENTRIES(struct listen_options),
    {0},
};

static const struct section listen_sections[] = {
    {"Formats",
     "text: one line for each utterance. On a terminal also what is being said: the part that will "
     "not change any more is bright, the tentative part dim.\n\n"
     "srt, vtt: subtitles of at most two lines, timed by the words.\n\n"
     "json: the messages of Kodama's network protocol, one a line, counted by `seq` from 1:\n\n"
     "  ready            session, next_sample, rate, engine, model\n"
     "  speech_started   utterance, sample\n"
     "  partial          utterance, text, stable\n"
     "  speech_stopped   utterance, sample\n"
     "  final            utterance, text, start, end, confidence,\n"
     "                   words [{word, start, end, confidence}], revised\n"
     "  warning          code, lag_ms\n"
     "  error            utterance, code, message\n"
     "  closed           reason, samples, utterances\n\n"
     "Times are seconds from the beginning of the input, samples count frames at its rate, "
     "`stable` "
     "counts the bytes of the text that later partials keep. `session` is \"local\" and there is "
     "no "
     "token: a local run has nothing to resume. The reason is stopped (the input has ended), "
     "interrupted or failed. A file saved as json has no partials."},
    {capture_section_title, capture_section_text},
    {"Recognition by a server",
     "With --server, this machine only hears, and the captions are the server's: the same, to the "
     "word, as if it had recognised itself. A connection that breaks is mended for up to two "
     "minutes, and everything is sent that the server did not get; standard error tells of it. "
     "When the server itself was started again, a new session hears what has no caption yet, "
     "as far as that is kept (30 seconds); what is lost is told, and makes the exit status 1."},
    {"Interrupting",
     "The first Ctrl-C, or SIGTERM, ends listening: what was heard is still recognised, printed "
     "and "
     "saved. The second ends at once. A saved file is well formed at any time, up to its last "
     "caption."},
    {NULL, NULL},
};

static const struct example listen_examples[] = {
    {"kodama listen talk.wav", "Caption a recording as it plays"},
    {"kodama listen --fast --format srt talk.flac > talk.srt", "Make subtitles"},
    {"kodama listen --save talk.vtt part1.wav part2.wav",
     "Watch two recordings in a row and keep the transcript"},
    {"sox talk.mp3 -t wav - | kodama listen -", "Caption what another program plays"},
    {"kodama listen --partials pocketsphinx --finals base.en talk.wav",
     "Tentative text at once, and good captions soon"},
    {"kodama listen --app firefox", "Caption an application"},
    {"kodama listen --mic --app zoom", "Caption both sides of a call"},
    {"kodama listen --server ws://localhost:8000 --mic",
     "Have a server recognise, such as kodama serve"},
    {"kodama listen --format json talk.wav | jq -r 'select(.type == \"final\").text'",
     "Use captions in a script"},
    {NULL, NULL},
};

static const struct exit_entry listen_exits[] = {
    {EXIT_DONE, "Everything was heard and written"},
    {EXIT_FAILED,
     "The input, the model or an output failed; a sentence on standard error says how"},
    {EXIT_USAGE, "The command line was not understood"},
    {EXIT_INTERRUPTED, "Ended by Ctrl-C (SIGINT); what was heard is written"},
    {EXIT_UNREAD, "The program that read standard output has gone away"},
    {EXIT_TERMINATED, "Ended by SIGTERM; what was heard is written"},
    {0, NULL},
};

const struct command command_listen = {
    .name = "listen",
    .summary = "live captions of speech",
    .description = "Hears a recording, standard input, applications, a microphone or everything "
                   "that plays, and writes what is said, while it is said. Files are "
                   "paced in real time, as if they were live, unless --fast is given.",
    .operand = "[FILE...|-]",
    .operand_help = input_operand_help,
    .operands_least = 0,
    .operands_most = 10000,
    .options = listen_table,
    .options_bytes = sizeof(struct listen_options),
    .sections = listen_sections,
    .examples = listen_examples,
    .exits = listen_exits,
    .run = listen_run,
};
