"""The task files: read by lm-eval itself, run on tiny models, their scores against grade() and lm-eval's own gsm8k."""

import json
import string
import subprocess
import sys
from pathlib import Path
from typing import Any

import lm_eval
import numpy as np
import pytest
import torch
import yaml
from lm_eval.api.model import LM
from lm_eval.models.hf_vlms import HFMultimodalLM
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers import models as tokenizer_models
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from relax.config.benchmarks import TASKS, find, read_task
from relax.errors import DataError
from relax.evaluation.benchmarks import grade_responses, load_benchmark
from relax.grading.grader import grade
from tests.conftest import REPOSITORY
from tests.repository.benchmarks_fixture import (
    EXPECTED,
    FOLDER,
    image_rows,
    needs_folder,
    png,
    text_rows,
    write_benchmark,
    write_rows,
)

TEXT, PICTURES = sorted(text_rows()), sorted(image_rows(str))


def manager(path: Path, rows: int) -> TaskManager:
    return TaskManager(include_path=str(TASKS), include_defaults=False, metadata={"path": str(path), "rows": rows})


def run(model: LM, name: str, path: Path, rows: int, **settings: Any) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Metrics and samples of one task."""
    tasks = manager(path, rows)
    result = lm_eval.simple_evaluate(
        model=model, tasks=[f"relax_{name}"], task_manager=tasks, bootstrap_iters=0, **settings
    )
    samples = sorted(result["samples"][f"relax_{name}"], key=lambda sample: sample["doc_id"])
    return result["results"][f"relax_{name}"], samples


class Scripted(LM):
    """Answers every prompt from a function of (prompt, how often it was asked)."""

    MULTIMODAL = True

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer
        self.asked: dict[str, int] = {}

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        responses = []
        for request in requests:
            prompt = request.args[0]
            responses.append(self.answer(prompt, self.asked.get(prompt, 0)))
            self.asked[prompt] = self.asked.get(prompt, 0) + 1
        return responses

    def loglikelihood(self, requests: list[Any]) -> list[Any]:
        raise NotImplementedError

    def loglikelihood_rolling(self, requests: list[Any]) -> list[Any]:
        raise NotImplementedError


def characters(*special: str) -> PreTrainedTokenizerFast:
    """One token a character, and special ones."""
    vocabulary = {token: i for i, token in enumerate(["<pad>", "<eos>", *special, *string.printable])}
    tokenizer = Tokenizer(tokenizer_models.WordLevel(vocabulary))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(list(special))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", model_max_length=4096
    )


@pytest.fixture(scope="module")
def text_model(scratch_settings: dict, tmp_path_factory: pytest.TempPathFactory) -> HFLM:
    from relax.models.scratch import make_text_model

    folder, tokenizer = tmp_path_factory.mktemp("policy"), characters()
    make_text_model(scratch_settings, tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return HFLM(pretrained=str(folder), device="cpu", batch_size=32, max_length=2048)


CHAT = (
    "{% for m in messages %}{{ m.role }}: {% for c in m.content %}{% if c.type == 'image' %}<image>"
    "{% else %}{{ c.text }}{% endif %}{% endfor %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


@pytest.fixture(scope="module")
def picture_model(tmp_path_factory: pytest.TempPathFactory) -> HFMultimodalLM:
    """A LLaVA of 40 000 random parameters; its image processor needs no torchvision."""
    folder, tokenizer = tmp_path_factory.mktemp("vision"), characters("<image>")
    tokenizer.image_token = "<image>"
    torch.manual_seed(0)
    small = {"intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(hidden_size=16, image_size=28, patch_size=14, projection_dim=16, **small),
        text_config=Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_key_value_heads=1,
            max_position_embeddings=4096,
            pad_token_id=0,
            bos_token_id=None,
            eos_token_id=1,
            **small,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=4,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
    )
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
    ).save_pretrained(folder)
    return HFMultimodalLM(pretrained=str(folder), device="cpu", batch_size=2)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_lm_eval_reads_the_file_as_the_catalogue_does_and_nothing_is_left_to_a_default(
    name: str, tmp_path: Path
) -> None:
    task = manager(write_benchmark(name, tmp_path), 2).load(f"relax_{name}")["tasks"][f"relax_{name}"]
    k = find(name).samples
    sampled = {"do_sample": True, "temperature": 1.0} if k > 1 else {"do_sample": False, "temperature": 0.0}
    assert (
        task.config.generation_kwargs
        == read_task(name)["generation_kwargs"]
        == {"until": [], "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0, "max_gen_toks": 3072, **sampled}
    )
    assert task.config.repeats == k
    assert task.config.filter_list == [{"name": "all", "filter": [{"function": "take_first_k", "k": k}]}]
    assert task.config.num_fewshot == 0
    assert find(name).version == task.VERSION
    assert (task.config.doc_to_image is not None) == (name in PICTURES)
    assert read_task(name)["metadata"] | {"rows": 2} == {
        key: value for key, value in task.config.metadata.items() if key not in ("path", "config_source")
    }


@pytest.mark.parametrize("name", TEXT)
def test_a_text_task_runs_through_lm_eval_on_a_tiny_model(name: str, text_model: HFLM, tmp_path: Path) -> None:
    path, rows = write_benchmark(name, tmp_path), 2
    if FOLDER:
        files = {"minerva": "minerva_math", "gsm8k": "gsm8k_test", "mmlu": "mmlu_test"}
        path, rows = Path(FOLDER) / f"{files.get(name, name)}.jsonl", find(name).rows
    results, samples = run(text_model, name, path, rows, limit=2, gen_kwargs={"max_gen_toks": 4})
    assert [sample["doc"]["prompt"] for sample in samples] == [
        question.prompt for question in load_benchmark(name, path, rows)[:2]
    ]
    for sample in samples:
        assert sample["arguments"][0][0] == sample["doc"]["prompt"]
        assert len(sample["filtered_resps"][0]) == find(name).samples
    if find(name).samples > 1:
        assert len({text for sample in samples for text in sample["resps"][0]}) > 32
    assert (results["mean_at_k,all"], results["no_box,all"]) == (0.0, 1.0)


@pytest.mark.parametrize("name", PICTURES)
def test_a_task_with_pictures_runs_through_lm_eval_on_a_tiny_model(
    name: str, picture_model: HFMultimodalLM, tmp_path: Path
) -> None:
    path = write_benchmark(name, tmp_path)
    results, samples = run(picture_model, name, path, 2, gen_kwargs={"max_gen_toks": 2}, apply_chat_template=True)
    for sample, (prompt, *_) in zip(samples, EXPECTED[name], strict=True):
        text, _, pictures = sample["arguments"][0]
        assert text == f"user: {prompt}\nassistant: "
        assert len(pictures["visual"]) == prompt.count("<image>")
    assert results["mean_at_k,all"] == 0.0


@needs_folder
@pytest.mark.parametrize(
    ("name", "file", "rows"),
    [("dynamath", "dynamath_sample/sample_10x10.jsonl", 100), ("mathvision", "mathvision_sample/testmini80.jsonl", 80)],
)
def test_official_pictures_reach_the_model(name: str, file: str, rows: int, picture_model: HFMultimodalLM) -> None:
    _, samples = run(
        picture_model, name, Path(FOLDER) / file, rows,
        limit=2, gen_kwargs={"max_gen_toks": 2}, apply_chat_template=True,
    )  # fmt: skip
    assert len({sample["arguments"][0][2]["visual"][0] for sample in samples}) == 2


def test_a_picture_that_breaks_off_is_named(picture_model: HFMultimodalLM, tmp_path: Path) -> None:
    (tmp_path / "cut.png").write_bytes(png(size=(300, 300))[:-40])
    path = write_rows(tmp_path / "cut.jsonl", image_rows(lambda color: "cut.png")["mmstar"])
    with pytest.raises(DataError, match=r"question 0: the image .*cut\.png is broken"):
        run(picture_model, "mmstar", path, 2, apply_chat_template=True)


def some_answers(prompt: str, number: int) -> str:
    """Right, wrong and missing boxes, in a cycle of five."""
    return [r"\boxed{2}", r"so \boxed{3}", "2", r"\boxed{7} no, $\boxed{2}$", r"\boxed{\frac{4}{2}}"][number % 5]


def test_scores_are_the_mean_of_grade_over_the_stored_responses(tmp_path: Path) -> None:
    results, samples = run(Scripted(some_answers), "amc23", write_benchmark("amc23", tmp_path), 2)
    correct = np.array(
        [
            [grade(text, list(sample["doc"]["golds"])).correct for text in sample["filtered_resps"][0]]
            for sample in samples
        ]
    )
    assert correct.shape == (2, 32)
    # Of 32 samples 7, 7, 6, 6, 6 of each kind: 2 is right in three of them, 3 in one.
    assert correct.sum(axis=1).tolist() == [19, 7]
    assert results["mean_at_k,all"] == pytest.approx(correct.mean())
    assert results["no_box,all"] == pytest.approx(6 / 32)
    stored = [grade_responses(sample["resps"][0], sample["doc"]["golds"]) for sample in samples]
    assert np.array_equal(correct, [[g.correct for g in grades] for grades in stored])


@pytest.mark.parametrize(
    ("answer", "right"),
    [("2.0944", True), ("2.094", True), ("2.0954", True), ("2.0955", False), ("2.1", False), ("$2.0940$", True),
     ("", False), ("\\frac{2\\pi}{3}", False), ("NaN", False), ("1e999", False)],
)  # fmt: skip
def test_a_number_within_the_benchmarks_tolerance_is_right(answer: str, right: bool) -> None:
    (graded,) = grade_responses([rf"\boxed{{{answer}}}"], ["2.0944"], tolerance=0.001)
    assert graded.answer == answer
    assert graded.correct is right
    assert grade_responses(["2.0944"], ["2.0944"], tolerance=0.001)[0].status == "no_box"


@pytest.mark.parametrize(
    ("answer", "right"),
    [("C", True), ("(C)", True), ("C. False, True", True), ("False, True", True), ("\\text{false, true}", True),
     ("True, False", False), ("B", False), ("False", False), ("", False), ("False, True or True, False", False)],
)  # fmt: skip
def test_the_words_of_an_option_are_compared_as_words(answer: str, right: bool) -> None:
    # As mathematics both pairs are one set, so a grader of mathematics alone takes B's words for C's.
    (graded,) = grade_responses([rf"\boxed{{{answer}}}"], ["C"], ["False, True"])
    assert graded.correct is right


@pytest.mark.parametrize(("answer", "right"), [("5-2-3-1-4", True), ("5-3-2-1-4", False), ("A", False), ("E", True)])
def test_the_order_of_an_option_counts(answer: str, right: bool) -> None:
    assert grade_responses([rf"\boxed{{{answer}}}"], ["E"], ["5-2-3-1-4"])[0].correct is right


def test_dynamath_reports_average_and_worst_case(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    right = {(seed, variant): bool(rng.random() < 0.8) for seed in range(6) for variant in range(1, 5)}
    rows = [
        {"id": str(seed), "variant": variant, "question": f"{seed} and {variant}?", "image": "red.png",
         "ground_truth": str(seed), "answer_type": "float", "subject": "algebra", "knowledge_level": ""}
        for seed, variant in right
    ]  # fmt: skip
    (tmp_path / "red.png").write_bytes(png())
    path = write_rows(tmp_path / "dynamath.jsonl", rows)

    def answer(prompt: str, number: int) -> str:
        seed, _, variant = prompt.split("\n")[1].rstrip("?").split()
        return rf"\boxed{{{seed if right[int(seed), int(variant)] else 99}}}"

    results, _ = run(Scripted(answer), "dynamath", path, 24)
    grid = np.array(list(right.values())).reshape(6, 4)
    assert 0 < grid.all(axis=1).mean() < grid.mean() < 1
    assert results["mean_at_k,all"] == pytest.approx(grid.mean())
    assert results["worst_case,all"] == pytest.approx(grid.all(axis=1).mean())


def test_the_worst_case_of_several_samples_is_taken_within_a_sample(tmp_path: Path) -> None:
    task = manager(write_benchmark("dynamath", tmp_path), 2).load("relax_dynamath")["tasks"]["relax_dynamath"]
    worst_case = task.aggregation()["worst_case"]
    # Seed a: samples (1, 1), (1, 0), (0, 1) over its two variants; seed b always right.
    items = [("a", [True, True, False]), ("b", [True] * 3), ("a", [True, False, True]), ("b", [True] * 3)]
    assert worst_case(items) == pytest.approx((1 / 3 + 1) / 2)


def official(file: str, n: int) -> list[dict[str, Any]]:
    """The first rows of an official set; none without the folder."""
    if not FOLDER:
        return []
    with (Path(FOLDER) / file).open(encoding="utf-8") as lines:
        return [json.loads(line) for line, _ in zip(lines, range(n), strict=False)]


def run_own(model: LM, file: str, rows: list[dict[str, Any]], folder: Path, metric: str) -> list[float]:
    """Scores of one of lm-eval's own tasks, all its own but the place of the data and the number of examples."""
    task = yaml.safe_load((Path(lm_eval.__file__).parent / "tasks" / file).read_text())
    path = str(write_rows(folder / "own.jsonl", rows))
    task |= {"task": "own", "dataset_path": "json", "dataset_name": None, "num_fewshot": 0}
    task["dataset_kwargs"] = {
        "data_files": {"train": path, "dev": path, "test": path},
        "cache_dir": str(folder / "cache"),
    }
    result = lm_eval.simple_evaluate(
        model=model, tasks=[task], task_manager=TaskManager(include_defaults=False), bootstrap_iters=0
    )
    name, filtered = metric.split(",")
    samples = sorted(result["samples"]["own"], key=lambda sample: sample["doc_id"])
    scores = [sample[name] for sample in samples if sample["filter"] == filtered]
    assert result["results"]["own"][metric] == pytest.approx(np.mean(scores))
    return scores


