"""How a task is written: what a format says, and where a tokenizer would run its parts together."""

import pytest
import tiny_lm
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctxlearn.configurable import configuration, instantiate
from ctxlearn.language import LanguageModel, TextFormat, load_language_model
from ctxlearn.language.numerals import range_of
from ctxlearn.language.tokens import Prompts, label_tree


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_lm.tokenizer()


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_language_model(tiny_lm.write_folder(tmp_path_factory.mktemp("lm"), max_position_embeddings=64))


def prompt(lm, format, n_classes=2):
    learner = LanguageModel(lm, 2, n_classes, format, labellings="one")
    x = torch.tensor([[[-2.0, 2.0], [0.3, torch.nan]]])
    y = torch.tensor([[0, 1]]) if n_classes else torch.tensor([[-1.0, 1.0]])
    return learner.prompt(learner.adapt(x, y), torch.tensor([1.0, 9.0]))


@pytest.mark.parametrize(
    ("format", "text"),
    [
        (TextFormat(scale=2.0), "\n0,9 A\n5,? B\n7,9"),
        (TextFormat(scale=2.0, digits=2), "\n00,99 A\n57,? B\n74,99"),
        (TextFormat(scale=2.0, digits=2, pad=False), "\n0,99 A\n57,? B\n74,99"),
        (TextFormat(scale=2.0, labels=("Foo", "up"), between=" "), "\n0 9 Foo\n5 ? up\n7 9"),
        (TextFormat(scale=2.0, instruction="Sort.\n"), "Sort.\n0,9 A\n5,? B\n7,9"),
        (TextFormat(scale=2.0, names=("a", "b"), between=", "), "\na: 0, b: 9 A\na: 5, b: ? B\na: 7, b: 9"),
        (
            TextFormat(scale=2.0, before_input="x ", before_label="\ny ", after_label="\n\n"),
            "\n\nx 0,9\ny A\n\nx 5,?\ny B\n\nx 7,9\ny",
        ),
        (
            TextFormat(scale=2.0, chat="turns"),
            "<|user|>0,9<|end|>\n<|assistant|>A<|end|>\n<|user|>5,?<|end|>\n<|assistant|>B<|end|>\n<|user|>7,9<|end|>\n<|assistant|>",
        ),
        (TextFormat(scale=2.0, chat="one turn"), "<|user|>0,9 A\n5,? B\n7,9<|end|>\n<|assistant|>"),
    ],
)
def test_the_prompt_shows_the_exact_text(lm, format, text):
    assert prompt(lm, format) == text


def test_labels_of_regression_are_numbers(lm):
    assert prompt(lm, TextFormat(scale=2.0), n_classes=None) == "\n0,9 25\n5,? 74\n7,9"


def test_no_prompt_ends_in_a_blank_which_belongs_to_the_label(tokenizer):
    for before_label in (" ", " -> ", "\nLabel: ", "  "):
        prompts = Prompts(TextFormat(before_label=before_label), tokenizer, 2, 2)
        assert not prompts.ask_text.endswith(" ")
        assert prompts.asked_texts[0].endswith(" A")


def test_a_word_of_two_tokens_is_scored_whole_and_not_by_its_first(tokenizer):
    assert [tokenizer.decode([i]) for i in tokenizer(" Foo")["input_ids"]] == [" F", "oo"]
    tree = Prompts(TextFormat(labels=("Foo", "Fup", "up")), tokenizer, 2, 3).tree
    assert tree.n_nodes == 2  # the end of the prompt, and after " F", which two words share
    assert tree.counts.sum(1).tolist()[2] == 1
    assert tree.targets[0, 0] == tree.targets[1, 0]


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=8, unique_by=tuple))
def test_a_tree_of_labels_reads_every_token_after_those_before_it(labels):
    labels = [[*label, 9] for label in labels]  # none begins another
    tree = label_tree(labels)
    paths = {0: []}
    for k, (parent, token) in enumerate(zip(tree.parents, tree.tokens, strict=True), start=1):
        assert parent < k
        paths[k] = [*paths[parent], token]
    for k, label in enumerate(labels):
        read = [
            (paths[int(node)], int(t))
            for node, t, c in zip(tree.nodes[k], tree.targets[k], tree.counts[k], strict=True)
            if c
        ]
        assert read == [(label[:t], label[t]) for t in range(len(label))]
    assert tree.n_nodes == len({tuple(label[:t]) for label in labels for t in range(len(label))})


