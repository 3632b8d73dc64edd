"""The ``generate`` stage writes ``responses/``: a policy's responses to every benchmark, block by block."""

import hashlib
import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from transformers import AutoConfig, ProcessorMixin

from relax.config import digest
from relax.config.benchmarks import check_tasks, read_task, task_file
from relax.config.evaluation import AskedBenchmark
from relax.config.stage_settings import GenerateSettings
from relax.data.images import check_image
from relax.data.problem_files import read_problems
from relax.data.processor import render_images, tokenizer_of
from relax.data.prompt import render
from relax.errors import ConfigError, DataError
from relax.evaluation.benchmarks import load_benchmark, questions_digest
from relax.evaluation.questions import BOXED, Question
from relax.evaluation.shards import (
    Block,
    decodings,
    hash_file,
    is_made,
    plan_blocks,
    seed_of,
    write_block,
    write_questions,
)
from relax.files import writable_folder
from relax.models.policy import load_processing
from relax.models.precision import format_here
from relax.progress import Progress
from relax.records.record import Run, digest_path

if TYPE_CHECKING:
    from relax.evaluation.response import Response

logger = logging.getLogger("relax")


@dataclass(frozen=True)
class Work:
    """A benchmark as it is generated: questions, what the policy reads, and the blocks."""

    name: str
    questions: list[Question]
    source: str | list[str]
    prompts: list[str]
    kwargs: dict[str, Any]
    passes: dict[str, tuple[int, dict[str, Any]]]
    blocks: list[Block]


def generate_stage(
    settings: GenerateSettings,
    policy: str | Path,
    data: str | Path,
    out: str | Path,
    run: Run,
    label: str,
    part: tuple[int, int] = (1, 1),
) -> None:
    """Write ``<benchmark>/questions.parquet``, ``<benchmark>/<block>.parquet`` and, once all are there, the record.

    Blocks that are there as they were written are kept, so a killed job goes on; jobs with different parts share the
    work, and the one that finds all blocks made writes the record.

    Args:
        settings: ``benchmarks``, ``batch_size``, ``block_size``, ``seed``, ``backend``, ``precision``,
            ``max_response_length``, ``prompt``.
        policy: folder of the policy.
        data: problem file, for tasks without a data set of their own.
        out: folder.
        run: the record to finish; the policy is among its inputs.
        label: for the progress lines.
        part: (i, n): this job makes every n-th block, from the i-th.

    Raises:
        ConfigError: an unknown task, or responses that do not fit into the policy's window.
        DataError, MachineError: questions or an engine that are not there.
    """
    out = writable_folder(out)
    check_tasks({name: entry.task for name, entry in settings.benchmarks.items()})
    processing = load_processing(policy)
    weights = run.digests[str(policy)]
    works = [_work(name, entry, settings, processing, data, weights) for name, entry in settings.benchmarks.items()]
    for work in works:
        check_prompts(policy, processing, work, settings.max_response_length)
        write_questions(out / work.name, work.questions, work.source)
    blocks = [(work, block) for work in works for block in work.blocks]
    mine = blocks[part[0] - 1 :: part[1]]
    missing = [(work, block) for work, block in mine if not is_made(_path(out, block), block)]
    if missing:
        _generate(missing, settings, policy, out, label)
    if all(is_made(_path(out, block), block) for _, block in blocks):
        _finish(works, settings, out, run)
    else:
        logger.info("%s: part %d of %d is done; others are not.", label, *part)


def _work(
    name: str, entry: AskedBenchmark, settings: GenerateSettings, processing: Any, data: str | Path, weights: str
) -> Work:
    task = read_task(entry.task)
    source: str | list[str] = entry.task
    if "repo" in task["metadata"]:
        questions = load_benchmark(entry.task, entry.path, entry.rows)
    else:
        problems = read_problems(data)
        questions = [
            Question(
                p.id, p.prompt, (p.answer,), p.cluster or p.id, p.subset, images=tuple(map(Path, p.images)),
                variant=p.variant, dependence=p.dependence,
            )
            for p in problems
        ]  # fmt: skip
        source = [p.source for p in problems]
    if any(q.images for q in questions) and not isinstance(processing, ProcessorMixin):
        raise ConfigError(
            f"benchmark {name}: its questions have images, and the policy is a model of text; take it out of "
            "matrix.benchmarks, or take a policy that sees."
        )
    passes = decodings(entry, settings.asked)
    turns, removed = settings.prompt.recorded(), []
    if settings.asked is not None and settings.asked.system is not None:
        turns["system"] = settings.asked.system
        removed = [text for text in (BOXED, settings.instruction) if text]
    prompts = [_prompt(processing, q, turns, removed) for q in questions]
    kwargs = {**task["generation_kwargs"], "max_gen_toks": settings.max_response_length}
    # Golds do not decide a response: where one is corrected, the kept responses are graded again.
    decides: list[Any] = [weights, [q.id for q in questions], prompts, kwargs]
    decides += [settings.backend, settings.batch_size if settings.backend == "hf" else None]
    if settings.precision is not None:
        decides.append(format_here(settings.precision))
    if settings.asked is not None:
        decides.append([settings.asked.temperature, settings.asked.top_p])
    if any(q.images for q in questions):
        decides.append([[_hash(image) for image in q.images] for q in questions])
    blocks = plan_blocks(name, len(questions), passes, settings.block_size, settings.seed, digest(decides))
    return Work(name, questions, source, prompts, kwargs, passes, blocks)


