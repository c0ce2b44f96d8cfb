"""A language model as a learner, on a tiny random Llama: packed, cached and one by one are the same numbers."""

import math

import pytest
import tiny_lm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import Gemma3TextConfig, GPT2Config, GraniteConfig, MambaConfig, MistralConfig, Qwen2Config

from ctxlearn.evaluation import evaluate
from ctxlearn.language import LanguageModel, LoRA, TextFormat, load_language_model
from ctxlearn.tasks import ClassPrototype
from ctxlearn.testing import check_learner

FORMATS = {
    "lines": TextFormat(),
    "a fixed scale": TextFormat(scale=2.0),
    "two digits, unpadded": TextFormat(digits=2, pad=False),
    "labels of several tokens": TextFormat(labels=("Foo", "Fob", "up", "down")),
    "a label that begins another": TextFormat(labels=("A", "AB", "ABC", "B")),
    "sentences": TextFormat(
        names=("left", "right"), between=", ", before_input="Input: ", before_label="\nLabel: ", instruction="Sort.\n"
    ),
    "turns of a chat": TextFormat(chat="turns"),
    "one turn of a chat": TextFormat(chat="one turn", instruction="Sort.\n"),
    "one turn, labels of several tokens": TextFormat(chat="one turn", labels=("Foo", "Fob", "up", "down")),
}


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_language_model(tiny_lm.write_folder(tmp_path_factory.mktemp("lm")))


@pytest.fixture(scope="module")
def models(tmp_path_factory, lm):
    """With tokenizers that differ in what they put in front, and in whether digits join."""
    place = tmp_path_factory.mktemp("models")
    return {
        "plain": lm,
        "begins with <s>": load_language_model(tiny_lm.write_folder(place / "bos", bos=True)),
        "digits join": load_language_model(tiny_lm.write_folder(place / "joined", digits_alone=False)),
    }


def drawn(n_tasks, n, q, d=2, n_classes=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n_tasks, n + q, d, generator=generator)
    y = (
        torch.randn(n_tasks, n, generator=generator)
        if n_classes is None
        else torch.randint(n_classes, (n_tasks, n), generator=generator)
    )
    return x[:, :n], y, x[:, n:]


def read_whole(learner, text, continuations):
    """Log-probabilities of texts that may follow a text, by one plain pass per text, as a reader would write it."""
    tokenizer, model = learner.lm.tokenizer, learner.lm.model
    special = list(tokenizer("")["input_ids"]) if learner.format.chat == "none" else []
    head = special + tokenizer(text, add_special_tokens=False)["input_ids"]
    found = []
    for continuation in continuations:
        ids = special + tokenizer(text + continuation, add_special_tokens=False)["input_ids"]
        assert ids[: len(head)] == head
        scores = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        found.append(sum(scores[t - 1, ids[t]] for t in range(len(head), len(ids))))
    return torch.stack(found)


@torch.no_grad()
def one_by_one(learner, state, query_x):
    """Log-probabilities of words (B, ways, q, words): every prompt written in full and read alone."""
    ends = learner.prompts.tree.counts.sum(1) > torch.tensor([len(label) for label in learner.prompts.labels])
    texts = [
        t + (learner.prompts.end_text if e and learner.same else "")
        for t, e in zip(learner.prompts.asked_texts, ends.tolist(), strict=True)
    ]
    return torch.stack(
        [
            torch.stack(
                [
                    torch.stack(
                        [read_whole(learner, learner.prompt(state, q, task, way), texts) for q in query_x[task]]
                    )
                    for way in range(learner.n_ways)
                ]
            )
            for task in range(len(query_x))
        ]
    )


