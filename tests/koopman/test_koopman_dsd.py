"""DSD of padded batches: known values, invariances, gradients, and what may not go wrong."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from relax.errors import NumericsError
from relax.koopman import NonFiniteError, dsd, dsd_values, project

SPECTRA = ["eigenvalues", "singular_values"]
JUNK = st.sampled_from([float("nan"), float("inf"), float("-inf"), 1e30, 0.0])
few = settings(max_examples=25, deadline=None)


def states(length, width=4, batch=1, seed=0, kind=torch.float64):
    """Noisy states with memory, (batch, length, width)."""
    noise = np.random.default_rng(seed).normal(size=(batch, length, width))
    for t in range(1, length):
        noise[:, t] += 0.7 * noise[:, t - 1]
    return torch.tensor(noise, dtype=kind)


def weights(width=4, m=6, seed=1, kind=torch.float64):
    return torch.tensor(np.random.default_rng(seed).normal(size=(width, m)), dtype=kind)


def full(hidden):
    return torch.ones(hidden.shape[:2], dtype=torch.bool)


def plain_dsd(hidden, weight, ridge, spectrum, correction=1):
    """One trajectory in NumPy, from the definition."""
    psi = 1 / (1 + np.exp(-hidden.numpy() @ weight.numpy()))
    x, y = psi[:-1], psi[1:]
    m = psi.shape[1]
    koopman = np.linalg.pinv(x) @ y if ridge == 0 else np.linalg.inv(x.T @ x + ridge * np.eye(m)) @ x.T @ y
    size = np.linalg.svd(koopman)[1] if spectrum == "singular_values" else np.abs(np.linalg.eigvals(koopman))
    return size.var(ddof=correction)


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("ridge", [0.0, 1e-3, 0.1])
@pytest.mark.parametrize("length", [3, 7, 60])
def test_the_definition(length, ridge, spectrum):
    hidden, weight = states(length, batch=3), weights()
    found = dsd(hidden, weight, full(hidden), spectrum, ridge)
    known = [plain_dsd(one, weight, ridge, spectrum) for one in hidden]
    assert found.dtype == torch.float64
    assert found.numpy() == pytest.approx(known, rel=1e-7)


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_a_constant_trajectory_has_one_eigenvalue(spectrum):
    """K = c psi psi': one eigenvalue n |psi|^2 / (n |psi|^2 + ridge), else 0, so DSD is its square / m."""
    hidden = torch.full((1, 20, 4), 0.3, dtype=torch.float64, requires_grad=True)
    weight, ridge = weights(m=5), 0.5
    found = dsd_values(hidden, weight, full(hidden), spectrum, ridge)
    mass = 19 * torch.sigmoid(hidden[0, 0] @ weight).square().sum().item()
    assert found.values.item() == pytest.approx((mass / (mass + ridge)) ** 2 / 5, rel=1e-10)
    (gradient,) = torch.autograd.grad(found.values.sum(), hidden)
    assert torch.isfinite(gradient).all()


def test_an_alternating_trajectory_has_eigenvalues_plus_and_minus_one():
    hidden = states(2).repeat(1, 15, 1)
    found = dsd(hidden, weights(m=5), full(hidden), ridge=0).item()
    assert found == pytest.approx((2 - 4 / 5) / 4, rel=1e-9)  # magnitudes 1, 1, 0, 0, 0


@few
@given(
    length=st.integers(2, 40),
    m=st.integers(2, 8),
    ridge=st.sampled_from([1e-6, 1e-3, 0.1, 10.0]),
    scale=st.sampled_from([0.1, 1.0, 5.0]),
    seed=st.integers(0, 10_000),
)
def test_leverage_of_the_last_state_bounds_the_eigenvalue_dsd(length, m, ridge, scale, seed):
    from relax.koopman import trajectory_statistics

    hidden, weight = scale * states(length, seed=seed), weights(m=m, seed=seed + 1)
    statistics = trajectory_statistics(hidden, weight, full(hidden))
    bound = 1 + statistics.leverage(ridge).item()
    assert statistics.eigenvalues(ridge).abs().max().item() <= np.sqrt(bound) * (1 + 1e-9)
    assert dsd(hidden, weight, full(hidden), ridge=ridge).item() * (m - 1) / m <= bound / 4 * (1 + 1e-9)


