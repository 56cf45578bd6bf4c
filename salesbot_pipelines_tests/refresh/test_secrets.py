"""Secrets planted everywhere a refresh could spill them, and looked for in every byte it leaves."""

import dataclasses
import io
import logging
import os
import secrets
import subprocess
import sys
import traceback
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet

from salesbot_pipelines.errors import SalesbotError, StateUnavailable
from salesbot_pipelines.refresh.program import open_program
from salesbot_pipelines.sandbox.sandbox import Sandbox
from salesbot_pipelines.sandbox.tokens import AppCredentials
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines.settings import load_settings
from salesbot_pipelines.spaces.s3 import SpacesStore, make_client
from salesbot_pipelines.state.installs import Credential
from salesbot_pipelines_tests.refresh.fault_cases import FAULTS
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN, small_shop, turn
from salesbot_pipelines_tests.rig import TurnedClock, open_rig
from salesbot_pipelines_tests.spaces.stub_s3 import Answer, StubServer


class Canaries:
    """One planted secret of each kind; `found_in` names those that are in some bytes."""

    def __init__(self):
        mark = secrets.token_hex(12)
        self.by_kind = {
            "access token": f"shpat_canary{mark}1",
            "access token before": f"shpat_canary{mark}2",
            "refresh token": f"shprt_canary{mark}3",
            "app secret": f"shpss_canary{mark}4",
            "previous app secret": f"shpss_canary{mark}5",
            "Spaces secret": f"canary{mark}6",
            "database password": f"canary{mark}7",
            "encryption key": Fernet.generate_key().decode(),
        }

    def __getitem__(self, kind):
        return self.by_kind[kind]

    def found_in(self, content, *, but=()):
        content = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        return [kind for kind, value in self.by_kind.items() if kind not in but and value.encode() in content]


@pytest.fixture
def canaries():
    return Canaries()


@pytest.fixture
def logs():
    """Every word of every logger, down to DEBUG."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture
def planted(tmp_path, canaries):
    """A rig whose every secret is a canary: an expiring pair, the app's secrets, a key from the environment."""
    clock = TurnedClock()
    world = World(clock)
    shop = world.add(small_shop(clock))
    shop.bucket.unlimited = True
    shop.token = canaries["access token"]
    sandbox = Sandbox(world, credentials=AppCredentials(client_secret=canaries["app secret"]))
    environ = {
        "SHOPIFY_API_SECRET": canaries["app secret"],
        "SHOPIFY_API_SECRET_PREVIOUS": canaries["previous app secret"],
        "SALESBOT_ENCRYPTION_KEYS": canaries["encryption key"],
    }
    with open_rig(tmp_path / "home", sandbox, clock=clock, environ=environ) as rig:
        rig.program.installs.connect(
            DOMAIN,
            Credential(
                kind="pair",
                access_token=canaries["access token"],
                expires_at=clock.now() + timedelta(days=1),
                refresh_token=canaries["refresh token"],
                refresh_expires_at=clock.now() + timedelta(days=90),
            ),
        )
        yield rig


def told(error):
    """Everything that an error can be made to say."""
    texts = ["".join(traceback.TracebackException.from_exception(error, capture_locals=False).format())]
    while error is not None:
        texts += [str(error), repr(error), repr(error.args), repr(vars(error))]
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


