"""Measure the DSD of a language model's responses at three temperatures, in Python. The script runs on a CPU as it is.

    python examples/dsd.py           measures a tiny model that is made here, in a few seconds
    python examples/dsd.py MODEL     measures a model from a folder, or by its name on the Hugging Face hub

`relax dsd` does more: further statistics, figures and a record. This script shows the library below that command.
"""

import sys
from typing import Any

import torch
from tiny_model import tiny_model
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

from relax.koopman import SPECTRA, Dictionary, dsd

PROMPTS = ["What is 3 + 4?", "Write the digits from 2 to 8.", "Name a colour.", "How many days has a week?"]
SAMPLES, TOKENS = 8, 64
FUNCTIONS = 8  # m, at most half of the tokens of a response


@torch.no_grad()
def hidden_states(model: Any, tokenizer: Any, temperature: float) -> torch.Tensor:
    """The states of responses to all prompts, (responses, tokens, width): one for each token, after the final norm.

    All responses have the same length, because DSD depends on it.
    """
    found = []
    for prompt in PROMPTS:
        asked = tokenizer(prompt, return_tensors="pt")
        whole = model.generate(
            **asked,
            do_sample=True,
            temperature=temperature,
            top_k=0,
            num_return_sequences=SAMPLES,
            min_new_tokens=TOKENS,
            max_new_tokens=TOKENS,
        )
        states = model(whole, output_hidden_states=True).hidden_states[-1]
        found.append(states[:, asked["input_ids"].shape[1] :])
    return torch.cat(found)


def main(name: str) -> None:
    """Print the mean DSD at each temperature; the dictionary is fitted on responses that are not among them."""
    set_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(name)
    model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32).eval()
    fitted_on = hidden_states(model, tokenizer, temperature=1.0)
    weight = Dictionary.fit(list(fitted_on), koopman_dim=FUNCTIONS, epochs=100).weight
    print("temperature", *(f"DSD of {spectrum}" for spectrum in SPECTRA), sep="   ")
    for temperature in (0.5, 1.0, 1.5):
        states = hidden_states(model, tokenizer, temperature)
        mask = torch.ones(states.shape[:2], dtype=torch.bool)
        means = [dsd(states, weight, mask, spectrum).mean().item() for spectrum in SPECTRA]
        print(f"{temperature:11.1f}", *(f"{mean:18.4f}" for mean in means), sep="   ")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else tiny_model())
