/* Writes a Whisper model for tests in shell: write_whisper_model FILE SCRIPT, as whisper_model.h.
 */
#include "support/support.h"

#include <stdio.h>

#include "support/whisper_model.h"

int main(int n_arguments, char **arguments)
{
    if (n_arguments != 3) {
        fprintf(stderr, "usage: %s FILE SCRIPT\n", arguments[0]);
        return 2;
    }
    whisper_model_write(arguments[1], arguments[2], false);
    return 0;
}
