"""`salesbot keys new | rotate`, `salesbot migrate`, `salesbot completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from salesbot_pipelines.cli.console import err, out


@click.group()
def keys() -> None:
    """Encryption keys of the stored credentials."""


@keys.command()
def new() -> None:
    """Print a new key. Put it in front of the others in SALESBOT_ENCRYPTION_KEYS, then run `salesbot keys rotate`."""
    from cryptography.fernet import Fernet

    click.echo(Fernet.generate_key().decode())


@keys.command()
def rotate() -> None:
    """Encrypt every credential again under the first key; may be stopped and started again."""
    from salesbot_pipelines.refresh.program import open_program
    from salesbot_pipelines.settings import load_settings
    from salesbot_pipelines.state.rotation import rotate as rotate_credentials

    opened = open_program(load_settings())
    try:
        count = rotate_credentials(opened.engine, opened.keyring)
    finally:
        opened.close()
    out.print(f"{count} values encrypted again; the old keys may now leave SALESBOT_ENCRYPTION_KEYS")


@click.command("migrate")
def migrate_command() -> None:
    """Bring the database to the schema of this version. Safe to repeat."""
    from salesbot_pipelines.settings import load_settings
    from salesbot_pipelines.state.engine import migrate, open_engine

    engine = open_engine(load_settings(), create=True)
    try:
        migrate(engine)
    finally:
        engine.dispose()
    out.print("the database has the schema of this version")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL.

    For bash: eval "$(salesbot completion bash)" in ~/.bashrc
    """
    completion_class = get_completion_class(shell)
    root = click.get_current_context().find_root().command
    if completion_class is None:
        err.print(f"no completion for {shell}")
        raise click.exceptions.Exit(1)
    click.echo(completion_class(root, {}, "salesbot", "_SALESBOT_COMPLETE").source())
