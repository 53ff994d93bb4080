# With network_jobs: individual, the job itself only waits for the networks' own, so it runs beside Snakemake; they ask for what
# the profile gives to the rule.
rule train:
    input:
        inputs_of("packs"),
    output:
        output_of("packs"),
    log:
        log_of("packs"),
    benchmark:
        benchmark_of("packs")
    localrule: campaign.config.execution.network_jobs == "individual"
    params:
        asked=lambda wildcards, resources, threads: asked_for(resources, threads),
    message:
        "Training: {wildcards.id}"
    shell:
        f"{CLI} train --asked {{params.asked:q}} {WHERE}"


rule networks:
    input:
        all_of("packs"),
