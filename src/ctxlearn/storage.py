"""Files that are whole or absent, and say so when they are not what was written.

Tensor files are safetensors whose metadata carries a SHA-256 of all else in them; text files are written to a
temporary name and renamed. Nothing is unpickled, and a file holds neither time nor path: equal content, equal bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from ctxlearn.atomic import reason, replace_file
from ctxlearn.plain_data import from_json

HEADER = "ctxlearn"


class StorageError(OSError):
    """A file could not be written; the message says which, why, and what still stands."""


class CorruptFileError(ValueError):
    """A file is not what was written: truncated, altered or of another kind."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, as `replace_file` does: links are followed, devices written to, modes kept.

    Raises:
        StorageError: it cannot be written, and why; `path` is then what it was before.
    """
    try:
        replace_file(path, content)
    except OSError as error:
        raise StorageError(error.errno, f"cannot write {path}: {reason(error)}") from error


def write_text(path: Path, text: str) -> None:
    """`write_atomically` of text in UTF-8."""
    write_atomically(path, text.encode())


def write_json(path: Path, data: Any) -> None:
    """`write_atomically` of JSON, indented."""
    write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")


def digest_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any] | None = None) -> str:
    """SHA-256 of names, types, shapes and values of tensors, and of JSON-able metadata."""
    total = hashlib.sha256(json.dumps(metadata or {}, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        if tensor.numel():
            total.update(tensor.flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write tensors and JSON-able metadata as one safetensors file with its own checksum, atomically.

    Raises:
        StorageError: it could not be written.
    """
    held = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    header = json.dumps({"content": dict(metadata), "sha256": digest_tensors(held, metadata)}, sort_keys=True)
    write_atomically(
        path, to_bytes(held, metadata={HEADER: header})
    )  # one entry: safetensors writes several in any order


class TensorFile:
    """A file of `save_tensors` that is open: what its header says, before any tensor is read.

    Attributes:
        path: where it is.
        metadata: as it was saved; checked by `read` only.
        shapes: of each tensor, by name.
        types: of each tensor, in safetensors' words ("F32", "I64"), by name.
    """

    def __init__(self, path: Path, file: Any) -> None:
        self.path, self._file = path, file
        header = from_json((file.metadata() or {})[HEADER])
        self.metadata: dict[str, Any] = header["content"]
        self._sha256: str = header["sha256"]
        if not isinstance(self.metadata, dict):
            raise TypeError("its facts are no mapping")
        parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        self.shapes: dict[str, tuple[int, ...]] = {name: tuple(part.get_shape()) for name, part in parts.items()}
        self.types: dict[str, str] = {name: part.get_dtype() for name, part in parts.items()}

    def read(self) -> dict[str, Tensor]:
        """All tensors, checked against the checksum.

        Raises:
            CorruptFileError: they are not what was written.
        """
        with _readable(self.path):
            tensors = {name: self._file.get_tensor(name) for name in self.shapes}
        if digest_tensors(tensors, self.metadata) != self._sha256:
            raise CorruptFileError(f"{self.path} was altered: its content does not match its checksum")
        return tensors


@contextmanager
def open_tensors(path: Path) -> Iterator[TensorFile]:
    """Open what `save_tensors` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        CorruptFileError: it is truncated, altered, or was not written by `save_tensors`.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    with ExitStack() as stack:
        with _readable(path):
            opened = TensorFile(path, stack.enter_context(safe_open(str(path), framework="pt")))
        yield opened


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CorruptFileError(f"{path} is truncated, altered or not a file of ctxlearn ({error})") from error


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote, and check it against its checksum: tensors and metadata.

    Raises:
        FileNotFoundError, CorruptFileError: as `open_tensors`.
    """
    with open_tensors(path) as file:
        return file.read(), file.metadata
