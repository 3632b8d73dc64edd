"""Ends each response at its own stop word; lm-eval's criteria end a batch when all its responses have written it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase, StoppingCriteria

#: Tokens between two looks at the texts, which cost more than a token of a small policy.
EVERY = 8


class StopWords(StoppingCriteria):
    """Ends a row once what lm-eval keeps of its text is certain, whatever would follow.

    lm-eval cuts a text at its stop words after the batch. A row that has written one may therefore end without a
    change of what is kept, once another word can no longer be found across the place of the cut.

    Args:
        tokenizer: the policy's.
        words: where lm-eval cuts.
        width: tokens of the prompts.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, words: Sequence[str], width: int) -> None:
        self.tokenizer, self.width = tokenizer, width
        self.words = [word for word in words if word]
        self.reach = (len(self.words) + 1) * max(map(len, self.words), default=0)
        # A token is a byte at least, so a word that the last tokens have finished lies within these.
        self.window = EVERY + max((len(word.encode()) for word in self.words), default=0)
        self.found: set[int] = set()
        self.ended: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        if self.ended is None:
            self.ended = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        if self.words and (input_ids.shape[1] - self.width) % EVERY == 0:
            self._look(input_ids[:, self.width :], self.ended)
        return self.ended

    def _look(self, responses: Tensor, ended: Tensor) -> None:
        writing = ~ended & (responses[:, -1] != self.tokenizer.pad_token_id)
        responses = responses.cpu()
        for row in writing.nonzero().squeeze(1).tolist():
            recent = self._text(responses[row, -self.window :])
            if row in self.found or any(word in recent for word in self.words):
                self.found.add(row)
                ended[row] = self._is_certain(self._text(responses[row]))

    def _text(self, tokens: Tensor) -> str:
        """As lm-eval decodes a response."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True))

    def _is_certain(self, text: str) -> bool:
        """Whether the cut stays where it is.

        lm-eval cuts word by word, in the order of the words. A cut may go through another word, which then does not
        cut, and so on through all of the words; what lies behind such a chain decides nothing.
        """
        text = text.rstrip("\N{REPLACEMENT CHARACTER}")  # a character whose bytes have not all come
        starts = [text.find(word) for word in self.words if word in text]
        return bool(starts) and len(text) >= min(starts) + self.reach
