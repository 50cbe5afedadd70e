#!/usr/bin/env python3
"""Sizes and speeds of lossless image codecs on a folder of images, by way of imagecodecs.

usage: rivals.py FOLDER [--run jxl,jxl7,webp] [--threads N] [--repeat N]
needs: pip install imagecodecs pillow numpy

Prints one JSON object a line for each codec and setting. Every image is decoded again and compared.
Palette images are coded as the colours they show, since these codecs take no palettes.
"""
import argparse
import importlib.util
import json
import math
import os
import statistics
import sys
import time


def probe():
    """Exit status 3 and a reason on stderr if a module is missing."""
    missing = [name for name in ("imagecodecs", "PIL", "numpy") if importlib.util.find_spec(name) is None]
    if missing:
        print("python modules missing: " + ", ".join(missing), file=sys.stderr)
        sys.exit(3)


def read(folder, paths):
    """Sample arrays [height, width] or [height, width, channels] of the named images."""
    import numpy
    import imagecodecs
    from PIL import Image

    arrays = []
    for path in paths:
        with open(os.path.join(folder, path), "rb") as file:
            head = file.read(26)
            if head.startswith(b"\x89PNG") and head[24] == 16:
                # Pillow would halve colours of 16 bits.
                arrays.append(numpy.ascontiguousarray(imagecodecs.png_decode(head + file.read())))
                continue
        image = Image.open(os.path.join(folder, path))
        if image.mode in ("P", "PA"):
            image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        elif image.mode == "1":
            image = image.convert("L")
        array = numpy.ascontiguousarray(numpy.asarray(image))
        if array.dtype != numpy.uint8:
            raise SystemExit(f"{path}: samples of type {array.dtype}")
        arrays.append(array)
    return arrays


def mosaics(arrays):
    """All arrays of a shape joined to one, as square as can be; empty places are zeros."""
    import numpy

    groups = {}
    for array in arrays:
        groups.setdefault((array.shape, array.dtype), []).append(array)
    joined = []
    for (shape, dtype), group in groups.items():
        columns = math.ceil(math.sqrt(len(group)))
        rows = math.ceil(len(group) / columns)
        whole = numpy.zeros((rows * shape[0], columns * shape[1]) + shape[2:], dtype)
        for number, array in enumerate(group):
            top, left = number // columns * shape[0], number % columns * shape[1]
            whole[top : top + shape[0], left : left + shape[1]] = array
        joined.append(whole)
    return joined


def colours(array):
    """RGB or RGBA of a grey or grey+alpha array, for codecs that know nothing else."""
    import numpy

    if array.ndim == 2:
        return numpy.repeat(array[..., None], 3, 2)
    if array.shape[2] == 2:
        return numpy.ascontiguousarray(array[..., [0, 0, 0, 1]])
    return array


def same(one, two):
    """Whether two arrays show the same; a codec may leave out an alpha channel that is opaque everywhere."""
    import numpy

    if one.ndim == 3 and one.shape[2] == 4 and two.shape == one.shape[:2] + (3,):
        return bool((one[..., 3] == numpy.iinfo(one.dtype).max).all()) and numpy.array_equal(one[..., :3], two)
    return numpy.array_equal(one, two)


def measure(tool, settings, threads, repeat, arrays, encode, decode, jobs=1):
    """`jobs` images are coded at a time, each on a thread of its own."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(jobs) as pool:
        run = pool.map if jobs > 1 else map
        start = time.perf_counter()
        coded = list(run(encode, arrays))
        encode_seconds = time.perf_counter() - start
        timings = []
        for _ in range(repeat):
            start = time.perf_counter()
            back = list(run(decode, coded))
            timings.append(time.perf_counter() - start)
    wrong = sum(not same(one, two) for one, two in zip(arrays, back))
    print(
        json.dumps(
            {
                "type": "rival",
                "schema": 1,
                "tool": tool,
                "settings": settings,
                "threads": threads,
                "total_bytes": sum(map(len, coded)),
                "encode_seconds": encode_seconds,
                "decode_seconds": statistics.median(timings),
                "images": len(arrays),
                "wrong": wrong,
            }
        ),
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--run", default="jxl,webp")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    probe()
    if options.folder is None:
        return
    import imagecodecs

    # Which images, and in which order, is the caller's to say: one path a line.
    arrays = read(options.folder, sys.stdin.read().splitlines())
    run = options.run.split(",")
    if "jxl" in run:
        tool = "jxl (" + imagecodecs.jpegxl_version() + ")"
        for effort, pictures, way, threads in ((7, arrays, "each image", 1), (9, mosaics(arrays), "mosaic", options.threads)):
            measure(
                tool,
                f"lossless, effort {effort}; {way}",
                threads,
                options.repeat,
                pictures,
                lambda array: imagecodecs.jpegxl_encode(array, lossless=True, effort=effort, numthreads=threads),
                lambda data: imagecodecs.jpegxl_decode(data, numthreads=threads),
            )
    if "jxl7" in run:
        measure(
            "jxl (" + imagecodecs.jpegxl_version() + ")",
            "lossless, effort 7; each image, one a thread",
            options.threads,
            options.repeat,
            arrays,
            lambda array: imagecodecs.jpegxl_encode(array, lossless=True, effort=7, numthreads=1),
            lambda data: imagecodecs.jpegxl_decode(data, numthreads=1),
            jobs=options.threads,
        )
    if "webp" in run:
        measure(
            "webp (" + imagecodecs.webp_version() + ")",
            "lossless, level 100, method 6; each image",
            1,
            options.repeat,
            [colours(array) for array in arrays],
            lambda array: imagecodecs.webp_encode(array, lossless=True, level=100, method=6),
            imagecodecs.webp_decode,
        )


main()
