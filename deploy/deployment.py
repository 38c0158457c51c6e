"""One deployment on this machine: its data directory, secrets, processes and their settings.

Each process gets only the settings in its row of `PROCESSES`, and its own database role.
"""

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from contracts.environments import DEVELOPMENT_KEY_MARK
from deploy.postgres.migrate import role_password
from deploy.sandbox import publishable
from deploy.supervisor import Command
from ledger import key_file

DATABASE: Final = "amply"
#: The log's name (C2SP tlog-checkpoint origin). It never changes once a genesis names it.
ORIGIN: Final = "amply.localhost/log/0"
PORT_DEFAULT: Final = 8420
_PLAIN_KEY: Final = re.compile(r"[0-9a-f]{64}\n?")

#: Each process refuses what its deployment must not have.
_EVERYWHERE: Final = ("AMPLY_ENVIRONMENT", "AMPLY_MODE")
_LEDGER: Final = ("AMPLY_LOG_ORIGIN",)
_STRIPE_PACE: Final = ("AMPLY_STRIPE_CALLS_PER_S", "AMPLY_STRIPE_TIMEOUT_S")
_STRIPE: Final = ("AMPLY_STRIPE", "AMPLY_STRIPE_KEY", *_STRIPE_PACE)
_CARDS: Final = ("AMPLY_LIMIT_CARD_DECLINES_PER_HOUR",)
_LIMITS: Final = (
    "AMPLY_LIMIT_GIFTS_PER_ADDRESS_PER_MINUTE",
    "AMPLY_LIMIT_GIFTS_PER_ORGANIZATION_PER_MINUTE",
    "AMPLY_LIMIT_GIFTS_PER_MINUTE",
    "AMPLY_LIMIT_DISPOSABLE_MAILS_PER_HOUR",
    "AMPLY_LIMIT_EXEMPT_ADDRESSES",
    *("AMPLY_TRUSTED_PROXIES", "AMPLY_DENIED_ADDRESSES", "AMPLY_DISPOSABLE_DOMAINS"),
    *("AMPLY_RATE_LIMITS", "AMPLY_CONNECTIONS_MAX", "AMPLY_CONNECTIONS_OF_ADDRESS_MAX"),
    *("AMPLY_REQUESTS_MAX", "AMPLY_REQUESTS_OF_ADDRESS_MAX"),
    *("AMPLY_DRAIN_S", "AMPLY_EDGE_PROCESSES"),
    *("AMPLY_MANAGEMENT_HOST", "AMPLY_MANAGEMENT_PORT"),
)
_OIDC: Final = (
    *("AMPLY_OIDC_ISSUER", "AMPLY_OIDC_CLIENT_ID", "AMPLY_OIDC_AUDIENCE"),
    *("AMPLY_OIDC_CLIENT_SECRET", "AMPLY_OIDC_CLIENT_SECRET_FILE", "AMPLY_OIDC_STEP_UP_ACR"),
)
_SPICEDB: Final = ("AMPLY_SPICEDB", "AMPLY_SPICEDB_TOKEN")

