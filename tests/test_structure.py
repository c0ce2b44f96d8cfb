import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ctxlearn

SOURCE = Path(ctxlearn.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))

FLOORS = [
    {
        *(
            "atomic",
            "checks",
            "colours",
            "configurable",
            "escaping",
            "lazy",
            "moved",
            "pictures",
            "plain_data",
            "progress",
            "seeding",
            "source_code",
            "storage",
            "threads",
            "tree",
        ),
        "trust",
    },
    {"episodes", "tables"},
    {"tasks", "learners"},
    {"bayes"},
    {"baselines"},
    {"references", "expressiveness", "testing"},
    {"training", "onnx_file"},
    {"inner_loop"},
    {"evaluation"},
    {"identification", "language"},
    {"estimators"},
    {"real_tables"},
    {"jobs"},
    {"lab"},
    {"studies"},
    {"cli", "playground", "__main__"},
]
"""Each room may import what stands above it here, and itself; rooms of the ground floor may import each other."""


def module_name(path):
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path, *, at_run_time_only=False):
    """The ctxlearn modules that a file imports."""
    tree = ast.parse(path.read_text())
    skipped = set()
    for node in ast.walk(tree):
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        inside = at_run_time_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if typing_only or inside:
            skipped |= {id(child) for child in ast.walk(node)}
    names = {module_name(p) for p in FILES}
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                found.add(submodule if submodule in names else node.module)
    return {name for name in found if name.split(".")[0] == "ctxlearn"}


def room(name):
    return [*name.split("."), ""][1]


def floor(name):
    for number, rooms in enumerate(FLOORS):
        if room(name) in rooms:
            return number
    raise AssertionError(f"{name} stands in no room of docs/design.md: add it to FLOORS")


@pytest.mark.parametrize("path", [p for p in FILES if p != SOURCE / "__init__.py"], ids=module_name)
def test_imports_go_down_only(path):
    own = module_name(path)
    for other in imported(path) - {"ctxlearn"}:
        if room(other) == room(own):
            continue
        lower = floor(other) < floor(own) or floor(other) == floor(own) == 0
        beside = floor(other) == floor(own) and {room(own), room(other)} != {"tasks", "learners"}
        assert lower or beside, f"{own} imports {other}"


def test_there_are_no_import_cycles():
    graph = {module_name(p): imported(p, at_run_time_only=True) for p in FILES}
    done, path = set(), []

    def visit(name):
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name in done:
            return
        path.append(name)
        for other in sorted(graph.get(name, set()) - {name}):
            if not name.startswith(f"{other}."):  # a package's own module is loaded after the package has begun
                visit(other)
        path.pop()
        done.add(name)

    for name in sorted(graph):
        visit(name)


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_no_file_is_too_long(path):
    assert len(path.read_text().splitlines()) <= (350 if room(module_name(path)) in ("lab", "studies") else 400)


LATER_STUDIES = ("language", "beyond", "architectures")
CLUSTER = ("shared_store", "ray_cluster", "places")
"""Files of the room of jobs that came with stores that machines share, and with Ray."""


def test_the_lab_and_its_studies_do_not_grow():
    lines: dict[str, int] = {}
    for path in FILES:
        name = module_name(path)
        if room(name) in ("lab", "studies", "jobs"):
            study = next((study for study in LATER_STUDIES if name.startswith(f"ctxlearn.studies.{study}")), None)
            place = study or ("jobs" if room(name) == "jobs" else "lab")
            place = "cluster" if place == "jobs" and name.rpartition(".")[2] in CLUSTER else place
            lines[place] = lines.get(place, 0) + len(path.read_text().splitlines())
    assert lines.pop("lab") <= 6_500  # with the ten first studies
    assert lines.pop("jobs") <= 1_250
    assert max(lines.values()) <= 650


@pytest.mark.parametrize("name", sorted({room(module_name(p)) for p in FILES} - {"", "__main__"}))
def test_every_public_name_is_there(name):
    module = __import__(f"ctxlearn.{name}", fromlist=["*"])
    for public in getattr(module, "__all__", []):
        assert getattr(module, public) is not None


def test_the_public_names_of_the_package_are_there():
    for name in ctxlearn.__all__:
        assert getattr(ctxlearn, name) is not None
        assert name in dir(ctxlearn)
    with pytest.raises(AttributeError, match="no attribute 'transform'"):
        ctxlearn.transform  # noqa: B018


def test_importing_the_package_loads_neither_torch_nor_anything_slow():
    code = "import sys, ctxlearn; print([m for m in ('torch', 'pandas', 'matplotlib', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_is_unpickled_and_no_random_state_is_global():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
                assert not {"pickle", "random", "cloudpickle", "joblib"} & set(names), path
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("torch.load", "torch.save", "torch.manual_seed", "np.random.seed"), (path, called)
                assert not called.startswith(("np.random.rand", "np.random.normal", "np.random.choice")), (path, called)
