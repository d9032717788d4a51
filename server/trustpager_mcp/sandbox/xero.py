"""Accounting as Xero would tell it, out of the workspace's own companies, contacts, invoices and bills."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid5

from .checks import moment
from .clock import months_later
from .engine import contains
from .errors import invalid, not_found
from .people import name_of
from .store import Record
from .world import World

_NAMESPACE = UUID("5c7c0b5e-0d0a-4d3b-8f0e-6a4a3f6d2f11")
_PAGE = 100
_STATUS = {"paid": "PAID", "sent": "AUTHORISED", "overdue": "AUTHORISED", "draft": "DRAFT", "void": "VOIDED", "voided": "VOIDED"}
ACCOUNTS = (
    ("090", "Business account", "BANK"), ("200", "Sales", "REVENUE"), ("260", "Other revenue", "REVENUE"),
    ("310", "Cost of goods sold", "DIRECTCOSTS"), ("400", "Advertising", "EXPENSE"), ("429", "General expenses", "EXPENSE"),
    ("449", "Motor vehicle", "EXPENSE"), ("477", "Wages", "EXPENSE"), ("610", "Accounts receivable", "CURRENT"),
    ("800", "Accounts payable", "CURRLIAB"), ("820", "GST", "CURRLIAB"), ("960", "Retained earnings", "EQUITY"),
)  # fmt: skip
TAX_RATES = (("OUTPUT", "GST on income", 10.0), ("INPUT", "GST on expenses", 10.0), ("EXEMPTOUTPUT", "GST free income", 0.0))
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_TRACKING = ("tracking_category_id", "tracking_option_id", "tracking_option_id_1", "tracking_option_id_2")
_BUCKETS = ("current", "days_1_30", "days_31_60", "days_61_90", "days_90_plus")


def contact_id(record_id: str) -> str:
    """The Xero contact that stands for a company or contact of the workspace."""
    return str(uuid5(_NAMESPACE, record_id))


def contacts(world: World) -> list[Record]:
    """Xero's contacts: those made by hand, companies, and people who have an invoice."""
    made = world.store.all("xero_contact")
    firms = [_contact(c, c["name"]) for c in world.store.all("company")]
    billed = {p["id"]: p for i in world.store.all("invoice") if (p := _person(world, i))}
    people = [_contact(p, name_of(p)) for p in billed.values()]
    return [*made, *firms, *people]


def _contact(record: Record, name: str) -> Record:
    return {
        "ContactID": contact_id(record["id"]), "Name": name, "EmailAddress": record.get("email"), "ContactStatus": "ACTIVE",
        "IsCustomer": True, "IsSupplier": record.get("industry") == "Wholesale", "trustpager_id": record["id"],
    }  # fmt: skip


def _deal(world: World, invoice: Record) -> Record | None:
    return world.store.get("opportunity", invoice.get("trustpager_deal_id") or "")


def _person(world: World, invoice: Record) -> Record | None:
    deal = _deal(world, invoice)
    return world.store.get("contact", deal["contact_id"] or "") if deal and not deal.get("customer_id") else None


def find_contact(world: World, wanted: str) -> Record | None:
    """Xero's contact by its own id, or by that of the company or contact of the workspace for which it stands."""
    for contact in contacts(world):
        if wanted in (contact["ContactID"], contact["trustpager_id"]):
            return contact
    person = world.store.get("contact", wanted)
    return _contact(person, name_of(person)) if person else None


def payer(world: World, deal: Record) -> Record | None:
    """Whom a deal's invoices go to: its company, else its contact."""
    kinds = (("company", deal.get("customer_id")), ("contact", deal.get("contact_id")))
    return next((r for kind, i in kinds if i and (r := world.store.get(kind, i))), None)


def sales(world: World) -> list[Record]:
    """Sales invoices (ACCREC), newest first."""
    return [_invoice(world, i) for i in world.store.all("invoice")]


def bills(world: World) -> list[Record]:
    """What suppliers are owed (ACCPAY)."""
    return [_bill(world, b) for b in world.store.all("xero_bill")]


def _invoice(world: World, invoice: Record) -> Record:
    deal = _deal(world, invoice)
    who = payer(world, deal) if deal else None
    name = (who.get("name") or name_of(who)) if who else "Unknown"
    known = invoice.get("xero_contact_id") or (contact_id(who["id"]) if who else None)
    if who is None and known and (contact := find_contact(world, known)):
        name = contact["Name"]
    return _document(invoice, "ACCREC", known, name)


def _bill(world: World, bill: Record) -> Record:
    company = world.store.get("company", bill["company_id"]) or {"name": "Unknown", "id": bill["company_id"]}
    return _document(bill, "ACCPAY", contact_id(company["id"]), company["name"])


