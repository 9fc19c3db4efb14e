"""What a checker refuses: each line would be an error, and a comment that hides none is one."""
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

import portable_losses as pl
from portable_losses import autograd, nn

nn.CrossEntrpyLoss()  # type: ignore[attr-defined]
nn.CrossEntropyLoss(dim=1)  # type: ignore[call-arg]
nn.CrossEntropyLoss(reduction="meen")  # type: ignore[arg-type]
nn.HuberLoss(delta="1")  # type: ignore[arg-type]
nn.HuberLoss()([1.0])  # type: ignore[call-overload]
nn.Linear(2, 3, 4, 5)  # type: ignore[arg-type, call-arg]
pl.cross_entropy([1.0], "abc")  # type: ignore[call-overload]
pl.cross_entropy([[1.0]], [0], reduction="meen")  # type: ignore[call-overload]
pl.kl_div([[1.0]], [[0.5]], reduction="batch")  # type: ignore[call-overload]
pl.mse_loss([1.0], [0.0], None)  # type: ignore[call-overload]
pl.sigmoid("abc")  # type: ignore[call-overload]
pl.softmax([1.0], dim=0)  # type: ignore[call-overload]
pl.relu(None)  # type: ignore[call-overload]
pl.relu({"a": 1.0})  # type: ignore[call-overload]
pl.one_hot([1], num_classes=2)  # type: ignore[call-arg]
pl.no_such_function([1.0])  # type: ignore[attr-defined]
autograd.grad(pl.relu, argnum=1)  # type: ignore[call-overload]
autograd.grad(5)  # type: ignore[call-overload]
