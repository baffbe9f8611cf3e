"""Peers are comparable only if they answer alike; this checks it before anything is measured."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from bench.cases import Case
from bench.peers import Peer


class AnswersDiffer(Exception):  # noqa: N818 - it says what is the matter
    """A peer's answer is an error, implausible, or another than the first peer's."""


def verify(case: Case, peers: Mapping[str, Peer], urls: Mapping[str, str], scale: int, samples: int = 20) -> None:
    """Send the same samples to every peer and compare `data`, the order of keys included.

    Raises:
        AnswersDiffer: with the variables and the beginning of both answers.
    """
    for variables in case.sample(scale, samples, seed=2):
        answers = {
            name: post(urls[name] + peer.path(case), peer.headers, peer.body(case, variables))
            for name, peer in peers.items()
        }
        for name, answer in answers.items():
            if answer.get("errors") or not _plausible(case, answer.get("data"), variables):
                raise AnswersDiffer(f"{case.name} {variables}: {name} answered {_shorten(answer)}")
        first, *others = answers
        for other in others:
            if json.dumps(answers[first]["data"]) != json.dumps(answers[other]["data"]):
                raise AnswersDiffer(
                    f"{case.name} {variables}:\n  {first}: {_shorten(answers[first])}\n"
                    f"  {other}: {_shorten(answers[other])}"
                )


def post(url: str, headers: Mapping[str, str], body: bytes) -> Any:
    """POST and decode the JSON answer, whatever its status."""
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return {"errors": [{"message": f"HTTP {error.code}: {error.read(500).decode(errors='replace')}"}]}


def _plausible(case: Case, data: Any, variables: Mapping[str, Any]) -> bool:
    try:
        return case.plausible(data, variables)
    except (KeyError, TypeError):
        return False


def _shorten(answer: Any) -> str:
    text = json.dumps(answer)
    return text if len(text) <= 600 else text[:600] + " ..."
