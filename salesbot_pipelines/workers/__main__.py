"""The worker: imports the modules it is given, and does what it is told until its input ends."""

from __future__ import annotations

import importlib
import os
import signal
import sys

from salesbot_pipelines.workers.collecting import collect_seldom
from salesbot_pipelines.workers.process import receive, send


def main() -> None:
    """Answer each (function, item) with (True, its result), or (False, the name of the error it raised)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the other process, which ends this one
    collect_seldom()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what anyone prints is no answer
    for module in sys.argv[1:]:
        importlib.import_module(module)
    while True:
        try:
            function, item = receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = (True, function(item))
        except Exception as error:  # noqa: BLE001  the other process does it again, and raises it there
            answer = (False, type(error).__name__)
        try:
            send(answers, answer)
        except BrokenPipeError:
            return


if __name__ == "__main__":
    main()
