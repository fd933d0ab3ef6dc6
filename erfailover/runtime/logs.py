"""What is logged, on standard error: as lines of text, or as one JSON object a line.

Owns the handler, its formats and the redaction that every record goes through. Never writes a
token, a key or a password, and never to standard output, which carries results.
"""

from __future__ import annotations

import io
import logging
import re
import sys
import time
from collections.abc import Callable

from erfailover.errors import escape_controls

PROGRESS = "erfailover.progress"
"""The logger of what is always shown to an operator."""

CHATTY = ("azure", "msal", "requests", "urllib3")
"""Loggers of libraries: they repeat what ours say, and some of them print whole URLs."""

CUT = "***"
SECRETS = (
    re.compile(r"(?i)(\bbearer )[\w.~+/=-]{6,}"),
    re.compile(r"()\beyJ[\w-]{8,}(?:\.[\w-]*){1,4}"),
    re.compile(
        r"(?i)([?&;](?:sig|token|code|t|c|s|h|\$?skip_?token|continuation\w*)=)[^&;\s\"'<>]+"
    ),
    re.compile(
        r"(?i)(\b(?:shared_?key|account_?key|client_?secret|client_?assertion|access_?token|"
        r"refresh_?token|id_?token|admin_?password|password)[\"']?\s*[:=]\s*[\"']?)"
        r"[^\"'&,;\s}]+"
    ),
)
"""What may hold a secret: each keeps its first group and loses the rest. The third are the parts
of a signed URL: of Azure Storage, and of the ``Location`` that ARM signs since 2023 (recorded)."""


def redact(text: str) -> str:
    """Remove what looks like a token, a key, a password or a signed part of a URL."""
    for pattern in SECRETS:
        text = pattern.sub(rf"\g<1>{CUT}", text)
    return text


class TextFormat(logging.Formatter):
    """``12:00:00.123Z message``; a warning or worse also names its level."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text, in one line unless its message has more."""
        at = _format_time(record, "%H:%M:%S")
        level = f"{record.levelname} " if record.levelno >= logging.WARNING else ""
        return escape_controls(
            redact(f"{at} {level}{record.getMessage()}{_format_trace(self, record)}")
        )


class JsonFormat(logging.Formatter):
    """One JSON object: ``time``, ``level``, ``logger``, ``message``, then the record's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON, in one line."""
        import json  # not for the sake of --help

        by_name: dict[str, object] = {
            "time": _format_time(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        for name, value in getattr(record, "fields", {}).items():
            by_name[name] = redact(value) if isinstance(value, str) else value
        if record.exc_info:
            by_name["trace"] = redact(_format_trace(self, record).strip())
        return json.dumps(by_name, default=str)


def _format_time(record: logging.LogRecord, form: str) -> str:
    """When a record was made, in UTC, to the millisecond."""
    return f"{time.strftime(form, time.gmtime(record.created))}.{int(record.msecs):03d}Z"


def _format_trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return f"\n{formatter.formatException(record.exc_info)}" if record.exc_info else ""


class LineHandler(logging.Handler):
    """Hands every record, formatted, to a function that writes a line."""

    def __init__(self, write: Callable[[str], None], *, as_json: bool) -> None:
        super().__init__()
        self.as_json = as_json
        self._write = write
        self.setFormatter(JsonFormat() if as_json else TextFormat())

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a failure here is for logging to handle."""
        try:
            self._write(self.format(record))
        except Exception:
            self.handleError(record)


class LogStream(io.StringIO):
    """A text file whose every flush becomes one record: progress, if the log is JSON."""

    def __init__(self, logger: str = PROGRESS) -> None:
        super().__init__()
        self._log = logging.getLogger(logger)

    def flush(self) -> None:
        """Log what was kept, unless it is blank."""
        text = self.getvalue().strip("\n")
        self.seek(0)
        self.truncate()
        if text.strip():
            self._log.info("%s", text)


def to_stderr(line: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def begin(verbosity: int, *, as_json: bool, write: Callable[[str], None] = to_stderr) -> None:
    """Log from now on, until ``end``.

    Args:
        verbosity: 0 for warnings and what is always shown, 1 for every request, 2 for
            retries, waits and which credential gave the token as well.
        as_json: every record as JSON, progress included; else text, and progress is not logged.
        write: writes a line: to standard error, above whatever is live there.
    """
    end()
    silence_libraries()
    logging.getLogger().addHandler(LineHandler(write, as_json=as_json))
    ours = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
    logging.getLogger("erfailover").setLevel(ours)
    logging.getLogger(PROGRESS).setLevel(logging.INFO)
    identity = logging.INFO if verbosity > 1 else logging.NOTSET
    logging.getLogger("azure.identity").setLevel(identity)
    logging.captureWarnings(as_json)


def end() -> None:
    """Stop logging; does nothing if logging has not started."""
    root = logging.getLogger()
    for handler in [item for item in root.handlers if isinstance(item, LineHandler)]:
        root.removeHandler(handler)
        logging.captureWarnings(False)
    for name in ("erfailover", PROGRESS, "azure.identity"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def silence_libraries() -> None:
    """Silence what libraries log."""
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.CRITICAL)


def is_json() -> bool:
    """Whether the log is JSON, so that nothing else may be written to standard error."""
    return any(
        isinstance(handler, LineHandler) and handler.as_json
        for handler in logging.getLogger().handlers
    )
