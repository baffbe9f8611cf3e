from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Payload:
    body: bytes
    id: str | None = None
