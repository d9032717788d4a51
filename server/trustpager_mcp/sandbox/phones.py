"""Phone numbers as the reference wants them: E.164, and mobiles apart from fixed lines."""

from __future__ import annotations

import re

from .errors import invalid
from .store import Record

_E164 = re.compile(r"\+[1-9]\d{6,14}")
# Australian mobiles begin with 4 or 5 and have nine digits after the country code. Everything else there (the areas
# 2, 3, 7 and 8, the 13/1300/1800 services) cannot receive a text. Other countries' plans are not told apart.
_AU_MOBILE = re.compile(r"\+61[45]\d{8}")


def is_e164(number: object) -> bool:
    """Whether it is a plus, a country code and a number, 7 to 15 digits in all."""
    return isinstance(number, str) and bool(_E164.fullmatch(number))


def is_evident_landline(number: str) -> bool:
    """Whether an E.164 number is Australian and no mobile."""
    return number.startswith("+61") and not _AU_MOBILE.fullmatch(number)


def check_phones(fields: Record) -> None:
    """`phone` must be an E.164 mobile, `landline` an E.164 number (reference: POST /contacts, /companies)."""
    for name in ("phone", "landline"):
        number = fields.get(name)
        if number is None:
            continue
        if not is_e164(number):
            raise invalid(f"{name} must be in E.164 format, like +61412345678", field=name)
        if name == "phone" and is_evident_landline(number):
            raise invalid("phone must be a mobile number; put fixed lines into the landline field", field="phone")


def to_e164(number: str) -> str | None:
    """A number as people say it, in E.164; a leading 0 is taken as Australian. None when it is no number."""
    digits = re.sub(r"[^\d+]", "", number)
    if digits.startswith("0") and not digits.startswith("00"):
        digits = "+61" + digits[1:]
    elif digits.startswith("00"):
        digits = "+" + digits[2:]
    elif re.match(r"61[2-578]", digits):
        digits = "+" + digits
    return digits if is_e164(digits) else None
