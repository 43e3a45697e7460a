/* An event of a client, as it waits for its reader. */
#include "client/event.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t text_bytes(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

/* Copy a text to *at, which moves on. */
static const char *copy(char **at, const char *text)
{
    size_t n = text_bytes(text);
    char *begin = *at;
    if (!text) return NULL;
    memcpy(begin, text, n);
    *at += n;
    return begin;
}

struct client_event *client_event_create(const struct kodama_client_event *event)
{
    const struct kodama_event *heard = &event->heard;
    size_t n_fixed = sizeof(struct client_event);
    size_t n_text = text_bytes(event->text) + text_bytes(heard->text) + text_bytes(heard->language);
    for (size_t i = 0; i < heard->n_words; i++) n_text += text_bytes(heard->words[i].text);
    if (heard->n_words > (SIZE_MAX / 2 - n_fixed) / sizeof(struct kodama_word)) return NULL;
    n_fixed += heard->n_words * sizeof(struct kodama_word);
    struct client_event *made = n_text < SIZE_MAX / 2 ? malloc(n_fixed + n_text) : NULL;
    if (!made) return NULL;
    bool is_partial = heard->kind == KODAMA_EVENT_PARTIAL;
    *made = (struct client_event){.event = *event};
    if (event->kind == KODAMA_CLIENT_HEARD && (is_partial || heard->kind == KODAMA_EVENT_FINAL)) {
        made->node =
            (struct event_node){.about = 1 + (uint64_t)heard->utterance, .passing = is_partial};
    }
    struct kodama_word *words = (struct kodama_word *)(made + 1);
    char *at = (char *)(words + heard->n_words);
    made->event.text = copy(&at, event->text);
    made->event.heard.text = copy(&at, heard->text);
    made->event.heard.language = copy(&at, heard->language);
    for (size_t i = 0; i < heard->n_words; i++) {
        words[i] = heard->words[i];
        words[i].text = copy(&at, heard->words[i].text);
    }
    made->event.heard.words = heard->n_words > 0 ? words : NULL;
    return made;
}
