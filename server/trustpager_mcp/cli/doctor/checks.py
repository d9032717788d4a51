"""What `doctor` finds: checks with a state, one line of text, and the fix where something is amiss."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

State = Literal["ok", "warning", "problem", "skipped"]
_MARKS: dict[State, str] = {"ok": "ok  ", "warning": "warn", "problem": "FAIL", "skipped": "-   "}


@dataclass(frozen=True)
class Check:
    """One finding. `name` and `data` are for programs and documented in docs/operations.md; `text` and `fix` are one line each.

    `problem` means broken, `warning` works but should be looked at, `skipped` does not apply here; both of the first have a fix.
    """

    name: str
    state: State
    text: str
    fix: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


def as_lines(checks: list[Check]) -> list[str]:
    """The findings for a person, fixes below what they mend, and what it comes to."""
    lines = []
    for check in checks:
        lines.append(f"{_MARKS[check.state]} {check.text}")
        if check.fix:
            lines.append(f"     fix: {check.fix}")
    problems, warnings = (sum(c.state == state for c in checks) for state in ("problem", "warning"))
    counts = [f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((problems, "problem"), (warnings, "warning")) if n]
    return [*lines, ", ".join(counts) + "." if counts else "Everything is in place."]


def as_json(checks: list[Check]) -> dict[str, Any]:
    """The findings for a program; `ok` is false when something is broken."""
    return {"ok": sound(checks), "checks": [asdict(check) for check in checks]}


def sound(checks: list[Check]) -> bool:
    """Whether nothing is broken; warnings do not count."""
    return not any(check.state == "problem" for check in checks)
