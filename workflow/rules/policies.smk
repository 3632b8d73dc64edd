# Problems, initial policies, dictionaries, training.


rule data:
    input:
        local_files(settings.data_settings),
    output:
        train=f"{ROOT}/data/train.jsonl",
        test=f"{ROOT}/data/test.jsonl",
        record=f"{ROOT}/data/run.json",
    log:
        f"{ROOT}/logs/data.log",
    benchmark:
        f"{ROOT}/timings/data.tsv"
    params:
        config=configfiles,
        out=subpath(output.record, parent=True),
        settings=data_settings,
        code=code("data", settings.data_settings),
        content=local_content(settings.data_settings),
    message:
        "problems to train and to test on"
    shell:
        "relax data --configfile {params.config} --out {params.out:q} --log {log:q}"


rule base:
    input:
        f"{ROOT}/data/run.json",
        policy_files,
    output:
        model=directory(f"{ROOT}/base/{{policy}}/model"),
        record=f"{ROOT}/base/{{policy}}/run.json",
    log:
        f"{ROOT}/logs/base/{{policy}}.log",
    benchmark:
        f"{ROOT}/timings/base/{{policy}}.tsv"
    resources:
        **job("base"),
    params:
        config=configfiles,
        out=subpath(output.record, parent=True),
        settings=base_settings,
    message:
        "initial policy {wildcards.policy}"
    shell:
        "relax base --configfile {params.config} --policy {wildcards.policy} --out {params.out:q} --log {log:q}"


rule dictionary:
    input:
        base=f"{ROOT}/base/{{policy}}/model",
        data=f"{ROOT}/data/train.jsonl",
    output:
        weight=f"{ROOT}/dictionary/{{policy}}{{own}}/dictionary.safetensors",
        probes=f"{ROOT}/dictionary/{{policy}}{{own}}/probes.jsonl",
        initial=f"{ROOT}/dictionary/{{policy}}{{own}}/initial_dsd.json",
        record=f"{ROOT}/dictionary/{{policy}}{{own}}/run.json",
    log:
        f"{ROOT}/logs/dictionary/{{policy}}{{own}}.log",
    benchmark:
        f"{ROOT}/timings/dictionary/{{policy}}{{own}}.tsv"
    resources:
        **job("dictionary"),
    params:
        config=configfiles,
        out=subpath(output.record, parent=True),
        own=dimension_option,
        settings=dictionary_settings,
    message:
        "Koopman dictionary of {wildcards.policy}{wildcards.own}"
    shell:
        "relax dictionary --configfile {params.config} --policy {wildcards.policy}{params.own} --base {input.base:q}"
        " --data {input.data:q} --out {params.out:q} --log {log:q}"


rule train:
    input:
        data=f"{ROOT}/data/train.jsonl",
        base=f"{ROOT}/base/{{policy}}/model",
        weight=method_dictionary,
    output:
        model=directory(f"{ROOT}/train/{{policy}}/{{method}}/seed-{{seed}}/model"),
        metrics=f"{ROOT}/train/{{policy}}/{{method}}/seed-{{seed}}/metrics.jsonl",
        record=f"{ROOT}/train/{{policy}}/{{method}}/seed-{{seed}}/run.json",
    log:
        f"{ROOT}/logs/train/{{policy}}/{{method}}/seed-{{seed}}.log",
    benchmark:
        f"{ROOT}/timings/train/{{policy}}/{{method}}/seed-{{seed}}.tsv"
    # The long jobs first: what follows each of them fills the gaps.
    priority: 1
    resources:
        **job("train"),
    params:
        config=configfiles,
        dictionary=subpath(input.weight, parent=True),
        checkpoints=checkpoints,
        out=subpath(output.record, parent=True),
        settings=train_settings,
    message:
        "train {wildcards.policy} with {wildcards.method}, seed {wildcards.seed}"
    shell:
        "relax train --configfile {params.config} --policy {wildcards.policy} --method {wildcards.method}"
        " --seed {wildcards.seed} --data {input.data:q} --base {input.base:q} --dictionary {params.dictionary:q}"
        " --checkpoints {params.checkpoints:q} --out {params.out:q} --log {log:q}"
