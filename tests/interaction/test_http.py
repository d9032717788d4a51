"""HTTP as callers meet it: a real server process, real sockets, each way of telling callers apart."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import anyio
import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.http_processes import PLAIN

FULL, SALES, READER = "tp_live_sandbox_full", "tp_live_sandbox_sales", "tp_live_sandbox_readonly"
PING = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
ACCEPT = {"accept": "application/json, text/event-stream"}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serving(command: str, *options: str, port: int | None = None, **env: str) -> Iterator[str]:
    """A server process; its address once it answers."""
    port = port or free_port()
    words = [command, "serve", "--transport", "http", "--sandbox", "--port", str(port), *options]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env or None)
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=8, verify=PLAIN)) as client:
            assert client.get(f"http://127.0.0.1:{port}/healthz", timeout=20).json() == {"status": "ok"}
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.terminate()
        server.communicate(timeout=15)


def post(url: str, **headers: str) -> httpx.Response:
    return httpx.post(
        url, json=PING, headers={**ACCEPT, **{k.replace("_", "-"): v for k, v in headers.items()}}, timeout=20, verify=PLAIN
    )


def get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=20, verify=PLAIN)


async def names(url: str, **headers: str) -> list[str]:
    """The tools that a client with these headers sees."""
    import httpx2

    sent = {k.replace("_", "-"): v for k, v in headers.items()}
    async with (
        httpx2.AsyncClient(headers=sent, verify=PLAIN) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        return [t.name for t in (await client.list_tools()).tools]


@pytest.fixture(scope="module")
def url(command: str) -> Iterator[str]:
    with serving(command, "--tools", "all", "--allowed-origins", "https://app.example") as address:
        yield address


async def test_each_caller_sees_the_tools_of_its_own_key(url: str) -> None:
    seen: dict[str, list[str]] = {}

    async def look(key: str) -> None:
        seen[key] = await names(url, x_api_key=key)

    async with anyio.create_task_group() as group:
        for key in (FULL, SALES, READER):
            group.start_soon(look, key)
    assert "send_email" in seen[FULL]
    assert "create_contact" in seen[SALES]
    assert "send_email" not in seen[SALES]
    assert "list_contacts" in seen[READER]
    assert "create_contact" not in seen[READER]


async def test_a_bearer_token_is_a_key_too(url: str) -> None:
    assert "create_contact" not in await names(url, authorization=f"Bearer {READER}")


def test_a_key_that_the_api_does_not_accept_is_refused_and_not_shown(url: str) -> None:
    refused = post(url, x_api_key="tp_live_stranger")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
    assert "tp_live_stranger" not in refused.text + str(refused.headers)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "localhost:1"])
def test_a_foreign_host_header_is_refused(url: str, host: str) -> None:
    assert post(url, host=host).status_code == 421


def test_web_pages_of_other_origins_are_refused_and_allowed_ones_pass(url: str) -> None:
    assert post(url, origin="https://evil.example").status_code == 403
    assert post(url, origin="null").status_code == 403
    assert post(url, origin="https://app.example", x_api_key=FULL).status_code == 200


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_only_post_is_taken(url: str, method: str) -> None:
    answer = httpx.request(method, url, headers=ACCEPT, verify=PLAIN)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_body_that_is_too_large_is_refused_and_the_server_lives(url: str) -> None:
    answer = httpx.post(url, content=b"[" + b" " * 5_000_000, headers={**ACCEPT, "content-type": "application/json"})
    assert answer.status_code == 413
    assert post(url).status_code == 200


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"jsonrpc": "2.0"}'])
def test_what_is_no_request_is_refused_and_the_server_lives(url: str, content: bytes) -> None:
    answer = httpx.post(url, content=content, headers={**ACCEPT, "content-type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert post(url).status_code == 200


def test_a_path_that_is_nothing_says_where_mcp_is(url: str) -> None:
    answer = httpx.get(url.replace("/mcp", "/other"))
    assert (answer.status_code, "/mcp" in answer.text) == (404, True)


@pytest.mark.parametrize("host", ["0.0.0.0"])
def test_off_loopback_every_request_brings_its_own_key_and_hosts_are_still_checked(command: str, host: str) -> None:
    with serving(command, "--host", host) as url:
        refused = post(url)
        assert refused.status_code == 401
        assert "x-api-key" in refused.json()["error_description"]
        assert post(url, x_api_key=FULL).status_code == 200
        assert post(url, x_api_key=FULL, host="evil.example").status_code == 421


def test_another_header_may_carry_the_key(command: str) -> None:
    with serving(command, "--host", "0.0.0.0", "--key-header", "X-CRM-Key") as url:
        assert post(url, x_crm_key=FULL).status_code == 200
        assert post(url, x_api_key=FULL).status_code == 401


async def test_client_tokens_work_with_the_servers_key_within_their_bounds(command: str, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"

    def token(*words: str) -> str:
        made = subprocess.run([command, "client-token", *words, "--file", str(file)], capture_output=True, text=True, check=True)
        return made.stdout.strip()

    evie, reporter = token("add", "evie"), token("add", "reporter", "--toolsets", "contacts", "--read-only")
    assert FULL not in file.read_text()
    with serving(command, "--tools", "all", "--client-tokens", str(file)) as url:
        assert post(url).status_code == 401
        assert post(url, authorization=f"Bearer {FULL}").status_code == 401
        assert "send_email" in await names(url, authorization=f"Bearer {evie}")
        narrow = await names(url, authorization=f"Bearer {reporter}")
        assert "list_contacts" in narrow
        assert not {"create_contact", "list_tasks"} & set(narrow)
        token("revoke", "evie")
        assert post(url, authorization=f"Bearer {evie}").status_code == 401
    assert "reporter  read only, contacts" in token("list")


class Login:
    """An authorization server on loopback that publishes its keys."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        jwk = {**jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True), "kid": "k1", "use": "sig"}
        document = json.dumps({"keys": [jwk]}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(document)

            def log_message(self, *_arguments: Any) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, audience: str, **claims: Any) -> str:
        now = int(time.time())
        whole = {"iss": self.issuer, "aud": audience, "sub": "jo", "exp": now + 60, "scope": "trustpager:write", **claims}
        return jwt.encode(whole, self.key, algorithm="RS256", headers={"kid": "k1"})


