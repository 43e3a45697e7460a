/*
 * A relay of two detectors of a kind: at the end of each chunk the other one takes over, which
 * began to listen one overlap before. So a window's probability depends on the samples from one
 * overlap before its chunk on, and on nothing earlier: chunks can be judged at the same time.
 */
#ifndef SPEECH_DETECTOR_RELAY_H
#define SPEECH_DETECTOR_RELAY_H

#include "speech/detector.h"

/**
 * Join two detectors.
 *
 * @param[out] relay  NULL when memory is out
 * @param first       taken, also on failure
 * @param second      taken; opened from the same configuration
 * @param n_chunk     windows of a chunk, 1 or more
 * @param n_overlap   windows of the overlap, at most n_chunk
 * @return KODAMA_OK or KODAMA_ERR_MEMORY
 */
int detector_relay_open_take(struct kodama_detector **relay, struct kodama_detector *first,
                             struct kodama_detector *second, uint64_t n_chunk, uint64_t n_overlap);

#endif
