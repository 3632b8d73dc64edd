"""One schema for every problem, whatever it comes from, and the rule that holds one in eight of them out."""

import hashlib
from dataclasses import dataclass

#: One problem in eight is held out for evaluation.
TEST_SHARE = 8
#: Where an image stands in a prompt; without any, the images stand before the text.
IMAGE = "<image>"


@dataclass(frozen=True)
class Problem:
    """A prompt with a verifiable answer.

    Attributes:
        id: unique within a file.
        prompt: what the policy sees.
        answer: the gold answer, as text.
        source: the task or data set it comes from; it decides the verifier.
        images: files, in the order in which the prompt shows them (all before its text unless it has places for
            them, ``<image>``); in a problem file relative to its folder.
        cluster: problems of one cluster are variants of one problem; empty where there are no variants.
        variant: what was changed in this one.
        subset: part of the task for a break-down, such as a family of problems.
        dependence: ``"visual"`` where the images are needed, ``"text"`` where the prompt says all; empty if unknown.
    """

    id: str
    prompt: str
    answer: str
    source: str
    images: tuple[str, ...] = ()
    cluster: str = ""
    variant: str = ""
    subset: str = ""
    dependence: str = ""


def split_of(text: str) -> str:
    """``"test"`` for one problem in eight, decided by the SHA-1 of its text, else ``"train"``."""
    return "test" if hashlib.sha1(text.encode()).digest()[0] % TEST_SHARE == 0 else "train"
