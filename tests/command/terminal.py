#!/usr/bin/env python3
"""Captions on a terminal: runs kodama in a pseudo terminal and draws what it sends on a small screen."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import tempfile
import termios
import time
import wave

SPEECH = "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0880.wav"
LONGER = SPEECH.replace("0880", "0870")
KODAMA = os.environ["KODAMA"]
tests, failed = 0, False


def skip(sentence, reason):
    global tests
    tests += 1
    print(f"ok {tests} - {sentence} # SKIP {reason}", flush=True)


def check(sentence, passed, *shown):
    global tests, failed
    tests += 1
    failed |= not passed
    print(f"{'ok' if passed else 'not ok'} {tests} - {sentence}", flush=True)
    if not passed:
        for text in shown:
            for line in str(text).splitlines():
                print(f"# {line!r}")


class Screen:
    """As much of a terminal as kodama uses; anything else is an error."""

    def __init__(self, width):
        self.rows, self.row, self.column, self.width = [""], 0, 0, width
        self.cursor, self.styles, self.strange, self.widest = True, set(), [], 0

    def feed(self, text):
        for part in re.findall(r"\033\[[?0-9;]*[A-Za-z]|.", text, re.DOTALL):
            if part == "\r":
                self.column = 0
            elif part == "\n":
                self.row += 1
                if self.row == len(self.rows):
                    self.rows.append("")
            elif part.startswith("\033["):
                self.control(part)
            elif part < " ":
                self.strange.append(part)
            else:
                line = self.rows[self.row].ljust(self.column)
                self.rows[self.row] = line[: self.column] + part + line[self.column + 1:]
                self.column += 1
                self.widest = max(self.widest, self.column)

    def control(self, part):
        if part.endswith("m"):
            self.styles.add(part)
        elif part.endswith("A"):
            self.row -= int(part[2:-1])
            if self.row < 0:
                self.strange.append("above the screen")
        elif part == "\033[K":
            self.rows[self.row] = self.rows[self.row][: self.column]
        elif part == "\033[J":
            del self.rows[self.row + 1:]
            self.rows[self.row] = self.rows[self.row][: self.column]
        elif part in ("\033[?25l", "\033[?25h"):
            self.cursor = part.endswith("h")
        else:
            self.strange.append(part)

    def text(self):
        return "\n".join(row.rstrip() for row in self.rows).rstrip()


def run(arguments, environment=None, width=60, height=20, actions=(), patience=40, start=rb" of \d+:"):
    """Run in a terminal; actions are (seconds since `start` was seen, function(pid, fd)).
    Returns the screen, what was sent and the exit code."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.pop("NO_COLOR", None)
        os.environ.update({"TERM": "xterm", "LC_ALL": "C.UTF-8"} | (environment or {}))
        time.sleep(0.2)  # until the size is set
        os.execv(KODAMA, ["kodama"] + arguments)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    sent, began, running, actions = b"", time.monotonic(), None, list(actions)
    while time.monotonic() - began < patience:
        if running is None and re.search(start, sent):
            running = time.monotonic()
        if actions and running and time.monotonic() - running >= actions[0][0]:
            actions.pop(0)[1](pid, fd)
        if not select.select([fd], [], [], 0.05)[0]:
            continue
        try:
            some = os.read(fd, 65536)
        except OSError:
            break
        if not some:
            break
        sent += some
    else:
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    screen = Screen(width)
    screen.feed(sent.decode().replace("\r\n", "\n\r"))
    return screen, sent.decode(), code


def frames(sent):
    """What was on the screen after each redrawing."""
    screen, seen = Screen(1000), []
    for frame in sent.replace("\r\n", "\n\r").split("\033[?25l"):
        screen.feed(frame)
        seen.append(screen.text())
    return seen


def live_captions():
    screen, sent, code = run(["listen", LONGER])
    seen = frames(sent)
    check("captions on a terminal end with 0", code == 0, sent[-400:])
    check("only known control sequences are sent", not screen.strange, screen.strange)
    check("finished lines begin with their time", re.match(r"\s*0:00  \w+", screen.text()), screen.text())
    check("nothing is as wide as the terminal", screen.widest < 60, screen.widest)
    check("the cursor is shown again at the end", screen.cursor)
    check("the status line goes at the end", "of 0:07" not in screen.text(), screen.text())
    check("the status line shows time and length", any("0:03 of 0:07" in one for one in seen), seen[-2:])
    tentative = [one for one in seen if re.search(r"0:00  [a-z].*\n\n", one)]
    texts = {one.split("\n\n")[0] for one in tentative}
    sentences = ("firm text is bright, the rest dim", "text appears while it is spoken", "text grows while it is spoken")
    if len(tentative) < 3:
        for sentence in sentences:
            skip(sentence, "this machine is too busy for partials")
    else:
        early = [one for one in tentative if re.search(r"0:0[0-6] of 0:07", one)]
        check(sentences[0], {"\033[1m", "\033[2m"} & screen.styles, screen.styles)
        check(sentences[1], early, tentative)
        if len(texts) == 1:
            skip(sentences[2], "this machine is too busy for a second partial")
        else:
            words = [len(one.split("\n\n")[0].split()) for one in tentative]
            check(sentences[2], words[-1] > words[0], words)
    check("redrawing leaves nothing behind", screen.text().count("0:00") == 1, screen.text())


