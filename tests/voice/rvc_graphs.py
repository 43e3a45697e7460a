#!/usr/bin/python3
"""Writes small models with the signatures of voice conversion, whose output can be predicted.

    rvc_graphs.py FOLDER

Content encoders: the feature c of a frame is the mean of its 400 samples, times 1 + c / dimensions.
Generators, by their kind, each frame of 10 ms spread over its samples:
    sine    a sine at `pitchf`, with a new phase at each run; silent where that is 0
    echo    the first feature
    last    the last feature
    coarse  `pitch` / 256
    rnd     the noise that is handed in (dialect A), or that the graph makes itself (B, C)
    nan     the square root of 0.95 minus the first feature: not a number above that
    hang    the same as echo, after a loop that takes hours once the first feature is above 0.9
"""
import json
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper

OPEN = "open"


class Graph:
    def __init__(self):
        self.nodes, self.constants, self.inputs, self.outputs, self.metadata = [], [], [], [], {}
        self.n = 0

    def constant(self, value, kind=np.float32):
        self.n += 1
        name = f"k{self.n}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def node(self, operation, *inputs, output=None, **attributes):
        self.n += 1
        output = output or f"v{self.n}"
        inputs = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        self.nodes.append(helper.make_node(operation, inputs, [output], **attributes))
        return output

    def whole(self, values):
        return self.constant(values, np.int64)

    def input(self, name, kind, shape):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return self.node("Cast", name, to=T.FLOAT)

    def output(self, value, name, kind, shape):
        self.node("Cast", value, output=name, to=kind)
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def save(self, path):
        graph = helper.make_graph(self.nodes, "test", self.inputs, self.outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], producer_name="test")
        model.ir_version = 8
        for key, value in self.metadata.items():
            entry = model.metadata_props.add()
            entry.key, entry.value = key, value
        onnx.checker.check_model(model)
        onnx.save(model, path)


def encoder(path, style, dimensions, half=False):
    """`plain`: one input [1,1,N], one output [1,T,C]; `units`: audio -> units9, unit12, unit12s."""
    g = Graph()
    kind = T.FLOAT16 if half else T.FLOAT
    if style == "plain":
        samples = g.input("source", kind, [1, 1, OPEN])
    else:
        samples = g.node("Unsqueeze", g.input("audio", kind, [1, OPEN]), g.whole([1]))
    frames = g.node("AveragePool", samples, kernel_shape=[400], strides=[320])
    frames = g.node("Transpose", frames, perm=[0, 2, 1])
    ramp = lambda n: (1 + np.arange(n, dtype=np.float32) / n).reshape(1, 1, n)
    if style == "plain":
        g.output(g.node("Mul", frames, ramp(dimensions)), "embed", kind, [1, OPEN, dimensions])
    else:
        g.output(g.node("Mul", frames, ramp(256)), "units9", kind, [1, OPEN, 256])
        g.output(g.node("Mul", frames, ramp(768)), "unit12", kind, [1, OPEN, 768])
        g.output(g.node("Mul", g.node("Mul", frames, -1.0), ramp(768)), "unit12s", kind, [1, OPEN, 768])
    g.save(path)


def spread(g, frames, hop):
    """[1,L] -> [1,1,L*hop], each value hop times."""
    columns = g.node("Unsqueeze", frames, g.whole([2]))
    wide = g.node("Mul", columns, np.ones((1, 1, hop), np.float32))
    return g.node("Reshape", wide, g.whole([1, 1, -1]))


def hang(g, frames):
    """frames, after a loop: 10^12 rounds when the largest value is above 0.9, else none."""
    most = g.node("ReduceMax", frames, keepdims=0)
    rounds = g.node("Cast", g.node("Mul", g.node("Cast", g.node("Greater", most, 0.9), to=T.FLOAT), 1e12), to=T.INT64)
    go_on = g.constant(True, bool)
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_out"]), helper.make_node("Identity", ["sum"], ["sum_out"])],
        "body",
        [helper.make_tensor_value_info("i", T.INT64, []), helper.make_tensor_value_info("go", T.BOOL, []),
         helper.make_tensor_value_info("sum", T.FLOAT, [1, OPEN])],
        [helper.make_tensor_value_info("go_out", T.BOOL, []), helper.make_tensor_value_info("sum_out", T.FLOAT, [1, OPEN])])
    return g.node("Loop", rounds, go_on, frames, body=body)


def resize(g, frames, length):
    """[1,L] -> [1,length]"""
    sizes = g.node("Concat", g.whole([1]), length, axis=0)
    g.n += 1
    output = f"v{g.n}"
    g.nodes.append(helper.make_node("Resize", [frames, "", "", sizes], [output], mode="linear"))
    return output


