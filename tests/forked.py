"""`trustpager-mcp` without the second that Python, the SDK and the search's index take at a start: processes forked from one that has them.

`command()` is a program that takes the place of `trustpager-mcp`: the same arguments, variables, folder, pipes, signals and exit
status. It hands them to a process that stands ready with everything imported, and that forks one of its own for every start: a
process apart, which runs the console script's `main` on those pipes. What a test says about the start itself, about several
workers or about being killed is said about `COMMAND`, the installed program.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

COMMAND = str(Path(sys.executable).parent / "trustpager-mcp")
_LONGEST = 128 * 1024
_SHARED = "FORKED_TRUSTPAGER_MCP"
_PROGRAM = """#!{python} -IS
import json, os, signal, socket, sys

ready = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
ready.connect({address!r})
start = [sys.argv[1:], dict(os.environ), os.getcwd()]
socket.send_fds(ready, [json.dumps(start).encode()], [0, 1, 2])
process = int(ready.recv(64))
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda sent, _: os.kill(process, sent))
os.closerange(0, 3)
status = int(ready.recv(64))
if status < 0:
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
os._exit(status)
"""


@cache
def command() -> str:
    """The program to start instead of `COMMAND`; the process behind it ends with this one.

    Processes that this one starts get the same program: those of pytest-xdist share one behind it.
    """
    if sys.platform != "linux":
        return COMMAND
    if _SHARED in os.environ:
        return os.environ[_SHARED]
    folder = TemporaryDirectory(prefix="forked-")
    address, program = f"{folder.name}/socket", Path(folder.name, "trustpager-mcp")
    program.write_text(_PROGRAM.format(python=sys.executable, address=address), encoding="utf-8")
    program.chmod(0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(address)
        listening.listen(64)
        words = [sys.executable, __file__, str(listening.fileno())]
        ready = subprocess.Popen(words, stdin=subprocess.PIPE, env={}, pass_fds=[listening.fileno()], start_new_session=True)
    os.environ[_SHARED] = str(program)

    def end() -> None:
        ready.communicate()
        folder.cleanup()

    atexit.register(end)
    return str(program)


def _prepare() -> None:
    """Have at hand what every start imports and makes: the SDK, the definitions, the index of the search, the practice workspace."""
    import anyio

    from trustpager_mcp.app import App
    from trustpager_mcp.settings import Settings
    from trustpager_mcp.transports import http, stdio  # noqa: F401

    for key in ("tp_live_sandbox_full", "tp_live_sandbox_readonly"):
        app = App(Settings(sandbox=True, api_key=key))
        anyio.run(app.session).search.index()
        anyio.run(app.aclose)
    gc.collect()
    gc.freeze()
    assert threading.active_count() == 1, "a fork takes one thread along"


def _started(listener: socket.socket) -> list[str]:
    """Fork a process for every start that is asked for, and return in it, with its arguments.

    In the process that stands ready it returns never: it ends when whoever started it closes its standard input.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        starter: dict[int, tuple[int, socket.socket]] = {}
        """Process and program that asked for it, by the descriptor that tells of the process's end."""
        while True:
            for chosen, _ in selector.select():
                if chosen.fileobj is listener:
                    asking, _ = listener.accept()
                    message, descriptors, *_ = socket.recv_fds(asking, _LONGEST, 3)
                    process = os.fork()
                    if process == 0:
                        for kept in [*selector.get_map().values()]:
                            if kept.fd != 0:
                                kept.fileobj.close() if isinstance(kept.fileobj, socket.socket) else os.close(kept.fd)
                        asking.close()
                        return _become(message, descriptors)
                    for descriptor in descriptors:
                        os.close(descriptor)
                    asking.send(str(process).encode())
                    ended = os.pidfd_open(process)
                    starter[ended] = process, asking
                    selector.register(ended, selectors.EVENT_READ)
                    selector.register(asking, selectors.EVENT_READ, ended)
                elif chosen.fd == 0:
                    for process, _ in starter.values():
                        os.kill(process, signal.SIGKILL)
                    os._exit(0)
                elif isinstance(chosen.fileobj, int):
                    process, asking = starter.pop(chosen.fd)
                    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
                    with suppress(OSError):
                        asking.send(str(status).encode())
                    for done in (asking, chosen.fd):
                        with suppress(KeyError):
                            selector.unregister(done)
                    asking.close()
                    os.close(chosen.fd)
                elif (known := starter.get(chosen.data)) and known[1] is chosen.fileobj:
                    # Killed, and the process that it stands for with it.
                    selector.unregister(chosen.fileobj)
                    os.kill(known[0], signal.SIGKILL)


def _become(message: bytes, descriptors: list[int]) -> list[str]:
    """Be the process that was asked for, and give its arguments."""
    arguments, environment, folder = json.loads(message)
    for place, descriptor in enumerate(descriptors):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    return [COMMAND, *arguments]


if __name__ == "__main__":
    from trustpager_mcp.cli import main

    _prepare()
    with socket.socket(fileno=int(sys.argv[1])) as listening:
        sys.argv = _started(listening)
    sys.exit(main())
