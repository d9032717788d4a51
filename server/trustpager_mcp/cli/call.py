"""`trustpager-mcp call`: one call, as an agent would make it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from ..callers import SILENT, Caller, Question, Reply
from .options import connection_options, make_app

if TYPE_CHECKING:
    from ..dispatcher import Result


class Terminal(Caller):
    """A person at a terminal, who can be asked."""

    can_ask = True

    async def ask(self, question: Question) -> Reply:
        click.echo(question.text, err=True)
        return Reply(click.confirm("Do it?", err=True), question.state)


@click.command()
@click.argument("tool")
@click.argument("arguments", default="{}")
@click.option("--json", "as_json", is_flag=True, help="The API's answer as JSON instead of the agent's text.")
@click.option(
    "--tokens", is_flag=True, help="Also tell, on standard error, what the text costs an agent and what raw JSON would."
)
@click.option("--preview", is_flag=True, help="Show the request that would be sent, and send nothing.")
@connection_options
def call(tool: str, arguments: str, as_json: bool, tokens: bool, preview: bool, **options: Any) -> None:
    """Call TOOL once with ARGUMENTS (a JSON object), as an agent would."""
    import anyio

    try:
        parsed = json.loads(arguments)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"ARGUMENTS is not valid JSON ({error}). Give an object like '{{\"limit\": 5}}'.") from None
    if not isinstance(parsed, dict):
        raise click.UsageError(f"ARGUMENTS is {arguments[:60]}; give a JSON object like '{{\"limit\": 5}}'.")
    app = make_app("core", options)

    async def run() -> Result:
        session = await app.session()
        try:
            chosen = {"preview": True} if preview else None
            return await session.call(tool, parsed, Terminal() if sys.stdin.isatty() else SILENT, options=chosen)
        finally:
            await app.aclose()

    result = anyio.run(run)
    if result.is_error:
        click.echo(result.text, err=True)
        sys.exit(1)
    click.echo(json.dumps(result.data, ensure_ascii=False) if as_json else result.text)
    if tokens:
        click.echo(_cost(result), err=True)


def _cost(result: Result) -> str:
    from ..shaping.tokens import estimate

    shaped = estimate(result.text)
    if result.data is None:
        return f"about {shaped} tokens"
    raw = estimate(
        result.data if isinstance(result.data, str) else json.dumps(result.data, ensure_ascii=False, separators=(",", ":"))
    )
    return f"about {shaped} tokens; the raw answer {raw}: {shaped / max(raw, 1):.1%}"