def files_below(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_nothing_that_a_refresh_leaves_holds_a_secret(planted, canaries, logs, capfd):
    words = []
    for number, fault in enumerate(FAULTS):
        planted.program.clock.turn(minutes=1)
        turn(planted.world.shop(DOMAIN), number % 2)
        settings = {**fault.settings, **({"path": ["products"]} if fault.at_root else {})}
        if fault.action in ("slow", "throttled", "drain", "http_429"):
            continue  # these only wait
        planted.server.sandbox.faults.add(fault.action, operation="Products", times=None, **settings)
        outcome = planted.refresh(DOMAIN)[DOMAIN]
        planted.server.sandbox.faults.clear()
        planted.world.shop(DOMAIN).thaw()
        words += [repr(outcome), repr(planted.program.work.status(DOMAIN)), repr(planted.program.fleet())]
        if outcome.error is not None:
            words.append(told(outcome.error))
    planted.publish(DOMAIN)
    for path in files_below(planted.settings.home):
        words.append(path.name)
        assert canaries.found_in(path.read_bytes()) == [], path
    words.append(logs.getvalue())
    words += capfd.readouterr()
    text = "\n".join(words)
    assert "AccessRevoked" in text
    assert "ShopifyUnavailable" in text
    assert canaries.found_in(text) == []


def test_the_work_folder_holds_no_secret_while_it_is_there(planted, canaries):
    seen = []

    def look(_shop):
        seen.extend((path, path.read_bytes()) for path in files_below(planted.settings.home / "work"))

    planted.server.sandbox.faults.add("change", operation="VariantsCount", change=look)
    planted.publish(DOMAIN)
    assert len(seen) >= 5
    assert [path for path, content in seen if canaries.found_in(content)] == []


def test_a_renewal_that_fails_spills_neither_token(planted, canaries, logs):
    words = []
    for action, settings in [
        ("status", {"status": 500}),
        ("html", {}),
        ("broken_json", {}),
        ("disconnect", {}),
        ("invalid_grant", {}),
        ("redirect", {}),
    ]:
        planted.server.sandbox.faults.add("unauthorized", operation="Preflight", times=None)
        planted.server.sandbox.faults.add(action, operation="access_token", times=None, **settings)
        outcome = planted.refresh(DOMAIN)[DOMAIN]
        planted.server.sandbox.faults.clear()
        assert outcome.error is not None
        words += [told(outcome.error), repr(planted.program.installs.require(DOMAIN))]
    assert canaries.found_in("\n".join([*words, logs.getvalue()])) == []


def test_a_token_answer_is_not_spilled_when_it_is_wrong(planted, canaries, logs):
    """The answer holds a token, and something else in it is not as it should be."""
    desk = planted.server.sandbox.tokens
    desk.refresh = lambda *_: {
        "access_token": canaries["access token before"],
        "refresh_token": [canaries["refresh token"]],
        "expires_in": "soon",
    }
    planted.server.sandbox.faults.add("unauthorized", operation="Preflight", times=None)
    outcome = planted.refresh(DOMAIN)[DOMAIN]
    assert outcome.error is not None
    assert canaries.found_in(told(outcome.error) + logs.getvalue()) == []


def test_the_representations_of_everything_hide_it(planted, canaries):
    program = planted.program
    credential = program.installs.credential(DOMAIN)
    shown = [repr(thing) for thing in (program, program.settings, program.refresh, credential, program.keyring)]
    shown += [repr(program.settings.shopify), repr(program.settings.spaces), str(program.settings)]
    shown += [repr(dataclasses.replace(credential)), f"{credential}", repr(program.engine.url)]
    assert canaries.found_in("\n".join(shown)) == []


def test_the_command_line_prints_none(planted, canaries):
    """A refresh, one that fails, the list, the doctor: output, errors, and JSON."""
    environ = {**os.environ, **planted.environ}
    planted.publish(DOMAIN)
    planted.server.sandbox.faults.add("unauthorized", operation="Products", times=None)
    planted.server.sandbox.faults.add("invalid_grant", operation="access_token", times=None)
    printed = []
    for words in (["refresh", DOMAIN], ["shops", "list", "--json"], ["show", DOMAIN]):
        ended = subprocess.run(
            [sys.executable, "-m", "salesbot_pipelines", *words],
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        printed += [ended.stdout, ended.stderr]
    text = "\n".join(printed)
    assert "needs_reauth" in text or "open the app" in text
    assert canaries.found_in(text) == []


def test_a_store_that_refuses_spills_no_key(tmp_path, canaries, logs):
    clock = TurnedClock()
    world = World(clock)
    world.add(small_shop(clock)).bucket.unlimited = True
    with StubServer() as server:
        environ = {
            "SPACES_REGION": "fra1",
            "SPACES_ENDPOINT": server.endpoint,
            "SPACES_BUCKET": "salesbot-test",
            "SPACES_KEY": "DO00TEST",
            "SPACES_SECRET": canaries["Spaces secret"],
        }
        with open_rig(tmp_path / "home", world, clock=clock, environ=environ) as rig:
            client = make_client(rig.settings.spaces, attempts=1)
            store = SpacesStore(client, "salesbot-test", conditional=True)
            refresh = dataclasses.replace(rig.program.refresh, store=store)
            rig.program = dataclasses.replace(rig.program, store=store, refresh=refresh)
            rig.connect(DOMAIN)
            words = []
            for code in ("SignatureDoesNotMatch", "InvalidAccessKeyId", "AccessDenied", "SlowDown"):
                server.stub.faults = [Answer("PUT", 403 if code != "SlowDown" else 503, code)]
                error = rig.refresh(DOMAIN)[DOMAIN].error
                assert error is not None
                words.append(told(error))
            outcome = rig.publish(DOMAIN)
            words += [repr(outcome), repr(store), repr(rig.settings)]
            client.close()
        objects = b"".join(stored.content + repr(stored.headers).encode() for stored in server.stub.objects.values())
    assert canaries.found_in(objects) == []
    assert canaries.found_in("\n".join([*words, logs.getvalue()])) == []


def test_a_database_that_does_not_answer_spills_no_password(tmp_path, canaries, logs):
    url = f"postgresql+psycopg2://salesbot:{canaries['database password']}@127.0.0.1:1/salesbot"
    settings = load_settings(
        {
            "SALESBOT_HOME": str(tmp_path),
            "SALESBOT_DATABASE_URL": url,
            "SALESBOT_ENCRYPTION_KEYS": canaries["encryption key"],
        }
    )
    with pytest.raises(SalesbotError) as caught:
        open_program(settings)
    assert isinstance(caught.value, StateUnavailable)
    assert canaries.found_in(told(caught.value) + logs.getvalue() + repr(settings)) == []


def test_the_canaries_are_found_where_they_are(canaries, planted):
    """The looking itself works: the token is in the request, and the key opens the row."""
    assert canaries.found_in(f"... {canaries['refresh token']} ...") == ["refresh token"]
    assert planted.program.installs.credential(DOMAIN).access_token == canaries["access token"]
