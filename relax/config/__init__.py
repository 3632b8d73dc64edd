"""The configuration: one typed description of every key, files merged over it, and what decides each stage.

The same functions serve the workflow and the verbs, so a job sees exactly what the scheduler planned with. Light on
purpose: every cluster job parses the workflow again.
"""

from relax.config.experiment import Experiment
from relax.config.loading import BASE, Config, check, load, merge, over_base, require
from relax.config.named_files import (
    check_local_files,
    local_content,
    local_files,
    local_state,
    own_functions,
    policy_files,
)
from relax.config.results_folder import check_results_folder
from relax.config.stages import (
    base_settings,
    data_settings,
    dictionary_settings,
    digest,
    evaluate_settings,
    extract_settings,
    frame_of,
    generate_settings,
    grade_settings,
    koopman_settings,
    measured_policies,
    overlap_settings,
    own_dimension,
    results_settings,
    train_settings,
)

__all__ = [
    "BASE",
    "Config",
    "Experiment",
    "base_settings",
    "check",
    "check_local_files",
    "check_results_folder",
    "data_settings",
    "dictionary_settings",
    "digest",
    "evaluate_settings",
    "extract_settings",
    "frame_of",
    "generate_settings",
    "grade_settings",
    "koopman_settings",
    "load",
    "local_content",
    "local_files",
    "local_state",
    "measured_policies",
    "merge",
    "over_base",
    "overlap_settings",
    "own_dimension",
    "own_functions",
    "policy_files",
    "require",
    "results_settings",
    "train_settings",
]
