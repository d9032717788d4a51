"""Phone numbers, their voice agents, compliance papers and the call log."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make

DAY = 86_400
ADDRESS = {
    "customer_name": "Brightside", "street": "1 High St", "city": "London", "region": "London", "postal_code": "N1 1AA",
    "iso_country": "GB",
}  # fmt: skip
BUNDLE = {"country_code": "GB", "number_type": "local", "end_user_type": "business"}


async def offered(api: Api, **body: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await api.ok("POST", "/phone/numbers/search", body)
    return found


async def test_a_number_found_on_sale_is_bought_once_and_released() -> None:
    api = make()
    found = await offered(api, area_code="03")
    assert {n["phone_number"][:4] for n in found} == {"+613"}
    assert {n["iso_country"] for n in await offered(api)} == {"AU"}
    number = found[0]["phone_number"]
    bought = await api.ok("POST", "/phone/numbers/buy", {"phone_number": number}, status=201)
    assert bought["id"] in {n["id"] for n in await api.get("/phone/numbers")}
    assert number not in {n["phone_number"] for n in await offered(api, area_code="3")}
    assert (await api.error("POST", "/phone/numbers/buy", {"phone_number": number}, status=409))["code"] == "CONFLICT"
    await api.ok("DELETE", f"/phone/numbers/{bought['id']}", status=204)
    await api.error("GET", f"/phone/numbers/{bought['id']}", status=404)
    again = await api.ok("POST", "/phone/numbers/buy", {"phone_number": number}, status=201)
    await api.ok("POST", f"/phone/numbers/{again['id']}/release", status=204)
    assert number in {n["phone_number"] for n in await offered(api, area_code="3")}


async def test_numbers_that_nobody_sells_are_not_bought() -> None:
    api = make()
    await api.error("POST", "/phone/numbers/buy", {"phone_number": "+61290001234"}, status=404)
    assert "AU" in (await api.error("POST", "/phone/numbers/search", {"country": "XX"}))["message"]


async def test_a_number_of_a_regulated_country_needs_an_approved_bundle() -> None:
    api = make()
    number = (await offered(api, country="GB", area_code="20"))[0]["phone_number"]
    assert "bundle" in (await api.error("POST", "/phone/numbers/buy", {"phone_number": number}))["message"]
    await api.ok("POST", "/phone/addresses", ADDRESS, status=201)
    bundle = await api.ok("POST", "/phone/bundles", BUNDLE, status=201)
    assert bundle["status"] == "draft"
    path = f"/phone/bundles/{bundle['id']}"
    assert (await api.ok("POST", f"{path}/submit"))["status"] == "pending_review"
    await api.error("POST", f"{path}/submit", status=409)
    await api.advance(3 * DAY)
    approved = await api.get(path)
    assert (approved["status"], approved["live"]["status"]) == ("approved", "twilio-approved")
    assert approved["evaluations"][0]["status"] == "compliant"
    bought = await api.ok("POST", "/phone/numbers/buy", {"phone_number": number}, status=201)
    assert bought["bundle_id"] == bundle["id"]


async def test_an_incomplete_bundle_is_rejected_and_says_which_requirement_failed_until_it_is_met() -> None:
    api = make()
    await api.ok("POST", "/phone/addresses", {**ADDRESS, "postal_code": ""}, status=201)
    bundle = await api.ok("POST", "/phone/bundles", BUNDLE, status=201)
    path = f"/phone/bundles/{bundle['id']}"
    await api.ok("POST", f"{path}/submit")
    await api.advance(3 * DAY)
    rejected = await api.get(path)
    assert rejected["status"] == "rejected"
    failed = [r for r in rejected["evaluations"][0]["results"] if not r["passed"]]
    assert [(r["requirement"], r["failure_reason"]) for r in failed] == [("address", "the address lacks postal_code")]
    await api.ok("POST", "/phone/addresses", ADDRESS, status=201)
    assert (await api.get(path))["live"]["compliant"] is True
    await api.ok("POST", f"{path}/submit")
    await api.advance(3 * DAY)
    assert [e["status"] for e in (await api.get(path))["evaluations"]] == ["noncompliant", "compliant"]
    assert len(await api.get("/phone/addresses")) == 3
    assert {b["status"] for b in await api.get("/phone/bundles")} == {"approved"}


async def test_assigning_an_agent_reaches_the_provider_and_its_refusal_does_not_undo_the_change() -> None:
    api = make()
    number = (await api.get("/phone/numbers"))[-1]
    path = f"/phone/numbers/{number['id']}"
    agents = await api.get("/agents", type="voice")
    good, orphan = (next(a for a in agents if a["agent_id"].startswith("agent_") is state) for state in (True, False))
    synced = await api.ok("PATCH", path, {"inbound_voice_agent_config_id": good["id"]})
    assert synced["retell_last_sync_error"] is None
    assert synced["retell_last_synced_at"]
    assert number["phone_number"] in (await api.get(f"/agents/{good['id']}"))["phone_numbers"]["inbound"]
    failed = await api.ok("PATCH", path, {"outbound_voice_agent_config_id": orphan["id"]})
    assert "not provisioned" in failed["retell_last_sync_error"]
    assert (await api.get(path))["outbound_voice_agent_config_id"] == orphan["id"]
    cleared = await api.ok("PATCH", path, {"inbound_voice_agent_config_id": None, "outbound_voice_agent_config_id": None})
    assert (cleared["inbound_voice_agent_config_id"], cleared["retell_last_sync_error"]) == (None, None)
    plain = await api.ok("PATCH", path, {"friendly_name": "Front desk", "transfer_number": "+61290001234"})
    assert (plain["friendly_name"], plain["transfer_number"]) == ("Front desk", "+61290001234")
    assert plain["retell_last_synced_at"] == cleared["retell_last_synced_at"]
    ringing = {"channel": "call", "from": "+61412345678", "to": number["phone_number"]}
    await api.ok("POST", "/__sandbox/inbound", ringing, status=201)
    assert [(c["to"], c["from_number"]) for c in await api.outbox("call")] == [("+61290001234", "+61412345678")]
    logged = (await api.get("/phone/call-logs"))[0]
    assert (logged["status"], logged["to_number"]) == ("forwarded", number["phone_number"])


@pytest.mark.parametrize("wrong", [{"inbound_voice_agent_config_id": NOBODY}, {"transfer_number": "12"}, {"phone_number": "x"}])
async def test_a_number_takes_neither_unknown_agents_nor_bad_numbers(wrong: dict[str, str]) -> None:
    api = make()
    path = f"/phone/numbers/{(await api.get('/phone/numbers'))[0]['id']}"
    assert (await api.error("PATCH", path, wrong))["code"] == "VALIDATION_ERROR"


async def test_a_text_agent_cannot_answer_a_number() -> None:
    api = make()
    number, agent = (await api.get("/phone/numbers"))[0], (await api.get("/agents", type="text"))[0]
    await api.error("PATCH", f"/phone/numbers/{number['id']}", {"inbound_voice_agent_config_id": agent["id"]})


async def test_the_call_log_lists_the_newest_call_first() -> None:
    calls = await make().get("/phone/call-logs")
    assert [c["started_at"] for c in calls] == sorted((c["started_at"] for c in calls), reverse=True)
    assert {c["direction"] for c in calls} == {"inbound", "outbound"}
