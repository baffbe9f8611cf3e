"""Settings: what is read, what is refused and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from clew.config import PLANNER, Settings, normalise_database_url, planner_settings, variable
from clew.errors import StartupError
from clew.secrets import weakness

STRONG = ["7c1f0e5b2a9d4836b7e1c05f9a3d6284", "f2b90d6e81c74a35902d7be6c4a1f538", "Zq8vT1mXr5kPw3nYb7cLd9hGf2jSa6eU"]


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://clew:pw@db/clew")
    monkeypatch.setenv("CLEW_SECRET", STRONG[0])
    monkeypatch.setenv("CLEW_ADMIN_SECRET", STRONG[1])


def refusal(root: Path) -> str:
    with pytest.raises(StartupError) as refused:
        Settings.load(root, "dev")
    return refused.value.message


def test_without_any_variable_dev_has_defaults_and_a_secret_that_lasts(tmp_path: Path) -> None:
    first = Settings.load(tmp_path, "dev")
    assert (first.env, first.host, first.port, first.playground, first.log_format) == (
        "dev",
        "127.0.0.1",
        8000,
        True,
        "console",
    )
    assert first.secret is not None
    assert first.secret == Settings.load(tmp_path, "dev").secret
    assert (tmp_path / ".clew" / "secret").stat().st_mode & 0o077 == 0


def test_dev_has_a_secret_for_tokens_where_no_keys_are_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Settings.load(tmp_path, "dev")
    assert first.jwt_secret is not None
    assert first.jwt_secret == Settings.load(tmp_path, "dev").jwt_secret
    assert first.jwt_secret != first.secret
    assert (tmp_path / ".clew" / "jwt-secret").stat().st_mode & 0o077 == 0
    assert Settings.load(tmp_path, "production").jwt_secret is None
    monkeypatch.setenv("CLEW_JWKS_URL", "https://id.example/keys")
    assert Settings.load(tmp_path, "dev").jwt_secret is None


def test_production_has_no_playground_and_makes_no_secret(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path, "production")
    assert (settings.playground, settings.secret, settings.log_format) == (False, None, "json")
    assert not (tmp_path / ".clew").exists()


def test_an_empty_variable_is_unset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_PORT", "")
    monkeypatch.setenv("DATABASE_URL", "")
    settings = Settings.load(tmp_path, "dev")
    assert (settings.port, settings.database_url) == (8000, None)


def test_the_dot_env_is_read_in_dev_only_and_below_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("CLEW_PORT=9000\nCLEW_HOST=0.0.0.0\nOTHER=x\n")
    monkeypatch.setenv("CLEW_HOST", "127.0.0.2")
    assert (Settings.load(tmp_path, "dev").port, Settings.load(tmp_path, "dev").host) == (9000, "127.0.0.2")
    assert Settings.load(tmp_path, "production").port == 8000


def test_lists_are_separated_by_commas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_CORS_ORIGINS", "https://a.example, https://b.example,")
    assert Settings.load(tmp_path, "dev").cors_origins == ("https://a.example", "https://b.example")


def test_limits_of_roles_are_read_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_LIMITS", '{"editor": {"cost": 50000000, "root_fields": 80}}')
    found = {
        role: limits.model_dump(exclude_none=True) for role, limits in Settings.load(tmp_path, "dev").limits.items()
    }
    assert found == {"editor": {"cost": 50_000_000, "root_fields": 80}}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CLEW_PORT", "http", "CLEW_PORT must be a port number from 0 to 65535, not 'http'."),
        ("CLEW_PORT", "70000", "CLEW_PORT must be a port number from 0 to 65535, not '70000'."),
        ("CLEW_ENV", "prod", "CLEW_ENV must be dev or production, not 'prod'."),
        ("CLEW_WORKERS", "0", "CLEW_WORKERS must be a whole number from 1 to 512, not '0'."),
        ("CLEW_PLAYGROUND", "maybe", "CLEW_PLAYGROUND must be true or false, not 'maybe'."),
        (
            "CLEW_STATEMENT_TIMEOUT",
            "nan",
            "CLEW_STATEMENT_TIMEOUT must be a number of seconds above 0 to 86400, not 'nan'.",
        ),
        ("CLEW_LOG_LEVEL", "loud", "CLEW_LOG_LEVEL must be debug, info, warning or error, not 'loud'."),
        (
            "CLEW_LIMITS",
            "{",
            """CLEW_LIMITS must be JSON such as {"editor": {"depth": 30}}, not '{': """
            "Expecting property name enclosed in double quotes: line 1 column 2 (char 1).",
        ),
        ("CLEW_LIMITS", "[]", """CLEW_LIMITS must be JSON such as {"editor": {"depth": 30}}, not '[]'."""),
        (
            "CLEW_LIMITS",
            '{"editor": {"dpth": 30}}',
            'CLEW_LIMITS must be JSON such as {"editor": {"depth": 30}}: editor.dpth: extra inputs are not permitted.',
        ),
        (
            "CLEW_LIMITS",
            '{"editor": {"depth": 0}}',
            'CLEW_LIMITS must be JSON such as {"editor": {"depth": 30}}: '
            "editor.depth: input should be greater than or equal to 1.",
        ),
        (
            "CLEW_JWKS_URL",
            "http://idp.example/keys",
            "CLEW_JWKS_URL must be an https:// address (http:// for localhost only), not 'http://idp.example/keys': "
            "it is not an https:// address.",
        ),
    ],
)
def test_a_bad_value_names_the_variable_what_it_must_be_and_the_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    assert refusal(tmp_path) == message


def test_every_bad_value_is_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_PORT", "x")
    monkeypatch.setenv("CLEW_MAX_DEPTH", "-1")
    assert refusal(tmp_path).count("\n") == 1


def test_settings_that_exclude_each_other_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_JWT_SECRET", STRONG[0])
    monkeypatch.setenv("CLEW_JWKS_FILE", "keys.json")
    assert refusal(tmp_path) == "CLEW_JWT_SECRET and CLEW_JWKS_FILE are set; set only one of them."


def test_secrets_are_in_no_message_and_no_repr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://clew:hunter2@db/clew")
    assert "hunter2" not in refusal(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "postgresql://clew:hunter2@db/clew")
    monkeypatch.setenv("CLEW_ADMIN_SECRET", "hunter3")
    assert "hunter" not in repr(Settings.load(tmp_path, "dev")) + str(Settings.load(tmp_path, "dev"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgres://u:p@h:5432/d", "postgresql://u:p@h:5432/d"),
        ("postgresql+asyncpg://h/d?sslmode=require", "postgresql://h/d?sslmode=require"),
        (" postgresql://h1:1,h2:2/d ", "postgresql://h1:1,h2:2/d"),
        ("postgresql://u@/d?host=/run/postgresql", "postgresql://u@/d?host=/run/postgresql"),
        ("postgresql:///d?host=/run/postgresql", "postgresql:///d?host=/run/postgresql"),
        ("postgresql://u:p%40%23@[::1]:5432/d", "postgresql://u:p%40%23@[::1]:5432/d"),
    ],
)
def test_database_urls_are_brought_to_one_spelling(given: str, expected: str) -> None:
    assert normalise_database_url(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        "localhost/d",
        "sqlite:///d",
        "postgresql://h:port/d",
        "postgresql://h:99999/d",
        "postgresql://h",
        "postgresql:///d",
        "postgresql://u:p#w@h/d",
    ],
)
def test_what_is_no_database_url_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("DATABASE_URL", given)
    assert refusal(tmp_path).startswith("DATABASE_URL must be a URL such as postgresql://")


@pytest.mark.usefixtures("production")
def test_good_production_settings_have_no_fault(tmp_path: Path) -> None:
    assert Settings.load(tmp_path, "production").production_faults() == []


def test_production_lists_all_faults_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_ADMIN_SECRET", "changeme")
    monkeypatch.setenv("CLEW_PLAYGROUND", "on")
    monkeypatch.setenv("CLEW_CORS_ORIGINS", "*")
    with pytest.raises(StartupError) as refused:
        Settings.load(tmp_path, "production").require_production()
    for words in (
        "DATABASE_URL is not set",
        "CLEW_SECRET is not set",
        "CLEW_ADMIN_SECRET is weak",
        "PLAYGROUND",
        "(*)",
    ):
        assert words in refused.value.message
    assert "changeme" not in refused.value.message


@pytest.mark.usefixtures("production")
def test_production_refuses_one_secret_for_two_purposes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_ADMIN_SECRET", STRONG[0])
    (fault,) = Settings.load(tmp_path, "production").production_faults()
    assert "must differ" in fault


@pytest.mark.usefixtures("production")
def test_the_dev_environment_is_a_fault_in_production(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_ENV", "dev")
    assert any("CLEW_ENV" in fault for fault in Settings.load(tmp_path, "production").production_faults())


@pytest.mark.parametrize("secret", STRONG)
def test_random_secrets_are_strong(secret: str) -> None:
    assert weakness(secret) is None


@pytest.mark.parametrize(
    "secret",
    [
        "short",
        "a" * 64,
        "0123456789abcdefghijklmnopqrstuvwxyz",
        "abc123XYZ789" * 4,
        "please-change-me-to-a-super-secret-password",
    ],
)
def test_guessable_secrets_are_weak(secret: str) -> None:
    assert weakness(secret)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_says_what_it_is_for(name: str) -> None:
    assert (Settings.model_fields[name].description or "").endswith((".", ")"))
    assert variable(name) == "DATABASE_URL" or variable(name).startswith("CLEW_")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (PLANNER, {"jit": "off", "random_page_cost": "1.1"}),
        ("none", {}),
        (" enable_seqscan = off , work_mem=64MB", {"enable_seqscan": "off", "work_mem": "64MB"}),
    ],
)
def test_planner_settings_are_read_by_name(text: str, found: dict[str, str]) -> None:
    assert planner_settings(text) == found


@pytest.mark.parametrize(
    "text", ["jit", "jit=", "search_path=x", "statement_timeout=0", "jit=off;x", "role=postgres", ","]
)
def test_no_other_setting_of_a_session_is_one_of_the_planner(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        planner_settings(text)
