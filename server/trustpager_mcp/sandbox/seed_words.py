"""The words that the seeded workspace is made of. No real person or company; every domain ends in .example."""

TEAM = (
    ("Mia Thornton", "admin"), ("Jack Oduya", "sales"), ("Priya Raman", "sales"), ("Ben Castellano", "sales"),
    ("Ruby Lindqvist", "operations"), ("Tomas Herrera", "installer"),
)  # fmt: skip
FIRST_NAMES = (
    "Sarah Paul Amelia Noah Olivia Liam Charlotte Jack Isla William Ava James Grace Thomas Chloe Henry Zoe Lucas Ella Ethan "
    "Aisha Wei Ngoc Arjun Fatima Luca Sofia Mateo Hana Kofi Ingrid Declan Bronwyn Raj Mei Yusuf Leila Anton Freya Hamish"
).split()
LAST_NAMES = (
    "Smith Nguyen Jones Williams Brown Wilson Taylor Chen Singh Patel Kowalski O'Brien Murphy Rossi Papadopoulos Tran Kelly "
    "Walker Harris Young King Wright Hughes Campbell Anderson Li Wang Ahmed Hussein Silva Costa Moreau Fischer Novak Larsen"
).split()
COMPANY_NAMES = (
    "Harbour", "Wattle", "Ironbark", "Southern Cross", "Coastal", "Redgum", "Summit", "Parkside", "Riverbend", "Eastgate",
    "Golden Plains", "Saltbush", "Acacia", "Northshore", "Kestrel",
)  # fmt: skip
COMPANY_KINDS = (
    ("Plumbing", "Trades"), ("Electrical", "Trades"), ("Builders", "Construction"), ("Property Group", "Real estate"),
    ("Dental", "Health"), ("Logistics", "Transport"), ("Cafe", "Hospitality"), ("Physio", "Health"), ("Legal", "Professional"),
    ("Landscapes", "Trades"), ("Motors", "Automotive"), ("Strata", "Real estate"),
)  # fmt: skip
COMPANY_NOTES = (
    None,
    None,
    "Pays on 14 days.",
    "Ask for the site manager.",
    "Wants every quote as a PDF.",
    "Referred by a builder.",
)
CITIES = (
    ("Sydney", "NSW", "2000"), ("Parramatta", "NSW", "2150"), ("Newcastle", "NSW", "2300"), ("Melbourne", "VIC", "3000"),
    ("Geelong", "VIC", "3220"), ("Brisbane", "QLD", "4000"), ("Gold Coast", "QLD", "4217"), ("Perth", "WA", "6000"),
    ("Adelaide", "SA", "5000"), ("Hobart", "TAS", "7000"),
)  # fmt: skip
STREETS = ("George St", "Station Rd", "Banksia Ave", "Victoria Pde", "High St", "Ocean Dr", "Mill Lane", "Railway Tce")
JOBS = ("Owner", "Office manager", "Home owner", "Facilities manager", "Director", "Site manager", None, None)
SOURCES = ("website", "referral", "google ads", "facebook", "trade show", "phone", "api")
CONTACT_NOTES = (
    None,
    None,
    None,
    "Best after 4 pm.",
    "Prefers text messages.",
    "Has two dogs, ring first.",
    "Comparing three quotes.",
)
PIPELINES = (
    ("Sales", ("New Lead", "Contacted", "Site Visit", "Quote Sent", "Negotiation", "Won")),
    ("Delivery", ("Scheduled", "Materials Ordered", "On Site", "Inspection", "Handed Over")),
    ("Renewals", ("Due Soon", "Reminded", "In Discussion", "Renewed")),
)
COLORS = ("#3b82f6", "#22c55e", "#eab308", "#f97316", "#ef4444", "#8b5cf6")
JOB_FOLDER = "6b1f0c52-7f0e-4d0a-9a55-3f6f2b8c1d20"
"""The workspace's quick link: records keep their own address of it under metadata.quick_links."""
TAGS = ("hot-lead", "vip", "finance", "council", "repeat-client", "price-sensitive", "urgent")
JOB_KINDS = (
    "Rooftop solar 6.6 kW", "Battery upgrade", "Switchboard replacement", "Hot water heat pump", "EV charger", "Kitchen renovation",
    "Air conditioning", "Safety inspection", "Office lighting", "Maintenance plan",
)  # fmt: skip
DEAL_NOTES = (
    None,
    None,
    "Wants it done before summer.",
    "Waiting on council approval.",
    "Finance pre-approved.",
    "Decision after the holidays.",
)
_BASE_PRODUCTS = (
    ("Solar panel 440 W", 289.0, "each", "Solar"), ("Inverter 5 kW", 1490.0, "each", "Solar"),
    ("Battery 10 kWh", 8900.0, "each", "Storage"), ("EV charger 7 kW", 1650.0, "each", "Charging"),
    ("Heat pump 270 L", 3290.0, "each", "Hot water"), ("Split system 3.5 kW", 1790.0, "each", "Cooling"),
    ("Switchboard", 1250.0, "each", "Electrical"), ("LED panel", 85.0, "each", "Lighting"),
    ("Electrician", 110.0, "hour", "Labour"), ("Site inspection", 195.0, "visit", "Service"),
)  # fmt: skip
PRODUCTS = tuple(
    (f"{name} {grade}".strip(), round(price * factor, 2), unit, category)
    for grade, factor in (("", 1.0), ("Plus", 1.25), ("Pro", 1.6), ("Budget", 0.8))
    for name, price, unit, category in _BASE_PRODUCTS
)
ACTIVITIES = {
    "call": (
        ("Intro call", "Talked through the roof and the last three bills."), ("Left a voicemail", "No answer, asked for a call back."),
        ("Price question", "Wanted to know what the battery adds."), ("Booked a site visit", "Next week in the morning."),
    ),
    "meeting": (("Site visit", "Measured the roof; switchboard needs replacing."), ("Quote walk-through", "Went through each line with both owners.")),
    "note": (
        ("Decision maker", "The partner decides; include her in e-mails."), ("Competitor", "Has a cheaper quote without monitoring."),
        ("Access", "Side gate is locked, key from the neighbour."), ("Budget", "Can spend up to 12,000 before winter."),
    ),
}  # fmt: skip
TASK_CATEGORIES = (("Follow-up", "#3b82f6"), ("Quote", "#eab308"), ("Site", "#22c55e"), ("Admin", "#8b5cf6"))
TASKS = (
    "Call back about the quote", "Send the revised proposal", "Book the site visit", "Order materials", "Chase the deposit",
    "Check council approval", "Ask for a review", "Confirm the install date", "Update the address", "Prepare the handover pack",
)  # fmt: skip
ACCESS = ("Side gate, code 4103", "Ring first", "Key at reception", "Dog in the yard", "Roof by ladder only")
