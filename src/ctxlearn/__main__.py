"""`python -m ctxlearn` is the command `ctxlearn`."""

import sys

from ctxlearn.cli import main

if __name__ == "__main__":
    sys.exit(main())