def test_gsm8k_agrees_with_lm_evals_own_strict_match(tmp_path: Path) -> None:
    rows = official("gsm8k_test.jsonl", 200) or [
        {"question": f"{n} and {n}?", "answer": f"Twice {n}.\n#### {2 * n:,}"} for n in range(490, 520)
    ]
    gold = {row["question"]: row["answer"].split("####")[1].strip() for row in rows}
    number = {question: n for n, question in enumerate(gold)}

    def answer(prompt: str, _: int) -> str:
        question = prompt.removeprefix("Question: ").removesuffix("\nAnswer:").split("\nPlease reason")[0]
        result = [gold[question], "12345678", gold[question].replace(",", "")][number[question] % 3]
        return f"Some steps.\n\\boxed{{{result}}}\n#### {result}"

    theirs = run_own(Scripted(answer), "gsm8k/gsm8k.yaml", rows, tmp_path, "exact_match,strict-match")
    ours, samples = run(Scripted(answer), "gsm8k", write_rows(tmp_path / "gsm8k.jsonl", rows), len(rows))
    assert [sample["mean_at_k"] for sample in samples] == theirs
    assert ours["mean_at_k,all"] == pytest.approx(np.mean(theirs)) == pytest.approx(2 / 3, abs=0.01)


def test_mmlu_agrees_with_lm_evals_own_generative_task(tmp_path: Path) -> None:
    rows = official("mmlu_test.jsonl", 200) or [
        {"question": f"{i}. Which is {i % 4}?", "subject": "logic", "choices": ["0", "1", "2", "3"], "answer": i % 4}
        for i in range(6)
    ]
    letters = {row["question"].strip(): "ABCD"[(row["answer"] + (n % 3 == 0)) % 4] for n, row in enumerate(rows)}

    def answer(prompt: str, _: int) -> str:
        letter = letters[prompt.split("\nA. ")[0].strip()]
        # Their task reads the first line, ours the box.
        return f"{letter}\n\\boxed{{{letter}}}"

    theirs = run_own(
        Scripted(answer), "mmlu/generative/_default_template_yaml", rows, tmp_path, "exact_match,get_response"
    )
    _, samples = run(Scripted(answer), "mmlu", write_rows(tmp_path / "mmlu.jsonl", rows), len(rows))
    assert [sample["mean_at_k"] for sample in samples] == theirs
    assert 0.5 < np.mean(theirs) < 0.75


def test_the_command_line_of_lm_eval_runs_a_task(text_model: HFLM, tmp_path: Path) -> None:
    path = write_benchmark("aime25", tmp_path)
    command = [
        sys.executable, "-m", "lm_eval", "--model", "hf", "--device", "cpu", "--include_path", str(TASKS),
        "--model_args", f"pretrained={text_model.model.name_or_path},max_length=2048",
        "--metadata", json.dumps({"path": str(path), "rows": 2}), "--tasks", "relax_aime25",
        "--gen_kwargs", "max_gen_toks=2", "--output_path", str(tmp_path / "out.json"),
    ]  # fmt: skip
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    (written,) = tmp_path.glob("out*.json")
    results = json.loads(written.read_text())
    assert results["results"]["relax_aime25"]["mean_at_k,all"] == 0.0
    assert results["configs"]["relax_aime25"]["metadata"]["revision"] == find("aime25").revision
