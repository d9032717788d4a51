"""Several processes behind one address: `--workers N`. To the others each is what a replica is; they share one socket.

The process that was started serves nothing: it binds the socket, starts the workers, passes signals on, and puts a new
worker in the place of one that died. uvicorn's own supervisor runs plain servers, which do not drain as ours do.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType

import uvicorn

from ...app import App
from ...errors import ConfigurationError
from ...search.misses import Misses
from ...settings import Settings
from .logs import set_up_logs
from .options import HttpOptions

_SPAWN = multiprocessing.get_context("spawn")
_NOT_STARTED = 3
"""Exit status of a worker that could not start: the next one could not either. uvicorn's own for the same."""
_LAST_SECONDS = 10.0
"""Time that a worker has beyond its own for draining, before it is killed."""


def check_workers(count: int, settings: Settings, options: HttpOptions) -> HttpOptions:
    """The options for so many workers: the console, which shows one process's calls, is off with several.

    Raises ConfigurationError where several workers could not keep what the server promises.
    """
    if count == 1:
        return options
    if os.name != "posix":
        raise ConfigurationError(f"--workers {count} needs Unix, where processes share a socket; start several servers instead.")
    if settings.sandbox:
        raise ConfigurationError(
            f"--workers {count} with --sandbox would give each worker a practice workspace of its own. Serve one workspace with "
            "`trustpager-mcp sandbox --port 8787` and name it with --base-url http://127.0.0.1:8787/functions/v1/api/v1."
        )
    if not settings.redis:
        raise ConfigurationError(
            f"--workers {count} needs --redis: without it one worker alone would know which results are kept, which writes are "
            "under way, what was spent and which confirmations were used, and a caller's next request may go to another."
        )
    if options.console == "on":
        raise ConfigurationError(
            f"--workers {count} with --console on: the console shows the calls of one process, and the next request may go to "
            "another. Leave one of them out; /metrics counts the calls of all workers."
        )
    return replace(options, console="off")


@dataclass(frozen=True)
class _Orders:
    """All that a worker has to know. It goes through a pipe, so that no secret stands on a command line."""

    settings: Settings
    options: HttpOptions
    record_searches: Path | None
    socket: socket.socket
    lifeline: Connection


def serve_with_workers(app: App, options: HttpOptions, count: int) -> None:
    """Serve with `count` workers until interrupted; all of them drain. Raises ConfigurationError, and SystemExit with 3 when a
    worker cannot start."""
    options = check_workers(count, app.settings, options)
    set_up_logs(options.log_format)
    # A person's yes may come back to another worker than the one that asked.
    settings = replace(app.settings, confirm_secret=app.settings.confirm_secret or secrets.token_urlsafe(32))
    bound = uvicorn.Config("", host=options.host, port=options.port, log_config=None).bind_socket()
    with tempfile.TemporaryDirectory(prefix="trustpager-metrics-") as folder, bound:
        # Read by prometheus_client in the workers: their counts meet in this folder.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        ours, theirs = _SPAWN.Pipe(duplex=False)
        orders = _Orders(settings, options, app.misses.file, bound, ours)
        ended_by = _Supervisor(orders, theirs, count, Path(folder)).run()
    if ended_by is None:
        sys.exit(_NOT_STARTED)
    signal.signal(ended_by, signal.SIG_DFL)
    signal.raise_signal(ended_by)


class _Supervisor:
    """Keeps `count` workers alive until a signal ends them. `lifeline` is never written to: workers see when it closes."""

    def __init__(self, orders: _Orders, lifeline: Connection, count: int, metrics: Path) -> None:
        self._orders, self._lifeline, self._count, self._metrics = orders, lifeline, count, metrics
        self._workers: dict[int, SpawnProcess] = {}

    def run(self) -> signal.Signals | None:
        """The signal that ended it; None when a worker could not start."""
        with _signals() as signals:
            for _ in range(self._count):
                self._start()
            while not signals.received:
                signals.wait(self._workers)
                if not signals.received and not self._replace_the_dead():
                    self._end(signal.SIGTERM, signals)
                    return None
            ended_by = signals.received[0]
            self._end(ended_by, signals)
            return ended_by

    def _start(self) -> None:
        worker = _SPAWN.Process(target=_work, args=(self._orders,), name="trustpager-mcp worker")
        worker.start()
        self._workers[worker.sentinel] = worker

    def _replace_the_dead(self) -> bool:
        """False when one of them could not start at all."""
        for worker in self._collect_the_dead():
            if worker.exitcode == _NOT_STARTED:
                return False
            logging.getLogger(__name__).error("worker %s ended (%s); another takes its place", worker.pid, worker.exitcode)
            self._start()
        return True

    def _collect_the_dead(self) -> list[SpawnProcess]:
        dead = [worker for worker in self._workers.values() if not worker.is_alive()]
        for worker in dead:
            del self._workers[worker.sentinel]
            # What it did still counts; what it was doing does not.
            for gauges in self._metrics.glob(f"gauge_live*_{worker.pid}.db"):
                gauges.unlink()
        return dead

    def _pass_on(self, sent: signal.Signals) -> None:
        for worker in self._workers.values():
            if worker.is_alive() and worker.pid is not None:
                os.kill(worker.pid, sent)

    def _end(self, sent: signal.Signals, signals: _Signals) -> None:
        """Pass a signal on and wait for the workers' ends. Others that come are passed on too; who takes too long is killed."""
        options = self._orders.options
        longest = options.drain_delay_seconds + options.drain_seconds + _LAST_SECONDS
        # Else connections would still be taken when no worker takes them any more.
        self._orders.socket.close()
        passed_on = len(signals.received)
        self._pass_on(sent)
        while self._workers:
            if not signals.wait(self._workers, longest):
                self._pass_on(signal.SIGKILL)
            self._collect_the_dead()
            for another in signals.received[passed_on:]:
                self._pass_on(another)
            passed_on = len(signals.received)


class _Signals:
    """SIGINT and SIGTERM as a list that grows."""

    def __init__(self) -> None:
        self.received: list[signal.Signals] = []
        self._readable, self._writable = os.pipe()

    def note(self, number: int, _frame: FrameType | None) -> None:
        """A signal handler."""
        self.received.append(signal.Signals(number))
        os.write(self._writable, b"!")

    def wait(self, sentinels: Iterable[int], seconds: float | None = None) -> bool:
        """Wait for a signal or for one of the sentinels of processes; false when neither came in time."""
        ready = wait([self._readable, *sentinels], seconds)
        if self._readable in ready:
            os.read(self._readable, 64)
        return bool(ready)

    def close(self) -> None:
        os.close(self._readable)
        os.close(self._writable)


@contextmanager
def _signals() -> Iterator[_Signals]:
    signals = _Signals()
    before = {number: signal.signal(number, signals.note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signals.close()


def _work(orders: _Orders) -> None:
    """What a worker runs."""
    from . import serve

    # Ctrl-C reaches a whole group; what is meant for the workers comes from the process that started them, once.
    os.setpgrp()
    threading.Thread(target=_end_with_the_parent, args=(orders.lifeline,), daemon=True).start()
    try:
        app = App(orders.settings)
    except ConfigurationError as error:
        logging.getLogger(__name__).error("%s", error)
        sys.exit(_NOT_STARTED)
    app.misses = Misses(orders.record_searches)
    serve(app, orders.options, sockets=[orders.socket])


def _end_with_the_parent(lifeline: Connection) -> None:
    """Drain and end when the process that started this one is gone, however it went."""
    try:
        lifeline.recv_bytes()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)
