"""Two servers' Apps in this process over one Redis, where the API's part has to be timed: repeats, rates, and Redis going away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import anyio
import pytest
from redis.asyncio import Redis

from tests.faulty_upstream import ID, FaultyUpstream, app_on
from tests.http_processes import Process, running_redis
from trustpager_mcp.app import App
from trustpager_mcp.dispatcher import Result

ANN = {"first_name": "Ann"}
FIRE = {"auto_schedule_id": ID}


@pytest.fixture
def redis() -> Iterator[Process]:
    with running_redis() as process:
        yield process


@asynccontextmanager
async def two_apps(redis: Process) -> AsyncIterator[tuple[FaultyUpstream, App, App]]:
    async with (
        FaultyUpstream() as upstream,
        app_on(upstream, redis=redis.url) as one,
        app_on(upstream, redis=redis.url) as other,
    ):
        yield upstream, one, other


async def call(app: App, name: str, arguments: dict[str, str], **options: bool) -> Result:
    return await (await app.session()).call(name, arguments, options=options)


async def waits_for_the_outcome(process: Process) -> None:
    """Return when a second server has found the write's name taken, and has looked for its outcome."""
    async with Redis.from_url(process.url) as client:
        with anyio.fail_after(20):
            while (await client.info("commandstats"))["cmdstat_get"]["calls"] < 3:
                await anyio.lowlevel.checkpoint()


async def test_a_repeat_that_waits_when_redis_goes_away_is_in_doubt_and_the_write_itself_is_not_lost(redis: Process) -> None:
    async with two_apps(redis) as (upstream, one, other):
        upstream.fail("held")
        first = asyncio.create_task(call(one, "create_contact", ANN))
        await upstream.received(1)
        repeat = asyncio.create_task(call(other, "create_contact", ANN))
        await waits_for_the_outcome(redis)
        redis.popen.kill()
        told = await repeat
        assert (told.code, told.uncertain) == ("STILL_UNCERTAIN", True)
        assert "check with list_contacts()" in told.text
        upstream.release()
        assert not (await first).is_error
        assert not (await call(one, "create_contact", {"first_name": "Bob"})).is_error
        assert list(upstream.effects.values()) == [1, 1]


async def test_a_repeat_with_an_idempotency_key_settles_at_the_other_server_what_the_first_left_open(redis: Process) -> None:
    async with two_apps(redis) as (upstream, one, other):
        upstream.fail(*["reset"] * 4, acts=True)
        assert (await call(one, "fire_auto_schedule", FIRE)).uncertain
        assert not (await call(other, "fire_auto_schedule", FIRE)).is_error
        assert len({r.headers["idempotency-key"] for r in upstream.requests}) == 1
        assert list(upstream.effects.values()) == [1]


async def test_a_write_that_was_cancelled_at_one_server_is_in_doubt_at_the_other(redis: Process) -> None:
    async with two_apps(redis) as (upstream, one, other):
        upstream.fail("hang", acts=True)
        first = asyncio.create_task(call(one, "create_contact", ANN))
        await upstream.received(1)
        first.cancel()
        await upstream.settled()
        told = await call(other, "create_contact", ANN)
        assert (told.code, told.uncertain) == ("STILL_UNCERTAIN", True)
        assert len(upstream.requests) == 1
        assert not (await call(other, "create_contact", ANN, again=True)).is_error


async def test_an_answer_that_is_too_large_to_share_is_told_as_done(redis: Process) -> None:
    async with two_apps(redis) as (upstream, one, other):
        upstream.fail("held")
        first = asyncio.create_task(call(one, "create_contact", ANN))
        await upstream.received(1)
        repeat = asyncio.create_task(call(other, "create_contact", ANN))
        await waits_for_the_outcome(redis)
        upstream.answers.append((201, {}, b'{"data": {"id": "1", "notes": "' + b"x" * 1_100_000 + b'"}}'))
        upstream.release()
        assert not (await first).is_error
        text = (await repeat).text
        assert "nothing was sent twice" in text
        assert "It is done. Its answer is too large to be shared" in text
        assert list(upstream.effects.values()) == [1]


async def test_a_wait_that_the_api_asked_one_server_for_is_kept_by_the_other(redis: Process) -> None:
    async with two_apps(redis) as (upstream, one, other):
        whose = one.credential.fingerprint
        assert not (await call(other, "get_contact", {"contact_id": ID})).is_error
        upstream.answers.append((200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "5"}, b'{"data": {"id": "1"}}'))
        await call(one, "get_contact", {"contact_id": ID})
        with anyio.fail_after(20):
            while not other.sender.limits.waits(whose):
                await anyio.lowlevel.checkpoint()
        assert not other.sender.limits.waits("another")


async def test_the_api_answers_too_many_and_calls_go_on_without_redis(redis: Process) -> None:
    async with two_apps(redis) as (upstream, one, _):
        redis.popen.kill()
        redis.popen.wait()
        upstream.fail("too_many", retry_after="0.01")
        assert not (await call(one, "get_contact", {"contact_id": ID})).is_error
