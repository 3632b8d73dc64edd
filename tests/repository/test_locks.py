"""The two locks, pyproject.toml and each other."""

import tomllib

from packaging.requirements import Requirement
from packaging.version import Version

from tests.conftest import REPOSITORY


def lock(kind: str) -> dict[str, Version]:
    lines = (REPOSITORY / "envs" / f"{kind}.lock").read_text().splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {name: Version(version) for name, version in pins}


def requirements(*extras: str) -> list[Requirement]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    texts = project["dependencies"] + [t for extra in extras for t in project["optional-dependencies"][extra]]
    return [Requirement(text) for text in texts]


def test_both_locks_satisfy_what_the_project_asks_for() -> None:
    for kind, extras in (("cpu", ["dev", "docs"]), ("cuda", ["dev", "docs", "cuda"])):
        pins = lock(kind)
        for requirement in requirements(*extras):
            name = requirement.name.lower()
            assert name in pins, f"{kind}.lock lacks {name}"
            assert requirement.specifier.contains(pins[name]), f"{kind}.lock: {requirement} but {pins[name]}"


def test_the_lock_of_reasoning_gym_holds_what_the_extra_asks_for_and_nothing_of_the_other_locks() -> None:
    pins = lock("reasoning-gym")
    (asked,) = requirements("reasoning-gym")[-1:]
    assert asked.name == "reasoning-gym"
    assert asked.specifier.contains(pins["reasoning-gym"])
    assert not pins.keys() & lock("cuda").keys()


def test_what_both_hold_is_the_same_version() -> None:
    cpu, cuda = lock("cpu"), lock("cuda")
    differing = {
        name: (str(cpu[name]), str(cuda[name])) for name in cpu.keys() & cuda.keys() if cpu[name] != cuda[name]
    }
    assert differing == {"torch": ("2.13.0+cpu", "2.13.0")}
    assert cpu.keys() <= cuda.keys()


def test_the_cpu_lock_holds_no_cuda_build() -> None:
    assert str(lock("cpu")["torch"]).endswith("+cpu")
    forbidden = ("nvidia", "cuda", "triton", "vllm", "torchvision", "torchaudio", "deepspeed")
    assert [name for name in lock("cpu") if name.startswith(forbidden)] == []


def test_vllm_is_in_the_range_trl_accepts() -> None:
    from importlib.metadata import requires

    (vllm,) = {str(Requirement(r).specifier) for r in requires("trl") if Requirement(r).name == "vllm"}
    assert Requirement(f"vllm{vllm}").specifier.contains(lock("cuda")["vllm"])


def test_the_environment_is_the_lock() -> None:
    from importlib.metadata import version

    pins = lock("cpu") if version("torch").endswith("+cpu") else lock("cuda")
    different = {name: version(name) for name, pin in pins.items() if Version(version(name)) != pin}
    assert different == {}
