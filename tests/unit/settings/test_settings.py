from pathlib import Path

import pytest
from aichat_server.app.configuration import find_faults
from aichat_server.settings import SettingsError, load_settings

URL = "postgresql://aichat_app:hunter2@localhost:5432/postgres"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "CORS_ORIGINS", "AICHAT_LISTEN", "ANTHROPIC_API_KEY", "SUPABASE_JWT_SECRET"):
        monkeypatch.delenv(name, raising=False)


def test_every_missing_or_malformed_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AICHAT_DATABASE_POOL_SIZE", "many")
    monkeypatch.setenv("AICHAT_LOG_LEVEL", "loud")
    with pytest.raises(SettingsError) as raised:
        load_settings()
    message = str(raised.value)
    assert all(name in message for name in ("DATABASE_URL", "AICHAT_DATABASE_POOL_SIZE", "AICHAT_LOG_LEVEL"))


def test_faults_between_settings_are_named_with_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "AICHAT_DATABASE_POOL_SIZE": "many",
        "AICHAT_OPENAI_COMPATIBLE": '[{"name": "hunter2"',
        "AICHAT_LISTEN": "127.0.0.1:99999",
        "AICHAT_METRICS_LISTEN": "127.0.0.1:1,127.0.0.1:2",
        "SENTRY_DSN": "zzz",
        "SUPABASE_JWT_SECRET": "s" * 32,
        "SMTP_URL": "smtp://mail.example.com",
        "AICHAT_MAIL_FROM": "nobody",
        "AICHAT_FALLBACKS": "gpt-6-luna=nobody",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        load_settings(find_faults)
    told = str(raised.value).splitlines()[1:]
    names = ("DATABASE_URL", "AICHAT_DATABASE_POOL_SIZE", "AICHAT_OPENAI_COMPATIBLE", "AICHAT_LISTEN", "SENTRY_DSN")
    for name in (*names, "AICHAT_MAIL_FROM", "SUPABASE_JWT_SECRET needs SUPABASE_URL"):
        assert sum(line.startswith(f"  {name}") for line in told) == 1, name
    # Whether another setting is missing beside a malformed one is unknown until that one is corrected.
    assert not any("needs AICHAT_MAIL_FROM" in line or "AICHAT_METRICS_LISTEN" in line for line in told)
    assert "hunter2" not in str(raised.value)

    monkeypatch.setenv("DATABASE_URL", URL)
    for name in ("AICHAT_DATABASE_POOL_SIZE", "AICHAT_OPENAI_COMPATIBLE", "AICHAT_LISTEN"):
        monkeypatch.delenv(name)
    with pytest.raises(SettingsError) as raised:
        load_settings(find_faults)
    told = str(raised.value).splitlines()[1:]
    assert any(line.startswith("  AICHAT_FALLBACKS: there is no model nobody") for line in told)
    assert any("AICHAT_METRICS_LISTEN needs an address for each of AICHAT_LISTEN" in line for line in told)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("AICHAT_LISTEN", address) for address in ("nonsense", "127.0.0.1:99999", "a b:1", ":1", "host:\u0661", ",")),
        *(("SENTRY_DSN", dsn) for dsn in ("zzz", "https://sentry.example/1", "https://key@sentry.example/project")),
        *(
            ("OPENAI_BASE_URL", url)
            for url in ("zzz", "http://", "http://[bad", "http://host:99999", "https://h/v1?a=b")
        ),
        *(("CORS_ORIGINS", origin) for origin in ("zzz", "https://a.example/", "*")),
        *(("ANTHROPIC_API_KEY", key) for key in ("sk ant", "sk-\u00fc", "sk-ant\nx")),
        *(("AICHAT_OPENAI_COMPATIBLE", text) for text in ("{", "[1]", "7", '[{"name": "x"}]')),
        ("AICHAT_LEASE_SECONDS", "inf"),
        ("AICHAT_DRAIN_SECONDS", "nan"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a b"),
    ],
)
def test_what_would_fail_later_is_refused_at_once(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load_settings(find_faults)


def test_an_env_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"DATABASE_URL=\xff")
    with pytest.raises(SettingsError, match=r"\.env"):
        load_settings()