def plain_terminals():
    screen, sent, code = run(["listen", "--fast", SPEECH], {"NO_COLOR": "1"})
    check("NO_COLOR ends with 0", code == 0)
    check("NO_COLOR sends no styles", not screen.styles, screen.styles)
    check("NO_COLOR captions alike", re.match(r"\s*0:00  \w+", screen.text()), screen.text())
    screen, sent, code = run(["listen", "--fast", SPEECH], {"TERM": "dumb"})
    check("a dumb terminal gets no control sequences", code == 0 and "\033" not in sent, sent)
    check("a dumb terminal gets the captions", len(sent.split()) > 3, sent)
    screen, sent, code = run(["listen", "--fast", SPEECH], {"LC_ALL": "C"})
    check("a terminal without UTF-8 gets ASCII only", code == 0 and sent.isascii(), sent[:200])
    screen, sent, code = run(["listen", "--fast", SPEECH], width=12, height=4)
    check("a tiny terminal is no trouble", code == 0 and not screen.strange, screen.strange)
    check("even there nothing is as wide as the terminal", screen.widest < 12, screen.widest)
    screen, sent, code = run(["listen", "--fast", "--format=json", SPEECH])
    check("json on a terminal is not painted on", code == 0 and "\033" not in sent, sent[:200])


def resize(width):
    def action(pid, fd):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 20, width, 0, 0))
        os.kill(pid, signal.SIGWINCH)
    return action


def ends():
    screen, sent, code = run(["listen", SPEECH], width=100, actions=[(1.5, resize(40))])
    last = frames(sent)[-1].splitlines()
    check("a terminal that became narrower is respected", code == 0 and max(map(len, last)) < 40, last)
    interrupt = lambda pid, fd: os.write(fd, b"\003")
    screen, sent, code = run(["listen", LONGER, LONGER], actions=[(3.5, interrupt)])
    check("Ctrl-C ends with 130", code == 130, code)
    check("Ctrl-C finishes the captions", re.search(r"(?m)^\s*(\^C)?\s*0:00  \w+", screen.text()), screen.text())
    check("Ctrl-C leaves the cursor shown", screen.cursor)
    began = time.monotonic()
    screen, sent, code = run(["listen", LONGER, LONGER, LONGER, "--fast"],
                             actions=[(0.3, interrupt), (0.4, interrupt), (0.5, interrupt)])
    check("Ctrl-C twice ends soon", code in (130, 0) and time.monotonic() - began < 15, code)
    check("Ctrl-C twice leaves the cursor shown", screen.cursor)


def progress():
    read, write = os.pipe()
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update({"TERM": "xterm", "LC_ALL": "C.UTF-8"})
        os.dup2(write, 1)
        os.execv(KODAMA, ["kodama", "listen", "--fast"] + [SPEECH] * 4)
    os.close(write)
    out, painted = b"", b""
    while True:
        ready = select.select([read, fd], [], [], 30)[0]
        if fd in ready:
            try:
                painted += os.read(fd, 65536)
            except OSError:
                pass
        if read in ready:
            some = os.read(read, 65536)
            out += some
            if not some:
                break
        if not ready:
            break
    os.waitpid(pid, 0)
    check("a long file shows its progress on standard error", b" of 0:11" in painted, painted[-300:])
    check("progress does not touch standard output", b"\033" not in out and len(out.split()) > 10, out)


def recording():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "tone.wav")
        tone = ["record", "--input", "tone:440", "--raw", "s16:16000", "-o", path]
        screen, sent, code = run(tone + ["-d", "2"], width=100)
        seen = frames(sent)
        check("a recording on a terminal ends with 0", code == 0, sent[-400:])
        check("its meter uses known control sequences only", not screen.strange, screen.strange)
        check("it shows peak and rms", any("peak  -6.0  rms  -9.0 dBFS" in one for one in seen), seen[-3:])
        check("it shows time, length and size",
              any(re.search(r"0:01 of 0:02 .* kB", one) for one in seen), seen[-3:])
        check("the meter goes at the end, the summary stays",
              screen.text() == path + ": 2.000 s, 32000 frames, 0 lost, 0 in 0 gaps, 64 kB", screen.text())
        check("the cursor is shown again", screen.cursor)
        screen, sent, code = run(tone + ["-d", "30", "--overwrite"], width=30,
                                 actions=[(1.5, lambda pid, fd: os.write(fd, b"\003"))])
        check("Ctrl-C ends a recording with 130", code == 130, code)
        check("Ctrl-C leaves the cursor shown", screen.cursor)
        with wave.open(path) as file:
            check("Ctrl-C leaves a whole file", 8000 < file.getnframes() < 480000, file.getnframes())


