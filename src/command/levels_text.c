/* A meter's levels in words, and on the meter of a status line. */
#include "command/levels_text.h"

#include <inttypes.h>
#include <math.h>

void levels_db(struct text *text, double db)
{
    if (isfinite(db))
        text_printf(text, " %5.1f", db);
    else
        text_add(text, "  -inf");
}

void levels_text(struct text *status, struct kodama_meter *meter, struct screen *screen, bool lit)
{
    struct kodama_levels levels;
    if (!meter || kodama_meter_read(meter, &levels) < 0) return;
    screen_meter(screen, screen_level(levels.all.rms_db), lit);
    text_add(status, "  peak");
    levels_db(status, levels.all.peak_db);
    text_add(status, "  rms");
    levels_db(status, levels.all.rms_db);
    text_add(status, " dBFS");
    if (levels.all.clipped_total > 0) {
        text_printf(status, "  %" PRIu64 " clipped", levels.all.clipped_total);
    }
}