def _prompt(processing: Any, question: Question, turns: dict[str, Any], removed: Sequence[str] = ()) -> str:
    """What the policy reads; of the user's turn the instructions ``removed`` are cut off."""
    text = question.prompt
    for instruction in removed:
        text = text.removesuffix(instruction).rstrip()
    if not question.images:
        return render(tokenizer_of(processing), text, turns, question.subset)
    return render_images(processing, text, len(question.images), turns, question.subset)


def _hash(image: bytes | Path) -> str:
    return hashlib.sha256(image if isinstance(image, bytes) else image.read_bytes()).hexdigest()


def _tokens(processing: Any, question: Question, prompt: str) -> int:
    """Tokens of a prompt, those of its images counted from their sizes."""
    count = len(tokenizer_of(processing)(prompt)["input_ids"])
    sizes = []
    for image in question.images:
        try:
            check_image(image)
        except ValueError as error:
            raise DataError(f"question {question.id}: {error}.") from error
        with Image.open(io.BytesIO(image) if isinstance(image, bytes) else image) as opened:
            sizes.append((opened.height, opened.width))
    if sizes:
        count += sum(processing._get_num_multimodal_tokens(image_sizes=sizes).num_image_tokens) - len(sizes)
    return count


def check_prompts(policy: str | Path, processing: Any, work: Work, length: int) -> None:
    """Refuse prompts that, with the longest response, do not fit: lm-eval would cut them from the left.

    Raises:
        ConfigError: names the longest prompt.
    """
    config = AutoConfig.from_pretrained(policy, trust_remote_code=False).get_text_config()
    window = config.max_position_embeddings
    tokens = [_tokens(processing, question, p) for question, p in zip(work.questions, work.prompts, strict=True)]
    longest = max(range(len(tokens)), key=tokens.__getitem__)
    if tokens[longest] + length > window:
        raise ConfigError(
            f"benchmark {work.name}, question {work.questions[longest].id}: {tokens[longest]} prompt tokens and "
            f"{length} of a response do not fit into the policy's window of {window}; lower "
            "max_response_length of evaluation, or of its protocol, or take a policy with a longer window."
        )


def _generate(
    missing: Sequence[tuple[Work, Block]], settings: GenerateSettings, policy: str | Path, out: Path, label: str
) -> None:
    from relax.evaluation.backends import load_backend

    total = sum(len(block.requests) for _, block in missing)
    logger.info(
        "%s: %d responses in %d blocks, at most %d tokens",
        label,
        total,
        len(missing),
        total * settings.max_response_length,
    )
    backend = load_backend(settings, policy)
    progress, done, tokens = Progress(label, total, unit="responses"), 0, 0
    for work, block in missing:
        prompts = [work.prompts[request.question] for request in block.requests]
        seeds = [seed_of(settings.seed, work.name, work.questions[r.question].id, r.sample) for r in block.requests]
        images = [work.questions[request.question].images for request in block.requests]
        kwargs = {**work.kwargs, **work.passes[block.decoding][1]}
        answers = backend.answer(prompts, kwargs, seeds, block.seed, images)
        rows = [_row(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
        write_block(_path(out, block), block, work.questions, rows)
        done, tokens = done + len(rows), tokens + sum(row["tokens"] for row in rows)
        progress.update(done, tokens=float(tokens))


def _row(prompt: str, answer: "Response") -> dict[str, Any]:
    shown = hashlib.sha256(prompt.encode()).hexdigest()[:12]
    return {"prompt_hash": shown, "response": answer.text, "tokens": answer.tokens, "finish": answer.finish}


def _path(out: Path, block: Block) -> Path:
    return out / block.benchmark / block.file


def _finish(works: Sequence[Work], settings: GenerateSettings, out: Path, run: Run) -> None:
    """Remove blocks of other weights or settings, and write the record."""
    kept = {_path(out, block) for work in works for block in work.blocks}
    kept |= set(map(hash_file, kept))
    for work in works:
        for ending in ("parquet", "parquet.sha256"):
            for path in (out / work.name).glob(f"*-*-*.{ending}"):
                if path not in kept:
                    path.unlink()
    run.seeds["evaluation"] = settings.seed
    run.metrics["responses"] = sum(len(block.requests) for work in works for block in work.blocks)
    run.finish(
        out,
        [out / work.name for work in works],
        blocks={work.name: [block.file for block in work.blocks] for work in works},
        questions={work.name: questions_digest(work.questions) for work in works},
        tasks={name: digest_path(task_file(e.task)) for name, e in settings.benchmarks.items()},
        **({} if settings.precision is None else {"precision": format_here(settings.precision)}),
    )
