"""What a job takes at least of a GPU's memory, by arithmetic from the policy's ``config.json``: no weights, no GPU.

Only what is certain is counted: weights, gradients, optimizer, reference, logits, caches of keys and values, and what
vLLM reserves. Activations and the libraries' own memory come on top, so what does not fit here fits nowhere. A gigabyte
is 10^9 bytes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relax.cluster.preflight import Diagnosis
from relax.cluster.resources import gpus, placement
from relax.cluster.site import Site
from relax.config import Experiment, frame_of, measured_policies
from relax.data.policy_files import billions
from relax.reading import read_json_object

GB = 1e9
#: Bytes of a parameter in training: weights, gradients and two moments of Adam in float32; the reference of a KL.
TRAINED, REFERENCE = 16, 4
#: Tokens that a prompt is taken to have: a problem of MATH in a chat template. Pictures have more.
PROMPT = 150
#: Responses at a time and bytes of their cache, as in `relax.latent.rollouts` and `relax.models.cache_size`, which need
#: torch.
ROWS, CACHE = 256, 16 << 30
#: Stages whose jobs load a policy onto GPUs, in the order of the pipeline.
STAGES = ("dictionary", "train", "extract", "generate")

#: Stage -> how to make it smaller.
SMALLER = {
    "dictionary": "take GPUs with more memory",
    "train": "set training.parallel to fsdp2 or zero3, ask for more GPUs (resources.train), or lower "
    "training.micro_batch or training.vllm_memory",
    "extract": "take GPUs with more memory",
    "generate": "lower evaluation.batch_size, or set evaluation.precision to bfloat16",
}


@dataclass(frozen=True)
class Shape:
    """What the arithmetic needs of a policy.

    Attributes:
        parameters: how many, in billions.
        cached: numbers that a token keeps in the cache: a key and a value for each layer and head; 0 is unknown.
        vocabulary: words, each of which has a logit at each token; 0 is unknown.
        number: bytes of a number of the stored weights.
    """

    parameters: float
    cached: int = 0
    vocabulary: int = 0
    number: int = 2

    @classmethod
    def of(cls, parameters: float, config: Mapping[str, Any] | None) -> "Shape":
        """From the policy's ``config.json``; None where nobody has brought it yet.

        Args:
            parameters: in billions.
            config: its keys and values, those of the language model in ``text_config`` where there is one.
        """
        if config is None:
            return cls(parameters)
        text = {**config, **(config.get("text_config") or {})}
        heads = text.get("num_attention_heads") or 0
        head = text.get("head_dim") or (text.get("hidden_size", 0) // heads if heads else 0)
        cached = 2 * text.get("num_hidden_layers", 0) * (text.get("num_key_value_heads") or heads) * head
        kind = text.get("dtype") or text.get("torch_dtype")
        return cls(parameters, cached, text.get("vocab_size", 0), 4 if kind == "float32" else 2)


def weights(shape: Shape, number: int) -> float:
    """Gigabytes of the weights, with so many bytes a number."""
    return shape.parameters * number


def cache(shape: Shape, rows: int, tokens: int, number: int) -> float:
    """Gigabytes of the cache of so many responses of so many tokens, prompts included."""
    return rows * tokens * shape.cached * number / GB


def logits(shape: Shape, tokens: int, number: int) -> float:
    """Gigabytes of the logits of a forward pass over so many tokens, and of their gradients."""
    return 2 * tokens * shape.vocabulary * number / GB


def needs(config: Experiment, policy: str, stage: str, shape: Shape, gpu: float) -> dict[str, float]:
    """Gigabytes that a job takes at least on one GPU, by what takes them; empty where it runs on none.

    Args:
        config: a loaded configuration.
        policy: its name.
        stage: of :data:`STAGES`.
        shape: of the policy.
        gpu: gigabytes of a GPU.
    """
    if not _runs(config, stage, policy) or not gpus(config, stage, policy):
        return {}
    tokens = PROMPT + config.training.max_response_length
    if stage == "train":
        return _training(config, policy, shape, gpu)
    if stage == "generate":
        return _answering(config, shape, gpu)
    # A trained policy is stored in float32, whatever the initial one is stored in.
    number = 4 if stage == "extract" else shape.number
    held = min(cache(shape, ROWS, tokens, number), max(CACHE / GB, cache(shape, 1, tokens, number)))
    return {"weights": weights(shape, number), "cache": held}


def _runs(config: Experiment, stage: str, policy: str) -> bool:
    """Whether the plan has such a job: nothing is trained without methods, and not every policy has a dictionary."""
    if stage == "train":
        return bool(config.matrix.methods)
    measured = stage == "generate" or policy in measured_policies(config)
    return measured and (stage != "dictionary" or frame_of(config, policy) == policy)


def _training(config: Experiment, policy: str, shape: Shape, gpu: float) -> dict[str, float]:
    training = config.training
    processes = placement(config, policy, Site()).processes
    parts = processes if training.parallel in ("fsdp2", "zero3") else 1
    pulled = any(config.methods[name].kl_mode != "none" for name in config.matrix.methods)
    per_parameter = TRAINED + REFERENCE * pulled
    rows = training.micro_batch or training.responses_per_step // processes
    held = training.tokens_per_micro_batch or rows * training.max_response_length
    steps = {
        "weights, gradients, optimizer" + " and reference" * pulled: shape.parameters * per_parameter / parts,
        "logits": logits(shape, held, 4 if training.precision == "float32" else 2),
    }
    whole = {"the whole policy in float32, before it is shared out": weights(shape, 4)} if parts > 1 else {}
    engine = {"vLLM": training.vllm_memory * gpu} if training.rollouts == "vllm-colocate" else {}
    return {**(steps if sum(steps.values()) >= sum(whole.values()) else whole), **engine}


def _answering(config: Experiment, shape: Shape, gpu: float) -> dict[str, float]:
    evaluation = config.evaluation
    if evaluation.backend == "vllm":
        return {"vLLM": evaluation.vllm_memory * gpu}
    number = {None: 4, "float32": 4}.get(evaluation.precision, 2)  # a trained policy is stored in float32
    tokens = PROMPT + evaluation.longest(config.training.max_response_length)
    return {
        "weights": weights(shape, number),
        f"cache of {evaluation.batch_size} responses": cache(shape, evaluation.batch_size, tokens, number),
    }


def engine(config: Experiment, stage: str, shape: Shape, gpu: float) -> tuple[float, float] | None:
    """Gigabytes that vLLM reserves on a GPU, and those that it needs at least: weights and the cache of one response;
    None where a stage has no vLLM on its own GPUs.

    Args:
        config: a loaded configuration.
        stage: of :data:`STAGES`.
        shape: of the policy.
        gpu: gigabytes of a GPU.
    """
    share, number, longest = config.training.vllm_memory, shape.number, config.training.max_response_length
    if stage == "generate" and config.evaluation.backend == "vllm":
        # A trained policy is stored in float32.
        share, number = config.evaluation.vllm_memory, 2 if config.evaluation.precision in ("bfloat16", "auto") else 4
        longest = config.evaluation.longest(longest)
    elif stage != "train" or config.training.rollouts != "vllm-colocate":
        return None
    return share * gpu, weights(shape, number) + cache(shape, 1, PROMPT + longest, number)


# Findings -------------------------------------------------------------------------------------------


def findings(config: Experiment, gpu: float) -> Iterator[Diagnosis]:
    """What will not fit into a GPU, stage by stage; nothing of a policy that needs none.

    Args:
        config: a loaded configuration.
        gpu: gigabytes of a GPU.
    """
    for policy in config.matrix.policies:
        described = _described(config, policy)
        shape = Shape.of(billions(config, policy), described)
        takes = {stage: needs(config, policy, stage, shape, gpu) for stage in STAGES}
        if not shape.parameters or not any(takes.values()):
            continue
        fits = []
        for stage, parts in takes.items():
            total = sum(parts.values())
            if total > gpu:
                listed = ", ".join(f"{what} {size:.1f}" for what, size in parts.items() if size)
                said = f"{stage} {policy}: takes at least {total:.1f} GB of a GPU of {gpu:g} GB ({listed})"
                yield Diagnosis("fault", f"memory: {said}", SMALLER[stage])
            elif parts:
                fits.append(f"{total:.1f} GB in {stage}")
            reserved, needed = engine(config, stage, shape, gpu) or (0.0, 0.0)
            if parts and needed > reserved:
                section = "training" if stage == "train" else "evaluation"
                said = f"vLLM has {reserved:.1f} GB, and weights and one response take {needed:.1f} GB"
                yield Diagnosis("fault", f"memory: {stage} {policy}: {said}", f"raise {section}.vllm_memory")
        unknown = "" if described else "; caches and logits are counted after `relax fetch`"
        if fits:
            said = f"of a GPU of {gpu:g} GB {policy} takes at least {', '.join(fits)}{unknown}"
            yield Diagnosis("ok", f"memory: {said}")


def _described(config: Experiment, policy: str) -> dict[str, Any] | None:
    """The `config.json` of a policy; None where it has none, or nobody has brought it yet."""
    entry = config.policies[policy]
    folder = Path(entry.path) if entry.path is not None else None
    if entry.hub is not None:
        from relax.data.hub_cache import cached

        folder = cached(entry.hub.repo, "model", None if entry.hub.revision == "unpinned" else entry.hub.revision)
    if folder is None or not (folder / "config.json").is_file():
        return None
    return read_json_object(folder / "config.json", "fetch or copy the policy again")
