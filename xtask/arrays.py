"""Makes arrays of the images of a set, as they are mostly stored for learning: arrays.py SET OUT

Writes OUT/NAME.npy/images.npy (images, rows, columns, channels) and, of colour images of 32x32, OUT/NAME.cifar/data_batch_1.bin in CIFAR-10's binary version, with labels that go round. Only images of the shape of
the first one are taken. Needs numpy and Pillow.
"""

import pathlib
import sys

import numpy as np
from PIL import Image

folder, out = map(pathlib.Path, sys.argv[1:3])
images = [np.asarray(Image.open(file)) for file in sorted(folder.rglob("*.png"))]
images = np.stack([image for image in images if image.shape == images[0].shape])


def place(kind):
    place = out / f"{folder.resolve().name}.{kind}"
    place.mkdir(parents=True, exist_ok=True)
    return place


np.save(place("npy") / "images.npy", images)
if images.shape[1:] == (32, 32, 3):
    labels = (np.arange(len(images)) * 7 % 10).astype(np.uint8)
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    np.concatenate([labels[:, None], planes], axis=1).tofile(place("cifar") / "data_batch_1.bin")
print(f"{len(images)} images of {images.shape[1:]}, {images.dtype}")
