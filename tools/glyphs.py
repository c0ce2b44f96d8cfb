"""Render characters of many writing systems as small images: what `ctxlearn.tasks.glyphs` draws tasks from.

    apt-get install fonts-noto-core        # SIL Open Font License
    make glyphs                            # = python tools/glyphs.py; same fonts and seed, same bytes

Each script of Unicode that a font here covers gives up to CHARACTERS of its letters. A letter is scaled to its bounding
box, so that neither size nor place tells letters apart; of letters that look alike at the base rendering, in one script or
in two, the first is kept. Each is then drawn RENDERINGS times: another font (sans, serif, weights, where there are any),
thicker or thinner, slanted, turned, stretched and bent. Scripts are dealt to splits at random, once and for all by SEED.

How strongly they are bent was chosen on the validation scripts, before any model was trained on them: so that the nearest
neighbour on pixels is right about as often as Vinyals et al. (2016, table 1) found it on handwriting, Omniglot: 41.7 and
63.2 % at 5 ways with one and five shots, 26.7 and 42.6 % at 20 (here 43, 60, 23 and 39). Bent half as much it had 78 and 93.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from fontTools import unicodedata
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter, map_coordinates

FONTS = Path("/usr/share/fonts/truetype/noto")
OUT = Path(__file__).parents[1] / "src/ctxlearn/data/glyphs"
STYLES = ("Regular", "Bold", "Light", "Medium", "Black", "Thin")
SEED = 7
CHARACTERS, RENDERINGS = 24, 12
FEWEST = 5  # characters of a script, or it is left out
SIZE, LEVELS = 28, 8
CANVAS = 64
ANGLE, SLANT, STRETCH = 0.2, 0.3, 0.2  # standard deviations: radians, shear, logarithm of a side
BEND = (1.5, 4.0)  # shifts in pixels of the canvas, one standard deviation: least and most
KNOTS = 4  # a side, of the smooth field of shifts
ALIKE = 0.80  # cosine between blurred base renderings above which two characters count as one
SHARES = (("train", 0.6), ("validation", 0.15), ("test", 0.25))

KINDS = {
    "abjad": "Arab Armi Chrs Elym Hatr Hebr Mand Mani Narb Nbat Palm Phli Phlp Phnx Prti Samr Sarb Sogd Sogo Syrc Ugar",
    "syllabary": "Bopo Cher Cprt Cans Hira Kana Lina Linb Vaii Yiii Mend Hang Ethi Bamu Nshu Tang",
    "logograph": "Egyp Hluw Xsux Hani Nkgb",
    "alphabet": (
        "Latn Grek Cyrl Armn Geor Copt Goth Ital Runr Ogam Avst Cari Lyci Lydi Xpeo Orkh Osge Osma Dsrt Shaw Tfng"
        " Olck Nkoo Adlm Aghb Elba Glag Hung Lisu Perm Wara Rohg Mroo Bass Hmng Hmnp Mong Phag Merc Mero Thaa Plrd"
        " Medf Sora Wcho Yezi Runo Pauc Nagm"
    ),
}
KIND = {code: kind for kind, codes in KINDS.items() for code in codes.split()}  # all others are abugidas


def fonts() -> Iterator[tuple[Path, set[int]]]:
    """Fonts of scripts, the plain ones first, and the code points that each has."""
    paths = sorted(
        (path for path in FONTS.glob("Noto*.ttf") if path.stem.split("-")[-1] in STYLES),
        key=lambda path: (STYLES.index(path.stem.split("-")[-1]), "Serif" in path.name, "UI" in path.name, path.name),
    )
    for path in paths:
        with TTFont(path, lazy=True) as font:
            yield path, set(font.getBestCmap())


def letters(covered: list[tuple[Path, set[int]]]) -> dict[str, dict[str, list[Path]]]:
    """By script, its letters and the fonts that have each."""
    found: dict[str, dict[str, list[Path]]] = {}
    for path, points in covered:
        for point in sorted(points):
            character = chr(point)
            script = unicodedata.script(character)
            decomposed = unicodedata.decomposition(character)  # letters with accents and presentation forms
            if script not in ("Zyyy", "Zinh", "Zzzz") and unicodedata.category(character)[0] == "L" and not decomposed:
                found.setdefault(script, {}).setdefault(character, []).append(path)
    return found


def drawn(character: str, font: ImageFont.FreeTypeFont, stroke: int = 0) -> np.ndarray | None:
    """The character in the middle of the canvas, at most 48 pixels high and wide, in [0, 1]; None where it has no ink."""
    left, top, right, bottom = font.getbbox(character, stroke_width=stroke)
    image = Image.new("L", (int(right - left) + 8, int(bottom - top) + 8))
    ImageDraw.Draw(image).text((4 - left, 4 - top), character, fill=255, font=font, stroke_width=stroke)
    return framed(np.asarray(image) / 255, CANVAS, 48)


def framed(pixels: np.ndarray, size: int, inner: int) -> np.ndarray | None:
    """Cut to the ink and scaled, its shape kept, into the middle `inner` pixels of a square of `size`."""
    rows, columns = np.flatnonzero(pixels.max(1) > 0.2), np.flatnonzero(pixels.max(0) > 0.2)
    if len(rows) < 2 or len(columns) < 2:
        return None
    cut = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = inner / max(cut.shape)
    height, width = (max(1, round(side * scale)) for side in cut.shape)
    scaled = Image.fromarray(np.uint8(cut * 255)).resize((width, height), Image.Resampling.BOX)
    out = np.zeros((size, size))
    top, left = (size - height) // 2, (size - width) // 2
    out[top : top + height, left : left + width] = np.asarray(scaled) / 255
    return out


def bent(pixels: np.ndarray, numbers: np.random.Generator) -> np.ndarray:
    """Turned, slanted, stretched and bent by a smooth field."""
    angle, slant = numbers.normal(0, ANGLE), numbers.normal(0, SLANT)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.array([[1.0, 0.0], [slant, 1.0]]) @ np.diag(np.exp(numbers.normal(0, STRETCH, 2)))
    grid = np.mgrid[:CANVAS, :CANVAS] - (CANVAS - 1) / 2
    coarse = numbers.normal(size=(2, KNOTS, KNOTS)).astype(np.float32)
    field = np.stack(
        [np.asarray(Image.fromarray(f).resize((CANVAS, CANVAS), Image.Resampling.BICUBIC)) for f in coarse]
    )
    field *= numbers.uniform(*BEND) / field.std()
    places = np.einsum("ij,jyx->iyx", linear, grid) + field + (CANVAS - 1) / 2
    return np.asarray(map_coordinates(pixels, places, order=1))


def signature(pixels: np.ndarray) -> np.ndarray:
    blurred = gaussian_filter(pixels.astype(np.float32), 1.2)
    blurred = blurred - blurred.mean()
    return (blurred / np.linalg.norm(blurred)).ravel()


def build() -> tuple[list[dict[str, object]], np.ndarray]:
    choice, numbers = np.random.default_rng(SEED), np.random.default_rng(SEED + 2)  # other shapes, the same characters
    found = letters(list(fonts()))
    loaded: dict[Path, ImageFont.FreeTypeFont] = {}

    def load(path: Path) -> ImageFont.FreeTypeFont:
        if path not in loaded:
            loaded[path] = ImageFont.truetype(str(path), 56, layout_engine=ImageFont.Layout.BASIC)
        return loaded[path]

    scripts: list[dict[str, object]] = []
    images: list[np.ndarray] = []
    kept = np.zeros((0, SIZE * SIZE), np.float32)
    for script in sorted(found):
        characters: list[str] = []
        bases: list[np.ndarray] = []
        candidates = sorted(found[script])
        for index in choice.permutation(len(candidates)):
            character = candidates[index]
            pixels = drawn(character, load(found[script][character][0]))
            base = None if pixels is None else framed(pixels, SIZE, 24)
            if base is None or base.sum() < 20:
                continue
            mark = signature(base)
            if max((kept @ mark).max(initial=-1.0), max((b @ mark for b in bases), default=-1.0)) > ALIKE:
                continue
            characters.append(character)
            bases.append(mark)
            if len(characters) == CHARACTERS:
                break
        if len(characters) < FEWEST:
            continue
        kept = np.concatenate([kept, np.stack(bases)])
        for character in characters:
            images += [rendering(character, found[script][character], load, r, numbers) for r in range(RENDERINGS)]
        kind = KIND.get(script, "abugida")
        scripts.append(
            {"code": script, "name": unicodedata.script_name(script), "kind": kind, "characters": "".join(characters)}
        )
    order = np.random.default_rng(SEED + 1).permutation(len(scripts))
    edges = np.round(np.cumsum([0.0, *(share for _, share in SHARES)]) * len(scripts)).astype(int)
    for (split, _), first, last in zip(SHARES, edges[:-1], edges[1:], strict=True):
        for place in order[first:last]:
            scripts[place]["split"] = split
    return scripts, np.stack(images)


def rendering(
    character: str,
    paths: list[Path],
    load: Callable[[Path], ImageFont.FreeTypeFont],
    number: int,
    numbers: np.random.Generator,
) -> np.ndarray:
    """Rendering 0 is the base; the others differ in font, weight and shape."""
    path = paths[0] if number == 0 else paths[int(numbers.integers(len(paths)))]
    pixels = drawn(character, load(path), 0 if number == 0 else int(numbers.integers(3)))
    small = framed(pixels if number == 0 else bent(pixels, numbers), SIZE, 24)
    assert small is not None, (character, number)
    return np.round(small * (LEVELS - 1)).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    out: Path = parser.parse_args().out
    if not FONTS.is_dir():
        raise SystemExit(f"{FONTS}: no fonts there; apt-get install fonts-noto-core")
    scripts, images = build()
    out.mkdir(parents=True, exist_ok=True)
    content = images.tobytes()
    packed = lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)
    index = {
        "source": "Noto fonts (Debian package fonts-noto-core), SIL Open Font License 1.1; see OFL.txt and README.md",
        "seed": SEED,
        "size": SIZE,
        "levels": LEVELS,
        "renderings": RENDERINGS,
        "sha256": hashlib.sha256(content).hexdigest(),
        "scripts": scripts,
    }
    (out / "glyphs.bin.xz").write_bytes(packed)
    (out / "index.json").write_text(json.dumps(index, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{len(scripts)} scripts, {len(images) // RENDERINGS} characters, {len(images)} images, {len(packed)} bytes")


if __name__ == "__main__":
    main()
