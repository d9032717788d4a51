"""AI on texts: fixed rules in place of a model, the same for the same input, and saying so in every answer."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from .. import phrases
from ..engine import Answer, Call, Handler
from ..errors import invalid
from ..store import Record

SANDBOX_NOTE = "Made by fixed rules in the practice workspace; no model was asked."
_FORMAL = {
    "can't": "cannot", "won't": "will not", "don't": "do not", "i'm": "I am", "we're": "we are", "it's": "it is", "hey": "Hello",
    "hi": "Hello", "thanks": "Thank you", "gonna": "going to", "asap": "as soon as possible",
}  # fmt: skip
_STOP = frozenset(
    "the a an and or but of to in on for with is are was were be it this that we you i they our your have has had not".split()
)
_FRAMEWORK, _GOOD = "SPIN", 60
_NEEDS = re.compile(r"\b(?:need|want|looking for|would like|must|prefer|hope|wants|needs)\b", re.IGNORECASE)
_NEXT = re.compile(r"\b(?:next step|follow up|send|book|call you|meet|tomorrow|next week)\b", re.IGNORECASE)


def answered(**fields: Any) -> Answer:
    """An answer that says where it comes from."""
    return Answer({**fields, "sandbox": True, "note": SANDBOX_NOTE})


def sentences(text: str) -> list[str]:
    """The sentences or lines of a text."""
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def edited(text: str, instruction: str) -> tuple[str, str]:
    """The text changed as the instruction's key word says, and what was done."""
    wanted = instruction.lower()
    if re.search(r"short|summar|brief|concise", wanted):
        parts = sentences(text)
        return " ".join(parts[: max(1, len(parts) // 3)]), "shortened"
    if re.search(r"formal|professional|polite", wanted):
        pattern = re.compile(r"\b(" + "|".join(map(re.escape, _FORMAL)) + r")\b", re.IGNORECASE)
        return pattern.sub(lambda m: _FORMAL[m[1].lower()], text), "made formal"
    if re.search(r"bullet|list", wanted):
        return "\n".join(f"- {part}" for part in sentences(text)), "listed"
    if re.search(r"upper|capital", wanted):
        return text.upper(), "put in capitals"
    if re.search(r"grammar|spelling|proofread|fix", wanted):
        return " ".join(part[0].upper() + part[1:] for part in sentences(re.sub(r"[ \t]+", " ", text))), "tidied"
    return text, "left as it was: the sandbox shortens, formalises, lists, capitalises and tidies"


def _edit(call: Call) -> Answer:
    text, done = edited(call.body["text"], call.body["instruction"])
    return answered(edited_text=text, original_text=call.body["text"], change=done, credits_charged=1)


def _transcript(call: Call, transcript_id: str) -> Record:
    transcript = call.must("transcript", transcript_id)
    if not transcript.get("transcript_text"):
        raise invalid("the transcript has no text yet", field="transcript_id")
    return transcript


def _spoken(text: str, who: str) -> tuple[list[str], list[str]]:
    """The lines of one speaker, and those of all others. A line without a speaker goes on with the last one."""
    own: list[str] = []
    others: list[str] = []
    current = ""
    for line in filter(None, (part.strip() for part in text.splitlines())):
        speaker, colon, said = line.partition(":")
        if colon and len(speaker) < 60:
            current, line = speaker, said.strip()
        (own if _same(current, who) else others).append(line)
    return own, others


def _same(speaker: str, who: str) -> bool:
    return bool(speaker) and (speaker.lower() == who.lower() or speaker.lower() == who.split()[0].lower())


def _coach(call: Call) -> Answer:
    body = call.body
    name = body["team_member_name"]
    member = next((u for u in call.store.all("user") if str(u["name"]).lower() == name.lower()), None)
    if member is None:
        known = ", ".join(sorted(str(u["name"]) for u in call.store.all("user")))
        raise invalid(f"team_member_name must be a company user: {known}", field="team_member_name")
    transcript = _transcript(call, body["transcript_id"]) if body.get("transcript_id") else None
    text = transcript["transcript_text"] if transcript else body["transcript_text"]
    kind = body.get("source_type") or ("zoom_meeting" if transcript and transcript.get("type") == "meeting" else "zoom_call")
    own, others = _spoken(text, member["name"])
    questions = sum(line.count("?") for line in own)
    share = len(" ".join(own)) / max(1, len(" ".join([*own, *others])))
    next_steps = any(_NEXT.search(line) for line in own)
    scores = {
        "listening": _score(1 - abs(share - 0.45) * 2), "discovery": _score(questions / 6),
        "next_steps": 90 if next_steps else 30,
        "rapport": _score(sum(bool(re.search(r"thank|great|appreciate|happy", line, re.IGNORECASE)) for line in own) / 3),
    }  # fmt: skip
    overall = round(sum(scores.values()) / len(scores))
    words = {"listening": "leaves room to the other side", "discovery": "asks questions",
             "next_steps": "agrees on what comes next", "rapport": "builds rapport"}  # fmt: skip
    strengths = [words[k] for k, v in scores.items() if v >= _GOOD]
    improvements = [words[k] for k, v in scores.items() if v < _GOOD]
    summary = f"{member['name']} spoke {share:.0%} of the words and asked {questions} questions; overall {overall} of 100."
    judged: Record = {"overall_score": overall, "strengths": strengths, "improvements": improvements}
    result = call.fresh({
        "transcript_id": transcript["id"] if transcript else None, "source_type": kind, "team_member_id": member["id"],
        "framework": _FRAMEWORK, **judged, "summary": summary,
    })  # fmt: skip
    call.store.add("coaching_result", [result])
    return answered(
        coaching_id=result["id"], transcript_id=result["transcript_id"], source_type=kind, framework=_FRAMEWORK, scores=scores,
        team_member={"user_id": member["id"], "name": member["name"]}, **judged, coaching_summary=summary, credits_charged=3,
    )  # fmt: skip


def _score(share: float) -> int:
    """Out of a hundred, in tens."""
    return 10 * max(1, min(10, round(share * 10)))


def _pipeline(call: Call) -> Answer:
    """Stages by the kind of business that the words point to."""
    body = call.body
    text = " ".join(str(v) for v in body.values()).lower()
    middle = ["Qualified", "Proposal sent", "Negotiation"]
    if re.search(r"install|trade|solar|roof|build|renovat|site", text):
        middle = ["Site visit booked", "Quote sent", "Deposit paid", "Installation scheduled"]
    elif re.search(r"software|saas|demo|subscription", text):
        middle = ["Demo booked", "Trial", "Proposal sent", "Security review"]
    elif re.search(r"retail|shop|store|e-?commerce", text):
        middle = ["Enquiry answered", "Order placed", "Paid"]
    names = ["New lead", *middle, "Won", "Lost"]
    last = len(names) - 1
    stages = [
        {"name": name, "position": i, "probability": 0 if i == last else round(100 * i / (last - 1))}
        for i, name in enumerate(names)
    ]
    title = " ".join(body["description"].split()[:6])
    criteria = {"success_criteria": body.get("success_criteria"), "lost_criteria": body.get("lost_criteria")}
    return answered(pipeline={"name": title, "stages": stages, **criteria}, credits_charged=3)


def _needs(call: Call) -> Answer:
    """What the deal's transcripts, activities, notes and contacts say that the client wants; what the prompt asks for first."""
    deal = call.must("opportunity", call.body["deal_id"])
    transcripts = [t for i in call.store.linking("transcript_opportunity", deal["id"]) if (t := call.store.get("transcript", i))]
    activities = call.store.all("activity", deal_id=deal["id"])
    people = {deal.get("contact_id"), *(i for i, _ in call.store.linked("opportunity_contact", deal["id"]))}
    contacts = [c for i in people if i and (c := call.store.get("contact", i))]
    texts = [str(t.get("transcript_text") or "") for t in transcripts] + [str(a.get("description") or "") for a in activities]
    said = [s for text in [*texts, *(str(r.get("notes") or "") for r in (deal, *contacts))] for s in sentences(text)]
    needs = list(dict.fromkeys(s for s in said if _NEEDS.search(s)))
    focus = _words(call.body.get("master_prompt", ""))
    needs.sort(key=lambda need: -len(_words(need) & focus))
    settings = call.store.all("company_settings")
    questions: list[Record] = (settings[0]["needs_analysis_config"] or {}).get("questions", []) if settings else []
    lines = call.store.all("opportunity_product", opportunity_id=deal["id"])
    answers = {q["key"]: _line_about(q["label"], said) for q in questions}
    return answered(
        deal_id=deal["id"], needs=needs, answers=answers, recommendations=[f"Keep {line['name']} on the quote" for line in lines],
        sources={"transcripts": len(transcripts), "activities": len(activities), "contacts": len(contacts)},
        master_prompt=call.body.get("master_prompt"),
    )  # fmt: skip


def _words(text: str) -> set[str]:
    return {w for w in re.findall(r"[a-z]{3,}", text.lower()) if w not in _STOP}


def _line_about(label: str, said: list[str]) -> str | None:
    """The sentence that shares the most words with a label."""
    best = max(said, key=lambda s: len(_words(s) & _words(label)), default=None)
    return best if best and _words(best) & _words(label) else None


def _fill(call: Call) -> Answer:
    """Values read out of the prompt by the kind and the label of each field."""
    template_id, prompt = call.body["template_id"], call.body["prompt"]
    fields: list[Record] = call.world.run("list_form_fields", call.world.system, {"id": template_id}, {}, None).data
    values = {f["id"]: value for f in fields if (value := _field_value(f, prompt, call)) is not None}
    labelled = {f["label"]: values[f["id"]] for f in fields if f["id"] in values}
    return answered(
        template_id=template_id, values=values, by_label=labelled, unfilled=[f["label"] for f in fields if f["id"] not in values]
    )


def _field_value(form_field: Record, prompt: str, call: Call) -> Any:
    label = str(form_field.get("label") or "")
    if said := re.search(rf"{re.escape(label)}\s*(?::|is|=)\s*([^,.;\n]+)", prompt, re.IGNORECASE):
        return said[1].strip()
    lower = label.lower()
    if "email" in lower:
        return phrases.email(prompt)
    if "phone" in lower or "mobile" in lower:
        return phrases.phone(prompt)
    if form_field.get("type") == "date":
        return phrases.due(prompt, call.clock.now().date())
    if "name" in lower:
        return phrases.name(prompt)
    options = [
        o if isinstance(o, str) else str(o.get("value") or o.get("label"))
        for o in (form_field.get("content") or {}).get("options") or ()
    ]
    if options:
        return next((o for o in options if o.lower() in prompt.lower()), None)
    return prompt if form_field.get("type") == "textarea" else None


def _summarize(call: Call) -> Answer:
    transcript = _transcript(call, call.body["transcript_id"])
    said = sentences(transcript["transcript_text"])
    focus = call.body.get("focus")
    relevant = [s for s in said if _words(s) & _words(focus)] if focus else said
    topics = [w for w, _ in Counter(w for s in said for w in _words(s)).most_common(6)]
    return answered(
        transcript_id=transcript["id"], title=transcript.get("title"), focus=focus, summary=" ".join((relevant or said)[:3]),
        topics=topics, client_needs=[s for s in said if _NEEDS.search(s)][:5],
        action_items=[s for s in said if _NEXT.search(s)][:5],
        credits_charged=1,
    )  # fmt: skip


HANDLERS: dict[str, Handler] = {
    "edit_text_with_ai": _edit,
    "coach_transcript_with_ai": _coach,
    "generate_pipeline_with_ai": _pipeline,
    "analyze_opportunity_needs_with_ai": _needs,
    "fill_form_with_ai": _fill,
    "summarize_transcript_with_ai": _summarize,
}
