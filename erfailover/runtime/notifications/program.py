"""A command hook: a program that is run for each notification. No shell.

Its standard input is the event as a CloudEvents message in JSON; variables repeat the most
important parts. Exit code 0 means that the notification was accepted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from erfailover.errors import UsageFailure, escape_controls
from erfailover.model.durations import format_duration
from erfailover.model.watch import Notification
from erfailover.runtime.notifications.target import DeliveryFailed
from erfailover.runtime.programs import Programs

PREFIX = "ERFAILOVER_EVENT"
"""How the variables begin: ``ERFAILOVER_SITE`` is the site file, for erfailover itself."""


@dataclass(eq=False)
class Program:
    """A program of the operator's.

    Attributes:
        command: the program and its arguments.
        timeout_s: how long it may run, in the machine's seconds.
        programs: what runs it, in the folder of the site file.
        environment: its variables, without secrets.
        place: what identifies it: ``command /usr/local/bin/page``.
    """

    command: Sequence[str]
    timeout_s: float
    programs: Programs
    environment: Mapping[str, str] = field(repr=False)
    place: str

    def prepare(self) -> None:
        """Check that there is something to run.

        Raises:
            UsageFailure: there is not.
        """
        if not self.command or not self.command[0]:
            raise UsageFailure(f"{self.place}: expected a program and its arguments, found none")

    def send(self, notification: Notification) -> None:
        """Run the program and wait for it; what it leaves behind is ended.

        Raises:
            DeliveryFailed: it could not be started, did not end in time, or its exit code was not
                0. What it printed is not repeated: it may hold a secret.
        """
        content = json.dumps(notification.cloud_event).encode()
        variables = {**self.environment, **build_variables(notification)}
        try:
            code, _ = self.programs.run(self.command, self.timeout_s, variables, content)
        except FileNotFoundError:
            problem = "the program was not found on this machine"
        except (OSError, ValueError) as error:
            problem = f"the program cannot be started: {getattr(error, 'strerror', None) or error}"
        else:
            if code == 0:
                return
            if code is None:
                problem = f"it did not end within {format_duration(self.timeout_s)} and was ended"
            else:
                problem = f"its exit code was {code}"
        raise DeliveryFailed(f"{self.place}: {problem}", "Run it by hand to see what it prints.")

    def close(self) -> None:
        """End the program if it still runs."""
        self.programs.stop()


def build_variables(notification: Notification) -> dict[str, str]:
    """Return the variables that describe an event; a missing fact is an empty text."""
    event = notification.event
    by_name = {
        "": event.type.value,
        "_ID": event.id,
        "_TIME": str(notification.cloud_event.get("time", "")),
        "_SITE": event.site,
        "_STATE": str(event.data.get("state", "")),
        "_MODE": str(event.data.get("mode", "")),
        "_SEVERITY": event.severity.value,
        "_INCIDENT": event.incident,
        "_RESOLVES": "true" if event.resolves else "false",
        "_TITLE": notification.title,
        "_TEXT": notification.body,
    }
    return {f"{PREFIX}{name}": escape_controls(value) for name, value in by_name.items()}
