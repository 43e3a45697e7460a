/* Instead of the silero detector in a build that cannot run models: says so when it is asked for.
 */
#include "neural/runtime.h"
#include "speech/detector.h"

static int silero_open(struct kodama_detector **detector,
                       const struct kodama_detector_config *config, struct kodama_error *error)
{
    (void)detector;
    struct runtime *runtime;
    return runtime_open(&runtime, config->runtime, error);
}

const struct detector_ops detector_silero = {.name = "silero", .open = silero_open};
