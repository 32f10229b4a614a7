"""What a methodology is: its channels and parameters, and a formula from what was measured to kilograms of CO2.

Amounts come as whole watt-hours, metres and millilitres; results are exact fractions of kilograms. Nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from contracts.ecopoints.methodology.factors import Factors
from contracts.ecopoints.methodology.reasons import MethodologyReason
from ledger.refusal import Refused, Text

Unit = Literal["Wh", "m", "mL"]
Parameters = Mapping[str, int | str]

HALF_HOUR_MS = 30 * 60_000
DAY_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Channel:
    """A quantity that a device tells: `register` where it counts up for ever, read at the end of each interval."""

    name: str
    unit: Unit
    required: bool
    register: bool
    interval_ms: int


@dataclass(frozen=True, slots=True)
class Parameter:
    """A fact about one device, as registered: a whole number within bounds, or one of `choices`."""

    name: str
    title: Text
    unit: str
    required: bool
    minimum: int = 0
    maximum: int = 0
    choices: tuple[str, ...] = ()

    def check(self, value: int | str) -> None:
        if self.choices:
            if value not in self.choices:
                raise Refused(MethodologyReason.BAD_PARAMETER, parameter=self.name, expected=" / ".join(self.choices))
        elif not isinstance(value, int) or isinstance(value, bool) or not self.minimum <= value <= self.maximum:
            expected = f"{self.minimum}..{self.maximum} {self.unit}"
            raise Refused(MethodologyReason.BAD_PARAMETER, parameter=self.name, expected=expected)


@dataclass(frozen=True, slots=True)
class Measured:
    """The totals of a device in a month, by channel; `estimated` names those that were not measured."""

    totals: Mapping[str, int]
    estimated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """A named symbol of the source with its value: what the evidence page shows."""

    symbol: str
    value: Fraction
    unit: str


@dataclass(frozen=True, slots=True)
class Reduction:
    """`reduction_kg` = `baseline_kg` − `project_kg`; negative stays negative. `estimated`: it rests on an estimate."""

    baseline_kg: Fraction
    project_kg: Fraction
    estimated: bool
    steps: tuple[Step, ...]

    @property
    def reduction_kg(self) -> Fraction:
        return self.baseline_kg - self.project_kg


Formula = Callable[[Measured, Parameters, Factors], Reduction]


@dataclass(frozen=True, slots=True)
class Methodology:
    """A methodology of the J-Credit scheme. `version` is that of the formula here, which the period's row keeps."""

    code: str
    version: str
    title: Text
    source: str
    device_kinds: tuple[str, ...]
    channels: tuple[Channel, ...]
    parameters: tuple[Parameter, ...]
    formula: Formula
    fits_kind: Callable[[Parameters, str], None] | None = None
    """What more a kind of device needs of its parameters; `Refused(BAD_PARAMETER)` where it lacks it."""

    def check_parameters(self, parameters: Parameters, kind: str | None = None) -> None:
        """`Refused(BAD_PARAMETER)` unless all that are needed are there, within bounds, and no other."""
        known = {p.name: p for p in self.parameters}
        for name in parameters:
            if name not in known:
                raise Refused(MethodologyReason.BAD_PARAMETER, parameter=name, expected=" / ".join(sorted(known)))
        for parameter in self.parameters:
            if parameter.name in parameters:
                parameter.check(parameters[parameter.name])
            elif parameter.required:
                raise Refused(MethodologyReason.BAD_PARAMETER, parameter=parameter.name, expected=parameter.unit)
        if kind is not None and self.fits_kind is not None:
            self.fits_kind(parameters, kind)

    def reduce(self, measured: Measured, parameters: Parameters, factors: Factors) -> Reduction:
        """The reduction in kilograms of CO2. Refused if a channel, a parameter or a factor is missing or not right."""
        self.check_parameters(parameters)
        known = {c.name: c for c in self.channels}
        for name, amount in measured.totals.items():
            if name not in known:
                raise Refused(MethodologyReason.UNKNOWN_CHANNEL, channel=name, methodology=self.code)
            if amount < 0:
                raise Refused(MethodologyReason.BAD_AMOUNT, channel=name)
        for channel in self.channels:
            if channel.required and channel.name not in measured.totals:
                raise Refused(MethodologyReason.MISSING_CHANNEL, channel=channel.name)
        return self.formula(measured, parameters, factors)


def needed(measured: Measured, channel: str) -> int:
    """The channel's total; `Refused(MISSING_CHANNEL)`: a blank is not a zero."""
    if channel not in measured.totals:
        raise Refused(MethodologyReason.MISSING_CHANNEL, channel=channel)
    return measured.totals[channel]


def number(parameters: Parameters, name: str) -> int:
    value = parameters.get(name)
    if not isinstance(value, int):
        raise Refused(MethodologyReason.BAD_PARAMETER, parameter=name, expected="1, 2, 3 …")
    return value


def choice(parameters: Parameters, name: str, default: str) -> str:
    return str(parameters.get(name, default))
