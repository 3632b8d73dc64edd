# Benchmarks through lm-eval.


rule evaluate:
    input:
        model=policy_model,
        data=f"{ROOT}/data/test.jsonl",
    output:
        scores=f"{ROOT}/evaluate/{{policy}}/{{method}}/seed-{{seed}}/{{benchmark}}/scores.json",
        samples=f"{ROOT}/evaluate/{{policy}}/{{method}}/seed-{{seed}}/{{benchmark}}/samples.jsonl.gz",
        record=f"{ROOT}/evaluate/{{policy}}/{{method}}/seed-{{seed}}/{{benchmark}}/run.json",
    log:
        f"{ROOT}/logs/evaluate/{{policy}}/{{method}}/seed-{{seed}}/{{benchmark}}.log",
    benchmark:
        f"{ROOT}/benchmarks/evaluate/{{policy}}/{{method}}/seed-{{seed}}/{{benchmark}}.tsv"
    resources:
        mem_mb=4000,
        runtime=120,
        gpu=gpus,
    params:
        config=configfiles,
        out=subpath(output.record, parent=True),
        settings=evaluate_settings,
    message:
        "{wildcards.benchmark} for {wildcards.policy}, {wildcards.method}, seed {wildcards.seed}"
    shell:
        "relax evaluate --configfile {params.config} --policy {wildcards.policy} --method {wildcards.method}"
        " --seed {wildcards.seed} --benchmark {wildcards.benchmark} --model {input.model:q} --data {input.data:q}"
        " --out {params.out:q} --log {log:q}"
