"""The results of probes, compared with what was expected. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from erfailover.model.counting import join_names
from erfailover.model.probes import MachinePing, Probe, describe_check, describe_source, get_kind
from erfailover.planning.probes.answers import Answer


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of a probe.

    Attributes:
        name: the probe's name in the site file.
        check: a description of what was checked.
        up: whether it passed; None if unknown.
        expected: whether it should pass.
        output: the output.
        kind: the kind of probe, in a word or two: ``ping``, ``connect``, ``next hop``.
        what, where: what was asked, and from where.
        seen: the result, in a few words.
        took_s: how long it took, in seconds; None if that is not known.
    """

    name: str
    check: str
    up: bool | None
    expected: bool
    output: str
    kind: str = ""
    what: str = ""
    where: str = ""
    seen: str = ""
    took_s: float | None = None

    @property
    def as_expected(self) -> bool:
        """Whether the result is the expected one."""
        return self.up is self.expected


def build_result(name: str, probe: Probe, answer: Answer, expected: bool) -> ProbeResult:
    """Return the result of a probe from its answer."""
    check = (
        describe_check(probe)
        if describe_source(probe) == "here"
        else f"{describe_source(probe)}: {describe_check(probe)}"
    )
    if isinstance(probe, MachinePing):
        check = f"{describe_source(probe)} {describe_check(probe).replace('ping', 'pings', 1)}"
    return ProbeResult(
        name,
        check,
        answer.up,
        expected,
        answer.output,
        get_kind(probe),
        describe_check(probe),
        describe_source(probe),
        answer.observation,
        answer.took_s,
    )


def parse_expectations(text: str | None, names: Sequence[str]) -> dict[str, bool]:
    """Return what ``--expect office=down,internet=up`` says; what it does not name is expected up.

    Raises:
        ValueError: it names no probe of the site, or says neither up nor down.
    """
    expected = dict.fromkeys(names, True)
    for part in filter(None, (item.strip() for item in (text or "").split(","))):
        name, _, state = part.partition("=")
        if name not in expected:
            raise ValueError(
                f"there is no probe named {name!r}; the site has {join_names(names, 12)}"
            )
        if state not in ("up", "down"):
            raise ValueError(f"{part!r}: expected {name}=up or {name}=down")
        expected[name] = state == "up"
    return expected
