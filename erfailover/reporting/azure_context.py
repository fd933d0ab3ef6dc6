"""The first line of what people are shown: where a command works, and as whom. Pure."""

from __future__ import annotations

from erfailover.model.azure_context import AzureContext
from erfailover.reporting.screen import PLAIN, Screen
from erfailover.reporting.words import cut_middle

SEPARATOR, ASCII_SEPARATOR = "  ·  ", "  |  "
INDENT = "    "
UNFOLDED = Screen(width=10_000)
"""Has the whole context in one line."""
LEAST = 12
"""Letters that are always left of a name."""


def format_heading(context: AzureContext, screen: Screen = PLAIN) -> str:
    """Return the context in a line, or in several if it is wider than the screen.

    The first line has the site, and the lab or the subscription with its whole id. Lines break
    between values only; a value that is wider than a line loses its middle.
    """
    separator = SEPARATOR if screen.drawing else ASCII_SEPARATOR
    lines = [separator.join(_fit_site_and_place(context, screen.width - len(separator), screen))]
    for value in _list_others(context):
        text = cut_middle(value, screen.width - len(INDENT), screen.dots)
        joined = f"{lines[-1]}{separator}{text}"
        if len(joined) <= screen.width:
            lines[-1] = joined
        else:
            lines.append(INDENT + text)
    return "\n".join(lines)


def place(context: AzureContext) -> str:
    """Return the lab, or the subscription with its name and id."""
    if context.lab:
        return f"LAB {context.lab}{_format_speed(context)}"
    identifier = context.subscription or "no subscription"
    return (
        f"{context.subscription_name} ({identifier})"
        if context.subscription_name
        else (f"subscription {identifier}")
    )


def _fit_site_and_place(context: AzureContext, width: int, screen: Screen) -> tuple[str, str]:
    """Return both names of the first line in at most so many columns; ids stay whole."""
    site, where = context.site, place(context)
    if context.lab or not context.subscription_name:
        return cut_middle(site, max(width - len(where), LEAST), screen.dots), where
    name = context.subscription_name
    room = width - (len(where) - len(name))
    if len(site) + len(name) > room:
        site = cut_middle(site, max(room - len(name), room // 2, LEAST), screen.dots)
        name = cut_middle(name, max(room - len(site), LEAST), screen.dots)
    return site, f"{name} ({context.subscription or 'no subscription'})"


def _list_others(context: AzureContext) -> list[str]:
    """Return what follows the lab or the subscription; of a lab nothing is needed."""
    if context.lab:
        return []
    tenant = context.tenant_name or context.tenant
    az = ["the default of az"] if context.subscription_from == "az" else []
    named = [f"tenant {tenant}" if tenant else "", context.cloud, context.identity]
    clock = f"clock {_format_speed(context).strip(' ()')}" if context.speed != 1.0 else ""
    return [name for name in (*az, *named, clock) if name]


def _format_speed(context: AzureContext) -> str:
    return f" (x{context.speed:g})" if context.speed != 1.0 else ""
