"""The sandbox as a process of its own: it leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx


def test_a_terminated_sandbox_takes_its_bulk_results_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "salesbot_pipelines.sandbox", "--synthetic", "5"]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
                known = http.get("/_sandbox/shops").json()["shops"]
                shop, token = known[0]["shop"], known[0]["token"]
                text = "{ products { edges { node { id } } } }"
                run = "mutation($q: String!) { bulkOperationRunQuery(query: $q) { bulkOperation { id } } }"
                answer = http.post(
                    f"/shops/{shop}/admin/api/2026-10/graphql.json",
                    json={"query": run, "variables": {"q": text}},
                    headers={"X-Shopify-Access-Token": token},
                )
            assert answer.json()["data"]["bulkOperationRunQuery"]["bulkOperation"]["id"]
            assert list(tmp_path.glob("sandbox-bulk-*"))
        finally:
            process.terminate()
    assert process.returncode == 143
    assert list(tmp_path.iterdir()) == []
