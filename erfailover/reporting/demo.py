"""The stages of the demo and the result of each, as text and data. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from erfailover.reporting import tables
from erfailover.reporting.packet_outages import (
    PacketOutages,
    build_packet_data,
    format_packet_table,
)

UNPLANNED, PLANNED = "unplanned", "planned"
"""The outage of a failure, until the switch ends it, and that of a switch alone."""


@dataclass(frozen=True)
class Stage:
    """One stage of the story.

    Attributes:
        description: what happens.
        command: what an operator types.
        path: the path that the spoke must then be on; None after the end.
        office: whether VM1 must then reach the office.
        internet: whether VM1 must then reach the Internet through the NAT machine.
        outage: the outage that it ends, for packets to measure; empty for none.
    """

    description: str
    command: str
    path: str | None = None
    office: bool = True
    internet: bool = True
    outage: str = ""


STORY = (
    Stage("The topology is created.", "provision --yes", "expressroute"),
    Stage(
        "ExpressRoute fails. The office is cut off; the Internet is still reachable.",
        "drill start --yes",
        "expressroute",
        office=False,
    ),
    Stage(
        "The spoke moves to the IPsec hub. The office is reachable again.",
        "switch --to ipsec --yes",
        "ipsec",
        outage=UNPLANNED,
    ),
    Stage("ExpressRoute is repaired. Nothing moves by itself.", "drill stop --yes", "ipsec"),
    Stage(
        "The spoke moves back, once ExpressRoute has been up for a while.",
        "switch --to expressroute --yes",
        "expressroute",
        outage=PLANNED,
    ),
    Stage("The topology is deleted.", "destroy --yes"),
)


@dataclass
class StageResult:
    """The result of a stage."""

    stage: Stage
    seconds: float = 0.0
    office: bool | None = None
    internet: bool | None = None
    path: str | None = None
    error: str | None = None
    is_deleted: bool | None = None

    @property
    def is_as_described(self) -> bool:
        """Whether the result is the expected one."""
        if self.error:
            return False
        if self.stage.path is None:
            return self.is_deleted is True
        items = (self.path, self.office, self.internet)
        return items == (self.stage.path, self.stage.office, self.stage.internet)


def format_summary(
    story: list[StageResult], total_s: float, packets: PacketOutages | None = None
) -> str:
    """Return the summary for people; ``packets`` are the outages that a ping has seen."""
    rows = [
        (
            stage_result.stage.command.removesuffix(" --yes").replace(" --to ", " "),
            _describe_path(stage_result),
            _describe_probe(
                stage_result.office, stage_result.stage.office, stage_result.stage.path
            ),
            _describe_probe(
                stage_result.internet, stage_result.stage.internet, stage_result.stage.path
            ),
            "yes" if stage_result.is_as_described else f"NO {stage_result.error or ''}",
            f"{stage_result.seconds:.0f}",
        )
        for stage_result in story
    ]
    table = tables.format_table(
        "Summary (seconds of modelled time)",
        ("stage", "path", "office", "Internet", "as expected", "seconds"),
        rows,
    )
    good = all(stage_result.is_as_described for stage_result in story) and len(story) == len(STORY)
    end = "All stages ended as expected." if good else "NOT all stages ended as expected."
    parts = [table] if packets is None else [f"{table}\n", format_packet_table(packets)]
    parts.append(f"{end} Total: {total_s:.0f} s of modelled time, including checks.")
    return "\n".join(parts)


def _describe_path(stage_result: StageResult) -> str:
    if stage_result.stage.path is None:
        return "deleted" if stage_result.is_deleted else "NOT deleted"
    return stage_result.path or "unknown"


def _describe_probe(is_up: bool | None, expected: bool, path: str | None) -> str:
    if path is None:
        return "-"
    word = {True: "reachable", False: "cut off", None: "unknown"}[is_up]
    return f"{word}, {'expected' if is_up is expected else 'NOT EXPECTED'}"


def build_summary_data(
    story: list[StageResult], total_s: float, packets: PacketOutages | None = None
) -> dict[str, Any]:
    """Return the summary as plain data."""
    return {
        "as_told": all(stage_result.is_as_described for stage_result in story)
        and len(story) == len(STORY),
        "modelled_s": round(total_s, 1),
        "stages": [
            {
                "command": stage_result.stage.command,
                "path": stage_result.path,
                "office": stage_result.office,
                "internet": stage_result.internet,
                "as_told": stage_result.is_as_described,
                "modelled_s": round(stage_result.seconds, 1),
                "error": stage_result.error,
            }
            for stage_result in story
        ],
        "packets": None if packets is None else build_packet_data(packets),
    }
