"""`python -m ctxlearn` is the command `ctxlearn`."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path and sys.path:
        sys.path.append(
            sys.path.pop(0)
        )  # the current folder, which Python puts first: no file there may hide a library
    from ctxlearn.cli import main

    sys.exit(main())
