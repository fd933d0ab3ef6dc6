"""Where a site's journal and lease are kept: on this machine, or in the store the site names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erfailover.commands.site_file import SiteFile
from erfailover.errors import UsageFailure
from erfailover.model.state_location import BlobLocation, parse
from erfailover.runtime.state.documents import Documents, LocalDocuments
from erfailover.runtime.state.local import LocalStore
from erfailover.runtime.state.shared import SharedStore
from erfailover.runtime.state.store import Store

if TYPE_CHECKING:
    from erfailover.azure.client.access import Access


WATCH = "watch"
"""The folder, in that of the site's state, of what the replicas of a watch share."""

WATCH_LEASE_S = 15.0
"""How long the leadership lasts unless renewed, in wall seconds; as long as that of a blob."""


def get_state_folder(site_file: SiteFile) -> Path:
    """Return the folder of this machine that keeps the site's journal and secrets."""
    import platformdirs

    base = site_file.environment.get("ERFAILOVER_STATE_DIR")
    root = Path(base) if base else platformdirs.user_state_path("erfailover")
    return root / "sites" / f"{site_file.site.name}-{site_file.site.subscription}"


def open_store(
    site_file: SiteFile,
    access: Callable[[], Access],
    say: Callable[[str], None],
    *,
    break_glass: bool,
) -> Store:
    """Return the store of a site's journal and lease.

    Args:
        site_file: the site.
        access: gives the credential and the connections, if the store is remote.
        say: shows a message to the operator.
        break_glass: continue with this machine's own state if the shared store fails.

    Raises:
        UsageFailure: the package for a remote store is not installed, or its endpoint is unknown.
    """
    local = LocalStore(get_state_folder(site_file))
    if site_file.site.state is None:
        return local
    location, options = _prepare_blobs(site_file, access)
    from erfailover.azure.blob_store import BlobStore

    return SharedStore(BlobStore(location, say=say, **options), local, break_glass, say)


def open_leadership_store(site_file: SiteFile, access: Callable[[], Access]) -> Store:
    """Return the store of the lease that decides which replica of a site's watch leads.

    A site with a shared store has only that one: replicas on one machine compete in it too. It does
    not ask whether the holder's process lives, so that it refuses a lease at once that has not
    expired, instead of waiting for that.

    Raises:
        UsageFailure: as ``open_store``.
    """
    if site_file.site.state is None:
        return LocalStore(get_state_folder(site_file) / WATCH, lease_s=WATCH_LEASE_S)
    location, options = _prepare_blobs(site_file, access)
    from erfailover.azure.blob_store import BlobStore

    return BlobStore(_get_watch_location(location), lives=lambda holder: None, **options)


def open_watch_store(site_file: SiteFile, access: Callable[[], Access]) -> Documents:
    """Return the documents that the replicas of a site's watch and its operators share.

    Raises:
        UsageFailure: as ``open_store``.
    """
    if site_file.site.state is None:
        return LocalDocuments(get_state_folder(site_file) / WATCH / "documents")
    location, options = _prepare_blobs(site_file, access)
    from erfailover.azure.blob_documents import BlobDocuments

    return BlobDocuments(_get_watch_location(location), **options)


def _get_watch_location(location: BlobLocation) -> BlobLocation:
    return replace(location, folder=f"{location.folder}/{WATCH}")


def _prepare_blobs(
    site_file: SiteFile, access: Callable[[], Access]
) -> tuple[BlobLocation, dict[str, Any]]:
    """Return the folder of a site's shared state, and how it is reached."""
    state = str(site_file.site.state)
    try:
        import erfailover.azure.blob_access  # noqa: F401
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("azure.storage"):
            raise
        raise UsageFailure(
            f"{site_file} keeps its state in {state}, which needs a package that is not installed",
            "Install it: pip install 'erfailover[blob]'",
        ) from None
    result = access()
    location = parse(state)
    endpoint = _read_blob_endpoint(site_file.environment) or result.cloud.build_blob_endpoint(
        location.account
    )
    if endpoint is None:
        raise UsageFailure(
            f"{site_file} keeps its state in {location}, and the endpoint of storage accounts in "
            f"the cloud {result.cloud.name} is unknown",
            "Set ERFAILOVER_BLOB_ENDPOINT to the account's blob endpoint.",
        )
    return location, {
        "endpoint": endpoint,
        "make_credential": lambda: result.credential,
        "renew_credential": result.credential.renew,
        "transport": result.build_transport,
        "agent": result.agent,
    }


def _read_blob_endpoint(environment: Mapping[str, str]) -> str | None:
    endpoint = environment.get("ERFAILOVER_BLOB_ENDPOINT")
    if endpoint and not endpoint.lower().startswith("https://"):
        raise UsageFailure(
            f"ERFAILOVER_BLOB_ENDPOINT is {endpoint!r}; expected an https:// URL",
            "Set it to the account's blob endpoint, or unset it for your cloud's.",
        )
    return endpoint
