/* The segmenter from the inside: how to give it a detector of one's own (the scanner does, and
 * tests with a script). */
#ifndef SPEECH_SEGMENTER_H
#define SPEECH_SEGMENTER_H

#include <kodama/segmenter.h>

/** As kodama_segmenter_open(), but with this detector instead of config->detector. The detector is
 * closed with the segmenter, or at once when opening fails. */
int segmenter_open_take(struct kodama_segmenter **segmenter,
                        const struct kodama_segmenter_config *config,
                        struct kodama_detector *detector, struct kodama_error *error);

/** Open the detector that a segmenter's configuration asks for. */
int segmenter_open_detector(struct kodama_detector **detector,
                            const struct kodama_segmenter_config *config,
                            struct kodama_error *error);

#endif
