"""What people of the seeded workspace wrote: notes, logged calls, descriptions. Put together from sentences, by chance."""

from __future__ import annotations

from random import Random

_WANTS = (
    "Their last three quarterly bills were between $620 and $890, most of it from the pool pump and ducted air conditioning.",
    "They are home during the day, so self-consumption matters more to them than the feed-in tariff.",
    "They want the battery sized for blackouts first and for savings second; the fridge and the home office must stay on.",
    "The switchboard still has ceramic fuses and has to be replaced before anything else can be connected.",
    "The roof is terracotta tile, two storeys, with shade from the neighbour's gum tree until about ten in winter.",
    "They asked whether the state rebate still applies when the panels are added to an existing system.",
    "They would like everything on one invoice, with the deposit after the council has approved the plans.",
    "They have two other quotes, one of them about $1,400 cheaper but without monitoring and with a shorter warranty.",
    "They plan to buy an electric car next year, so the charger's circuit should be roughed in now.",
    "Access is from the rear lane only; a trailer fits, a truck does not.",
)
_NEXT = (
    "Agreed to send the revised proposal by Friday and to call again early next week.",
    "Next step is a site visit; mornings suit them best, and the side gate will be unlocked.",
    "Will come back to us after talking to the partner and to the bank.",
    "Promised the data sheets and two references in the same suburb.",
    "Waiting for photos of the meter box and of the roof space.",
    "Asked accounts to split the deposit into two payments.",
)
_HEARD = (
    "Prefers to be called after 4 pm on weekdays.",
    "Prefers text messages over calls and answers within the hour.",
    "Speaks for the whole owners' corporation; decisions go through the committee, which meets on the first Tuesday.",
    "Was referred by a neighbour whose system we installed two years ago.",
    "Has two dogs; ring first so that they can be brought inside.",
    "Very particular about conduit on the street side: nothing visible, please.",
)
_STEPS = (
    "Check the last site photos first.",
    "Attach the current price list and the finance brochure.",
    "Confirm the crew and the scaffold before promising a date.",
    "Copy the office in, they keep the job folder.",
    "Mention that the rebate is paid at installation and not at order.",
    "If nobody answers, leave a message and try again in the evening.",
)
_OFFERS = (
    "You will find every position with its price on the second page, and the data sheets at the end.",
    "If you have questions, answer to this email or ring the office any time between eight and five.",
    "We keep the price for thirty days; after that we have to ask the wholesaler again.",
    "Our crews are booked about three weeks ahead, so an early answer helps us to hold a date for you.",
)
_CLOSINGS = ("Kind regards, the team at Brightside Energy", "Many thanks, your Brightside Energy office")
_PRAISE = (
    "They kept to the price and to the day, and rang before they came.",
    "The app shows what every room uses, and our last bill was a third of the one before.",
    "When a panel was faulty in the second month they replaced it without any discussion.",
    "We had three other quotes, and this was the only firm that looked at the roof first.",
)
_BLAME = (
    "It took three calls until somebody could tell us a new date.",
    "The scaffold stood for two weeks longer than we had been told.",
    "The office did say sorry and took the call-out off the invoice.",
)
_BENEFITS: tuple[str, ...] = (
    "25-year performance warranty", "Monitoring in the app", "Installed by accredited electricians", "Quiet: below 45 dB",
    "Works through blackouts", "Parts in stock in Sydney", "Paperwork for the rebate included", "Ten-year workmanship warranty",
)  # fmt: skip


def contact_notes(rng: Random, short: str | None) -> str | None:
    """What is noted on a contact: nothing, a line, or HTML out of the editor."""
    if rng.random() < 0.4:
        return short
    wants = "".join(f"<li>{text}</li>" for text in rng.sample(_WANTS, rng.randint(1, 2)))
    return f"<p>{rng.choice(_HEARD)}</p><ul>{wants}</ul><p><em>{rng.choice(_NEXT)}</em></p>"


def log(rng: Random, first: str) -> str:
    """What was said at a call or a meeting, or what a note is about."""
    return " ".join([first, *rng.sample(_WANTS, rng.randint(3, 4)), rng.choice(_NEXT)])


def task_description(rng: Random) -> str | None:
    """What a task's author wrote beside its title, if anything."""
    return " ".join(rng.sample(_STEPS, rng.randint(3, 6))) if rng.random() < 0.9 else None


def company_notes(rng: Random, short: str | None) -> str | None:
    """What is noted on a company: nothing, a line, or what several people wrote one after the other."""
    if rng.random() < 0.2:
        return short
    return " ".join(
        [*([short] if short else ()), *rng.sample(_HEARD, 2), *rng.sample(_WANTS, rng.randint(2, 3)), rng.choice(_NEXT)]
    )


def deal_notes(rng: Random, short: str | None) -> str | None:
    return short if rng.random() < 0.3 else " ".join([*([short] if short else ()), rng.choice(_WANTS), rng.choice(_NEXT)])


def letter(rng: Random, name: str, text: str) -> str:
    """The body of an email of the office, around what it is about."""
    return f"Hi {name}, {text[0].lower()}{text[1:]} {' '.join(rng.sample(_OFFERS, 2))} {rng.choice(_CLOSINGS)}"


def testimonial(rng: Random, text: str, rating: int) -> str:
    """A review, around what it says first."""
    return " ".join([text, *rng.sample(_PRAISE if rating > 3 else _BLAME, 3)])


def site_fields(rng: Random, access: str) -> dict[str, str]:
    """What the installers note on a work order: the fields that the workspace has for them."""
    return {
        "access": access,
        "roof": f"{rng.choice(('Tile', 'Metal sheet', 'Flat concrete'))}, {rng.choice((5, 15, 22, 30))} degrees",
        "switchboard": rng.choice(("Replaced in 2019, room for two breakers", "Ceramic fuses: replace first", "Outside, locked")),
        "meter_number": f"NMI 4103{rng.randint(10**6, 10**7 - 1)}",
        "parking": rng.choice(("Driveway", "Street, two hours", "Loading dock, book a slot with the concierge")),
        "crew_notes": " ".join(rng.sample(_STEPS, 3)),
    }


def product_texts(rng: Random, name: str, category: str) -> tuple[str, list[str]]:
    """A product's description and its benefits."""
    benefits = rng.sample(_BENEFITS, 3)
    what = f"<p><strong>{name}</strong>, supplied, installed and documented.</p>"
    return f"{what}<p>{category}. {benefits[0]}. Price includes GST.</p>", benefits
