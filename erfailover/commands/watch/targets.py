"""The targets of a site's notifications, from the site file: what is sent to, with which secrets.

Never shows or logs a secret: a target is named by where its secret is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from erfailover.commands.context import Context
from erfailover.errors import Failure, UsageFailure
from erfailover.model.topology import TopologySharedKeys
from erfailover.model.watch_settings import (
    AppriseTarget as AppriseSetting,
)
from erfailover.model.watch_settings import (
    CommandTarget,
    NotificationTarget,
    WebhookTarget,
)
from erfailover.planning.probes.answers import remove_secrets
from erfailover.runtime.notifications import secret_value
from erfailover.runtime.notifications.apprise_target import AppriseTarget
from erfailover.runtime.notifications.program import Program
from erfailover.runtime.notifications.secret_value import SecretValue
from erfailover.runtime.notifications.target import Target
from erfailover.runtime.notifications.webhook import Webhook
from erfailover.runtime.programs import Programs


def open_targets(context: Context, say: Callable[[str], None]) -> tuple[Target, ...]:
    """Return the targets of a site, after every one was checked; nothing is sent.

    Args:
        context: of the site.
        say: prints a line of the log: a secret that cannot be read now, but may be later.

    Raises:
        UsageFailure: a secret is missing or is no URL, or a package is not installed.
    """
    targets = make_targets(context)
    for target in targets:
        try:
            target.prepare()
        except UsageFailure:
            raise
        except Failure as failure:
            say(f"{target.place}: {failure.message}. It is read again for the first notification.")
    return targets


def make_targets(context: Context) -> tuple[Target, ...]:
    """Return the targets of a site; each reads its secret when it is first used."""
    folder = context.site_file.path.absolute().parent
    secrets = SecretReader(folder, context.environment, partial(read_vault_secret, context))
    return build_targets(context.site.watch.notifications, secrets)


@dataclass(frozen=True, slots=True)
class SecretReader:
    """Where the secrets of targets come from.

    Attributes:
        folder: from which relative paths start, and where programs run: the site file's.
        environment: the variables.
        read_vault: reads a secret of a Key Vault by its URL.
    """

    folder: Path
    environment: Mapping[str, str]
    read_vault: Callable[[str], str]

    def read(self, place: str) -> str:
        """Return the secret in a place.

        Raises:
            UsageFailure: it is missing, or is no URL.
            AzureFailure: the vault refused, has no such secret, or did not answer.
        """
        if secret_value.is_local(place):
            return secret_value.read_local(place, self.folder, self.environment)
        return secret_value.check_value(place, self.read_vault(place))


def build_targets(
    settings: Sequence[NotificationTarget], secrets: SecretReader
) -> tuple[Target, ...]:
    """Return the targets that the site file names, none of them used yet.

    A program gets no variable that holds a secret of erfailover, of Azure or of another target.
    """
    hidden = {
        place.removeprefix(secret_value.VARIABLE)
        for setting in settings
        if (place := _get_place(setting)).startswith(secret_value.VARIABLE)
    }
    ours = remove_secrets(secrets.environment)
    variables = {name: text for name, text in ours.items() if name not in hidden}
    targets: list[Target] = []
    commands: Counter[str] = Counter()
    places = set()
    for setting in settings:
        target: Target
        if isinstance(setting, CommandTarget):
            name = setting.command[0] if setting.command else ""
            commands[name] += 1
            number = f" ({commands[name]})" if commands[name] > 1 else ""
            target = Program(
                setting.command,
                setting.timeout_s,
                Programs(secrets.folder),
                variables,
                f"command {name}{number}",
            )
        else:
            place = _get_place(setting)
            kind = AppriseTarget if isinstance(setting, AppriseSetting) else Webhook
            target = kind(SecretValue(place, partial(secrets.read, place)))
        if target.place not in places:
            places.add(target.place)
            targets.append(target)
    return tuple(targets)


def _get_place(setting: NotificationTarget) -> str:
    """Return where a target's secret is; empty for a program, which has none."""
    match setting:
        case AppriseSetting():
            return setting.apprise
        case WebhookTarget():
            return setting.webhook
        case CommandTarget():
            return ""


def read_vault_secret(context: Context, url: str) -> str:
    """Return a secret of a Key Vault.

    Args:
        context: whose credential reads it.
        url: ``https://vault/secrets/name``.

    Raises:
        UsageFailure: the package for Key Vault is not installed.
        AzureFailure: the vault refused, has no such secret, or did not answer.
    """
    try:
        from erfailover.azure import key_vault
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("azure.keyvault"):
            raise
        raise UsageFailure(
            f"watch.notifications names {url}, but the package for Key Vault is not installed",
            "Install it: pip install 'erfailover[keyvault]'",
        ) from None
    parts = urlsplit(url)
    secret = parts.path.strip("/").removeprefix("secrets/")
    named = TopologySharedKeys(key_vault=f"https://{parts.netloc}", secret=secret)
    return key_vault.read(
        named, context.access, context.clock, "the URL of a target", "watch.notifications"
    ).value
