"""Write docs/settings.md, every command with its options and variables, from the code; `--check` says whether it is current."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from trustpager_mcp.cli import cli

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
_SHARED = ("serve", "call", "doctor")
_INTRO = """\
# Commands, options and variables

Written by `make format` from the code; do not edit. A variable does what its option does, and an option wins over it. What
the options of safety mean is told in [policy.md](policy.md), those of HTTP in [http.md](http.md).

A mistake stops the start, with exit code 2 and the nearest right word: a `TRUSTPAGER_` variable that no setting knows, in any
case of letters; a variable that would have narrowed something but is set to nothing; an unknown scope, toolset, tool or value.
"""


def commands(group: click.Group = cli, above: str = "") -> dict[str, click.Command]:
    """Every command by what one types to run it, those below another one included."""
    found: dict[str, click.Command] = {}
    for name, command in sorted(group.commands.items()):
        found[f"{above}{name}"] = command
        if isinstance(command, click.Group):
            found |= commands(command, f"{above}{name} ")
    return found


def options_of(command: click.Command) -> dict[str, click.Option]:
    """The options of a command by their first name, hidden ones and --help left out."""
    return {p.opts[0]: p for p in command.params if isinstance(p, click.Option) and not p.hidden}


def shared() -> list[str]:
    """The options that every command takes which talks to the API."""
    first, *others = (options_of(cli.commands[name]) for name in _SHARED)
    return [name for name in first if all(name in other for other in others)]


def rows(options: dict[str, click.Option]) -> list[str]:
    """One line of a table for each option."""
    lines = ["| option | variable | default | what it does |", "|---|---|---|---|"]
    for name, option in options.items():
        names = ", ".join(f"`{n}`" for n in (name, *option.opts[1:], *option.secondary_opts))
        variable = f"`{option.envvar}`" if isinstance(option.envvar, str) else ""
        words = (option.help or "").replace("|", "\\|")
        if isinstance(option.type, click.Choice):
            words += f" One of {', '.join(f'`{c}`' for c in option.type.choices)}."
        lines.append(f"| {names} | {variable} | {_default(option)} | {words} |")
    return lines


def _default(option: click.Option) -> str:
    value = option.default
    if option.is_flag:
        return "on" if value is True else "off"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`" if isinstance(value, str | int) else ""


def rendered() -> str:
    common = shared()
    first = options_of(cli.commands[_SHARED[0]])
    lines = [_INTRO, f"## {', '.join(f'`{name}`' for name in _SHARED)}: what is called, and what may be", ""]
    lines += [*rows({name: first[name] for name in common}), ""]
    for name, command in commands().items():
        arguments = [f"[{a.name}]" if not a.required else str(a.name) for a in command.params if isinstance(a, click.Argument)]
        typed = " ".join(("trustpager-mcp", name, *(a.upper() for a in arguments)))
        lines += [f"## `{typed}`", "", (command.help or "").partition("\n\n")[0].replace("\n", " "), ""]
        own = {n: o for n, o in options_of(command).items() if name not in _SHARED or n not in common}
        if name in _SHARED:
            lines += ["Takes the options above, and:", ""]
        lines += [*rows(own), ""] if own else []
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    page = rendered()
    if "--check" in sys.argv:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
            sys.exit("docs/settings.md is not current; run `make format`")
    else:
        PAGE.write_text(page, encoding="utf-8")
