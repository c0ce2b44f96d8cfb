"""Files that are whole or absent, and say so when they are not what was written.

Tensor files are safetensors whose metadata carries a SHA-256 of all else in them; text files are written to a
temporary name and renamed. Nothing is unpickled, and a file holds neither time nor path: equal content, equal bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

HEADER = "ctxlearn"


class StorageError(OSError):
    """A file could not be written; the message says which, why, and what still stands."""


class CorruptFileError(ValueError):
    """A file is not what was written: truncated, altered or of another kind."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` under a temporary name, flush it to disk, and rename it to `path`.

    Raises:
        StorageError: the disk is full, or the folder cannot be written; `path` is then what it was before.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        reason = error.strerror or str(error)
        raise StorageError(
            error.errno, f"cannot write {path}: {reason}. Free space or choose another folder"
        ) from error


def write_text(path: Path, text: str) -> None:
    """`write_atomically` of text in UTF-8."""
    write_atomically(path, text.encode())


def write_json(path: Path, data: Any) -> None:
    """`write_atomically` of JSON, indented."""
    write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")


def write_figure(path: Path, save: Callable[[Path], None]) -> None:
    """Let `save` write to a temporary name beside `path`, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")
    save(temporary)
    os.replace(temporary, path)


def digest_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any] | None = None) -> str:
    """SHA-256 of names, types, shapes and values of tensors, and of JSON-able metadata."""
    total = hashlib.sha256(json.dumps(metadata or {}, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        total.update(tensor.flatten().view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
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


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote, and check it against its checksum.

    Raises:
        FileNotFoundError: there is no such file.
        CorruptFileError: it is truncated, altered, or was not written by `save_tensors`.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        with safe_open(str(path), framework="pt") as file:
            header = json.loads((file.metadata() or {})[HEADER])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        metadata, expected = header["content"], header["sha256"]
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CorruptFileError(f"{path} is truncated, altered or not a file of ctxlearn ({error})") from error
    if digest_tensors(tensors, metadata) != expected:
        raise CorruptFileError(f"{path} was altered: its content does not match its checksum")
    return tensors, metadata
