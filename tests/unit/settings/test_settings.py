from pathlib import Path

import pytest
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
    with pytest.raises(SettingsError, match=f"SMTP_URL needs {missing}, too"):
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
