"""The functions of the package as modules: every activation, every loss.

Nothing here names one of them. A class is made for each public function of `activations` and
`losses`, under PyTorch's spelling of the name; options, signature and documentation are read from
the function, so a function or an option that is added there is here as well.
"""

import ast
import inspect
import re
from collections.abc import Callable
from types import new_class
from typing import Any, ClassVar

from portable_losses import activations, losses
from portable_losses.nn.module import Module

__all__ = ["FunctionModule"]


class FunctionModule(Module):
    """A function whose options are kept: ``class ReLU(FunctionModule, function=relu)``.

    Parameters
    ----------
    **options
        The keyword-only options of the function. They become attributes, which may be changed,
        and one that is given to a call holds for that call.

    Raises
    ------
    TypeError
        The function has no such option, or one without a default is not given. (Values are
        checked by the function, when called.)

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn
    >>> loss = nn.MSELoss(reduction="none")
    >>> loss(np.asarray([1.0, 3.0]), np.asarray([0.0, 0.0]))
    array([1., 9.])
    >>> float(loss(np.asarray([1.0, 3.0]), np.asarray([0.0, 0.0]), reduction="sum"))
    10.0
    """

    function: ClassVar[Callable[..., Any]]
    _options: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, *, function: Callable[..., Any], **rest: Any) -> None:
        super().__init_subclass__(**rest)
        parameters = inspect.signature(function).parameters.values()
        options = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
        cls.function = staticmethod(function)
        cls._options = {option.name: option.default for option in options}
        cls.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
        cls.__doc__ = _Documentation(cls.__doc__ or "")  # type: ignore[assignment]

    def __init__(self, **options: Any) -> None:
        unknown = sorted(set(options) - set(self._options))
        if unknown:
            msg = f"{type(self).__name__} has the options {list(self._options)}, got {unknown[0]!r}"
            raise TypeError(msg)
        for name, default in self._options.items():
            value = options.get(name, default)
            if value is inspect.Parameter.empty:
                msg = f"{type(self).__name__} needs the option {name!r}"
                raise TypeError(msg)
            setattr(self, name, value)

    def forward(self, *arrays: Any, **options: Any) -> Any:
        """Call the function."""
        kept = {name: getattr(self, name) for name in self._options}
        return type(self).function(*arrays, **{**kept, **options})

    def __repr__(self) -> str:
        kept = {name: getattr(self, name) for name in self._options}
        changed = [f"{k}={v!r}" for k, v in kept.items() if not _same(v, self._options[k])]
        return f"{type(self).__name__}({', '.join(changed)})"


def _same(value: Any, default: Any) -> bool:
    return value is default or (isinstance(value, str | int | float) and value == default)


class _Documentation:
    """The docstring of a class, written where somebody reads it: a hundred of them take time."""

    def __init__(self, own: str) -> None:
        self.own = own

    def __get__(self, instance: object, cls: type["FunctionModule"]) -> str:
        text = inspect.getdoc(cls.function) or ""
        parts = [inspect.cleandoc(self.own), _described(text, set(cls._options))]
        if cls.__module__ == __name__:
            parts.append(_example(text, cls.function.__name__, cls.__name__))
        return "\n\n".join(filter(None, parts)) + "\n"


