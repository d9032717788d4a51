"""What deploy/ and the Dockerfile say is what the server takes, and the image's own steps lead to a server that is healthy.

No container engine is needed: the steps are replayed in an empty folder, with this machine's Python in place of the image's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
import yaml

from tests.http_processes import free_port, started
from trustpager_mcp.cli.serve import serve

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
COMPOSE = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text(encoding="utf-8"))
KUBERNETES = list(yaml.safe_load_all((ROOT / "deploy/kubernetes.yaml").read_text(encoding="utf-8")))
NGINX = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
POD = next(d for d in KUBERNETES if d["kind"] == "Deployment")["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]
SERVERS = [s for s in COMPOSE["services"].values() if s["image"] == "trustpager-mcp"]


def option(words: list[str], name: str) -> str:
    return next(w.partition("=")[2] for w in words if w.startswith(f"--{name}="))


@pytest.mark.parametrize("words", [SERVERS[0]["command"], CONTAINER["args"]], ids=["compose", "kubernetes"])
def test_the_server_knows_every_option_it_is_started_with(words: list[str]) -> None:
    with click.Context(serve) as context:
        serve.parse_args(context, words[1:])
    assert words[0] == "serve"
    assert context.params["transport"] == "http"


@pytest.mark.parametrize(
    "names",
    [list(SERVERS[0]["environment"]), [e["name"] for e in CONTAINER["env"]], re.findall(r"(TRUSTPAGER_\w+)=", DOCKERFILE)],
    ids=["compose", "kubernetes", "image"],
)
def test_the_server_knows_every_variable_it_is_given(names: list[str]) -> None:
    assert names
    assert set(names) <= {p.envvar for p in serve.params}


def test_containers_can_neither_write_to_their_root_nor_gain_rights() -> None:
    for service in COMPOSE["services"].values():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
    rights = CONTAINER["securityContext"]
    assert (rights["readOnlyRootFilesystem"], rights["allowPrivilegeEscalation"]) == (True, False)
    assert POD["securityContext"]["runAsNonRoot"]
    assert f"USER {POD['securityContext']['runAsUser']}" in DOCKERFILE


def test_calls_in_flight_have_their_time_before_the_container_is_killed() -> None:
    drain = next(p.default for p in serve.params if p.name == "drain_seconds")
    for words, grace in (
        (SERVERS[0]["command"], int(SERVERS[0]["stop_grace_period"].removesuffix("s"))),
        (CONTAINER["args"], POD["terminationGracePeriodSeconds"]),
    ):
        assert int(option(words, "drain-delay-seconds")) + drain < grace


def test_the_proxy_passes_what_the_server_checks_and_shows_no_metrics() -> None:
    assert "proxy_set_header Host $http_host;" in NGINX
    assert "non_idempotent" not in NGINX
    assert set(re.findall(r"server (server-\d):8000;", NGINX)) == {n for n in COMPOSE["services"] if n.startswith("server-")}
    assert re.findall(r"location ([^{]*) \{", NGINX) == ["= /mcp", "/.well-known/oauth-protected-resource", "/"]


# The image's own steps


def build_steps() -> list[tuple[str, str]]:
    """The instructions of the first stage after FROM."""
    lines = [line for line in DOCKERFILE.splitlines() if line.strip() and not line.startswith("#")]
    second = [place for place, line in enumerate(lines) if line.startswith("FROM")][1]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines[1:second])]


def inside(folder: Path, text: str) -> str:
    """The step with the image's folders as folders in here."""
    return re.sub(r"(?<![\w/.])/(opt|dist|src)\b", lambda m: f"{folder}/{m[1]}", text)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image's build leaves behind."""
    folder = tmp_path_factory.mktemp("image")
    source = folder / "src"
    source.mkdir()
    place = str(Path(sys.base_prefix) / "bin")
    kept = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_", "HTTP", "http", "NO_PROXY"))}
    environment = {**kept, "PATH": f"{place}:/usr/bin:/bin", "HOME": str(folder)}
    for word, rest in build_steps():
        if word == "ENV":
            environment |= dict(pair.split("=", 1) for pair in rest.split())
        elif word == "COPY":
            *sources, target = rest.split()
            for name in sources:
                origin = ROOT / name
                if origin.is_dir():
                    shutil.copytree(origin, source / target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(origin, source / target)
        elif word == "RUN":
            command = ["bash", "-ec", inside(folder, rest)]
            ran = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, timeout=400)
            if ran.returncode and re.search("No matching distribution|ConnectionError|NewConnectionError", ran.stderr):
                pytest.skip("no package index can be reached, and the image's steps install from one")
            assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def last(word: str) -> Any:
    return json.loads([line for line in DOCKERFILE.splitlines() if line.strip().startswith(word)][-1].partition(word)[2])


def test_the_images_steps_give_a_server_that_its_own_healthcheck_finds_healthy(image: Path) -> None:
    port = free_port()
    programs = image / "opt/trustpager-mcp/bin"
    entry, *rest = last("ENTRYPOINT") + last("CMD")
    words = [str(programs / entry), *(str(port) if w == "8000" else w for w in rest)]
    python, *check = json.loads(DOCKERFILE.partition("HEALTHCHECK")[2].partition("CMD ")[2].splitlines()[0])
    check = [w.replace(":8000", f":{port}") for w in check]
    with started(words, port, "/readyz", {"HOME": "/nonexistent", "PATH": str(programs)}) as process:
        assert httpx.post(process.mcp, json={}).status_code == 401
        assert subprocess.run([str(programs / python), *check], timeout=30).returncode == 0
    assert subprocess.run([str(programs / python), *check], timeout=30, stderr=subprocess.DEVNULL).returncode != 0


def test_the_image_can_share_its_state_in_redis(image: Path) -> None:
    python = image / "opt/trustpager-mcp/bin/python"
    ran = subprocess.run([python, "-c", "import redis.asyncio, prometheus_client"], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
