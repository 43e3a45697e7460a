/* SoundTouch in the comparison, as it comes. */
#include "voice.h"

#include <SoundTouch.h>

static void give_available(struct voice_run *run, soundtouch::SoundTouch &shifter)
{
    float out[4096];
    for (unsigned int n; (n = shifter.receiveSamples(out, 4096)) > 0;) voice_give(run, out, n);
}

static bool run_soundtouch(struct voice_run *run)
{
    if (run->formant != 0) return false;
    soundtouch::SoundTouch shifter;
    shifter.setSampleRate(VOICE_RATE);
    shifter.setChannels(1);
    shifter.setPitchSemiTones(run->pitch);
    run->states_ms = 1e3 * shifter.getSetting(SETTING_INITIAL_LATENCY) / VOICE_RATE;
    size_t n;
    for (const float *in; (in = voice_next(run, &n));) {
        shifter.putSamples(in, static_cast<unsigned int>(n));
        give_available(run, shifter);
    }
    shifter.flush();
    give_available(run, shifter);
    return true;
}

extern "C" const struct voice_contender voice_soundtouch = {"SoundTouch", false, run_soundtouch};
