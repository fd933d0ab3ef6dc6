"""The site file of a command: the site that it describes, in the chosen subscription."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from erfailover.config.naming_line import find_naming_line
from erfailover.config.subscription import Subscription, choose
from erfailover.model.site import Site


@dataclass
class SiteFile:
    """A site file, loaded when it is first needed.

    Attributes:
        path: the file.
        environment: the environment variables, which may name the subscription.
        lab: whether the command runs on the lab; its subscription replaces the site file's.
        options: the ids that the command line names, by option, if no file is written yet.
    """

    path: Path
    environment: Mapping[str, str]
    lab: bool = False
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return str(self.path)

    @cached_property
    def site(self) -> Site:
        """The site, in the chosen subscription."""
        return replace(self.described, subscription=self.subscription.id)

    @cached_property
    def subscription(self) -> Subscription:
        """The site's subscription, and where it comes from.

        Raises:
            UsageFailure: the site needs one, and nothing names it.
        """
        if self.lab:
            return Subscription(self.environment["AZURE_SUBSCRIPTION_ID"], "the lab")
        return choose(self.described, str(self.path), self.environment)

    @cached_property
    def described(self) -> Site:
        """The site exactly as the file describes it."""
        from erfailover.config.loader import load

        return load(self.path, {})

    def find_line(self, keys: tuple[str | int, ...]) -> int | None:
        """Return the line of a key; None if the file does not exist or cannot be read any more."""
        from erfailover.config.loader import find_line

        return find_line(self.path, keys)

    def find_origin(self, name: str) -> str:
        """Return who names a subscription, a group or a resource: a line of the site file, ...

        Args:
            name: as in a resource id; empty if the answer is not known.
        """
        for option, identifier in self.options.items():
            if f"{name.lower()}/" in f"{identifier.lower()}/":
                return option
        chosen = self.subscription
        is_chosen = name.lower() == (chosen.id or "").lower()
        if is_chosen and chosen.origin not in ("site file", "resource ids"):
            return chosen.words
        line = find_naming_line(self.path, name)
        return f"{self}:{line}" if line else ""

    @property
    def api_versions_from(self) -> str:
        """Who names the API versions that requests carry, as a sentence."""
        if self.described.api_versions:
            line = self.find_line(("cloud", "api_versions"))
            return f"The version is from {self}{f':{line}' if line else ''}."
        return (
            "The version is the SDK's default. Set another in the site file, under "
            "cloud.api_versions; erfailover doctor says which."
        )

    def use_site(self, site: Site, options: Mapping[str, str]) -> None:
        """Use a site whose file is not written yet.

        Args:
            site: the site, with its subscription.
            options: the ids that name it on the command line, by option; the first one's
                subscription is the site's.
        """
        self.__dict__["described"] = site
        self.__dict__["subscription"] = Subscription(site.subscription, next(iter(options)))
        self.options = options
