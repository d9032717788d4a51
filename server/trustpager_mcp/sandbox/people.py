"""Who is who: the key's owner, and contacts by address or number."""

from __future__ import annotations

from .store import Record, Store


def owner(store: Store) -> Record:
    """The user that API keys belong to: the workspace's first administrator."""
    users = list(reversed(store.all("user")))
    return next((u for u in users if u.get("role") == "admin"), users[0])


def by_email(store: Store, email: str) -> Record | None:
    """The oldest contact with this address, whatever its case."""
    wanted = email.lower()
    return next((c for c in reversed(store.all("contact")) if (c.get("email") or "").lower() == wanted), None)


def by_phone(store: Store, number: str) -> list[Record]:
    """Contacts with this number as mobile or fixed line, oldest first."""
    found = [*store.all("contact", phone=number), *store.all("contact", landline=number)]
    return list({c["id"]: c for c in reversed(found)}.values())


def name_of(contact: Record) -> str:
    """First and last name."""
    return f"{contact.get('first_name') or ''} {contact.get('last_name') or ''}".strip()


def greeting_of(contact: Record) -> str:
    """How texts address a contact, whose first name may be missing."""
    return f"Hi {contact['first_name']}" if contact.get("first_name") else "Hi there"


def open_deals(store: Store, contact_ids: list[str]) -> list[Record]:
    """Open opportunities whose primary contact is one of these, newest first."""
    return [d for c in contact_ids for d in store.all("opportunity", contact_id=c, status="open")]
