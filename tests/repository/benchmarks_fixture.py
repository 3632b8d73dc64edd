"""Invented rows of every benchmark, in the columns of its data set on the hub, and what they should become."""

import base64
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

#: Where the official data sets lie, if anywhere.
FOLDER = os.environ.get("RELAX_BENCHMARKS")
needs_folder = pytest.mark.skipif(not FOLDER, reason="RELAX_BENCHMARKS names no folder with the official data sets")

BOXED = "Please reason step by step, and put your final answer within \\boxed{}."
LETTER = "Please reason step by step, and put the letter of your final answer within \\boxed{}."


def png(color: str = "red", size: tuple[int, int] = (6, 4), mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, color).save(buffer, "PNG")
    return buffer.getvalue()


def base64_png(color: str = "red") -> str:
    return base64.b64encode(png(color)).decode()


def _plain(question: str, answer: str, **columns: Any) -> list[dict[str, Any]]:
    return [
        {question: "What is $1+1$?", answer: 2, **columns},
        {question: "What is {{ 7 }} % 4?", answer: "3", **columns},
    ]


def _numbered(rows: list[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    return [{column: number, **row} for number, row in enumerate(rows)]


def text_rows() -> dict[str, list[dict[str, Any]]]:
    """Two rows of every text benchmark."""
    amc = _numbered(_plain("problem", "answer", url="https://example.org/2022_AMC_12A_Problems/Problem_1"), "id")
    amc.append({"id": 9, "problem": "Of 2023.", "answer": 1.0, "url": "https://example.org/2023_AMC_12A_Problems"})
    choices = ["2", "4", "The letter B", "B"]
    return {
        "math500": [
            {
                "problem": "Halve $x$.",
                "solution": "...",
                "answer": "\\frac{x}{2}",
                "subject": "Algebra",
                "level": 1,
                "unique_id": "test/algebra/1.json",
            },
            {
                "problem": "Name a set.",
                "solution": "...",
                "answer": "\\{1\\}",
                "subject": "Algebra",
                "level": 2,
                "unique_id": "test/algebra/2.json",
            },
        ],
        "minerva": _plain("question", "answer"),
        "amc22": amc,
        "amc23": _numbered(_plain("question", "answer"), "id"),
        "aime24": _numbered([{"problem": "Small?", "answer": "025"}, {"problem": "Float?", "answer": 27.0}], "id"),
        "aime25": _numbered(_plain("problem", "answer"), "id"),
        "gsm8k": [
            {"question": "Eggs?", "answer": "He has 2 * 600 = <<2*600=1200>>1200.\n#### 1,200"},
            {"question": "Debt?", "answer": "He owes 3.\n#### -3"},
        ],
        "mmlu": [
            {"question": "Which is even and small?", "subject": "logic", "choices": choices, "answer": 0},
            {"question": "Which letter?", "subject": "logic", "choices": choices, "answer": 3},
        ],
    }


def image_rows(cell: Callable[[str], Any]) -> dict[str, list[dict[str, Any]]]:
    """Two rows of every benchmark with images; ``cell`` makes what stands in an image column from a colour."""
    vista = {"question": "?", "unit": None, "precision": None, "metadata": {"task": "figure question answering"}}
    verse = {"problem_index": "7", "metadata": {"split": "testmini"}, "image": cell("blue")}
    vision = {"solution": None, "level": 1, "subject": "algebra", "image": cell("red")}
    dyna = {"id": "4", "subject": "algebra", "knowledge_level": "high school", "image": cell("red")}
    emma = {
        "solution": "",
        "subject": "Math",
        "task": "",
        "category": "",
        "source": "",
        "image_3": None,
        "image_4": None,
        "image_5": None,
    }
    return {
        "mathvista": [
            {**vista, "pid": "1", "query": "Hint: letter.\nQuestion: ?\nChoices:\n(A) 9\n(B) 18\n(C) 18",
             "answer": "18", "choices": ["9", "18", "18"], "question_type": "multi_choice", "answer_type": "text",
             "image": cell("red")},
            {**vista, "pid": "2", "query": "Hint: one decimal place.\nQuestion: ?", "answer": "1.2", "choices": None,
             "question_type": "free_form", "answer_type": "float", "precision": 1.0, "image": cell("red")},
        ],
        "mathverse": [
            {**verse, "sample_index": "31", "problem_version": "Vision Only", "question": "", "answer": "B",
             "question_for_eval": "Angle?\nChoices:\nA:40°\nB:60°", "question_type": "multi-choice",
             "query_cot": "According to the question shown in the image, reason first."},
            {**verse, "sample_index": "32", "problem_version": "Text Lite", "question": "Area?", "answer": "$5=s$",
             "question_for_eval": "Area?", "question_type": "free-form", "query_cot": "Reason.\nQuestion: Area?"},
        ],
        "mathvision": [
            {**vision, "id": "1", "question": "Which one?\n<image1>", "options": ["A", "B", "C", "D", "E"],
             "answer": "C"},
            {**vision, "id": "2", "question": "How much?\n<image1>", "options": [], "answer": "\frac{1}{3}"},
        ],
        "dynamath": [
            {**dyna, "question": "Period?", "ground_truth": "2.0944", "answer_type": "float", "variant": 1},
            {**dyna, "question": "Sign? choice: (A) minus (B) plus", "ground_truth": "A",
             "answer_type": "multiple choice", "variant": 2},
        ],
        "mmmu": [
            {"id": "validation_Art_Theory_1", "question": "Compare <image 2> with <image 1>.", "answer": "B",
             "options": "['left <image 1>', 'right']", "question_type": "multiple-choice",
             "image_1": cell("red"), "image_2": cell("blue"), "image_3": None},
            {"id": "validation_Math_2", "question": "Ratio?", "options": "[]", "answer": "['24/7', '3.429']",
             "question_type": "open", "image_1": cell("red"), "image_2": None, "image_3": None},
        ],
        "mmstar": [
            {"index": 0, "question": "Which?\nOptions: A: a cat, B: a dog, small, C: both, D: none", "answer": "B",
             "category": "coarse perception", "image": cell("red")},
            {"index": 1, "question": "Hint: letter.\nQuestion: <image 1> is?\nChoices:\n(A) 1\n(B) 2\n(C) 3\n(D) 4",
             "answer": "D", "category": "math", "image": cell("red")},
        ],
        "emma": [
            {**emma, "pid": "math_1", "context": "None", "question": "<image_1> turns into?", "type": "Multiple Choice",
             "options": ["<image_2>", "neither"], "answer": "A", "image_1": cell("red"), "image_2": cell("blue")},
            {**emma, "pid": "math_2", "context": "Look at <image_1>.", "question": "How many?", "type": "Open-ended",
             "options": None, "answer": "12", "image_1": cell("red"), "image_2": None},
        ],
    }  # fmt: skip


#: For every benchmark the (prompt, golds and texts, cluster, tolerance) of its rows above.
EXPECTED: dict[str, list[tuple[str, tuple[str, ...], str, float]]] = {
    "math500": [
        (f"Halve $x$.\n{BOXED}", ("\\frac{x}{2}",), "test/algebra/1.json", 0),
        (f"Name a set.\n{BOXED}", ("\\{1\\}",), "test/algebra/2.json", 0),
    ],
    **{
        name: [(f"What is $1+1$?\n{BOXED}", ("2",), "0", 0), (f"What is {{{{ 7 }}}} % 4?\n{BOXED}", ("3",), "1", 0)]
        for name in ("minerva", "amc22", "amc23", "aime25")
    },
    "aime24": [(f"Small?\n{BOXED}", ("25",), "0", 0), (f"Float?\n{BOXED}", ("27",), "1", 0)],
    "gsm8k": [(f"Eggs?\n{BOXED}", ("1200",), "0", 0), (f"Debt?\n{BOXED}", ("-3",), "1", 0)],
    "mmlu": [
        (f"Which is even and small?\nA. 2\nB. 4\nC. The letter B\nD. B\n{LETTER}", ("A", "2"), "logic/0", 0),
        # The text of D is the label of another option.
        (f"Which letter?\nA. 2\nB. 4\nC. The letter B\nD. B\n{LETTER}", ("D",), "logic/1", 0),
    ],
    "mathvista": [
        (f"<image>\nHint: letter.\nQuestion: ?\nChoices:\n(A) 9\n(B) 18\n(C) 18\n{BOXED}", ("B", "C", "18"), "1", 0),
        (f"<image>\nHint: one decimal place.\nQuestion: ?\n{BOXED}", ("1.2",), "2", 0.05),
    ],
    "mathverse": [
        (
            f"<image>\nAccording to the question shown in the image, reason first.\n{BOXED}",
            ("B", "60°"),
            "7",
            0,
        ),
        (f"<image>\nReason.\nQuestion: Area?\n{BOXED}", ("5", "5=s"), "7", 0),
    ],
    "mathvision": [
        (f"<image>\nWhich one?\n<image1>\n{LETTER}", ("C",), "1", 0),
        (f"<image>\nHow much?\n<image1>\n{BOXED}", ("\\frac{1}{3}",), "2", 0),
    ],
    "dynamath": [
        (f"<image>\nPeriod?\nGive three decimals of a number that is not an integer. {BOXED}", ("2.0944",), "4", 0.001),
        (f"<image>\nSign? choice: (A) minus (B) plus\n{LETTER}", ("A",), "4", 0),
    ],
    "mmmu": [
        (
            f"Compare <image> with <image>.\nA. left <image>\nB. right\n{LETTER}",
            ("B", "right"),
            "validation_Art_Theory_1",
            0,
        ),
        (f"<image>\nRatio?\n{BOXED}", ("24/7", "3.429"), "validation_Math_2", 0.0005),
    ],
    "mmstar": [
        (
            f"<image>\nWhich?\nOptions: A: a cat, B: a dog, small, C: both, D: none\n{LETTER}",
            ("B", "a dog, small"),
            "0",
            0,
        ),
        (
            f"Hint: letter.\nQuestion: <image> is?\nChoices:\n(A) 1\n(B) 2\n(C) 3\n(D) 4\n{LETTER}",
            ("D", "4"),
            "1",
            0,
        ),
    ],
    "emma": [
        (f"<image> turns into?\nA. <image>\nB. neither\n{LETTER}", ("A",), "math_1", 0),
        (f"Look at <image>.\nHow many?\n{BOXED}", ("12",), "math_2", 0),
    ],
}


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def write_benchmark(name: str, folder: Path) -> Path:
    """A file of the invented rows of one benchmark."""
    rows = text_rows() | image_rows(base64_png)
    return write_rows(folder / f"{name}.jsonl", rows[name])
