/*
 * Subtitles: the srt and vtt formats. A final becomes one or more cues of at most two lines, cut
 * between words at the word times. Lengths follow common practice for subtitles (BBC Subtitle
 * Guidelines, Netflix Timed Text Style Guide): 42 characters a line, two lines, seven seconds.
 */
#include <math.h>
#include <string.h>

#include "command/columns.h"
#include "command/transcript.h"

enum { LINE_COLUMNS = 42 };
static const double cue_longest_s = 7.0;
/* A pause between two words at which a cue may end early. */
static const double pause_s = 0.8;

struct cue {
    const char *text;
    size_t n_bytes;
    double start_s, end_s;
};

/* "01:02:03.456" */
static void add_time(struct text *text, double time_s, char point)
{
    uint64_t ms = time_s > 0 ? (uint64_t)llround(time_s * 1000.0) : 0;
    text_printf(text, "%02u:%02u:%02u%c%03u", (unsigned)(ms / 3600000), (unsigned)(ms / 60000 % 60),
                (unsigned)(ms / 1000 % 60), point, (unsigned)(ms % 1000));
}

static void add_escaped(struct text *text, const char *words, size_t n_bytes, bool markup)
{
    for (size_t i = 0; i < n_bytes; i++) {
        if (markup && words[i] == '&')
            text_add(text, "&amp;");
        else if (markup && words[i] == '<')
            text_add(text, "&lt;");
        else if (markup && words[i] == '>')
            text_add(text, "&gt;");
        else
            text_add_bytes(text, words + i, 1);
    }
}

/* Two lines of about the same length where one is not enough. */
static void add_lines(struct text *text, const struct cue *cue, bool markup)
{
    size_t columns = columns_of(cue->text, cue->n_bytes), done = 0;
    size_t width = LINE_COLUMNS;
    if (columns > LINE_COLUMNS && columns <= 2 * LINE_COLUMNS) {
        /* The first line may be the longer one by a word. */
        for (width = columns / 2 + 1; width < LINE_COLUMNS; width++) {
            size_t next;
            columns_line(cue->text, cue->n_bytes, width, &next);
            if (columns_of(cue->text + next, cue->n_bytes - next) <= width) break;
        }
    }
    while (done < cue->n_bytes) {
        size_t next, line = columns_line(cue->text + done, cue->n_bytes - done, width, &next);
        add_escaped(text, cue->text + done, line, markup);
        text_add(text, "\n");
        done += next;
    }
}

static void add_cue(struct transcript *transcript, struct cue cue, bool vtt)
{
    /* Cues neither overlap nor vanish, whatever the engine's word times are. */
    double start_s = fmax(cue.start_s, transcript->written_to_s);
    double end_s = fmax(cue.end_s, start_s + 0.001);
    transcript->written_to_s = end_s;
    transcript->counter++;
    struct text *text = &transcript->text;
    if (!vtt) text_printf(text, "%llu\n", (unsigned long long)transcript->counter);
    add_time(text, start_s, vtt ? '.' : ',');
    text_add(text, " --> ");
    add_time(text, end_s, vtt ? '.' : ',');
    text_add(text, "\n");
    add_lines(text, &cue, vtt);
    text_add(text, "\n");
}

/* Whether a cue that begins at word `first` may not also hold word `next`. */
static bool cue_is_full(const struct kodama_event *event, size_t first, size_t next, size_t columns)
{
    const struct kodama_word *words = event->words;
    if (columns > 2 * LINE_COLUMNS - 6) return true; /* what balancing two lines costs at most */
    if (words[next].end_s - words[first].start_s > cue_longest_s) return true;
    return words[next].start_s - words[next - 1].end_s >= pause_s;
}

static void add_cues_by_words(struct transcript *transcript, const struct kodama_event *event,
                              bool vtt)
{
    struct text words = {0};
    for (size_t first = 0, next; first < event->n_words; first = next) {
        text_clear(&words);
        text_add(&words, event->words[first].text);
        for (next = first + 1; next < event->n_words; next++) {
            const char *word = event->words[next].text;
            size_t columns =
                columns_of(words.bytes, words.length) + 1 + columns_of(word, strlen(word));
            if (cue_is_full(event, first, next, columns)) break;
            text_add(&words, " ");
            text_add(&words, word);
        }
        add_cue(transcript,
                (struct cue){words.bytes, words.length, event->words[first].start_s,
                             event->words[next - 1].end_s},
                vtt);
    }
    text_free(&words);
}

static void subtitles_event(struct transcript *transcript, const struct kodama_event *event,
                            bool vtt)
{
    if (event->kind != KODAMA_EVENT_FINAL || !event->text || !event->text[0]) return;
    if (event->n_words > 0) {
        add_cues_by_words(transcript, event, vtt);
    } else {
        add_cue(transcript,
                (struct cue){event->text, strlen(event->text), event->start_s, event->end_s}, vtt);
    }
}

static void srt_event(struct transcript *transcript, const struct kodama_event *event)
{
    subtitles_event(transcript, event, false);
}

static void vtt_begin(struct transcript *transcript)
{
    text_add(&transcript->text, "WEBVTT\n\n");
}

static void vtt_event(struct transcript *transcript, const struct kodama_event *event)
{
    subtitles_event(transcript, event, true);
}

static const char *const srt_extensions[] = {".srt", NULL};
static const char *const vtt_extensions[] = {".vtt", NULL};

const struct transcript_format transcript_srt = {
    .name = "srt",
    .extensions = srt_extensions,
    .event = srt_event,
};

const struct transcript_format transcript_vtt = {
    .name = "vtt",
    .extensions = vtt_extensions,
    .begin = vtt_begin,
    .event = vtt_event,
};
