"""`salesbot keys new | rotate | abandon-lost`, `salesbot migrate`, `salesbot completion`."""

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
    from salesbot_pipelines.state.key_file import new_key

    click.echo(new_key())


@keys.command()
def rotate() -> None:
    """Encrypt every credential again under the first key; may be stopped and started again.

    Without SALESBOT_ENCRYPTION_KEYS the key file in SALESBOT_HOME gets a new key first and loses the old ones at
    the end.
    """
    from salesbot_pipelines.refresh.program import open_program
    from salesbot_pipelines.settings import load_settings
    from salesbot_pipelines.state.key_file import KeyFile, new_key
    from salesbot_pipelines.state.rotation import rotate as rotate_credentials

    settings = load_settings()
    key_file = None if settings.encryption_keys or settings.database_url else KeyFile(settings.home)
    if key_file is not None and len(key_file.read_or_create()) == 1:  # more: a rotation was interrupted
        key_file.add(new_key())
    opened = open_program(settings)
    try:
        count = rotate_credentials(opened.engine, opened.keyring)
    finally:
        opened.close()
    if key_file is not None:
        key_file.keep_newest()
        out.print(f"{count} values encrypted again under a new key; processes that run must be started again")
    else:
        out.print(f"{count} values encrypted again; the old keys may now leave SALESBOT_ENCRYPTION_KEYS")


@keys.command("abandon-lost")
@click.option("--yes", is_flag=True, help="Do not ask.")
def abandon_lost(yes: bool) -> None:
    """Give up credentials whose key is lost for good: those shops must log in again, all else stays."""
    from salesbot_pipelines.settings import load_settings
    from salesbot_pipelines.state.encryption import Keyring
    from salesbot_pipelines.state.engine import check_schema, open_engine
    from salesbot_pipelines.state.rotation import abandon_lost_keys

    settings = load_settings()
    engine = open_engine(settings)
    try:
        check_schema(engine)
        if not yes:
            click.confirm("Give up every credential that the present keys cannot read?", abort=True, err=True)
        shops = abandon_lost_keys(engine, Keyring.from_settings(settings))
    finally:
        engine.dispose()
    out.print(f"{len(shops)} shops must log in again" + (f": {', '.join(shops)}" if shops else ""))


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
