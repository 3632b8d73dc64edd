"""The dictionary: objectives, fitting, what it reports, and its file."""

import json
import weakref
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from relax.errors import ConfigError, DataError, MachineError
from relax.koopman import Dictionary, DictionarySettings, NonFiniteError, dictionary_loss, fitting, projection
from relax.koopman.fitting import OBJECTIVES, pad


def rotations(count, length=40, width=12, seed=0):
    """Two noisy rotations seen through a random linear map: a list of (length, width) tensors."""
    rng = np.random.default_rng(seed)
    lift = np.random.default_rng(99).normal(size=(4, width)) / 2
    turn = np.exp(1j * np.array([0.3, 0.9]))
    result = []
    for _ in range(count):
        state, rows = rng.normal(size=2) + 1j * rng.normal(size=2), []
        for _ in range(length):
            state = 0.99 * turn * state + 0.1 * (rng.normal(size=2) + 1j * rng.normal(size=2))
            rows.append(np.concatenate([state.real, state.imag]) @ lift)
        result.append(torch.tensor(np.array(rows), dtype=torch.float32))
    return result


def snapshots(weight, count=20):
    trajectories = rotations(count)
    x = torch.cat([one[:-1] for one in trajectories]).double() @ weight.double()
    y = torch.cat([one[1:] for one in trajectories]).double() @ weight.double()
    return x.sigmoid(), y.sigmoid()


def frozen(x, y, ridge):
    """K and its eigenpairs in NumPy."""
    m = x.shape[1]
    koopman = np.linalg.solve(x.T @ x + ridge * np.eye(m), x.T @ y)
    return koopman, *np.linalg.eig(koopman)


def by_hand(objective, x, y, koopman, values, vectors):
    """The objectives from their definitions, in torch, K and its eigenpairs given."""
    values, vectors = torch.tensor(values), torch.tensor(vectors)
    if objective == "printed":
        return ((y - x @ torch.tensor(koopman)).to(vectors.dtype) @ vectors).abs().square().sum() / len(x)
    if objective == "singular":
        _, size, right = np.linalg.svd(koopman)
        right = torch.tensor(right.T)
        return (y @ right - x @ right @ torch.diag(torch.tensor(size))).square().sum() / len(x)
    now = x.to(vectors.dtype) @ vectors
    error = y.to(vectors.dtype) @ vectors - now * values
    condition = torch.log(torch.linalg.cond(x))
    return (error.abs().square().sum(0) / now.abs().square().sum(0)).mean() + 0.01 * torch.relu(condition - np.log(1e3))


@pytest.mark.parametrize("objective", ["residual", "singular", "printed"])
@pytest.mark.parametrize("scale", [1.0, 0.02])  # 0.02: a condition number above the hinge
def test_losses_and_their_gradients_follow_the_definitions(objective, scale):
    x, y = snapshots(scale * Dictionary.random(12, 5, seed=1).weight)
    assert (torch.linalg.cond(x).item() > 1e3) == (scale < 1)
    known_pairs = frozen(x.numpy(), y.numpy(), 1e-3)
    x.requires_grad_()
    y.requires_grad_()
    found = dictionary_loss(x, y, objective)
    known = by_hand(objective, x, y, *known_pairs)
    assert found.item() == pytest.approx(known.item(), rel=1e-6)
    gradients, expected = torch.autograd.grad(found, (x, y)), torch.autograd.grad(known, (x, y))
    for one, other in zip(gradients, expected, strict=True):
        assert torch.linalg.norm(one - other) <= 1e-5 * torch.linalg.norm(other)


def test_an_exact_rotation_has_no_residual_but_a_singular_one():
    """The fragment's objective is 2 (1 - cos theta) |Psi_x|^2 there: it punishes oscillation itself."""
    theta, count = 0.7, 90
    angle = torch.arange(count + 1, dtype=torch.float64) * theta
    psi = torch.stack([angle.cos(), angle.sin()], dim=1)
    assert dictionary_loss(psi[:-1], psi[1:], "residual", ridge=0).item() < 1e-12
    assert dictionary_loss(psi[:-1], psi[1:], "printed", ridge=0).item() < 1e-24
    found = dictionary_loss(psi[:-1], psi[1:], "singular", ridge=0).item()
    assert found == pytest.approx(2 * (1 - np.cos(theta)), rel=1e-6)


def test_shrinking_w_pays_under_the_printed_objective_only():
    weight = Dictionary.random(12, 16, seed=0).weight
    losses = {
        objective: [dictionary_loss(*snapshots(scale * weight), objective).item() for scale in (1, 0.1, 1e-3, 1e-6)]
        for objective in ("residual", "printed")
    }
    assert min(losses["residual"][1:]) > 0.95 * losses["residual"][0]
    assert losses["residual"][3] > losses["residual"][0]
    assert losses["printed"][3] < 1e-3 * losses["printed"][0]


