#!/usr/bin/env python3
"""Packs PNG files into one sample file: python3 pack.py FOLDER fashion_mnist.sample

Record, repeated to the end of the file, numbers little-endian:
  u16 length of the path | path, UTF-8, `/` between folders | u32 length of the file | the file's bytes
Records are in the order of their paths' bytes, so the same folder always gives the same sample.
"""
import pathlib
import struct
import sys

folder, sample = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
files = {path.relative_to(folder).as_posix().encode(): path for path in folder.rglob("*.png")}
with sample.open("wb") as out:
    for name in sorted(files):
        content = files[name].read_bytes()
        out.write(struct.pack("<H", len(name)) + name + struct.pack("<I", len(content)) + content)
print(f"{len(files)} files, {sample.stat().st_size} bytes")