def _document(record: Record, kind: str, contact: str | None, name: str) -> Record:
    status = _STATUS.get(str(record["status"]).lower(), str(record["status"]).upper())
    total = float(record["total"])
    due = 0.0 if status in ("PAID", "VOIDED") else total
    return {
        "InvoiceID": record["id"], "InvoiceNumber": record.get("number"), "Type": kind, "Status": status, "Total": total,
        "Contact": {"ContactID": contact, "Name": name}, "AmountDue": due, "AmountPaid": total - due if status == "PAID" else 0.0,
        "CurrencyCode": record.get("currency", "AUD"), "Date": record["created_at"][:10], "DueDate": record.get("due_date"),
    }  # fmt: skip


def _param(params: Record, *names: str) -> Any:
    return next((params[n] for n in names if params.get(n) is not None), None)


def _day(params: Record, *names: str) -> date | None:
    given = moment(_param(params, *names))
    return given.date() if given else None


def _required_contact(world: World, params: Record) -> Record:
    wanted = _param(params, "contact_id", "contactId")
    if not wanted:
        raise invalid("params.contact_id is required by this query", field="params.contact_id")
    for contact in contacts(world):
        if contact["ContactID"] == wanted:
            return contact
    raise not_found("Xero contact", str(wanted))


def _paged(rows: list[Record], params: Record) -> list[Record]:
    page = params.get("page", 1)
    return rows[(page - 1) * _PAGE : page * _PAGE]


def _contacts(world: World, params: Record) -> Any:
    rows = contacts(world)
    if search := params.get("search"):
        rows = [r for r in rows if contains(r, str(search), "Name", "EmailAddress")]
    return {"Contacts": _paged(rows, params)}


def _invoices(world: World, params: Record) -> Any:
    rows = _with_status(sales(world), params)
    start, end = _day(params, "date_from", "dateFrom"), _day(params, "date_to", "dateTo")
    return {"Invoices": _paged(list(_between(rows, start, end)), params)}


def _with_status(rows: list[Record], params: Record) -> list[Record]:
    wanted = params.get("statuses")
    names = {s.strip().upper() for s in (wanted.split(",") if isinstance(wanted, str) else wanted or ())}
    return [r for r in rows if r["Status"] in names] if names else rows


def _between(rows: Iterable[Record], start: date | None, end: date | None) -> Iterable[Record]:
    for row in rows:
        day = date.fromisoformat(row["Date"])
        if (start is None or day >= start) and (end is None or day <= end):
            yield row


def _by_contact(world: World, params: Record) -> Any:
    contact = _required_contact(world, params)
    rows = [i for i in sales(world) if i["Contact"]["ContactID"] == contact["ContactID"]]
    return {"Invoices": _with_status(rows, params)}


def _accounts(_world: World, params: Record) -> Any:
    kind = params.get("type")
    rows = [{"Code": c, "Name": n, "Type": t, "Status": "ACTIVE"} for c, n, t in ACCOUNTS if kind in (None, t)]
    return {"Accounts": rows}


def _tax_rates(_world: World, params: Record) -> Any:
    status = str(params.get("status") or "ACTIVE").upper()
    rows = [{"TaxType": t, "Name": n, "EffectiveRate": r, "Status": "ACTIVE"} for t, n, r in TAX_RATES]
    return {"TaxRates": rows if status == "ACTIVE" else []}


def _row(title: str, *values: float) -> Record:
    return {"RowType": "Row", "Cells": [{"Value": title}, *({"Value": f"{v:.2f}"} for v in values)]}


def _report(name: str, titles: list[str], *sections: Record) -> Record:
    return {"Reports": [{"ReportName": name, "ReportTitles": titles, "Rows": list(sections)}]}


def _section(title: str, rows: list[Record]) -> Record:
    return {"RowType": "Section", "Title": title, "Rows": rows}


def _columns(params: Record) -> list[int]:
    """How many months back each column of a report lies: the asked time itself, then the earlier ones to compare it with."""
    for name in _TRACKING:
        if params.get(name):
            raise not_found("Xero tracking category or option", str(params[name]))
    step = _MONTHS[params.get("timeframe", "MONTH")]
    return [n * step for n in range(params.get("periods", 0) + 1)]


def _earlier(day: date, months: int) -> date:
    """The day as many months before; the last of a month stays the last."""
    if (day + timedelta(days=1)).day == 1:
        return months_later(day + timedelta(days=1), -months) - timedelta(days=1)
    return months_later(day, -months)


def _header(days: list[date]) -> Record:
    return {"RowType": "Header", "Cells": [{"Value": ""}, *({"Value": f"{day:%d %b %y}"} for day in days)]}


def _profit_and_loss(world: World, params: Record) -> Any:
    today = world.clock.now().date()
    start = _day(params, "from_date", "fromDate") or today.replace(day=1)
    end = _day(params, "to_date", "toDate") or today
    if start > end:
        raise invalid("from_date lies after to_date", field="params.from_date")
    counted = {"PAID"} if params.get("payments_only") else {"PAID", "AUTHORISED"}
    spans = [(_earlier(start, back), _earlier(end, back)) for back in _columns(params)]

    def totals(rows: list[Record]) -> list[float]:
        return [sum(r["Total"] for r in _between(rows, *span) if r["Status"] in counted) for span in spans]

    income, costs = totals(sales(world)), totals(bills(world))
    return _report(
        "Profit and Loss", [f"{start} to {end}"], _header([end for _, end in spans]),
        _section("Income", [_row("Sales", *income)]),
        _section("Less operating expenses", [_row("Cost of goods sold", *costs)]),
        _section("", [_row("Net profit", *(i - c for i, c in zip(income, costs, strict=True)))]),
    )  # fmt: skip


