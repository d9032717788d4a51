"""What an automation knows when it runs: the trigger's data, enriched by the CRM's records, and texts filled from both."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from ..company import setting
from ..people import greeting_of, name_of
from ..store import Record
from ..world import World
from ..zones import must_find

_VARIABLE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_NAMESPACES = ("deal", "contact", "customer")
_KINDS = {"contact": "contact", "customer": "company", "deal": "opportunity"}
# Fields by which a trigger names a person, where it names none by id.
_EMAILS = ("email", "contact_email", "from_email", "customer_email", "booker_email", "recipient_email")
_PHONES = ("phone", "contact_phone", "from_number", "customer_phone")


class Context:
    """The records that a trigger is about and every value that conditions and texts may name."""

    def __init__(self, world: World, trigger_data: Record) -> None:
        self.world, self.trigger_data = world, trigger_data
        self.found_by: str | None = None
        """How the trigger's records were found: by id, or the person's email or phone."""
        self.deal = self._record("deal")
        self.contact = self._record("contact") or self._get("contact", (self.deal or {}).get("contact_id")) or self._matched()
        if self.deal is None and self.contact:
            deals = world.store.all("opportunity", contact_id=self.contact["id"])
            self.deal = next((d for d in deals if d["status"] == "open"), None)
        self.customer = self._record("customer") or self._get("company", (self.deal or {}).get("customer_id")) or self._employer()

    def _record(self, entity: str) -> Record | None:
        data = self.trigger_data
        nested = data.get(entity)
        if data.get("_trigger_entity_kind") == entity:
            return self._by_id(entity, data.get("_trigger_entity_id"))
        named = data.get(f"{entity}_id") or (nested.get("id") if isinstance(nested, dict) else None)
        return self._by_id(entity, named)

    def _by_id(self, entity: str, record_id: Any) -> Record | None:
        record = self._get(_KINDS[entity], record_id)
        self.found_by = "id" if record else self.found_by
        return record

    def _get(self, kind: str, record_id: Any) -> Record | None:
        return self.world.store.get(kind, record_id) if isinstance(record_id, str) else None

    def _matched(self) -> Record | None:
        """The person that the trigger's email or phone number belongs to."""
        nested = self.trigger_data.get("contact")
        data = {**self.trigger_data, **(nested if isinstance(nested, dict) else {})}
        for name, fields in (("email", _EMAILS), ("phone", _PHONES)):
            wanted = next((data[f] for f in fields if isinstance(data.get(f), str)), None)
            found = self.world.store.all("contact", **{name: wanted}) if wanted else []
            if found:
                self.found_by = name
                return found[0]
        return None

    def _employer(self) -> Record | None:
        links = self.world.store.linked("employer", self.contact["id"]) if self.contact else []
        return self._get("company", links[0][0]) if links else None

    @cached_property
    def values(self) -> Record:
        """The trigger's own data under the CRM's records as they stand when this is first asked for."""
        world, deal = self.world, self.deal
        values: Record = {"now": world.clock.iso(), "today": self.today()}
        values["company"] = {"name": setting(world.store, "company_name"), "email": setting(world.store, "company_email")}
        if self.contact:
            values["contact"] = self._over("contact", contact_values(self.contact))
        if self.customer:
            values["customer"] = values["account"] = self._over("customer", self.customer)
        if deal:
            values["deal"] = self._over("deal", deal_values(world, deal))
            owner = assignee(world, deal["id"])
            if owner:
                values["assigned_user"] = owner
        return {**self.trigger_data, **values}

    def _over(self, entity: str, record: Record) -> Record:
        """A record with what the trigger says of it beside; the record wins."""
        said = self.trigger_data.get(entity)
        return {**(said if isinstance(said, dict) else {}), **record}

    def today(self) -> str:
        zone = must_find(setting(self.world.store, "timezone"))
        return f"{self.world.clock.now().astimezone(zone):%Y-%m-%d}"

    def lookup(self, path: str) -> Any:
        """The value of a dotted name; a bare one is looked for in the trigger's data, then deal, contact and customer."""
        if (found := _walk(self.values, path)) is not None or "." in path:
            return found
        return next((v for n in _NAMESPACES if (v := _walk(self.values.get(n), path)) is not None), None)

    def fill(self, text: Any) -> Any:
        """Texts with their {{variables}} replaced, through objects and lists; what nothing is known of becomes empty."""
        if isinstance(text, str):
            return _VARIABLE.sub(lambda match: _shown(self.lookup(match[1])), text)
        if isinstance(text, dict):
            return {k: self.fill(v) for k, v in text.items()}
        return [self.fill(v) for v in text] if isinstance(text, list) else text


def contact_values(contact: Record) -> Record:
    name = name_of(contact)
    return {**contact, "display_name": name, "full_name": name, "greeting": greeting_of(contact)}


def deal_values(world: World, deal: Record) -> Record:
    """The deal with its value and where it stands."""
    store = world.store
    value = deal.get("value")
    if value is None:
        lines = store.all("opportunity_product", opportunity_id=deal["id"])
        value = round(sum(n["quantity"] * n["unit_price"] * (1 - (n.get("discount_percent") or 0) / 100) for n in lines), 2)
    cards = store.linked("card", deal["id"])
    pipeline, stage = ({}, {}) if not cards else (store.get("pipeline", cards[0][0]), store.get("stage", cards[0][1]["stage_id"]))
    place = {"pipeline_name": (pipeline or {}).get("name"), "stage_name": (stage or {}).get("name")}
    return {**deal, "value": value, **place}


def assignee(world: World, deal_id: str) -> Record | None:
    """The primary owner: the link that says so, else the first."""
    links = world.store.linked("opportunity_user", deal_id)
    chosen = next((user for user, link in links if link.get("is_primary")), links[0][0] if links else None)
    return world.store.get("user", chosen) if chosen else None


def _walk(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(v.get("name") if isinstance(v, dict) else v) for v in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
