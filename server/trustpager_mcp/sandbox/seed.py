"""A believable workspace: a trades and home-energy business in Australia, one year into using its CRM."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from . import seed_texts as texts
from . import seed_words as words
from .rules import normal_tags
from .store import Record, Store

_Link = tuple[str, str, dict[str, Any]]
CONTACTS, COMPANIES, OPPORTUNITIES, PRODUCTS, ACTIVITIES, TASKS = 400, 120, 300, 40, 600, 150


def seed_workspace(store: Store, now: datetime, seed: int, parts: dict[str, Callable[[Seeder], None]]) -> None:
    """Fill an empty store. The same seed and now give the same records, ids included.

    `parts` are the groups' own seeds by name; each has its own random numbers, so that adding one changes no other.
    """
    with store.transaction():
        _CoreSeeder(store, now, random.Random(seed), random.Random(f"{seed}/texts")).run()
        for name, part in parts.items():
            part(Seeder(store, now, random.Random(f"{seed}/{name}")))


class Seeder:
    """Makes records of the past: `now` is the workspace's first hour, `rng` its chance."""

    def __init__(self, store: Store, now: datetime, rng: random.Random) -> None:
        self.store, self.now, self.rng = store, now.replace(minute=0, second=0, microsecond=0), rng

    def id(self) -> str:
        return str(UUID(int=self.rng.getrandbits(128), version=4))

    def time(self, days_ago: float) -> str:
        """A moment before (or, negative, after) the first hour, as the API writes it."""
        return (self.now - timedelta(days=days_ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def record(self, days_ago: float, **fields: Any) -> Record:
        """A record made that many days ago; add it to the store yourself."""
        at = self.time(days_ago)
        return {"id": self.id(), **fields, "created_at": at, "updated_at": at}

    def make(self, kind: str, count: int, fields: Callable[[int], Record]) -> list[Record]:
        """Add records created over the last year, oldest first, so that the newest come first in lists."""
        ages = sorted((self.rng.uniform(1, 365) for _ in range(count)), reverse=True)
        records = [self.record(age, **fields(i)) for i, age in enumerate(ages)]
        self.store.add(kind, records)
        return records


class _CoreSeeder(Seeder):
    _phones = 0

    def __init__(self, store: Store, now: datetime, rng: random.Random, words_rng: random.Random) -> None:
        """`words_rng` chooses texts only, so that more of them change nothing else."""
        super().__init__(store, now, rng)
        self.words_rng = words_rng
        self._team: list[str] = []

    def record(self, days_ago: float, **fields: Any) -> Record:
        """Made by someone of the team, once there is one."""
        made_by = {"created_by": self.words_rng.choice(self._team)} if self._team else {}
        return super().record(days_ago, **fields, **made_by)

    def run(self) -> None:
        users = self._users()
        self._team = [u["id"] for u in users]
        companies = self._companies()
        contacts = self._contacts(companies)
        products = self._products(companies)
        stages = self._pipelines()
        deals = self._opportunities(contacts, companies, users, stages, products)
        self._activities(deals, contacts)
        self._tasks(deals, users)
        self._attachments(deals)

    def _mobile(self) -> str:
        self._phones += 1
        return f"+6149157{self._phones:04d}"

    def _place(self) -> Record:
        """An address."""
        rng = self.words_rng
        city, state, code = rng.choice(words.CITIES)
        line = f"{rng.randint(1, 240)} {rng.choice(words.STREETS)}"
        return {"address_line1": line, "city": city, "state": state, "postal_code": code, "country": "Australia"}

    def _users(self) -> list[Record]:
        def fields(i: int) -> Record:
            name, role = words.TEAM[i]
            return {"name": name, "email": f"{name.split()[0].lower()}@brightside.example", "role": role}

        return self.make("user", len(words.TEAM), fields)

    def _companies(self) -> list[Record]:
        rng = self.rng
        pairs = [(a, b) for a in words.COMPANY_NAMES for b in words.COMPANY_KINDS]
        chosen = rng.sample(pairs, COMPANIES)

        def fields(i: int) -> Record:
            first, (kind, industry) = chosen[i]
            site = f"{first}{kind}".lower().replace(" ", "").replace("&", "and") + ".example"
            return {
                "name": f"{first} {kind}", "email": f"office@{site}", "phone": self._mobile(),
                "landline": f"+6129155{i:04d}", "industry": industry, "website": f"https://{site}", "metadata": self._folder(0.4),
                "notes": texts.company_notes(self.words_rng, rng.choice(words.COMPANY_NOTES)), **self._place(),
                "tax_number": f"{self.words_rng.randint(10, 99)} {self.words_rng.randint(100, 999)} 753 556",
                "timezone": "Australia/Sydney",
            }  # fmt: skip

        return self.make("company", COMPANIES, fields)

    def _contacts(self, companies: list[Record]) -> list[Record]:
        rng = self.rng

        def fields(i: int) -> Record:
            first, last = rng.choice(words.FIRST_NAMES), rng.choice(words.LAST_NAMES)
            city, state, code = rng.choice(words.CITIES)
            single = rng.random() < 0.04
            mail = f"{first}{'' if single else '.' + last}{i}".lower().replace("'", "").replace(" ", "")
            born = f"{rng.randint(1955, 2003)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
            return {
                "first_name": first, "last_name": None if single else last, "email": f"{mail}@mail.example",
                "phone": self._mobile(), "landline": None, "date_of_birth": born if rng.random() < 0.4 else None,
                "job_title": rng.choice(words.JOBS), "source": rng.choice(words.SOURCES),
                "notes": texts.contact_notes(self.words_rng, rng.choice(words.CONTACT_NOTES)),
                "metadata": {**self._meter(i), **self._folder(0.3)},
                "address_line1": f"{rng.randint(1, 240)} {rng.choice(words.STREETS)}", "city": city, "state": state,
                "postal_code": code, "country": "Australia",
                "email_unsubscribed": rng.random() < 0.05, "sms_unsubscribed": rng.random() < 0.03,
            }  # fmt: skip

        contacts = self.make("contact", CONTACTS, fields)
        employed: list[_Link] = [(c["id"], rng.choice(companies)["id"], {}) for c in contacts if rng.random() < 0.6]
        self.store.link_many("employer", employed)
        sends = [
            self._birthday_send(c, rng.choice([["email"], ["sms"], ["email", "sms"]]))
            for c in contacts
            if c["date_of_birth"] and rng.random() < 0.3
        ]
        self.store.add("birthday_send", sends)
        return contacts

    def _birthday_send(self, contact: Record, channels: list[str]) -> Record:
        """The message of the contact's last birthday."""
        born = contact["date_of_birth"]
        year = self.now.year - (f"{self.now:%m-%d}" <= born[5:])
        at = f"{year}-{born[5:]}T09:00:00Z"
        sent = self.record(0, contact_id=contact["id"], year=year, channels=channels, sent_at=at)
        return {**sent, "created_at": at, "updated_at": at}

    def _products(self, companies: list[Record]) -> list[Record]:
        def fields(i: int) -> Record:
            name, price, unit, category = words.PRODUCTS[i]
            description, benefits = texts.product_texts(self.words_rng, name, category)
            return {
                "name": name, "sku": f"BS-{i + 100}", "price": price, "currency": "AUD", "category": category, "unit": unit,
                "description": description, "benefits": benefits, "images": [], "is_active": i % 13 != 12,
                "work_order_config": None, "metadata": {},
            }  # fmt: skip

        products = self.make("product", PRODUCTS, fields)
        costs = [
            self.record(200, product_id=p["id"], label="Wholesale", cost_price=round(p["price"] * 0.6, 2), quantity=1,
                         supplier_id=self.rng.choice(companies)["id"], supplier_product_id=None)
            for p in products
        ]  # fmt: skip
        self.store.add("product_cost", costs)
        return products

    def _pipelines(self) -> list[tuple[Record, list[Record]]]:
        result = []
        for name, stage_names in words.PIPELINES:
            pipeline = self.record(365, name=name)
            stages = [
                self.record(365, pipeline_id=pipeline["id"], name=s, position=i, color=words.COLORS[i % len(words.COLORS)])
                for i, s in enumerate(stage_names)
            ]
            self.store.add("pipeline", [pipeline])
            self.store.add("stage", stages)
            result.append((pipeline, stages))
        return result

    def _opportunities(
        self,
        contacts: list[Record],
        companies: list[Record],
        users: list[Record],
        pipelines: list[tuple[Record, list[Record]]],
        products: list[Record],
    ) -> list[Record]:
        rng = self.rng
        people = rng.sample(contacts, OPPORTUNITIES)

        def fields(i: int) -> Record:
            who = people[i]
            firm = rng.choice(companies) if rng.random() < 0.5 else None
            status = rng.choices(["open", "won", "lost"], [6, 2, 2])[0]
            referred = rng.random() < 0.1
            tags = rng.sample(words.TAGS, rng.choice([0, 0, 1, 1, 2]))
            return {
                "name": f"{rng.choice(words.JOB_KINDS)} – {who['last_name'] or who['first_name']}", "contact_id": who["id"],
                "customer_id": firm["id"] if firm else None, "status": status, "value": None, "currency": "AUD",
                "lead_source": who["source"], "tags": normal_tags(list(tags)), "metadata": {**self._roof(), **self._folder(0.5)},
                "notes": texts.deal_notes(self.words_rng, rng.choice(words.DEAL_NOTES)),
                "primary_referrer_contact_id": rng.choice(contacts)["id"] if referred else None,
                "primary_referrer_category": "Past client" if referred else None, "last_activity_at": None,
                "won_at": None, "lost_at": None,
            }  # fmt: skip

        deals = self.make("opportunity", OPPORTUNITIES, fields)
        lines: list[Record] = []
        cards: list[_Link] = []
        owners: list[_Link] = []
        further: list[_Link] = []
        for deal in deals:
            for position, product in enumerate(rng.sample(products, rng.randint(1, 3))):
                lines.append(self._line(deal, product, position))
            pipeline, stages = pipelines[rng.choices([0, 1, 2], [6, 3, 1])[0]]
            stage = stages[-1] if deal["status"] == "won" else rng.choice(stages[:-1])
            card = {"stage_id": stage["id"], "position": 0, "entered_at": deal["created_at"]}
            cards.append((deal["id"], pipeline["id"], card))
            if pipeline is pipelines[0][0] and deal["status"] == "won" and rng.random() < 0.5:
                delivery, steps = pipelines[1]
                cards.append((deal["id"], delivery["id"], {**card, "stage_id": rng.choice(steps)["id"]}))
            owners.append((deal["id"], rng.choice(users)["id"], {}))
            if rng.random() < 0.2:
                further.append((deal["id"], rng.choice(contacts)["id"], {}))
        self.store.add("opportunity_product", lines)
        self.store.link_many("card", cards)
        self.store.link_many("opportunity_user", owners)
        self.store.link_many("opportunity_contact", further)
        return deals

    def _folder(self, share: float) -> Record:
        """The quick link to a record's folder, where somebody set it."""
        if self.words_rng.random() > share:
            return {}
        return {
            "quick_links": {words.JOB_FOLDER: f"https://files.brightside.example/folders/{self.words_rng.getrandbits(64):016x}"}
        }

    def _meter(self, i: int) -> Record:
        return {"cf_meter_number": f"NMI 4103{self.words_rng.randint(10**6, 10**7 - 1)}"} if i % 3 else {}

    def _roof(self) -> Record:
        """The workspace's custom fields of a deal, as far as they were filled in."""
        return {"cf_roof_type": self.words_rng.choice(["Tile", "Metal", "Flat"])} if self.words_rng.random() < 0.6 else {}

    def _line(self, deal: Record, product: Record, position: int) -> Record:
        return {
            **self.record(1), "opportunity_id": deal["id"], "product_id": product["id"], "name": product["name"],
            "quantity": self.rng.randint(1, 2 if product["price"] > 1000 else 12), "unit_price": product["price"],
            "discount_percent": self.rng.choice([0, 0, 0, 5, 10]), "deposit_percent": 30,
            "payment_status": "paid" if deal["status"] == "won" else "unpaid", "position": position,
            "created_at": deal["created_at"], "updated_at": deal["created_at"],
        }  # fmt: skip

    def _activities(self, deals: list[Record], contacts: list[Record]) -> None:
        rng = self.rng
        # A third of the open deals went quiet: nothing was logged on them for over a month.
        ages = sorted((rng.uniform(0.05, 360) for _ in range(ACTIVITIES)), reverse=True)
        quiet = {d["id"] for d in deals if rng.random() < 0.33}
        touched: dict[str, str] = {}
        records = []
        for age in ages:
            created = [d for d in (rng.choice(deals) for _ in range(12)) if d["created_at"] <= self.time(age)]
            deal = next((d for d in created if age > 35 or d["id"] not in quiet), None)
            kind = rng.choice(["call", "call", "meeting", "note", "note"])
            subject, text = rng.choice(words.ACTIVITIES[kind])
            contact_id = deal["contact_id"] if deal else rng.choice(contacts)["id"]
            links = {"contact_id": contact_id, "deal_id": deal["id"] if deal else None}
            links["customer_id"] = deal["customer_id"] if deal else None
            said = texts.log(self.words_rng, text)
            records.append(self.record(age, activity_type=kind, subject=subject, description=said, **links))
            if deal:
                touched[deal["id"]] = records[-1]["created_at"]
        self.store.add("activity", records)
        for deal in deals:
            at = touched.get(deal["id"])
            if at:
                deal["last_activity_at"] = at
                deal["updated_at"] = max(deal["updated_at"], at)
                self.store.save("opportunity", deal)

    def _tasks(self, deals: list[Record], users: list[Record]) -> None:
        rng = self.rng
        categories = [self.record(365, name=n, color=c) for n, c in words.TASK_CATEGORIES]
        self.store.add("task_category", categories)

        def fields(i: int) -> Record:
            deal = rng.choice(deals)
            due = self.now + timedelta(days=rng.randint(-40, 30))
            return {
                "title": rng.choice(words.TASKS), "description": texts.task_description(self.words_rng),
                "status": rng.choice(["pending", "pending", "completed"]),
                "priority": rng.choice(["low", "medium", "medium", "high"]), "due_date": due.strftime("%Y-%m-%d"),
                "deal_id": deal["id"], "contact_id": deal["contact_id"], "assigned_to": rng.choice(users)["id"],
                "category_id": rng.choice(categories)["id"], "position": TASKS - 1 - i, "completed_at": None,
            }  # fmt: skip

        for task in self.make("task", TASKS, fields):
            if task["status"] == "completed":
                self.store.save("task", {**task, "completed_at": task["created_at"]})

    def _attachments(self, deals: list[Record]) -> None:
        rng = self.rng
        kinds = [("document", "site-plan.pdf", "application/pdf"), ("image", "roof.png", "image/png"),
                 ("image", "switchboard.png", "image/png"), ("secure", "id-check.pdf", "application/pdf")]  # fmt: skip
        files = []
        for i in range(24):
            kind, name, mime = kinds[i % len(kinds)]
            size = rng.randint(20_000, 4_000_000)
            files.append(self.record(rng.uniform(1, 200), type=kind, name=f"{i:02d}-{name}", mime_type=mime, file_size=size))
        documents = [self.record(rng.uniform(1, 200), name=f"Proposal {i + 1}", document_type="proposal") for i in range(12)]
        sheets = [self.record(rng.uniform(1, 200), name=f"Measurements {i + 1}") for i in range(8)]
        self.store.add("file", sorted(files, key=lambda f: f["created_at"]))
        self.store.add("document", sorted(documents, key=lambda d: d["created_at"]))
        self.store.add("spreadsheet", sheets)
        for link, records in (("file", files), ("document", documents), ("spreadsheet", sheets)):
            pairs: list[_Link] = [(rng.choice(deals)["id"], r["id"], {}) for r in records]
            self.store.link_many(f"opportunity_{link}", pairs)
        won = [d for d in deals if d["status"] == "won"]
        invoices = [
            self.record(rng.uniform(1, 150), trustpager_deal_id=d["id"], number=f"INV-{1000 + i}", currency="AUD",
                         due_date=self.time(rng.uniform(-14, 60))[:10],
                         status=rng.choice(["paid", "sent", "overdue"]), total=round(rng.uniform(400, 15_000), 2))
            for i, d in enumerate(won)
        ]  # fmt: skip
        self.store.add("invoice", invoices)
