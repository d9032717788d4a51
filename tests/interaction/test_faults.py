"""What the API and the network do wrong, on real sockets, for every effect class: told truly, and no write sent twice."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.faulty_upstream import ID, QUICK, FaultyUpstream, app_on
from trustpager_mcp.app import App
from trustpager_mcp.dispatcher import Result
from trustpager_mcp.settings import Settings

CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "read": ("get_contact", {"contact_id": ID}),
    "write": ("create_contact", {"first_name": "Ann"}),
    "update": ("update_contact", {"contact_id": ID, "first_name": "Ann"}),
    "irreversible": ("delete_contact", {"contact_id": ID}),
    "keyed": ("fire_auto_schedule", {"auto_schedule_id": ID}),
}
SILENT = ("hang", "slow_body")
REPEATABLE = {"read", "irreversible", "keyed"}
# The fault, whether a write may have taken effect, whether it is worth another attempt, and what is told of it.
FAULTS: list[tuple[str, bool, bool, str]] = [
    ("reset", True, True, "CONNECTION_BROKEN"),
    ("reset_midbody", True, True, "CONNECTION_BROKEN"),
    ("hang", True, True, "TIMEOUT"),
    ("slow_body", True, True, "TIMEOUT"),
    ("server_error", True, True, "trace 7f3a"),
    ("unavailable", True, True, "in maintenance"),
    ("html502", True, True, "502 Bad Gateway"),
    ("garbage", True, True, "CONNECTION_BROKEN"),
    ("truncated_gzip", True, True, "a part is missing"),
    ("endless", True, False, "ANSWER_TOO_LARGE"),
    ("bomb", True, False, "ANSWER_TOO_LARGE"),
    ("bad_json", True, False, "not valid JSON"),
    ("plain_text", True, False, "the provider refused"),
    ("deep", True, False, "not valid JSON"),
    ("redirect", True, False, "elsewhere.example"),
    ("too_many", False, True, "RATE_LIMITED"),
]


async def call(app: App, kind: str, **options: Any) -> Result:
    name, arguments = CALLS[kind]
    return await (await app.session()).dispatcher.call(name, arguments, options=options)


@pytest.mark.parametrize("kind", list(CALLS))
@pytest.mark.parametrize(("fault", "unclear", "again", "told"), FAULTS, ids=[f[0] for f in FAULTS])
async def test_a_fault_that_stays_is_flagged_and_explained(kind: str, fault: str, unclear: bool, again: bool, told: str) -> None:
    seconds = 0.3 if fault in SILENT else 10
    async with FaultyUpstream() as upstream, app_on(upstream, seconds=seconds) as app:
        upstream.fail(*[fault] * 8, acts=unclear and kind != "read")
        result = await call(app, kind)
        assert result.is_error
        assert told in result.text
        assert len(result.text) < 1_200
        assert "tp_live_secret" not in result.text
        assert result.uncertain == (unclear and kind != "read")
        assert ("may have taken effect" in result.text) == result.uncertain
        repeats = again and (kind in REPEATABLE or not unclear)
        assert len(upstream.requests) == (1 if not repeats else 2 if fault in SILENT else 4)
        assert all(count == 1 for count in upstream.effects.values())
        upstream.plan.clear()
        assert not (await call(app, "read")).is_error


@pytest.mark.parametrize("kind", list(CALLS))
@pytest.mark.parametrize("fault", ["reset", "reset_midbody", "hang", "server_error", "unavailable", "html502"])
async def test_a_fault_that_passes_is_survived_where_a_second_attempt_is_safe(kind: str, fault: str) -> None:
    async with FaultyUpstream() as upstream, app_on(upstream, seconds=0.3 if fault in SILENT else 10) as app:
        upstream.fail(fault, acts=True)
        result = await call(app, kind)
        assert result.is_error == (kind not in REPEATABLE)
        assert all(count == 1 for count in upstream.effects.values())
        keys = {r.headers.get("idempotency-key") for r in upstream.requests}
        assert len(keys) == 1
        assert (None in keys) == (kind != "keyed")


@pytest.mark.parametrize("kind", list(CALLS))
@pytest.mark.parametrize("retry_after", [None, "0", "0.05", "Wed, 21 Oct 2015 07:28:00 GMT", "soon"])
async def test_too_many_calls_are_tried_again_whatever_they_are(kind: str, retry_after: str | None) -> None:
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        upstream.fail("too_many", retry_after=retry_after)
        assert not (await call(app, kind)).is_error
        assert len(upstream.requests) == 2


async def test_a_long_retry_after_is_told_and_not_waited_for() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        upstream.fail("too_many", retry_after="30")
        result = await call(app, "read")
        assert "wait 30 s" in result.text
        assert len(upstream.requests) == 1
        assert not (await call(app, "read")).is_error


async def test_a_delete_whose_first_answer_was_lost_is_done_when_nothing_is_left_to_delete() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        upstream.fail("reset", acts=True)
        result = await call(app, "irreversible")
        assert not result.is_error
        assert "finds nothing to delete" in result.text


async def test_a_large_answer_is_shown_in_part_and_says_so() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream, seconds=5) as app:
        upstream.fail("big")
        result = await (await app.session()).call("list_contacts", {})
        assert not result.is_error
        assert len(result.text) < 40_000
        assert "did not fit" in result.text


async def test_an_empty_body_where_a_record_was_due_is_an_error() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        upstream.fail("empty")
        assert (await call(app, "read")).code == "BAD_ANSWER"


async def test_an_error_inside_a_success_is_an_error() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        upstream.answers.append(
            (200, {}, b'{"error": {"code": "SLOT_UNAVAILABLE", "message": "taken", "details": {"nearest": ["09:00"]}}}')
        )
        result = await call(app, "write")
        assert result.is_error
        assert "SLOT_UNAVAILABLE" in result.text
        assert "09:00" in result.text


async def test_an_uncertain_write_names_the_read_that_tells() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        upstream.fail("reset", acts=True)
        assert f"check with get_contact(contact_id={ID})" in (await call(app, "update")).text
        upstream.fail("reset", acts=True)
        assert "check with list_contacts()" in (await call(app, "write")).text


def _self_signed(folder: Path) -> ssl.SSLContext:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256())
    pem = folder / "self-signed.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@pytest.mark.parametrize("kind", list(CALLS))
async def test_an_untrusted_certificate_stops_the_call_before_anything_is_sent(kind: str, tmp_path: Path) -> None:
    async with FaultyUpstream(certificate=_self_signed(tmp_path)) as upstream, app_on(upstream, seconds=2) as app:
        result = await call(app, kind)
        assert result.code == "TLS_FAILED"
        assert not result.uncertain
        assert upstream.requests == []


@pytest.mark.parametrize("kind", list(CALLS))
async def test_a_host_without_a_name_is_told_and_nothing_was_sent(kind: str) -> None:
    app = App(Settings(api_key="k", base_url="https://no-such-host.invalid/api/v1", scopes=("all",), timeout=5), patience=QUICK)
    result = await call(app, kind)
    await app.aclose()
    assert "no-such-host.invalid could not be reached" in result.text
    assert "Nothing was sent" in result.text
    assert not result.uncertain


async def test_the_circuit_opens_after_failures_in_a_row_and_closes_with_the_first_answer() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        app.sender._breaker._first_pause = 0.05
        upstream.always = None
        upstream.fail(*["unavailable"] * 8)
        await call(app, "read")
        await call(app, "read")
        assert len(upstream.requests) == 8
        refused = await call(app, "write")
        assert refused.code == "CIRCUIT_OPEN"
        assert "goes out in" in refused.text
        assert len(upstream.requests) == 8
        while (last := await call(app, "write")).code == "CIRCUIT_OPEN":
            assert len(upstream.requests) == 8
        assert not last.is_error
        assert not (await call(app, "read")).is_error


@pytest.mark.only("stdio", because="test_calls asks everywhere; what a fault does is decided far from the way in")
@pytest.mark.parametrize("kind", ["read", "write", "irreversible"])
async def test_every_fault_is_flagged_over_stdio_and_the_server_lives_on(serve: Any, kind: str) -> None:
    executor = {"read": "call_read", "write": "call_write", "irreversible": "call_irreversible"}[kind]
    name, arguments = CALLS[kind]
    async with FaultyUpstream() as upstream:
        options = ("--base-url", upstream.base, "--scopes", "all", "--timeout", "3")
        # A client of the older era, whose plain calls over a pipe are answered past the SDK.
        async with serve(*options, mode="legacy", TRUSTPAGER_API_KEY="tp_live_secret") as agent:
            for fault, unclear, _, told in FAULTS:
                if fault in ("endless", "bomb", *SILENT) and kind != "write":
                    continue
                upstream.always = None
                upstream.plan.clear()
                upstream.fail(*[fault] * 4, acts=unclear and kind != "read", retry_after="30" if fault == "too_many" else None)
                upstream.effects.clear()
                own = {**arguments, "last_name": fault} if kind == "write" else arguments
                text = (
                    await agent.failure(executor, tool=name, args=own, again=True)
                    if kind != "read"
                    else await agent.failure(executor, tool=name, args=own)
                )
                assert told in text or fault in ("endless", "bomb"), text
                assert ("may have taken effect" in text) == (unclear and kind != "read"), text
                assert all(count == 1 for count in upstream.effects.values())
                upstream.plan.clear()
                await agent.text("call_read", tool="get_contact", args={"contact_id": ID})
