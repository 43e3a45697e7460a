#!/usr/bin/env python3
"""Voices over HTTP, with curl as a client: whole files, chunks that go on, whose voice it is, what is refused."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

SPEECH = Path("/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0880.wav")
CHUNK_FRAMES = 2400  # 150 ms at 16 kHz


class Tap:
    """Counts checks, a line each."""

    def __init__(self) -> None:
        self.n = 0
        self.failed = False

    def check(self, name: str, passed: bool, why: object = "") -> None:
        self.n += 1
        self.failed = self.failed or not passed
        print(f"{'ok' if passed else 'not ok'} {self.n} - {name}")
        if not passed:
            print(f"# {why}")


def curl(*arguments: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request."""
    answer = subprocess.run(["curl", "-s", "-m", "120", "-i", "-H", "Expect:", *arguments], capture_output=True, check=True)
    head, _, body = answer.stdout.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return int(lines[0].split()[1]), headers, body


def frames(body: bytes) -> bytes:
    with wave.open(io.BytesIO(body)) as file:
        return file.readframes(file.getnframes())


def write_wav(path: Path, samples: bytes, rate: int = 16000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples)
    return path


def message(body: bytes) -> str:
    return json.loads(body)["error"]["message"]


def whole_files(tap: Tap, url: str) -> None:
    with wave.open(str(SPEECH)) as file:
        original = file.readframes(file.getnframes())
    status, headers, body = curl("-F", f"audio=@{SPEECH}", "-F", "pitch_shift=4", f"{url}/convert")
    changed = frames(body)
    tap.check("a form's file comes back as WAV", status == 200 and headers["content-type"] == "audio/wav", headers)
    tap.check("as long as it was", len(changed) == len(original), len(changed))
    tap.check("as another voice", changed != original)
    tap.check("its length is told", headers["x-audio-length-seconds"] == f"{len(original) / 32000:.6f}", headers)
    tap.check("the time that it took is told", float(headers["x-processing-time-ms"]) > 0, headers)
    tap.check("what changed it is told", headers["x-voice"] == "shifter", headers)
    _, _, body = curl("--data-binary", f"@{SPEECH}", f"{url}/convert?pitch_shift=4")
    tap.check("a body with options in the query is the same", frames(body) == changed)
    _, _, body = curl("-F", f"audio=@{SPEECH}", f"{url}/convert?pitch=4")
    tap.check("so are a form with options in the query, and the short names", frames(body) == changed)
    _, _, body = curl("-F", f"audio=@{SPEECH}", "-F", "noise_type=rain", "-F", "noise_level=0.5", "-F", "mute=1", f"{url}/convert")
    tap.check("a bed is heard without any voice", any(frames(body)))
    _, _, body = curl("-F", f"audio=@{SPEECH}", "-F", "bypass=1", "-F", "enable_fluctuation=false", f"{url}/convert")
    tap.check("the voice itself comes back only when asked for by name", frames(body) == original)


def chunks(tap: Tap, url: str, scratch: Path) -> None:
    with wave.open(str(SPEECH)) as file:
        original = file.readframes(file.getnframes())
    _, _, body = curl("--data-binary", f"@{SPEECH}", f"{url}/convert-chunk?session_id=whole&pitch=-3")
    whole = frames(body)
    pieces = []
    step = 2 * CHUNK_FRAMES
    for i in range(0, len(original), step):
        piece = write_wav(scratch / "piece.wav", original[i : i + step])
        status, _, body = curl("-F", f"audio=@{piece}", "-F", "pitch=-3", "-F", "session_id=pieces", f"{url}/convert-chunk")
        pieces.append(frames(body) if status == 200 else b"")
    tap.check("chunks of a session are one voice, bit for bit", b"".join(pieces) == whole)
    first = write_wav(scratch / "first.wav", original[:step])
    address = ["-F", f"audio=@{first}", "-F", "pitch=-3", "-F", "session_id=pieces", f"{url}/convert-chunk"]
    _, _, other = curl("--interface", "127.0.0.2", *address)
    tap.check("another address with the same name has a voice of its own", frames(other) == pieces[0])
    _, _, mine = curl(*address)
    tap.check("and does not disturb the first", frames(mine) != pieces[0])
    status, _, body = curl("-X", "POST", f"{url}/reset-session?session_id=pieces")
    tap.check("a session can be reset", status == 200 and json.loads(body)["was_there"] is True, body)
    _, _, body = curl(*address)
    tap.check("and begins anew then", frames(body) == pieces[0])
    status, _, body = curl("-F", "noise_type=rain", "-F", "noise_level=1", "-F", "mute=1", "-F", "session_id=bed", "-F", f"audio=@{first}", f"{url}/convert-chunk")
    tap.check("chunks have no bed", status == 200 and not any(frames(body)))
    wide = write_wav(scratch / "wide.wav", original[:step], rate=48000)
    status, _, body = curl("-F", f"audio=@{wide}", "-F", "session_id=pieces", f"{url}/convert-chunk")
    tap.check("another rate within a session is refused", status == 409 and "same format" in message(body), body)


