"""What the reference says of contacts beyond CRUD."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make

MOBILE = "+61412345678"
SHARED = make()
"""A workspace for tests that look at their own records only."""
FAILED = "UNSUBSCRIBE NOT COMPLETED -- DO NOT TELL THE CALLER THEY HAVE BEEN REMOVED"


async def create(api: Api, **fields: Any) -> dict[str, Any]:
    contact: dict[str, Any] = await api.ok("POST", "/contacts", {"first_name": "Paul", **fields}, status=201)
    return contact


async def test_a_contact_is_created_read_changed_and_deleted() -> None:
    api = make()
    contact = await create(api, last_name="Okafor", email="paul@mail.example", phone=MOBILE, landline="+61299991234")
    assert await api.get(f"/contacts/{contact['id']}") == contact
    changed = await api.ok("PATCH", f"/contacts/{contact['id']}", {"notes": "Likes tea"})
    assert (changed["notes"], changed["email"]) == ("Likes tea", "paul@mail.example")
    assert await api.ok("DELETE", f"/contacts/{contact['id']}", status=204) is None
    await api.error("GET", f"/contacts/{contact['id']}", status=404)
    await api.error("DELETE", f"/contacts/{contact['id']}", status=404)


@pytest.mark.parametrize(
    "number", ["+61299991234", "+61812345678", "+611300975707", "0412345678", "+0412345678", "+61 412 345 678", ""]
)
async def test_a_phone_that_is_no_e164_mobile_is_refused(number: str) -> None:
    assert (
        "phone"
        in (await SHARED.as_key("tp_live_sandbox_full").error("POST", "/contacts", {"first_name": "A", "phone": number}))[
            "details"
        ]["fields"]
    )


@pytest.mark.parametrize("number", ["+61412345678", "+61512345678", "+64211234567", "+14155550123"])
async def test_mobiles_and_numbers_of_other_countries_are_taken(number: str) -> None:
    assert (await create(SHARED.as_key("tp_live_sandbox_full"), phone=number))["phone"] == number


async def test_a_landline_is_refused_as_a_mobile_on_change_too() -> None:
    api = make()
    contact = await create(api, phone=MOBILE)
    error = await api.error("PATCH", f"/contacts/{contact['id']}", {"phone": "+61299991234"})
    assert "landline" in error["message"]
    assert (await api.ok("PATCH", f"/contacts/{contact['id']}", {"landline": "+61299991234"}))["landline"] == "+61299991234"
    assert (await api.ok("PATCH", f"/contacts/{contact['id']}", {"landline": None}))["landline"] is None


@pytest.mark.parametrize("last", ["", "   ", None])
async def test_an_empty_last_name_is_stored_as_null(last: str | None) -> None:
    api = SHARED.as_key("tp_live_sandbox_full")
    contact = await create(api, first_name="  Paul ", last_name=last)
    assert (contact["first_name"], contact["last_name"]) == ("Paul", None)
    assert (contact["display_name"], contact["greeting"]) == ("Paul", "Hi Paul")
    named = await create(api, last_name="Okafor")
    assert named["display_name"] == "Paul Okafor"
    assert (await api.ok("PATCH", f"/contacts/{named['id']}", {"last_name": last}))["last_name"] is None


async def test_a_blank_first_name_is_refused() -> None:
    await SHARED.as_key("tp_live_sandbox_full").error("POST", "/contacts", {"first_name": "   "})


async def test_metadata_is_replaced_whole_and_takes_no_uuid_at_its_root() -> None:
    api = make()
    contact = await create(api, metadata={"a": 1, "quick_links": {NOBODY: "https://x.example"}})
    assert (await api.ok("PATCH", f"/contacts/{contact['id']}", {"metadata": {"b": 2}}))["metadata"] == {"b": 2}
    assert await api.get("/crm-settings") == await api.get("/company/crm-settings")
    error = await api.error("PATCH", f"/contacts/{contact['id']}", {"metadata": {NOBODY: "https://x.example"}})
    assert "quick_links" in error["message"]


async def test_every_changed_field_is_logged() -> None:
    api = make()
    contact = await create(api, notes="old")
    await api.ok("PATCH", f"/contacts/{contact['id']}", {"notes": "new", "first_name": "Paul"})
    changes = (await api.ok("GET", "/__sandbox/field-changes"))["field_changes"]
    assert [(c["record_id"], c["field"], c["before"], c["after"]) for c in changes] == [(contact["id"], "notes", "old", "new")]


async def test_contacts_are_filtered_by_every_documented_filter() -> None:
    api = make()
    company = (await api.get("/companies"))[0]["id"]
    fixed = "+61899991234"
    contact = await create(api, last_name="Zzyzx", source="pigeon", phone=MOBILE, email="zz@mail.example", landline=fixed)
    await api.ok("POST", f"/contacts/{contact['id']}/employers/{company}", status=201)
    await api.ok("PATCH", f"/contacts/{contact['id']}", {"sms_unsubscribed": True})
    for text in ("zzyzx", "Paul Zzyzx", "zz@mail", "412345", "0412 345 678", "08 9999 1234"):
        assert [c["id"] for c in await api.get("/contacts", search=text)] == [contact["id"]]
    assert [c["id"] for c in await api.get("/contacts", source="pigeon")] == [contact["id"]]
    assert contact["id"] in [c["id"] for c in await api.get("/contacts", customer_id=company)]
    assert [c["id"] for c in await api.get("/contacts", created_after="2026-06-15")] == [contact["id"]]
    assert contact["id"] not in [c["id"] for c in await api.get("/contacts", created_before="2026-06-15", limit=100)]
    out = await api.listed("/contacts", sms_unsubscribed="true")
    assert all(c["sms_unsubscribed"] for c in out["data"])
    assert out["total"] + (await api.listed("/contacts", sms_unsubscribed="false"))["total"] == 401
    assert all(c["email_unsubscribed"] for c in await api.get("/contacts", email_unsubscribed="true"))
    for text in ("Zzyzx", "zzyzx paul", "paul zz@mail.example"):
        assert [c["id"] for c in await api.ok("POST", "/contacts/search", {"query": text, "limit": 5})] == [contact["id"]]


async def test_employers_are_linked_listed_expanded_and_unlinked() -> None:
    api = make()
    contact, company = await create(api), (await api.get("/companies"))[0]
    path = f"/contacts/{contact['id']}/employers"
    link = await api.ok("POST", f"{path}/{company['id']}", status=201)
    assert (link["contact_id"], link["customer_id"], link["name"]) == (contact["id"], company["id"], company["name"])
    await api.ok("POST", f"{path}/{company['id']}", status=201)
    assert await api.get(path) == [link]
    assert (await api.get(f"/contacts/{contact['id']}", expand="employers"))["employers"] == [link]
    chosen = {"id": contact["id"], "first_name": "Paul", "employers": [link]}
    assert await api.get(f"/contacts/{contact['id']}", fields="first_name", expand="employers") == chosen
    assert await api.get("/contacts", fields="first_name", expand="employers", limit=1) == [chosen]
    await api.error("GET", "/contacts?expand=deals")
    assert contact["id"] in [c["id"] for c in await api.get(f"/companies/{company['id']}/contacts")]
    await api.ok("DELETE", f"{path}/{company['id']}", status=204)
    assert await api.get(path) == []
    await api.error("DELETE", f"{path}/{company['id']}", status=404)
    await api.error("POST", f"{path}/{NOBODY}", status=404)


async def test_birthday_messages_tell_year_channels_and_time() -> None:
    api = make()
    sent = api.workspace.store.all("birthday_send")[0]
    (shown,) = await api.get(f"/contacts/{sent['contact_id']}/birthday-sends")
    assert shown["sent_at"].startswith(str(shown["year"]))
    assert set(shown["channels"]) <= {"email", "sms"}
    assert shown["sent_at"] < "2026-06-15T02"


async def test_bulk_creation_makes_the_good_records_and_explains_the_bad_ones() -> None:
    api = make()
    records = [
        {"first_name": "Alice", "email": "alice@mail.example"}, {"last_name": "Nobody"}, {"first_name": "Bob", "phone": "+61299991234"},
        {"first_name": "Cid", "shoe_size": 44}, {"first_name": "Dee", "last_name": 7}, "Eve", {"first_name": "Flo", "last_name": " "},
    ]  # fmt: skip
    answer = await api.ok("POST", "/contacts/bulk-create", {"records": records, "skip_automations": True}, status=201)
    assert [c["display_name"] for c in answer["created"]] == ["Alice", "Flo"]
    assert [e["index"] for e in answer["errors"]] == [1, 2, 3, 4, 5]
    assert all(e["code"] == "VALIDATION_ERROR" and e["message"] for e in answer["errors"])


async def test_bulk_calls_take_a_hundred_at_most() -> None:
    api = make()
    for path in ("/contacts", "/companies", "/opportunities"):
        await api.error("POST", f"{path}/bulk-create", {"records": [{"first_name": "A"}] * 101})
        await api.error("POST", f"{path}/bulk-delete", {"ids": [NOBODY] * 101})
    stage = (await api.get("/pipelines"))[0]["stages"][0]
    where = {"pipeline_id": stage["pipeline_id"], "stage_id": stage["id"]}
    await api.error("POST", "/opportunities/bulk-move", {"ids": [NOBODY] * 101, **where})
    answer = await api.ok("POST", "/contacts/bulk-create", {"records": [{"first_name": "A"}] * 100}, status=201)
    assert len(answer["created"]) == 100


async def test_bulk_deletion_counts_what_it_deleted_and_names_what_failed() -> None:
    api = make()
    contact = await create(api)
    answer = await api.ok("POST", "/contacts/bulk-delete", {"ids": [contact["id"], NOBODY]})
    assert answer == {"deleted": 1, "failed": [NOBODY]}


async def test_what_a_deleted_contact_leaves_behind_no_longer_names_them() -> None:
    api = make()
    deal = next(d for d in await api.get("/opportunities", limit=100) if d["contact_id"])
    await api.ok("DELETE", f"/contacts/{deal['contact_id']}", status=204)
    assert (await api.get(f"/opportunities/{deal['id']}"))["contact_id"] is None


async def test_opportunities_and_activities_of_a_contact_are_listed() -> None:
    api = make()
    activity = next(a for a in await api.get("/activities", limit=100) if a["deal_id"])
    contact = activity["contact_id"]
    assert activity in await api.get(f"/contacts/{contact}/activities")
    deals = await api.get(f"/contacts/{contact}/opportunities")
    assert activity["deal_id"] in [d["id"] for d in deals]
    assert deals == await api.get(f"/contacts/{contact}/deals")
    other = await create(api)
    await api.ok("POST", f"/opportunities/{deals[0]['id']}/contacts/{other['id']}", status=201)
    assert [d["id"] for d in await api.get(f"/contacts/{other['id']}/opportunities")] == [deals[0]["id"]]


@pytest.mark.parametrize(
    "body",
    [
        {"phone": MOBILE},
        {"phone": "0412 345 678"},
        {"args": {"phone": MOBILE, "reason": "asked on a call"}},
        {"call": {"from_number": MOBILE, "to_number": "+61400000000"}, "name": "unsubscribe_caller", "args": {}},
        {"call": {"from_number": "+61400000000", "to_number": MOBILE, "direction": "outbound"}, "args": {}},
    ],
)
async def test_a_voice_caller_is_unsubscribed_with_everyone_who_shares_the_number(body: dict[str, Any]) -> None:
    api = make()
    ids = [(await create(api, phone=MOBILE))["id"] for _ in range(22)]
    response = await api.send("POST", "/contacts/voice/unsubscribe", body)
    assert response.headers["content-type"].startswith("text/plain")
    assert not response.text.startswith(FAILED)
    people = [await api.get(f"/contacts/{i}") for i in ids]
    assert sum(p["email_unsubscribed"] and p["sms_unsubscribed"] for p in people) == 20
    assert "asked on a call" in (people[0]["notes"] or "") or "reason" not in str(body)


@pytest.mark.parametrize("body", [{}, {"phone": "+61400000001"}, {"phone": "hello"}, {"args": None, "call": 5}, {"phone": 5}])
async def test_a_failed_voice_unsubscribe_says_so_in_its_first_words(body: dict[str, Any]) -> None:
    response = await SHARED.as_key("tp_live_sandbox_full").send("POST", "/contacts/voice/unsubscribe", body)
    assert response.status_code == 200
    assert response.text.startswith(FAILED)
