"""What the pages say is so: their code runs, their commands exist, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

import xpmd as md

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "examples/*/README.md")
    for page in ROOT.glob(pattern)
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Return the code of a page in a language, each block on the lines it has in the page."""
    text = read(page)
    return [
        "\n" * (text[: found.start()].count("\n") + 1) + found[2]
        for found in BLOCK.finditer(text)
        if found[1] == language
    ]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*):", read("Makefile"), re.MULTILINE))


def project() -> Any:
    return tomllib.loads(read("pyproject.toml"))["project"]


@pytest.fixture(scope="module")
def commands_of_xpmd() -> set[str]:
    from xpmd.commands.app import app

    return {command.name for command in app.registered_commands if command.name is not None}


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_the_python_code_of_a_page_runs_in_order(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page, "python"):
        exec(compile(block, page, "exec", dont_inherit=True), names)
    if page == "README.md":
        assert abs(float(names["value"])) < 0.1
        assert 0.0 < abs(float(names["gradient"])) < 100.0


def check_command(words: list[str], commands_of_xpmd: set[str]) -> None:
    """Assert that a command and what it names exist."""
    line = " ".join(words)
    match words:
        case ["make", target]:
            assert target in make_targets(), line
        case ["pip", "install", *_, what]:
            for extra in re.findall(r"[\w-]+", "".join(re.findall(r"\[(.*)\]", what))):
                assert extra in project()["optional-dependencies"], line
        case ["xpmd", command, *_]:
            assert command in commands_of_xpmd, line
        case ["python", script, *_]:
            assert (ROOT / script).is_file(), line
        case ["pytest", *arguments]:
            settings = tomllib.loads(read("pyproject.toml"))["tool"]["pytest"]["ini_options"]
            for option, value in zip(["", *arguments], arguments, strict=False):
                if option == "-m":
                    assert value in {each.partition(":")[0] for each in settings["markers"]}, line
                elif not value.startswith("-"):
                    assert (ROOT / value).exists(), line
        case _:
            pytest.fail(f"unknown command: {line}")


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist(page: str, commands_of_xpmd: set[str]) -> None:
    for block in blocks(page, "shell"):
        for line in block.strip().splitlines():
            words = [
                word for word in shlex.split(line, comments=True) if not re.match(r"\w+=", word)
            ]
            check_command(words, commands_of_xpmd)
    for target in re.findall(r"(?:^|`|; )\s*make ([a-z][\w-]*)", read(page), re.MULTILINE):
        assert target in make_targets(), f"make {target}"
    for command in re.findall(r"`xpmd ([a-z][\w-]*)", read(page)):
        assert command in commands_of_xpmd, f"xpmd {command}"


@pytest.mark.parametrize("page", PAGES)
def test_links_and_files_that_are_named_exist(page: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", read(page)):
        if re.match(r"https?://", link):
            continue
        target, _, heading = link.partition("#")
        place = (ROOT / page).parent / target if target else ROOT / page
        assert place.exists(), link
        if heading:
            headings = re.findall(r"^#+ (.*)$", place.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings]
            assert heading in anchors, link
    for name in re.findall(
        r"`((?:core|plugins|backends|tests|docs|examples)/[\w/.-]*)`", read(page)
    ):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", PAGES)
def test_pages_know_no_machine(page: str) -> None:
    rooted = re.findall(r"(?:^|[\s`'\"(=])(/(?:[\w.-]+/)+[\w.-]*|[A-Z]:\\)", read(page))
    assert rooted == []
    assert re.findall(r"\b(?:TODO|FIXME|XXX)\b", read(page)) == []


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_short(page: str) -> None:
    most = {"CONTRIBUTING.md": 60, "CHANGELOG.md": 1000}.get(page, 150)
    assert len(read(page).splitlines()) < most


def test_pictures_are_small() -> None:
    pictures = sorted((ROOT / "docs" / "images").iterdir())
    shown = "".join(read(page) for page in PAGES)
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < 100_000, picture.name
        assert picture.name in shown, f"{picture.name} is not shown on any page"


def test_the_table_of_backends_is_complete() -> None:
    rows = re.findall(
        r"^\| (\w+) \| `[\w.]+`, ([\d.]+) and later \|", read("README.md"), re.MULTILINE
    )
    shipped = {each.name for each in md.plugins.list("backend") if each.distribution == "xpmd"}
    assert {name for name, _ in rows} == shipped
    optional = project()["optional-dependencies"].values()
    needed = [*project()["dependencies"], *(need for group in optional for need in group)]
    for name, oldest in rows:
        versions = [
            re.split(">=", need)[1] for need in needed if re.match(rf"{name}(-cuda\w+)?>=", need)
        ]
        assert versions, name
        assert set(versions) == {oldest}


def test_every_page_of_the_documentation_is_linked_from_its_index() -> None:
    linked = set(re.findall(r"\]\((\w+\.md)\)", read("docs/README.md")))
    assert linked == {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
