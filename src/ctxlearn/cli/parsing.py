"""Parsers of all commands, and their errors in one line that says how to mend it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter, Namespace, set_parsing_settings

from ctxlearn.cli.catalogue import KINDS, entries

set_parsing_settings(import_path_denylist=[])  # makes what is denied by default (os, subprocess, ...) an error


class UsageError(Exception):
    """A command line or configuration file that cannot be read."""


class HelpFormatter(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Types and defaults after each option; examples as they are written."""


def new_parser(
    command: str, description: str, epilog: str, *, usage: str | None = None, version: str | None = None
) -> ArgumentParser:
    """A parser of one command, or of the top level where `command` is empty."""
    return ArgumentParser(
        prog=f"ctxlearn {command}".strip(),
        usage=usage,
        description=description,
        epilog=epilog,
        version=version,
        formatter_class=HelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
    )


def parse(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """The parsed arguments.

    Raises:
        UsageError: they cannot be parsed.
    """
    try:
        return parser.parse_args(list(arguments))
    except ArgumentError as error:
        raise UsageError(explain(str(error), parser)) from error


def add_trust_option(parser: ArgumentParser) -> None:
    """Add --trust, which names modules of the user's own that a run may be made of."""
    parser.add_argument(
        "--trust",
        action="append",
        type=str,
        default=[],
        metavar="MODULE",
        help="a module outside ctxlearn of which a run names classes: to load the run imports it, which runs its code; may"
        " be given several times",
    )


def wants_help(arguments: Sequence[str]) -> bool:
    """Whether help is asked for, which needs no classes and thus no torch."""
    return "-h" in arguments or "--help" in arguments


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean NAME?`, or nothing."""
    by_lower = {k.lower(): k for k in known}
    near = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return f"; did you mean {by_lower[near[0]]}?" if near else ""


def choose(kind: str, name: str, known: Iterable[str]) -> str:
    """`name` if it is known.

    Raises:
        UsageError: it is not; the nearest is suggested.
    """
    known = list(known)
    if name in known:
        return name
    raise UsageError(f"unknown {kind} {name!r}{nearest(name, known) or ';'} known: {shown(known)}")


def shown(known: Iterable[str]) -> str:
    """Names in a message: the first dozen."""
    known = list(known)
    return ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")


_NOISE = (
    "Does not validate against any of the Union subtypes",
    "Subtypes:",
    "Errors:",
    "Given value",
    "Expected a <class 'NoneType'>",
    "Problem with given class_path",
)


def explain(message: str, parser: ArgumentParser) -> str:
    """An error message of jsonargparse in one line: the key, what was expected, what came."""
    unknown = re.search(r"unrecognized arguments: (.*)", message)
    if unknown:
        words = unknown[1].split() or [""]
        word = next((w for w in words if w.startswith("-")), words[0]).split("=")[0]
        if not word.startswith("-"):
            return f"unexpected argument {word!r}; {parser.prog} --help shows what is accepted"
        near = nearest(word, [o for o in parser._option_string_actions if o.startswith("--")])
        return f"unknown option {word}{near or ';'} {parser.prog} --help shows all"
    keys, said = [], []
    for line in message.splitlines():
        text = line.strip().removeprefix("- ")
        key = re.match(r'Parser key "(.+?)":\s*', text)
        if key:
            keys.append(key[1])
            text = text[key.end() :]
        if text and not text.startswith(_NOISE):
            said.append(text)
    return ": ".join([*([".".join(keys)] if keys else []), _reworded("; ".join(dict.fromkeys(said)))])


def _reworded(text: str) -> str:
    text = re.sub(r"<class '(?:[\w.]+\.)?(\w+)'>", r"\1", text)
    text = re.sub(r"Expected an? (\w+)\. Got value: ", r"expected \1, got ", text)
    text = re.sub(
        r"Not of type \w+: (\S+) does not conform to restriction v(\S+)", r"expected a number \2, got \1", text
    )
    text = re.sub(r"[Tt]he following arguments are required: ", "missing ", text)
    text = re.sub(r"Option '([^']+)' is not accepted", r"unknown key \1", text)
    text = re.sub(
        r"Importing '([^']+)' is not allowed, denied by the '(\w+)[^']*' entry of .*?to allow it\.",
        r"expected a class, got \1; settings may name nothing of \2",
        text,
    )
    text = re.sub(r"Expected a dot import path string: (\S+)", _no_class, text)
    return re.sub(r"(expected int, got (-?\d+)\.0)$", r"\1 (write \2, without exponent or point)", text)


def _no_class(found: re.Match[str]) -> str:
    return f"there is no class {found[1]}{nearest(found[1], [entry.name for kind in KINDS for entry in entries(kind)])}"