@few
@given(
    length=st.integers(0, 12),
    before=st.integers(0, 5),
    after=st.integers(0, 5),
    junk=JUNK,
    spectrum=st.sampled_from(SPECTRA),
    ridge=st.sampled_from([0.0, 1e-3]),
    window=st.sampled_from([None, 4]),
    seed=st.integers(0, 10_000),
)
def test_padding_changes_nothing(length, before, after, junk, spectrum, ridge, window, seed):
    weight = weights(seed=seed).requires_grad_()
    inner = states(length, seed=seed) if length else torch.zeros(1, 0, 4, dtype=torch.float64)
    padded = torch.nn.functional.pad(inner, (0, 0, before, after), value=junk).requires_grad_()
    mask = torch.zeros(1, before + length + after, dtype=torch.long)
    mask[:, before : before + length] = 1
    alone = inner.clone().requires_grad_()
    values, gradients = [], []
    for hidden, valid in ((alone, full(alone)), (padded, mask)):
        value = dsd(hidden, weight, valid, spectrum, ridge, window)
        values.append(value.item())
        gradients.append(torch.autograd.grad(value.sum(), (hidden, weight)))
    assert values[1] == pytest.approx(values[0], rel=1e-9, abs=1e-12)
    inside = gradients[1][0][:, before : before + length]
    size = 1 + gradients[0][0].abs().sum()
    assert (inside - gradients[0][0]).abs().sum() <= 1e-6 * size
    assert (gradients[1][0][mask == 0] == 0).all()
    assert (gradients[1][1] - gradients[0][1]).abs().sum() <= 1e-6 * (1 + gradients[0][1].abs().sum())


@few
@given(
    lengths=st.lists(st.integers(0, 14), min_size=1, max_size=5),
    spectrum=st.sampled_from(SPECTRA),
    ridge=st.sampled_from([0.0, 1e-2]),
    seed=st.integers(0, 10_000),
)
def test_a_batch_equals_its_trajectories_one_by_one(lengths, spectrum, ridge, seed):
    hidden, weight = states(15, batch=len(lengths), seed=seed), weights(seed=seed + 1)
    mask = torch.arange(15) < torch.tensor(lengths).unsqueeze(1)
    hidden[~mask] = float("nan")
    together = dsd(hidden, weight, mask, spectrum, ridge)
    for row, length in enumerate(lengths):
        alone = dsd(hidden[row : row + 1, :length], weight, mask[row : row + 1, :length], spectrum, ridge)
        assert together[row].item() == pytest.approx(alone.item(), rel=1e-9, abs=1e-12)
        if length < 2:
            assert together[row].item() == 0


def test_a_gap_breaks_the_chain():
    """States 0..9 and 15..24: eighteen transitions, none across the gap."""
    hidden, weight = states(25), weights(m=3)
    mask = full(hidden)
    mask[:, 10:15] = False
    psi = project(hidden, weight, full(hidden))[0].numpy()
    x, y = np.vstack([psi[0:9], psi[15:24]]), np.vstack([psi[1:10], psi[16:25]])
    known = np.abs(np.linalg.eigvals(np.linalg.lstsq(x, y, rcond=None)[0])).var(ddof=1)
    assert dsd(hidden, weight, mask, ridge=0).item() == pytest.approx(known, rel=1e-8)


