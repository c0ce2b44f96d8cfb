"""A random Llama of a few thousand weights and a tokenizer for it, written to a folder as transformers writes them."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from ctxlearn.seeding import initial_weights

CHAT = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<s>", "<|user|>", "<|assistant|>", "<|end|>"]


def tokenizer(*, bos=False, digits_alone=True, chat=CHAT):
    """Byte-level BPE; ` A` is one token and ` Foo` two, ` F` and `oo`, as in SmolLM2."""
    bpe = Tokenizer(models.BPE())
    cuts = [pre_tokenizers.Digits(individual_digits=True)] if digits_alone else []
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([*cuts, byte_level])
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
    wrapped = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<s>", eos_token="<|end|>")
    wrapped.chat_template = chat
    return wrapped


def write_folder(path, *, seed=0, kind=LlamaConfig, sizes=None, max_position_embeddings=512, **options):
    """A model in a folder: 2 layers of width 16, 4 heads; for a Llama 2 heads hold keys and values."""
    made = tokenizer(**options)
    usual = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": max_position_embeddings,
        "tie_word_embeddings": True,
    }
    config = kind(
        vocab_size=len(made),
        initializer_range=0.4,  # larger than usual, so that answers differ by more than rounding
        bos_token_id=0,
        eos_token_id=3,
        pad_token_id=3,
        **(usual if sizes is None else sizes),
    )
    with initial_weights(seed):
        model = AutoModelForCausalLM.from_config(config)
    model.to(torch.float32).save_pretrained(path)
    made.save_pretrained(path)
    return path
