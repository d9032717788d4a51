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
    return " ".join([first, *rng.sample(_WANTS, rng.randint(1, 2)), rng.choice(_NEXT)])


def task_description(rng: Random) -> str | None:
    """What a task's author wrote beside its title, if anything."""
    return " ".join(rng.sample(_STEPS, rng.randint(1, 3))) if rng.random() < 0.7 else None


def company_notes(rng: Random, short: str | None) -> str | None:
    return short if rng.random() < 0.5 else " ".join([*([short] if short else ()), rng.choice(_HEARD), rng.choice(_NEXT)])


def deal_notes(rng: Random, short: str | None) -> str | None:
    return short if rng.random() < 0.3 else " ".join([*([short] if short else ()), rng.choice(_WANTS), rng.choice(_NEXT)])


def product_texts(rng: Random, name: str, category: str) -> tuple[str, list[str]]:
    """A product's description and its benefits."""
    benefits = rng.sample(_BENEFITS, 3)
    what = f"<p><strong>{name}</strong>, supplied, installed and documented.</p>"
    return f"{what}<p>{category}. {benefits[0]}. Price includes GST.</p>", benefits