def _described(text: str, options: set[str]) -> str:
    """Return what the docstring of a function says of its options."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-+$|\Z)", text, _LINES)
    entries = re.findall(r"^\S.*\n(?:(?: +.*)?\n)*", section[1] if section else "", re.MULTILINE)
    kept = [e.rstrip() for e in entries if options & set(re.split(r"[,\s]+", e.partition(" :")[0]))]
    return "Parameters\n----------\n" + "\n".join(kept) if kept else ""


def _example(text: str, function: str, module: str) -> str:
    """Return the example of a docstring, with the module in place of the function."""
    section = "".join(text.partition("Examples\n--------\n")[1:])
    written = _CODE.sub(lambda found: _as_module(found[0], function, module), section)
    package, layers = ">>> import portable_losses as pl\n", ">>> from portable_losses import nn\n"
    rest = written.replace(package, "")
    return written.replace(package, package * ("pl." in rest) + layers)


def _as_module(code: str, function: str, module: str) -> str:
    """Return a statement with ``nn.M(options)(arrays)`` for ``pl.f(arrays, options)``."""
    source = re.sub(r"^(>>>|\.\.\.) ?", "", code, flags=re.MULTILINE)
    if f"pl.{function}(" not in source:
        return code
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == f"pl.{function}":
            arrays, options = (
                ", ".join(ast.get_source_segment(source, part) or "" for part in parts)
                for parts in (call.args, call.keywords)
            )
            whole = ast.get_source_segment(source, call) or ""
            source = source.replace(whole, f"nn.{module}({options})({arrays})")
    first, *rest = source.splitlines()
    return "\n".join([f">>> {first}", *(f"... {line}" for line in rest)]) + "\n"


_LINES = re.MULTILINE | re.DOTALL
_CODE = re.compile(r"^>>> .*\n?(?:^\.\.\..*\n?)*", re.MULTILINE)  # a statement of an example

# ---- a class for every function ----------------------------------------------------------------

# PyTorch's spelling of whole names, and of words.
_NAMES = {
    "binary_cross_entropy": "BCELoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
    "hard_silu": "Hardswish",
}
_WORDS = {
    **{word: word.upper() for word in ("celu", "ctc", "elu", "gelu", "glu", "js", "kl", "mape")},
    **{word: word.upper() for word in ("mse", "msle", "nce", "nll", "selu", "tvd", "geglu")},
    "hard": "Hard",
    "multilabel": "MultiLabel",
    "ntxent": "NTXent",
    "prelu": "PReLU",
    "reglu": "ReGLU",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "rrelu": "RReLU",
    "silu": "SiLU",
    "swiglu": "SwiGLU",
}
_JOINED = re.compile(r"^(hard|soft|tanh)_(?=shrink|sigmoid|tanh)")  # Hardtanh, Softshrink
_WITH_PARAMETERS = {"linear_cross_entropy", "prelu"}  # written out in parametric.py
_MEASURES = {"cosine_distance", "cosine_similarity", "pairwise_distance"}  # no loss by themselves


def class_name(function: str) -> str:
    """Return the name of the class of a function: ``"nll_loss"`` is ``"NLLLoss"``."""
    if function in _NAMES:
        return _NAMES[function]
    words = _JOINED.sub(r"\1", function).split("_")
    if function in losses.__all__ and words[-1] != "loss" and function not in _MEASURES:
        words.append("loss")
    return "".join(_WORDS.get(word, word[:1].upper() + word[1:]) for word in words)


def _class_of(function: Callable[..., Any]) -> type[FunctionModule]:
    """Return the class of a function."""
    parameters = inspect.signature(function).parameters.values()
    arrays = [f"`{p.name}`" for p in parameters if p.kind is not p.KEYWORD_ONLY]
    name = function.__name__
    summary = f"`portable_losses.{name}` as a module: called with {', '.join(arrays)}."
    namespace = {"__module__": __name__, "__doc__": summary}
    made: type[FunctionModule] = new_class(
        class_name(name),
        (FunctionModule,),
        {"function": function},
        lambda body: body.update(namespace),
    )
    return made


for _family in (activations, losses):
    for _name in _family.__all__:
        _function = getattr(_family, _name)
        if _function.__name__ == _name and _name not in _WITH_PARAMETERS:  # no second names
            _made = _class_of(_function)
            globals()[_made.__name__] = _made
            __all__ += [_made.__name__]


def __getattr__(name: str) -> type[FunctionModule]:
    """Refuse any other name; the annotation is for type checkers, which see no class here."""
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
