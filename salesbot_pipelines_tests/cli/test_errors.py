"""Whatever is not right ends a command with its exit code and one line that says what to do."""

from __future__ import annotations

import pytest

from salesbot_pipelines.settings import VARIABLES

SHOP = "tiny.myshopify.com"
COMMANDS = [
    ["demo", "--once"],
    ["demo"],
    ["dev"],
    ["receiver"],
    ["shops", "add", SHOP, "--token-stdin"],
    ["shops", "list"],
    ["shops", "list", "--json"],
    ["shops", "remove", SHOP],
    ["refresh", SHOP],
    ["refresh", "--all", "--json"],
    ["replay", SHOP],
    ["show", SHOP],
    ["show", SHOP, "--json"],
    ["keys", "rotate"],
    ["migrate"],
]


def _one_line(text):
    [line] = text.strip().splitlines()
    return line


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_malformed_setting_ends_every_command_with_one_line_that_names_it(cli, command):
    cli.set(SALESBOT_BATCH_SIZE="many")
    ended = cli(*command, stdin="shpat_0")
    assert ended.code == 2
    assert ended.out == ""
    line = _one_line(ended.err)
    assert line.startswith("error: SALESBOT_BATCH_SIZE is malformed: it is a whole number")
    assert "set it like SALESBOT_BATCH_SIZE=50" in line
    assert not cli.home.exists()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_missing_setting_too(cli, command):
    cli.set(SPACES_BUCKET="salesbot-data", SPACES_REGION="fra1", SPACES_KEY="DO00KEY")
    ended = cli(*command, stdin="shpat_0")
    assert ended.code == 2
    line = _one_line(ended.err)
    assert line.startswith("error: SPACES_SECRET is not set (SPACES_BUCKET is set): the access key's secret")
    assert "set it like SPACES_SECRET=" in line


@pytest.mark.parametrize("variable", [variable.name for variable in VARIABLES if variable.secret])
def test_the_value_of_a_secret_is_never_repeated(cli, variable):
    cli.set(**{variable: "canary canary\ncanary"})
    ended = cli("shops", "list")
    assert "canary" not in ended.out + ended.err


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["receiver"], "SHOPIFY_API_KEY"),
        (["shops", "add", SHOP, "--client-credentials"], "SHOPIFY_API_KEY"),
    ],
)
def test_what_needs_the_app_says_which_variable_is_missing(cli, command, name):
    ended = cli(*command)
    assert ended.code == 2
    assert _one_line(ended.err).startswith(f"error: {name} is not set")


def test_the_doctor_names_a_bad_setting_as_what_is_broken(cli):
    cli.set(SALESBOT_BATCH_SIZE="many")
    ended = cli("doctor", "--json")
    assert ended.code == 1
    [bad] = [check for check in ended.json() if check["level"] == "failure"]
    assert bad["name"] == "settings"
    assert bad["text"].startswith("SALESBOT_BATCH_SIZE is malformed")
    assert bad["fix"] == "set it like SALESBOT_BATCH_SIZE=50"


@pytest.mark.parametrize(
    "command",
    [
        ["shops", "add", "https://evil.example", "--token-stdin"],
        ["refresh", "a,b"],
        ["show", "tiny"],
        ["replay", "."],
    ],
    ids=" ".join,
)
def test_a_name_that_is_no_shop_is_refused_before_anything_is_made(cli, command):
    ended = cli(*command)
    assert ended.code == 1
    assert "give the shop's permanent domain, like example.myshopify.com" in _one_line(ended.err)
    assert not cli.home.exists()


@pytest.mark.parametrize("command", [["refresh"], ["show"], ["replay"], ["shops", "remove"]], ids=" ".join)
def test_a_shop_that_is_not_connected_is_said_to_be_so(cli, command):
    ended = cli(*command, SHOP)
    assert ended.code == 1
    line = _one_line(ended.err)
    assert SHOP in line
    assert "salesbot shops" in line


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["refresh"], "give shops, or --all"),
        (["refresh", SHOP, "--all"], "give shops, or --all"),
        (["shops", "add", SHOP], "choose one of --token-stdin and --client-credentials"),
        (["shops", "add", SHOP, "--token-stdin", "--client-credentials"], "choose one of"),
        (["shops", "add", SHOP, "--token-stdin", "--owner", "me"], "'me' is not a UUID"),
        (["shops", "add", SHOP, "--token-stdin"], "standard input held no access token"),
        (["sandbox", "--catalog", "none.csv"], "none.csv"),
        (["completion", "cmd"], "'cmd' is not one of"),
        (["sync"], "No such command 'sync'"),
        (["show"], "Missing argument 'SHOP'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_command_line_that_is_not_right_ends_with_two(cli, command, said):
    ended = cli(*command)
    assert ended.code == 2
    assert said in ended.err
    assert ended.out == ""


def test_a_database_that_was_not_migrated_says_how(cli):
    keys = cli("keys", "new").out.strip()
    cli.set(SALESBOT_DATABASE_URL=f"sqlite:///{cli.folder}/named.db", SALESBOT_ENCRYPTION_KEYS=keys)
    ended = cli("shops", "list")
    assert ended.code == 1
    assert "run `salesbot migrate`" in _one_line(ended.err)
    assert cli("migrate").code == 0
    assert cli("migrate").code == 0  # safe to repeat
    assert cli("shops", "list", "--json").json() == []


def test_a_price_cannot_be_set_where_no_sandbox_is(cli):
    ended = cli("sandbox", "set-price", SHOP, "9.99", "--url", "http://127.0.0.1:9")
    assert ended.code == 1
    assert "no sandbox answers at http://127.0.0.1:9" in _one_line(ended.err)
    assert "salesbot sandbox" in ended.err