def drift(tap: Tap, url: str) -> None:
    def once(*fields: str) -> bytes:
        return frames(curl("-F", f"audio=@{SPEECH}", *fields, f"{url}/convert")[2])

    tap.check("without a session each file begins anew", once() == once())
    first, second = once("-F", "session_id=files"), once("-F", "session_id=files")
    tap.check("with one its drift goes on", first == once() and second != first)


def refusals(tap: Tap, url: str) -> None:
    audio = ["-F", f"audio=@{SPEECH}"]
    for name, arguments, wanted in (
        ("a wrong number", [*audio, "-F", "pitch_shift=25", f"{url}/convert"], "pitch_shift must be from -24 to 24"),
        ("a wrong number in the query", [*audio, f"{url}/convert?noise_level=x"], "noise_level must be from 0 to 1"),
        ("a bed that is not there", [*audio, "-F", "noise_type=zoo", f"{url}/convert"], "noise must be cafe"),
        ("what is no sound", ["--data-binary", "@/etc/passwd", f"{url}/convert"], "no sound"),
        ("nothing at all", ["-F", "pitch=1", f"{url}/convert"], "There is no sound"),
        ("a chunk without a session", [*audio, f"{url}/convert-chunk"], "needs a session_id"),
        ("a reset without a session", ["-X", "POST", f"{url}/reset-session"], "Which?"),
    ):
        status, _, body = curl(*arguments)
        tap.check(f"{name} is refused in words", status == 400 and wanted in message(body), (status, body))
    status, _, body = curl(*audio, "-F", "model=anna", f"{url}/convert")
    tap.check("a voice that is not there is not found", status == 404 and "anna" in message(body), (status, body))


def models(tap: Tap, url: str) -> None:
    """Voices of the store; the server was started before they were there."""
    graphs = Path(os.environ["KODAMA_BUILD"]) / "tests/voice/rvc_graphs"
    imports = [os.environ["KODAMA"], "voices", "import", "one", str(graphs / "A-sine.onnx"), "--encoder", str(graphs / "content-768.onnx")]
    done = subprocess.run(imports, capture_output=True, text=True)
    if done.returncode != 0:
        why = done.stderr.strip().splitlines() or ["no models for tests"]
        print(f"# skipped: {why[-1]}")
        tap.n += 1
        print(f"ok {tap.n} - a file speaks as a model # SKIP {why[-1]}")
        return
    with wave.open(str(SPEECH)) as file:
        length = file.getnframes() * 2
    status, headers, body = curl("-F", f"audio=@{SPEECH}", "-F", "model=one", f"{url}/convert")
    spoken = status == 200 and headers["x-voice"] == "one" and len(frames(body)) == length and any(frames(body))
    tap.check("a file speaks as a model", spoken, (status, headers))
    for i in range(2):
        status, headers, body = curl("-F", f"audio=@{SPEECH}", f"{url}/convert-chunk?session_id=model&model=one")
        tap.check(f"so does chunk {i + 1}", status == 200 and len(frames(body)) == length, (status, headers))
    status, _, body = curl("-F", f"audio=@{SPEECH}", f"{url}/convert-chunk?session_id=model")
    tap.check("a session with a model does not fall back to another voice", status == 409, (status, body))


def pages(tap: Tap, url: str) -> None:
    _, _, body = curl(f"{url}/metrics")
    lines = dict(line.rsplit(" ", 1) for line in body.decode().splitlines() if not line.startswith("#"))
    tap.check("conversions are counted", float(lines["kodama_conversions_total"]) > 10, lines["kodama_conversions_total"])
    tap.check("their cost is told", 0 < float(lines["kodama_voice_real_time_factor"]) < 10)


def main() -> int:
    if not shutil.which("curl") or not SPEECH.exists():
        print("1..0 # SKIP curl or pocketsphinx-testdata is not installed")
        return 0
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_DATA_HOME"] = folder + "/data"
        environment = {**os.environ, "TMPDIR": folder}
        command = [os.environ["KODAMA"], "serve", "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as server:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            whole_files(tap, url)
            chunks(tap, url, Path(folder))
            drift(tap, url)
            refusals(tap, url)
            models(tap, url)
            pages(tap, url)
            server.terminate()
            server.wait(timeout=60)
        left = [name for name in os.listdir(folder) if name.startswith("kodama-")]
        tap.check("no temporary file is left", not left, left)
    print(f"1..{tap.n}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
