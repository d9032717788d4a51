"""Search: what holds for every request and every registry, and what each part of it understands."""

from __future__ import annotations

import json
import threading
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.every_tool import of_every_tool
from trustpager_mcp.catalog import Catalog, default_catalog
from trustpager_mcp.registry import Policy, Registry
from trustpager_mcp.registry import everything as all_tools_of
from trustpager_mcp.search import Misses, Parts, SearchIndex, meaning, prepare
from trustpager_mcp.search.engine import FEATURES, MEANING_FEATURES, WEIGHTS
from trustpager_mcp.search.groups import Likelihood
from trustpager_mcp.search.lexicon import lexicon
from trustpager_mcp.search.misses import LOW_SCORE, MOST_ENTRIES, masked, read_misses
from trustpager_mcp.search.spelling import Speller
from trustpager_mcp.search.text import aside, stem, words

catalog = default_catalog()
all_tools = all_tools_of(catalog)
everything = SearchIndex(all_tools)
by_words = SearchIndex(all_tools, Parts(meaning=False))
readers = SearchIndex(Registry(catalog, Policy(scopes=catalog.scopes, read_only=True)))


def fresh_index() -> SearchIndex:
    """An index that is made anew: those of one catalogue are shared."""
    return SearchIndex(all_tools_of(Catalog(catalog.toolsets.values())))


def names(query: str, limit: int = 5, index: SearchIndex = by_words) -> list[str]:
    return [hit.tool.name for hit in index.search(query, limit)]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300))
def test_any_text_finds_as_many_tools_as_asked_for_best_first(query: str) -> None:
    hits = everything.search(query, 4)
    assert len({h.tool.name for h in hits}) == 4
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "\x00\x1b[31m",
        '" OR 1=1 --',
        "name:* NEAR(a b) ^ ( ) -",
        "(a+)+$" * 50,
        "delete " * 5_000,
        "x" * 100_000,
        "🧾🔥",
        "客户 联系人",
        "ﬁnd　contacts",
        "\u202edelete\u202c",
    ],
)
def test_hostile_requests_are_answered(query: str) -> None:
    assert len(everything.search(query, 6)) == 6


def test_a_request_of_unknown_words_offers_reads_with_score_zero() -> None:
    hits = by_words.search("客户", 6)
    assert {h.score for h in hits} == {0.0}
    assert {h.tool.effect for h in hits} == {"read"}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([i for t in catalog.tools.values() for i in t.intents]))
def test_what_a_credential_may_not_do_is_never_found(intent: str) -> None:
    assert {h.tool.effect for h in readers.search(intent, 10)} == {"read"}


def test_an_empty_registry_finds_nothing() -> None:
    nothing = SearchIndex(Registry(catalog, Policy(scopes=frozenset(), allow=("delete_contact",))))
    assert nothing.search("list contacts") == []


def test_a_registry_of_one_tool_always_finds_it() -> None:
    one = SearchIndex(Registry(catalog, Policy(scopes=catalog.scopes, allow=("list_contacts",))))
    assert names("void the contract", index=one) == ["list_contacts"]


def test_two_indexes_of_the_same_registry_answer_the_same() -> None:
    other = fresh_index()
    for query in ("book an appointment", "get rid of the deal", "who owes us money", "sms"):
        assert other.search(query, 10) == everything.search(query, 10)


