/* Values as clients write them. */
#include "serve/values.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

int value_number(uint32_t *number, const char *key, const char *value, uint32_t least,
                 uint32_t most, struct kodama_error *error)
{
    char *end = NULL;
    errno = 0;
    unsigned long read = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || errno || read < least || read > most) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "%s must be a number from %u to %u", key,
                         least, most);
    }
    *number = (uint32_t)read;
    return KODAMA_OK;
}

int value_real(float *number, const char *key, const char *value, float least, float most,
               struct kodama_error *error)
{
    char *end = NULL;
    double read = strtod(value, &end);
    if (end == value || *end || !isfinite(read) || read < (double)least || read > (double)most) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "%s must be from %.9g to %.9g", key,
                         (double)least, (double)most);
    }
    *number = (float)read;
    return KODAMA_OK;
}

int value_switch(bool *on, const char *key, const char *value, struct kodama_error *error)
{
    bool is_on = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
    if (!is_on && strcmp(value, "0") != 0 && strcmp(value, "false") != 0) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "%s must be 1 or 0", key);
    }
    *on = is_on;
    return KODAMA_OK;
}