#: Process -> module and arguments, database role, settings.
PROCESSES: Final[dict[str, tuple[tuple[str, ...], str, tuple[str, ...]]]] = {
    "relay": (("workers", "relay"), "relay", ("AMPLY_KAFKA",)),
    "accounts": (
        ("workers", "accounts"),
        "accounts",
        ("AMPLY_KAFKA", "AMPLY_MASTER_KEY", "AMPLY_URL", *_STRIPE),
    ),
    "payments": (
        ("workers", "payments"),
        "payments",
        (
            *("AMPLY_KAFKA", "AMPLY_MASTER_KEY"),
            *("AMPLY_PAYMENT_EXPIRY_HOURS", "AMPLY_RETURN_URL", "AMPLY_URL", *_CARDS, *_STRIPE),
        ),
    ),
    "fees": (("workers", "fees"), "fees", ("AMPLY_KAFKA",)),
    "donations": (("workers", "donations"), "donations", ("AMPLY_KAFKA",)),
    "bookkeeping": (
        ("workers", "bookkeeping"),
        "bookkeeping",
        ("AMPLY_KAFKA", "AMPLY_PUBLIC", *_LEDGER),
    ),
    "books": (("workers", "books"), "books", ("AMPLY_KAFKA", "AMPLY_PUBLIC", *_LEDGER)),
    "checkpoints": (
        ("workers", "checkpoints"),
        "checkpoints",
        (
            *("AMPLY_AUDIT_ANCHORS", "AMPLY_KAFKA", "AMPLY_PUBLIC"),
            *("AMPLY_LOG_KEY", "AMPLY_LOG_PASSPHRASE", *_LEDGER),
        ),
    ),
    "witnesses": (
        ("workers", "witnesses"),
        "witnesses",
        ("AMPLY_KAFKA", "AMPLY_PUBLIC", "AMPLY_WITNESSES", *_LEDGER),
    ),
    "payouts": (("workers", "payouts"), "payouts", ("AMPLY_KAFKA", *_STRIPE)),
    "reconciliation": (
        ("workers", "reconciliation"),
        "reconciliation",
        ("AMPLY_KAFKA", *_STRIPE),
    ),
    "notifications": (
        ("workers", "notifications"),
        "notifications",
        ("AMPLY_KAFKA", "AMPLY_MASTER_KEY", "AMPLY_SMTP", "AMPLY_MAIL_FROM", "AMPLY_URL"),
    ),
    "events": (("workers", "events"), "events", ("AMPLY_KAFKA",)),
    "permissions": (("workers", "permissions"), "permissions", ("AMPLY_KAFKA", *_SPICEDB)),
    "audit": (("workers", "audit"), "audit", ("AMPLY_KAFKA",)),
    "retention": (("workers", "retention"), "retention", ("AMPLY_KAFKA", "AMPLY_ERASURE_JOURNAL")),
    "edge": (
        ("edge",),
        "edge",
        (
            "AMPLY_MASTER_KEY",
            "AMPLY_PORT",
            "AMPLY_PUBLIC",
            "AMPLY_STRIPE_ACCOUNT_SECRETS",
            "AMPLY_STRIPE_CONNECT_SECRETS",
            "AMPLY_STRIPE_PUBLISHABLE_KEY",
            "AMPLY_CURRENCIES",
            "AMPLY_URL",
            *_OIDC,
            *_LIMITS,
            *_LEDGER,
            *_SPICEDB,
        ),
    ),
}

#: Processes that run only where this setting is given, by whoever starts the platform.
ON_DEMAND: Final = {"witnesses": "AMPLY_WITNESSES"}

#: Settings that have a default where they are read.
OPTIONAL: Final = (
    *("AMPLY_CURRENCIES", "AMPLY_PAYMENT_EXPIRY_HOURS", "AMPLY_RETURN_URL"),
    *(*_STRIPE_PACE, *_LIMITS, *_CARDS, *_OIDC),
)

#: The edge serves its health beside its API; every other process on a port of its own.
WITH_HEALTH_PORT: Final = tuple(name for name in PROCESSES if name != "edge")