def test_threads_that_search_first_at_once_get_the_same_answers() -> None:
    index = fresh_index()
    answers: list[list[str]] = []
    threads = [threading.Thread(target=lambda: answers.append(names("list contacts", index=index))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [answers[0]] * 8


def test_what_is_read_of_a_tool_is_read_once_for_all_who_may_call_it() -> None:
    prepare(catalog)
    mine, theirs = (
        SearchIndex(Registry(catalog, Policy(scopes=catalog.scopes, deny=("list_tasks",), read_only=read_only))).index()
        for read_only in (False, True)
    )
    known = {d.tool.name: d for d in mine.documents}
    assert len(theirs.documents) < len(known)
    assert all(known[d.tool.name] is d for d in theirs.documents)


def test_the_tool_of_a_plain_request_comes_first() -> None:
    assert names("list contacts")[0] == "list_contacts"
    assert names("send an sms")[0] == "send_sms"
    assert names("create_task")[0] == "create_task"
    assert names("listContacts")[0] == "list_contacts"


@of_every_tool
def test_every_tool_is_among_the_first_three_for_its_own_name(tool: str) -> None:
    assert tool in names(tool.replace("_", " "), 3)


@pytest.mark.parametrize("verb", ["get rid of", "bin", "scrap", "erase", "remove", "trash", "chuck out"])
def test_ways_to_say_delete_find_the_tool_that_deletes(verb: str) -> None:
    assert "delete_pipeline" in names(f"{verb} a pipeline", 3)


@pytest.mark.parametrize(
    ("word", "tool"), [("deals", "list_opportunities"), ("firms", "list_companies"), ("txts", "list_sms_conversations")]
)
def test_words_of_the_trade_find_the_api_s_own(word: str, tool: str) -> None:
    assert tool in names(f"show all {word}")


@pytest.mark.parametrize("query", ["lsit contcats", "list conatcts", "lisst contacs", "listcontacts"])
def test_slips_of_the_keyboard_find_what_was_meant(query: str) -> None:
    assert "list_contacts" in names(query)


@pytest.mark.parametrize("toolset", sorted(catalog.toolsets))
def test_a_thing_named_without_a_verb_does_not_put_what_deletes_it_first(toolset: str) -> None:
    first = names(toolset.replace("_", " ").removesuffix("s"))[0]
    assert not first.startswith(("delete", "bulk_delete", "remove", "void", "release", "cancel"))


@pytest.mark.parametrize("part", [f.name for f in fields(Parts)])
def test_search_works_with_any_part_switched_off(part: str) -> None:
    index = SearchIndex(Registry(catalog, Policy(scopes=catalog.scopes)), Parts(**{part: False}))
    assert "list_contacts" in names("list contacts", index=index)


def test_contractions_accents_and_british_spelling_come_to_the_same_words() -> None:
    assert words("We've CAFÉ’s don't") == ["we", "have", "cafe", "do", "not"]
    assert stem("organisations") == stem("organizations")
    assert stem("cancelled") == stem("canceled")
    assert stem("enrolled") == stem("enrol")


def test_the_longest_phrase_decides_a_family() -> None:
    families = lexicon().families([stem(w) for w in words("get rid of it")])
    assert "V:delete" in families
    assert "V:get" not in families


def test_a_group_that_says_a_word_more_often_is_the_likelier_one_to_be_asked() -> None:
    said = [("delete", {"chuck": 1.0, "it": 1.0}), ("delete", {"bin": 1.0, "it": 1.0}), ("create", {"new": 1.0, "it": 1.0})]
    groups = Likelihood(["delete", "create", "delete"], said)
    scores = groups.compare(["chuck"])
    assert [scores[of] for of in groups.of][::2] == [0.0, 0.0]
    assert scores[groups.of[1]] < 0.0
    assert groups.compare(["unheard"]) == groups.compare([]) == [0.0, 0.0]


def test_what_one_tool_says_teaches_how_its_whole_kind_is_asked_for() -> None:
    toolset = catalog.toolsets["pipelines"]
    taught = [
        t.model_copy(update={"intents": (*t.intents, "yeet the pipeline")}) if t.name == "delete_pipeline" else t
        for t in toolset.tools
    ]
    toolsets = {**catalog.toolsets, "pipelines": toolset.model_copy(update={"tools": tuple(taught)})}
    learned = Catalog(toolsets.values())
    index = SearchIndex(Registry(learned, Policy(scopes=learned.scopes)), Parts(meaning=False))
    assert names("yeet a spreadsheet", 1, index) == ["delete_spreadsheet"]
    assert names("yeet a spreadsheet", 1) != ["delete_spreadsheet"]


def test_every_feature_has_a_fitted_weight_with_and_without_the_extra() -> None:
    fitted = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    assert list(fitted["words"]) == list(FEATURES)
    assert list(fitted["meaning"]) == [*FEATURES, *MEANING_FEATURES]


def test_an_irreversible_tool_is_never_favoured_by_the_fit_for_a_request_that_names_another_verb_or_none() -> None:
    for fitted in json.loads(WEIGHTS.read_text(encoding="utf-8")).values():
        assert fitted["wrong_irreversible"] < 0
        assert fitted["bare_irreversible"] < 0


def test_spelling_suggests_only_for_words_long_enough_to_be_sure() -> None:
    speller = Speller({"contact", "deal", "company"})
    assert list(speller.suggest("contcat")) == ["contact"]
    assert list(speller.suggest("companny")) == ["company"]
    assert speller.suggest("del") == {}
    assert speller.suggest("zzzzzzz") == {}
    assert speller.split("contactdeal") == ("contact", "deal")


def test_without_the_extra_search_goes_by_words_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meaning, "find_spec", lambda _name: None)
    bare = Catalog(catalog.toolsets.values())
    registry = Registry(bare, Policy(scopes=bare.scopes, approvals=True))
    assert meaning.missing() == ["numpy", "safetensors", "tokenizers", "wordllama"]
    assert names("lsit contcats", index=SearchIndex(registry)) == names("lsit contcats")


def test_an_extra_that_does_not_work_is_told_once_and_search_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(meaning, "_WEIGHTS", "weights/none.safetensors")
    broken = Catalog(catalog.toolsets.values())
    registry = Registry(broken, Policy(scopes=broken.scopes))
    assert names("list contacts", 1, SearchIndex(registry)) == ["list_contacts"]
    assert names("list contacts", 1, SearchIndex(registry)) == ["list_contacts"]
    assert [r.levelname for r in caplog.records] == ["WARNING"]


def test_meaning_finds_a_tool_that_shares_no_word_with_the_request() -> None:
    near = meaning.meaning_of(catalog)
    assert near is not None
    likeness = near.likeness("holiday closure")
    assert likeness is not None
    assert likeness.whole[near.place["set_scheduling_availability"]] > likeness.whole[near.place["list_webhook_subscriptions"]]
    assert near.likeness("  ") is None


def test_searches_that_find_nothing_good_are_counted_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "state" / "searches.jsonl"
    misses = Misses(file)
    index = SearchIndex(Registry(catalog, Policy(scopes=catalog.scopes)), Parts(meaning=False), misses)
    index.search("list contacts")
    for _ in range(2):
        index.search("zebra quux")
    assert misses.total == 2
    assert [(m.request, m.times) for m in read_misses(file)] == [("zebra quux", 2)]
    assert file.stat().st_mode & 0o077 == 0


def test_kept_searches_stay_below_their_bound_and_survive_a_broken_line(tmp_path: Path) -> None:
    file = tmp_path / "searches.jsonl"
    file.write_text("not json\n" + '{"request": "old", "score": 0.1, "at": "2026-01-01T00:00:00+00:00"}\n' * (MOST_ENTRIES + 50))
    Misses(file).note("new", 0.0)
    lines = file.read_text().splitlines()
    assert len(lines) == MOST_ENTRIES
    assert json.loads(lines[-1])["request"] == "new"
    assert {m.request for m in read_misses(file)} == {"old", "new"}


def test_a_state_directory_that_cannot_be_written_stops_the_record_and_not_the_search(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    misses = Misses(tmp_path / "file" / "searches.jsonl")
    misses.note("one", 0.0)
    misses.note("two", 0.0)
    assert misses.total == 2
    assert len(caplog.records) == 1


def test_good_searches_are_not_kept(tmp_path: Path) -> None:
    misses = Misses(tmp_path / "searches.jsonl")
    misses.note("list contacts", LOW_SCORE)
    assert misses.total == 0
    assert read_misses(tmp_path / "searches.jsonl") == []


@pytest.mark.parametrize(
    "secret",
    [
        "jane@example.com",
        "+61 412 555 019",
        "tp_live_0123456789abcdef",
        "6f1c2d3e-1111-4222-8333-444455556666",
        "4111 1111 1111 1111",
    ],
)
def test_a_kept_search_hides_addresses_numbers_and_keys(secret: str) -> None:
    text = masked(f"find the card of {secret} for me\nplease")
    assert secret not in text
    assert text.startswith("find the card of")
    assert text.endswith("for me please")


def test_a_kept_search_hides_the_word_after_password() -> None:
    assert "hunter2" not in masked("log in with password hunter2")


@pytest.mark.parametrize(
    ("request_", "beside"),
    [
        ("find the product before deleting the quote line", "before deleting the quote line"),
        ("fetch stage names so that I can move a card", "so that i can move a card"),
        ("list open tasks for planning next week", "for planning next week"),
        ("read the contact record in order to merge it", "in order to merge it"),
        ("before deleting the quote line", ""),
        ("delete contacts created before March", "before march"),
        ("send the quote", ""),
    ],
)
def test_what_stands_beside_the_wish_is_told_apart_from_it(request_: str, beside: str) -> None:
    text = words(request_)
    assert " ".join(text[aside(text) :]) == beside


def test_a_clause_beside_the_wish_says_no_verb_and_counts_half() -> None:
    whole, wish = (by_words.index().understand(r) for r in ("find the product before deleting the invoice", "find the product"))
    assert whole.verbs == wish.verbs
    invoice = stem("invoice")
    assert whole.stems[invoice] == by_words.index().understand("show the invoice").stems[invoice] / 2
