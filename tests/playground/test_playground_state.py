import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlearn.playground import Point, State
from ctxlearn.playground.families import FAMILIES, fresh_points, task_points, with_drawn_points

places = st.integers(-100_000, 100_000).map(lambda hundredths: hundredths / 100)
points = st.builds(Point, places, places, st.integers(0, 4))
states = st.builds(
    State,
    mode=st.sampled_from(["classes", "numbers"]),
    points=st.lists(points, max_size=8).map(tuple),
    learners=st.lists(st.sampled_from(["shipped", "bayes", "run1", "nearest"]), unique=True).map(tuple),
    family=st.sampled_from(sorted(FAMILIES)),
    classes=st.integers(2, 5),
    seed=st.integers(0, 2**31 - 1),
    drawn=st.integers(0, 200),
    view=st.integers(1, 10_000).map(lambda hundredths: hundredths / 100),
)


@given(states)
def test_a_state_comes_back_from_its_address(state):
    assert State.from_query(state.query()) == state


@given(states)
def test_an_address_is_what_its_state_writes(state):
    assert State.from_query(state.query()).query() == state.query()


def test_an_empty_address_is_the_state_to_begin_with():
    assert State.from_query("") == State()
    assert State.from_query("mode=numbers").family == "LinearRegression"


@given(st.text(max_size=60))
def test_any_text_is_a_state_or_refused_by_name(text):
    try:
        state = State.from_query(text)
    except ValueError as error:
        named = str(error).partition(":")[0]
    else:
        named = "points"
        assert State.from_query(state.query()).mode == state.mode
    assert named in ("mode", "points", "learners", "family", "classes", "seed", "drawn", "view", "x", "y")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("mode=words", "mode"),
        ("points=F1_2", "points"),
        ("points=A1", "points"),
        ("points=A1_2001", "points"),
        ("points=" + "~".join(["A1_1"] * 201), "points"),
        ("seed=-1", "seed"),
        ("seed=99999999999", "seed"),
        ("seed=9999999999", "seed"),
        ("classes=6", "classes"),
        ("view=0", "view"),
        ("view=nan", "view"),
        ("learners=bayes~bayes", "learners"),
        ("drawn=201&seed=1", "drawn"),
    ],
)
def test_what_cannot_be_a_state_is_refused_by_name(query, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        State.from_query(query)


def test_learners_answer_for_the_classes_that_are_placed_or_drawn():
    assert State().n_classes == 2
    assert State(points=(Point(0, 0, 3),)).n_classes == 4
    assert State(classes=3).n_classes == 2
    assert State(classes=3, seed=0).n_classes == 3


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_more_points_of_a_task_begin_with_the_same_points(name):
    few = with_drawn_points(State(mode=FAMILIES[name].mode, family=name, seed=5, drawn=7))
    more = with_drawn_points(State(mode=FAMILIES[name].mode, family=name, seed=5, drawn=30))
    assert more.points[:7] == few.points
    assert len(more.points) == 30
    assert all(max(abs(p.x), abs(p.y)) <= more.view for p in more.points)
    other = with_drawn_points(State(mode=FAMILIES[name].mode, family=name, seed=6, drawn=7))
    assert other.points != few.points


def test_fresh_points_are_none_of_those_that_are_drawn():
    state = State(seed=2, drawn=200)
    drawn = {tuple(point) for point in task_points(state)[0][:200].tolist()}
    fresh = {tuple(point) for point in fresh_points(state)[0].tolist()}
    assert len(fresh) == 400
    assert not drawn & fresh


def test_a_task_needs_a_seed_and_a_family_of_its_mode():
    with pytest.raises(ValueError, match="seed"):
        with_drawn_points(State(drawn=3))
    with pytest.raises(ValueError, match="family"):
        with_drawn_points(State(mode="numbers", family="Radial", seed=1, drawn=3))
