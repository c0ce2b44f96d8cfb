"""What a prediction costs from the shell, beside an import of torch; and what a context costs as it grows."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

ROWS = (1000, 2000, 5000, 10000)
COMMANDS = {
    "python that imports torch": ["-c", "import torch"],
    "python that imports torch and pandas": ["-c", "import torch, pandas"],
    "python that imports torch, pandas and sklearn": ["-c", "import torch, pandas, sklearn.base"],
    "ctxlearn predict, two rows from twenty": ["-m", "ctxlearn", "predict", "--context", "context.csv", "--target", "y", "--query", "query.csv"],
}  # fmt: skip
_READ = """
import json, resource, sys, time
import numpy as np
from ctxlearn import InContextClassifier
rng, n = np.random.default_rng(0), int(sys.argv[1])
x = rng.normal(size=(n, 20))
y = np.digitize(x[:, 0] + np.sin(2 * x[:, 1]) * x[:, 2], [-1, 0, 1])
InContextClassifier().fit(x[:50], y[:50]).predict(x[:50])
small, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
classifier = InContextClassifier(max_context=n).fit(x, y)
fitted = time.perf_counter()
classifier.predict(x[:1000])
more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - small
print(json.dumps([fitted - begun, time.perf_counter() - fitted, more / 1024]))
"""


def main() -> None:
    """Print seconds of processor time from the shell, and seconds and megabytes of contexts of 1,000 to 10,000 rows."""
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        table = pd.DataFrame({"a": rng.normal(size=20), "b": rng.choice(["u", "v", "w"], 20)})
        table.assign(y=np.where(table["a"] > 0, "yes", "no")).to_csv(Path(folder) / "context.csv", index=False)
        table[:2].to_csv(Path(folder) / "query.csv", index=False)
        print("\nprocessor time, least of three")
        taken = {name: [processor_time(arguments, folder) for _ in range(3)] for name, arguments in COMMANDS.items()}
    for name, times in taken.items():
        print(
            f"{name}: {min(times):.2f} s, {min(times) / min(taken['python that imports torch']):.2f} imports of torch"
        )
    print("\nclassifier with max_context of all rows, 20 features, 4 classes")
    found = {n: json.loads(subprocess.run([sys.executable, "-c", _READ, str(n)], capture_output=True, check=True).stdout)
             for n in ROWS}  # fmt: skip
    for n, (fit, ask, more) in found.items():
        print(f"{n} rows: fit {fit:.1f} s, 1000 answers {ask:.1f} s, {more:.0f} MB more than a small one;"
              f" {more / n / (found[ROWS[0]][2] / ROWS[0]):.2f} of the memory per row of {ROWS[0]} rows")  # fmt: skip


def processor_time(arguments: list[str], folder: str) -> float:
    """Seconds that a Python with these arguments computes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True, cwd=folder, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
