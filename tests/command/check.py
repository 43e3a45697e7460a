"""Checks what kodama writes: check.py messages|saved|srt|vtt|vad FILE. Says what is wrong and exits with 1."""
import json
import re
import sys


def messages(text, partials):
    """The protocol's messages, one a line."""
    assert text.endswith("\n"), "the last line is not whole"
    found = [json.loads(line) for line in text.splitlines()]
    assert [message["seq"] for message in found] == list(range(1, len(found) + 1)), "seq does not count from 1"
    assert found[0]["type"] == "ready", found[0]
    assert {"session", "next_sample", "rate", "engine", "model"} <= set(found[0]), found[0]
    stable, started, last_end = {}, {}, 0.0
    finals = [message for message in found if message["type"] == "final"]
    for message in found:
        utterance = message.get("utterance")
        if message["type"] == "speech_started":
            started[utterance] = message["sample"] / found[0]["rate"]
        elif message["type"] == "partial":
            assert partials, "a partial where none belongs"
            text, kept = message["text"], stable.get(utterance, "")
            assert text.startswith(kept), f"{text!r} does not keep {kept!r}"
            stable[utterance] = text.encode()[: message["stable"]].decode()
        elif message["type"] == "final":
            assert utterance in started, "a final without a start"
            check_final(message, started[utterance])
            assert message["start"] >= last_end - 0.5, "finals are out of order"
            last_end = message["end"]
            kept = stable.get(utterance, "")
            assert message["revised"] or message["text"].startswith(kept.rstrip()), message
    assert [final["utterance"] for final in finals] == sorted(started), "not one final per utterance"
    if found[-1]["type"] == "closed":
        assert found[-1]["utterances"] == len(finals), found[-1]
    return found


def check_final(message, started):
    assert 0.0 <= message["confidence"] <= 1.0, message
    assert started <= message["start"] + 0.05 and message["start"] <= message["end"], message
    at = message["start"] - 0.011
    for word in message["words"]:
        assert at <= word["start"] <= word["end"], word
        assert word["end"] <= message["end"] + 0.011, word
        assert 0.0 <= word["confidence"] <= 1.0, word
        at = word["start"]


def seconds(stamp):
    hours, minutes, rest = stamp.replace(",", ".").split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


def cues(text, vtt):
    """Subtitles: numbered (srt), in order, without overlap, at most two lines of 42 characters."""
    if vtt:
        assert text.startswith("WEBVTT\n\n"), "no WEBVTT header"
        text = text[len("WEBVTT\n\n"):]
    assert text == "" or text.endswith("\n\n"), "the last cue is not whole"
    found, end = [], 0.0
    point = r"\." if vtt else ","
    stamp = rf"(\d\d:\d\d:\d\d{point}\d\d\d)"
    for block in [block for block in text.split("\n\n") if block]:
        lines = block.split("\n")
        if not vtt:
            assert lines.pop(0) == str(len(found) + 1), block
        times = re.fullmatch(f"{stamp} --> {stamp}", lines.pop(0))
        assert times, block
        assert end <= seconds(times[1]) < seconds(times[2]), block
        end = seconds(times[2])
        assert 1 <= len(lines) <= 2 and all(0 < len(line) <= 42 for line in lines), block
        found.append(" ".join(lines))
    return found


def vad(text):
    found = json.loads(text)
    assert list(found) == ["detector", "duration", "segments"], found
    end = 0.0
    for segment in found["segments"]:
        assert set(segment) == {"start", "end"}, segment
        assert end <= segment["start"] < segment["end"] <= found["duration"] + 0.001, segment
        end = segment["end"]
    return found


def words_of(kind, text):
    """What was said, whatever the format."""
    if kind in ("messages", "saved"):
        found = messages(text, kind == "messages")
        return " ".join(message["text"] for message in found if message["type"] == "final")
    if kind in ("srt", "vtt"):
        return " ".join(cues(text, kind == "vtt"))
    if kind == "vad":
        return str(len(vad(text)["segments"]))
    return text


if __name__ == "__main__":
    with open(sys.argv[2], encoding="utf-8") as file:
        try:
            print(" ".join(words_of(sys.argv[1], file.read()).split()))
        except (AssertionError, KeyError, ValueError) as wrong:
            print(f"{type(wrong).__name__}: {wrong}", file=sys.stderr)
            sys.exit(1)
