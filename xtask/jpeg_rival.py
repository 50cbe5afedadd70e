#!/usr/bin/env python3
"""JPEG files by JPEG XL's lossless recompression, and JPEG files made of other images.

usage: jpeg_rival.py FOLDER                          file by file, effort 7; prints one JSON object
       jpeg_rival.py FOLDER --make OUT --quality Q   OUT/NAME.jpg of each image of FOLDER, as libjpeg-turbo makes them
needs: pip install imagecodecs pillow
"""
import argparse
import importlib.util
import json
import os
import sys
import time


def probe():
    """Exit status 3 and a reason on stderr if a module is missing."""
    missing = [name for name in ("imagecodecs", "PIL") if importlib.util.find_spec(name) is None]
    if missing:
        print("python modules missing: " + ", ".join(missing), file=sys.stderr)
        sys.exit(3)


def below(folder):
    """All files, sorted by path."""
    found = [os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names]
    return sorted(found)


def make(folder, out, quality):
    """One JPEG file an image: baseline, chroma halved both ways."""
    from PIL import Image

    os.makedirs(out, exist_ok=True)
    for path in below(folder):
        if os.path.splitext(path)[1].lower() in (".png", ".ppm", ".pgm", ".bmp", ".tif"):
            name = os.path.relpath(path, folder).replace(os.sep, "_")
            Image.open(path).convert("RGB").save(os.path.join(out, os.path.splitext(name)[0] + ".jpg"), "JPEG", quality=quality)


def measure(folder):
    """Recompresses and compares; files that are no JPEG count as they are."""
    import imagecodecs

    files = []
    for path in below(folder):
        with open(path, "rb") as file:
            files.append(file.read())
    jpegs = [file for file in files if file.startswith(b"\xff\xd8\xff")]
    others = sum(map(len, files)) - sum(map(len, jpegs))
    start = time.perf_counter()
    coded = [imagecodecs.jpegxl_encode_jpeg(file) for file in jpegs]
    encode_seconds = time.perf_counter() - start
    start = time.perf_counter()
    back = [imagecodecs.jpegxl_decode_jpeg(file) for file in coded]
    decode_seconds = time.perf_counter() - start
    print(
        json.dumps(
            {
                "tool": "JPEG XL (" + imagecodecs.jpegxl_version() + "), effort 7, each file",
                "total_bytes": sum(map(len, coded)) + others,
                "encode_seconds": encode_seconds,
                "decode_seconds": decode_seconds,
                "identical": all(bytes(one) == two for one, two in zip(back, jpegs)),
            }
        )
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--make", metavar="OUT")
    parser.add_argument("--quality", type=int, default=85)
    options = parser.parse_args()
    probe()
    if options.folder is None:
        return
    if options.make:
        make(options.folder, options.make, options.quality)
    else:
        measure(options.folder)


main()