def _booked(rows: list[Record], until: date) -> list[Record]:
    return [r for r in _between(rows, None, until) if r["Status"] in ("PAID", "AUTHORISED")]


def _balance_sheet(world: World, params: Record) -> Any:
    day = _day(params, "date") or world.clock.now().date()
    days = [_earlier(day, back) for back in _columns(params)]
    owed, owing = ([_booked(rows, at) for at in days] for rows in (sales(world), bills(world)))

    def sums(columns: list[list[Record]], field: str) -> list[float]:
        # On a cash basis nothing is owed.
        counted = field == "AmountPaid" or not params.get("payments_only")
        return [sum(r[field] for r in rows) if counted else 0.0 for rows in columns]

    bank = [a - b for a, b in zip(sums(owed, "AmountPaid"), sums(owing, "AmountPaid"), strict=True)]
    receivable, payable = sums(owed, "AmountDue"), sums(owing, "AmountDue")
    return _report(
        "Balance Sheet", [f"As at {day}"], _header(days),
        _section("Assets", [_row("Business account", *bank), _row("Accounts receivable", *receivable)]),
        _section("Liabilities", [_row("Accounts payable", *payable)]),
        _section("Equity", [_row("Retained earnings", *(b + r - p for b, r, p in zip(bank, receivable, payable, strict=True)))]),
    )  # fmt: skip


def _bucket(due: str | None, as_at: date) -> str:
    late = (as_at - date.fromisoformat(due)).days if due else 0
    return _BUCKETS[0] if late <= 0 else _BUCKETS[min(4, 1 + (late - 1) // 30)]


def _open(rows: list[Record], as_at: date) -> list[Record]:
    return [r for r in _between(rows, None, as_at) if r["Status"] == "AUTHORISED"]


def _aged(source: Callable[[World], list[Record]], name: str) -> Callable[[World, Record], Any]:
    def report(world: World, params: Record) -> Any:
        contact = _required_contact(world, params)
        as_at = _day(params, "date", "to_date", "toDate") or world.clock.now().date()
        start = _day(params, "from_date", "fromDate") or as_at - timedelta(days=365)
        rows = [r for r in _open(source(world), as_at) if r["Contact"]["ContactID"] == contact["ContactID"]]
        shown = [_row(r["InvoiceNumber"] or r["InvoiceID"], r["Total"], r["AmountDue"]) for r in _between(rows, start, None)]
        return _report(name, [contact["Name"], f"As at {as_at}"], _section("", shown))

    return report


def _aged_summary(source: Callable[[World], list[Record]]) -> Callable[[World, Record], Any]:
    def summary(world: World, params: Record) -> Any:
        as_at = _day(params, "date") or world.clock.now().date()
        by_contact: dict[Any, Record] = {}
        for row in _open(source(world), as_at):
            contact = row["Contact"]
            fresh: Record = {"contact_id": contact["ContactID"], "contact_name": contact["Name"], "total_outstanding": 0.0}
            entry = by_contact.setdefault(contact["ContactID"], fresh | dict.fromkeys(_BUCKETS, 0.0) | {"invoice_count": 0})
            bucket = _bucket(row["DueDate"], as_at)
            entry[bucket] = round(entry[bucket] + row["AmountDue"], 2)
            entry["total_outstanding"] = round(entry["total_outstanding"] + row["AmountDue"], 2)
            entry["invoice_count"] += 1
        entries = sorted(by_contact.values(), key=lambda e: -e["total_outstanding"])
        totals = {"total": round(sum(e["total_outstanding"] for e in entries), 2)}
        totals |= {b: round(sum(e[b] for e in entries), 2) for b in _BUCKETS}
        return {"as_at": as_at.isoformat(), "totals": totals, "contacts": entries}

    return summary


QUERIES: dict[str, Callable[[World, Record], Any]] = {
    "xero_contacts": _contacts,
    "xero_contact_detail": lambda w, p: {"Contacts": [_required_contact(w, p)]},
    "xero_accounts": _accounts,
    "xero_tax_rates": _tax_rates,
    "xero_invoices": _invoices,
    "xero_invoices_by_contact": _by_contact,
    "xero_profit_and_loss": _profit_and_loss,
    "xero_balance_sheet": _balance_sheet,
    "xero_aged_receivables": _aged(sales, "Aged Receivables By Contact"),
    "xero_aged_payables": _aged(bills, "Aged Payables By Contact"),
    "xero_aged_receivables_summary": _aged_summary(sales),
    "xero_aged_payables_summary": _aged_summary(bills),
}
