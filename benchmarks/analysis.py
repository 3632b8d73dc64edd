"""What analysis costs: the memory of fitting a dictionary, and `relax dsd` against a plain script.

    python benchmarks/analysis.py --out results/bench/analysis.json

The fit: 1,024 responses of 1,000 states of width 3,584 in bfloat16, which are 7.3 GB together. `relax dsd`: 256
responses of a policy of random weights and the sizes of SmolLM2-135M, four times the lengths of ``lengths.json``; a
response ends after as many tokens, whatever the policy writes. The plain script is what one writes at first:
transformers' generate, a forward pass with all hidden states and logits, and a loop of pinv, eigvals and svdvals.
Either runs in a process of its own, on one thread, once: wall time from the loading of the policy on, CPU time beside
it, which other work on the machine disturbs less, and the peak of the process. It takes about half an hour.
``--quick`` runs small sizes: it shows that the benchmark works.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before torch: one thread.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import torch
from common import Result, main, peak_above, result
from random_policy import END, LENGTHS, Ended, model
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    StoppingCriteriaList,
)

from relax.config.latent import DictionaryFit
from relax.koopman import Dictionary
from relax.latent.dictionary_stage import HELD_OUT, fit_dictionary
from relax.latent.rollouts import Rollout
from relax.latent.states import statistics_of
from relax.latent.stored_states import Chosen, StoredStates, store_states

#: The fit: responses, their states, width, width of the MLP of the one layer (a 7B policy's); responses of which all
#: states are held once, to compare W. `relax dsd`: the policy, tokens of a prompt, how often the lengths, how much
#: shorter than in their file, and responses that the plain script takes at a time.
FULL = {
    "responses": 1024, "T": 1000, "width": 3584, "wide_mlp": 18944, "held": 96,
    "layers": 30, "d": 576, "heads": 9, "kv_heads": 3, "mlp": 1536, "vocabulary": 49152, "prompt": 40, "times": 4,
    "shorter": 1, "batch": 32, "m": 50,
}  # fmt: skip
QUICK = {
    "responses": 64, "T": 100, "width": 256, "wide_mlp": 512, "held": 32,
    "layers": 2, "d": 32, "heads": 4, "kv_heads": 2, "mlp": 64, "vocabulary": 98, "prompt": 8, "times": 1,
    "shorter": 8, "batch": 32, "m": 8,
}  # fmt: skip
Sizes = dict[str, Any]
#: Words of the policy whose states are fitted.
WORDS = 512


def tokenizer(count: int) -> PreTrainedTokenizerFast:
    """One whose tokens are the words t0, t1, ...; its padding ends a response, wherever a criterion has stopped it."""
    words = Tokenizer(WordLevel({f"t{i}": i for i in range(count)}, unk_token="t2"))
    words.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token=f"t{END}", pad_token=f"t{END}", padding_side="left"
    )


def lengths(sizes: Sizes) -> list[int]:
    """Tokens of each response, without the one that ends it."""
    return sizes["times"] * [max(2, length // sizes["shorter"]) for length in json.loads(LENGTHS.read_text())]


# The fit of a dictionary -------------------------------------------------------------------------


def wide_policy(sizes: Sizes, layers: int) -> LlamaForCausalLM:
    """A policy of a 7B policy's width, with few layers and words."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=WORDS, hidden_size=sizes["width"], num_hidden_layers=layers,
        num_attention_heads=sizes["width"] // 128, num_key_value_heads=1, head_dim=128,
        intermediate_size=sizes["wide_mlp"], max_position_embeddings=4096, eos_token_id=END,
        bos_token_id=None,
    )  # fmt: skip
    return LlamaForCausalLM(config).to(torch.bfloat16).eval()


def responses(sizes: Sizes, count: int) -> list[Rollout]:
    """Random responses of T tokens."""
    generator = torch.Generator().manual_seed(0)
    made = []
    for i in range(count):
        tokens = torch.randint(2, WORDS, (sizes["prompt"] + sizes["T"],), generator=generator).tolist()
        made.append(Rollout(f"{i}/0", "", tokens[: sizes["prompt"]], tokens[sizes["prompt"] :], ""))
    return made


def how(sizes: Sizes) -> DictionaryFit:
    """The settings of the paper's configuration."""
    return DictionaryFit(koopman_dim=sizes["m"], ridge=1e-3)


def streamed(sizes: Sizes, model: LlamaForCausalLM, rows: list[Rollout], folder: str) -> Dictionary:
    """What the dictionary stage does with its rollouts."""
    with StoredStates(folder) as states:
        store_states(states, model, rows, tokenizer(WORDS), "response")
        dictionary, _ = fit_dictionary(Chosen(states, [row.id for row in rows]), how(sizes), "bench")
        statistics_of(states.values(), dictionary).dsd()
    return dictionary


