"""ReLaX: reinforcement learning with verifiable rewards and latent exploration (arXiv 2512.07558).

``from relax import ReLaXConfig, ReLaXTrainer`` takes the place of TRL's ``GRPOConfig, GRPOTrainer``;
``relax.koopman`` computes spectra and DSD of any hidden states.
"""

from typing import Any

__version__ = "0.1.0"
__all__ = ["ReLaXConfig", "ReLaXTrainer", "__version__"]


def __getattr__(name: str) -> Any:
    # Imported on first use: `relax --help` and the workflow must not wait for torch and TRL.
    if name == "ReLaXConfig":
        from relax.training.relax_config import ReLaXConfig

        return ReLaXConfig
    if name == "ReLaXTrainer":
        from relax.training.trainer import ReLaXTrainer

        return ReLaXTrainer
    raise AttributeError(f"module 'relax' has no attribute {name!r}")
