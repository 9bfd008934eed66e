"""What decides about one profile beside a segment's rule: told in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator

from segmentd.domain.identity import email_key
from segmentd.domain.segments import Pin
from segmentd.segmenter.evaluate import holds
from segmentd.segmenter.evidence import Evidence
from segmentd.segmenter.fields import Kind
from segmentd.segmenter.render import subject_words, words
from segmentd.segmenter.scenes import Scene
from segmentd.segmenter.standing import Hold, Past, Standing
from segmentd.segmenter.thresholds import leading


def notes(scene: Scene, key: str, evidence: Evidence) -> Iterator[str]:
    """Why the profile is a member though the rule does not hold, or none though it does; and what
    else may come to decide. What comes later wins."""
    standing = scene.ruleset.standing(key)
    fulfilled = bool(holds(scene.ruleset.rules[key], scene.conditions)[0])
    yield from _staying(scene, key, standing, evidence, fulfilled=fulfilled)
    yield from _limited(scene, key, standing, evidence)
    yield from _pinned(scene, key, standing, evidence)
    yield from _rivals(scene, key, standing)


def _pinned(scene: Scene, key: str, standing: Standing, evidence: Evidence) -> Iterator[str]:
    for hold in _held(scene, key):
        reasons = [pin.reason for pin in standing.pins if _is_about(pin, scene, hold.member)]
        until = ""
        if hold.ends != float("inf"):
            until = f" until {evidence.number(Kind.DATE, hold.ends)}"
        why = f": {', '.join(dict.fromkeys(reasons))}" if reasons else ""
        yield f"pinned {'in' if hold.member else 'out'}{until}{why}"


def _held(scene: Scene, key: str) -> list[Hold]:
    """The pins that last: in before out, which wins."""
    (profile_id,) = scene.facts.profile_ids.tolist()
    found = [
        hold
        for hold in scene.ruleset.held.get(key, ())
        if hold.profile_id == profile_id and hold.ends > scene.now.timestamp()
    ]
    return sorted(found, key=lambda hold: not hold.member)


def _is_about(pin: Pin, scene: Scene, member: bool) -> bool:
    profile = scene.frames.profiles.iloc[0]
    names = {f"{profile['source']}:{profile['customer_id']}", email_key(profile["email"])}
    return pin.member == member and bool({pin.customer, email_key(pin.customer)} & names - {None})


def _staying(
    scene: Scene, key: str, standing: Standing, evidence: Evidence, *, fulfilled: bool
) -> Iterator[str]:
    if not standing.remembers or fulfilled:
        return
    past = Past(scene.frames.memberships, scene.facts.index, scene.facts.clock.now)
    was = bool(past.was(key)[0])
    if standing.stays is not None:
        stays = bool(holds(standing.stays, scene.conditions)[0])
        phrase = words(standing.stays, scene.ruleset.shop.currency)
        verdict = "which holds" if stays else "which does not hold"
        yield f"a member stays one while {phrase}, {verdict}"
        if stays:
            return
    lapsing = scene.decision.lapsing
    if was and key in lapsing and lapsing[key].notna().iloc[0]:
        since = float(lapsing[key].iloc[0])
        begin, end = (
            evidence.number(Kind.DATE, instant)
            for instant in (since, since + standing.grace * 86_400)
        )
        yield f"a member by grace since {begin}, until {end}"


def _limited(scene: Scene, key: str, standing: Standing, evidence: Evidence) -> Iterator[str]:
    cap = standing.cap
    if cap is None:
        return
    by, side = cap.ranking.subject, "least" if cap.least else "most"
    cut = scene.thresholds.get(cap.name(key))
    told = f"at most {cap.count} members, those with the {side} of "
    told += f"{subject_words(by, scene.ruleset.shop.currency)}: it is {evidence.shown(by)}"
    if math.isnan(scene.conditions.numbers(by)[0]):
        yield f"{told}, and nobody is let in without it"
    elif cut is None:
        yield f"{told}, and who they are is not computed yet"
    elif cut.startswith("-inf"):
        yield f"{told}, and there is room"
    else:
        last = leading(cut) * (-1 if cap.least else 1)
        told += f", the last member has {evidence.number(scene.conditions.kind(by), last)}"
        equal = scene.conditions.numbers(by)[0] == last
        yield f"{told} (of equals more orders win, then later ones)" if equal else told


def _rivals(scene: Scene, key: str, standing: Standing) -> Iterator[str]:
    if not standing.rivals:
        return
    place = standing.rivals.index(key)
    for earlier in standing.rivals[:place]:
        if scene.conditions.members[earlier][0]:
            yield f"of its set, segment '{earlier}' comes first"
    for later in standing.rivals[place + 1 :]:
        if _is_pinned_in(scene, later) and not _is_pinned_in(scene, key):
            yield f"of its set, a pin chooses segment '{later}'"


def _is_pinned_in(scene: Scene, key: str) -> bool:
    pins = _held(scene, key)
    return bool(pins) and pins[-1].member
