"""``methods.<name>.trl``: which arguments of TRL a method may set by TRL's own names.

Light: TRL is not imported, so a name that TRL does not know is found where TRL is
(:func:`relax.training.trl_arguments.check_passed_on`).
"""

from pydantic import BaseModel

#: Arguments that follow from keys of ours under another name, or from several.
_FOLLOW = {
    "seed": "matrix.seeds",
    "per_device_train_batch_size": "training.micro_batch",
    "gradient_accumulation_steps": "training.micro_batch",
    "generation_batch_size": "training.prompts_per_step",
    "steps_per_generation": "training.updates_per_generation",
    "reward_weights": "training.reward_weights",
    "bf16": "training.precision",
    "fp16": "training.precision",
    "use_vllm": "training.rollouts",
    "vllm_mode": "training.rollouts",
    "vllm_server_base_url": "training.vllm_server",
    "vllm_server_host": "training.vllm_server",
    "vllm_server_port": "training.vllm_server",
    "fsdp": "training.parallel",
    "fsdp_config": "training.parallel",
    "deepspeed": "training.parallel",
    "parallelism_config": "training.parallel",
    "chat_template_kwargs": "prompt",
    "ridge": "dictionary.ridge",
    "position": "dictionary.position",
    "dictionary_objective": "dictionary.objective",
    "epsilon": "methods.<name>.epsilon",
    "xi": "methods.<name>.xi",
    "koopman_dim": "methods.<name>.koopman_dim",
}
#: Arguments that the pipeline sets itself, as its records, its resume or the absence of a network depend on them.
_ITS_OWN = {
    "accelerator_config", "auto_find_batch_size", "data_seed", "dictionary", "disable_tqdm", "enable_jit_checkpoint",
    "greater_is_better", "ignore_data_skip", "label_names", "load_best_model_at_end", "local_rank", "matched_length",
    "metric_for_best_model", "model_init_kwargs", "num_train_epochs", "output_dir", "project", "push_to_hub",
    "remove_unused_columns", "restore_callback_states_from_checkpoint", "resume_from_checkpoint", "run_name",
    "trust_remote_code", "use_cpu", "vllm_group_port",
}  # fmt: skip
#: What the names of further ones begin with: logs, checkpoints, evaluations during training, the hub.
_ITS_OWN_PARTS = ("do_", "eval_", "hub_", "log_", "logging_", "report_", "save_", "trackio_")


def refused(argument: str, *parts: type[BaseModel]) -> str | None:
    """Why a method may not set an argument of TRL by its name, in words; None where it may, or TRL has none such.

    Args:
        argument: its name.
        parts: ``training`` and ``methods``, whose keys say which argument takes their value.
    """
    if argument in _ITS_OWN or argument.startswith(_ITS_OWN_PARTS):
        return "the pipeline sets it itself; leave it out"
    key = _FOLLOW.get(argument)
    for part in parts:
        section = "training" if part.__name__ == "Training" else "methods.<name>"
        for name, field in part.model_fields.items():
            said = field.json_schema_extra
            if isinstance(said, dict) and said.get("trl") == argument:
                key = f"{section}.{name}"
    return None if key is None else f"the key {key} sets it; use that key"
