"""TRL's private names that the trainer wraps: a sentence about each that has moved."""

import inspect
import re

import pytest
from transformers import Trainer
from trl import GRPOTrainer
from trl.trainer.utils import add_fused_lm_head

from tests.conftest import REPOSITORY

#: Method -> parameters that the override passes on by name or position.
WRAPPED = {
    "_get_per_token_logps_and_entropies": [
        "model",
        "input_ids",
        "attention_mask",
        "logits_to_keep",
        "batch_size",
        "compute_entropy",
        "compute_aux_loss",
    ],
    "_generate_and_score_completions": ["inputs"],
    "_prepare_inputs": ["generation_batch"],
    "_generate_single_turn": ["prompt_ids"],
    "_calculate_rewards": ["inputs", "prompts", "completions", "completion_ids_list"],
    "_tokenize_prompts": ["prompts"],
    "_compute_loss": ["model", "inputs"],
    "_get_train_sampler": ["dataset"],
    "_run_epoch": ["epoch"],
    "_save_checkpoint": ["model", "trial"],
    "_load_from_checkpoint": ["resume_from_checkpoint", "model"],
    "_load_optimizer_and_scheduler": ["checkpoint"],
    "_load_best_model": [],
    "_save_rng_state": ["output_dir"],
    "_load_rng_state": ["checkpoint"],
    "log": ["logs", "start_time"],
}
#: Attributes and keys that are read or set -> where TRL must mention them.
USED = {
    "self._step": GRPOTrainer._prepare_inputs,
    "self._buffered_inputs": GRPOTrainer._prepare_inputs,
    "self.current_gradient_accumulation_steps": GRPOTrainer._compute_loss,
    "self._metrics": GRPOTrainer._compute_loss,
    "self.num_iterations": GRPOTrainer._prepare_inputs,
    "shuffle_sequence_dict": GRPOTrainer._prepare_inputs,
    'inputs["completion_mask"]': GRPOTrainer._compute_loss,
    'inputs["ref_per_token_logps"]': GRPOTrainer._compute_loss,
    'inputs["advantages"]': GRPOTrainer._compute_loss,
    "prompt_ids, images, multimodal_fields = self._tokenize_prompts(prompts)": GRPOTrainer._generate,
    "rewards_per_func = self._calculate_rewards(": GRPOTrainer._generate_and_score_completions,
    '"num_items_in_batch": num_items_in_batch': GRPOTrainer._generate_and_score_completions,
    "1 - self.epsilon_low, 1 + self.epsilon_high": GRPOTrainer._compute_loss,
    "self.current_gradient_accumulation_steps / self.args.steps_per_generation": GRPOTrainer._compute_loss,
    '"step_time"': GRPOTrainer.training_step,
    '"old_per_token_logps"': GRPOTrainer._generate_and_score_completions,
    "if self.beta != 0.0": GRPOTrainer._compute_loss,
    "fused_lm_head=True": GRPOTrainer._get_per_token_logps_and_entropies,
    "shift_labels": add_fused_lm_head,
    "hidden_states = backbone_outputs.last_hidden_state": add_fused_lm_head,
    'adapter_name="ref" if "ref" in model.peft_config else None': GRPOTrainer._generate_and_score_completions,
    "generation_batches = split_tensor_dict(generation_batch": GRPOTrainer._prepare_inputs,
    "self.aux_loss_enabled": GRPOTrainer._compute_loss,
    "prompt_completion_ids = unwrapped_model.generate(": GRPOTrainer._generate_single_turn,
    'output["pixel_values"] = forward_kwargs["pixel_values"]': GRPOTrainer._generate_and_score_completions,
    'pixel_values=inputs.get("pixel_values")': GRPOTrainer._compute_loss,
    "save_total_limit=self.args.save_total_limit": Trainer._save_checkpoint,
    "self._load_optimizer_and_scheduler(resume_from_checkpoint)": Trainer._prepare_for_training,
    "generation_kwargs.update(args.generation_kwargs)": GRPOTrainer.__init__,
}


@pytest.mark.parametrize("name", WRAPPED)
def test_a_wrapped_method_is_there_with_its_parameters(name: str) -> None:
    method = getattr(GRPOTrainer, name, None)
    assert method is not None, f"TRL no longer has GRPOTrainer.{name}; ReLaXTrainer wraps it."
    parameters = list(inspect.signature(method).parameters)[1:]
    missing = [p for p in WRAPPED[name] if p not in parameters]
    assert not missing, f"GRPOTrainer.{name} no longer takes {missing}; it takes {parameters}."


@pytest.mark.parametrize("text", USED)
def test_what_the_overrides_rely_on_is_still_said(text: str) -> None:
    where = USED[text]
    assert text in inspect.getsource(where), f"{where.__qualname__} no longer says {text}; read TRL's change."


def test_no_other_private_name_is_used() -> None:
    files = ("trainer", "passes", "exact_resume")
    source = "".join((REPOSITORY / "relax" / "training" / f"{name}.py").read_text() for name in files)
    own = set(re.findall(r"def (_\w+)|(?:self\.|^    )(_\w+)(?::| =)", source, flags=re.M))
    own_names = {name for pair in own for name in pair if name}
    used = set(re.findall(r"(?:self|super\(\))\.(_[a-z]\w+)", source))
    theirs = {name for name in used if hasattr(GRPOTrainer, name) or hasattr(Trainer, name)} | (used - own_names)
    assert theirs - {"_step", "_buffered_inputs", "_metrics"} <= WRAPPED.keys()
