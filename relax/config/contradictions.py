"""What fits the schema of the configuration and cannot be: names that lead nowhere, values that contradict others.

Every fault is a key and a sentence; :func:`relax.config.check` adds file and line. The configuration comes with its
defaults filled in.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from relax.config.faults import nearest, non_finite
from relax.config.tracking_uri import tracking_faults
from relax.paper import printed

#: A key, and what is wrong with its value.
Fault = tuple[list[str | int], str]


def contradictions(config: Mapping[str, Any]) -> Iterator[Fault]:
    """Every fault, those first that others rest on; whoever asks for one after a fault may find a KeyError."""
    yield from non_finite(config)
    yield from _names(config)
    yield from _paper(config)
    yield from _sizes(config)
    yield from tracking_faults(config)
    for name, method in config["methods"].items():
        yield from ((["methods", name], message) for message in _method(method))
    yield from _together(config)


def _names(config: Mapping[str, Any]) -> Iterator[Fault]:
    for kind in ("policies", "methods", "benchmarks"):
        for name in config["matrix"][kind]:
            if name not in config[kind]:
                yield ["matrix", kind], f"unknown name {name!r}; {nearest(name, list(config[kind]))}."
    for title, ablation in config["ablations"].items():
        for kind, names in (("policies", ablation["policies"] or []), ("methods", ablation["arms"].values())):
            for name in names:
                if name not in config[kind]:
                    yield ["ablations", title], f"unknown name {name!r} in {kind}; {nearest(name, list(config[kind]))}."


def _paper(config: Mapping[str, Any]) -> Iterator[Fault]:
    """(key, sentence) of names in ``paper`` that do not exist, in print or here."""
    layouts = {layout.table: layout for layout in printed.LAYOUTS}
    known = {"policies": list(config["policies"]), "methods": ["initial", *config["methods"]]}
    given = config.get("paper", {})
    for table, rows in given.get("rows", {}).items():
        if table not in layouts:
            yield ["paper", "rows", table], f"unknown table {table!r}; {nearest(table, list(layouts))}."
            continue
        # Rows of printed gains are the differences of two others, here as there.
        labels = [row.label for row in printed.read_table(layouts[table]) if row.difference_of is None]
        for label, ours in rows.items():
            key: list[str | int] = ["paper", "rows", table, label]
            if label not in labels:
                yield key, f"{table} has no row {label!r} to stand for; {nearest(label, labels)}."
            for kind, names in (("policies", [ours["policy"]]), ("methods", ours["methods"])):
                for name in (name for name in names if name not in known[kind]):
                    yield key, f"unknown name {name!r} in {kind}; {nearest(name, known[kind])}."
    for column, ours in given.get("columns", {}).items():
        key, name = ["paper", "columns", column], ours["benchmark"]
        if column not in printed.METRICS:
            yield key, f"no table has a column {column!r}; {nearest(column, list(printed.METRICS))}."
        if name not in config["benchmarks"]:
            yield key, f"unknown name {name!r} in benchmarks; {nearest(name, list(config['benchmarks']))}."
            continue
        benchmark = config["benchmarks"][name]
        draws = [1] * benchmark.get("greedy", False) + [k for k in [benchmark.get("samples", 0)] if k]
        if ours["metric"] not in (metrics := [f"mean@{k}" for k in draws]):
            yield key, f"{name} is asked for {' and '.join(metrics)}, not {ours['metric']}."


def _sizes(config: Mapping[str, Any]) -> Iterator[Fault]:
    """(key, sentence) of numbers that do not divide, and of a source without its data."""
    for name, policy in config["policies"].items():
        scratch = policy.get("scratch") or {}
        for part, key in ((scratch, "scratch"), (scratch.get("vision") or {}, "vision")):
            if part.get("hidden_size", 0) % part.get("heads", 1):
                yield (
                    ["policies", name, "scratch"],
                    f"{key}.hidden_size must be a multiple of heads, found {part['hidden_size']} and {part['heads']}.",
                )
        if scratch.get("heads", 0) % scratch.get("key_value_heads", 1):
            yield (
                ["policies", name, "scratch", "key_value_heads"],
                f"key_value_heads must divide heads, found {scratch['key_value_heads']} and {scratch['heads']}.",
            )
    training = config["training"]
    step = training["prompts_per_step"] * training["rollouts_per_prompt"]
    if training["micro_batch"] and step % training["micro_batch"]:
        yield (
            ["training", "micro_batch"],
            f"training.micro_batch is {training['micro_batch']}, which does not divide a step's {step} responses "
            "(prompts_per_step x rollouts_per_prompt).",
        )
    if config["data"]["source"] == "hub" and not config["data"].get("datasets"):
        yield ["data", "source"], "data.source is hub, but data.datasets names no data set."


def _method(method: Mapping[str, Any]) -> Iterator[str]:
    mode, beta, xi = method["kl_mode"], method["beta"], method["xi"]
    if mode != "none" and not beta:
        yield f"kl_mode is {mode} but beta is 0; give beta a value or set kl_mode to none."
    if mode == "none" and beta:
        yield f"beta is {beta} but kl_mode is none; set kl_mode to adaptive or uniform."
    if isinstance(xi, str) and method["dsd_window"]:
        yield f"xi is {xi}, a percentile of whole responses; with dsd_window give a number."
    if mode == "adaptive" and xi is None:
        yield "kl_mode adaptive needs xi, a number or a percentile such as q90."


def _together(config: Mapping[str, Any]) -> Iterator[Fault]:
    """Keys that want one another."""
    prompt, training = config["prompt"], config["training"]
    if prompt["system"] and not prompt["chat_template"]:
        yield ["prompt", "system"], "a system turn needs prompt.chat_template: true."
    if training["vllm_gpus"] and (training["rollouts"] != "vllm-server" or training["vllm_server"]):
        yield ["training", "vllm_gpus"], "vllm_gpus wants rollouts: vllm-server, and no address in vllm_server."
    for name in config["matrix"]["methods"]:
        if config["methods"][name]["token_method"] == "kl_cov" and training["updates_per_generation"] < 2:
            yield (
                ["methods", name, "token_method"],
                "kl_cov has no gradient at one update per generation; "
                "set training.updates_per_generation to 2 or more.",
            )
    for name, benchmark in config["benchmarks"].items():
        if benchmark["samples"] == (1 if benchmark["greedy"] else 0):
            yield (
                ["benchmarks", name],
                "give greedy: true, or samples (with greedy: at least 2, as both are mean@1).",
            )
