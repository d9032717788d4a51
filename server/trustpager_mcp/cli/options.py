"""Options that several commands take, each with its TRUSTPAGER_* variable, and the App that they make."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ..gate import CONFIRM_MODES
from ..request_builder import DEFAULT_BASE_URL
from ..settings import SANDBOX_MODEL_URL, Settings
from .environment import check_environment, known_variables

if TYPE_CHECKING:
    from ..app import App

Names = tuple[str, ...]


def split_names(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Names | None:
    """Comma-separated names; None when the option is not given. An empty list is an error, since it would mean "all"."""
    if value is None:
        return None
    if names := tuple(part.strip() for part in value.split(",") if part.strip()):
        return names
    raise click.BadParameter("names nothing; give names, comma-separated, or leave the option out.")


def option(name: str, **keywords: Any) -> Callable[[Any], Any]:
    variable = "TRUSTPAGER_" + name.removeprefix("--").split("/")[0].replace("-", "_").upper()
    return click.option(name, envvar=variable, show_envvar=True, **keywords)


def model_options(command: Any) -> Any:
    """The model that leads Evie in the practice workspace."""
    command = option("--sandbox-model", help="Name of that model.")(command)
    command = option(
        "--sandbox-model-url", default=SANDBOX_MODEL_URL, show_default=True, help="Its address, up to /chat/completions."
    )(command)
    return option("--sandbox-model-key", help="Key of a model that leads the sandbox's Evie. Better set as a variable.")(command)


def connection_options(command: Any) -> Any:
    """What every command that talks to the API takes."""
    # fmt: off
    options = [
        option("--api-key", help="Key of the workspace. Better set as a variable than typed."),
        option("--api-key-from", help="Where the key rests: file:/path/to/key or keyring:name (`install` writes this)."),
        option("--portal-token", help="Portal session token, for create_evie_token. Better set as a variable."),
        option("--oauth-token", help="Evie's token. Default: what create_evie_token gets. Better set as a variable."),
        option("--base-url", default=DEFAULT_BASE_URL, show_default=True, help="Whole base of the API."),
        option("--sandbox", is_flag=True, help="Work on a practice workspace inside this process; no key needed."),
        option("--seed", type=int, default=1, show_default=True, help="Which practice workspace --sandbox makes."),
        option("--db", help="Keep the workspace of --sandbox in this file. Default: in memory, gone at the end."),
        model_options,
        option("--scopes", callback=split_names, help="Scopes of the key, comma-separated, or `all`. Default: ask the API."),
        option("--scopes-ttl", type=float, default=300.0, show_default=True, help="Seconds after which scopes are asked again."),
        option("--read-only", is_flag=True, help="Refuse every tool that changes anything."),
        option("--allow", callback=split_names, help="Only these tools (globs, comma-separated)."),
        option("--deny", callback=split_names, help="Never these tools (globs, comma-separated)."),
        option("--approvals", is_flag=True, help="Let agents approve or reject what was held back for a person."),
        option(
            "--confirm", type=click.Choice(CONFIRM_MODES), default="client", show_default=True,
            help="Who confirms irreversible calls: the client's own prompt; elicit asks a person where the client can; "
            "strict refuses where it cannot.",
        ),
        option("--confirm-secret", help="Seals confirmations that replicas share; at least 32 characters. Set as a variable."),
        option("--credit-budget", type=float, help="Credits that may be spent: in a run (stdio), per key and day (http)."),
        option("--audit", default="off", show_default=True, help="One JSON line a call to: off, stderr, or a file."),
        option("--audit-arguments", is_flag=True, help="Write argument values to the audit log; secrets never."),
        option("--timeout", type=float, default=30.0, show_default=True, help="Seconds that one API request may take."),
        option("--result-tokens", type=int, default=8_000, show_default=True, help="Most tokens of one result."),
        option("--result-characters", type=int, default=40_000, show_default=True, help="Most characters of one result."),
        option("--timezone", help="Zone to show moments in, like Australia/Sydney. Default: UTC."),
        option("--downloads", metavar="DIR", help="Directory that files may be saved to. Default: kept as resources."),
    ]
    # fmt: on
    for decorate in reversed(options):
        command = decorate(command)
    return command


def make_app(tools: str, options: dict[str, Any]) -> App:
    """The App of the given options. Raises ConfigurationError for anything unknown."""
    from ..app import App

    context = click.get_current_context()
    root = context.find_root().command
    if isinstance(root, click.Group):
        check_environment(os.environ, known_variables(root), context.params.get("credential_store"))
    place = options.pop("api_key_from")
    if place and not options["api_key"]:
        from ..key_store import read_key

        options["api_key"] = read_key(place)
    options["allow"] = options["allow"] or ()
    options["deny"] = options["deny"] or ()
    return App(Settings(tools=tools, **options))
