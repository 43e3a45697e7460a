/* What is there on a PulseAudio server: listed at first, then followed by its events. */
#ifndef CAPTURE_PULSE_MODEL_H
#define CAPTURE_PULSE_MODEL_H

struct pulse;

/** The connection is ready: subscribe and list; pulse_listed() is called when all is there. */
void pulse_model_list(struct pulse *pulse);
/** pulse.c: the list is complete. */
void pulse_listed(struct pulse *pulse);
/** Forget everything; the host is told by who calls. */
void pulse_model_clear(struct pulse *pulse);

#endif