def fit_probe(sizes: Sizes) -> dict[str, Any]:
    """Peaks above the policy, in bytes: of the pass through a whole layer, and of everything behind it.

    The responses of the whole fit come from a policy without layers, since a thousand of them would take hours to pass
    through one. What passes at a time does not depend on how many there are.
    """
    with tempfile.TemporaryDirectory() as folder:
        none, one = wide_policy(sizes, 0), wide_policy(sizes, 1)
        few = responses(sizes, sizes["held"])
        same = streamed(sizes, none, few, folder)  # libraries load their own memory
        held = states_in_memory(none, few)
        fitted_on = [states for i, states in enumerate(held) if i % HELD_OUT]
        reference = Dictionary.fit(fitted_on, sizes["m"], ridge=1e-3)
        del held, fitted_on
        rows = responses(sizes, sizes["responses"])
        with StoredStates(folder) as states:
            passed = peak_above(lambda: store_states(states, one, rows[:8], tokenizer(WORDS), "response"))
        behind = peak_above(lambda: streamed(sizes, none, rows, folder))
    size = 2 * sizes["responses"] * sizes["T"] * sizes["width"]
    return {"passed": passed, "behind": behind, "states": size, "same": same.hash == reference.hash}


def states_in_memory(model: LlamaForCausalLM, rows: list[Rollout]) -> list[Tensor]:
    """States of responses by transformers' own means, all held."""
    found = []
    with torch.no_grad():
        for row in rows:
            tokens = torch.tensor([row.prompt_ids + row.response_ids])
            output = model.model(tokens)
            found.append(output.last_hidden_state[0, len(row.prompt_ids) :].clone())
    return found


# relax dsd ---------------------------------------------------------------------------------------


def write_policy(sizes: Sizes, folder: Path) -> Path:
    """A random policy, and prompts beside it."""
    model(sizes).save_pretrained(folder)
    tokenizer(sizes["vocabulary"]).save_pretrained(folder)
    generator = torch.Generator().manual_seed(1)
    lines = []
    for i in range(len(lengths(sizes))):
        count = sizes["prompt"] - i % 4
        tokens = torch.randint(2, sizes["vocabulary"], (count,), generator=generator).tolist()
        lines.append(json.dumps({"prompt": " ".join(f"t{token}" for token in tokens)}) + "\n")
    (folder / "prompts.jsonl").write_text("".join(lines))
    return folder


def plain_script(sizes: Sizes, folder: Path) -> dict[str, float]:
    """As a researcher writes it at first. Seconds until all is sampled, and in all."""
    begin = time.perf_counter()
    policy = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    words = AutoTokenizer.from_pretrained(folder)
    prompts = [json.loads(line)["prompt"] for line in (folder / "prompts.jsonl").read_text().splitlines()]
    own, batch = lengths(sizes), sizes["batch"]
    weight = torch.randn(sizes["d"], sizes["m"]) / sizes["d"] ** 0.5
    torch.manual_seed(0)
    sampled, dsd = 0.0, []
    with torch.no_grad():
        for start in range(0, len(prompts), batch):
            now = time.perf_counter()
            inputs = words(prompts[start : start + batch], return_tensors="pt", padding=True)
            inputs.pop("token_type_ids", None)
            width, wanted = inputs["input_ids"].shape[1], own[start : start + batch]
            tokens = policy.generate(
                **inputs, do_sample=True, top_k=0, max_new_tokens=max(own), suppress_tokens=[END],
                stopping_criteria=StoppingCriteriaList([Ended(wanted, width)]),
            )  # fmt: skip
            sampled += time.perf_counter() - now
            there = torch.arange(tokens.shape[1]) < width + torch.tensor(wanted)[:, None]
            there[:, :width] = inputs["attention_mask"].bool()
            hidden = policy(tokens, attention_mask=there.long(), output_hidden_states=True).hidden_states[-1]
            for row, length in zip(hidden, wanted, strict=True):
                psi = torch.sigmoid(row[width : width + length] @ weight)
                koopman = torch.linalg.pinv(psi[:-1]) @ psi[1:]
                dsd.append((torch.linalg.eigvals(koopman).abs().var(), torch.linalg.svdvals(koopman).var()))
    whole = time.perf_counter() - begin
    return {"seconds": whole, "sampling": sampled, "responses": len(dsd)}