def assert_packed_is_one_by_one(learner, x, y, q):
    learner.same = learner.prompts.same_question
    state = learner.adapt(x, y)
    wanted = one_by_one(learner, state, q)
    if learner.calibrate:
        free = one_by_one(learner, state, torch.full_like(q[:, :1], torch.nan))
        wanted = wanted - free
    wanted = wanted.log_softmax(-1)
    if learner.n_classes is None:
        shares = wanted.mean(1).softmax(-1).double()
        numbers = state.y_range.numbers(learner.format.label_digits)
        wanted = (shares * numbers).sum(-1).float()
    else:
        each = [
            wanted[:, k][..., list(learner._labelled[k // learner.orders])] for k in range(learner.n_ways)
        ]  # class c was called by the word of that number
        wanted = torch.stack(each, 1).mean(1).log_softmax(-1)
    torch.testing.assert_close(learner.predict(state, q), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("model", ["plain", "begins with <s>", "digits join"])
def test_packed_queries_are_answered_as_whole_prompts_one_by_one(models, model, name):
    learner = LanguageModel(models[model], 2, 3, FORMATS[name], labellings="cyclic")
    assert_packed_is_one_by_one(learner, *drawn(2, 5, 3, n_classes=3))


@settings(max_examples=15)
@given(
    n=st.integers(0, 7),
    q=st.integers(1, 5),
    d=st.integers(1, 3),
    n_classes=st.integers(2, 4),
    n_tasks=st.integers(1, 3),
    orders=st.integers(1, 2),
    calibrate=st.booleans(),
    seed=st.integers(0, 99),
)
def test_packed_is_one_by_one_at_every_size(lm, n, q, d, n_classes, n_tasks, orders, calibrate, seed):
    learner = LanguageModel(lm, d, n_classes, labellings="cyclic", orders=orders, calibrate=calibrate)
    assert_packed_is_one_by_one(learner, *drawn(n_tasks, n, q, d, n_classes, seed))


GPT2 = {"n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 128}
WINDOW = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "sliding_window": 60,
}
KINDS = {
    "learned positions": (GPT2Config, GPT2, 128),
    "biases": (Qwen2Config, None, 512),
    "a sliding window": (MistralConfig, WINDOW, 60),
    "windows in some layers": (Gemma3TextConfig, {**WINDOW, "query_pre_attn_scalar": 4}, 60),
    "scaled logits": (
        GraniteConfig,
        {**WINDOW, "sliding_window": None, "logits_scaling": 2.0, "max_position_embeddings": 99},
        99,
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_models_of_other_kinds_are_read_alike(name, tmp_path):
    kind, sizes, longest = KINDS[name]
    other = load_language_model(tiny_lm.write_folder(tmp_path, kind=kind, sizes=sizes))
    assert other.longest == longest
    for format in (TextFormat(), FORMATS["labels of several tokens"]):
        learner = LanguageModel(other, 2, 3, format, labellings="one")
        assert_packed_is_one_by_one(learner, *drawn(2, 5, 3, n_classes=3))
        state = learner.adapt(*drawn(2, 5, 0, n_classes=3)[:2])
        held = sum(t.numel() * t.element_size() for part in state.read for pair in part.keys_values for t in pair)
        assert held == sum(len(part.rows) * max(map(len, part.rows)) for part in state.read) * learner._cache_size()
    check_learner(LanguageModel(other, 2, 2, FORMATS["a fixed scale"]), permutation_invariant=False)


def test_a_model_without_attention_over_a_mask_is_refused(tmp_path):
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "state_size": 4}
    tiny_lm.write_folder(tmp_path, kind=MambaConfig, sizes=sizes)
    with pytest.raises(ValueError, match=r"^source: cannot read .*scaled_dot_product_attention"):
        load_language_model(tmp_path)


@pytest.mark.parametrize("label_digits", [1, 2])
@pytest.mark.parametrize("model", ["plain", "digits join"])
def test_regression_is_the_mean_of_what_whole_numbers_get(models, model, label_digits):
    learner = LanguageModel(models[model], 2, None, TextFormat(label_digits=label_digits))
    assert_packed_is_one_by_one(learner, *drawn(1, 4, 2, n_classes=None))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"calibrate": True},
        {"orders": 3, "labellings": "one"},
        {"format": FORMATS["a fixed scale"]},
        {"format": FORMATS["labels of several tokens"]},
        {"format": FORMATS["one turn of a chat"]},
        {"cache_bytes": 0},
    ],
    ids=str,
)
@pytest.mark.parametrize("n_classes", [3, None])
def test_it_keeps_the_contract_of_learners(lm, options, n_classes):
    check_learner(LanguageModel(lm, 2, n_classes, **options), permutation_invariant=False)


def test_with_low_rank_changes_it_keeps_the_contract_with_gradients(lm):
    changed = lm.with_lora(LoRA(rank=2))
    check_learner(LanguageModel(changed, (2, 1), 2), permutation_invariant=False)


def test_inputs_of_another_precision_are_written_alike(lm):
    learner = LanguageModel(lm, 2, 2)
    x, y, q = drawn(1, 4, 2)
    assert learner(x.double(), y, q.double()).dtype == torch.float64
    torch.testing.assert_close(learner(x.double(), y, q.double()).float(), learner(x, y, q), rtol=1e-6, atol=1e-6)


class Counted:
    """How many passes a model makes, how long the longest is, and how many tokens it reads."""

    def __init__(self, lm):
        self.passes, self.longest, self.tokens = 0, 0, 0
        self.handle = lm.model.register_forward_pre_hook(self.note, with_kwargs=True)

    def note(self, module, args, kwargs):
        self.passes += 1
        self.longest = max(self.longest, kwargs["input_ids"].shape[1])
        self.tokens += kwargs["input_ids"].numel()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.handle.remove()


def test_all_prefixes_of_a_task_take_one_pass_and_are_those_one_by_one(lm):
    learner = LanguageModel(lm, 2, 2, TextFormat(scale=2.0))
    x, y, _ = drawn(2, 9, 0)
    with Counted(lm) as counted:
        rows = learner.predict_prefixes(x, y)
    assert counted.passes == 1
    for n in range(9):
        one = learner(x[:, :n], y[:, :n], x[:, n : n + 1])
        torch.testing.assert_close(rows[:, n : n + 1], one, rtol=1e-4, atol=1e-4)


def test_a_context_is_read_once_and_at_most_64_queries_a_pass(lm):
    learner = LanguageModel(lm, 2, 2, labellings="one")
    x, y, q = drawn(1, 5, 130)
    with Counted(lm) as counted:
        state = learner.adapt(x, y)
        assert counted.passes == 1
        whole = learner.predict(state, q)
    assert counted.passes == 1 + 3
    assert counted.longest <= 64 * len(learner.prompts.inputs(["0,0"])[0])
    apart = torch.cat([learner.predict(state, q[:, i : i + 1]) for i in range(130)], 1)
    torch.testing.assert_close(whole, apart, rtol=1e-4, atol=1e-4)


def test_contexts_beyond_the_budget_are_read_again_and_answered_alike(lm):
    x, y, q = drawn(4, 60, 3)
    kept = LanguageModel(lm, 2, 2)
    expected = kept(x, y, q)
    size = kept.cost(60, 3).cache_bytes
    for budget in (0, size, 2 * size):
        learner = LanguageModel(lm, 2, 2, cache_bytes=budget)
        state = learner.adapt(x, y)
        held = sum(
            keys.numel() * keys.element_size() + values.numel() * values.element_size()
            for part in state.read
            for keys, values in part.keys_values or []
        )
        assert held <= budget
        torch.testing.assert_close(learner.predict(state, q), expected, rtol=1e-4, atol=1e-4)


def test_the_cache_is_not_copied_per_query(lm):
    learner = LanguageModel(lm, 2, 2)
    state = learner.adapt(*drawn(1, 20, 0)[:2])
    before = [k.clone() for part in state.read for k, _ in part.keys_values]
    shapes = []
    attention = torch.nn.functional.scaled_dot_product_attention

    def noted(query, key, *args, **kwargs):
        shapes.append(key.shape[0])
        return attention(query, key, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.functional, "scaled_dot_product_attention", noted)
        learner.predict(state, drawn(1, 0, 40)[2])
    assert set(shapes) == {2}  # rows, one per labelling
    assert all(
        torch.equal(a, b) for a, b in zip(before, [k for p in state.read for k, _ in p.keys_values], strict=True)
    )


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_renaming_the_classes_renames_the_answers(lm, n_classes):
    learner = LanguageModel(lm, 2, n_classes, labellings="all")
    x, y, q = drawn(2, 6, 3, n_classes=n_classes)
    names = torch.randperm(n_classes, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(learner(x, names[y], q)[..., names], learner(x, y, q), rtol=1e-4, atol=1e-4)


def test_one_labelling_prefers_a_word_and_all_do_not(lm):
    x, y, q = drawn(1, 0, 3)
    assert LanguageModel(lm, 2, 2, labellings="one")(x, y, q).diff().abs().min() > 1e-3
    torch.testing.assert_close(LanguageModel(lm, 2, 2)(x, y, q).diff(), torch.zeros(1, 3, 1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_calibrated_answer_about_nothing_is_uniform(lm, n_classes):
    learner = LanguageModel(lm, 2, n_classes, labellings="one", calibrate=True)
    x, y, q = drawn(2, 6, 2, n_classes=n_classes)
    for context in (x, torch.full_like(x, torch.nan), x[:, :0]):
        output = learner(context, y[:, : context.shape[1]], torch.full_like(q, torch.nan))
        torch.testing.assert_close(output, torch.full_like(output, -math.log(n_classes)), rtol=0, atol=1e-4)
    plain = LanguageModel(lm, 2, n_classes, labellings="one")(x, y, torch.full_like(q, torch.nan))
    assert plain.std(-1).min() > 1e-3


def test_orders_are_the_mean_over_contexts_in_those_orders(lm):
    x, y, q = drawn(1, 5, 2)
    learner, plain = (LanguageModel(lm, 2, 2, labellings="one", orders=k) for k in (3, 1))
    each = [plain(x[:, order], y[:, order], q) for order in learner._orders(5)]
    torch.testing.assert_close(learner(x, y, q), torch.stack(each).mean(0).log_softmax(-1), rtol=1e-4, atol=1e-4)
    assert sorted(learner._orders(5)[1]) == [0, 1, 2, 3, 4]


def test_label_mass_is_the_probability_of_all_labels(lm):
    x, y, q = drawn(2, 4, 3)
    for learner in (LanguageModel(lm, 2, 2), LanguageModel(lm, 2, 2, FORMATS["labels of several tokens"])):
        state = learner.adapt(x, y)
        learner.same = True
        mass = learner.label_mass(state, q)
        torch.testing.assert_close(mass, one_by_one(learner, state, q).exp().sum(-1).mean(1), rtol=1e-4, atol=1e-6)
        assert mass.min() > 0
        assert mass.max() < 1


def test_quantiles_of_regression_rise_and_lie_in_the_range(lm):
    learner = LanguageModel(lm, 2, None)
    x, y, q = drawn(2, 6, 3, n_classes=None)
    state = learner.adapt(x, y)
    quantiles = learner.predict_distribution(state, q)
    assert quantiles.shape == (2, 3, 20)
    assert (quantiles.diff(dim=-1) >= 0).all()
    low, high = (state.y_range.centre + sign * state.y_range.half for sign in (-1, 1))
    assert (quantiles >= low - 1e-6).all()
    assert (quantiles <= high + 1e-6).all()
    classifier = LanguageModel(lm, 2, 2)
    state = classifier.adapt(*drawn(1, 2, 0)[:2])
    with pytest.raises(ValueError, match=r"predicts no distribution"):
        classifier.predict_distribution(state, q)


def test_units_of_regression_come_back(lm):
    learner = LanguageModel(lm, 2, None)
    x, y, q = drawn(2, 6, 3, n_classes=None)
    torch.testing.assert_close(learner(x, 1000 * y - 7, q), 1000 * learner(x, y, q) - 7, rtol=1e-3, atol=1e-1)


@pytest.mark.parametrize("options", [{}, {"calibrate": True}, {"orders": 2}, {"cache_bytes": 0}], ids=str)
@pytest.mark.parametrize("name", ["lines", "turns of a chat", "labels of several tokens"])
def test_the_cost_told_beforehand_is_what_is_read(lm, options, name):
    learner = LanguageModel(lm, 2, 2, FORMATS[name], **options)
    cost = learner.cost(10, 70)
    x, _, q = drawn(1, 10, 70)
    with Counted(lm) as counted:
        learner.predict(learner.adapt(x, torch.tensor([[0, 1] * 5])), q)
    assert counted.tokens == cost.tokens
    assert cost.seconds > 0
    assert cost.fits == (options.get("cache_bytes") != 0)


def test_it_is_evaluated_like_any_learner(lm):
    learner = LanguageModel(lm, 2, 2, TextFormat(scale=3.0))
    table = evaluate({"a language model": learner}, ClassPrototype(), n_tasks=4, n_points=5)
    assert len(table) == 5
    assert table["mean"].between(0, 1).all()


def test_bfloat16_answers_are_near(lm, tmp_path):
    rough = load_language_model(lm.source, dtype="bfloat16")
    x, y, q = drawn(2, 6, 4)
    fine, near = LanguageModel(lm, 2, 2)(x, y, q), LanguageModel(rough, 2, 2)(x, y, q)
    assert near.dtype == torch.float32
    assert 0 < (fine - near).abs().max() < 0.5
