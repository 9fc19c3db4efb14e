"""What a run has found: groups with their smallest call, as a table and as lines of JSON."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from fuzzing.findings import Finding
from fuzzing.shrinking import size

__all__ = ["Groups", "Known"]

Key = tuple[str, str, str]


@dataclass
class Groups:
    """The findings of a run by group, with how many there were and the smallest of each."""

    counts: Counter[Key] = field(default_factory=Counter[Key])
    smallest: dict[Key, Finding] = field(default_factory=dict[Key, Finding])

    def add(self, findings: Iterable[Finding]) -> None:
        """Count findings in."""
        for finding in findings:
            key = finding.group
            self.counts[key] += 1
            kept = self.smallest.get(key)
            if kept is None or size(finding.call) < size(kept.call):
                self.smallest[key] = finding

    def merge(self, other: "Groups") -> None:
        """Count the groups of another run in."""
        self.add(other.smallest.values())
        self.counts += other.counts
        self.counts -= Counter(dict.fromkeys(other.smallest, 1))

    def lines(self) -> list[dict[str, Any]]:
        """Return a record for every group."""
        return [
            {
                "oracle": key[0],
                "function": key[1],
                "kind": key[2],
                "count": self.counts[key],
                "call": f.call.seed,
                "example": str(f.call),
                "detail": f.detail,
            }
            for key, f in sorted(self.smallest.items())
        ]


class Known:
    """Groups that are expected: lines of JSON with patterns, ``*`` for anything.

    ``{"oracle": "warns", "function": "*", "kind": "*underflow*", "because": "..."}``
    """

    def __init__(self, path: Path | None) -> None:
        text = path.read_text("utf-8") if path else ""
        self.patterns = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        self.met: Counter[int] = Counter()

    def knows(self, group: Key) -> bool:
        """Say whether this group is expected."""
        for i, pattern in enumerate(self.patterns):
            wanted = (pattern["oracle"], pattern["function"], pattern["kind"])
            if all(_matches(g, w) for g, w in zip(group, wanted, strict=True)):
                self.met[i] += 1
                return True
        return False

    def unmet(self) -> list[dict[str, str]]:
        """Return what was expected and did not come."""
        return [p for i, p in enumerate(self.patterns) if i not in self.met]


def _matches(text: str, pattern: str) -> bool:
    """Match with ``*`` alone as a wildcard."""
    return fnmatchcase(text, pattern.replace("[", "[[]").replace("?", "[?]"))