def test_a_refused_value_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://aichat_app:hunter2@localhost")
    monkeypatch.setenv("SUPABASE_JWT_SECRET", "too-short")
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert "hunter2" not in str(raised.value)
    assert "too-short" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_secrets_do_not_show_in_the_settings_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")
    assert "sk-ant-secret" not in repr(load_settings())
    assert "hunter2" not in repr(load_settings())


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example, https://b.example,")
    monkeypatch.setenv("AICHAT_LISTEN", "127.0.0.1:1,127.0.0.1:2")
    settings = load_settings()
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.listen == ("127.0.0.1:1", "127.0.0.1:2")


def test_fallbacks_are_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    assert load_settings().fallbacks == {}
    monkeypatch.setenv("AICHAT_FALLBACKS", "a=b, b = local/a,")
    assert load_settings().fallbacks == {"a": "b", "b": "local/a"}


@pytest.mark.parametrize("fallbacks", ["a", "a=", "=b", "a=b=c", "a=b,a=c"])
def test_fallbacks_that_are_no_pairs_are_refused(monkeypatch: pytest.MonkeyPatch, fallbacks: str) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("AICHAT_FALLBACKS", fallbacks)
    with pytest.raises(SettingsError, match="AICHAT_FALLBACKS"):
        load_settings()


def test_a_jwt_secret_needs_the_issuer_it_belongs_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("SUPABASE_JWT_SECRET", "s" * 32)
    with pytest.raises(SettingsError, match="SUPABASE_URL"):
        load_settings()


def test_an_empty_setting_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "")
    assert load_settings().anthropic_api_key is None


def test_settings_come_from_the_env_file_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL={URL}\n")
    assert load_settings().database_url.unicode_string() == URL


MAIL = {
    "SMTP_URL": "smtp://someone:hunter2@mail.example.com",
    "AICHAT_MAIL_FROM": "AI Chat <no-reply@example.com>",
    "AICHAT_MAIL_SECRET": "s" * 32,
    "AICHAT_PUBLIC_URL": "https://api.example.com",
}


@pytest.mark.parametrize("missing", sorted(MAIL.keys() - {"SMTP_URL"}))
def test_mail_needs_all_its_settings(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    for name, value in MAIL.items():
        monkeypatch.setenv(name, value)
    assert "hunter2" not in repr(load_settings())
    monkeypatch.delenv(missing)
    with pytest.raises(SettingsError, match=f"SMTP_URL needs {missing} as well"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_URL", "https://mail.example.com"),
        ("SMTP_URL", "smtp://"),
        ("AICHAT_MAIL_SECRET", "too-short"),
        ("AICHAT_PUBLIC_URL", "api.example.com"),
        *(("AICHAT_MAIL_FROM", sender) for sender in ("nobody", "a@b.c, d@e.f", "A <a@b.c", "a@b.c\r\nBcc: d@e.f")),
    ],
)
def test_mail_settings_that_will_not_do_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load_settings()


@pytest.mark.parametrize(
    ("given", "silence"),
    [
        ({}, (60.0, 600.0)),
        ({"AICHAT_PROVIDER_STALL_SECONDS": "5"}, (5.0, 5.0)),
        ({"AICHAT_PROVIDER_REASONING_STALL_SECONDS": "90"}, (60.0, 90.0)),
        (
            {"AICHAT_PROVIDER_STALL_SECONDS": "5", "AICHAT_PROVIDER_REASONING_STALL_SECONDS": "90"},
            (5.0, 90.0),
        ),
    ],
)
def test_models_that_reason_may_be_silent_for_minutes_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], silence: tuple[float, float]
) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert load_settings().longest_silence == silence


def test_lost_answers_are_kept_until_a_worker_can_have_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("AICHAT_JOURNAL_RETENTION_SECONDS", "6")
    assert load_settings().rescue_seconds == 3600
    monkeypatch.setenv("AICHAT_RESCUE_SECONDS", "149")
    with pytest.raises(SettingsError, match="AICHAT_RESCUE_SECONDS must be at least 120 more"):
        load_settings()
