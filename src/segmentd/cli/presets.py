"""``presets``: ready-made segments, what they select in this store, and how to get one."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import click

from segmentd.bootstrap import App, check_rules
from segmentd.cli.common import Invocation, echo_json, json_option, now_option, pass_invocation
from segmentd.cli.facts import unfilled
from segmentd.cli.report import INSUFFICIENT_DATA, as_percent, columns
from segmentd.cli.session import known_shop, session
from segmentd.config import Config
from segmentd.config_edit import add_segment, check_key, segment_table
from segmentd.domain.errors import ConfigError
from segmentd.domain.segments import Segment
from segmentd.domain.suggest import did_you_mean
from segmentd.segmenter.fields import Kind, subject_field
from segmentd.segmenter.fitted import fitted_name
from segmentd.segmenter.parser import parse
from segmentd.segmenter.presets import PRESETS, Preset
from segmentd.segmenter.presets_values import shown
from segmentd.segmenter.preview import EVERYBODY, Worth
from segmentd.segmenter.render import money, words
from segmentd.segmenter.ruleset import Ruleset
from segmentd.segmenter.thresholds import INSUFFICIENT

_OWN = "preset {}"
"""No segment has such a key."""


class _Presets(click.Group):
    """``presets``, ``presets KEY`` and ``presets add KEY``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What is no command of ours is a preset to be shown."""
        if not args or args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Presets)
def presets() -> None:
    """List ready-made segments (presets), show one (presets KEY), or add it (presets add KEY)."""


@presets.command()
@click.argument("key", required=False)
@now_option
@json_option
@pass_invocation
def show(invocation: Invocation, key: str | None, now: datetime | None, as_json: bool) -> None:
    """Show all presets, or one, with the figures of this store."""
    wanted = list(PRESETS.values()) if key is None else [_preset(key)]
    with session(invocation, now, quiet=as_json) as app:
        found, complete = _described(app, wanted), app.complete()
    if as_json:
        echo_json(found if key is None else found[0])
        return
    if not complete:
        click.echo(INSUFFICIENT_DATA)
    if key is None:
        click.echo("\n".join(columns([_row(each) for each in found])))
    else:
        click.echo("\n".join(_lines(found[0])))


@presets.command()
@click.argument("key")
@click.option("--param", "-p", "given", multiple=True, metavar="NAME=VALUE", help="A parameter.")
@click.option("--as", "name", help="Name of the segment [default: that of the preset].")
@click.option("--push", multiple=True, metavar="DESTINATION", help="Where its members go.")
@json_option
@pass_invocation
def add(
    invocation: Invocation,
    key: str,
    given: Sequence[str],
    name: str | None,
    push: Sequence[str],
    as_json: bool,
) -> None:
    """Write a segment made from a preset at the end of the configuration; comments stay."""
    config = invocation.start()
    preset, name = _preset(key), name or key
    _check_name(config, name)
    parameters = dict(_parameter(each) for each in given)
    rule = _compiled(config, preset, name, parameters)
    values = {"title": preset.title, "preset": key, **parameters, "push": list(dict.fromkeys(push))}
    table = {each: value for each, value in values.items() if value != []}
    add_segment(config.path, name, table)
    if as_json:
        toml = segment_table(name, table)
        echo_json({"file": str(config.path), "segment": name, "toml": toml, "words": rule})
        return
    click.echo(f"wrote to {config.path}:\n\n{segment_table(name, table)}\n{rule}")


def _preset(key: str) -> Preset:
    if key not in PRESETS:
        raise ConfigError(f'there is no preset "{key}"{did_you_mean(key, PRESETS)}')
    return PRESETS[key]


def _check_name(config: Config, name: str) -> None:
    check_key(name)
    if name in {segment.key for segment in config.segments}:
        raise ConfigError(f'there is a segment "{name}" already; choose another name with --as')


def _parameter(given: str) -> tuple[str, Any]:
    """``days=90``, ``tags=["a"]``; what is no value of TOML is a text."""
    name, equals, value = given.partition("=")
    if not equals:
        raise ConfigError(f'"{given}" is no parameter; write for example days=90')
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()


def _compiled(config: Config, preset: Preset, name: str, parameters: Mapping[str, Any]) -> str:
    """The rule in words; ConfigError if the parameters do not give one, or nothing fills it."""
    if preset.is_waiting(parameters):
        raise ConfigError(f'preset "{preset.key}" cannot be used yet. {preset.waits_for}')
    try:
        where, stays = preset.where(parameters), preset.stays(parameters)
    except ConfigError as error:
        raise ConfigError(f"[segments.{name}] {error.message}") from None
    segments = (*config.segments, Segment(name, preset.title, where, stays=stays))
    shop = known_shop(config)
    whole = replace(config, segments=segments)
    return words(check_rules(whole, shop).rules[name], shop.currency)


# what this store says of them


def _described(app: App, wanted: Sequence[Preset]) -> list[dict[str, Any]]:
    rules = {preset.key: preset.where(_example(preset)) for preset in wanted}
    ready = {
        preset.key: Segment(_OWN.format(preset.key), preset.title, rules[preset.key])
        for preset in wanted
        if not preset.waits_for
        and _is_complete(preset)
        and not unfilled(app.config, parse(rules[preset.key]))
    }
    keys = [segment.key for segment in ready.values()]
    ask = app.asking("presets", list(ready.values())).of(*keys)
    sizes, thresholds = ask.worths(keys) if keys else ({}, {})
    found = []
    for preset in wanted:
        key, rule = _OWN.format(preset.key), rules[preset.key]
        figures = _figures(ask.of(key).ruleset, thresholds) if preset.key in ready else {}
        found.append(
            {
                **_definition(preset, rule, app.shop().currency),
                "unfilled": unfilled(app.config, parse(rule)),
                "figures": figures,
                **_size(sizes.get(key), sizes.get(EVERYBODY)),
            }
        )
    return found


def _is_complete(preset: Preset) -> bool:
    """Whether it can be used without giving it anything."""
    try:
        preset.where({})
    except ConfigError:
        return False
    return True


def _example(preset: Preset) -> dict[str, Any]:
    """Values for the parameters that must be given."""
    if _is_complete(preset):
        return {}
    return {
        name: parameter.example
        for name, parameter in preset.parameters.items()
        if parameter.default is None
    }


def _definition(preset: Preset, rule: str, currency: str) -> dict[str, Any]:
    return {
        "preset": preset.key,
        "title": preset.title,
        "selects": preset.words,
        "articles": list(preset.articles),
        "set": preset.set or None,
        "waits_for": preset.waits_for or None,
        "rule": rule,
        "words": words(parse(rule), currency),
        "parameters": {
            name: {
                "words": parameter.words,
                "default": parameter.default,
                "example": parameter.example,
                "allowed": parameter.allowed,
            }
            for name, parameter in preset.parameters.items()
        },
    }


def _figures(ruleset: Ruleset, thresholds: Mapping[str, str]) -> dict[str, str]:
    """The values of this store that a preset is made from."""
    found = {}
    for variable in sorted(ruleset.fitted):
        found[f"${variable}"] = thresholds.get(fitted_name(variable), INSUFFICIENT)
    for name, subject in ruleset.relatives.items():
        value = thresholds.get(name, INSUFFICIENT).split(" ")[0]
        field = subject_field(subject)
        is_money = field is not None and field.kind is Kind.MONEY and value != INSUFFICIENT
        found[name] = money(float(value), ruleset.shop.currency) if is_money else value
    return found


def _size(worth: Worth | None, everybody: Worth | None) -> dict[str, Any]:
    if worth is None or everybody is None or not everybody.size:
        return {"size": None, "share": None, "revenue_share": None}
    return {
        "size": worth.size,
        "share": worth.size / everybody.size,
        "revenue_share": worth.revenue / everybody.revenue if everybody.revenue else 0.0,
    }


def _row(told: Mapping[str, Any]) -> tuple[str, ...]:
    size = "-" if told["size"] is None else str(told["size"])
    share = "" if told["share"] is None else as_percent(told["share"])
    return told["preset"], size, share, told["selects"]


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    yield f"{told['title']} ({told['preset']})"
    yield told["selects"]
    if told["articles"]:
        yield f"also called: {', '.join(told['articles'])}"
    if told["waits_for"]:
        yield told["waits_for"]
    for name in told["unfilled"]:
        yield f"asks for {name}, which no source that is configured fills"
    yield f"\n{told['rule']}\n{told['words']}"
    if told["parameters"]:
        yield "\nParameters"
        rows = [
            (name, _default(each), each["words"], each["allowed"])
            for name, each in told["parameters"].items()
        ]
        yield from (f"  {line}" for line in columns(rows))
    if told["size"] is not None:
        yield (
            f"\nHere: {told['size']} customers ({as_percent(told['share'])}), "
            f"{as_percent(told['revenue_share'])} of revenue"
        )
    for name, value in told["figures"].items():
        yield f"  {name} is {'unknown yet' if value == INSUFFICIENT else value}"
    if not told["waits_for"] and not told["unfilled"]:
        yield f"\nto add it: segmentd presets add {told['preset']}{_given(told)}"


def _given(told: Mapping[str, Any]) -> str:
    """The parameters without which it is refused, as they are typed."""
    needed = PRESETS[told["preset"]]
    given = [] if _is_complete(needed) else _example(needed).items()
    return "".join(f" -p '{name}={shown(value)}'" for name, value in given)


def _default(parameter: Mapping[str, Any]) -> str:
    if parameter["default"] is None:
        return f"e.g. {shown(parameter['example'])}"
    return shown(parameter["default"])
