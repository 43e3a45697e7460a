/* Alignment of a mix's inputs: when their frames were heard, and the slow resampling that keeps
 * clocks together which do not agree. */
#define _DEFAULT_SOURCE /* M_PI */
#include "capture/mix_align.h"

#include <math.h>

/* gcc vectorises loops of unknown length only from -O3 on, clang from -O2 on. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

/* An input that is less than this out of step is left alone, bit for bit: marks of devices jitter
 * by tens of us, and echoes below a few ms are not heard as such (precedence effect, Litovsky et
 * al. 1999). */
#define TOLERANCE_S 0.0005

/* A proportional and integral control whose error dies away within 2 TIME_S, without overshoot
 * of the speed being heard: 200 ppm are 0.35 cents. Slow enough for marks every second. */
#define TIME_S 2.0

/* What is corrected at the most; level II of IEC 60958-3 allows clocks 1000 ppm. */
#define SPEED_MAX 0.001

/* A line through marks that are closer than this would be steeper than the clock. */
#define SPAN_MIN_S 0.5

/* ---------------------------------------------------------------- clocks */

void mix_clock_reset(struct mix_clock *clock)
{
    clock->n_marks = 0;
}

void mix_clock_add(struct mix_clock *clock, uint64_t position, uint64_t time_ns)
{
    /* Three marks: the newest moves on, and where it has gone a second from the one between, the
     * oldest is given up. So the line is drawn over one to two seconds. */
    if (clock->n_marks > 0 && clock->marks[clock->n_marks - 1].position >= position) {
        clock->n_marks--; /* of two about one frame the later one knows better */
    }
    if (clock->n_marks == 3) {
        if (clock->marks[2].position - clock->marks[1].position >= clock->rate_hz) {
            clock->marks[0] = clock->marks[1];
            clock->marks[1] = clock->marks[2];
        }
        clock->n_marks = 2;
    }
    clock->marks[clock->n_marks].position = position;
    clock->marks[clock->n_marks].time_ns = time_ns;
    clock->n_marks++;
}

/* ns from one frame to the next. */
static double period(const struct mix_clock *clock)
{
    double nominal = 1e9 / clock->rate_hz;
    uint32_t newest = clock->n_marks - 1;
    double frames = (double)(clock->marks[newest].position - clock->marks[0].position);
    if (frames < SPAN_MIN_S * clock->rate_hz) return nominal;
    double found =
        (double)(int64_t)(clock->marks[newest].time_ns - clock->marks[0].time_ns) / frames;
    /* Marks that claim more than that are about something else than a clock. */
    return fmin(fmax(found, nominal * (1.0 - 2.0 * SPEED_MAX)), nominal * (1.0 + 2.0 * SPEED_MAX));
}

double mix_clock_time(const struct mix_clock *clock, double position)
{
    uint32_t newest = clock->n_marks - 1;
    return (double)clock->marks[newest].time_ns +
           (position - (double)clock->marks[newest].position) * period(clock);
}

double mix_clock_position(const struct mix_clock *clock, double time_ns)
{
    uint32_t newest = clock->n_marks - 1;
    return (double)clock->marks[newest].position +
           (time_ns - (double)clock->marks[newest].time_ns) / period(clock);
}

/* ---------------------------------------------------------------- drift */

static double limited(double speed)
{
    return fmin(fmax(speed, -SPEED_MAX), SPEED_MAX);
}

void mix_drift_update(struct mix_drift *drift, double error_frames, size_t n_frames,
                      uint32_t rate_hz)
{
    double error_s = error_frames / rate_hz, passed_s = (double)n_frames / rate_hz;
    if (!drift->on && fabs(error_s) < TOLERANCE_S) return;
    drift->on = true;
    /* Critically damped: both poles at 1 / (2 TIME_S). */
    drift->integral = limited(drift->integral + error_s * passed_s / (4.0 * TIME_S * TIME_S));
    drift->speed = limited(drift->integral + error_s / TIME_S);
}

/* ---------------------------------------------------------------- interpolation */

/* Modified Bessel function of order 0, for Kaiser's window (Kaiser & Schafer 1980). */
static double bessel(double x)
{
    double sum = 1.0, term = 1.0;
    for (int k = 1; k < 40; k++) {
        term *= x / (2.0 * k) * (x / (2.0 * k));
        sum += term;
    }
    return sum;
}

void mix_kernel_init(struct mix_kernel *kernel)
{
    /* Errors below -92 dB up to 0.4 of the rate, 19 kHz at 48 kHz (measured by the tests). Between
     * 512 phases a straight line is right to (pi / 512)^2 / 8, -107 dB. */
    const double beta = 9.0;
    for (int p = 0; p <= MIX_PHASES; p++) {
        double row[MIX_TAPS], sum = 0.0;
        for (int i = 0; i < MIX_TAPS; i++) {
            double t = i - MIX_BEFORE - (double)p / MIX_PHASES;
            double edge = t / (MIX_TAPS / 2.0);
            double window = edge * edge < 1.0 ? bessel(beta * sqrt(1.0 - edge * edge)) : 0.0;
            row[i] = window * (t == 0.0 ? 1.0 : sin(M_PI * t) / (M_PI * t));
            sum += row[i];
        }
        for (int i = 0; i < MIX_TAPS; i++) kernel->rows[p][i] = (float)(row[i] / sum);
    }
}

void mix_kernel_apply(const struct mix_kernel *kernel, const float *frames, uint32_t channels,
                      double between, float *out)
{
    double place = between * MIX_PHASES;
    int phase = (int)place;
    float part = (float)(place - phase), weights[MIX_TAPS];
    const float *low = kernel->rows[phase], *high = kernel->rows[phase + 1];
    for (int i = 0; i < MIX_TAPS; i++) weights[i] = low[i] + part * (high[i] - low[i]);
    const float *from = frames - (size_t)MIX_BEFORE * channels;
    for (uint32_t c = 0; c < channels; c++) {
        float sum = 0.0f;
        for (int i = 0; i < MIX_TAPS; i++) sum += weights[i] * from[(size_t)i * channels + c];
        out[c] = sum;
    }
}