def generator(path, dialect, kind, dimensions=768, rate=40000, f0=True, half=False, declared_dimensions=None):
    g = Graph()
    element = T.FLOAT16 if half else T.FLOAT
    first = dialect == "A"
    feats = g.input("phone" if first else "feats", element, [1, OPEN, declared_dimensions or dimensions])
    used = [g.input("phone_lengths" if first else "p_len", T.INT64, [1])]
    pitch = pitchf = None
    if f0:
        pitch = g.input("pitch", T.INT64, [1, OPEN])
        pitchf = g.input("pitchf", element, [1, OPEN])
    used.append(g.input("ds" if first else "sid", T.INT64, [1]))
    column = g.node("Gather", feats, g.whole(-1 if kind == "last" else 0), axis=2)
    hop = rate // 100
    if first:
        noise = g.node("Gather", g.input("rnd", element, [1, 192, OPEN]), g.whole(0), axis=1)
    else:
        noise = g.node("Mul", g.node("RandomNormalLike", column, seed=7.0), 0.66666)
    frames = {"sine": pitchf, "echo": column, "last": column, "coarse": pitch, "rnd": noise, "nan": column,
              "hang": column}[kind]
    if kind == "coarse":
        frames = g.node("Mul", frames, 1 / 256)
    if kind == "nan":
        frames = g.node("Sqrt", g.node("Sub", 0.95, frames))
    if kind == "hang":
        frames = hang(g, frames)
    ratio = None
    if dialect == "C":
        for name in ("skip_head", "return_length", "formant_length"):
            g.inputs.append(helper.make_tensor_value_info(name, T.INT64, []))
        head, count, stretched = (g.node("Reshape", n, g.whole([1])) for n in
                                  ("skip_head", "return_length", "formant_length"))
        frames = g.node("Slice", frames, head, g.node("Add", head, count), g.whole([1]))
        frames = resize(g, frames, stretched)
        ratio = g.node("Div", g.node("Cast", count, to=T.FLOAT), g.node("Cast", stretched, to=T.FLOAT))
    audio = spread(g, frames, hop)
    if kind == "sine":
        cycles = g.node("Mul", audio, 1 / rate)
        if ratio:
            cycles = g.node("Mul", cycles, ratio)
        phase = g.node("CumSum", cycles, g.whole(2))
        sine = g.node("Sin", g.node("Mul", phase, 2 * np.pi))
        voiced = g.node("Cast", g.node("Greater", audio, 0.0), to=T.FLOAT)
        audio = g.node("Mul", g.node("Mul", sine, voiced), 0.5)
    # What is not needed is looked at all the same, so that it stays an input.
    used.append(g.node("ReduceMean", noise, keepdims=0) if first else used[0])
    if f0:
        used += [g.node("ReduceMean", pitch, keepdims=0), g.node("ReduceMean", pitchf, keepdims=0)]
    used.append(g.node("ReduceMean", column, keepdims=0))
    for value in used:
        audio = g.node("Add", audio, g.node("Mul", g.node("Reshape", value, g.whole([1])), 0.0))
    if dialect != "A":
        g.metadata["metadata"] = json.dumps({
            "application": "test", "version": "2" if dimensions == 768 else "1", "modelType": "test",
            "samplingRate": rate, "f0": 1 if f0 else 0, "embChannels": dimensions, "embedder": "hubert_base",
            "embOutputLayer": 12 if dimensions == 768 else 9})
    if dialect == "B":
        g.output(g.node("Reshape", audio, g.whole([-1])), "audio", element, [OPEN])
    else:
        g.output(audio, "audio", element, [1, 1, OPEN])
    g.save(path)


def rmvpe_mel(path):
    """The salience is where the mel spectrum is loudest."""
    mel = lambda f: 2595 * np.log10(1 + f / 700)
    centre = 700 * (10 ** (np.linspace(mel(30), mel(8000), 130)[1:-1] / 2595) - 1)
    cents = 20 * np.arange(360) + 1997.3794084376191
    distance = (cents[None, :] - 1200 * np.log2(centre / 10)[:, None]) / 60
    g = Graph()
    power = g.node("Exp", g.node("Mul", g.node("Transpose", g.input("mel", T.FLOAT, [1, 128, OPEN]), perm=[0, 2, 1]), 2.0))
    power = g.node("Div", power, g.node("Add", g.node("ReduceMax", power, axes=[2], keepdims=1), 1e-6))
    power = g.node("Pow", power, 4.0)
    g.output(g.node("MatMul", power, np.exp(-0.5 * distance ** 2).astype(np.float32)), "output", T.FLOAT, [1, OPEN, 360])
    g.save(path)


