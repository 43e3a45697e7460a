/* What kodama vad prints. */
#include "command/vad_output.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Detectors and segmenters count in samples of this rate. */
static const double rate_hz = 16000.0;

/* The name of a file without folder and ending, in one word: RTTM divides fields by spaces. */
static void name_recording(struct vad_output *output, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    snprintf(output->name, sizeof output->name, "%s", strcmp(path, "-") == 0 ? "stdin" : base);
    char *dot = strrchr(output->name, '.');
    if (dot && dot > output->name) *dot = 0;
    for (char *c = output->name; *c; c++)
        if ((unsigned char)*c <= ' ') *c = '_';
}

void vad_output_open(struct vad_output *output, const char *path)
{
    output->to = output_standard();
    name_recording(output, path);
}

void vad_output_close(struct vad_output *output)
{
    text_free(&output->spans);
    text_free(&output->windows);
    text_free(&output->line);
}

static bool write_line(struct vad_output *output)
{
    bool written = output->line.length == 0 ||
                   output_write(&output->to, output->line.bytes, output->line.length);
    text_clear(&output->line);
    return written;
}

bool vad_output_begin(struct vad_output *output)
{
    const char *heading = "";
    if (output->form == VAD_TEXT)
        heading = output->probabilities ? "     start probability\n"
                                        : "     start        end     length\n";
    if (output->form == VAD_CSV)
        heading = output->probabilities ? "start,probability\n" : "start,end\n";
    text_add(&output->line, heading);
    return write_line(output);
}

bool vad_output_segment(struct vad_output *output, const struct kodama_segment *segment)
{
    double start = (double)(output->padded ? segment->begin : segment->speech_begin) / rate_hz;
    double end = (double)(output->padded ? segment->end : segment->speech_end) / rate_hz;
    struct text *line = &output->line;
    if (output->form == VAD_JSON) {
        text_printf(&output->spans, "%s{\"start\":%.3f,\"end\":%.3f}",
                    output->spans.length > 0 ? "," : "", start, end);
        return true;
    }
    if (output->probabilities) return true;
    switch (output->form) {
    case VAD_RTTM:
        text_printf(line, "SPEAKER %s 1 %.3f %.3f <NA> <NA> speech <NA> <NA>\n", output->name,
                    start, end - start);
        break;
    case VAD_AUDACITY: text_printf(line, "%.6f\t%.6f\tspeech\n", start, end); break;
    case VAD_CSV: text_printf(line, "%.3f,%.3f\n", start, end); break;
    case VAD_TEXT: text_printf(line, "%10.3f %10.3f %10.3f\n", start, end, end - start); break;
    case VAD_JSON: break;
    }
    return write_line(output);
}

bool vad_output_probabilities(struct vad_output *output, uint64_t first, const float *values,
                              size_t n)
{
    if (!output->probabilities) return true;
    for (size_t i = 0; i < n; i++) {
        double start = (double)(first + i * output->window) / rate_hz;
        if (output->form == VAD_JSON)
            text_printf(&output->windows, "%s%.4f", output->windows.length > 0 ? "," : "",
                        (double)values[i]);
        else if (output->form == VAD_CSV)
            text_printf(&output->line, "%.3f,%.4f\n", start, (double)values[i]);
        else
            text_printf(&output->line, "%10.3f %11.4f\n", start, (double)values[i]);
    }
    return write_line(output);
}

bool vad_output_end(struct vad_output *output, double duration_s)
{
    if (output->form != VAD_JSON) return output->to.error == 0;
    text_printf(&output->line, "{\"detector\":\"%s\",\"duration\":%.3f,\"segments\":[%s]",
                output->detector, duration_s, text_string(&output->spans));
    if (output->probabilities)
        text_printf(&output->line, ",\"window\":%.3f,\"probabilities\":[%s]",
                    (double)output->window / rate_hz, text_string(&output->windows));
    text_add(&output->line, "}\n");
    return write_line(output);
}
