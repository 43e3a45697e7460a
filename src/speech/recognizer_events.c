/* An event of a recogniser, as it waits for its reader. */
#include "speech/recognizer_events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct recognizer_event *event_create(const struct kodama_event *event,
                                      const struct engine_word *words, size_t n_words,
                                      uint64_t begin)
{
    size_t n_text = event->text ? strlen(event->text) + 1 : 0;
    size_t n_bytes = n_text;
    for (size_t i = 0; i < n_words; i++) n_bytes += strlen(words[i].text) + 1;
    size_t n_fixed = sizeof(struct recognizer_event);
    if (n_words > (SIZE_MAX / 2 - n_fixed) / sizeof(struct kodama_word)) return NULL;
    n_fixed += n_words * sizeof(struct kodama_word);
    struct recognizer_event *made = n_bytes < SIZE_MAX / 2 ? malloc(n_fixed + n_bytes) : NULL;
    if (!made) return NULL;
    bool is_partial = event->kind == KODAMA_EVENT_PARTIAL;
    *made = (struct recognizer_event){.event = *event};
    if (is_partial || event->kind == KODAMA_EVENT_FINAL) {
        made->node =
            (struct event_node){.about = 1 + (uint64_t)event->utterance, .passing = is_partial};
    }
    if (event->language && event->language[0]) {
        snprintf(made->language, sizeof made->language, "%s", event->language);
        made->event.language = made->language;
    } else {
        made->event.language = NULL;
    }
    struct kodama_word *copies = (struct kodama_word *)(made + 1);
    char *bytes = (char *)(copies + n_words);
    if (event->text) memcpy(bytes, event->text, n_text);
    made->event.text = event->text ? bytes : NULL;
    bytes += n_text;
    for (size_t i = 0; i < n_words; i++) {
        size_t n = strlen(words[i].text) + 1;
        memcpy(bytes, words[i].text, n);
        copies[i] = (struct kodama_word){
            .text = bytes,
            .start_s = (double)(begin + words[i].begin) / ENGINE_RATE_HZ,
            .end_s = (double)(begin + words[i].end) / ENGINE_RATE_HZ,
            .confidence = words[i].confidence,
        };
        bytes += n;
    }
    made->event.words = n_words > 0 ? copies : NULL;
    made->event.n_words = n_words;
    return made;
}
