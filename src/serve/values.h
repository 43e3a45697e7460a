/* Values as clients write them, read strictly: what is wrong is said with the key's name. */
#ifndef SERVE_VALUES_H
#define SERVE_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include <kodama/status.h>

/** A whole number of a range. KODAMA_OK or KODAMA_ERR_ARGUMENT, nothing changed then. */
int value_number(uint32_t *number, const char *key, const char *value, uint32_t least,
                 uint32_t most, struct kodama_error *error);

/** A number of a range. KODAMA_OK or KODAMA_ERR_ARGUMENT. */
int value_real(float *number, const char *key, const char *value, float least, float most,
               struct kodama_error *error);

/** 1, true, 0 or false. KODAMA_OK or KODAMA_ERR_ARGUMENT. */
int value_switch(bool *on, const char *key, const char *value, struct kodama_error *error);

#endif
