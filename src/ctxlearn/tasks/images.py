"""Few-shot tasks out of images: a domain is a set of classes that belong together, as the letters of one script do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ctxlearn.checks import check_choice, check_int, describe
from ctxlearn.tasks import image_data
from ctxlearn.tasks.domains import Domains, Latents, Pooled
from ctxlearn.tasks.labelled import Labelled


class ImageDomains(Domains):
    """Domains of image classes: a task draws a domain, then `n_way` of its classes; its points come as `Labelled` deals them.

    Subclasses are `Glyphs` and `ImageFolder`, which know where images come from.

    Args:
        images: (M, *shape) numbers.
        labels: class of each, (M,).
        domain_of: name of the domain of each class, by class.
        n_way: classes a task, >= 2. Domains with fewer classes are left out.
        augment: "none"; "shift": each image moved by up to 2 pixels each way; "turn": that, and each class of a task
            turned by a multiple of 90 degrees, context and queries alike (Vinyals et al. 2016), so that there are four
            times as many classes. Turning needs square images.

    Attributes:
        names: of the domains that have at least `n_way` classes, sorted.

    Raises:
        ValueError: no domain has `n_way` classes, or images that cannot be turned.
    """

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, domain_of: dict[str, str], n_way: int, augment: str = "none"
    ) -> None:
        self.augment = check_choice("augment", augment, ("none", "shift", "turn"))
        check_int("n_way", n_way, minimum=2)
        members: dict[str, list[str]] = {}
        for name in np.unique(labels).tolist():
            members.setdefault(domain_of[name], []).append(name)
        self.names = sorted(name for name, classes in members.items() if len(classes) >= n_way)
        if not self.names:
            most = max(members, key=lambda name: len(members[name]))
            raise ValueError(
                f"n_way: expected at most {len(members[most])}, the classes of the largest domain ({most}), got {n_way}"
            )
        kept = np.isin(labels, [c for name in self.names for c in members[name]])
        self.labelled = Labelled(images[kept], labels[kept], n_way)
        self.n_features = self.labelled.n_features
        if augment == "turn" and (isinstance(self.n_features, int) or self.n_features[-1] != self.n_features[-2]):
            raise ValueError(f'augment: "turn" needs square images, got inputs of shape {self.n_features}')
        self.n_way = self.n_classes = n_way
        places = {name: i for i, name in enumerate(self.labelled.classes.tolist())}
        # row d holds True for the classes of domain d
        self._members = torch.zeros(len(self.names), len(places), dtype=torch.bool)
        for d, name in enumerate(self.names):
            self._members[d, [places[c] for c in members[name]]] = True

    def sample_latents(self, n_domains: int, *, generator: torch.Generator) -> Latents:
        drawn = torch.randint(len(self.names), (n_domains,), generator=generator, device=generator.device)
        return {"domain": drawn.float()}

    def sample_parameters(self, latents: Latents, *, generator: torch.Generator) -> dict[str, Tensor]:
        domain = latents["domain"].round().long()
        members = self._members.to(domain.device)[domain]
        keys = torch.rand(members.shape, generator=generator, device=generator.device).masked_fill(~members, torch.inf)
        parameters = {"domain": domain, "classes": keys.argsort(-1)[:, : self.n_way]}
        if self.augment == "turn":
            shape = parameters["classes"].shape
            parameters["turns"] = torch.randint(4, shape, generator=generator, device=generator.device)
        return parameters

    def sample_points(
        self, parameters: dict[str, Tensor], n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        x, y = self.labelled.sample_points(parameters, n_points, generator=generator)
        if self.augment == "turn":
            turns = parameters["turns"].gather(1, y)
            for k in range(1, 4):
                x[turns == k] = x[turns == k].rot90(k, (-2, -1))
        return (x if self.augment == "none" else _shifted(x, generator)), y

    def labelled_of(self, name: str) -> Labelled:
        """The images of the domain of that name, without augmentation: to `split` its classes apart, for instance."""
        self.domain(name)
        members = self._members[self.names.index(name)].numpy()
        return self.labelled.subset(self.labelled.classes[members])

    def domain(self, name: str) -> dict[str, float]:
        """Latents of the domain of that name: `Domain(domains, domains.domain("Grek"))` is its family."""
        if name not in self.names:
            raise ValueError(f"name: expected one of {describe(self.names)}, got {name!r}")
        return {"domain": float(self.names.index(name))}


def _shifted(x: Tensor, generator: torch.Generator, most: int = 2) -> Tensor:
    """Images (B, n, *channels, h, w) each moved by up to `most` pixels each way, zero where nothing comes from."""
    height, width = x.shape[-2:]
    moves = torch.randint(-most, most + 1, (*x.shape[:2], 2), generator=generator, device=x.device)
    padded = torch.nn.functional.pad(x, (most, most, most, most)).flatten(0, 1).flatten(1, -3)
    rows = torch.arange(height, device=x.device) + most + moves[..., :1].flatten(0, 1)
    columns = torch.arange(width, device=x.device) + most + moves[..., 1:].flatten(0, 1)
    image = torch.arange(len(padded), device=x.device)[:, None, None]
    moved = padded.movedim(1, -1)[image, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)
    return moved.reshape(x.shape)


class Glyphs(ImageDomains):
    """Characters of the world's writing systems, rendered from the Noto fonts: a script is a domain, a character a class.

    Images are (1, 28, 28) in [0, 1], each character scaled to its bounding box. The scripts of the three splits are
    disjoint and fixed; see src/ctxlearn/data/glyphs/README.md, and tools/glyphs.py for how they were made.

    Args:
        split: "train", "validation" or "test".
        n_way: classes a task; scripts with fewer characters are left out.
        kinds: keep only scripts of these kinds ("alphabet", "abjad", "abugida", "syllabary", "logograph"), of the
            split; None for all.
        augment: see `ImageDomains`.

    Raises:
        ValueError: an unknown split or kind, no script with `n_way` characters, or a damaged data file.
    """

    def __init__(
        self, split: str = "train", n_way: int = 5, kinds: list[str] | None = None, augment: str = "none"
    ) -> None:
        check_choice("split", split, image_data.SPLITS)
        for kind in kinds or ():
            check_choice("kinds", kind, image_data.KINDS)
        images, labels, domain_of = image_data.glyph_images(split, None if kinds is None else tuple(kinds))
        super().__init__(images, labels, domain_of, n_way, augment)


class ImageFolder(ImageDomains):
    """Images of a folder: `root/domain/class/*.png`, or `root/class/*.png`, which is one domain.

    Images are read as grey, scaled to `size` x `size`, in [0, 1], ink as it is in the file: (1, size, size).

    Args:
        path: the folder. PNG, JPEG, BMP, GIF and TIFF files count.
        n_way: classes a task; domains with fewer classes are left out.
        size: of the images' sides.
        fewest: images that each class must have.
        invert: turn black on white into white on black, as the glyphs are.
        augment: see `ImageDomains`.

    Raises:
        ValueError: no folder, no images, an image that cannot be read (named), or a class with too few (named).
    """

    reads_files = True

    def __init__(
        self,
        path: str | Path,
        n_way: int = 5,
        size: int = 28,
        fewest: int = 2,
        invert: bool = False,
        augment: str = "none",
    ) -> None:
        check_int("size", size, minimum=1)
        check_int("fewest", fewest, minimum=1)
        images, labels, domain_of = image_data.folder_images(path, size, fewest)
        super().__init__(1 - images if invert else images, labels, domain_of, n_way, augment)


def glyphs(split: str = "train", n_way: int = 5, kinds: list[str] | None = None, augment: str = "none") -> Pooled:
    """The family of tasks each from a script of its own: `Glyphs(...).pooled()`, whose `domains` are the scripts."""
    return Glyphs(split, n_way, kinds, augment).pooled()


def image_folder(
    path: str | Path,
    n_way: int = 5,
    size: int = 28,
    fewest: int = 2,
    invert: bool = False,
    augment: str = "none",
) -> Pooled:
    """The family of tasks each from a domain of the folder: `ImageFolder(...).pooled()`."""
    return ImageFolder(path, n_way, size, fewest, invert, augment).pooled()
