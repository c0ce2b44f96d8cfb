"""A worker process: `python -m ctxlearn.jobs.worker`.

A job is one line of JSON on the standard input, the answer one line of JSON on the standard output. When the input ends,
because the study is done or was killed, the process ends at once: what was written by then stands.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import sys
import threading

from ctxlearn.jobs.job import run_job


def serve() -> None:
    """Do what the standard input names, until it ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever else is printed must not mix with the answers
    asked: queue.Queue[str] = queue.Queue()

    def listen() -> None:
        for line in sys.stdin:
            asked.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        error = None
        try:
            given = json.loads(asked.get())
            for module in given["job"]["modules"]:  # the study's own, which the one who runs it has imported too
                importlib.import_module(module)
            run_job(given["job"], given["threads"])
        except Exception as failure:  # reported to the study, which names the job and stops
            error = f"{type(failure).__name__}: {failure}"
        print(json.dumps({"error": error}), file=answers, flush=True)


if __name__ == "__main__":
    serve()
