"""A model for the examples where there is no other: two layers that know nothing, a token for each character."""

from transformers import Qwen2Config, Qwen2ForCausalLM, set_seed

from relax.models.scratch import make_tokenizer


def tiny_model(folder: str = "results/examples/tiny") -> str:
    """Write the model and its tokenizer, with random weights; returns the folder."""
    tokenizer = make_tokenizer("".join(map(chr, range(32, 127))), context=128)
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    set_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=192,
        max_position_embeddings=128,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
