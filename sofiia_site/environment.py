"""What the process environment says, read once and checked.

Every variable is read here and nowhere else. A value that cannot be used is not an exception but a *fault*: one
sentence that names the variable and never shows its value. All faults are reported together, by `refuse_if_unsafe`
at the start (exit status 78, EX_CONFIG) and by `manage.py check`.
"""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import environ

from core.outbound.errors import UrlRefused
from core.outbound.urls import parse

BASE_DIR = Path(__file__).resolve().parent.parent
EXIT_UNSAFE = 78
#: Commands that look at the configuration or explain it, and so must run on a faulty one.
HARMLESS_COMMANDS = frozenset({"check", "help", "version", "--help", "--version"})
MIN_KEY_LENGTH = 32
DEV_HOSTS = ["localhost", "127.0.0.1", "[::1]"]


@dataclass
class Environment:
    """Typed values of every variable of the contract; `faults` lists what is wrong with them."""

    env: str
    base_dir: Path
    data_dir: Path
    config_dir: Path | None
    port: int
    bind_host: str
    build_id: str
    node_id: str
    router_node_id: str
    secret_key: str
    secret_key_fallbacks: list[str]
    console_api_key: str
    supervisor_api_key: str
    allowed_hosts: list[str]
    cors_origins: list[str]
    database_url: str
    redis_url: str
    memory_service_url: str
    ollama_url: str
    aistalk_enabled: bool
    aistalk_url: str
    poll_interval_s: float
    probe_timeout_s: float
    offline_after: int
    chat_backend: str
    alert_backend: str
    audit_backend: str
    gov_cron_file: str
    log_format: str
    faults: list[str] = field(default_factory=list)

    @property
    def is_dev(self) -> bool:
        return self.env == "dev"


class _Reader:
    """Reads single variables and collects what is wrong with them."""

    def __init__(self) -> None:
        self.source = environ.Env()
        self.faults: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        # Not `source.str`: it takes a leading "$" for the name of another variable, and secrets may begin so.
        value = str(self.source.ENVIRON.get(name, default)).strip()
        if any(ord(char) < 32 or ord(char) == 127 for char in value) or len(value) > 4096:
            self.faults.append(f"{name} holds control characters or is longer than 4096 characters")
            return default
        return value

    def choice(self, name: str, default: str, allowed: Sequence[str]) -> str:
        value = self.text(name, default) or default
        if value in allowed:
            return value
        self.faults.append(f"{name} must be one of {', '.join(allowed)}")
        return default

    def number(self, name: str, default: float, low: float, high: float) -> float:
        text = self.text(name)
        if not text:
            return default
        try:
            value = float(text) if text.isascii() else None
        except ValueError:
            value = None
        if value is not None and low <= value <= high:
            return value
        self.faults.append(f"{name} must be a number from {low:g} to {high:g}")
        return default

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.number(name, default, low, high)
        if value != int(value):
            self.faults.append(f"{name} must be a whole number")
            return default
        return int(value)

    def flag(self, name: str, default: bool) -> bool:
        text = self.text(name).lower()
        if text in ("1", "true", "yes", "on"):
            return True
        if text in ("0", "false", "no", "off"):
            return False
        if text:
            self.faults.append(f"{name} must be true or false")
        return default

    def items(self, name: str) -> list[str]:
        return [item.strip() for item in self.text(name).split(",") if item.strip()]

    def url(self, name: str, default: str = "") -> str:
        """An address that every part of the console reads in the same one way."""
        value = self.text(name, default)
        try:
            if value:
                parse(value)
        except UrlRefused as exc:
            self.faults.append(f"{name} is not a usable address: {exc}")
            return default
        return value.rstrip("/")

    def node(self, name: str, default: str) -> str:
        value = self.text(name, default) or default
        if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", value):
            return value
        self.faults.append(f"{name} must be 1 to 64 letters, digits, '_', '-' or '.'")
        return default

    def key(self, name: str) -> str:
        value = self.text(name)
        if value.isascii() and " " not in value:
            return value
        self.faults.append(f"{name} must be ASCII without spaces, as it travels in a header")
        return ""

    def folder(self, name: str) -> Path | None:
        value = self.text(name)
        try:
            return Path(value).expanduser() if value else None
        except RuntimeError:
            self.faults.append(f"{name} names the home of a user that does not exist")
            return None

    def origins(self, name: str) -> list[str]:
        """Web origins: scheme, host and port, nothing more; or the one word `*`."""
        items = self.items(name)
        for item in items:
            if item != "*" and not re.fullmatch(
                r"https?://[A-Za-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?", item
            ):
                self.faults.append(
                    f"{name} must list origins such as https://ui.example, separated by commas"
                )
                return []
        return items

    def hosts(self, name: str) -> list[str]:
        """Host names as they stand in a Host header, without scheme and port."""
        items = self.items(name)
        for item in items:
            if item != "*" and not re.fullmatch(
                r"\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9a-f:]+\]", item
            ):
                self.faults.append(f"{name} must list host names without scheme or port")
                return []
        return items


