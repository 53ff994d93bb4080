# With network_jobs: individual, see train.smk.
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
    threads: cores_of_tasks()
    resources:
        gpu=gpu_of("evaluate"),
    params:
        resources=TASK_RESOURCES,
    message:
        "Evaluating: {wildcards.id}"
    shell:
        f"{CLI} evaluate --resources {{params.resources:q}} {WHERE}"


rule evaluations:
    input:
        all_of("evaluations"),
