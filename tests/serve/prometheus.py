"""Whether standard input is Prometheus' text format 0.0.4, strictly: says what is wrong, or the number of samples."""

import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:{NAME}="(?:[^"\\\n]|\\[\\n"])*",?)*)\}})? (\S+)$')


def fail(words):
    print(words)
    sys.exit(1)


def check_histogram(family, samples):
    buckets = [(labels, value) for name, labels, value in samples if name == family + "_bucket"]
    bounds = [float(re.fullmatch(r'le="([^"]+)"', labels).group(1)) for labels, _ in buckets]
    counts = [value for _, value in buckets]
    if bounds != sorted(set(bounds)) or bounds[-1] != float("inf"):
        fail(f"{family}: buckets do not grow to +Inf")
    if counts != sorted(counts):
        fail(f"{family}: counts are not cumulative")
    count = [value for name, _, value in samples if name == family + "_count"]
    total = [value for name, _, value in samples if name == family + "_sum"]
    if count != [counts[-1]] or len(total) != 1:
        fail(f"{family}: count or sum is missing or wrong")


def main():
    text = sys.stdin.read()
    types, helps, samples, family = {}, set(), {}, None
    if not text.endswith("\n"):
        fail("the last line has no end")
    for line in text.splitlines():
        comment = re.fullmatch(rf"# (HELP|TYPE) ({NAME}) (.+)", line)
        if comment:
            kind, name, words = comment.groups()
            if kind == "HELP":
                if name in helps:
                    fail(f"{name}: described twice")
                helps.add(name)
            elif name in types or words not in ("counter", "gauge", "histogram"):
                fail(f"{name}: its type is there twice or unknown")
            else:
                types[name] = words
                family = name
                samples[name] = []
            continue
        sample = SAMPLE.fullmatch(line)
        if not sample:
            fail(f"no sample: {line}")
        name, labels, value = sample.groups()
        base = re.sub("_(bucket|sum|count)$", "", name) if types.get(family) == "histogram" else name
        if base != family or base not in helps:
            fail(f"{name}: not behind its HELP and TYPE")
        if any(known[:2] == (name, labels or "") for known in samples[family]):
            fail(f"{name}: there twice with the same labels")
        samples[family].append((name, labels or "", float(value)))
    for name, kind in types.items():
        if not samples[name]:
            fail(f"{name}: has no sample")
        if kind == "counter" and not name.endswith("_total"):
            fail(f"{name}: a counter ends with _total")
        if kind == "counter" and any(value < 0 for _, _, value in samples[name]):
            fail(f"{name}: a counter is not negative")
        if kind == "histogram":
            check_histogram(name, samples[name])
    print(sum(len(of) for of in samples.values()))


main()
