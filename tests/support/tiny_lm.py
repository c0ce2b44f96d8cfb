"""The random model of a few thousand weights that the tests of language models read."""

from ctxlearn.language.tiny_model import tokenizer, write_folder

__all__ = ["tokenizer", "write_folder"]
