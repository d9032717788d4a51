"""Who may come in over HTTP: API keys, client tokens and OAuth tokens, against real files, commands and signatures."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from trustpager_mcp.errors import ConfigurationError
from trustpager_mcp.identity import Identity, Unauthenticated
from trustpager_mcp.identity.api_keys import ApiKeys
from trustpager_mcp.identity.client_tokens import ClientTokens, add_token, revoke_token
from trustpager_mcp.identity.credential_store import CredentialStore, StoreUnavailable, open_store
from trustpager_mcp.identity.oauth import OAuth, OAuthSettings, protected_resource

TOOLSETS = frozenset({"contacts", "tasks"})
ISSUER, AUDIENCE = "https://login.example", "https://crm.example/mcp"


class Upstream:
    """What the API says of keys, and how often it was asked."""

    def __init__(self, good: set[str], up: bool = True) -> None:
        self.good, self.up, self.asked = good, up, 0

    async def check(self, key: str) -> bool | None:
        self.asked += 1
        return key in self.good if self.up else None


class Hand:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


# API keys


async def test_a_key_is_verified_once_and_again_when_its_time_is_over() -> None:
    upstream, clock = Upstream({"tp_live_a"}), Hand()
    keys = ApiKeys(upstream.check, remember=60, clock=clock)
    for headers in ({"x-api-key": "tp_live_a"}, {"authorization": "Bearer tp_live_a"}):
        identity = await keys.identify(headers)
        assert (identity.api_key, identity.subject[:4]) == ("tp_live_a", "key:")
    assert upstream.asked == 1
    clock.now = 61
    upstream.good.clear()
    with pytest.raises(Unauthenticated, match="does not accept"):
        await keys.identify({"x-api-key": "tp_live_a"})
    assert upstream.asked == 2


async def test_a_wrong_key_is_not_asked_for_each_time_but_soon_again() -> None:
    upstream, clock = Upstream(set()), Hand()
    keys = ApiKeys(upstream.check, remember=60, clock=clock)
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await keys.identify({"x-api-key": "tp_live_new"})
    assert upstream.asked == 1
    upstream.good.add("tp_live_new")
    clock.now = 7
    assert (await keys.identify({"x-api-key": "tp_live_new"})).api_key == "tp_live_new"


async def test_a_forgotten_key_is_asked_for_again() -> None:
    upstream = Upstream({"tp_live_a"})
    keys = ApiKeys(upstream.check)
    await keys.identify({"x-api-key": "tp_live_a"})
    keys.forget("tp_live_a")
    await keys.identify({"x-api-key": "tp_live_a"})
    assert upstream.asked == 2


async def test_nobody_comes_in_while_the_api_cannot_be_asked() -> None:
    keys = ApiKeys(Upstream({"tp_live_a"}, up=False).check)
    with pytest.raises(Unauthenticated) as refused:
        await keys.identify({"x-api-key": "tp_live_a"})
    assert (refused.value.status, refused.value.retry_after) == (503, 5)


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Basic abc"}, {"x-api-key": "a b"}, {"x-api-key": "ключ"}, {"x-api-key": "x" * 600}]
)
async def test_what_is_no_key_is_refused_without_asking(headers: Mapping[str, str]) -> None:
    upstream = Upstream(set())
    with pytest.raises(Unauthenticated):
        await ApiKeys(upstream.check).identify(headers)
    assert upstream.asked == 0


async def test_the_key_stands_in_no_representation_of_the_identity() -> None:
    identity = await ApiKeys(Upstream({"tp_live_secret"}).check).identify({"x-api-key": "tp_live_secret"})
    assert "tp_live_secret" not in repr(identity)


# Client tokens


async def test_a_client_token_works_with_the_operators_key_within_its_bounds(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    plain = add_token(file, "evie")
    bound = add_token(file, "reporter", ("contacts",), read_only=True)
    tokens = ClientTokens(file, "tp_live_operator", TOOLSETS)
    assert await tokens.identify({"authorization": f"Bearer {plain}"}) == Identity("tp_live_operator", "client:evie")
    narrow = await tokens.identify({"x-api-key": bound})
    assert (narrow.toolsets, narrow.read_only) == (frozenset({"contacts"}), True)
    assert plain not in file.read_text()
    assert os.stat(file).st_mode & 0o077 == 0


async def test_a_revoked_token_is_refused_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    gone, kept = add_token(file, "gone"), add_token(file, "kept")
    tokens = ClientTokens(file, "tp_live_operator", TOOLSETS)
    revoke_token(file, "gone")
    with pytest.raises(Unauthenticated, match="taken back"):
        await tokens.identify({"authorization": f"Bearer {gone}"})
    assert (await tokens.identify({"authorization": f"Bearer {kept}"})).subject == "client:kept"


async def test_a_list_of_tokens_that_became_unreadable_lets_nobody_in(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    token = add_token(file, "evie")
    tokens = ClientTokens(file, "tp_live_operator", TOOLSETS)
    file.write_text("{")
    with pytest.raises(Unauthenticated) as refused:
        await tokens.identify({"authorization": f"Bearer {token}"})
    assert refused.value.status == 503


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "client-token"),
        ('{"tokens": [{"name": "a b", "sha256": ""}]}', "has no name"),
        ('{"tokens": [{"name": "a", "sha256": "abc"}]}', "64 hex digits"),
        ('{"tokens": [{"name": "a", "sha256": "%s", "toolset": ["contacts"]}]}' % ("0" * 64), "unknown keys: toolset"),
        ('{"tokens": [{"name": "a", "sha256": "%s", "toolsets": ["contcts"]}]}' % ("0" * 64), "unknown toolsets: contcts"),
        ('{"tokens": [{"name": "a", "sha256": "%s", "read_only": "no"}]}' % ("0" * 64), "true or false"),
    ],
)
def test_a_wrong_list_of_tokens_stops_the_start(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=words):
        ClientTokens(file, "tp_live_operator", TOOLSETS)


def test_a_name_has_one_token(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    add_token(file, "evie")
    with pytest.raises(ConfigurationError, match="already has"):
        add_token(file, "evie")
    with pytest.raises(ConfigurationError, match="it has: evie"):
        revoke_token(file, "eve")


# OAuth


class Issuer:
    """An authorization server: it signs tokens, publishes keys and counts who asks for them."""

    def __init__(self) -> None:
        self.private = {"one": rsa.generate_private_key(65537, 2048)}
        self.fetched = 0
        self.down = False

    async def fetch(self, _url: str) -> Any:
        self.fetched += 1
        if self.down:
            raise OSError("down")
        public = [(kid, jwt.algorithms.RSAAlgorithm.to_jwk(k.public_key(), as_dict=True)) for kid, k in self.private.items()]
        return {"keys": [{**jwk, "kid": kid, "use": "sig"} for kid, jwk in public]}

    def token(self, kid: str = "one", **changes: Any) -> dict[str, str]:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "jo",
            "exp": now + 600,
            "iat": now,
            "scope": "trustpager:read trustpager:write",
        }
        claims = {k: v for k, v in {**claims, **changes}.items() if v is not None}
        return {"authorization": "Bearer " + jwt.encode(claims, self.private[kid], algorithm="RS256", headers={"kid": kid})}


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def store(tmp_path: Path) -> CredentialStore:
    file = tmp_path / "keys.json"
    file.write_text('{"jo": "tp_live_jo"}')
    file.chmod(0o600)
    return open_store(f"file:{file}")


@pytest.fixture
def oauth(issuer: Issuer, store: CredentialStore) -> OAuth:
    return OAuth(OAuthSettings(ISSUER, AUDIENCE, ISSUER + "/jwks"), store, TOOLSETS, issuer.fetch)


async def test_a_good_token_is_mapped_to_the_subjects_key_and_goes_nowhere(oauth: OAuth, issuer: Issuer) -> None:
    assert await oauth.identify(issuer.token()) == Identity("tp_live_jo", "oauth:jo")


@pytest.mark.parametrize(
    ("scope", "toolsets", "read_only"),
    [
        ("trustpager:read", None, True),
        ("trustpager:write trustpager:toolset:contacts", frozenset({"contacts"}), False),
        (["trustpager:write", "trustpager:toolset:moons"], frozenset(), False),
    ],
)
async def test_scopes_narrow_what_the_token_may_do(
    oauth: OAuth, issuer: Issuer, scope: Any, toolsets: Any, read_only: bool
) -> None:
    identity = await oauth.identify(issuer.token(scope=scope))
    assert (identity.toolsets, identity.read_only) == (toolsets, read_only)


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"exp": 1}, 401, "expired"),
        ({"exp": None}, 401, "not valid"),
        ({"aud": "https://other.example"}, 401, "not meant for"),
        ({"iss": "https://evil.example"}, 401, "not from"),
        ({"sub": None}, 401, "not valid"),
        ({"sub": "stranger"}, 403, "nobody has connected"),
        ({"scope": "openid"}, 403, "needs the scope"),
    ],
)
async def test_a_token_that_is_not_right_is_refused_with_the_reason(
    oauth: OAuth, issuer: Issuer, changes: dict[str, Any], status: int, words: str
) -> None:
    with pytest.raises(Unauthenticated, match=words) as refused:
        await oauth.identify(issuer.token(**changes))
    assert refused.value.status == status


async def test_a_forged_signature_is_refused(oauth: OAuth) -> None:
    forger = Issuer()
    with pytest.raises(Unauthenticated, match="not valid"):
        await oauth.identify(forger.token())
    secret = jwt.encode({"sub": "jo"}, "x" * 32, algorithm="HS256", headers={"kid": "one"})
    with pytest.raises(Unauthenticated, match="not valid"):
        await oauth.identify({"authorization": f"Bearer {secret}"})
    unsigned = jwt.encode({"sub": "jo"}, None, algorithm="none", headers={"kid": "one"})
    with pytest.raises(Unauthenticated, match="not valid"):
        await oauth.identify({"authorization": f"Bearer {unsigned}"})
    for junk in ("", "x", "a.b.c"):
        with pytest.raises(Unauthenticated):
            await oauth.identify({"authorization": f"Bearer {junk}"})


async def test_the_issuers_keys_are_fetched_once_and_unknown_keys_do_not_make_a_storm(oauth: OAuth, issuer: Issuer) -> None:
    issuer.fetched = 0
    for _ in range(3):
        await oauth.identify(issuer.token())
    forger = Issuer()
    forger.private = {"two": forger.private["one"]}
    for _ in range(3):
        with pytest.raises(Unauthenticated, match="does not publish"):
            await oauth.identify(forger.token("two"))
    assert issuer.fetched == 1


async def test_without_the_issuers_keys_nobody_comes_in(issuer: Issuer, store: CredentialStore) -> None:
    down = Issuer()
    down.down = True
    oauth = OAuth(OAuthSettings(ISSUER, AUDIENCE, ISSUER + "/jwks"), store, TOOLSETS, down.fetch)
    with pytest.raises(Unauthenticated) as refused:
        await oauth.identify(issuer.token())
    assert refused.value.status == 503


def test_an_issuer_without_tls_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match="https"):
        OAuthSettings("http://login.example", AUDIENCE, ISSUER)


def test_the_metadata_names_the_issuer_and_the_scopes() -> None:
    document = protected_resource(OAuthSettings(ISSUER, AUDIENCE, ISSUER + "/jwks"), TOOLSETS)
    assert document["resource"] == AUDIENCE
    assert document["authorization_servers"] == [ISSUER]
    assert "trustpager:toolset:contacts" in document["scopes_supported"]


# Credential stores


async def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text("{}")
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        open_store(f"file:{file}")


async def test_variables_hold_keys_by_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPKEY_JO_SMITH", "tp_live_jo")
    store = open_store("env:TPKEY_")
    assert await store.api_key("jo_smith") == "tp_live_jo"
    assert await store.api_key("jo-smith") is None
    assert await store.api_key("stranger") is None


async def test_a_command_prints_the_key_of_a_subject(tmp_path: Path) -> None:
    script = tmp_path / "keys.py"
    script.write_text(
        "import sys\nsub = sys.argv[1]\nif sub == 'broken': sys.exit(3)\nif sub != 'jo': sys.exit(1)\nprint('tp_live_jo')\n"
    )
    store = open_store(f"command:{sys.executable} {script}")
    assert await store.api_key("jo") == "tp_live_jo"
    assert await store.api_key("jo; rm -rf /") is None
    assert await store.api_key("-c") is None
    with pytest.raises(StoreUnavailable, match="status 3"):
        await store.api_key("broken")
    with pytest.raises(StoreUnavailable, match="could not be run"):
        await open_store("command:/no/such/program").api_key("jo")


@pytest.mark.parametrize("place", ["", "file:", "vault:x", "env:a-b", "command:"])
def test_an_unknown_store_stops_the_start(place: str) -> None:
    with pytest.raises(ConfigurationError):
        open_store(place)


def test_a_broken_store_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.touch(0o600)
    for content, words in (("{", "not valid JSON"), (json.dumps({"jo": 1}), "subject → API key")):
        file.write_text(content)
        with pytest.raises(ConfigurationError, match=words):
            open_store(f"file:{file}")
