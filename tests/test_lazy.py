"""Imports when first used, and without Python's collector."""

import gc
import subprocess
import sys

import pytest

import ctxlearn
from ctxlearn import estimators, studies, training
from ctxlearn.lazy import collector_paused, names_from


def test_names_come_from_their_homes_and_others_are_refused():
    find = names_from("collections", {"OrderedDict": "collections"}, ["abc"])
    assert find("OrderedDict").__name__ == "OrderedDict"
    assert find("abc").__name__ == "collections.abc"
    with pytest.raises(AttributeError, match="module 'collections' has no attribute 'Ordered'"):
        find("Ordered")


@pytest.mark.parametrize("package", [ctxlearn, estimators, studies, training])
def test_every_public_name_has_a_home_and_every_home_is_public(package):
    rooms = set(getattr(package, "_ROOMS", ()))
    assert set(package._HOMES) | rooms == set(package.__all__)
    for name, home in package._HOMES.items():
        found = getattr(package, name)
        assert getattr(found, "__module__", home).split(".")[0] == "ctxlearn"


def fail_to_import():
    with collector_paused():
        raise ImportError


def test_the_collector_is_as_it_was_found():
    for on in (True, False):
        (gc.enable if on else gc.disable)()
        try:
            with collector_paused():
                assert not gc.isenabled()
            assert gc.isenabled() == on
            with pytest.raises(ImportError):
                fail_to_import()
            assert gc.isenabled() == on
        finally:
            gc.enable()
    frozen = gc.get_freeze_count()
    with collector_paused():
        pass
    assert gc.get_freeze_count() == frozen  # nothing new came


def test_what_is_imported_is_left_to_no_later_search():
    code = (
        "import gc\nfrom ctxlearn.lazy import collector_paused\n"
        "with collector_paused():\n    import decimal, json, email.message\nprint(gc.get_freeze_count() > 100)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
