#!/usr/bin/env python3
"""Size and speed of ZipNN on one file, on one thread.

usage: zipnn_rival.py FILE float32|bfloat16|float16
needs: pip install --no-deps zipnn && pip install numpy safetensors zstandard

Prints one JSON object: total_bytes, encode_seconds and decode_seconds (processor time of the process, decoding the mean of as many rounds as take 0.8 s), and whether the
bytes came back. The file's bytes are filled up with zeros to whole numbers, without which ZipNN 0.5.4 crashes.
"""
import argparse
import importlib.util
import json
import sys
import time
import types


LEAST_SECONDS = 0.8


class Anything:
    """Stands for whatever is asked of a module that is not there."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()

    def __call__(self, *arguments, **_):
        return arguments[0] if len(arguments) == 1 and callable(arguments[0]) else Anything()

    def __hash__(self):
        return id(self)

    def __or__(self, _):
        return self

    __ror__ = __or__


class StandIn(types.ModuleType):
    """ZipNN imports torch, which it needs for tensors and not for bytes; this takes its place where it is not installed."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        value = Anything()
        setattr(self, name, value)
        return value


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file", nargs="?")
    parser.add_argument("dtype", nargs="?", choices=["float32", "bfloat16", "float16"])
    arguments = parser.parse_args()
    missing = [name for name in ("zipnn", "zipnn_core", "numpy", "safetensors", "zstandard") if importlib.util.find_spec(name) is None]
    if missing:
        print("python modules missing: " + ", ".join(missing), file=sys.stderr)
        sys.exit(3)
    if not arguments.file:
        return
    if importlib.util.find_spec("torch") is None:
        sys.modules["torch"] = StandIn("torch")
        sys.modules["safetensors.torch"] = StandIn("safetensors.torch")
    from importlib.metadata import version

    from zipnn import ZipNN

    with open(arguments.file, "rb") as file:
        raw = file.read()
    raw += bytes(-len(raw) % 4)
    coder = ZipNN(input_format="byte", bytearray_dtype=arguments.dtype, threads=1)
    begun = time.process_time()
    coded = coder.compress(bytearray(raw))  # it works in place
    encode_seconds = time.process_time() - begun
    rounds, begun = 0, time.process_time()
    while time.process_time() - begun < LEAST_SECONDS:
        back = coder.decompress(coded)
        rounds += 1
    decode_seconds = (time.process_time() - begun) / rounds
    print(json.dumps({
        "type": "rival",
        "schema": 1,
        "tool": "zipnn " + version("zipnn"),
        "total_bytes": len(coded),
        "encode_seconds": encode_seconds,
        "decode_seconds": decode_seconds,
        "identical": bytes(back) == raw,
    }))


if __name__ == "__main__":
    main()
