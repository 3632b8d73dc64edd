"""Reinforcement learning with verifiable rewards: TRL's GRPO and ReLaX on top of it."""