def long_work():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "long.wav")
        with wave.open(path, "wb") as file:
            file.setparams((2, 2, 48000, 0, "NONE", ""))
            file.writeframes(bytes(4 * 48000 * 600))
        screen, sent, code = run(["info", "--no-waveform", path], width=90)
        seen = frames(sent)
        if not any(" of 10:00" in one for one in seen):
            skip("a bar shows how far long work is", "this machine was too fast")
        else:
            check("a bar shows how far long work is", any("\u2501\u2501" in one for one in seen), seen[:3])
        check("the bar goes at the end", " of 10:00" not in screen.text() and code == 0, screen.text())
        check("what was asked for stays", "10:00" not in screen.text() and "600.000 s" in screen.text(),
              screen.text())
        screen, sent, code = run(["record", "--fast", "--input", "noise", "-d", "36000", "-o",
                                  os.path.join(folder, "x.opus")], width=90,
                                 actions=[(2.0, lambda pid, fd: os.write(fd, b"\003"))])
        seen = frames(sent)
        check("speed and time left are shown", any(re.search(r"[0-9]x  [0-9:]+ left", one) for one in seen), seen[-2:])
        check("a bar that is interrupted is cleared", code == 130 and "left" not in screen.text() and screen.cursor,
              screen.text(), code)


def press(keys):
    return lambda pid, fd: os.write(fd, keys)


def live():
    """Beside a sound daemon in which an application Songster plays a tone: called by capture.sh."""
    screen, sent, code = run(["apps", "--watch"], width=70, start=rb"Songster", actions=[(1.5, press(b"\003"))])
    seen = frames(sent)
    check("a live table ends with 130 on Ctrl-C", code == 130 and not screen.strange, code, screen.strange)
    check("it has level bars", any(re.search("playing +100% +\u2586{5,10} +Songster", one) for one in seen), seen[-2:])
    check("it goes at the end", "Songster" not in screen.text() and screen.cursor, screen.text())
    screen, sent, code = run(["levels", "songster"], width=100, start=rb"dBFS", actions=[(1.5, press(b"\003"))])
    seen = frames(sent)
    check("a meter has a bar for each channel", any(
        re.search("left +\u2501{20}.*\n *right +\u2501{20}", one) for one in seen), seen[-2:])
    check("a meter shows peak and rms", any(re.search(r"peak +-6\.0 +rms +-9\.0 dBFS", one) for one in seen), seen[-2:])
    check("a meter ends with 130 on Ctrl-C", code == 130 and screen.cursor and not screen.strange, code)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "past.wav")
        screen, sent, code = run(["record", "--app", "songster", "--past", "1", "-o", path], width=100,
                                 start=rb"s saves", actions=[(1.5, press(b"s")), (2.5, press(b"xs")), (3.5, press(b"\003"))])
        check("remembering ends with 130 on Ctrl-C", code == 130 and screen.cursor, code)
        check("the key s saves what was heard", os.path.exists(path) and "saved " + path + ": 1.000 s" in screen.text(),
              screen.text())
        check("and again, and no other key does", sorted(os.listdir(folder)) == ["past-2.wav", "past.wav"], os.listdir(folder))


def changed_voices():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "voice.wav")
        keys = [(0.4, press(b"++")), (0.8, press(b"]")), (1.2, press(b"m")), (1.8, press(b"m")), (2.2, press(b"n")),
                (2.6, press(b"x")), (3.0, press(b"s")), (3.6, press(b"q"))]
        screen, sent, code = run(["voice", "--file", LONGER, "--to", path, "--save-preset", "pressed"],
                                 {"XDG_CONFIG_HOME": folder}, width=120, start=rb"behind", actions=keys)
        seen = frames(sent)
        check("the key q ends a voice with 0", code == 0 and screen.cursor and not screen.strange, sent[-400:])
        check("it shows two meters and how late it is",
              any(re.search("in  .* dBFS.*\n *out .* dBFS  [0-9]+ ms behind: [0-9]+ captured", one) for one in seen),
              seen[-2:])
        check("+ and ] change pitch and throat", any("pitch +2  formant +1" in one for one in seen), seen[-2:])
        check("m mutes, and back", any("MUTE" in one for one in seen) and "MUTE" not in seen[-2], seen[-2:])
        check("n goes to the next place", any("in cafe" in one for one in seen), seen[-2:])
        check("s saves", any("saved" in one for one in seen), seen[-2:])
        with open(os.path.join(folder, "kodama", "voices.json")) as file:
            saved = json.load(file)["pressed"]
        check("what was pressed is in the preset",
              saved["pitch"] == 2 and saved["formant"] == 1 and saved["noise"] == "cafe", saved)
        with wave.open(path) as file:
            check("the file is whole", file.getnframes() > 2 * file.getframerate(), file.getparams())


if sys.argv[1:] == ["live"]:
    live()
    print(f"# {tests} checks on a terminal")
    sys.exit(failed)
recording()
long_work()
if os.path.exists(SPEECH):
    live_captions()
    plain_terminals()
    ends()
    progress()
    changed_voices()
else:
    skip("captions on a terminal", "pocketsphinx-testdata is not installed")
print(f"1..{tests}")
