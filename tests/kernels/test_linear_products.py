"""The products of a linear layer's cross entropy on tensors, by whichever library makes them."""

from typing import Any

import numpy as np
import pytest

from tests.kernels.linear_layer import kernel, rounding

torch: Any = pytest.importorskip("torch")
on_torch: Any = pytest.importorskip("portable_losses.backends.kernels.cross_entropy.linear_torch")
ROWS, WIDTH, CLASSES = 65, 67, 129
ORIGINAL = on_torch._of_onednn


def layer() -> tuple[Any, Any]:
    rng = np.random.default_rng(5)
    made = [rng.normal(size=size) for size in ((ROWS, WIDTH), (CLASSES, WIDTH))]
    return torch.tensor(made[0], dtype=torch.float32), torch.tensor(made[1], dtype=torch.float32)


def logits(x: Any, weight: Any) -> Any:
    """The logits, in memory with a gap between rows."""
    out = torch.full((ROWS, CLASSES + 3), torch.nan)
    on_torch._logits(out[:, :CLASSES], x, weight)
    assert out[:, CLASSES:].isnan().all()
    return out[:, :CLASSES]


@pytest.fixture
def by_onednn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The products that oneDNN makes, on a processor of any vendor."""
    made: list[Any] = []
    monkeypatch.setattr(on_torch, "_is_amd", lambda: True)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    found = on_torch._of_onednn.__wrapped__()
    if found is None:
        pytest.skip("this PyTorch was built without oneDNN, or has no such product")

    def product(*arrays: Any) -> Any:
        made.append(arrays)
        return found(*arrays)

    monkeypatch.setattr(on_torch, "_of_onednn", lambda: product)
    return made


def test_onednns_logits_are_off_by_rounding(by_onednn: list[Any]) -> None:
    x, weight = layer()
    found = logits(x, weight)
    assert len(by_onednn) == 1
    exact = x.double() @ weight.double().T
    sizes = x.double().abs() @ weight.double().abs().T
    assert bool(((found - exact).abs() <= sizes * rounding(WIDTH, "float32")).all())


def test_autocast_does_not_round_onednns_logits(by_onednn: list[Any]) -> None:
    x, weight = layer()
    plain = logits(x, weight)
    with torch.autocast("cpu"):
        assert torch.equal(logits(x, weight), plain)
    assert len(by_onednn) == 2


def test_infinities_and_nan_stay_in_their_rows_and_columns(by_onednn: list[Any]) -> None:
    x, weight = layer()
    x[3, 5], weight[7, 5], weight[8, 2] = torch.nan, torch.inf, torch.inf
    found = logits(x, weight)
    assert by_onednn
    off = ~found.isfinite()
    assert bool(off[3].all() and off[:, 7:9].all())
    assert int(off.sum()) == CLASSES + 2 * (ROWS - 1)


@pytest.mark.parametrize("case", ["float64", "rows apart", "weight turned", "few rows"])
def test_what_onednn_is_slow_at_is_left_to_the_usual_product(
    by_onednn: list[Any], case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, weight = layer()
    if case == "float64":
        x, weight = x.double(), weight.double()
    elif case == "rows apart":
        x = torch.stack([x, x], 1)[:, 0]
    elif case == "weight turned":
        weight = weight.T.contiguous().T
    else:
        monkeypatch.setattr(on_torch, "FEWEST", ROWS + 1)
    out = torch.empty((ROWS, CLASSES), dtype=x.dtype)
    on_torch._logits(out, x, weight)
    assert torch.equal(out, x @ weight.T)
    assert not by_onednn


def test_the_default_dtype_decides_nothing(by_onednn: list[Any]) -> None:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        found = ORIGINAL.__wrapped__()
    finally:
        torch.set_default_dtype(before)
    assert found is not None


def test_another_pytorch_has_the_usual_product(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any) -> Any:
        raise TypeError

    monkeypatch.setattr(on_torch, "_is_amd", lambda: True)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", refuses, raising=False)
    assert on_torch._of_onednn.__wrapped__() is None


@pytest.mark.parametrize("count", [1, 31, 100, 4096, 5000])
@pytest.mark.parametrize("classes", [1, 1000, 32000])
def test_a_block_has_at_most_a_ninth_of_the_rows(count: int, classes: int) -> None:
    layer: list[Any] = [np.empty((n, 4), np.float32) for n in (count, classes)]
    work = kernel._work((*layer, None, None, None), {"xp": np, "chunk_size": None})
    assert work.rows <= max(count / 9, kernel.SMALL_BYTES / (4 * classes), 1)
    assert [part.start for part in work.parts[1:]] == [part.stop for part in work.parts[:-1]]
    assert (work.parts[0].start, work.parts[-1].stop) == (0, classes)
