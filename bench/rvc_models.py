#!/usr/bin/python3
"""Writes models of voice conversion with the layers of the real ones and random weights, so that their cost is real.

    rvc_models.py FOLDER [WIDTH...]

A content encoder (HuBERT base: seven convolutions, twelve transformer layers) and a generator (text encoder of six
layers, four coupling flows, NSF HiFi-GAN for 40 kHz with upsampling by 10, 10, 2, 2) for each width: 1 is the real
one, 0.5 has half as many channels in every layer. What they say is noise. Prints, for each, its parameters and the
multiplications and additions that a second of its input needs.
"""
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper

OPEN = "open"
random = np.random.default_rng(1)


class Graph:
    def __init__(self):
        self.nodes, self.weights, self.n, self.parameters, self.flop = [], [], 0, 0, 0.0

    def constant(self, value, kind=np.float32):
        self.n += 1
        self.weights.append(numpy_helper.from_array(np.asarray(value, kind), f"k{self.n}"))
        return f"k{self.n}"

    def weight(self, *shape, fan=None):
        self.parameters += int(np.prod(shape))
        scale = 0.5 / np.sqrt(fan or np.prod(shape[1:]) or 1)
        return self.constant(random.standard_normal(shape, np.float32) * np.float32(scale))

    def node(self, operation, *inputs, output=None, **attributes):
        self.n += 1
        output = output or f"v{self.n}"
        inputs = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        self.nodes.append(helper.make_node(operation, inputs, [output], name=f"n{self.n}", **attributes))
        return output

    def conv(self, x, inner, outer, kernel, rate, stride=1, dilation=1, groups=1, bias=True):
        """rate: outputs a second."""
        pad = dilation * (kernel - 1) // 2 if stride == 1 else 0
        self.flop += 2.0 * kernel * inner * outer / groups * rate
        inputs = [x, self.weight(outer, inner // groups, kernel)] + ([self.weight(outer)] if bias else [])
        return self.node("Conv", *inputs, kernel_shape=[kernel], strides=[stride], dilations=[dilation],
                         pads=[pad, dilation * (kernel - 1) - pad if stride == 1 else 0], group=groups)

    def linear(self, x, inner, outer, rate):
        self.flop += 2.0 * inner * outer * rate
        return self.node("Add", self.node("MatMul", x, self.weight(inner, outer, fan=inner)), self.weight(outer))

    def norm(self, x, width):
        return self.node("LayerNormalization", x, self.constant(np.ones(width)), self.constant(np.zeros(width)), axis=-1)

    def gelu(self, x):
        return self.node("Mul", self.node("Mul", x, 0.5), self.node("Add", self.node("Erf", self.node("Mul", x, 0.70710678)), 1.0))

    def attention(self, x, width, heads, rate):
        split = lambda v: self.node("Transpose", self.node("Reshape", v, self.constant([0, 0, heads, width // heads], np.int64)),
                                    perm=[0, 2, 1, 3])
        q, k, v = (split(self.linear(x, width, width, rate)) for _ in range(3))
        scores = self.node("Mul", self.node("MatMul", q, self.node("Transpose", k, perm=[0, 1, 3, 2])), (width // heads) ** -0.5)
        heard = self.node("MatMul", self.node("Softmax", scores, axis=-1), v)
        joined = self.node("Reshape", self.node("Transpose", heard, perm=[0, 2, 1, 3]), self.constant([0, 0, width], np.int64))
        return self.linear(joined, width, width, rate)

    def save(self, path, inputs, outputs):
        graph = helper.make_graph(self.nodes, "bench", inputs, outputs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        onnx.save(model, path)
        print(f"{os.path.basename(path)} {self.parameters / 1e6:.1f} {self.flop / 1e9:.2f}")


def encoder(path, width):
    g = Graph()
    c, d = int(512 * width), int(768 * width)
    x, rate, inner = "source", 16000.0, 1
    for i, (kernel, stride) in enumerate([(10, 5)] + [(3, 2)] * 4 + [(2, 2)] * 2):
        rate /= stride
        x = g.conv(x, inner, c, kernel, rate, stride=stride, bias=False)
        if i == 0:
            x = g.node("InstanceNormalization", x, g.constant(np.ones(c)), g.constant(np.zeros(c)))
        x, inner = g.gelu(x), c
    x = g.linear(g.norm(g.node("Transpose", x, perm=[0, 2, 1]), c), c, d, rate)
    place = g.conv(g.node("Transpose", x, perm=[0, 2, 1]), d, d, 127, rate, groups=16)
    x = g.norm(g.node("Add", x, g.node("Transpose", g.gelu(place), perm=[0, 2, 1])), d)
    for _ in range(12):
        x = g.norm(g.node("Add", x, g.attention(x, d, 12, rate)), d)
        x = g.norm(g.node("Add", x, g.linear(g.gelu(g.linear(x, d, 4 * d, rate)), 4 * d, d, rate)), d)
    if d != 768:
        x = g.linear(x, d, 768, rate)
    g.node("Identity", x, output="embed")
    g.save(path, [helper.make_tensor_value_info("source", T.FLOAT, [1, 1, OPEN])],
           [helper.make_tensor_value_info("embed", T.FLOAT, [1, OPEN, 768])])


def generator(path, width):
    g = Graph()
    h = int(192 * width) // 4 * 4
    one = lambda name, kind, shape: helper.make_tensor_value_info(name, kind, shape)
    rate = 100.0
    # Text encoder.
    x = g.linear("phone", 768, h, rate)
    x = g.node("Add", x, g.node("Gather", g.weight(256, h), "pitch", axis=0))
    for _ in range(6):
        x = g.norm(g.node("Add", x, g.attention(x, h, 2, rate)), h)
        y = g.conv(g.node("Transpose", x, perm=[0, 2, 1]), h, 4 * h, 3, rate)
        y = g.conv(g.node("Relu", y), 4 * h, h, 3, rate)
        x = g.norm(g.node("Add", x, g.node("Transpose", y, perm=[0, 2, 1])), h)
    x = g.node("Transpose", x, perm=[0, 2, 1])
    noise = g.node("Slice", "rnd", g.constant([0], np.int64), g.constant([h], np.int64), g.constant([1], np.int64))
    z = g.node("Add", g.conv(x, h, h, 1, rate), g.node("Mul", g.node("Exp", g.node("Mul", g.conv(x, h, h, 1, rate), 0.1)), noise))
    # Flows, backwards.
    half = g.constant([0, 0], np.int64)
    for _ in range(4):
        cut = lambda a, b: g.node("Slice", z, g.constant([a], np.int64), g.constant([b], np.int64), g.constant([1], np.int64))
        kept, moved = cut(0, h // 2), cut(h // 2, h)
        y = g.conv(kept, h // 2, h, 1, rate)
        total = None
        for i in range(3):
            both = g.conv(y, h, 2 * h, 5, rate)
            part = lambda a, b: g.node("Slice", both, g.constant([a], np.int64), g.constant([b], np.int64), g.constant([1], np.int64))
            gated = g.node("Mul", g.node("Tanh", part(0, h)), g.node("Sigmoid", part(h, 2 * h)))
            out = g.conv(gated, h, h, 1, rate)
            total = out if total is None else g.node("Add", total, out)
            y = g.node("Add", y, g.conv(gated, h, h, 1, rate))
        z = g.node("Concat", g.node("Sub", moved, g.conv(total, h, h // 2, 1, rate)), kept, axis=1)
    # Source: the pitch as a sine.
    columns = g.node("Unsqueeze", "pitchf", g.constant([2], np.int64))
    wide = g.node("Reshape", g.node("Mul", columns, np.ones((1, 1, 400), np.float32)), g.constant([1, 1, -1], np.int64))
    phase = g.node("CumSum", g.node("Mul", wide, 1 / 40000), g.constant(2, np.int64))
    source = g.node("Sin", g.node("Mul", phase, 2 * np.pi))
    # NSF HiFi-GAN.
    c = int(512 * width)
    x = g.conv(z, h, c, 7, rate)
    below = 400
    for up, kernel in ((10, 16), (10, 16), (2, 4), (2, 4)):
        x = g.node("LeakyRelu", x, alpha=0.1)
        rate *= up
        below //= up
        g.flop += 2.0 * kernel / up * c * (c // 2) * rate
        pad = (kernel - up) // 2
        x = g.node("ConvTranspose", x, g.weight(c, c // 2, kernel), kernel_shape=[kernel], strides=[up], pads=[pad, pad])
        c //= 2
        step = below if below > 1 else 1
        g.flop += 2.0 * (2 * step if step > 1 else 1) * c * rate
        pads = [step // 2, step // 2] if step > 1 else [0, 0]
        heard = g.node("Conv", source, g.weight(c, 1, 2 * step if step > 1 else 1),
                       kernel_shape=[2 * step if step > 1 else 1], strides=[step], pads=pads)
        x = g.node("Add", x, heard)
        total = None
        for kernel in (3, 7, 11):
            y = x
            for dilation in (1, 3, 5):
                t = g.conv(g.node("LeakyRelu", y, alpha=0.1), c, c, kernel, rate, dilation=dilation)
                t = g.conv(g.node("LeakyRelu", t, alpha=0.1), c, c, kernel, rate)
                y = g.node("Add", y, t)
            total = y if total is None else g.node("Add", total, y)
        x = g.node("Mul", total, 1 / 3)
    x = g.node("Tanh", g.conv(g.node("LeakyRelu", x, alpha=0.01), c, 1, 7, rate))
    for name in ("phone_lengths", "ds"):
        x = g.node("Add", x, g.node("Mul", g.node("Cast", name, to=T.FLOAT), 0.0))
    g.node("Identity", x, output="audio")
    g.save(path, [one("phone", T.FLOAT, [1, OPEN, 768]), one("phone_lengths", T.INT64, [1]), one("pitch", T.INT64, [1, OPEN]),
                  one("pitchf", T.FLOAT, [1, OPEN]), one("ds", T.INT64, [1]), one("rnd", T.FLOAT, [1, 192, OPEN])],
           [one("audio", T.FLOAT, [1, 1, OPEN])])


folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
for width in sys.argv[2:] or ["1"]:
    encoder(os.path.join(folder, f"encoder-{width}.onnx"), float(width))
    generator(os.path.join(folder, f"generator-{width}.onnx"), float(width))