def test_a_trajectory_without_transition_is_silent_and_its_neighbours_do_not_notice():
    hidden, weight = states(12, batch=3), weights()
    mask = full(hidden)
    mask[1] = False
    mask[1, 4] = True
    hidden[1, 5:] = float("nan")
    hidden.requires_grad_()
    found = dsd_values(hidden, weight, mask)
    gradient = torch.autograd.grad(found.values.sum(), hidden)[0]
    others = hidden.detach()[[0, 2]].requires_grad_()
    value = dsd(others, weight, full(others))
    assert found.values[1].item() == 0
    assert gradient[1].abs().sum().item() == 0
    assert found.states.tolist() == [12, 1, 12]
    assert not found.skipped.any()
    assert torch.equal(found.values[[0, 2]], value)
    assert torch.allclose(gradient[[0, 2]], torch.autograd.grad(value.sum(), others)[0], atol=1e-14)


def test_windows_are_averaged_and_share_their_ends():
    hidden, weight = states(12), weights(m=3)
    found = dsd(hidden, weight, full(hidden), window=5).item()
    parts = [plain_dsd(hidden[0, a : a + 5], weight, 1e-3, "eigenvalues") for a in (0, 4)]
    assert found == pytest.approx(np.mean(parts), rel=1e-8)  # states 9..11 fill no window
    assert dsd(hidden[:, :4], weight, full(hidden[:, :4]), window=5).item() == 0


def test_windows_remove_most_of_the_dependence_on_length():
    """One process, 60 against 480 states: plain DSD falls by far more than windowed DSD."""
    weight = weights(8, 12)
    short, long = states(60, 8, batch=40, seed=2), states(480, 8, batch=40, seed=3)
    plain = [dsd(h, weight, full(h), "singular_values").mean().item() for h in (short, long)]
    equal = [dsd(h, weight, full(h), "singular_values", window=30).mean().item() for h in (short, long)]
    assert plain[0] > 3 * plain[1]
    assert equal[0] == pytest.approx(equal[1], rel=0.2)


def slow_states(batch, length, width, seed):
    """States of a language model's kind of memory, in float64."""
    return 0.5 * states(length, width, batch, seed)