def verb(sizes: Sizes, folder: Path) -> dict[str, float]:
    """`relax dsd` of the same policy, prompts and lengths, the fit of W, tables and figures included."""
    import pandas as pd

    from relax.latent import dsd

    begin, own, sampled, load = time.perf_counter(), lengths(sizes), 0.0, dsd.load_pretrained

    def loaded(*names: Any) -> tuple[Any, Any]:
        model, tokenizer = load(*names)
        generate = model.generate
        left = iter(own)

        def ended(*, stopping_criteria: StoppingCriteriaList, suppress_tokens: Any = None, **asked: Any) -> Tensor:
            nonlocal sampled
            now = time.perf_counter()
            rows, width = asked["input_ids"].shape
            criteria = StoppingCriteriaList([*stopping_criteria, Ended([next(left) for _ in range(rows)], width)])
            tokens = generate(stopping_criteria=criteria, suppress_tokens=[END], **asked)
            sampled += time.perf_counter() - now
            return tokens

        model.generate = ended
        return model, tokenizer

    dsd.load_pretrained = loaded
    settings = {
        "koopman_dim": sizes["m"], "position": None, "ridge": 1e-3, "samples": 1, "max_response_length": max(own),
        "temperature": 1.0, "seed": 0, "dtype": "float32", "chat": False,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as out:
        dsd.analyse_model(settings, str(folder), folder / "prompts.jsonl", None, None, Path(out))
        whole = time.perf_counter() - begin
        table = pd.read_parquet(Path(out) / "trajectories.parquet")
    # The token that ends a response is one of its states; the longest are cut before it.
    assert [min(n + 1, max(own)) for n in own] == table.length.tolist()
    return {"seconds": whole, "sampling": sampled, "responses": len(table)}


# The table ---------------------------------------------------------------------------------------


def memory_probe(sizes: Sizes) -> dict[str, Any]:
    """What a process of its own measures."""
    if sizes["probe"] == "fit":
        return fit_probe(sizes)
    work: Callable[[Sizes, Path], dict[str, float]] = {"plain": plain_script, "relax": verb}[sizes["probe"]]
    begin = time.process_time()
    found = work(sizes, Path(sizes["folder"]))
    found["cpu_seconds"] = time.process_time() - begin
    status = Path("/proc/self/status").read_text().splitlines()
    peak = 1024 * int(next(line for line in status if line.startswith("VmHWM")).split()[1])
    return {**found, "peak": peak}


def probed(sizes: Sizes, **more: Any) -> dict[str, Any]:
    """A probe in a process of its own."""
    command = [sys.executable, __file__, "--memory-probe", json.dumps(sizes | more)]
    # What is freed goes back to the system at once, or the next peak would hide in what is kept.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
    if more["probe"] != "fit":
        environment = dict(os.environ)
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def fit(sizes: Sizes) -> list[Result]:
    """Memory of the dictionary stage, and whether W is that of states which are held together."""
    found = probed(sizes, probe="fit")
    peak, states = max(found["passed"], found["behind"]), found["states"]
    megabytes = {f"{name}_mb": found[name] / 1e6 for name in ("passed", "behind", "states")}
    return [
        result("dictionary: peak above the policy, GB", peak / 1e9, "< 0.5", peak < 5e8, **megabytes),
        result("dictionary: share of the states that are held at the peak", peak / states, "", None),
        result("dictionary: W is that of states held together", float(found["same"]), "= 1", found["same"]),
    ]


def analysis(sizes: Sizes) -> list[Result]:
    """`relax dsd` against the plain script."""
    with tempfile.TemporaryDirectory() as folder:
        place = str(write_policy(sizes, Path(folder)))
        plain, relax = (probed(sizes, probe=name, folder=place) for name in ("plain", "relax"))
    detail = {f"{name}_{what}": of[what] for name, of in (("plain", plain), ("relax", relax)) for what in of}
    wall, peak = relax["seconds"] / plain["seconds"], relax["peak"] / plain["peak"]
    rest = {name: of["seconds"] - of["sampling"] for name, of in (("plain", plain), ("relax", relax))}
    count = relax["responses"]
    return [
        result(f"relax dsd, {count} responses: wall over a plain script's", wall, "<= 0.5", wall <= 0.5, **detail),
        result("  CPU time", relax["cpu_seconds"] / plain["cpu_seconds"], "", None),
        result("  of sampling alone", relax["sampling"] / plain["sampling"], "", None),
        result("  of all but sampling", rest["relax"] / rest["plain"], "", None),
        result("relax dsd: peak memory over a plain script's", peak, "<= 0.5", peak <= 0.5),
    ]


def everything(sizes: Sizes, quick: bool) -> list[Result]:
    """Every row of the table."""
    return [*fit(sizes), *analysis(sizes)]


if __name__ == "__main__":
    main(__doc__, (FULL, QUICK), everything, memory_probe)
