"""The operator's door: `salesbot`, also `python -m salesbot_pipelines`.

Each command reads the settings once, says what it does while it does it, and ends with 0, or with 1 and one line
that names what failed and what to do; 2 for a command line or a setting that is not right. Commands import what
they need when they run, so that `salesbot --help` and shell completion answer at once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from salesbot_pipelines.errors import SalesbotError, SettingsError

__all__ = ["main"]

_COMMANDS = {
    "demo": "salesbot_pipelines.cli.demo:demo",
    "dev": "salesbot_pipelines.cli.demo:dev",
    "sandbox": "salesbot_pipelines.cli.sandbox:sandbox",
    "receiver": "salesbot_pipelines.cli.receiver:receiver",
    "shops": "salesbot_pipelines.cli.shops:shops",
    "refresh": "salesbot_pipelines.cli.refresh:refresh",
    "replay": "salesbot_pipelines.cli.refresh:replay",
    "show": "salesbot_pipelines.cli.show:show",
    "keys": "salesbot_pipelines.cli.keys:keys",
    "migrate": "salesbot_pipelines.cli.keys:migrate_command",
    "doctor": "salesbot_pipelines.cli.doctor:doctor",
    "completion": "salesbot_pipelines.cli.keys:completion",
}


class _LazyGroup(click.Group):
    """Finds a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        __import__(module)
        command: click.Command = getattr(sys.modules[module], name)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="salesbot-pipelines", message="salesbot %(version)s")
def _salesbot() -> None:
    """Keep one truthful shopify_data.json per connected Shopify shop.

    Try it with no account: salesbot demo
    """
    _load_dotenv()


def _load_dotenv() -> None:
    """Take variables from `.env` in the working directory; what the environment says wins."""
    path = Path(".env")
    if path.is_file():
        from dotenv import dotenv_values

        for name, value in dotenv_values(path, interpolate=False).items():
            if value:
                os.environ.setdefault(name, value)


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        code = _salesbot.main(prog_name="salesbot", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SettingsError as error:
        click.echo(f"error: {error.public_text}", err=True)
        sys.exit(2)
    except SalesbotError as error:
        click.echo(f"error: {error.public_text}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output is gone (`salesbot show | head`): nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    sys.exit(code if isinstance(code, int) else 0)
