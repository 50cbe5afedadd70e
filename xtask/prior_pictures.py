#!/usr/bin/env python3
"""Draws what the built-in Programs `graphics` and `drawing` are learned from; crates/codec/priors/README.md says where it comes from.

    npm pack @iconify-json/NAME          for each NAME of ICONS, unpacked to PACKAGES/iconify-json-NAME
    npm pack emoji-datasource-twitter    unpacked to PACKAGES/emoji-datasource-twitter
    python3 prior_pictures.py graphics PACKAGES OUT       -> OUT/rgba, OUT/rgb, OUT/indexed
    python3 prior_pictures.py drawings PACKAGES PAGES HERSHEY OUT -> OUT/bw

PAGES is the folder `prog` of Leptonica's sources, HERSHEY that of the Hershey fonts in `.jhf` form. Needs Pillow and resvg_py. The same packages give the same pictures.
"""

import glob
import io
import json
import os
import random
import sys

import resvg_py
from PIL import Image, ImageDraw

SIZES = [16, 20, 24, 32, 40, 48, 64, 64, 72, 96, 128, 160]
ICONS = {
    "fluent-emoji": 900, "fluent-emoji-flat": 700, "twemoji": 800, "streamline-emojis": 250, "flat-color-icons": 329, "vscode-icons": 500,
    "devicon": 500, "skill-icons": 300, "circle-flags": 200, "meteocons": 300, "logos": 600, "cryptocurrency-color": 200,
    "material-symbols": 300, "tabler": 250, "mdi": 250,
}
EMOJI_OF_64 = 900
# Pages that are kept for measuring, and pictures made to test programs.
LEFT_OUT = ("feyn", "patent", "witten", "minis", "checker", "speckle", "char.", "test-fulltrans", "coffeebeans", "lion-mask", "singlecc", "sevens")
DRAWINGS = 2400
DRAWN_ICONS = {"tabler": 500, "mdi": 500}


def icons(packages, name):
    with open(f"{packages}/iconify-json-{name}/package/icons.json", encoding="utf-8") as file:
        return json.load(file)


def drawn(svg, background=None):
    return Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True, background=background))))


def random_colour():
    return tuple(random.randrange(256) for _ in range(3))


def graphics(packages, out):
    """Icons with opacity, each at one size, and the same on a plain ground."""
    random.seed(1)
    jobs = []
    for name, count in ICONS.items():
        package = icons(packages, name)
        keys = sorted(package["icons"])
        random.shuffle(keys)
        for key in keys[:count]:
            icon = package["icons"][key]
            width = icon.get("width", package.get("width", 16))
            height = icon.get("height", package.get("height", 16))
            box = f'{icon.get("left", 0)} {icon.get("top", 0)} {width} {height}'
            side = random.choice(SIZES)
            columns = side if width >= height else max(1, round(side * width / height))
            rows = side if height >= width else max(1, round(side * height / width))
            ink = "#%02x%02x%02x" % random.choice([(0, 0, 0), (0, 0, 0), (255, 255, 255), random_colour()])
            body = icon["body"].replace("currentColor", ink)
            names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
            svg = f'<svg {names} width="{columns}" height="{rows}" viewBox="{box}">{body}</svg>'
            ground = random.choice(["#ffffff", "#ffffff", "#000000", "#%02x%02x%02x" % random_colour()])
            jobs.append((f"{name}_{len(jobs):05}", svg, ground))
    os.makedirs(f"{out}/rgba", exist_ok=True)
    os.makedirs(f"{out}/rgb", exist_ok=True)
    for name, svg, ground in jobs:
        try:
            picture = drawn(svg).convert("RGBA")
        except ValueError:
            continue  # what the renderer does not draw
        if picture.getchannel("A").getextrema()[1] == 0:
            continue
        picture.save(f"{out}/rgba/{name}.png")
        whole = Image.new("RGBA", picture.size, ground)
        whole.alpha_composite(picture)
        whole.convert("RGB").save(f"{out}/rgb/{name}.png")
    paths = sorted(glob.glob(f"{packages}/emoji-datasource-twitter/package/img/twitter/64/*.png"))
    random.shuffle(paths)
    for number, path in enumerate(paths[:EMOJI_OF_64]):
        Image.open(path).convert("RGBA").save(f"{out}/rgba/tw64_{number:04}.png")
    palettes(out)