def read_environment() -> Environment:
    """Read the process environment and an optional `.env` beside `manage.py` (the process wins)."""
    read = _Reader()
    dotenv = BASE_DIR / ".env"
    if dotenv.is_file():
        try:
            environ.Env.read_env(dotenv, encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            read.faults.append(".env cannot be read as UTF-8 text")
    env = read.choice("ENV", "dev", ("dev", "staging", "prod"))
    data_dir = read.folder("DATA_DIR") or BASE_DIR / "var"
    database_url = read.text("DATABASE_URL") or f"sqlite:///{data_dir / 'sofiia.sqlite3'}"
    redis_url = read.text("REDIS_URL")
    if redis_url and not _is_service(redis_url, ("redis", "rediss")):
        read.faults.append("REDIS_URL must be a redis:// address")
        redis_url = ""
    allowed_hosts = read.hosts("ALLOWED_HOSTS")
    result = Environment(
        env=env,
        base_dir=BASE_DIR,
        data_dir=data_dir,
        config_dir=_find_config_dir(read),
        port=read.integer("PORT", 8002, 1, 65535),
        bind_host=read.text("BIND_HOST", "127.0.0.1"),
        build_id=read.text("BUILD_ID", "local") or "local",
        node_id=read.node("NODE_ID", "NODA2"),
        router_node_id=read.node("ROUTER_NODE_ID", "NODA1"),
        secret_key=read.text("SECRET_KEY"),
        secret_key_fallbacks=read.items("SECRET_KEY_FALLBACKS"),
        console_api_key=read.key("SOFIIA_CONSOLE_API_KEY"),
        supervisor_api_key=read.key("SUPERVISOR_API_KEY"),
        allowed_hosts=allowed_hosts or (list(DEV_HOSTS) if env == "dev" else []),
        cors_origins=read.origins("CORS_ORIGINS"),
        database_url=database_url,
        redis_url=redis_url,
        memory_service_url=read.url("MEMORY_SERVICE_URL", "http://localhost:8000"),
        ollama_url=read.url("OLLAMA_URL", "http://localhost:11434"),
        aistalk_enabled=read.flag("AISTALK_ENABLED", False),
        aistalk_url=read.url("AISTALK_URL"),
        poll_interval_s=read.number("NODES_POLL_INTERVAL_SEC", 30, 0.5, 86_400),
        probe_timeout_s=read.number("NODES_PROBE_TIMEOUT_SEC", 5, 0.1, 300),
        offline_after=read.integer("NODES_OFFLINE_AFTER", 2, 1, 1000),
        chat_backend=read.choice("CHAT_BACKEND", "auto", ("auto", "router", "ollama")),
        alert_backend=read.choice("ALERT_BACKEND", "auto", ("auto", "postgres", "memory")),
        audit_backend=read.choice("AUDIT_BACKEND", "auto", ("auto", "postgres", "jsonl")),
        gov_cron_file=read.text("GOV_CRON_FILE", "/etc/cron.d/daarion-governance"),
        log_format=read.choice(
            "LOG_FORMAT", "console" if env == "dev" else "json", ("console", "json")
        ),
        faults=read.faults,
    )
    _check_database(result)
    _check_strictness(result)
    if not result.secret_key:
        result.secret_key = _development_secret(result)
    return result


def _find_config_dir(read: _Reader) -> Path | None:
    """`CONFIG_DIR`, or the first of ./config, <checkout>/config, /etc/sofiia/config with a registry in it."""
    named = read.folder("CONFIG_DIR")
    if named is not None:
        try:
            if named.is_dir():
                return named
        except OSError:
            pass  # a name too long to be one
        read.faults.append("CONFIG_DIR does not name a directory")
        return None
    for path in (Path.cwd() / "config", BASE_DIR / "config", Path("/etc/sofiia/config")):
        if (path / "nodes_registry.yml").is_file():
            return path
    return None


def _is_service(url: str, schemes: Sequence[str]) -> bool:
    """Whether `url` is an address of one of the schemes, with a host and a port that can be read."""
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _check_database(result: Environment) -> None:
    scheme = result.database_url.split(":", 1)[0]
    is_server = _is_service(result.database_url, ("postgres", "postgresql", "psql"))
    if not is_server and not result.database_url.startswith("sqlite://"):
        result.faults.append("DATABASE_URL must be a sqlite:// or postgres:// address")
        result.database_url = "sqlite://:memory:"
        return
    if not result.is_dev and scheme == "sqlite":
        result.faults.append("DATABASE_URL must name a PostgreSQL database")
    elif result.alert_backend == "postgres" and scheme == "sqlite":
        result.faults.append("ALERT_BACKEND=postgres needs a PostgreSQL database in DATABASE_URL")
    if result.audit_backend == "postgres" and scheme == "sqlite":
        result.faults.append("AUDIT_BACKEND=postgres needs a PostgreSQL database in DATABASE_URL")
    if "*" in result.allowed_hosts:
        result.faults.append("ALLOWED_HOSTS must name hosts, not *")


def _check_strictness(result: Environment) -> None:
    """What staging and prod insist on (contract, section 2)."""
    if result.is_dev:
        return
    faults = result.faults
    if len(result.console_api_key) < MIN_KEY_LENGTH:
        faults.append(f"SOFIIA_CONSOLE_API_KEY must have at least {MIN_KEY_LENGTH} characters")
    if not result.secret_key:
        faults.append("SECRET_KEY must be set")
    if not result.allowed_hosts:
        faults.append("ALLOWED_HOSTS must name the hosts that this console answers to")
    if "*" in result.cors_origins:
        faults.append("CORS_ORIGINS must list origins, not *")
    if result.alert_backend != "postgres":
        faults.append("ALERT_BACKEND must be postgres")


def _development_secret(result: Environment) -> str:
    """The secret key of a development install, made once and kept in the data directory (mode 0600)."""
    if not result.is_dev:
        return secrets.token_urlsafe(50)  # never used: the missing SECRET_KEY is a fault already
    path = result.data_dir / "secret_key"
    try:
        result.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=True)
        with path.open("r+") as file:
            kept = file.read().strip()
            if not kept:
                kept = secrets.token_urlsafe(50)
                file.write(kept)
        return kept
    except OSError as exc:
        result.faults.append(f"DATA_DIR cannot be written: {exc.strerror}")
        return secrets.token_urlsafe(50)


def refuse_if_unsafe(argv: Sequence[str] = ()) -> None:
    """End the process with status 78 and one line per fault, unless the command only looks or explains."""
    from sofiia_site.settings import ENVIRONMENT

    if not ENVIRONMENT.faults or (len(argv) > 1 and argv[1] in HARMLESS_COMMANDS):
        return
    for fault in ENVIRONMENT.faults:
        print(f"sofiia-console: {fault}", file=sys.stderr)
    raise SystemExit(EXIT_UNSAFE)
