"""The transformer's options: attention, masks, token layouts, positions, read-outs."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctxlearn.learners import BlockConfig, InContextTransformer
from ctxlearn.testing import check_learner

MASKS = ("context", "context_and_self", "full", "causal")
ATTENTION = ("softmax", "linear", "linear_mean")


def forms():
    """Every layout, mask and choice of positions that the class allows."""
    for tokens, mask, positions in product(("merged", "interleaved"), MASKS, ("none", "learned")):
        if tokens == "merged" or mask == "causal" or positions == "learned":
            yield {"tokens": tokens, "mask": mask, "positions": positions}


def ordered(form):
    """Whether such a transformer can tell the order of its context."""
    return form["positions"] == "learned" or form["mask"] == "causal"


def blocks(attention="softmax", **options):
    first = {"heads": 2, "head_width": 3, "hidden": 7, "attention": attention} | options
    return [BlockConfig(**first), BlockConfig(1, 4, 6, "relu", "none", attention, memory=first.get("memory", 0))]


def drawn(n_tasks, n_points, d, n_classes, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n_tasks, n_points, d, generator=generator, dtype=torch.float64)
    if n_classes is None:
        return x, torch.randn(n_tasks, n_points, generator=generator, dtype=torch.float64), generator
    return x, torch.randint(n_classes, (n_tasks, n_points), generator=generator), generator


@pytest.mark.parametrize("form", list(forms()), ids=lambda form: "-".join(form.values()))
@pytest.mark.parametrize("attention", ATTENTION)
def test_every_form_keeps_the_contract(form, attention):
    learner = InContextTransformer(2, 3, width=8, blocks=blocks(attention), **form)
    check_learner(learner, permutation_invariant=not ordered(form))
    remembering = blocks(attention, memory=2, normalised=True)
    learner = InContextTransformer(2, None, width=8, blocks=remembering, encoder="identity", **form)
    check_learner(learner, permutation_invariant=not ordered(form))


@pytest.mark.parametrize("mask", MASKS)
def test_the_logarithmic_read_out_keeps_the_contract_and_starts_where_it_can_learn(mask):
    learner = InContextTransformer(2, 3, width=8, depth=2, heads=2, mask=mask, readout="log")
    check_learner(learner, permutation_invariant=mask != "causal")
    x, y, _ = drawn(4, 9, 2, 3, 0)
    output = learner(x[:, :5], y[:, :5], x[:, 5:])
    assert output.exp().sum(-1).sub(1).abs().max() < 0.7
    learner.loss(output, y[:, 5:]).backward()
    assert all(float(p.grad.abs().max()) > 0 for p in learner.out.parameters())


@given(
    form=st.sampled_from([form for form in forms() if form["mask"] == "causal"]),
    attention=st.sampled_from(ATTENTION),
    memory=st.integers(0, 2),
    normalised=st.booleans(),
    n_points=st.integers(1, 7),
    n_classes=st.sampled_from([None, 2, 4]),
    seed=st.integers(0, 99),
)
def test_one_causal_pass_is_the_cached_passes_one_by_one(
    form, attention, memory, normalised, n_points, n_classes, seed
):
    options = blocks(attention, memory=memory, normalised=normalised)
    learner = InContextTransformer(3, n_classes, width=8, blocks=options, seed=seed, **form).double()
    x, y, _ = drawn(2, n_points, 3, n_classes, seed)
    with torch.no_grad():
        rows = learner.predict_prefixes(x, y)
        for n in range(n_points):
            one = learner(x[:, :n], y[:, :n], x[:, n : n + 1])
            torch.testing.assert_close(rows[:, n : n + 1], one, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("form", [form for form in forms() if form["mask"] == "causal"], ids=str)
def test_under_a_causal_mask_later_points_change_nothing_before_them(form):
    learner = InContextTransformer(2, 2, width=8, depth=2, heads=2, **form).double()
    x, y, generator = drawn(3, 8, 2, 2, 1)
    with torch.no_grad():
        before = learner.predict_prefixes(x, y)
        x[:, 5:] = torch.randn(3, 3, 2, generator=generator, dtype=torch.float64)
        y[:, 4:] = 1 - y[:, 4:]
        after = learner.predict_prefixes(x, y)
    torch.testing.assert_close(before[:, :5], after[:, :5], rtol=1e-12, atol=1e-12)
    assert float((before[:, 5:] - after[:, 5:]).abs().max()) > 1e-6


@pytest.mark.parametrize("attention", ATTENTION)
@pytest.mark.parametrize("normalised", [False, True])
def test_attention_is_its_formula(attention, normalised):
    """One block without norms, its output read before the MLP, against the sums written out."""
    config = BlockConfig(2, 3, 5, "relu", "none", attention, normalised, memory=1)
    learner = InContextTransformer(2, None, width=6, blocks=[config], encoder="identity", mask="context_and_self")
    learner = learner.double()
    x, y, generator = drawn(1, 4, 2, None, 3)
    query = torch.randn(1, 1, 2, generator=generator, dtype=torch.float64)
    block = learner.blocks[0]
    with torch.no_grad():
        tokens = torch.cat([x[0], y[0, :, None], torch.zeros(4, 1)], dim=1)
        own = torch.cat([query[0, 0], torch.tensor([0.0, 1.0])])
        seen = learner.embed(torch.cat([tokens, own[None]]))  # the query sees itself, last
        z = seen[-1]
        mixed = []
        for head in range(2):
            part = slice(3 * head, 3 * head + 3)
            q = block.query(z)[part]
            keys, values = block.key_value(seen)[:, :6][:, part], block.key_value(seen)[:, 6:][:, part]
            keys = torch.cat([block.slot_keys[head], keys])
            values = torch.cat([block.slot_values[head], values])
            scale = 3**-0.5
            if normalised:
                q, keys = q / q.norm(), keys / keys.norm(dim=1, keepdim=True)
                scale = float(block.sharpness[head])
            scores = scale * keys @ q
            if attention == "softmax":
                scores = scores.exp() / scores.exp().sum()
            mixed.append(scores @ values / (4 if attention == "linear_mean" else 1))
        z = z + block.attention_out(torch.cat(mixed))
        z = z + block.mlp_out(block.mlp_in(z).relu())
        torch.testing.assert_close(learner(x, y, query)[0, 0], learner.out(z)[0], rtol=1e-12, atol=1e-12)


def test_a_slot_of_zeros_is_attention_to_nothing():
    """One class among n points with a zero slot: weight n / (n + 1) at equal scores, 0 without points."""
    config = BlockConfig(1, 2, 1, "relu", "none", memory=1)
    learner = InContextTransformer(1, None, width=2, blocks=[config], encoder="identity")
    with torch.no_grad():
        for p in learner.parameters():
            p.zero_()
        learner.embed.weight[0, 1] = 1.0  # the label
        learner.blocks[0].key_value.weight[2, 0] = 1.0  # is the value
        learner.blocks[0].attention_out.weight[1, 0] = 1.0
        learner.out.weight[0, 1] = 1.0
        for n in range(5):
            x, y = torch.zeros(1, n, 1), torch.full((1, n), 6.0)
            torch.testing.assert_close(learner(x, y, torch.zeros(1, 1, 1))[0, 0], torch.tensor(6.0 * n / (n + 1)))


def test_the_full_mask_lets_the_context_see_the_query_and_nothing_else_new():
    one_block = InContextTransformer(2, 2, width=8, depth=1, heads=2, mask="full").double()
    sees_self = InContextTransformer(2, 2, width=8, depth=1, heads=2, mask="context_and_self").double()
    deeper = InContextTransformer(2, 2, width=8, depth=2, heads=2, mask="full").double()
    also = InContextTransformer(2, 2, width=8, depth=2, heads=2, mask="context_and_self").double()
    x, y, _ = drawn(2, 6, 2, 2, 0)
    with torch.no_grad():  # with one block nothing has come back from the context yet
        arguments = (x[:, :4], y[:, :4], x[:, 4:])
        torch.testing.assert_close(one_block(*arguments), sees_self(*arguments), rtol=1e-12, atol=1e-12)
        assert float((deeper(*arguments) - also(*arguments)).abs().max()) > 1e-6


def test_learned_positions_end_where_they_were_not_learned():
    learner = InContextTransformer(2, 2, width=8, depth=1, heads=2, mask="causal", positions="learned", max_points=3)
    x, y, _ = drawn(2, 6, 2, 2, 0)
    learner(x[:, :3], y[:, :3], x[:, 3:])
    learner.predict_prefixes(x[:, :4], y[:, :4])
    for call in (lambda: learner.adapt(x[:, :4], y[:, :4]), lambda: learner.predict_prefixes(x[:, :5], y[:, :5])):
        with pytest.raises(ValueError, match=r"x: expected at most 3 points.*max_points"):
            call()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokens": "mixed"}, "tokens: unknown name"),
        ({"mask": "none"}, "mask: unknown name"),
        ({"positions": "sine"}, "positions: unknown name"),
        ({"max_points": 0}, "max_points: expected"),
        ({"readout": "exp"}, "readout: unknown name"),
        ({"n_classes": None, "readout": "log"}, "readout: expected"),
        ({"tokens": "interleaved"}, 'tokens: interleaved tokens need positions="learned" or mask="causal"'),
    ],
)
def test_choices_that_do_not_exist_or_fit_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        InContextTransformer(**({"n_features": 2, "n_classes": 2, "width": 8, "depth": 1} | arguments))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [({"attention": "cosine"}, "attention"), ({"normalised": 1}, "normalised"), ({"memory": -1}, "memory")],
)
def test_options_of_a_block_are_checked(arguments, name):
    with pytest.raises(ValueError, match=f"{name}: (expected|unknown)"):
        BlockConfig(**arguments)
