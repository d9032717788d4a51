from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.http_processes import Process, running_redis, sandbox_api
from tests.ways import WAYS, Serve, Servers, serving


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that uses `serve` runs in every way."""
    if "serve" in metafunc.fixturenames:
        metafunc.parametrize("way", WAYS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test, or one of its parameters, that is marked `only(*ways, because=...)` runs in those."""
    items[:] = [i for i in items if all(_way(i) in m.args and m.kwargs["because"] for m in i.iter_markers("only"))]


def _way(item: pytest.Item) -> str:
    assert isinstance(item, pytest.Function)
    return str(item.callspec.params["way"])


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    made = Servers()
    yield made
    made.close()


@pytest.fixture(scope="module", autouse=True)
def _fresh(servers: Servers) -> None:
    servers.fresh()


@pytest.fixture
def serve(way: str, servers: Servers) -> Serve:
    """`async with serve("--sandbox") as agent:` serves with these options in the test's way, and connects."""
    return serving(way, servers)


@pytest.fixture(scope="module")
def api() -> Iterator[Process]:
    """A practice workspace of the module's own, as an API in a process of its own."""
    with sandbox_api() as process:
        yield process


@pytest.fixture(scope="module")
def shared() -> Iterator[str]:
    """Where a Redis of the module's own is. Skips the test where none is installed."""
    with running_redis() as redis:
        yield redis.url
