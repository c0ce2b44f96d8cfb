"""Rows of a table as text, for a language model to read: on a random model of a few thousand weights."""

import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import tiny_lm
from scipy.special import log_softmax
from sklearn.base import clone

from ctxlearn import InContextClassifier
from ctxlearn.cli import main
from ctxlearn.estimators import language_rows
from ctxlearn.estimators.language_rows import LanguageRows, LanguageWarning, row_texts
from ctxlearn.language import RowClassifier, load_language_model
from ctxlearn.language.calibration import OFFSET_DEVIATION, SLOPE_DEVIATION, Calibration, fit_calibration

ROWS = ["text: 3,7 up", "text: 9,9 up", "text: 1,2 down", "text: 0,0 down"]
CODES = [0, 0, 1, 1]
TABLE = pd.DataFrame({"text": ["a b", "c d", "e f", "g h"], "size": [1.5, np.nan, 3.0, 4.0]})
LABELS = np.array(["up", "up", "down", "down"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_lm.write_folder(tmp_path_factory.mktemp("lm"))


@pytest.fixture(scope="module")
def lm(folder):
    return load_language_model(folder)


def reader(lm, **options):
    return RowClassifier(lm, ROWS, CODES, ["up", "down"], **options)


@pytest.mark.parametrize("calibration", ["leave-one-out", "content-free", "none"])
def test_each_row_is_answered_on_its_own(lm, calibration):
    asked = ["text: 5,5", "text: 8,1 and more of it", "text: 2"]
    told = reader(lm, calibration=calibration).log_probabilities(asked)
    assert np.allclose(np.exp(told).sum(1), 1)
    again = reader(lm, calibration=calibration)
    alone = np.concatenate([again.log_probabilities([row]) for row in reversed(asked)])[::-1]
    assert np.allclose(told, alone, atol=1e-4)
    assert not np.allclose(told[0], told[1], atol=1e-3)
    assert again.log_probabilities([]).shape == (0, 2)


def test_the_prompt_is_the_rows_with_their_labels_and_the_row_asked_about(lm):
    text = reader(lm, target="way  up\nor down").prompt("text:\n 5,5")
    assert text.endswith("text: 5,5\nway up or down:")
    for row, code in zip(ROWS, CODES, strict=True):
        assert f"{row}\nway up or down: {('up', 'down')[code]}\n" in text


def test_a_row_that_says_nothing_gets_nothing_after_content_free_calibration(lm):
    told = reader(lm, calibration="content-free", orders=1).log_probabilities(["N/A"])
    assert np.allclose(told, np.log(0.5), atol=1e-5)


def test_leaving_one_out_fits_the_answers_of_the_other_rows(lm):
    found = reader(lm, orders=1)
    found.log_probabilities(ROWS[:1])
    order = found._orders[0]
    told = []
    for left in range(len(ROWS)):
        kept = [i for i in order if i != left]
        other = RowClassifier(
            lm, [ROWS[i] for i in kept], [CODES[i] for i in kept], ["up", "down"], orders=1, calibration="none"
        )
        other._orders = [list(range(len(kept)))]
        told.append(other.log_probabilities([ROWS[left]])[0])
    expected = fit_calibration(np.array(told), np.array(CODES))
    assert found._calibration.slope == pytest.approx(expected.slope, abs=1e-3)
    assert np.allclose(found._calibration.offsets, expected.offsets, atol=1e-3)


def test_the_cost_counts_what_is_read(lm):
    plain, calibrated = reader(lm, calibration="none", orders=1), reader(lm, orders=1)
    assert calibrated.cost(["5,5"]).tokens > 4 * plain.cost(["5,5"]).tokens
    assert reader(lm, calibration="none", orders=3).cost(["5,5"]).tokens == 3 * plain.cost(["5,5"]).tokens
    assert plain.cost(["5,5", "5,5"]).tokens > plain.cost(["5,5"]).tokens
    read = plain._learner.prompts.tokenizer(plain.prompt("5,5"), add_special_tokens=False)["input_ids"]
    assert abs(plain.cost(["5,5"]).longest - len(read)) <= 3  # labels are counted by the longest


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["up", "down"], ["up", "down"]),
        (["a  b", "a b"], ["A", "B"]),
        (["", "down"], ["A", "B"]),
        (["A", "AB"], ["A", "AB"]),
        (["yes", "no", "yes "], ["A", "B", "C"]),
    ],
)
def test_letters_stand_for_labels_that_cannot_be_told_apart(lm, labels, words):
    codes = [k % len(labels) for k in range(4)]
    found = RowClassifier(lm, ROWS, codes, labels)
    assert found.words == words
    assert np.allclose(np.exp(found.log_probabilities(["5,5"])).sum(1), 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lm": "tiny"}, "^lm: "),
        ({"rows": []}, "^codes: "),
        ({"codes": [0, 1]}, "^codes: expected one per row, got 2 for 4"),
        ({"codes": [0, 1, 2, 0]}, "^codes: "),
        ({"codes": [0, 1, -1, 0]}, "^codes: "),
        ({"labels": ["up"]}, "^labels: expected two or more"),
        ({"calibration": "all"}, "^calibration: "),
        ({"orders": 0}, "^orders: "),
        (
            {"rows": ["word " * 300] * 4},
            r"^X: expected a prompt of at most the 512 tokens .* with 4 labelled rows; give fewer",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_do(lm, changes, words):
    given = {"lm": lm, "rows": ROWS, "codes": CODES, "labels": ["up", "down"], **changes}
    with pytest.raises(ValueError, match=words):
        RowClassifier(**given)


def test_a_row_that_is_too_long_is_refused(lm):
    found = reader(lm)
    with pytest.raises(ValueError, match=r"^X: expected a prompt .* and the longest row asked about"):
        found.log_probabilities(["5,5", "word " * 500])


def test_a_preference_for_a_label_is_taken_out():
    generator = np.random.default_rng(0)
    truth = generator.normal(size=(4000, 3))
    codes = (truth + generator.gumbel(size=truth.shape)).argmax(1)
    found = fit_calibration(log_softmax(2 * (truth + np.array([1.0, 0.0, -1.0])), axis=1), codes)
    assert found.slope == pytest.approx(0.5, abs=0.05)
    assert found.offsets - found.offsets[1] == pytest.approx([-1.0, 0.0, 1.0], abs=0.15)


def test_calibration_is_the_most_likely_under_its_priors():
    generator = np.random.default_rng(1)
    told, codes = log_softmax(generator.normal(size=(12, 3)), axis=1), generator.integers(3, size=12)

    def cost(slope, offsets):
        prior = ((slope - 1) / SLOPE_DEVIATION) ** 2 + np.square(offsets / OFFSET_DEVIATION).sum()
        return prior / 2 - Calibration(slope, offsets)(told)[np.arange(12), codes].sum()

    found = fit_calibration(told, codes)
    best = cost(found.slope, found.offsets)
    for step in generator.normal(size=(50, 4)) * 0.05:
        assert cost(max(0.0, found.slope + step[0]), found.offsets + step[1:]) >= best - 1e-6


def test_rows_of_a_table_are_written_by_their_columns():
    table = pd.DataFrame(
        {
            "text": ["two\nlines", None, ""],
            "size": [1.5, np.nan, 2.0],
            "when": pd.to_datetime(["2024-03-01", None, None]),
            "flag": pd.array([True, None, False], dtype="boolean"),
        }
    )
    assert row_texts(table) == [
        "text: two lines; size: 1.5; when: 2024-03-01 00:00:00; flag: True",
        "N/A",
        "size: 2; flag: False",
    ]
    assert row_texts(np.array([["a", 1]], dtype=object)) == ["column 0: a; column 1: 1"]


def test_the_classifier_reads_text(folder, lm):
    found = InContextClassifier(language=folder).fit(TABLE, LABELS)
    told = found.predict_proba(TABLE[:2])
    assert told.shape == (2, 2)
    assert np.allclose(told.sum(1), 1)
    assert list(found.classes_) == ["down", "up"]
    assert set(found.predict(TABLE)) <= {"up", "down"}
    same = clone(InContextClassifier(language=lm)).set_params(random_state=0)
    assert np.allclose(same.fit(TABLE, LABELS).predict_proba(TABLE[:2]), told)
    assert np.allclose(InContextClassifier(language=lm).fit(TABLE, ["x"] * 4).predict_proba(TABLE), 1.0)


@pytest.mark.parametrize("what", ["save", "influence", "column_influence"])
def test_what_a_language_model_does_not_do_is_refused(lm, what, tmp_path):
    found = InContextClassifier(language=lm).fit(TABLE, LABELS)
    with pytest.raises(ValueError, match=f"^{what}: expected a model of numbers"):
        getattr(found, what)(tmp_path / "file" if what == "save" else TABLE)


def test_wrong_uses_are_refused(lm):
    with pytest.raises(ValueError, match=r"^language: .* takes the place of model"):
        InContextClassifier("runs/mine", language=lm).fit(TABLE, LABELS)
    with pytest.raises(ValueError, match=r"^source: nothing at no-such-model"):
        InContextClassifier(language="no-such-model").fit(TABLE, LABELS)
    with pytest.raises(ValueError, match=r"^n_estimators: "):
        InContextClassifier(language=lm, n_estimators=0).fit(TABLE, LABELS)
    with pytest.raises(ValueError, match=r"^y: expected 4 labels"):
        LanguageRows(lm, TABLE, LABELS[:3])


def test_what_costs_long_is_said_before_it_is_done(lm, monkeypatch):
    monkeypatch.setattr(language_rows, "COSTLY_SECONDS", 0.0)
    found = InContextClassifier(language=lm).fit(TABLE, ["x  y", "x y"] * 2)
    with pytest.warns(LanguageWarning) as told:
        found.predict_proba(TABLE)
    texts = [str(one.message) for one in told]
    assert "letters stand for" in texts[0]
    assert "A for 'x  y', B for 'x y'" in texts[0]
    assert "tokens, about" in texts[1]


def test_many_rows_are_calibrated_by_one_that_says_nothing(lm, monkeypatch):
    monkeypatch.setattr(language_rows, "CALIBRATED_ROWS", 3)
    assert LanguageRows(lm, TABLE, LABELS)._reader.calibration == "content-free"
    monkeypatch.setattr(language_rows, "CALIBRATED_ROWS", 4)
    assert LanguageRows(lm, TABLE, LABELS)._reader.calibration == "leave-one-out"


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    TABLE.assign(way=LABELS, price=[1.25, 2.5, 8.75, 4.5]).to_csv("known.csv", index=False)
    TABLE[:2].assign(way=LABELS[:2], price=[3.5, 2.0]).to_csv("new.csv", index=False)


def predict(*arguments, target="way"):
    return main(["predict", "--context", "known.csv", "--target", target, "--query", "new.csv", *arguments])


def test_the_command_reads_text(files, folder, capsys):
    assert predict("--language", str(folder), "--only", "text", "--keep", "text") == 0
    out, err = capsys.readouterr()
    table = pd.read_csv(io.StringIO(out))
    assert list(table.columns) == ["row", "text", "prediction", "p(down)", "p(up)"]
    python = InContextClassifier(language=folder).fit(TABLE[["text"]], LABELS)
    python._told = LanguageRows(folder, TABLE[["text"]], LABELS, target="way")
    assert np.allclose(table[["p(down)", "p(up)"]], python.predict_proba(TABLE[["text"]][:2]), atol=1e-5)
    assert "reads it: 'text: a b'" in err
    assert err.index("tokens, about") < err.index("of the 2 rows whose way is known")


@pytest.mark.parametrize(
    ("arguments", "target", "words"),
    [
        (["--model", "runs/mine"], "way", "--language: a language model reads rows as text, which --model is not for"),
        (["--explain"], "way", "which --explain is not for"),
        (["--columns-out", "c.json"], "way", "which --columns-out is not for"),
        ([], "price", "--language: a language model names classes, and the target price is a number"),
    ],
)
def test_the_command_refuses_what_does_not_go_together(files, folder, arguments, target, words, capsys):
    assert predict("--language", str(folder), *arguments, target=target) == 2
    assert words in capsys.readouterr().err


def test_without_the_option_nothing_of_language_is_imported(files):
    code = (
        "import sys; from ctxlearn.cli import main;"
        "assert main(['predict', '--context', 'known.csv', '--target', 'way', '--query', 'new.csv', '--only', 'size', '--out', 'o.csv']) == 0;"
        "print([m for m in sys.modules if m.startswith(('transformers', 'ctxlearn.language', 'sklearn'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
