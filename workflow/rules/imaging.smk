def exit_waves_for(wildcards):
    """Shards of a dataset; none where the dataset is there, lest shards that are gone or regrouped make it anew."""
    shards = wanted(campaign.exit_waves_of, wildcards.id)
    return [] if Path(path("datasets", wildcards.id)).exists() else paths("exit_waves", [shard.id for shard in shards])


rule image:
    input:
        exit_waves_for,
    output:
        pattern("datasets"),
    log:
        f"{LOGS}/datasets/{{id}}.log",
    benchmark:
        f"{BENCHMARKS}/datasets/{{id}}.tsv"
    params:
        spec=lambda wildcards, output: campaign.datasets[wildcards.id].json_text,
    message:
        "Imaging: {wildcards.id}"
    shell:
        "{CLI} image {params.spec:q} {input} --output {output} --device {DEVICE} > {log} 2>&1"


rule datasets:
    input:
        paths("datasets", campaign.datasets),
