"""A made-up Google Maps: the businesses of a trade in a place, the same ones whenever they are asked for."""

from __future__ import annotations

import random
import re

from .seed_words import CITIES, COMPANY_NAMES, LAST_NAMES, STREETS
from .store import Record, Store

STARS = {"two": 2.0, "twoAndHalf": 2.5, "three": 3.0, "threeAndHalf": 3.5, "four": 4.0, "fourAndHalf": 4.5}
_AREA_CODES = {"NSW": "2", "VIC": "3", "QLD": "7", "WA": "8", "SA": "8", "TAS": "3"}
_SUFFIXES = ("Co", "Group", "Services", "Pty Ltd", "& Sons", "Experts", "Direct", "Solutions")
_UNIVERSE, _KNOWN = 560, 100


def domain(website: str | None) -> str:
    """The host of a website without www."""
    return re.sub(r"^(https?://)?(www\.)?", "", (website or "").lower()).split("/")[0]


def trade(query: str) -> str:
    """The singular, capitalised: "electricians" are of the category Electrician."""
    word = " ".join(query.split())
    word = re.sub(r"ies$", "y", word)
    return re.sub(r"s$", "", word).title()


def businesses(query: str, location: str, store: Store) -> list[Record]:
    """Every business of the trade there, best placed first; a few are already in the CRM, some are listed twice."""
    rng = random.Random(f"{query.strip().lower()}/{location.strip().lower()}")
    city, state, code = next(
        (c for c in CITIES if c[0].lower() in location.lower()), (location.split(",")[0].strip(), "NSW", "2000")
    )
    category = trade(query)
    # The oldest only: what joins the CRM later must not change what the map shows.
    known = [c for c in reversed(store.all("company")) if c.get("website")][:_KNOWN]
    reachable = [c for c in reversed(store.all("contact")) if c.get("phone")][:_KNOWN]
    found: list[Record] = []
    for i in range(_UNIVERSE):
        if found and rng.random() < 0.03:
            found.append(rng.choice(found))
        name = f"{rng.choice([*COMPANY_NAMES, *LAST_NAMES])} {category} {rng.choice(_SUFFIXES)}"
        slug = re.sub(r"[^a-z0-9]", "", name.lower()) + str(i)
        website = f"https://{slug}.example" if rng.random() < 0.8 else None
        email = f"info@{slug}.example" if website and rng.random() < 0.6 else None
        mobile, line = rng.random() < 0.4, rng.randrange(10_000)
        phone = f"+614915{rng.randrange(80, 99)}{line % 1000:03d}" if mobile else f"+61{_AREA_CODES[state]}5550{line:04d}"
        chance = rng.random()
        if chance < 0.02 and known:
            firm = rng.choice(known)
            name, website, email = firm["name"], firm["website"], firm.get("email")
        elif chance < 0.04 and reachable:
            phone = rng.choice(reachable)["phone"]
        found.append({
            "place_id": f"ChIJ{rng.getrandbits(92):023x}", "business_name": name, "name": name,
            "category": category if rng.random() < 0.85 else f"{category} supply store", "phone": phone, "website": website,
            "email": email, "address": f"{rng.randint(1, 240)} {rng.choice(STREETS)}, {city} {state} {code}", "city": city,
            "state": state, "postal_code": code, "country": "Australia", "rating": round(rng.uniform(1.8, 5.0), 1),
            "reviews_count": rng.randint(1, 600), "distance_km": round(rng.uniform(0.2, 45.0), 1),
            "permanently_closed": rng.random() < 0.04,
        })  # fmt: skip
    return found
