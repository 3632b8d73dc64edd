# Benchmarks: overlap with the training set, responses (one engine start a policy), grades, scores.


rule overlap:
    input:
        train=f"{ROOT}/data/train.jsonl",
        test=f"{ROOT}/data/test.jsonl",
        local=local_files(settings.overlap_settings),
    output:
        overlap=f"{ROOT}/overlap/overlap.json",
        record=f"{ROOT}/overlap/run.json",
    log:
        f"{ROOT}/logs/overlap.log",
    benchmark:
        f"{ROOT}/timings/overlap.tsv"
    params:
        config=configfiles,
        out=subpath(output.record, parent=True),
        settings=overlap_settings,
        code=code("overlap", settings.overlap_settings),
        content=local_content(settings.overlap_settings),
    message:
        "benchmark problems in the training set"
    shell:
        "relax overlap --configfile {params.config} --train {input.train:q} --test {input.test:q}"
        " --out {params.out:q} --log {log:q}"


# Blocks of responses are no declared output: Snakemake would delete them before a job that goes on with them.
rule generate:
    input:
        model=policy_model,
        data=f"{ROOT}/data/test.jsonl",
        local=local_files(settings.generate_settings),
    output:
        f"{ROOT}/responses/{{policy}}/{{method}}/seed-{{seed}}/run.json",
    log:
        f"{ROOT}/logs/generate/{{policy}}/{{method}}/seed-{{seed}}.log",
    benchmark:
        f"{ROOT}/timings/generate/{{policy}}/{{method}}/seed-{{seed}}.tsv"
    resources:
        **job("generate"),
    params:
        config=configfiles,
        out=subpath(output[0], parent=True),
        settings=generate_settings,
        code=code("generate", settings.generate_settings),
        content=local_content(settings.generate_settings),
    message:
        "responses of {wildcards.policy}, {wildcards.method}, seed {wildcards.seed}"
    shell:
        "relax generate --configfile {params.config} --policy {wildcards.policy} --method {wildcards.method}"
        " --seed {wildcards.seed} --model {input.model:q} --data {input.data:q} --out {params.out:q} --log {log:q}"


rule grade:
    input:
        f"{ROOT}/responses/{{policy}}/{{method}}/seed-{{seed}}/run.json",
    output:
        f"{ROOT}/grades/{{policy}}/{{method}}/seed-{{seed}}/run.json",
    log:
        f"{ROOT}/logs/grade/{{policy}}/{{method}}/seed-{{seed}}.log",
    benchmark:
        f"{ROOT}/timings/grade/{{policy}}/{{method}}/seed-{{seed}}.tsv"
    resources:
        **job("grade"),
    params:
        config=configfiles,
        responses=subpath(input[0], parent=True),
        out=subpath(output[0], parent=True),
        settings=grade_settings,
        code=code("grade"),
    message:
        "grades of {wildcards.policy}, {wildcards.method}, seed {wildcards.seed}"
    shell:
        "relax grade --configfile {params.config} --policy {wildcards.policy} --method {wildcards.method}"
        " --seed {wildcards.seed} --responses {params.responses:q} --out {params.out:q} --log {log:q}"


rule evaluate:
    input:
        f"{ROOT}/grades/{{policy}}/{{method}}/seed-{{seed}}/run.json",
    output:
        expand(
            f"{ROOT}/evaluate/{{{{policy}}}}/{{{{method}}}}/seed-{{{{seed}}}}/{{benchmark}}/run.json",
            benchmark=MATRIX.benchmarks,
        ),
    log:
        f"{ROOT}/logs/evaluate/{{policy}}/{{method}}/seed-{{seed}}.log",
    benchmark:
        f"{ROOT}/timings/evaluate/{{policy}}/{{method}}/seed-{{seed}}.tsv"
    resources:
        **job("evaluate"),
    params:
        config=configfiles,
        grades=subpath(input[0], parent=True),
        out=subpath(output[0], ancestor=2),
        settings=evaluate_settings,
        code=code("evaluate"),
    message:
        "scores of {wildcards.policy}, {wildcards.method}, seed {wildcards.seed}"
    shell:
        "relax evaluate --configfile {params.config} --policy {wildcards.policy} --method {wildcards.method}"
        " --seed {wildcards.seed} --grades {params.grades:q} --out {params.out:q} --log {log:q}"
