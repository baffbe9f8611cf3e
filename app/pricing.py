"""The prices of the demo's invented models. The seed and the `modelPricing` field use the same table."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """Prices in US dollars per million tokens, and the most tokens of one request."""

    model: str
    prompt: Decimal
    completion: Decimal
    context_window: int

    def cost(self, prompt_tokens: int, completion_tokens: int) -> Decimal:
        """Return the cost of one run in US dollars, to six places."""
        cost = self.prompt * prompt_tokens / _MILLION + self.completion * completion_tokens / _MILLION
        return cost.quantize(Decimal("0.000001"))


PRICES = {
    price.model: price
    for price in (
        ModelPrice("sparrow-mini", Decimal("0.15"), Decimal("0.60"), 64_000),
        ModelPrice("kestrel-2", Decimal("0.80"), Decimal("3.20"), 128_000),
        ModelPrice("kestrel-2-code", Decimal("1.10"), Decimal("4.40"), 256_000),
        ModelPrice("heron-large", Decimal("3.00"), Decimal("15.00"), 200_000),
        ModelPrice("albatross", Decimal("12.00"), Decimal("48.00"), 1_000_000),
    )
}
