"""Classes named on a command line or in a YAML file: found, or an error that names place, key and nearest name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ActionConfigFile, ArgumentError, ArgumentParser  # type: ignore[attr-defined]

from ctxlearn.cli.parsing import UsageError, explain, nearest, shown
from ctxlearn.plain_data import from_yaml


class Given:
    """What the user gave, as far as it is needed to say where an error lies.

    jsonargparse does the parsing; its errors about classes do not name the file, the missing method or the nearest
    name, so files and options are looked through here before.

    Args:
        bases: option -> base class of the classes it takes.
        keys: every key that a file may have on its top level, with the keys below it (empty: anything).
    """

    def __init__(self, bases: Mapping[str, type], keys: Mapping[str, Sequence[str]]) -> None:
        self.bases, self.keys = dict(bases), dict(keys)
        self.files: list[tuple[str, dict[str, Any]]] = []
        self.options: dict[str, str] = {}

    def add_config_option(self, parser: ArgumentParser) -> None:
        """Add --config (and with it --print_config)."""
        given = self

        class ConfigFile(ActionConfigFile):
            def __call__(self, parser: Any, cfg: Any, values: Any, option_string: str | None = None) -> None:
                given.read_file(values)
                try:
                    super().__call__(parser, cfg, values, option_string)  # type: ignore[no-untyped-call]
                except (TypeError, ValueError, KeyError, ArgumentError) as error:
                    raise UsageError(f"{values}: {explain(str(error), parser)}") from error

        parser.add_argument(
            "--config",
            action=ConfigFile,
            metavar="FILE",
            help="YAML file with any of these options; later ones override earlier ones",
        )

    def read_file(self, name: str) -> None:
        """Look through a YAML file."""
        path = Path(name)
        if not path.is_file():
            near = (
                nearest(path.name, [p.name for p in path.parent.glob("*") if p.is_file()])
                if path.parent.is_dir()
                else ""
            )
            raise UsageError(f"--config: there is no file {name}{near}")
        try:
            tree = from_yaml(path.read_text(encoding="utf-8"))
        except yaml.MarkedYAMLError as error:
            place = (
                f", line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
                if error.problem_mark
                else ""
            )
            raise UsageError(f"{name}{place}: not YAML: {error.problem}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UsageError(f"{name}: not YAML: {error}") from error
        except ValueError as error:
            raise UsageError(f"{name}: {error}") from error
        if not isinstance(tree, dict):
            raise UsageError(f"{name}: expected keys ({shown(self.keys)}), got {type(tree).__name__}")
        for key, value in tree.items():
            self._check_key(key, self.keys, f"{name}: {key}")
            if key in self.bases and value is not None:
                self._check_class(value, self.bases[key], f"{name}: {key}")
            elif self.keys[key] and isinstance(value, dict):
                for below in value:
                    self._check_key(below, self.keys[key], f"{name}: {key}.{below}")
            elif self.keys[key] and value is not None:
                raise UsageError(f"{name}: {key}: expected keys ({shown(self.keys[key])}), got {value!r}")
        self.files.append((name, tree))

    def read_options(self, arguments: Sequence[str]) -> None:
        """Look through the options that name classes or arguments of classes."""
        for name, value in _options(arguments):
            self.options[name] = value
            if name in self.bases:
                self._check_class(_loaded(value), self.bases[name], f"--{name}")

    def check_class_options(self) -> None:
        """Refuse options --family.KEY whose class takes no such argument; to be called when the files were read."""
        for name in self.options:
            slot, _, key = name.partition(".")
            if slot in self.bases and key and key.split(".")[0] not in ("help", "class_path", "init_args"):
                cls = self._class_of(slot)
                if cls is not None:
                    self._check_key(key.split(".")[0], _arguments(cls), f"--{name}", cls.__name__)

    def place(self, slot: str, message: str) -> str:
        """`message`, which begins with the name of an argument of the thing in `slot`, with where that was given."""
        name, colon, _ = message.partition(":")
        name = name.split("[")[0]
        if not colon or not name.isidentifier():
            return f"{slot}: {message}"
        if f"{slot}.{name}" in self.options:
            return f"--{slot}.{message}"
        for file, tree in reversed(self.files):
            part = tree.get(slot)
            if isinstance(part, dict) and (name in part or name in (part.get("init_args") or {})):
                return f"{file}: {slot}.{message}"
        return f"{slot}.{message}"

    def _class_of(self, slot: str) -> type | None:
        value = _loaded(self.options[slot]) if slot in self.options else None
        for _, tree in self.files:
            value = tree.get(slot) if value is None else value
        path = value.get("class_path") if isinstance(value, dict) else value
        return find_class(path, self.bases[slot], slot) if isinstance(path, str) else None

    def _check_key(self, key: object, known: Mapping[str, Any] | Sequence[str], place: str, of: str = "") -> None:
        if key not in known:
            owner = f" of {of}" if of else ""
            raise UsageError(f"{place}: unknown key{owner}{nearest(str(key), known) or ';'} known: {shown(known)}")

    def _check_class(self, value: Any, base: type, place: str) -> None:
        from ctxlearn.configurable import Configurable

        if isinstance(value, str):
            find_class(value, base, place)
            return
        if not isinstance(value, dict):
            raise UsageError(
                f"{place}: expected a {base.__name__} (a name, an import path, or class_path and init_args), got {value!r}"
            )
        for key in value:
            self._check_key(key, ("class_path", "init_args"), f"{place}.{key}")
        if "class_path" not in value:  # arguments alone, for a class named elsewhere
            return
        cls = find_class(value["class_path"], base, f"{place}.class_path")
        given = value.get("init_args") or {}
        if not isinstance(given, dict):
            raise UsageError(f"{place}.init_args: expected the arguments of {cls.__name__} by name, got {given!r}")
        for key, below in given.items():
            self._check_key(key, _arguments(cls), f"{place}.init_args.{key}", cls.__name__)
            for part in below if isinstance(below, list) else [below]:
                path = part.get("class_path") if isinstance(part, dict) else None
                # an unknown short name is left to jsonargparse, which knows what base is wanted here
                if isinstance(path, str) and ("." in path or path in _short(Configurable)):
                    self._check_class(part, object if "." in path else Configurable, f"{place}.init_args.{key}")


def find_class(path: object, base: type, place: str) -> type:
    """The class with a short name, or at an import path, that can be constructed as a `base`.

    Raises:
        UsageError: there is none; it is of another kind; or it lacks methods, which are named.
    """
    if not isinstance(path, str):
        raise UsageError(f"{place}: expected the name or import path of a class, got {path!r}")
    if not all(part.isidentifier() for part in path.split(".")):
        raise UsageError(
            f"{place}: expected the name of a {base.__name__}, or an import path (module.Class), got {path!r}"
        )
    if "." in path:
        cls = _imported(path, place)
    else:
        known = _short(base)
        usable = sorted(name for name, c in known.items() if _is_public(c) and not inspect.isabstract(c))
        if path not in known:
            raise UsageError(
                f"{place}: no {base.__name__} is called {path}{nearest(path, usable) or ';'} known: {', '.join(usable)},"
                " or the import path of your own, module.Class"
            )
        cls = known[path]
    if not issubclass(cls, base):
        raise UsageError(f"{place}: {path} is not a {base.__name__}; derive it from {_public_path(base)}")
    lacking: Any = sorted(getattr(cls, "__abstractmethods__", ()))
    if lacking:
        method = "the method" if len(lacking) == 1 else "the methods"
        raise UsageError(f"{place}: {path} lacks {method} {' and '.join(lacking)}, which a {base.__name__} must have")
    return cls


def _imported(path: str, place: str) -> type:
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # of whatever kind a user's module raises
        if isinstance(error, ModuleNotFoundError) and error.name and f"{module_name}.".startswith(f"{error.name}."):
            near = nearest(error.name, [p.stem for p in Path().glob("*.py")])
            raise UsageError(f"{place}: there is no module {error.name}, in this folder or installed{near}") from error
        what = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
        raise UsageError(f"{place}: the module {module_name} cannot be imported: {what}{error}") from error
    found = getattr(module, name, None)
    if not isinstance(found, type):
        known = [
            n for n, value in vars(module).items() if isinstance(value, type) and value.__module__ == module.__name__
        ]
        raise UsageError(f"{place}: the module {module_name} has no class {name}{nearest(name, known)}")
    return found


def _short(base: type) -> dict[str, type]:
    """Classes that have been imported and descend from `base`, by their short names."""
    found: dict[str, type] = {} if base.__name__.startswith("_") else {base.__name__: base}
    cls: type
    for cls in base.__subclasses__():
        found |= _short(cls)
    return found


def _is_public(cls: type) -> bool:
    """Whether a room of the library names the class: a study's own, which may have been imported, is not offered."""
    package, room = [*cls.__module__.split("."), ""][:2]
    return package == "ctxlearn" and cls.__name__ in getattr(
        importlib.import_module(f"{package}.{room}"), "__all__", ()
    )


def _public_path(base: type) -> str:
    room = ".".join(base.__module__.split(".")[:2])
    return f"{room}.{base.__name__}"


def _arguments(cls: type) -> list[str]:
    """Names of the arguments of a class; of those of its bases too where it passes on **arguments."""
    names: list[str] = []
    for owner in cls.__mro__:
        if "__init__" not in vars(owner):
            continue
        parameters = list(inspect.signature(vars(owner)["__init__"]).parameters.values())[1:]
        names += [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return names


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Options and their values, as --key value or --key=value."""
    for k, word in enumerate(arguments):
        if word == "--":
            return
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if not equals:
                value = arguments[k + 1] if k + 1 < len(arguments) else ""
            yield name.removesuffix("+").replace(".init_args.", ".").removesuffix(".class_path"), value


def _loaded(value: str) -> Any:
    try:
        return from_yaml(value)
    except yaml.YAMLError:
        return value
    except ValueError as error:
        raise UsageError(f"{value[:40]!r}...: {error}") from error
