"""`xpmd new-plugin`: a package of your own, ready to install, with the test it has to pass."""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from xpmd import __version__
from xpmd.hookspecs import API, KINDS

#: Kinds there is a template for.
KINDS_WITH_TEMPLATE = (
    "interaction",
    "simulator",
    "thermostat",
    "neighbor_finder",
    "observable",
    "reporter",
)

_FILES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "${package}/__init__.py": "init.py",
    "${package}/py.typed": None,
    "${package}/components.py": "components.py",
    "${package}/${module}.py": "${kind}.py",
    "tests/test_${module}.py": "test_${kind}.py",
}


def new_plugin(
    name: Annotated[str, typer.Argument(help="What it is called, such as Morse or soft-core.")],
    kind: Annotated[
        str, typer.Option(help=f"One of {', '.join(KINDS_WITH_TEMPLATE)}.")
    ] = "interaction",
    into: Annotated[Path, typer.Option(help="The folder to write the package into.")] = Path(),
) -> None:
    """Write a package with one component, its entry point and its tests."""
    if kind not in KINDS_WITH_TEMPLATE:
        known = "is no kind of component" if kind not in KINDS else "has no template"
        raise typer.BadParameter(
            f"'{kind}' {known}. Possible: {', '.join(KINDS_WITH_TEMPLATE)}.", param_hint="--kind"
        )
    words = words_in(name)
    folder = into / f"xpmd-{'-'.join(words)}"
    if folder.exists():
        raise typer.BadParameter(f"{folder} exists already.", param_hint="NAME")
    for path, text in package(words, kind).items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    typer.echo(
        f"Wrote {folder}. Next:\n"
        f"  pip install -e {folder}\n"
        f"  pytest {folder}\n"
        f"  xpmd plugins --kind {kind}"
    )


def words_in(name: str) -> list[str]:
    """Return the words of a name in lower case: SoftCore, soft-core and xpmd_soft_core are the same.

    Raises:
        typer.BadParameter: no Python name can be made of it.
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    words = [word for word in re.split(r"[-_\s]+", parted.lower()) if word]
    if words[:1] == ["xpmd"]:
        words = words[1:]
    module = "_".join(words)
    if not (module.isascii() and module.isidentifier()) or keyword.iskeyword(module):
        raise typer.BadParameter(
            f"'{name}' must be words of letters and digits, such as Morse or soft-core.",
            param_hint="NAME",
        )
    return words


def package(words: list[str], kind: str) -> dict[str, str]:
    """Return the texts of a package's files by their place in it."""
    values = {
        "api": f"({API[0]}, {API[1]})",
        "class_name": "".join(word[0].upper() + word[1:] for word in words),
        "distribution": f"xpmd-{'-'.join(words)}",
        "kind": kind,
        "module": "_".join(words),
        "package": f"xpmd_{'_'.join(words)}",
        "version": __version__,
    }
    # A function is named as one.
    values["component"] = values["module" if kind == "observable" else "class_name"]
    templates = files("xpmd.commands") / "templates"
    texts = {}
    for place, source in _FILES.items():
        text = ""
        if source is not None:
            text = (templates / f"{Template(source).substitute(values)}.txt").read_text("utf-8")
        texts[Template(place).substitute(values)] = Template(text).substitute(values)
    return texts
