"""`salesbot receiver`: the internet's door, in a process of its own."""

from __future__ import annotations

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to bind; keep loopback behind a proxy.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
def receiver(host: str, port: int) -> None:
    """Serve the install routes and take webhooks."""
    from salesbot_pipelines.receiver.server import serve
    from salesbot_pipelines.settings import load_settings

    serve(load_settings(), host=host, port=port)
