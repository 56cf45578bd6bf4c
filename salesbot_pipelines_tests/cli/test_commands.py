"""What each command does and prints, for people and as JSON."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid

import pytest
from cryptography.fernet import Fernet

from salesbot_pipelines.cli import _COMMANDS
from salesbot_pipelines_tests.cli.command import SMALL, TINY


class TestConnecting:
    def test_a_token_comes_by_standard_input_and_is_seen_nowhere(self, cli, sandbox):
        token = sandbox[0].world.shop(TINY).token
        command = [sys.executable, "-m", "salesbot_pipelines", "shops", "add", TINY, "--token-stdin"]
        adding = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        adding.stdin.write(f"{token}\n")
        adding.stdin.flush()
        seen = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
        said, _ = adding.communicate(timeout=120)
        assert adding.returncode == 0, said
        assert f"next: salesbot refresh {TINY}" in said
        assert token not in seen + said
        for path in cli.home.rglob("*"):
            if path.is_file():
                assert token.encode() not in path.read_bytes(), path
                assert path.stat().st_mode & 0o077 == 0, path

    def test_there_is_no_other_way_to_give_a_token(self, cli):
        help_text = cli("shops", "add", "--help").out
        assert "--token-stdin" in help_text
        assert not re.search(r"--token[ =]", help_text)

    def test_the_owner_is_kept_when_a_shop_is_added_again(self, connected, sandbox):
        token = sandbox[0].world.shop(TINY).token
        owner = {row["shop"]: row["owner"] for row in connected("shops", "list", "--json").json()}[TINY]
        again = connected("shops", "add", TINY, "--token-stdin", stdin=token)
        assert owner in again.out

    def test_an_owner_can_be_chosen(self, cli, sandbox):
        owner = str(uuid.uuid4())
        token = sandbox[0].world.shop(TINY).token
        assert owner in cli("shops", "add", TINY, "--token-stdin", "--owner", owner.upper(), stdin=token).out

    def test_client_credentials_need_no_token(self, cli, sandbox):
        cli.set(
            SHOPIFY_SHOP_URL=sandbox[1].shop_url,
            SHOPIFY_API_KEY="sandbox-client-id",
            SHOPIFY_API_SECRET="sandbox-client-secret",
        )
        assert cli("shops", "add", TINY, "--client-credentials").code == 0
        assert cli("refresh", TINY).code == 0


class TestListing:
    def test_without_shops_it_says_how_to_add_one(self, cli):
        ended = cli("shops", "list")
        assert (ended.code, ended.out) == (0, "")
        assert "salesbot shops add SHOP" in ended.err
        assert cli("shops", "list", "--json").json() == []

    def test_the_json_has_a_fixed_shape(self, connected):
        assert connected("refresh", TINY).code == 0
        tiny, small = connected("shops", "list", "--json").json()
        assert list(tiny) == list(small)
        assert set(tiny) == {
            "shop", "status", "published", "hours", "products", "variants", "collections", "discounts", "bytes",
            "omissions", "attempts", "parked", "last_error", "owner", "reauth_reason",
        }  # fmt: skip
        assert (tiny["shop"], tiny["status"], tiny["published"], tiny["products"]) == (TINY, "installed", True, 2)
        assert (small["shop"], small["published"], small["hours"], small["products"]) == (SMALL, False, None, 0)
        uuid.UUID(tiny["owner"])

    def test_the_table_has_one_line_a_shop_in_the_order_of_connecting(self, connected):
        lines = connected("shops", "list").out.strip().splitlines()
        assert [line.split()[0] for line in lines] == ["shop", TINY, SMALL]
        assert "never" in lines[1]


class TestRemoving:
    def test_the_document_stays_until_it_is_purged(self, connected):
        assert connected("refresh", "--all").code == 0
        documents = sorted(connected.home.rglob("shopify_data.json"))
        assert len(documents) == 2
        removed = connected("shops", "remove", TINY)
        assert removed.code == 0
        assert f"salesbot shops remove {TINY} --purge" in removed.out
        assert sorted(connected.home.rglob("shopify_data.json")) == documents
        assert [row["shop"] for row in connected("shops", "list", "--json").json()] == [SMALL]
        assert connected("refresh", TINY).code == 1

        purged = connected("shops", "remove", TINY, "--purge", "--yes")
        assert purged.code == 0
        assert re.search(r"deleted 1\d objects", purged.out)
        assert not [path for path in (connected.home / "objects").rglob("*") if TINY in str(path) and path.is_file()]
        assert len(list(connected.home.rglob("shopify_data.json"))) == 1

    def test_a_purge_asks_first(self, connected):
        assert connected("refresh", TINY).code == 0
        refused = connected("shops", "remove", TINY, "--purge", stdin="n\n")
        assert refused.code != 0
        assert list(connected.home.rglob("shopify_data.json"))
        assert len(connected("shops", "list", "--json").json()) == 2
        assert connected("shops", "remove", TINY, "--purge", stdin="y\n").code == 0
        assert not list(connected.home.rglob("shopify_data.json"))


class TestRefreshing:
    def test_one_bad_shop_of_several_is_named_and_the_others_are_published(self, connected, sandbox):
        sandbox[0].world.shop(TINY).freeze(402)
        ended = connected("refresh", TINY, SMALL)
        assert ended.code == 1
        lines = ended.out.strip().splitlines()
        assert [line.split()[:2] for line in lines[:3]] == [
            ["shop", "status"],
            [TINY, "failed"],
            [SMALL, "published"],
        ]
        [failed] = [line for line in ended.err.splitlines() if line.startswith("failed: ")]
        assert TINY in failed
        assert "the merchant must reopen the shop" in failed
        assert connected("show", SMALL).code == 0

        sandbox[0].world.shop(TINY).thaw()
        again = connected("refresh", "--all")
        assert again.code == 0
        assert [line.split()[1] for line in again.out.strip().splitlines()[1:3]] == ["published", "unchanged"]

    def test_the_json_is_one_object_a_shop(self, connected, sandbox):
        sandbox[0].world.shop(TINY).freeze(402)
        ended = connected("refresh", "--all", "--json")
        assert ended.code == 1
        bad, good = (json.loads(line) for line in ended.out.splitlines())
        assert list(bad) == list(good)
        assert (bad["shop"], bad["status"], bad["revision"], bad["uri"]) == (TINY, "failed", None, None)
        assert TINY in bad["error"]
        assert (good["shop"], good["status"], good["error"]) == (SMALL, "published", None)
        assert good["counts"]["products"] == 5
        assert good["uri"].startswith("file://")
        assert good["revision"].startswith("sha256:")
        assert set(good["seconds"]) == {"fetch", "normalise", "publish"}
        assert {"bytes", "omissions", "calls", "points", "throttled"} <= set(good)

    def test_a_shop_given_twice_is_refreshed_once(self, connected):
        ended = connected("refresh", TINY, TINY, "--json")
        assert ended.code == 0
        assert len(ended.out.splitlines()) == 1

    def test_full_publishes_what_has_not_changed(self, connected):
        assert connected("refresh", TINY).code == 0
        assert connected("refresh", TINY, "--json").json()["status"] == "unchanged"
        assert connected("refresh", TINY, "--full", "--json").json()["status"] == "published"

    def test_all_of_none_is_no_failure(self, cli):
        ended = cli("refresh", "--all")
        assert ended.code == 0
        assert "salesbot shops add SHOP" in ended.err

    def test_a_replay_makes_the_shop_due(self, connected):
        assert connected("refresh", TINY).code == 0
        assert f"{TINY} is due" in connected("replay", TINY).out
        from salesbot_pipelines.refresh.program import open_program
        from salesbot_pipelines.settings import load_settings

        opened = open_program(load_settings())
        try:
            status = opened.work.status(TINY)
            assert status.wanted > status.done
        finally:
            opened.close()


class TestShowing:
    def test_a_published_shop(self, connected):
        assert connected("refresh", SMALL).code == 0
        shown = connected("show", SMALL).out
        rows = dict(line.split(maxsplit=1) for line in shown.splitlines() if not line.startswith(" "))
        assert rows["document"].endswith(f"/shopify/{SMALL}/shopify_data.json")
        assert "5 products" in rows["holds"]
        assert rows["state"] == "installed"
        assert rows["revision"].startswith("sha256:")

    def test_as_json(self, connected):
        assert connected("refresh", SMALL).code == 0
        shown = connected("show", SMALL, "--json").json()
        assert set(shown) == {"shop", "owner", "state", "uri", "manifest"}
        assert shown["manifest"]["counts"]["products"] == 5
        assert shown["state"]["status"] == "installed"

    def test_before_the_first_refresh_it_says_what_to_run(self, connected):
        ended = connected("show", TINY)
        assert ended.code == 1
        assert f"run `salesbot refresh {TINY}`" in ended.err
        assert connected("show", TINY, "--json").json()["manifest"] is None

    def test_what_is_missing_is_listed(self, connected, sandbox):
        shop = sandbox[0].world.shop(TINY)
        shop.grant([scope for scope in shop.scopes if "discounts" not in scope])
        assert connected("refresh", TINY).code == 0
        shown = connected("show", TINY).out
        assert "no, it lacks:" in shown
        assert re.search(r"^  discounts \(\w+\)", shown, re.MULTILINE)


class TestDoctor:
    def test_a_fleet_in_order_ends_with_zero(self, connected):
        assert connected("refresh", "--all").code == 0
        ended = connected("doctor")
        assert ended.code == 0, ended.out
        assert "broken" not in ended.out
        assert f"{TINY}: read " in ended.out
        checks = connected("doctor", "--json").json()
        assert all(set(check) == {"name", "level", "text", "fix"} for check in checks)
        assert {check["level"] for check in checks} <= {"ok", "warning"}
        assert {"packages", "settings", "database", "keys", "shop"} <= {check["name"] for check in checks}

    def test_every_line_that_is_not_ok_has_a_fix(self, cli):
        checks = cli("doctor", "--json").json()
        assert [check for check in checks if check["level"] != "ok"]
        assert all(check["fix"] for check in checks if check["level"] != "ok")

    def test_a_shop_that_needs_a_login_is_a_failure(self, connected, sandbox):
        sandbox[0].world.shop(TINY).uninstall()
        assert connected("refresh", TINY).code == 1
        ended = connected("doctor")
        assert ended.code == 1
        [line] = [line for line in ended.out.splitlines() if line.startswith("broken")]
        assert TINY in line
        assert "the merchant opens the app once more" in line


class TestKeys:
    def test_a_new_key_is_one(self, cli):
        key = cli("keys", "new").out.strip()
        Fernet(key)
        assert cli("keys", "new").out.strip() != key
        assert not cli.home.exists()

    def test_rotating_lets_the_old_key_go(self, cli, sandbox):
        old, new = (cli("keys", "new").out.strip() for _ in range(2))
        cli.set(SHOPIFY_SHOP_URL=sandbox[1].shop_url, SALESBOT_ENCRYPTION_KEYS=old)
        assert cli("shops", "add", TINY, "--token-stdin", stdin=sandbox[0].world.shop(TINY).token).code == 0
        cli.set(SALESBOT_ENCRYPTION_KEYS=f"{new},{old}")
        rotated = cli("keys", "rotate")
        assert rotated.code == 0
        assert re.match(r"\d+ values encrypted again", rotated.out)
        cli.set(SALESBOT_ENCRYPTION_KEYS=new)
        assert cli("refresh", TINY).code == 0
        cli.set(SALESBOT_ENCRYPTION_KEYS=old)
        wrong = cli("refresh", TINY)
        assert wrong.code == 1
        assert "SALESBOT_ENCRYPTION_KEYS" in wrong.err
        assert old not in wrong.err + rotated.out


class TestTheDoor:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_completion_scripts(self, cli, shell):
        ended = cli("completion", shell)
        assert ended.code == 0
        assert "_SALESBOT_COMPLETE" in ended.out

    def test_completion_completes(self, tmp_path):
        asked = {"_SALESBOT_COMPLETE": "bash_complete", "COMP_WORDS": "salesbot sh", "COMP_CWORD": "1"}
        done = subprocess.run(
            [sys.executable, "-c", "from salesbot_pipelines.cli import main; main()"],
            env={"PATH": os.environ["PATH"], **asked},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.split() == ["plain,shops", "plain,show"]

    def test_every_command_has_help_that_says_what_it_does(self, cli):
        listed = cli("--help").out
        for name in _COMMANDS:
            assert re.search(rf"^  {name} +\S", listed, re.MULTILINE), name
            assert cli(name, "--help").code == 0

    def test_version(self, cli):
        assert re.fullmatch(r"salesbot \d+\.\d+\.\d+\n", cli("--version").out)

    def test_a_dotenv_file_is_read_and_the_environment_wins(self, cli):
        (cli.folder / ".env").write_text("SALESBOT_BATCH_SIZE=many\nSALESBOT_SCHEDULE=\n")
        assert "SALESBOT_BATCH_SIZE is malformed" in cli("shops", "list").err
        cli.set(SALESBOT_BATCH_SIZE="7")
        assert cli("shops", "list").code == 0

    def test_a_reader_that_goes_away_is_no_traceback(self, tmp_path):
        script = 'set -o pipefail; "$0" -m salesbot_pipelines doctor --json | true; exit ${PIPESTATUS[0]}'
        done = subprocess.run(
            ["bash", "-c", script, sys.executable], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert done.returncode in (0, 1, 141)
        assert "Traceback" not in done.stderr
