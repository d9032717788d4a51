"""Contacts, opportunities and tasks against plain dicts: whatever is done in whatever order, every read agrees with the model."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from tests.contract.test_sandbox_support import make

CALLER = make()
WORDS = st.sampled_from(["Ann", "Bo", "Cy", "Dee"])
_machine = itertools.count(1)


def do(method: str, path: str, body: Any = None, *, status: int = 200, **params: Any) -> Any:
    api = CALLER.as_key("tp_live_sandbox_full")
    return asyncio.run(api.ok(method, path, body, status=status, params=params))


def ids(path: str, **params: Any) -> set[str]:
    """The ids of a whole list, page by page."""
    found: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        answer = asyncio.run(CALLER.as_key("tp_live_sandbox_full").listed(path, limit=3, **params, **cursor))
        found += [row["id"] for row in answer["data"]]
        if not answer["pagination"]["has_more"]:
            assert len(found) == len(set(found)) == answer["total"]
            return set(found)
        cursor = {"cursor": answer["pagination"]["next_cursor"]}


class Workspace(RuleBasedStateMachine):
    """One run works in a pipeline of its own, under a word that no other record holds."""

    contacts, deals, tasks = Bundle("contacts"), Bundle("deals"), Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self.word = f"qzx{next(_machine):05d}qzx"
        self.pipeline = do("POST", "/pipelines", {"name": self.word}, status=201)["id"]
        path = f"/pipelines/{self.pipeline}/stages"
        self.stages = [do("POST", path, {"name": name}, status=201)["id"] for name in ("New", "Done")]
        self.model: dict[str, dict[str, dict[str, Any]]] = {"contacts": {}, "opportunities": {}, "tasks": {}}

    def create(self, kind: str, **fields: Any) -> str:
        record = do("POST", f"/{kind}", fields, status=201)
        self.model[kind][record["id"]] = fields
        return str(record["id"])

    def update(self, kind: str, record_id: str, **fields: Any) -> None:
        do("PATCH", f"/{kind}/{record_id}", fields)
        self.model[kind][record_id] |= fields

    @rule(target=contacts, name=WORDS)
    def add_contact(self, name: str) -> str:
        return self.create("contacts", first_name=name, last_name=self.word)

    @rule(contact=contacts, name=WORDS)
    def rename_contact(self, contact: str, name: str) -> None:
        self.update("contacts", contact, first_name=name)

    @rule(contact=consumes(contacts))
    def delete_contact(self, contact: str) -> None:
        do("DELETE", f"/contacts/{contact}", status=204)
        del self.model["contacts"][contact]
        for kind in ("opportunities", "tasks"):
            for record in self.model[kind].values():
                if record.get("contact_id") == contact:
                    record["contact_id"] = None

    @rule(target=deals, name=WORDS, contact=contacts, stage=st.integers(0, 1))
    def add_opportunity(self, name: str, contact: str, stage: int) -> Any:
        if contact not in self.model["contacts"]:
            return multiple()
        deal = self.create("opportunities", name=f"{name} {self.word}", contact_id=contact)
        self.move_opportunity(deal, stage)
        return deal

    @rule(deal=deals, stage=st.integers(0, 1))
    def move_opportunity(self, deal: str, stage: int) -> None:
        do("POST", f"/opportunities/{deal}/move", {"pipeline_id": self.pipeline, "stage_id": self.stages[stage]})
        self.model["opportunities"][deal]["stage"] = self.stages[stage]

    @rule(deal=deals, status=st.sampled_from(["open", "won", "lost"]))
    def settle_opportunity(self, deal: str, status: str) -> None:
        self.update("opportunities", deal, status=status)

    @rule(deal=consumes(deals))
    def delete_opportunity(self, deal: str) -> None:
        do("DELETE", f"/opportunities/{deal}", status=204)
        del self.model["opportunities"][deal]
        for task in self.model["tasks"].values():
            if task["deal_id"] == deal:
                task["deal_id"] = None

    @rule(target=tasks, title=WORDS, deal=deals)
    def add_task(self, title: str, deal: str) -> Any:
        return (
            self.create("tasks", title=f"{title} {self.word}", deal_id=deal)
            if deal in self.model["opportunities"]
            else multiple()
        )

    @rule(task=tasks, status=st.sampled_from(["pending", "completed"]))
    def settle_task(self, task: str, status: str) -> None:
        self.update("tasks", task, status=status)

    @rule(task=consumes(tasks))
    def delete_task(self, task: str) -> None:
        do("DELETE", f"/tasks/{task}", status=204)
        del self.model["tasks"][task]

    @invariant()
    def records_are_as_in_the_model(self) -> None:
        for kind, records in self.model.items():
            for record_id, fields in records.items():
                shown = do("GET", f"/{kind}/{record_id}")
                wanted = {k: v for k, v in fields.items() if k != "stage"}
                assert {k: shown[k] for k in wanted} == wanted
                if "stage" in fields:
                    assert [p["stage_id"] for p in shown["placements"]] == [fields["stage"]]

    @invariant()
    def lists_and_filters_are_as_in_the_model(self) -> None:
        contacts, deals, tasks = self.model.values()
        assert ids("/contacts", search=self.word) == set(contacts)
        for stage in self.stages:
            assert ids("/opportunities", stage_id=stage) == {i for i, d in deals.items() if d["stage"] == stage}
        for status in ("open", "won"):
            wanted = {i for i, d in deals.items() if d.get("status", "open") == status}
            assert ids("/opportunities", pipeline_id=self.pipeline, status=status) == wanted
        done = {i for i, t in tasks.items() if t.get("status") == "completed"}
        assert ids("/tasks", search=self.word, status="completed") == done
        assert ids("/tasks", search=self.word) == set(tasks)


Workspace.TestCase.settings = settings(max_examples=5, stateful_step_count=12, deadline=None)
TestWorkspace = Workspace.TestCase
