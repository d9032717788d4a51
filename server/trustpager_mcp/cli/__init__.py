"""The command line: one module a command."""

from __future__ import annotations

import sys

import click

from ..errors import DefinitionError, TrustPagerError
from ..version import __version__
from .audit import audit
from .call import call
from .catalog import catalog
from .client_token import client_token
from .doctor import doctor
from .install import install
from .search import search
from .serve import sandbox, serve


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trustpager-mcp")
def cli() -> None:
    """TrustPager's CRM for AI agents, over the Model Context Protocol.

    Try it without a key:  trustpager-mcp call list_pipelines --sandbox
    """


for _command in (serve, sandbox, catalog, search, call, audit, install, client_token, doctor):
    cli.add_command(_command)


def main() -> None:
    """The console script: errors of this package are one clear line, never a traceback."""
    try:
        cli()
    except DefinitionError as error:
        click.echo(f"trustpager-mcp: the installed definitions are broken: {error}", err=True)
        sys.exit(3)
    except TrustPagerError as error:
        click.echo(f"trustpager-mcp: {error}", err=True)
        sys.exit(2)
