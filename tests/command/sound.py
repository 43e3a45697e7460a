"""Sounds for the tests of the command: sound.py make FILE SECONDS [RATE [CHANNELS [AMPLITUDE]]] writes a tone
of 1 kHz; sound.py look FILE prints what a WAV file holds; sound.py starts WHOLE PART, sound.py same A B
compare the samples. Says what is wrong and exits with 1."""
import array
import math
import struct
import sys
import wave


def make(path, seconds, rate=16000, channels=1, amplitude=0.5):
    frames = round(float(seconds) * int(rate))
    peak = float(amplitude) * 32767
    samples = array.array("h")
    for i in range(frames):
        value = round(peak * math.sin(2 * math.pi * 1000 * i / int(rate)))
        samples.extend([value] * int(channels))
    with wave.open(path, "wb") as file:
        file.setparams((int(channels), 2, int(rate), 0, "NONE", ""))
        file.writeframes(samples.tobytes())


def read(path):
    """Tag, channels, rate, bits and data of a WAV file, also of one whose lengths are not known."""
    with open(path, "rb") as file:
        whole = file.read()
    assert whole[:4] in (b"RIFF", b"RF64") and whole[8:12] == b"WAVE", "no WAV file"
    at, form = 12, None
    while at + 8 <= len(whole):
        name, size = whole[at: at + 4], struct.unpack("<I", whole[at + 4: at + 8])[0]
        if name == b"fmt ":
            tag, channels, rate, _, frame, bits = struct.unpack("<HHIIHH", whole[at + 8: at + 24])
            assert frame == channels * bits // 8, "frame size"
            form = (tag, channels, rate, bits)
        elif name == b"data":
            data = whole[at + 8:] if size == 0xFFFFFFFF else whole[at + 8: at + 8 + size]
            assert size in (0xFFFFFFFF, len(data)), f"data of {size} bytes in {len(data)}"
            return *form, data
        at += 8 + size + size % 2
    raise AssertionError("no data")


def look(path):
    tag, channels, rate, bits, data = read(path)
    return f"tag {tag} channels {channels} rate {rate} bits {bits} frames {len(data) // (channels * bits // 8)}"


def same(a, b):
    assert read(a) == read(b), f"{look(a)} against {look(b)}"


def starts(whole, part):
    """Whether a file is the beginning of another one, and not empty."""
    one, two = read(whole), read(part)
    assert one[:4] == two[:4], f"{look(whole)} against {look(part)}"
    assert two[4] and one[4].startswith(two[4]), "not a beginning"


if __name__ == "__main__":
    try:
        said = {"make": make, "look": look, "same": same, "starts": starts}[sys.argv[1]](*sys.argv[2:])
        if said:
            print(said)
    except (AssertionError, OSError) as wrong:
        print(f"{type(wrong).__name__}: {wrong}", file=sys.stderr)
        sys.exit(1)