def test_fitting_lowers_the_residual_also_where_it_was_not_fitted():
    seen = []
    trajectories = rotations(64)
    fitted = Dictionary.fit(
        trajectories, 12, lr=1e-2, epochs=25, batch=32, progress=lambda step, loss: seen.append((step, loss))
    )
    assert [step for step, _ in seen] == list(range(1, 51))
    assert np.mean([loss for _, loss in seen[-4:]]) < 0.8 * np.mean([loss for _, loss in seen[:4]])
    report = fitted.report(rotations(20, seed=1))
    assert report["residual_q50"] < 0.8 * report["random_residual_q50"]
    assert fitted.settings.objective == "residual"
    assert fitted.settings.spectrum == "eigenvalues"


def test_the_report_measures_the_random_dictionary_beside():
    dictionary = Dictionary.random(12, 6, seed=4)
    report = dictionary.report(rotations(10))
    names = {"residual_q10", "residual_q50", "residual_q90", "condition", "effective_rank"}
    assert set(report) == names | {f"random_{name}" for name in names}
    for name in names:  # this one is the random W itself
        assert report[name] == report[f"random_{name}"]
    assert 0 < report["residual_q10"] <= report["residual_q50"] <= report["residual_q90"]
    assert 1 <= report["effective_rank"] <= 6
    noise = torch.randn(2, 6, 12, generator=torch.Generator().manual_seed(0))
    # Five transitions determine eight functions' K exactly; only the other trajectory shows that it is empty.
    assert Dictionary.random(12, 8, ridge=1e-9).report(list(noise))["residual_q50"] > 0.3
    with pytest.raises(ValueError, match="held_out: its states have 3 entries; expected 12"):
        dictionary.report([torch.zeros(5, 3), torch.zeros(5, 3)])
    with pytest.raises(ValueError, match="held_out: 1 trajectory"):
        dictionary.report(rotations(1))


class OnDemand(Sequence):
    """Trajectories that are made anew each time one is asked for; notes the most bytes of them alive at once."""

    def __init__(self, trajectories):
        self.trajectories, self.alive, self.most = trajectories, 0, 0

    def __len__(self):
        return len(self.trajectories)

    def __getitem__(self, index):
        made = self.trajectories[index].clone()
        self.alive += made.nbytes
        self.most = max(self.most, self.alive)
        weakref.finalize(made, self._gone, made.nbytes)
        return made

    def _gone(self, size):
        self.alive -= size


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_trajectories_that_are_read_on_demand_give_the_same_dictionary(kind, objective, monkeypatch):
    walks = [row[: 3 + 7 * i % 38].to(kind) for i, row in enumerate(rotations(30))]
    monkeypatch.setattr(projection, "BLOCK", 12 * 40 * 5)  # five trajectories
    monkeypatch.setattr(fitting, "BLOCK", 12 * 40 * 5)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(4)).tolist()
    # As one padded batch, which is held and projected as a whole.
    whole = Dictionary.fit([pad([walks[i] for i in order])], 5, objective, batch=30, seed=4)
    read = OnDemand(walks)
    streamed = Dictionary.fit(read, 5, objective, batch=30, seed=4)
    assert torch.equal(streamed.weight, whole.weight)
    assert streamed.hash == whole.hash
    total = sum(walk.nbytes for walk in walks)
    assert read.most < total / 2 if kind != torch.float32 else read.most <= total
    assert streamed.report(OnDemand(walks[::3])) == pytest.approx(whole.report([pad(walks[::3])]), rel=1e-9)


