rule train:
    input:
        lambda wildcards: paths("datasets", wanted(campaign.packs, wildcards.id).training_set.datasets),
    output:
        pattern("packs"),
    log:
        f"{LOGS}/packs/{{id}}.log",
    benchmark:
        f"{BENCHMARKS}/packs/{{id}}.tsv"
    params:
        spec=lambda wildcards, output: campaign.packs[wildcards.id].json_text,
    message:
        "Training: {wildcards.id}"
    shell:
        "{CLI} train {params.spec:q} {input} --networks {RESULTS}/networks --output {output} --device {DEVICE} > {log} 2>&1"


rule networks:
    input:
        paths("packs", campaign.packs),
