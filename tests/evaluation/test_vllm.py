"""vLLM: what the code relies on, read from lm-eval's source; the real thing where there is a GPU with vLLM."""

import importlib.util
from pathlib import Path

import pytest
import torch

from relax.data.problem_files import write_problems
from relax.evaluation.shards import read_generation
from relax.tasks.noisy_sum import problems as noisy_sums
from tests.evaluation.test_evaluation import SETTINGS, generate


@pytest.mark.parametrize(
    "text",
    [
        "group_by=None,",  # requests with seeds of their own stay in one batch
        "SamplingParams(max_tokens=max_gen_toks, stop=until, **kwargs)",  # a seed among the arguments arrives
        "generated_text: str = output.outputs[0].text",  # what carries tokens and reason of the end along
        "sampling_params: list[SamplingParams] | SamplingParams | None = None",
    ],
)
def test_lm_evals_vllm_still_does_what_the_backend_relies_on(text: str) -> None:
    source = Path(importlib.util.find_spec("lm_eval").submodule_search_locations[0]) / "models" / "vllm_causallms.py"
    assert text in source.read_text(), f"lm-eval's vllm_causallms.py no longer says {text!r}; read its change."


@pytest.mark.cuda
@pytest.mark.skipif(
    not torch.cuda.is_available() or importlib.util.find_spec("vllm") is None, reason="needs a GPU and vLLM"
)
def test_samples_by_vllm_depend_on_their_own_seed_alone(tiny_policy, tmp_path) -> None:
    write_problems(tmp_path / "test.jsonl", noisy_sums(6, "test", 4, seed=0))
    for name, size in (("small", 4), ("large", 100)):
        generate(
            tiny_policy, tmp_path / "test.jsonl", tmp_path / name, backend="vllm", vllm_memory=0.2, block_size=size
        )
    small, large = (
        {
            n: table.sort_values(["decoding", "id", "sample"]).response.tolist()
            for n, _, table in read_generation(folder)
        }
        for folder in (tmp_path / "small", tmp_path / "large")
    )
    assert small == large
    assert len(set(small["sums"])) > 12
    assert SETTINGS["benchmarks"].keys() == small.keys()
