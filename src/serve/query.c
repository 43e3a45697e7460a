/* The query of a request. */
#include <string.h>

#include "serve/connection.h"

int query_next(struct lws *wsi, int *at, char *text, size_t room, char **value)
{
    for (;;) {
        int n = lws_hdr_copy_fragment(wsi, text, (int)room, WSI_TOKEN_HTTP_URI_ARGS, (*at)++);
        if (n == -2) return KODAMA_ERR_LIMIT;
        if (n < 0) return 0;
        *value = strchr(text, '=');
        if (!*value) continue;
        *(*value)++ = '\0';
        return 1;
    }
}
