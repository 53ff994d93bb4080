# One small file stands for all datasets of a suite, so that an evaluation has one input for them, not hundreds.
rule suite:
    input:
        inputs_of("suites"),
    output:
        output_of("suites"),
    log:
        log_of("suites"),
    benchmark:
        benchmark_of("suites")
    message:
        "Indexing test datasets: {wildcards.id}"
    shell:
        f"{CLI} suite {WHERE}"


# Of network_jobs: individual, training.smk tells.
rule evaluate:
    input:
        inputs_of("evaluations"),
    output:
        output_of("evaluations"),
    log:
        log_of("evaluations"),
    benchmark:
        benchmark_of("evaluations")
    localrule: campaign.config.execution.network_jobs == "individual"
    params:
        asked=lambda wildcards, resources, threads: asked_for(resources, threads),
    message:
        "Evaluating: {wildcards.id}"
    shell:
        f"{CLI} evaluate --asked {{params.asked:q}} {WHERE}"


rule evaluations:
    input:
        all_of("evaluations"),
