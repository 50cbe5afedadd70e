#!/usr/bin/env python3
"""What other coders make of the sample: python3 rivals.py fashion_mnist.sample   (pip install imagecodecs numpy)

Prints bytes and bits per subpixel: lossless JPEG XL (effort 9) and WebP for all pictures joined to one mosaic of 45 x 45 tiles,
their sum over single pictures, and xz over the PNG files one after another.
"""
import lzma
import struct
import sys

import imagecodecs
import numpy

files, at = [], 0
data = open(sys.argv[1], "rb").read()
while at < len(data):
    (length,) = struct.unpack_from("<H", data, at)
    at += 2 + length
    (length,) = struct.unpack_from("<I", data, at)
    files.append(data[at + 4 : at + 4 + length])
    at += 4 + length

images = [imagecodecs.png_decode(file) for file in files]
subpixels = sum(image.size for image in images)
side = int(numpy.ceil(numpy.sqrt(len(images))))
height, width = images[0].shape
mosaic = numpy.zeros((side * height, side * width), images[0].dtype)
for number, image in enumerate(images):
    row, column = divmod(number, side)
    mosaic[row * height : (row + 1) * height, column * width : (column + 1) * width] = image


def jpeg_xl(image, effort):
    return len(imagecodecs.jpegxl_encode(image, lossless=True, effort=effort, numthreads=1))


def webp(image):
    return len(imagecodecs.webp_encode(numpy.repeat(image[..., None], 3, 2), lossless=True, level=100))


def show(name, size):
    print(f"{name:<28} {size:>9} bytes  {8 * size / subpixels:.3f} bpsp", flush=True)


print(imagecodecs.jpegxl_version(), imagecodecs.webp_version())
show("PNG as stored", sum(map(len, files)))
show("xz -9e over the PNG files", len(lzma.compress(b"".join(files), preset=9 | lzma.PRESET_EXTREME)))
show("xz -9e over the samples", len(lzma.compress(b"".join(image.tobytes() for image in images), preset=9 | lzma.PRESET_EXTREME)))
show("WebP, each", sum(map(webp, images)))
show("WebP, mosaic", webp(mosaic))
show("JPEG XL effort 7, each", sum(jpeg_xl(image, 7) for image in images))
show("JPEG XL effort 9, each", sum(jpeg_xl(image, 9) for image in images))
show("JPEG XL effort 9, mosaic", jpeg_xl(mosaic, 9))
