#!/usr/bin/env python3
"""A llama-architecture model of random weights, of a size that real models have: usage: random_model.py PEBBLE.gguf OUT.gguf

443 million parameters in 4 bits (Q4_0), 250 MB. Tokenizer and chat template are Pebble's, so that it can be asked like
Pebble; what it says is nonsense, what it costs is not. One layer's weights serve for every layer: the work is the same.
Standard library only.
"""

import os
import random
import struct
import sys

D, LAYERS, HEADS, KV_HEADS, FF, CONTEXT = 1280, 25, 20, 5, 3520, 4096
VALUES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
F32, Q4_0 = 0, 2


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, kind):
        value = struct.unpack_from("<" + kind, self.data, self.at)[0]
        self.at += struct.calcsize("<" + kind)
        return value

    def skip_value(self, kind):
        if kind == 8:
            length = self.take("Q")
            self.at += length
        elif kind == 9:
            inner, count = self.take("I"), self.take("Q")
            for _ in range(count):
                self.skip_value(inner)
        else:
            self.at += struct.calcsize(VALUES[kind])


def metadata(path):
    """Every key with its kind and the raw bytes of its value."""
    with open(path, "rb") as file:
        reader = Reader(file.read())
    reader.at = 4
    _, _, keys = reader.take("I"), reader.take("Q"), reader.take("Q")
    found = {}
    for _ in range(keys):
        length = reader.take("Q")
        name = reader.data[reader.at : reader.at + length].decode()
        reader.at += length
        kind = reader.take("I")
        start = reader.at
        reader.skip_value(kind)
        found[name] = (kind, reader.data[start : reader.at])
    return found


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def tokens(found):
    return struct.unpack_from("<Q", found["tokenizer.ggml.tokens"][1], 4)[0]


def quantized(rows, columns, generator):
    """Blocks of 32 weights: a scale and nibbles around 8; scaled so that activations keep their size."""
    scale = struct.pack("<e", 1 / (4.6 * columns**0.5))
    return b"".join(scale + generator.randbytes(16) for _ in range(rows * columns // 32))


def main():
    source, out = sys.argv[1:3]
    found = metadata(source)
    for name, value in [
        ("embedding_length", D), ("block_count", LAYERS), ("attention.head_count", HEADS), ("attention.head_count_kv", KV_HEADS),
        ("feed_forward_length", FF), ("context_length", CONTEXT), ("rope.dimension_count", D // HEADS),
    ]:
        found["llama." + name] = (4, struct.pack("<I", value))
    found["general.name"] = (8, text("random"))
    found["general.file_type"] = (4, struct.pack("<I", Q4_0))
    for name in ("general.size_label", "llama.attention.key_length", "llama.attention.value_length"):
        found.pop(name, None)
    generator = random.Random(0)
    narrow = D // HEADS * KV_HEADS
    ones = struct.pack("<f", 1) * D
    layer = [
        ("attn_norm", (D,), F32, ones), ("ffn_norm", (D,), F32, ones),
        ("attn_q", (D, D), Q4_0, quantized(D, D, generator)), ("attn_k", (D, narrow), Q4_0, quantized(narrow, D, generator)),
        ("attn_v", (D, narrow), Q4_0, quantized(narrow, D, generator)), ("attn_output", (D, D), Q4_0, quantized(D, D, generator)),
        ("ffn_gate", (D, FF), Q4_0, quantized(FF, D, generator)), ("ffn_up", (D, FF), Q4_0, quantized(FF, D, generator)),
        ("ffn_down", (FF, D), Q4_0, quantized(D, FF, generator)),
    ]
    count = tokens(found)
    tensors = [("token_embd.weight", (D, count), Q4_0, quantized(count, D, generator)), ("output_norm.weight", (D,), F32, ones)]
    for index in range(LAYERS):
        tensors += [(f"blk.{index}.{name}.weight", shape, kind, data) for name, shape, kind, data in layer]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(found))
    for name, (kind, value) in found.items():
        head += text(name) + struct.pack("<I", kind) + value
    offset = 0
    for name, shape, kind, data in tensors:
        head += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", kind, offset)
        offset += -(-len(data) // 32) * 32
    with open(out + ".new", "wb") as file:
        file.write(head + b"\0" * (-len(head) % 32))
        for _, _, _, data in tensors:
            file.write(data + b"\0" * (-len(data) % 32))
    os.replace(out + ".new", out)


if __name__ == "__main__":
    main()