#: On a machine of few processors, accepting gifts comes before handling those accepted.
FRONT: Final = ("edge", "relay")
BEHIND: Final = 19


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """Everything one deployment keeps, below one folder."""

    path: Path

    @property
    def public(self) -> Path:
        """What the edge serves as static files."""
        return self.path / "public"

    @property
    def receipts(self) -> Path:
        """Receipts that `amply donate` or `amply up` asked for."""
        return self.path / "receipts"

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.path / "logs"

    @property
    def keys(self) -> Path:
        """Secrets, one a file, mode 600."""
        return self.path / "keys"

    @property
    def erasure_journal(self) -> Path:
        """Who was forgotten. No backup of the database includes it; a copy elsewhere is wise."""
        return self.path / "erasures.journal"

    @property
    def audit_anchors(self) -> Path:
        """Heads of the audit chains, signed. No backup of the database includes it either."""
        return self.path / "audit.anchors"

    @property
    def environment_file(self) -> Path:
        """Addresses and demonstration keys, in shell syntax, mode 600."""
        return self.path / "amply.env"

    def create(self) -> None:
        """Make the folders that are missing."""
        for folder in (self.path, self.public, self.receipts, self.logs, self.keys):
            folder.mkdir(parents=True, exist_ok=True)
        self.keys.chmod(0o700)

    def key_file(self, name: str) -> Path:
        """The file of the 32-byte secret `name` as 64 hex digits, drawn at the first call."""
        path = self.keys / name
        if not path.exists():
            # Recognisable, so that no production takes it over; 24 bytes are drawn.
            write_private(path, DEVELOPMENT_KEY_MARK + secrets.token_hex(24) + "\n")
        return path

    def key(self, name: str) -> bytes:
        """The 32 bytes of the secret `name`."""
        return bytes.fromhex(self.key_file(name).read_text().strip())

    def stripe_keys(self) -> dict[str, str]:
        """The settings of the sandbox's keys: the platform's, and the one for clients."""
        secret = "sk_test_" + self.key("stripe.key").hex()[-32:]
        return {
            "AMPLY_STRIPE_KEY": secret,
            "AMPLY_STRIPE_PUBLISHABLE_KEY": publishable.key_of(secret),
        }

    def log_passphrase_file(self) -> Path:
        """The file of the passphrase of the log's keys; `AMPLY_LOG_PASSPHRASE` names another."""
        given = os.environ.get("AMPLY_LOG_PASSPHRASE")
        return Path(given).absolute() if given else self.key_file("log-0.passphrase")

    def log_key_file(self) -> Path:
        """The encrypted file of the log's keys: one is drawn at the first call, or taken over.

        Earlier versions kept one key as plain hex.
        """
        path = self.keys / "log-0.key"
        now = datetime.now(UTC)
        if not path.exists():
            key = key_file.new_key(now)
        elif _PLAIN_KEY.fullmatch(text := path.read_text()):
            key = key_file.SigningKey(bytes.fromhex(text.strip()), now)
        else:
            return path
        passphrase = self.log_passphrase_file().read_bytes().rstrip(b"\r\n")
        write_private(path, key_file.seal([key], ORIGIN, passphrase).decode())
        return path

    def remember(self, name: str, value: Mapping[str, object]) -> None:
        """Keep a small fact about this deployment, such as what the demonstration created."""
        write_private(self.keys / f"{name}.json", json.dumps(value, indent=1) + "\n")

    def recall(self, name: str) -> dict[str, str]:
        """What `remember` kept; empty when nothing was."""
        path = self.keys / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else {}


def write_private(path: Path, text: str) -> None:
    """Replace a file whole and for good, readable by its owner only."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def role_dsn(superuser_dsn: str, secret: bytes, role: str) -> str:
    """The address of the platform's database for `amply_<role>`."""
    parts = urlsplit(superuser_dsn)
    server = parts.netloc.rpartition("@")[2]
    user = f"amply_{role}:{quote(role_password(secret, role))}"
    # The query stays: it says how the server is to be known (sslmode, sslrootcert).
    return parts._replace(netloc=f"{user}@{server}", path=f"/{DATABASE}").geturl()


def database_dsn(superuser_dsn: str, database: str = DATABASE) -> str:
    """The superuser's address of a database on the same server."""
    return urlsplit(superuser_dsn)._replace(path=f"/{database}").geturl()


def wanted(settings: Mapping[str, str]) -> list[str]:
    """The processes that run with these settings."""
    return [name for name in PROCESSES if name not in ON_DEMAND or ON_DEMAND[name] in settings]


def commands(settings: Mapping[str, str], dsn_of: Mapping[str, str]) -> list[Command]:
    """The platform's processes. `dsn_of` maps a role to its address."""
    return [
        Command(
            name,
            arguments,
            {
                "AMPLY_POSTGRES": dsn_of[role],
                **{
                    key: settings[key]
                    for key in (*_EVERYWHERE, *names)
                    if key in settings or key not in OPTIONAL
                },
                **(
                    {"AMPLY_METRICS_PORT": settings[f"AMPLY_METRICS_PORT_{name}"]}
                    if name in WITH_HEALTH_PORT
                    else {}
                ),
            },
            niceness=0 if name in FRONT else BEHIND,
        )
        for name, (arguments, role, names) in PROCESSES.items()
        if name in wanted(settings)
    ]
