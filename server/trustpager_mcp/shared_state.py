"""What replicas share, in Redis: small values with an end of life, so that any replica may answer a caller's next request.

Redis is asked when a call needs it and never at start. While it is away nothing that was promised is broken: what cannot
be known is refused with an error that says so, everything else goes on with what this process knows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from .errors import ConfigurationError, ToolError

_SECONDS = 2.0
"""The longest that a call waits for Redis."""
_LISTEN = 30.0
_PREFIX = "trustpager-mcp:"


_ADD = """
local sum = tonumber(redis.call('GET', KEYS[1]) or '0')
local amount = tonumber(ARGV[1])
if amount > 0 and sum + amount > tonumber(ARGV[2]) + 1e-9 then return {0, tostring(sum)} end
sum = math.max(sum + amount, 0)
redis.call('SET', KEYS[1], tostring(sum), 'PX', ARGV[3])
return {1, tostring(sum)}
"""

_HOLD = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""


class SharedStateUnavailableError(ToolError):
    """Redis, where this server keeps what its replicas share, did not answer."""

    code = "SHARED_STATE_UNAVAILABLE"


class SharedState:
    """Keys and bytes in Redis under a prefix of ours. `url` like `redis://host:6379/0` or `rediss://user:password@host`.

    Raises ConfigurationError for another URL, or where the extra is not installed. Every method raises
    SharedStateUnavailableError when Redis does not answer within two seconds.
    """

    def __init__(self, url: str) -> None:
        if not url.startswith(("redis://", "rediss://")):
            raise ConfigurationError("--redis wants an address like redis://host:6379/0, or rediss:// for TLS")
        try:
            import redis.asyncio
        except ImportError:
            raise ConfigurationError("--redis needs the extra: pip install 'trustpager-mcp[redis]'") from None
        try:
            self._client: Any = redis.asyncio.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)
        except ValueError:
            raise ConfigurationError("--redis wants an address like redis://host:6379/0, or rediss:// for TLS") from None

    async def get(self, key: str) -> tuple[bytes, float] | None:
        """The value and the seconds that it still has."""
        value, left = await self._ask("get", lambda p: p.get(_PREFIX + key).pttl(_PREFIX + key))
        return None if value is None or left <= 0 else (value, left / 1000)

    async def put(self, key: str, value: bytes, seconds: float) -> None:
        """Keep a value for so many seconds."""
        await self._ask("put", lambda p: p.set(_PREFIX + key, value, px=max(int(seconds * 1000), 1)))

    async def claim(self, key: str, seconds: float) -> bool:
        """Take a name that nobody has taken yet, for so many seconds: true for exactly one of all who ask."""
        (taken,) = await self._ask("claim", lambda p: p.set(_PREFIX + key, b"1", px=max(int(seconds * 1000), 1), nx=True))
        return bool(taken)

    async def take(self, key: str, value: bytes, seconds: float, *, anew: bool = False) -> tuple[bytes, float]:
        """Put a value where there is none (`anew`: in any case): the value that holds now, and the seconds that it still has."""
        name, life = _PREFIX + key, max(int(seconds * 1000), 1)
        _, held, left = await self._ask("take", lambda p: p.set(name, value, px=life, nx=not anew).get(name).pttl(name))
        return (value, seconds) if held is None else (held, left / 1000)

    async def hold(self, key: str, value: bytes, seconds: float) -> bool:
        """While the key has this value, let it live for so many seconds from now on, or end it with 0. Whether it had it."""
        (held,) = await self._ask("hold", lambda p: p.eval(_HOLD, 1, _PREFIX + key, value, int(seconds * 1000)))
        return bool(held)

    async def add(self, key: str, amount: float, limit: float, seconds: float) -> tuple[bool, float]:
        """Add to a sum unless that would lift it above a limit, in one step for all replicas: whether it was, and the sum now.

        Taking away is always done. The sum is forgotten when nothing was added for so many seconds.
        """
        words = (repr(amount), repr(limit), int(seconds * 1000))
        ((added, total),) = await self._ask("add", lambda p: p.eval(_ADD, 1, _PREFIX + key, *words))
        return bool(added), float(total)

    async def publish(self, channel: str, content: bytes) -> None:
        """Say something to everyone who hears the channel now."""
        await self._ask("publish", lambda p: p.publish(_PREFIX + channel, content))

    async def messages(self, channel: str) -> AsyncIterator[bytes]:
        """What is said on a channel from now on. Raises SharedStateUnavailableError when Redis goes away."""
        from redis.exceptions import RedisError

        try:
            async with self._client.pubsub(ignore_subscribe_messages=True) as heard:
                await heard.subscribe(_PREFIX + channel)
                while True:
                    if (message := await heard.get_message(timeout=_LISTEN)) is not None:
                        yield message["data"]
        except (RedisError, OSError, TimeoutError) as error:
            raise _unavailable("listen", error) from None

    async def why_not_ready(self) -> str:
        """Empty while Redis answers, else what is wrong, without its address."""
        try:
            await self._ask("ping", lambda p: p.ping())
        except SharedStateUnavailableError:
            return "the shared state (Redis) cannot be reached"
        return ""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, what: str, fill: Any) -> list[Any]:
        from redis.exceptions import RedisError

        try:
            async with self._client.pipeline(transaction=False) as pipeline:
                fill(pipeline)
                answers: list[Any] = await pipeline.execute()
                return answers
        except (RedisError, OSError, TimeoutError) as error:
            raise _unavailable(what, error) from None


def _unavailable(what: str, error: Exception) -> SharedStateUnavailableError:
    return SharedStateUnavailableError(
        f"the server's shared state could not be asked ({what}: {type(error).__name__}).",
        hint="Try again in a moment; if it stays, tell the user that the operator's Redis is away.",
    )
