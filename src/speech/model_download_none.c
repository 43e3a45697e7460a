/* Downloads in a build without libcurl: there are none. */
#include "speech/model_download.h"

#include "base/error.h"

bool download_is_built(void)
{
    return false;
}

int download_run(struct download *download, struct kodama_error *error)
{
    return error_set(error, KODAMA_ERR_UNSUPPORTED,
                     "this build cannot download: install libcurl4-openssl-dev and build again, or "
                     "fetch %s some other way and bring it in with: kodama models add FILE",
                     download->address);
}
