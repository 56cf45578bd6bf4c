"""The command line, run in the test's own process as its entry point runs it."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import pytest

from salesbot_pipelines.cli import main

TINY, SMALL = "tiny.myshopify.com", "small.myshopify.com"


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


class Cli:
    """Runs `salesbot` as its entry point does."""

    def __init__(self, monkeypatch, capsys, folder):
        self._monkeypatch, self._capsys, self.folder = monkeypatch, capsys, folder
        self.home = folder / ".salesbot"

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    def __call__(self, *arguments: str, stdin: str = "") -> Ended:
        self._monkeypatch.setattr("sys.argv", ["salesbot", *arguments])
        self._monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = self._capsys.readouterr()
        return Ended(ended.value.code or 0, captured.out, captured.err)
