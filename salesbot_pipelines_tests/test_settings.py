"""Settings: each variable once, checked at start, named in its error."""

import re
from pathlib import Path

import pytest

from salesbot_pipelines.errors import SettingsError
from salesbot_pipelines.settings import VARIABLES, load_settings

KEY = "A" * 43 + "="
SPACES = {"SPACES_BUCKET": "shop-data", "SPACES_REGION": "fra1", "SPACES_KEY": "DO00KEY", "SPACES_SECRET": "hush"}
EXAMPLE = Path(__file__).parents[1] / ".env.example"


def test_nothing_set_is_the_embedded_default():
    settings = load_settings({})
    assert settings.home == Path(".salesbot")
    assert settings.spaces.bucket == ""
    assert settings.database_url == ""
    assert (settings.concurrent_shops, settings.batch_size, settings.schedule) == (8, 50, "0 2 * * *")


def test_a_space_needs_its_region_and_keys():
    settings = load_settings(SPACES)
    assert settings.spaces.endpoint == "https://fra1.digitaloceanspaces.com"
    for name in ("SPACES_REGION", "SPACES_KEY", "SPACES_SECRET"):
        with pytest.raises(SettingsError, match=f"{name} is not set"):
            load_settings({k: v for k, v in SPACES.items() if k != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SHOPIFY_API_VERSION", "2026-11"),
        ("SHOPIFY_API_VERSION", "unstable"),
        ("SHOPIFY_SHOP_URL", "https://example.com"),
        ("SHOPIFY_SHOP_URL", "ftp://{shop}"),
        ("SHOPIFY_REDIRECT_URI", "salesbot.example.com/callback"),
        ("SHOPIFY_REDIRECT_URI", "https://user:pw@salesbot.example.com/"),
        ("SALESBOT_SCHEDULE", "every day"),
        ("SALESBOT_SCHEDULE", "0 2 * *"),
        ("SALESBOT_CONCURRENT_SHOPS", "0"),
        ("SALESBOT_CONCURRENT_SHOPS", "eight"),
        ("SALESBOT_BATCH_SIZE", "-1"),
        ("SALESBOT_DATABASE_URL", "postgresql://host/db"),
        ("SALESBOT_ENCRYPTION_KEYS", "short"),
        ("SALESBOT_PRODUCT_STATUSES", "active,sold"),
        ("SALESBOT_MAX_LOSS_PERCENT", "101"),
        ("SPACES_BUCKET", "Has.Dots"),
    ],
)
def test_a_malformed_variable_is_named_with_an_example(name, value):
    with pytest.raises(SettingsError) as caught:
        load_settings({**SPACES, name: value})
    text = caught.value.public_text
    assert text.startswith(f"{name} is malformed")
    assert f"set it like {name}=" in text
    assert "\n" not in text


def test_the_value_of_a_malformed_secret_is_not_repeated():
    with pytest.raises(SettingsError) as caught:
        load_settings({"SALESBOT_ENCRYPTION_KEYS": "hunter2"})
    assert "hunter2" not in caught.value.public_text


def test_a_bucket_in_front_of_the_endpoint_is_refused():
    with pytest.raises(SettingsError, match="SPACES_ENDPOINT"):
        load_settings({**SPACES, "SPACES_ENDPOINT": "https://shop-data.fra1.digitaloceanspaces.com"})


def test_a_named_database_needs_its_keys():
    url = "postgresql+psycopg2://me:pw@host/db"
    with pytest.raises(SettingsError, match="SALESBOT_ENCRYPTION_KEYS is not set"):
        load_settings({"SALESBOT_DATABASE_URL": url})
    assert load_settings({"SALESBOT_DATABASE_URL": url, "SALESBOT_ENCRYPTION_KEYS": f"{KEY},{KEY}"}).encryption_keys


def test_secrets_stay_out_of_every_repr():
    settings = load_settings(
        {
            **SPACES,
            "SHOPIFY_API_SECRET": "canary-1",
            "SHOPIFY_API_SECRET_PREVIOUS": "canary-2",
            "SPACES_SECRET": "canary-3",
            "SALESBOT_DATABASE_URL": "postgresql+psycopg2://me:canary-4@host/db",
            "SALESBOT_ENCRYPTION_KEYS": KEY,
        }
    )
    assert "canary" not in repr(settings)
    assert KEY not in repr(settings)


def test_the_app_is_needed_only_by_those_who_ask_for_it():
    with pytest.raises(SettingsError, match="SHOPIFY_API_KEY is not set"):
        load_settings({}).require_app()
    with pytest.raises(SettingsError, match="SHOPIFY_REDIRECT_URI is not set"):
        load_settings({"SHOPIFY_API_KEY": "id", "SHOPIFY_API_SECRET": "secret"}).require_app()


def _example() -> dict[str, str]:
    lines = [line.removeprefix("# ").strip() for line in EXAMPLE.read_text().splitlines()]
    return dict(line.split("=", 1) for line in lines if re.fullmatch(r"[A-Z][A-Z0-9_]+=.*", line))


def test_the_example_file_names_every_variable_and_loads():
    example = _example()
    assert list(example) == [variable.name for variable in VARIABLES]
    load_settings(example)
