"""Images on disk as arrays: the glyphs that come with the package, and folders of one's own."""

from __future__ import annotations

import functools
import hashlib
import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np

from ctxlearn.checks import describe

SPLITS = ("train", "validation", "test")
KINDS = ("alphabet", "abjad", "abugida", "syllabary", "logograph")
DATA = Path(__file__).parents[1] / "data" / "glyphs"
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff")

Images = tuple[np.ndarray, np.ndarray, dict[str, str]]
"""Images (M, 1, h, w) in [0, 1], their classes (M,), and the domain of each class."""


def glyph_index(folder: Path = DATA) -> dict[str, Any]:
    """What the glyphs are: scripts with their kind, split and characters, in the order of the images."""
    path = folder / "index.json"
    if not path.is_file():
        raise ValueError(f"{path}: not there; install the package again, or run make glyphs")
    index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return index


@functools.cache
def _glyph_pixels(folder: Path) -> np.ndarray:
    """All levels, (characters, renderings, size, size) uint8."""
    index = glyph_index(folder)
    path = folder / "glyphs.bin.xz"
    try:
        content = lzma.decompress(path.read_bytes())
    except (lzma.LZMAError, EOFError) as error:
        raise ValueError(f"{path}: damaged ({error}); install the package again, or run make glyphs") from None
    if hashlib.sha256(content).hexdigest() != index["sha256"]:
        raise ValueError(f"{path}: not what index.json describes (SHA-256); install the package again, or make glyphs")
    size = index["size"]
    return np.frombuffer(content, np.uint8).reshape(-1, index["renderings"], size, size)


def glyph_images(split: str, kinds: tuple[str, ...] | None = None, folder: Path = DATA) -> Images:
    """The glyphs of a split, of some kinds of script; a class is "Code/character"."""
    index, pixels = glyph_index(folder), _glyph_pixels(folder)
    chosen: list[np.ndarray] = []
    domain_of: dict[str, str] = {}
    at = 0
    for script in index["scripts"]:
        characters = script["characters"]
        if script["split"] == split and (kinds is None or script["kind"] in kinds):
            chosen.append(pixels[at : at + len(characters)])
            domain_of.update({f"{script['code']}/{c}": script["code"] for c in characters})
        at += len(characters)
    if not chosen:
        raise ValueError(f"kinds: no script of the split {split!r} is of {describe(list(kinds or ()))}")
    images = np.concatenate(chosen)
    labels = np.repeat(np.array(list(domain_of)), images.shape[1])
    grey = images.reshape(-1, 1, *images.shape[2:]).astype(np.float32) / (index["levels"] - 1)
    return grey, labels, domain_of


def folder_images(path: str | Path, size: int, fewest: int) -> Images:
    """The images of a folder, `root/domain/class/*` or `root/class/*`; see `ImageFolder`."""
    root = Path(path)
    if not root.is_dir():
        raise ValueError(f"path: expected a folder, got {str(root)!r}")
    files = sorted(f for f in root.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file())
    depths = {len(f.relative_to(root).parts) for f in files}
    if depths not in ({2}, {3}):
        raise ValueError(
            f"path: expected images at root/class/*.png or all at root/domain/class/*.png under {str(root)!r}, got"
            f" {len(files)} images at depths {sorted(depths)}"
        )
    images: list[np.ndarray] = []
    labels: list[str] = []
    domain_of: dict[str, str] = {}
    for file in files:
        *domain, name = file.relative_to(root).parts[:-1]
        label = "/".join([*domain, name])
        domain_of[label] = domain[0] if domain else root.name
        images.append(_read(file, size))
        labels.append(label)
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        if count < fewest:
            raise ValueError(f"path: class {str(label)!r} has {count} images, expected at least fewest = {fewest}")
    return np.stack(images)[:, None], np.array(labels), domain_of


def _read(file: Path, size: int) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            scaled = image.convert("L").resize((size, size), Image.Resampling.BOX)
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise ValueError(f"path: cannot read the image {str(file)!r}: {error}") from None
    return np.asarray(scaled, np.float32) / 255
