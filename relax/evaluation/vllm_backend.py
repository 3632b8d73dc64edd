"""lm-eval's ``vllm`` in this process, with a seed for every request. Imports vLLM: needs CUDA, not run on a CPU."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lm_eval.models.vllm_causallms import VLLM

from relax.data.prompt import adds_bos
from relax.evaluation.response import Response, instances, marked, unmarked
from relax.models.folder import check_folder


class VLLMBackend(VLLM):
    """A sample depends on its own seed and prompt, not on what is generated beside it, up to rounding.

    Args:
        policy: folder.
        memory: share of the GPU's memory.
        dtype: of the weights; ``auto`` is that of the checkpoint.
    """

    def __init__(self, policy: str | Path, memory: float, dtype: str = "auto") -> None:
        check_folder(policy)
        super().__init__(
            pretrained=str(policy),
            dtype=dtype,
            batch_size="auto",
            gpu_memory_utilization=memory,
            load_format="safetensors",
        )
        self.add_bos_token = adds_bos(self.tokenizer)

    def answer(
        self,
        prompts: Sequence[str],
        kwargs: dict[str, Any],
        seeds: Sequence[int],
        block_seed: int,
        images: Sequence[Sequence[bytes | Path]] = (),
    ) -> list[Response]:
        # lm-eval's k clones of a prompt would share one seed and be one answer; here each request has its own.
        own = [{**kwargs, "seed": seed} for seed in seeds]
        return [unmarked(text) for text in self.generate_until(instances(prompts, own), disable_tqdm=True)]

    def _model_generate(self, requests: Any, generate: bool = False, sampling_params: Any = None) -> Any:
        outputs = super()._model_generate(requests, generate=generate, sampling_params=sampling_params)
        for output in outputs:
            ended = output.outputs[0]
            ended.text = marked(ended.text, len(ended.token_ids), ended.finish_reason)
        return outputs
