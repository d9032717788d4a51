"""The human gate: a person confirms what cannot be undone, by a way that the model cannot answer for them.

There is no `confirm` argument. The answer comes through MCP elicitation: the client asks the person and sends the answer
beside the arguments, where a model has no hand. It counts once, for a short time, and only for the very call that was
asked about: the seal that goes with the question binds tool, arguments and credential.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from .callers import Caller, Question
from .credits import FREE, price
from .definitions import Tool
from .errors import NotAllowedError
from .redaction import HIDDEN, one_line, without_secrets

Confirm = Literal["client", "elicit", "strict"]
CONFIRM_MODES: tuple[Confirm, ...] = ("client", "elicit", "strict")
SEAL_SECONDS = 300.0
"""How long a question may stay unanswered."""
MIN_SECRET = 32
_NONCE = 16
_VALUE_CHARACTERS = 160
_SHOWN_ARGUMENTS = 12
_MAX_USED = 10_000


Claim = Callable[[str, float], Awaitable[bool]]


class Seals:
    """Tokens that prove that a question was asked by us, about one call, and not answered before.

    A token is a nonce, an expiry and their HMAC with a digest of what it is bound to; it holds no content. `secret` is the
    process's own unless replicas share a configured one. A used token is remembered until it expires, in this process and,
    with `claim`, wherever that remembers it: it tells once only, for a name and its seconds, that nobody was there before.
    """

    def __init__(
        self, secret: bytes | None = None, *, clock: Callable[[], float] = time.time, claim: Claim | None = None
    ) -> None:
        self._claim = claim
        self._secret = secret or secrets.token_bytes(32)
        self._clock = clock
        self._used: dict[bytes, float] = {}

    def issue(self, binding: bytes) -> str:
        """A token for what `binding` stands for."""
        head = secrets.token_bytes(_NONCE) + struct.pack(">d", self._clock() + SEAL_SECONDS)
        return base64.urlsafe_b64encode(head + self._mac(head, binding)).decode()

    async def redeem(self, token: str, binding: bytes) -> str | None:
        """Use a token up: None when it counts, else why it does not. Raises ToolError when nobody can tell whether it was."""
        try:
            raw = base64.urlsafe_b64decode(token.encode("ascii", "replace"))
        except (ValueError, binascii.Error):
            return "is not one of this server's"
        head, mac = raw[: _NONCE + 8], raw[_NONCE + 8 :]
        if len(head) != _NONCE + 8 or not hmac.compare_digest(mac, self._mac(head, binding)):
            return "belongs to another call, other arguments, another key or another server"
        nonce, expiry = head[:_NONCE], struct.unpack(">d", head[_NONCE:])[0]
        now = self._clock()
        if not now < expiry:
            return "came too late"
        if nonce in self._used:
            return "was used before"
        if len(self._used) >= _MAX_USED:
            self._used = {n: e for n, e in self._used.items() if e > now}
        self._used[nonce] = expiry
        if self._claim is not None and not await self._claim(f"seal:{nonce.hex()}", expiry - now):
            return "was used before"
        return None

    def _mac(self, head: bytes, binding: bytes) -> bytes:
        return hmac.new(self._secret, head + hashlib.sha256(binding).digest(), hashlib.sha256).digest()


class Gate:
    """Asks a person before irreversible calls, as the mode says.

    `client` leaves it to the client's own approval prompt, `elicit` asks where the client can, `strict` refuses where it
    cannot.
    """

    def __init__(
        self,
        mode: Confirm = "client",
        secret: str | None = None,
        *,
        clock: Callable[[], float] = time.time,
        claim: Claim | None = None,
    ) -> None:
        self.mode = mode
        self._seals = Seals(secret.encode() if secret else None, clock=clock, claim=claim)

    def asks(self, tool: Tool, caller: Caller) -> bool:
        """Whether a person has to be asked. Raises NotAllowedError in strict mode when nobody can be."""
        if self.mode == "client" or tool.effect != "irreversible":
            return False
        if caller.can_ask:
            return True
        if self.mode == "elicit":
            return False
        raise NotAllowedError(
            f"{tool.name} needs a person's confirmation, and this client offers no way to ask for it. Nothing was sent.",
            code="CANNOT_ASK",
            hint="Tell the user. It takes a client with MCP elicitation, or an operator who starts the server with "
            "--confirm client, where the client's own approval prompt decides.",
        )

    async def confirm(
        self, tool: Tool, arguments: dict[str, Any], caller: Caller, credential: str, target: Callable[[], Awaitable[str]]
    ) -> None:
        """Return when the person said yes to this very call. Raises NotAllowedError otherwise, or AnswerNeeded.

        `credential` is the key's fingerprint; `target` finds out what the record is called, when somebody is asked.
        """
        bound = binding(tool, arguments, credential)
        reply = caller.answer
        if reply is None:
            text = question_text(tool, arguments, await target(), caller.asks)
            reply = await caller.ask(Question(text, self._seals.issue(bound)))
        if not reply.accepted:
            raise NotAllowedError(
                f"the person did not confirm {tool.name}. Nothing was sent.",
                code="DECLINED",
                hint="Accept that, and ask the user how to go on. Do not call it again unless they say so.",
            )
        if (reason := await self._seals.redeem(reply.state, bound)) is not None:
            raise NotAllowedError(
                f"the confirmation of {tool.name} {reason}. Nothing was sent.",
                code="CONFIRMATION_INVALID",
                hint="Call the tool again; the person is then asked again. A confirmation counts once, within "
                f"{SEAL_SECONDS / 60:.0f} minutes, for exactly the call that was asked about.",
            )


def binding(tool: Tool, arguments: dict[str, Any], credential: str) -> bytes:
    """What a confirmation is bound to, in one canonical form."""
    return json.dumps([tool.name, arguments, credential], sort_keys=True, ensure_ascii=True, default=str).encode()


def question_text(tool: Tool, arguments: dict[str, Any], target: str = "", asks: str = Caller.asks) -> str:
    """The question in plain words: what it does, to what, with which values, at what cost. Bounded, and free of tricks."""
    purpose = one_line(tool.description.split(". ")[0], 200).rstrip(".")
    lines = [f"Allow “{tool.title}”? ({tool.name})", f"{purpose}."]
    if target:
        lines.append(f"Target: {_quoted(target, 100)}")
    order = {p.name: (p.location != "path", not p.required) for p in tool.parameters}
    names = sorted(arguments, key=lambda n: order.get(n, (True, True)))
    shown = without_secrets(arguments)
    lines += [f"- {name}: {_value(shown[name])}" for name in names[:_SHOWN_ARGUMENTS]]
    if rest := names[_SHOWN_ARGUMENTS:]:
        lines.append(f"- and {len(rest)} more: {one_line(', '.join(rest), 200)}")
    if (cost := price(tool, arguments)) != FREE:
        lines.append(f"Costs {cost}.")
    lines.append(f"It cannot be undone. {asks}")
    return "\n".join(lines)


def _value(value: Any) -> str:
    if value == HIDDEN:
        return HIDDEN
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return _quoted(text, _VALUE_CHARACTERS)


def _quoted(text: str, limit: int) -> str:
    return "“" + one_line(text.replace("“", '"').replace("”", '"'), limit) + "”"
