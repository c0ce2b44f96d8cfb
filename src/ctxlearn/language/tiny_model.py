"""A random model of a few thousand weights with a tokenizer of its own, for tests and smoke runs: it knows nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from ctxlearn.seeding import initial_weights

CHAT = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<s>", "<|user|>", "<|assistant|>", "<|end|>"]


def tokenizer(*, bos: bool = False, digits_alone: bool = True, chat: str | None = CHAT) -> Any:
    """Byte-level BPE; ` A` is one token and ` Foo` two, ` F` and `oo`, as in SmolLM2.

    Args:
        bos: put a token in front of every text.
        digits_alone: make every digit a token.
        chat: the chat template.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    cuts = [pre_tokenizers.Digits(individual_digits=True)] if digits_alone else []
    bpe.pre_tokenizer = pre_tokenizers.Sequence([*cuts, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    bpe.decoder = decoders.ByteLevel()
    lines = [f"{a}{b},{b} {label}\n" for a in range(10) for b in range(10) for label in "ABCDEFGH"]
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([*lines, *[" F F oo oo  up down"] * 50, *["\n\n"] * 50], trainer)
    if bos:
        bpe.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    make: Any = PreTrainedTokenizerFast
    wrapped = make(tokenizer_object=bpe, bos_token="<s>", eos_token="<|end|>")
    wrapped.chat_template = chat
    return wrapped


def write_folder(
    path: Path | str,
    *,
    seed: int = 0,
    kind: Any = None,
    sizes: dict[str, Any] | None = None,
    max_position_embeddings: int = 512,
    **options: Any,
) -> Path:
    """A model in a folder, as transformers writes it: 2 layers of width 16, 4 heads, of which 2 hold keys and values.

    Args:
        path: of the folder.
        seed: of the weights.
        kind: a configuration class of transformers; None for a Llama.
        sizes: its arguments in place of those above.
        max_position_embeddings: the most tokens a prompt may have.
        options: of `tokenizer`.
    """
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    made, make = tokenizer(**options), cast(Any, AutoModelForCausalLM)
    usual = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": max_position_embeddings,
        "tie_word_embeddings": True,
    }
    config = (LlamaConfig if kind is None else kind)(
        vocab_size=len(made),
        initializer_range=0.4,  # larger than usual, so that answers differ by more than rounding
        bos_token_id=0,
        eos_token_id=3,
        pad_token_id=3,
        **(usual if sizes is None else sizes),
    )
    with initial_weights(seed):
        model = make.from_config(config)
    model.to(torch.float32).save_pretrained(path)
    made.save_pretrained(path)
    return Path(path)
