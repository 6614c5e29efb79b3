"""A check is one thing that must hold of a component; a report is what came of several."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from unittest import SkipTest

from xpmd.errors import XpmdError

#: More checks than this that were not made on a backend are counted.
_MOST_NAMES = 5


class ConformanceError(XpmdError, AssertionError):
    """A component does not do what its contract says.

    Attributes:
        report: what failed, held and was not run, where several checks were made.
    """

    def __init__(self, message: str, *, report: Report | None = None) -> None:
        super().__init__(message)
        self.report = report


@dataclass(frozen=True)
class Check:
    """One check, called without arguments; pytest takes its name for the name of the test.

    It raises `ConformanceError` where the component is wrong, whatever the component itself raises,
    and `unittest.SkipTest`, which pytest counts as skipped, where it cannot be made here.

    Attributes:
        name: what is checked, with the backend where it is checked on one: "forces-torch".
        run: the check itself.
        exemption: why it is known not to hold, else `None`.
    """

    name: str
    run: Callable[[], None]
    exemption: str | None = None

    @property
    def __name__(self) -> str:
        return self.name

    def __str__(self) -> str:
        return self.name

    def __call__(self) -> None:
        if self.exemption is None:
            self.run()
            return
        try:
            self.run()
        except SkipTest:
            raise
        except Exception as error:
            raise SkipTest(f"exempt: {self.exemption}") from error
        raise ConformanceError(
            f"`exempt` names '{self.name}' ({self.exemption}), and it holds: drop the exemption."
        )


@dataclass(frozen=True)
class Report:
    """What came of the checks of a component.

    Attributes:
        subject: the component, in a word.
        passed: names of the checks that hold.
        skipped: why each of the others was not made, by name.
        failed: what each of the rest raised, by name.
    """

    subject: str
    passed: Sequence[str]
    skipped: Mapping[str, str]
    failed: Mapping[str, Exception] = field(default_factory=dict)

    def __str__(self) -> str:
        made = len(self.passed) + len(self.failed)
        if self.failed:
            lines = [f"{self.subject} failed {len(self.failed)} of {made} checks:"]
        else:
            lines = [f"{self.subject} passed {made} checks."]
        lines += _grouped({name: _words(error) for name, error in self.failed.items()})
        if self.skipped:
            lines += ["Not made:", *_grouped(self.skipped, count=True)]
        return "\n".join(lines)

    __repr__ = __str__


def run_checks(subject: str, checks: Iterable[Check]) -> Report:
    """Make every check, whatever comes of the others, and return the report.

    Raises:
        ConformanceError: any of them failed; the message lists them all.
    """
    passed: list[str] = []
    skipped: dict[str, str] = {}
    failed: dict[str, Exception] = {}
    for check in checks:
        try:
            check()
        except SkipTest as reason:
            skipped[check.name] = str(reason)
        except Exception as error:
            failed[check.name] = error
        else:
            passed.append(check.name)
    report = Report(subject, tuple(passed), skipped, failed)
    if failed:
        raise ConformanceError(str(report), report=report) from next(iter(failed.values()))
    return report


def with_exemptions(checks: Sequence[Check], exempt: Mapping[str, str] | None) -> list[Check]:
    """Mark the checks that are known not to hold.

    Args:
        exempt: the reason by name, either of one check ("forces-torch") or without the backend.

    Raises:
        ValueError: there is no check of that name, or no reason is given.
    """
    reasons = dict(exempt or {})
    bases = {check.name: check.name.partition("-")[0] for check in checks}
    known = sorted({*bases, *bases.values()})
    for name, reason in reasons.items():
        if name not in known:
            close = difflib.get_close_matches(name, known)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            raise ValueError(
                f"`exempt` names '{name}', and there is no such check.{hint} Known: "
                f"{', '.join(sorted(set(bases.values())))}, each also with '-' and a backend."
            )
        if not (isinstance(reason, str) and reason.strip()):
            raise ValueError(f"`exempt['{name}']` = {reason!r} must say why the check cannot hold.")
    return [
        Check(check.name, check.run, reasons.get(check.name, reasons.get(bases[check.name])))
        for check in checks
    ]


def _words(error: Exception) -> str:
    if isinstance(error, ConformanceError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _grouped(messages: Mapping[str, str], *, count: bool = False) -> list[str]:
    """Return a line a message, with the names that share it before it, or how many they are."""
    names: dict[str, list[str]] = {}
    for name, message in messages.items():
        names.setdefault(message, []).append(name)
    lines = []
    for message, found in names.items():
        backends = {name.partition("-")[2] for name in found}
        words = ", ".join(found)
        if count and len(found) > _MOST_NAMES and len(backends) == 1 and "" not in backends:
            words = f"{len(found)} checks on {backends.pop()}"
        lines.append(f"  {words}: {message}")
    return lines
