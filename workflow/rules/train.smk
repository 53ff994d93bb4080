# With network_jobs: individual, the job only waits for the tasks of its networks, so it runs on Snakemake's host. Each task
# has the resources that the profile sets for the rule.
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
    threads: cores_of_tasks()
    resources:
        gpu=gpu_of("train"),
    params:
        resources=TASK_RESOURCES,
    message:
        "Training: {wildcards.id}"
    shell:
        f"{CLI} train --resources {{params.resources:q}} {WHERE}"


rule networks:
    input:
        all_of("packs"),