def palettes(out):
    """A third of the icons by palettes of several sizes and orders, as programs that make pictures small write them."""
    random.seed(3)
    os.makedirs(f"{out}/indexed", exist_ok=True)
    paths = sorted(glob.glob(f"{out}/rgba/*.png"))
    random.shuffle(paths)
    for number, path in enumerate(paths[: len(paths) // 3]):
        colours = random.choice([32, 64, 128, 256, 256])
        if number % 2:
            picture = Image.open(path.replace("/rgba/", "/rgb/") if "tw64" not in path else path).convert("RGB")
            picture = picture.quantize(colours, method=Image.MEDIANCUT, dither=Image.NONE)
        else:
            picture = Image.open(path).quantize(colours, method=Image.FASTOCTREE, dither=Image.NONE)
        used = sorted(picture.getcolors(256), reverse=True)
        entries = picture.palette.mode
        palette = picture.palette.palette
        width = len(entries)
        colour = {index: tuple(palette[width * index : width * index + width]) for _, index in used}
        order = [index for _, index in used]
        kind = random.choice(["frequent first", "dark first", "as it is"])
        if kind == "dark first":
            order.sort(key=lambda index: (sum(colour[index]), index))
        elif kind == "as it is":
            order.sort()
        new = {index: place for place, index in enumerate(order)}
        mapped = Image.new("P", picture.size)
        mapped.putdata([new[index] for index in picture.getdata()])
        flat = [value for index in order for value in colour[index]]
        mapped.putpalette(flat, entries)
        if len(used) > 16:  # fewer are stored by fewer bits
            mapped.save(f"{out}/indexed/{number:05}.png")


def one_bit(picture):
    return picture.convert("L").point(lambda value: 255 * (value >= 128)).convert("1", dither=0)


def pages(folder, out):
    """Parts of scanned pages, as they are and at half the size."""
    for path in sorted(glob.glob(f"{folder}/*")):
        name = os.path.basename(path)
        if not name.endswith((".tif", ".png", ".bmp")) or name.startswith(LEFT_OUT):
            continue
        page = Image.open(path)
        if page.mode != "1":
            continue
        width, height = page.size
        for percent in (100, 50):
            if percent < 100 and min(page.size) < 600:
                continue
            scaled = page if percent == 100 else one_bit(page.convert("L").resize((width // 2, height // 2), Image.BOX))
            for part in range(2 if percent == 100 and width * height > 3e6 else 1):
                piece = scaled
                if scaled.size[0] * scaled.size[1] > 2e6:
                    left, top = random.randrange(scaled.size[0] - 1000), random.randrange(scaled.size[1] - 1000)
                    piece = scaled.crop((left, top, left + 1000, top + 1000))
                piece.save(f"{out}/page_{name.rsplit('.', 1)[0]}_{percent}_{part}.png")


def glyphs(folder):
    """Strokes of all Hershey glyphs: a line of the file is a number, a count of pairs, and pairs of letters around `R`."""
    found = []
    for path in sorted(glob.glob(f"{folder}/*.jhf")):
        with open(path, encoding="latin1") as file:
            lines = iter(file.read().replace("\r", "").split("\n"))
        for line in lines:
            if len(line) < 8 or not line[5:8].strip().isdigit():
                continue
            count, body = int(line[5:8]), line[8:]
            while len(body) < 2 * count and (more := next(lines, None)) is not None:
                body += more
            strokes = [[]]
            for at in range(2, 2 * count, 2):
                pair = body[at : at + 2]
                if pair == " R":
                    strokes.append([])
                else:
                    strokes[-1].append((ord(pair[0]) - 82, ord(pair[1]) - 82))
            strokes = [stroke for stroke in strokes if len(stroke) > 1]
            if strokes:
                found.append(strokes)
    return found


def drawing(all_glyphs):
    """One or two glyphs by a shaky pen."""
    side, scale = random.choice([48, 64, 80, 105, 105, 105, 128]), 4
    sheet = Image.new("L", (side * scale, side * scale), 255)
    draw = ImageDraw.Draw(sheet)
    for _ in range(random.choice([1, 1, 1, 2])):
        strokes = random.choice(all_glyphs)
        xs = [x for stroke in strokes for x, _ in stroke]
        ys = [y for stroke in strokes for _, y in stroke]
        size = side * scale * random.uniform(0.35, 0.8) / max(max(xs) - min(xs), max(ys) - min(ys), 6)
        a, b, c, d = [random.gauss(mean, 0.12) for mean in (1, 0, 0, 1)]
        left, top = side * scale * random.uniform(0.4, 0.6), side * scale * random.uniform(0.4, 0.6)
        middle = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
        pen = max(3, int(scale * random.uniform(1.6, 3.2)))
        for stroke in strokes:
            line = []
            for x, y in stroke:
                x, y = x - middle[0], y - middle[1]
                line.append((left + size * (a * x + b * y) + random.gauss(0, 1.5), top + size * (c * x + d * y) + random.gauss(0, 1.5)))
            draw.line(line, fill=0, width=pen, joint="curve")
            for x, y in (line[0], line[-1]):
                draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=0)
    return one_bit(sheet.resize((side, side), Image.BOX))


def drawings(packages, pages_folder, hershey, out):
    """Scanned pages, strokes of a pen, and icons, all of one bit."""
    random.seed(2)
    out = f"{out}/bw"
    os.makedirs(out, exist_ok=True)
    pages(pages_folder, out)
    all_glyphs = glyphs(hershey)
    for number in range(DRAWINGS):
        drawing(all_glyphs).save(f"{out}/glyph_{number:04}.png")
    for name, count in DRAWN_ICONS.items():
        package = icons(packages, name)
        keys = sorted(package["icons"])
        random.shuffle(keys)
        for key in keys[:count]:
            side = random.choice([32, 48, 64, 96, 128])
            body = package["icons"][key]["body"].replace("currentColor", "#000")
            svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}" viewBox="0 0 24 24">{body}</svg>'
            one_bit(drawn(svg, "#ffffff")).save(f"{out}/{name}_{key}.png")


if __name__ == "__main__":
    command, *arguments = sys.argv[1:] or [""]
    if command == "graphics" and len(arguments) == 2:
        graphics(*arguments)
    elif command == "drawings" and len(arguments) == 4:
        drawings(*arguments)
    else:
        sys.exit(__doc__)
