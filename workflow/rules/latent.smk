# Hidden states of each policy's responses -> statistics -> spectra and DSD.


rule extract:
    input:
        model=policy_model,
        data=f"{ROOT}/data/test.jsonl",
        weight=common_dictionary,
    output:
        statistics=f"{ROOT}/latent/{{policy}}/{{method}}/seed-{{seed}}/statistics.safetensors",
        responses=f"{ROOT}/latent/{{policy}}/{{method}}/seed-{{seed}}/responses.parquet",
        record=f"{ROOT}/latent/{{policy}}/{{method}}/seed-{{seed}}/run.json",
    log:
        f"{ROOT}/logs/extract/{{policy}}/{{method}}/seed-{{seed}}.log",
    benchmark:
        f"{ROOT}/timings/extract/{{policy}}/{{method}}/seed-{{seed}}.tsv"
    resources:
        **job("extract"),
    params:
        config=configfiles,
        dictionary=subpath(input.weight, parent=True),
        out=subpath(output.record, parent=True),
        settings=extract_settings,
    message:
        "hidden states of {wildcards.policy}, {wildcards.method}, seed {wildcards.seed}"
    shell:
        "relax extract --configfile {params.config} --policy {wildcards.policy} --method {wildcards.method}"
        " --seed {wildcards.seed} --model {input.model:q} --data {input.data:q}"
        " --dictionary {params.dictionary:q} --out {params.out:q} --log {log:q}"


rule koopman:
    input:
        statistics=f"{ROOT}/latent/{{policy}}/{{method}}/seed-{{seed}}/statistics.safetensors",
        responses=f"{ROOT}/latent/{{policy}}/{{method}}/seed-{{seed}}/responses.parquet",
    output:
        trajectories=f"{ROOT}/koopman/{{policy}}/{{method}}/seed-{{seed}}/trajectories.parquet",
        eigenvalues=f"{ROOT}/koopman/{{policy}}/{{method}}/seed-{{seed}}/eigenvalues.parquet",
        matrices=f"{ROOT}/koopman/{{policy}}/{{method}}/seed-{{seed}}/matrices.parquet",
        record=f"{ROOT}/koopman/{{policy}}/{{method}}/seed-{{seed}}/run.json",
    log:
        f"{ROOT}/logs/koopman/{{policy}}/{{method}}/seed-{{seed}}.log",
    benchmark:
        f"{ROOT}/timings/koopman/{{policy}}/{{method}}/seed-{{seed}}.tsv"
    resources:
        **job("koopman"),
    params:
        config=configfiles,
        latent=subpath(input.statistics, parent=True),
        out=subpath(output.record, parent=True),
        settings=koopman_settings,
        code=code("koopman"),
    message:
        "spectra and DSD of {wildcards.policy}, {wildcards.method}, seed {wildcards.seed}"
    shell:
        "relax koopman --configfile {params.config} --policy {wildcards.policy} --method {wildcards.method}"
        " --seed {wildcards.seed} --latent {params.latent:q} --out {params.out:q} --log {log:q}"
