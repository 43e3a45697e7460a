/* Transcripts: the list of formats, and the plain one. */
#include "command/transcript.h"

#include <string.h>
#include <strings.h>

static void text_event(struct transcript *transcript, const struct kodama_event *event)
{
    if (event->kind != KODAMA_EVENT_FINAL || !event->text || !event->text[0]) return;
    text_add(&transcript->text, event->text);
    text_add(&transcript->text, "\n");
}

static const char *const text_extensions[] = {".txt", ".text", NULL};

static const struct transcript_format transcript_text = {
    .name = "text",
    .extensions = text_extensions,
    .event = text_event,
};

static const struct transcript_format *const formats[] = {
    &transcript_text, &transcript_json, &transcript_srt, &transcript_vtt, NULL,
};

const char *transcript_format_name(size_t index)
{
    return formats[index] ? formats[index]->name : NULL;
}

const struct transcript_format *transcript_format_find(const char *name)
{
    for (size_t i = 0; formats[i]; i++) {
        if (strcmp(formats[i]->name, name) == 0) return formats[i];
    }
    return NULL;
}

const struct transcript_format *transcript_format_of(const char *path)
{
    const char *extension = strrchr(path, '.');
    if (!extension) return NULL;
    for (size_t i = 0; formats[i]; i++) {
        for (const char *const *known = formats[i]->extensions; *known; known++) {
            if (strcasecmp(*known, extension) == 0) return formats[i];
        }
    }
    return NULL;
}

static bool transcript_write(struct transcript *transcript)
{
    bool written = transcript->output.error == 0;
    if (transcript->text.length > 0) {
        written =
            output_write(&transcript->output, transcript->text.bytes, transcript->text.length);
    }
    text_clear(&transcript->text);
    return written;
}

bool transcript_begin(struct transcript *transcript, struct transcript_facts facts)
{
    transcript->facts = facts;
    if (transcript->format->begin) transcript->format->begin(transcript);
    return transcript_write(transcript);
}

bool transcript_event(struct transcript *transcript, const struct kodama_event *event)
{
    if (event->kind == KODAMA_EVENT_PARTIAL && !transcript->partials) return true;
    if (event->kind == KODAMA_EVENT_FINAL) transcript->finals++;
    transcript->format->event(transcript, event);
    return transcript_write(transcript);
}

bool transcript_end(struct transcript *transcript, const char *reason, uint64_t samples)
{
    if (transcript->format->end) transcript->format->end(transcript, reason, samples);
    return transcript_write(transcript);
}

void transcript_free(struct transcript *transcript)
{
    text_free(&transcript->text);
}