@pytest.mark.parametrize(("kind", "limit"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_accuracy_against_float64(kind, limit, spectrum):
    hidden, weight = slow_states(4, 512, 256, 0), weights(256, 50) / 16
    exact = dsd(hidden, weight, full(hidden), spectrum)
    found = dsd(hidden.to(kind), weight.float(), full(hidden), spectrum)
    assert ((found - exact).abs() / exact).max().item() < limit


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_gradients_point_the_same_way(kind):
    hidden, weight = slow_states(3, 80, 64, 1), weights(64, 10) / 8
    gradients = []
    for dtype in (torch.float64, kind):
        copy = hidden.to(dtype).requires_grad_()
        gradients.append(torch.autograd.grad(dsd(copy, weight, full(copy)).sum(), copy)[0])
    assert gradients[1].dtype == kind
    cosine = torch.nn.functional.cosine_similarity(gradients[0].flatten(), gradients[1].double().flatten(), 0)
    assert cosine.item() > 0.999


def test_autocast_does_not_reach_inside():
    hidden, weight = (
        states(40, kind=torch.float32).requires_grad_(),
        weights(kind=torch.float32).requires_grad_(),
    )
    outside = dsd(hidden, weight, full(hidden))
    known = torch.autograd.grad(outside.sum(), (hidden, weight))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = dsd(hidden, weight, full(hidden))
        gradients = torch.autograd.grad(inside.sum(), (hidden, weight))
    assert torch.equal(inside, outside)
    assert torch.equal(gradients[0], known[0])
    assert torch.equal(gradients[1], known[1])


def test_slices_of_a_larger_tensor_and_blocks_give_the_same(monkeypatch):
    """A trainer hands over views; lower precision is converted block by block."""
    large, weight = states(30, batch=6).to(torch.bfloat16), weights(kind=torch.float32)
    view = large[:, 5:25]
    assert not view.is_contiguous()
    copy = view.contiguous().requires_grad_()
    whole = dsd(copy, weight, full(copy))
    known = torch.autograd.grad(whole.sum(), copy)[0]
    monkeypatch.setattr("relax.koopman.projection.BLOCK", 100)
    view = view.requires_grad_()
    parts = dsd(view, weight, full(view))
    assert torch.allclose(parts, whole, rtol=1e-6)
    assert torch.allclose(torch.autograd.grad(parts.sum(), view)[0], known, rtol=0.02, atol=1e-6)


def test_threads_do_not_change_values_or_gradients():
    hidden, weight = states(20, batch=40), weights()
    before = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            copy = hidden.clone().requires_grad_()
            value = dsd(copy, weight, full(copy))
            results.append((value.detach(), torch.autograd.grad(value.sum(), copy)[0]))
    finally:
        torch.set_num_threads(before)
    assert torch.allclose(results[0][0], results[1][0], rtol=1e-10)
    assert torch.allclose(results[0][1], results[1][1], atol=1e-10)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_a_gpu_gives_what_the_cpu_gives(spectrum):
    results = []
    for device in ("cpu", "cuda"):
        hidden = states(60, batch=4).to(device).requires_grad_()
        value = dsd(hidden, weights().to(device), full(hidden).to(device), spectrum)
        assert value.device.type == device
        results.append([value.detach().cpu(), torch.autograd.grad(value.sum(), hidden)[0].cpu()])
    assert torch.allclose(results[0][0], results[1][0], rtol=1e-9)
    assert torch.allclose(results[0][1], results[1][1], atol=1e-9)


def arguments(**changes):
    hidden = states(6, batch=2)
    return {"hidden": hidden, "weight": weights(), "mask": full(hidden)} | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": torch.zeros(6, 4)}, r"hidden: its shape is \(6, 4\); expected \(batch B, states T"),
        ({"weight": torch.zeros(5, 6)}, r"weight: its shape is \(5, 6\); expected \(4, m\)"),
        ({"weight": torch.zeros(4)}, r"weight: its shape is \(4,\)"),
        ({"weight": torch.zeros(4, 1)}, "weight: it has 1 columns; expected at least 2"),
        ({"mask": torch.ones(2, 5, dtype=torch.bool)}, r"mask: its shape is \(2, 5\); expected \(2, 6\)"),
        ({"spectrum": "eigen"}, "spectrum: 'eigen' is unknown; expected one of eigenvalues, singular_values"),
        ({"ridge": -1.0}, "ridge: -1.0 is not usable"),
        ({"ridge": float("inf")}, "ridge: inf"),
        ({"window": 1}, "window: 1 is too small; expected at least 2"),
    ],
)
def test_bad_values_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        dsd(**arguments(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": np.zeros((2, 6, 4))}, "hidden: got a ndarray"),
        ({"hidden": torch.zeros(2, 6, 4, dtype=torch.long)}, "hidden: its kind is torch.int64"),
        ({"mask": torch.ones(2, 6)}, "mask: its kind is torch.float32; expected booleans or integers"),
        ({"mask": [[1] * 6] * 2}, "mask: got a list"),
        ({"ridge": None}, "ridge: None is a NoneType"),
        ({"window": 2.5}, "window: 2.5 is a float"),
    ],
)
def test_wrong_kinds_are_named(changes, message):
    with pytest.raises(TypeError, match=message):
        dsd(**arguments(**changes))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_state_that_is_not_finite_is_named(value):
    hidden = states(6, batch=2)
    hidden[1, 3, 2] = value
    with pytest.raises(
        NonFiniteError, match=rf"batch 1, position 3 \(entry 2\) is {str(value).replace('nan', 'NaN')}"
    ) as caught:
        dsd(**arguments(hidden=hidden))
    assert isinstance(caught.value, (ValueError, NumericsError))
    weight = weights()
    weight[1, 4] = value
    with pytest.raises(NonFiniteError, match=r"weight: the value at \(1, 4\)"):
        dsd(**arguments(weight=weight))