def rmvpe_wave(path):
    """pitchf is 1000 times the mean of the samples' magnitudes in a frame, 0 below the threshold."""
    g = Graph()
    samples = g.node("Unsqueeze", g.node("Abs", g.input("waveform", T.FLOAT, [1, OPEN])), g.whole([1]))
    level = g.node("Squeeze", g.node("AveragePool", samples, kernel_shape=[160], strides=[160]), g.whole([1]))
    voiced = g.node("Cast", g.node("Greater", level, g.input("threshold", T.FLOAT, [1])), to=T.FLOAT)
    g.output(g.node("Mul", g.node("Mul", level, voiced), 1000.0), "pitchf", T.FLOAT, [1, OPEN])
    g.save(path)


def indexes(folder):
    """vectors.npy and half.npy; queries.f32; where faiss is, its index of them and what it answers, each as RVC asks."""
    at = lambda name: os.path.join(folder, name)
    random = np.random.RandomState(5)
    n, dims = 2000, 256
    vectors = (random.randn(20, dims).repeat(n // 20, axis=0) * 2 + random.randn(n, dims)).astype(np.float32)
    random.shuffle(vectors)
    queries = (vectors[:50] + 0.3 * random.randn(50, dims)).astype(np.float32)
    np.save(at("vectors.npy"), vectors)
    np.save(at("half.npy"), vectors.astype(np.float16))
    np.save(at("small.npy"), vectors[:80, :8])
    np.save(at("turned.npy"), np.asfortranarray(vectors))
    queries.tofile(at("queries.f32"))

    def answer(index, path):
        score, found = index.search(queries, 8)
        weight = np.square(1 / score)
        weight /= weight.sum(axis=1, keepdims=True)
        np.sum(vectors[found] * weight[:, :, None], axis=1).astype(np.float32).tofile(path)

    try:
        import faiss
    except ImportError:
        return
    index = faiss.index_factory(dims, "IVF16,Flat")
    faiss.extract_index_ivf(index).nprobe = 1
    index.train(vectors)
    index.add(vectors)
    faiss.write_index(index, at("trained.index"))
    answer(index, at("trained.f32"))
    small = faiss.index_factory(8, "IVF2,Flat")
    small.train(vectors[:80, :8].copy())
    small.add(vectors[:80, :8].copy())
    faiss.write_index(small, at("small.index"))
    flat = faiss.IndexFlatL2(dims)
    flat.add(vectors)
    faiss.write_index(flat, at("flat.index"))
    answer(flat, at("exact.f32"))


def main(folder):
    os.makedirs(folder, exist_ok=True)
    indexes(folder)
    at = lambda name: os.path.join(folder, name + ".onnx")
    encoder(at("content-256"), "plain", 256)
    encoder(at("content-768"), "plain", 768)
    encoder(at("content-768-half"), "plain", 768, half=True)
    encoder(at("content-100"), "plain", 100)
    encoder(at("content-units"), "units", 768)
    for dialect in "ABC":
        for kind in ("sine", "echo", "last", "coarse", "rnd"):
            for half in (False, True):
                generator(at(f"{dialect}-{kind}" + ("-half" if half else "")), dialect, kind, half=half)
        generator(at(f"{dialect}-last-256"), dialect, "last", dimensions=256)
    for rate in (32000, 48000):
        for dialect in "ABC":
            generator(at(f"{dialect}-sine-{rate}"), dialect, "sine", rate=rate)
            generator(at(f"{dialect}-echo-{rate}"), dialect, "echo", rate=rate)
    for dialect in "BC":
        generator(at(f"{dialect}-echo-nof0"), dialect, "echo", f0=False)
    generator(at("A-echo-nof0"), "A", "echo", f0=False)
    generator(at("B-nan"), "B", "nan")
    generator(at("B-hang"), "B", "hang")
    generator(at("B-echo-100"), "B", "echo", dimensions=100)
    rmvpe_mel(at("rmvpe-mel"))
    rmvpe_wave(at("rmvpe-wave"))
    g = Graph()
    g.output(g.node("Neg", g.input("x", T.FLOAT, [1, OPEN])), "y", T.FLOAT, [1, OPEN])
    g.save(at("foreign"))
    graph = helper.make_graph(
        [helper.make_node("Warp", ["feats"], ["audio"], domain="test.foreign")], "test",
        [helper.make_tensor_value_info("feats", T.FLOAT, [1, OPEN, 768])],
        [helper.make_tensor_value_info("audio", T.FLOAT, [OPEN])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16), helper.make_opsetid("test.foreign", 1)])
    model.ir_version = 8
    onnx.save(model, at("operator"))


main(sys.argv[1])