@pytest.mark.parametrize("objective", ["residual", "singular", "printed", "random"])
def test_a_seed_decides_the_fit(objective):
    trajectories = rotations(20)
    fits = [Dictionary.fit(trajectories, 5, objective, batch=8, seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(fits[0].weight, fits[1].weight)
    assert fits[0].hash == fits[1].hash
    assert not torch.equal(fits[0].weight, fits[2].weight)
    start = Dictionary.random(12, 5, seed=1)
    assert torch.equal(fits[0].weight, start.weight) == (objective == "random")
    if objective != "random":  # one step of Adam moves no entry by more than lr
        assert (fits[0].weight - start.weight).abs().max().item() <= 3 * 1e-3 * 1.01


def test_batches_can_be_given_ready_made():
    """Loose trajectories in order, as a list of batches, and as a generator give one W."""
    trajectories = rotations(6)
    ready = [pad(trajectories[:3]), pad(trajectories[3:])]
    hidden, mask = ready[0]
    hidden[~mask] = float("nan")
    from_list = Dictionary.fit(ready, 5)
    from_generator = Dictionary.fit(iter(ready), 5)
    assert torch.equal(from_list.weight, from_generator.weight)
    twice = Dictionary.fit(ready, 5, epochs=2)
    assert not torch.equal(from_list.weight, twice.weight)
    one = Dictionary.fit(trajectories[:1], 5)
    assert torch.allclose(one.weight, Dictionary.fit([pad(trajectories[:1])], 5).weight)


def test_kaiming_uniform_start():
    weight = Dictionary.random(600, 50, seed=0).weight
    assert weight.abs().max().item() <= 0.1
    assert weight.std().item() == pytest.approx(0.1 / np.sqrt(3), rel=0.02)
    assert weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: Dictionary.fit([], 4), ValueError, "trajectories: there are none"),
        (lambda: Dictionary.fit([torch.zeros(1, 3)], 4), ValueError, "trajectories: none has two states"),
        (
            lambda: Dictionary.fit([torch.zeros(5, 3), torch.zeros(5, 2)], 4),
            ValueError,
            "trajectories: item 1",
        ),
        (lambda: Dictionary.fit(["a"], 4), TypeError, "trajectories: the first item is a str"),
        (lambda: Dictionary.fit(rotations(1), 4, "best"), ValueError, "objective: 'best' is unknown"),
        (lambda: Dictionary.fit(rotations(1), 1), ValueError, "koopman_dim: 1 is too small"),
        (lambda: Dictionary.fit(rotations(1), 4, epochs=0), ValueError, "epochs: 0"),
        (lambda: Dictionary.fit([torch.full((5, 3), torch.nan)], 4), NonFiniteError, "hidden: the state at"),
        (lambda: dictionary_loss(torch.ones(4, 2), torch.ones(4, 2), "random"), ValueError, "objective"),
        (lambda: Dictionary.random(3, 0), ValueError, "koopman_dim: 0"),
    ],
)
def test_bad_arguments_are_named(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_a_file_brings_the_dictionary_back(tmp_path):
    dictionary = Dictionary.fit(rotations(4), 5, "singular", ridge=0.01, seed=3)
    for name in ("a", "b"):
        dictionary.save(tmp_path / f"{name}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors"]
    loaded = Dictionary.load(tmp_path / "a.safetensors", hidden_size=12, koopman_dim=5, ridge=0.01)
    assert torch.equal(loaded.weight, dictionary.weight)
    assert loaded.settings == dictionary.settings
    assert loaded.settings == DictionarySettings(12, 5, "sigmoid", 0.01, "singular", "singular_values", "response", 3)
    assert loaded.hash == dictionary.hash
    assert len(loaded.hash) == 12


@pytest.mark.parametrize(
    ("name", "value"), [("hidden_size", 13), ("koopman_dim", 50), ("objective", "residual"), ("ridge", 0.1)]
)
def test_a_dictionary_with_other_settings_is_refused(tmp_path, name, value):
    path = tmp_path / "dictionary.safetensors"
    Dictionary.random(12, 5).save(path)
    with pytest.raises(ConfigError, match=f"dictionary.safetensors: the dictionary was made with {name}"):
        Dictionary.load(path, **{name: value})
    with pytest.raises(ConfigError, match=f"made with {name}"):
        Dictionary.load(path).check(**{name: value})
    with pytest.raises(TypeError, match="width: not a setting"):
        Dictionary.load(path, width=12)


def test_files_that_are_no_dictionary_are_refused(tmp_path):
    from safetensors.torch import save_file

    with pytest.raises(DataError, match="there is no such dictionary"):
        Dictionary.load(tmp_path / "none.safetensors")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"not a dictionary")
    with pytest.raises(DataError, match="not a dictionary"):
        Dictionary.load(broken)
    save_file({"weight": torch.ones(3, 2)}, broken)
    with pytest.raises(DataError, match="not a dictionary"):
        Dictionary.load(broken)
    dictionary = Dictionary.random(12, 5)
    record = {**vars(dictionary.settings), "hash": dictionary.hash}
    save_file({"weight": dictionary.weight + 1}, broken, metadata={"dictionary": json.dumps(record)})
    with pytest.raises(ConfigError, match="have changed since it was written"):
        Dictionary.load(broken)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MachineError, match="cannot write there"):
        Dictionary.random(4, 3).save(tmp_path / "file" / "dictionary.safetensors")


def test_settings_must_fit_the_weight():
    settings = Dictionary.random(4, 3).settings
    with pytest.raises(ConfigError, match=r"its weight has shape \(5, 3\)"):
        Dictionary(torch.ones(5, 3), settings)
    with pytest.raises(NonFiniteError, match="weight"):
        Dictionary(torch.full((4, 3), torch.nan), settings)
