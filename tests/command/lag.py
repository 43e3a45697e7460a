"""Where a WAV file lies behind another one: `lag.py ONE OTHER [MOST_MS]` prints the lag of the best correlation in
milliseconds and the correlation there. Of envelopes with --envelope, for voices that were changed; with --marks of
envelopes in time, as the recordings' lists of marks say when each frame was heard. With --said=FILE (lines of `kodama
voice --json`, each with the monotonic time `at` in seconds) also the least and the most that was said of the delay
during the stretch that was compared, and whether nothing was counted that would have changed it then."""
import array
import json
import math
import sys
import wave


def samples(path):
    with wave.open(path) as file:
        assert file.getsampwidth() == 2, "s16 is needed"
        data = array.array("h", file.readframes(file.getnframes()))
        return list(data[:: file.getnchannels()]), file.getframerate()


def envelope(values, rate):
    """Loudness every millisecond."""
    step = rate // 1000
    return [math.sqrt(sum(v * v for v in values[i : i + 5 * step])) for i in range(0, len(values) - 5 * step, step)]


def begun_ms(path, rate):
    """When the first frame was heard."""
    times = []
    with open(path + ".jsonl") as lines:
        for line in lines:
            mark = json.loads(line)
            if mark["event"] == "mark" and "time" in mark["flags"]:
                times.append(mark["time_ns"] / 1e6 - mark["frame"] * 1000 / rate)
    return sorted(times)[len(times) // 2]


class Said:
    """What was said of the delay, and when (ms)."""

    COUNTED = ("underruns", "shortened_ms", "dropped_ms", "lost", "faults")

    def __init__(self, path):
        with open(path) as lines:
            self.levels = [line for line in map(json.loads, lines) if line["event"] == "levels"]

    def between(self, begin_ms, end_ms):
        """The least, the most, and whether it was quiet; the lines around the time count, too."""
        inside = [line for line in self.levels if begin_ms <= line["at"] * 1000 <= end_ms]
        before = [line for line in self.levels if line["at"] * 1000 < begin_ms][-1:]
        after = [line for line in self.levels if line["at"] * 1000 > end_ms][:1]
        lines = before + inside + after
        delays = [line["latency_ms"] for line in lines]
        quiet = bool(before and after) and all(lines[0][key] == lines[-1][key] for key in self.COUNTED)
        return min(delays), max(delays), quiet


arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
one, rate = samples(arguments[0])
other, other_rate = samples(arguments[1])
most_ms = float(arguments[2]) if len(arguments) > 2 else 50
if "--marks" in sys.argv:
    began_ms = begun_ms(arguments[0], rate), begun_ms(arguments[1], other_rate)
    moved_ms = began_ms[1] - began_ms[0]
    # Frames that were heard together come together.
    skip = int(abs(moved_ms) * rate / 1000)
    if moved_ms > 0:
        one = one[skip:]
    else:
        other = other[skip:]
enveloped = "--envelope" in sys.argv or "--marks" in sys.argv
if enveloped:
    one, other = envelope(one, rate), envelope(other, other_rate)
    rate = other_rate = 1000
    one_mean, other_mean = sum(one) / len(one), sum(other) / len(other)
    one, other = [v - one_mean for v in one], [v - other_mean for v in other]
assert rate == other_rate, "rates differ"
most = int(most_ms * rate / 1000)


def best_lag(first, n):
    """Correlation and lag of so many values."""
    part = one[first : first + n]
    power, best = math.sqrt(sum(v * v for v in part)) or 1, (-2.0, 0)
    for lag in range(-most, most + 1):
        there = other[first + lag : first + lag + n]
        dot = sum(map(lambda a, b: a * b, part, there))
        best = max(best, (dot / power / (math.sqrt(sum(v * v for v in there)) or 1), lag))
    return best


whole = min(len(one), len(other)) - 2 * most
if "--marks" in sys.argv:
    # The delay of live sound may change when the machine stalls: the stretch that fits best counts.
    stretch = 1500
    said = [Said(a[7:]) for a in sys.argv[1:] if a.startswith("--said=")]
    began = max(began_ms) if said else 0
    found = []
    for first in range(most, most + whole - stretch, stretch // 2):
        likeness, lag = best_lag(first, stretch)
        told = said[0].between(began + first + lag, began + first + lag + stretch) if said else (0, 0, False)
        found.append((told[2] and likeness > 0.6, likeness, lag, told))
    quiet, likeness, lag, told = max(found)
    best = (likeness, lag)
    if said:
        print(f"{lag:.3f} {likeness:.3f} {told[0]:.1f} {told[1]:.1f} {'quiet' if told[2] else 'disturbed'}")
        sys.exit()
else:
    best = best_lag(most, whole if enveloped else min(whole, 12000))
print(f"{best[1] * 1000 / rate:.3f} {best[0]:.3f}")
