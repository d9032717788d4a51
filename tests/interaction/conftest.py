from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ways import WAYS, Serve, Servers, serving


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that uses `serve` runs in every way, or in those of its mark `only(*ways, because=...)`."""
    if "serve" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("only")
        assert mark is None or mark.kwargs["because"], "say why"
        metafunc.parametrize("way", mark.args if mark else WAYS)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    made = Servers()
    yield made
    made.close()


@pytest.fixture(scope="module")
def fresh(servers: Servers) -> None:
    servers.fresh()


@pytest.fixture
def serve(way: str, servers: Servers, fresh: None) -> Serve:
    """`async with serve("--sandbox") as agent:` serves with these options in the test's way, and connects."""
    return serving(way, servers)
