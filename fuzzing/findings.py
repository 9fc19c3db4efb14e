"""Findings: what does not hold of a call, and the record of one call's check."""

import re
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fuzzing.calls import Call
from fuzzing.libraries import Library

__all__ = ["Finding", "Run", "brief", "what_was_wrong"]

ALLOWED = (TypeError, ValueError, IndexError)
NAMED_SHAPES = ("shapes must be equal, got ", "all arrays must come from one library, got ")


@dataclass(frozen=True)
class Finding:
    """Something that does not hold: a group is one oracle, function and kind."""

    oracle: str
    function: str
    kind: str
    call: Call = field(compare=False)
    detail: str = field(default="", compare=False)

    @property
    def group(self) -> tuple[str, str, str]:
        """What tells it from other findings."""
        return self.oracle, self.function, self.kind


class Run:
    """The check of one call: its findings, and how often each library was called."""

    def __init__(self, call: Call, counts: Counter[str]) -> None:
        self.call, self.counts = call, counts
        self.findings: list[Finding] = []

    def found(self, oracle: str, kind: str, detail: object = "", call: Call | None = None) -> None:
        """Write a finding down."""
        name = self.call.entry.name
        self.findings.append(Finding(oracle, name, kind, call or self.call, str(detail)[:300]))

    def attempt(
        self,
        library: Library,
        f: Callable[[], Any],
        what: str = "value",
        call: Call | None = None,
        *,
        quiet: bool = False,
    ) -> Any:
        """Return ``f()``, or the exception of the allowed kinds that it raises.

        What is raised beside these is a finding, and None is returned. A warning is one, too, and
        so is a FloatingPointError on finite input, where NumPy is asked to raise it; then `f` is
        called again with both off, as it is at once where it is to be `quiet`: what Dask computes
        it computes when it is asked to, outside of our call.
        """
        call = call or self.call
        self.counts[library.name] += 1
        if quiet:
            return self._again(library, f, what, call)
        try:
            with np.errstate(all="raise" if call.finite else "ignore"):
                return f()
        except (FloatingPointError, Warning) as e:
            where = "" if library.name == "numpy" else f"{library.name}, "
            self.found("warns", f"{where}{what}: {brief(e)}", call=call)
            return self._again(library, f, what, call)
        except Exception as e:
            return self._raised(library, e, what, call)

    def _again(self, library: Library, f: Callable[[], Any], what: str, call: Call) -> Any:
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return f()
        except Exception as e:
            return self._raised(library, e, what, call)

    def _raised(self, library: Library, e: Exception, what: str, call: Call) -> Any:
        """Judge an exception; return it, or None if it is of no allowed kind."""
        bad = f" [{what_was_wrong(call)}]" if call.bad else ""
        if not isinstance(e, ALLOWED):
            self.found("raises", f"{library.name}: {brief(e)}{bad}", e, call)
            return None
        if not names_an_argument(str(e), call):
            self.found("nameless", f"{library.name}: {brief(e)}{bad}", e, call)
        return e


def brief(e: BaseException) -> str:
    """Return the kind of an exception and its message without numbers."""
    text = re.sub(r"-?\d[\d.e+-]*", "N", str(e).split("\n")[0])
    return f"{type(e).__name__}: {text[:70]}".rstrip()


def names_an_argument(message: str, call: Call) -> bool:
    """Say whether a message names a parameter in backticks, or the shapes by their names."""
    if any(message.startswith(start) for start in NAMED_SHAPES):
        return True
    names = set(re.findall(r"`(\w+)`", message))
    return bool(names & set(call.entry.parameters)) or "unexpected keyword argument" in message


def what_was_wrong(call: Call) -> str:
    """What was wrong with a call, without its numbers."""
    return re.sub(r"(?<![a-z\d])-?\d[\d.e+]*", "N", call.bad)
