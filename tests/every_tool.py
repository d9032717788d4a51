"""Rules that every tool keeps: one test a rule, since 582 tests of a millisecond cost more to collect and report than to run."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from trustpager_mcp.catalog import default_catalog


def of_every_tool(rule: Callable[[str], None]) -> Callable[[], None]:
    """A test that holds `rule` against every tool by name and names all that break it, with what they break."""

    @wraps(rule)
    def test() -> None:
        broken: dict[str, str] = {}
        for name in sorted(default_catalog().tools):
            try:
                rule(name)
            except Exception as error:
                broken[name] = f"{type(error).__name__}: {error}"
        told = "\n\n".join(f"{name}: {why}" for name, why in broken.items())
        assert not broken, f"{len(broken)} tools break the rule\n{told}"

    # Else pytest sees the rule's argument through `wraps`, and looks for a fixture.
    del test.__wrapped__  # type: ignore[attr-defined]
    return test