@pytest.fixture
async def login() -> AsyncIterator[Login]:
    made = Login()
    yield made
    made.server.shutdown()
    made.server.server_close()


async def test_an_access_token_is_mapped_to_its_subjects_key_and_others_are_told_where_to_get_one(
    command: str, tmp_path: Path, login: Login
) -> None:
    store = tmp_path / "keys.json"
    store.write_text(json.dumps({"jo": SALES}))
    store.chmod(0o600)
    port = free_port()
    audience = f"http://127.0.0.1:{port}/mcp"
    options = [
        "--oauth-issuer",
        login.issuer,
        "--oauth-audience",
        audience,
        "--credential-store",
        f"file:{store}",
        "--tools",
        "all",
    ]
    with serving(command, *options, port=port) as url:
        refused = post(url)
        assert refused.status_code == 401
        where = re.search(r'resource_metadata="([^"]+)"', refused.headers["www-authenticate"])
        assert where is not None
        metadata = get(where[1]).json()
        assert (metadata["resource"], metadata["authorization_servers"]) == (audience, [login.issuer])
        seen = await names(url, authorization=f"Bearer {login.token(audience)}")
        assert "create_contact" in seen
        assert "send_email" not in seen
        narrow = await names(
            url, authorization=f"Bearer {login.token(audience, scope='trustpager:read trustpager:toolset:tasks')}"
        )
        assert "list_tasks" in narrow
        assert not {"create_task", "list_contacts"} & set(narrow)
        lacking = post(url, authorization=f"Bearer {login.token(audience, scope='openid')}")
        assert (lacking.status_code, 'scope="trustpager:read"' in lacking.headers["www-authenticate"]) == (403, True)
        assert post(url, authorization=f"Bearer {login.token('https://other.example')}").status_code == 401
        assert post(url, authorization=f"Bearer {FULL}").status_code == 401


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--oauth-issuer", "https://login.example"], "belong together"),
        (["--oauth-issuer", "https://login.example", "--oauth-audience", "https://crm.example/mcp"], "--credential-store"),
        (["--credential-store", "env:X_"], "--oauth-issuer"),
        (["--allowed-origins", "https://*.example/"], "scheme and host"),
        (["--allowed-hosts", "https://crm.example"], "host name"),
    ],
)
def test_settings_that_contradict_themselves_stop_the_start(command: str, options: list[str], words: str) -> None:
    ran = subprocess.run(
        [command, "serve", "--transport", "http", "--sandbox", *options], capture_output=True, text=True, timeout=20
    )
    assert ran.returncode == 2
    assert words in ran.stderr