@pytest.mark.parametrize(
    ("format", "message"),
    [
        (TextFormat(after_label="\n", before_input="\n"), r"joins .* '\\n\\n'"),
        (TextFormat(after_label="o", labels=("fo", "up")), "joins"),
    ],
)
def test_parts_that_run_together_are_refused_when_the_format_is_made(tokenizer, format, message):
    with pytest.raises(ValueError, match=message) as error:
        Prompts(format, tokenizer, 2, 2)
    assert str(error.value).startswith("format:")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": ("A", "A")}, "labels: .*twice"),
        ({"labels": ("A", " B")}, "labels: .*blanks"),
        ({"labels": ("A", "")}, "labels: "),
        ({"labels": "AB"}, "labels: expected a sequence"),
        ({"digits": 0}, "digits: "),
        ({"digits": 1.0}, "digits: "),
        ({"label_digits": 4}, "label_digits: "),
        ({"scale": "contxt"}, "scale: .*did you mean 'context'"),
        ({"scale": 0.0}, "scale: "),
        ({"scale": float("nan")}, "scale: "),
        ({"chat": "turn"}, "chat: .*did you mean 'turns'"),
        ({"between": 1}, "between: "),
        ({"after_label": ""}, "after_label: "),
        ({"pad": 1}, "pad: "),
        ({"names": "ab"}, "names: "),
    ],
    ids=str,
)
def test_a_format_names_what_is_wrong_with_it(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        TextFormat(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_classes": 27}, "labels: expected a word for each of the 27"),
        ({"format": TextFormat(labels=("A",))}, "labels: expected a word for each of the 2"),
        ({"format": TextFormat(names=("a", "b", "c"))}, "names: expected a name for each of the 2"),
        ({"format": "lines"}, "format: expected a TextFormat"),
        ({"labellings": "both"}, "labellings: "),
        ({"n_classes": 6}, "labellings: expected at most 5 classes"),
        ({"orders": 0}, "orders: "),
        ({"calibrate": 1}, "calibrate: "),
        ({"cache_bytes": -1}, "cache_bytes: "),
        ({"n_features": None}, "n_features: "),
        ({"lm": "smollm2-135m"}, "lm: expected what load_language_model gives"),
    ],
    ids=str,
)
def test_a_learner_names_what_is_wrong_with_its_arguments(lm, options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        LanguageModel(**{"lm": lm, "n_features": 2, "n_classes": 2, **options})


def test_a_model_without_a_chat_template_refuses_a_chat():
    for chat in ("turns", "one turn"):
        with pytest.raises(ValueError, match=r"^chat: expected a model with a chat template"):
            Prompts(TextFormat(chat=chat), tiny_lm.tokenizer(chat=None), 2, 2)


def test_a_template_that_writes_turns_differently_is_refused_for_turns_and_good_for_one():
    template = (
        "{% for m in messages %}{% if not loop.first %}[{{ loop.index }}]{% endif %}{{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}>{% endif %}"
    )
    with pytest.raises(ValueError, match=r"^chat: expected a template that writes every turn alike"):
        Prompts(TextFormat(chat="turns"), tiny_lm.tokenizer(chat=template), 2, 2)
    assert Prompts(TextFormat(chat="one turn"), tiny_lm.tokenizer(chat=template), 2, 2).ask_text == "\n>"


def test_a_prompt_longer_than_the_model_reads_is_refused(lm):
    learner = LanguageModel(lm, 2, 2, TextFormat(scale=1.0))
    x, y = torch.zeros(1, 14, 2), torch.zeros(1, 14, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"^context_x: expected a prompt of at most the 64 tokens"):
        learner.adapt(x, y)
    state = learner.adapt(x[:, :12], y[:, :12])
    learner.predict(state, x[:, :1])
    with pytest.raises(ValueError, match=r"^context_x: expected a prompt of at most the 64 tokens"):
        learner.predict_prefixes(x, y)


def test_a_query_for_the_prompt_is_one_input(lm):
    learner = LanguageModel(lm, 2, 2)
    state = learner.adapt(torch.zeros(1, 2, 2), torch.zeros(1, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"^query: expected one input"):
        learner.prompt(state, torch.zeros(1, 1, 2))
    with pytest.raises(ValueError, match=r"^task: "):
        learner.prompt(state, torch.zeros(2), task=1)
    with pytest.raises(ValueError, match=r"^way: "):
        learner.prompt(state, torch.zeros(2), way=2)


def test_a_format_survives_a_file():
    for format in (TextFormat(), TextFormat(labels=("a", "b"), names=("x", "y"), scale=3.0, digits=3)):
        assert instantiate(configuration(format), TextFormat) == format


SIZES = st.sampled_from([1e-30, 1e-3, 1.0, 1e6, 1e30])


@given(n=st.integers(2, 9), d=st.integers(1, 3), size=SIZES, shift=st.floats(-3, 3), seed=st.integers(0, 99))
def test_a_scale_by_the_context_knows_no_units(n, d, size, shift, seed):
    x = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    scaled = size * (x + shift)
    first, second = range_of(x, "context"), range_of(scaled, "context")
    gap = (first.integers(x, 3) - second.integers(scaled, 3)).abs()
    assert gap.max() <= 1  # where rounding falls


@pytest.mark.parametrize(
    "x", [[], [5.0], [5.0, 5.0], [torch.nan, torch.nan], [torch.nan, 5.0], [1e308, -1e308], [5e-324, 0.0]]
)
def test_every_context_has_a_range(x):
    x = torch.tensor(x, dtype=torch.float64).view(1, -1, 1)
    found = range_of(x, "context")
    assert torch.isfinite(found.centre).all()
    assert (found.half > 0).all()
    codes = found.integers(x, 2)
    assert torch.equal(codes == -1, x.isnan())
    assert codes.max() <= 99 if codes.numel() else True


def test_missing_values_do_not_move_the_range():
    x = torch.tensor([[[1.0], [torch.nan], [2.0], [4.0]]])
    with_gap, without = range_of(x, "context"), range_of(x[:, [0, 2, 3]], "context")
    torch.testing.assert_close(with_gap, without)
