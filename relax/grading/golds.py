"""Do two gold answers say the same?"""

from relax.grading.answers import gold_text
from relax.grading.grader import grade


def agree(first: str, second: str) -> bool:
    """Whether two gold answers are the same text, or a response that boxes the one is right where the other is gold.

    Args:
        first: a gold answer, or a worked solution with the answer in its last box.
        second: the same.

    Raises:
        MachineError: no child process for grading can be started.
    """
    one, other = gold_text(first), gold_text(second)
    return one == other or grade(rf"\boxed{{{other}}}", one).correct or grade(rf"\boxed{{{one}}}", other).correct
