"""The number format that the key ``precision`` stands for on this machine."""

import torch

#: What processors say of themselves where they multiply bfloat16 by instructions of their own.
BFLOAT16 = ("avx512_bf16", "amx_bf16")


def format_here(precision: str) -> str:
    """``"float32"`` or ``"bfloat16"``; ``"auto"`` is bfloat16 where this GPU or processor multiplies it by itself.

    A processor without such instructions calculates bfloat16 by way of float32, which is slower than float32 alone.

    Args:
        precision: as the configuration has it.
    """
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        known = torch.cpu.get_capabilities()
        fast = any(known.get(name, False) for name in BFLOAT16)
    return "bfloat16" if fast else "float32"
