"""One of two processes: the gradient of the exploration term with weights sharded by FSDP2, and whole.

Started by test_accelerate.py with the environment of torchrun: ``python sharded.py POLICY FOLDER``.
"""

import sys
from pathlib import Path

import torch
import torch.distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from transformers import AutoModelForCausalLM

from relax.koopman import Dictionary, dsd
from relax.latent.states import completion_states


def gradient(model: torch.nn.Module, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    heard: list[torch.Tensor] = []
    handle = model.base_model.register_forward_hook(lambda _m, _i, output: heard.append(output.last_hidden_state))
    logits = model(input_ids=ids).logits
    handle.remove()
    (states,) = heard
    hidden = completion_states(states, 12, "response")
    weight = Dictionary.random(32, 6, seed=3).weight
    mask = torch.ones(hidden.shape[:2], dtype=torch.bool)
    loss = logits.log_softmax(-1)[..., 0].mean() - dsd(hidden, weight, mask, ridge=1e-2).mean()
    loss.backward()
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {n: g.full_tensor() if hasattr(g, "full_tensor") else g for n, g in grads.items()}


def main(policy: Path, folder: Path) -> None:
    torch.distributed.init_process_group("gloo")
    ids = torch.randint(2, 10, (4, 20), generator=torch.Generator().manual_seed(0))
    whole = AutoModelForCausalLM.from_pretrained(policy, dtype=torch.float64)
    sharded = AutoModelForCausalLM.from_pretrained(policy, dtype=torch.float64)
    mesh = init_device_mesh("cpu", (2,))
    for layer in sharded.base_model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(sharded, mesh=mesh)
    results = {"whole": gradient(whole, ids), "sharded": gradient(sharded, ids)}
    if torch.distributed.get_rank() == 0:
        for name, content in results.items():
            torch.save(content, folder / f"{name}.pt")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
