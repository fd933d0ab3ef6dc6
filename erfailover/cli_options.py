"""The options that many commands take, and what a command is given from them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from erfailover import logs

if TYPE_CHECKING:
    from erfailover.commands.context import Context

F = TypeVar("F", bound=Callable[..., Any])


def logged(command: F) -> F:
    """The options that say what is logged, and how."""
    for option in (
        click.option(
            "-v",
            "--verbose",
            count=True,
            help="Log every request to Azure on stderr; -vv also retries, waits, and which "
            "credential gave the token.",
        ),
        click.option(
            "--log-format",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            envvar="ERFAILOVER_LOG_FORMAT",
            help="How to log on stderr; json logs progress and errors too, one object a line.",
        ),
    ):
        command = option(command)
    return command


def common(command: F) -> F:
    """The options that every command takes."""
    for option in (
        click.option(
            "--site",
            "site_file",
            envvar="ERFAILOVER_SITE",
            default="erfailover.yaml",
            show_default=True,
            type=click.Path(path_type=Path),
            help="The site file (also ERFAILOVER_SITE).",
        ),
        click.option("--lab", is_flag=True, help="Use the lab, starting it if none runs."),
        click.option(
            "-o",
            "--output",
            type=click.Choice(["table", "json", "yaml"]),
            default="table",
            show_default=True,
            help="How to print the result.",
        ),
        click.option("-y", "--yes", is_flag=True, help="Answer yes to what is asked."),
    ):
        command = option(command)
    return logged(command)


def writes(command: F) -> F:
    """The options that every command takes which writes to the site."""
    for option in (
        click.option(
            "--take-over",
            is_flag=True,
            help="Take over the lease of somebody who still writes to the site: it then stops "
            "before its next write.",
        ),
        click.option(
            "--break-glass",
            is_flag=True,
            help="Where the shared state cannot be reached, go on with this machine's own. "
            "Nothing then keeps other machines from writing at the same time.",
        ),
    ):
        command = option(command)
    return command


def context(options: dict[str, Any]) -> Context:
    """What a command is given, from the common options; takes them out of ``options``."""
    from erfailover.commands.context import Context

    verbosity, as_json = options.pop("verbose"), options.pop("log_format") == "json"
    lab = options.pop("lab")
    if lab:
        from erfailover.commands import lab_process

        os.environ.update(lab_process.up())
    told = Context(options.pop("site_file"), options.pop("output"), options.pop("yes"), lab)
    told.take_over = options.pop("take_over", False)
    told.break_glass = options.pop("break_glass", False)
    told.json_log = as_json
    logs.begin(verbosity, as_json=as_json, write=logs.to_stderr if as_json else told.log_line)
    current = click.get_current_context()
    current.call_on_close(told.close)
    if current.obj is not None:
        told.clock = current.obj
    return told
