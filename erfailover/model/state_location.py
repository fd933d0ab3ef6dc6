"""Where the site file says that the shared state is: ``azblob://account/container/site``. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

SCHEME = "azblob://"
FORM = "azblob://<storage account>/<container>/<site>"
ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
CONTAINER = re.compile(r"(?!.*--)[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]")
SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,126}")
"""Azure's rules for names of accounts and containers (documented); narrower ones for blobs."""


@dataclass(frozen=True, slots=True)
class BlobLocation:
    """A folder in a container of a storage account."""

    account: str
    container: str
    folder: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.account}/{self.container}/{self.folder}"

    @property
    def endpoint(self) -> str:
        """The account's endpoint in the public cloud."""
        return f"https://{self.account}.blob.core.windows.net"


def parse(text: str) -> BlobLocation:
    """Read a location.

    Raises:
        ValueError: it is none; the message says what is wrong with it.
    """
    if not text.startswith(SCHEME):
        raise ValueError(f"it does not begin with {SCHEME}")
    account, *rest = text.removeprefix(SCHEME).rstrip("/").split("/")
    if not rest[1:]:
        raise ValueError("account, container and folder are required")
    container, *folders = rest
    if not ACCOUNT.fullmatch(account):
        raise ValueError(f"{account!r} is not a valid storage account name")
    if not CONTAINER.fullmatch(container):
        raise ValueError(f"{container!r} is not a valid container name")
    for folder in folders:
        if not SEGMENT.fullmatch(folder) or folder.endswith("."):
            raise ValueError(f"{folder!r} is not a valid folder name")
    return BlobLocation(account, container, "/".join(folders))
