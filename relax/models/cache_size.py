"""How many responses a policy may write at a time: what its cache of keys and values takes, from its sizes alone."""

from transformers import PreTrainedConfig, PreTrainedModel

#: What the cache of the responses that are written at a time may take. It does not depend on the machine, since the
#: number of responses decides which random numbers a response is drawn with.
CACHE_BYTES = 16 << 30


def bytes_of_token(config: PreTrainedConfig, number: int) -> int:
    """Bytes of a token in the cache: a key and a value for each layer and head. Layers with a window are taken as full.

    Args:
        config: the policy's.
        number: bytes of a number: 2 in bfloat16, 4 in float32.
    """
    text = config.get_text_config()
    heads = text.num_attention_heads
    per_head = getattr(text, "head_dim", None) or text.hidden_size // heads
    return 2 * text.num_hidden_layers * (getattr(text, "num_key_value_heads", None) or heads) * per_head * number


def rows_that_fit(model: PreTrainedModel, width: int) -> int:
    """Rows of ``width`` tokens, prompt and response, whose cache fits into :data:`CACHE_BYTES`; at least 1."""
    return max(1, CACHE_BYTES // (width * bytes_of_token(model.config, model.dtype.itemsize)))
