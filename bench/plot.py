"""The requests a second of each case and peer as bars, in SVG."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from html import escape

from bench.report import CaseResult

_WIDTH, _LABEL, _NUMBER = 760, 110, 130
_BAR, _GAP, _HEAD, _BETWEEN = 16, 4, 30, 18
_COLORS = ("#2563eb", "#64748b", "#d97706", "#b91c1c", "#475569")


def bars(results: Sequence[CaseResult], subject: str) -> str:
    """Return the picture. Bars of one case are to scale; `subject` is the peer that the others are compared with."""
    lines: list[str] = []
    y = 0
    for result in results:
        y += _HEAD
        lines.append(_text(0, y - 10, f"{result.case.title}, {result.scale}x", "title"))
        rates = {peer: statistics.median(result.rates(peer)) for peer in result.rounds}
        longest = max(rates.values())
        for number, (peer, rate) in enumerate(rates.items()):
            length = (_WIDTH - _LABEL - _NUMBER) * rate / longest
            color = _COLORS[number % len(_COLORS)]
            lines.append(_text(_LABEL - 8, y + _BAR - 4, peer, "peer"))
            lines.append(f'<rect x="{_LABEL}" y="{y}" width="{length:.1f}" height="{_BAR}" rx="2" fill="{color}"/>')
            ratio = "" if peer == subject else f" · {statistics.median(result.ratios(subject, peer)):.2f}x"
            lines.append(_text(_LABEL + length + 6, y + _BAR - 4, f"{rate:,.0f}/s{ratio}", "number"))
            y += _BAR + _GAP
        y += _BETWEEN
    style = "text{font:12px system-ui,sans-serif;fill:#334155}.title{font-weight:600}.peer{text-anchor:end}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 0 {_WIDTH + 24} {y}" role="img"'
            f' aria-label="Requests a second of {escape(", ".join(results[0].rounds))}">',
            f"<style>{style}</style>",
            f'<rect x="-12" width="{_WIDTH + 24}" height="{y}" fill="#fff"/>',
            *lines,
            "</svg>\n",
        ]
    )


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(text)}</text>'
