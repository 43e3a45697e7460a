/* Joins converted blocks where they are alike. */
#include "voice/sola.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct sola {
    size_t fade, search;
    float *rising; /* [fade], sin² */
    float *kept;   /* [fade], what followed the last block */
    bool silent;   /* all of `kept` is 0 */
};

int sola_open(struct sola **sola, size_t fade, size_t search)
{
    struct sola *s = memory_array(1, sizeof *s);
    *sola = NULL;
    if (!s) return KODAMA_ERR_MEMORY;
    *s = (struct sola){.fade = fade,
                       .search = search,
                       .rising = memory_array(fade, sizeof(float)),
                       .kept = memory_array(fade, sizeof(float)),
                       .silent = true};
    if (!s->rising || !s->kept) {
        sola_close(s);
        return KODAMA_ERR_MEMORY;
    }
    for (size_t i = 0; i < fade; i++) {
        double sine = sin(acos(0.0) * ((double)i + 0.5) / (double)fade);
        s->rising[i] = (float)(sine * sine);
    }
    *sola = s;
    return KODAMA_OK;
}

void sola_close(struct sola *s)
{
    if (!s) return;
    free(s->rising);
    free(s->kept);
    free(s);
}

void sola_reset(struct sola *s)
{
    memset(s->kept, 0, s->fade * sizeof(float));
    s->silent = true;
}

static double product(const float *a, const float *b, size_t n)
{
    float sums[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++) sums[j] += a[i + j] * b[i + j];
    double sum = 0.0;
    for (; i < n; i++) sum += (double)a[i] * (double)b[i];
    for (size_t j = 0; j < 8; j++) sum += (double)sums[j];
    return sum;
}

/* Where `in` is most like what was kept. Of equals the one nearest to the middle is taken. */
static size_t find(const struct sola *s, const float *in)
{
    const size_t middle = s->search / 2;
    size_t best = middle;
    if (s->silent) return middle;
    double most = product(in + middle, s->kept, s->fade) /
                  sqrt(product(in + middle, in + middle, s->fade) + 1e-8);
    for (size_t away = 1; away <= s->search; away++) {
        for (int side = -1; side <= 1; side += 2) {
            if (side < 0 ? away > middle : middle + away > s->search) continue;
            size_t at = side < 0 ? middle - away : middle + away;
            double energy = product(in + at, in + at, s->fade);
            double alike = product(in + at, s->kept, s->fade) / sqrt(energy + 1e-8);
            if (!(alike > most * (1.0 + 1e-6) + 1e-9)) continue;
            most = alike;
            best = at;
        }
    }
    return best;
}

size_t sola_process(struct sola *s, const float *in, size_t block, float *out)
{
    size_t at = find(s, in);
    in += at;
    for (size_t i = 0; i < s->fade && i < block; i++)
        out[i] = s->kept[i] + s->rising[i] * (in[i] - s->kept[i]);
    if (block > s->fade) memcpy(out + s->fade, in + s->fade, (block - s->fade) * sizeof *out);
    /* A fade that is longer than a block goes on into what is kept. */
    for (size_t i = 0; i < s->fade; i++) {
        size_t from = block + i;
        s->kept[i] = from < s->fade ? s->kept[from] + s->rising[from] * (in[from] - s->kept[from])
                                    : in[from];
    }
    s->silent = true;
    for (size_t i = 0; i < s->fade && s->silent; i++) s->silent = s->kept[i] == 0.0f;
    return at;
}

void sola_miss(struct sola *s, size_t block, float *out)
{
    memset(out, 0, block * sizeof *out);
    for (size_t i = 0; i < s->fade && i < block; i++) out[i] = s->kept[i] * (1.0f - s->rising[i]);
    sola_reset(s);
}
