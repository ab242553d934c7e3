"""Training, processing and transform jobs of the emulated SageMaker, executed.

Gaps of moto that are closed here: jobs are Completed at creation, nothing runs and no artifact is written, names may be
used twice, StopTrainingJob is missing, Environment and ProcessingResources are lost, MetricDefinitions are overwritten.
"""

from __future__ import annotations

from typing import Any

from mlops.rehearsal import images, sagemaker_api, sagemaker_job, sagemaker_models, sagemaker_storage
from mlops.rehearsal.sagemaker_job import client
from mlops.rehearsal.sagemaker_processing import ProcessingJob
from mlops.rehearsal.sagemaker_requests import SageMakerError, invalid, refuse
from mlops.rehearsal.sagemaker_training import TrainingJob
from mlops.rehearsal.sagemaker_transform import DEFAULT_PAYLOAD_MB, TransformJob

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("instances of training and processing jobs", "every job runs as one process on this machine, whatever its type"),
    ("training on several instances", "one instance runs; the log of the job says so"),
    ("spot interruptions and the spot discount", "capacity is never taken away; billable seconds are training seconds"),
    ("network isolation and VPC of jobs", "HTTP clients meet a dead proxy, but no network namespace is made"),
    ("the 120 seconds between SIGTERM and SIGKILL", "a stopped program gets 2 seconds"),
    ("instances of transform jobs", "one container transforms one object after the other, whatever the count"),
    ("an output of a transform job that is split into records", "each request's answer is taken as it is"),
    ("KMS grants of volumes", "VolumeKmsKeyId is recorded, disks are those of this machine"),
)
_PAGE = 100
_TRANSFORM_MB = 100
_NOT_TRANSFORMED = ("DataProcessing", "DataCaptureConfig")


def install() -> None:
    """Hang the handlers into moto."""
    sagemaker_api.serve("CreateTrainingJob", create_training_job)
    sagemaker_api.serve("DescribeTrainingJob", describe_training_job)
    sagemaker_api.serve("StopTrainingJob", stop_training_job)
    sagemaker_api.serve("ListTrainingJobs", list_training_jobs)
    sagemaker_api.serve("CreateProcessingJob", create_processing_job)
    sagemaker_api.serve("DescribeProcessingJob", describe_processing_job)
    sagemaker_api.serve("StopProcessingJob", stop_processing_job)
    sagemaker_api.serve("ListProcessingJobs", list_processing_jobs)
    sagemaker_api.serve("CreateTransformJob", create_transform_job)
    sagemaker_api.serve("DescribeTransformJob", describe_transform_job)
    sagemaker_api.serve("StopTransformJob", stop_transform_job)
    sagemaker_api.serve("ListTransformJobs", list_transform_jobs)
    sagemaker_api.install()


def shutdown() -> None:
    """End every job."""
    sagemaker_job.shutdown()


def create_training_job(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Start a training job, or refuse it as SageMaker does."""
    name = request["TrainingJobName"]
    for section in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        if not request.get(section):  # the API's model leaves them out for serverless jobs only
            refuse(f"{section} is required: serverless training jobs are not rehearsed.")
    _check_unused(backend.training_jobs, backend, "training-job", name, noun="Training job")
    algorithm = request["AlgorithmSpecification"]
    if not algorithm.get("TrainingImage"):
        refuse("You must provide a TrainingImage; algorithms by name are not rehearsed.")
    image = _image(algorithm["TrainingImage"])
    if not image.represents("train"):
        refuse(f"The image {image.name} has no training program in the rehearsal.")
    if image.built_in and algorithm.get("MetricDefinitions"):
        refuse(
            "You can't override the metric definitions for Amazon SageMaker algorithms. "
            "Please retry the request without specifying metric definitions."
        )
    _check_waiting(request)
    s3 = client("s3", request["RoleArn"], backend)
    sagemaker_models.check_interfaces(backend, request["RoleArn"], request.get("VpcConfig"))
    for channel in request.get("InputDataConfig") or []:
        _check_channel(s3, channel, backend.region_name, request["RoleArn"])
    job = TrainingJob(backend, request)
    backend.training_jobs[name] = job
    job.start()
    return {"TrainingJobArn": job.arn}


def describe_training_job(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with the state of a job."""
    return _training_job(backend, request).describe()


def stop_training_job(backend: Any, request: dict[str, Any]) -> None:
    """Begin to stop a job."""
    job = _training_job(backend, request)
    if job.training_job_status != "InProgress":
        refuse(f"The request was rejected because the training job is in status {job.training_job_status}.")
    job.stop()


def list_training_jobs(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with summaries, newest first."""
    jobs = [job.summary() for job in backend.training_jobs.values()]
    return _listed(jobs, request, prefix="TrainingJob")


def create_processing_job(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Start a processing job, or refuse it as SageMaker does."""
    name = request["ProcessingJobName"]
    _check_unused(backend.processing_jobs, backend, "processing-job", name, noun="Processing job")
    _image(request["AppSpecification"]["ImageUri"])
    if not request["AppSpecification"].get("ContainerEntrypoint"):
        refuse("The rehearsal runs the ContainerEntrypoint of a processing job; this one has none.")
    locations = [
        item["S3Input"].get("LocalPath") for item in request.get("ProcessingInputs") or [] if "S3Input" in item
    ]
    if len(locations) != len(request.get("ProcessingInputs") or []) or None in locations:
        refuse("Every processing input needs an S3Input with a LocalPath in the rehearsal.")
    client("s3", request["RoleArn"], backend)
    network = request.get("NetworkConfig") or {}
    sagemaker_models.check_interfaces(backend, request["RoleArn"], network.get("VpcConfig"))
    job = ProcessingJob(backend, request)
    backend.processing_jobs[name] = job
    job.start()
    return {"ProcessingJobArn": job.arn}


def describe_processing_job(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with the state of a job."""
    return _processing_job(backend, request).describe()


def stop_processing_job(backend: Any, request: dict[str, Any]) -> None:
    """Begin to stop a job."""
    job = _processing_job(backend, request)
    if job.processing_job_status != "InProgress":
        refuse(f"The request was rejected because the processing job is in status {job.processing_job_status}.")
    job.stop()


def list_processing_jobs(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with summaries, newest first."""
    jobs = [job.summary() for job in backend.processing_jobs.values()]
    return _listed(jobs, request, prefix="ProcessingJob")


def create_transform_job(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Start a transform job, or refuse it as SageMaker does."""
    name = request["TransformJobName"]
    _check_unused(backend.transform_jobs, backend, "transform-job", name, noun="Transform job")
    containers = sagemaker_models.containers_of(backend, request["ModelName"])
    if any(container.many_models for container in containers):
        refuse(f"Model {request['ModelName']} is a container of many models, which cannot transform batches.")
    _check_transform(request)
    client("s3", containers[0].role_arn, backend)
    job = TransformJob(backend, request, containers)
    backend.transform_jobs[name] = job
    job.start()
    return {"TransformJobArn": job.arn}


def describe_transform_job(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with the state of a job."""
    return _transform_job(backend, request).describe()


def stop_transform_job(backend: Any, request: dict[str, Any]) -> None:
    """Begin to stop a job."""
    job = _transform_job(backend, request)
    if job.transform_job_status != "InProgress":
        refuse(f"The request was rejected because the transform job is in status {job.transform_job_status}.")
    job.stop()


def list_transform_jobs(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with summaries, newest first."""
    jobs = [job.summary() for job in backend.transform_jobs.values()]
    return _listed(jobs, request, prefix="TransformJob")


def _transform_job(backend: Any, request: dict[str, Any]) -> TransformJob:
    job = backend.transform_jobs.get(request["TransformJobName"])
    if not isinstance(job, TransformJob):
        refuse(f"Could not find requested job with name: {request['TransformJobName']}")
    return job


def _check_transform(request: dict[str, Any]) -> None:
    source = request["TransformInput"]
    data_type, split = source["DataSource"]["S3DataSource"]["S3DataType"], source.get("SplitType", "None")
    for section in _NOT_TRANSFORMED:
        if request.get(section):
            refuse(f"{section} of transform jobs is not rehearsed.")
    if data_type not in {"S3Prefix", "ManifestFile"}:
        refuse(f"The transform job has S3DataType {data_type}; only S3Prefix and ManifestFile are rehearsed.")
    if split not in {"None", "Line"}:
        refuse(f"The transform job has SplitType {split}; only None and Line are rehearsed.")
    if request.get("MaxPayloadInMB") == 0:
        refuse("MaxPayloadInMB 0 sends objects in chunks of HTTP, which is not rehearsed.")
    payload = request.get("MaxPayloadInMB", DEFAULT_PAYLOAD_MB) * (request.get("MaxConcurrentTransforms") or 1)
    if payload > _TRANSFORM_MB:
        refuse(
            "The product of MaxConcurrentTransforms and MaxPayloadInMB must not exceed "
            f"{_TRANSFORM_MB} MB; it is {payload} MB."
        )


def _training_job(backend: Any, request: dict[str, Any]) -> TrainingJob:
    job = backend.training_jobs.get(request["TrainingJobName"])
    if not isinstance(job, TrainingJob):
        refuse("Requested resource not found.")
    return job


def _processing_job(backend: Any, request: dict[str, Any]) -> ProcessingJob:
    job = backend.processing_jobs.get(request["ProcessingJobName"])
    if not isinstance(job, ProcessingJob):
        refuse(f"Could not find requested job with name: {request['ProcessingJobName']}")
    return job


def _check_unused(known: dict[str, Any], backend: Any, kind: str, name: str, *, noun: str) -> None:
    if name in known:
        code, arn = "ResourceInUse", sagemaker_api.arn(backend, kind, name)
        message = (
            f"{noun} names must be unique within an AWS account and region, and a {noun.lower()} with this name "
            f"already exists ({arn})"
        )
        raise SageMakerError(code, message)


def _image(uri: str) -> images.Image:
    try:
        return images.find(uri)
    except images.ImageNotRepresentedError as error:
        raise invalid(str(error)) from error


def _check_waiting(request: dict[str, Any]) -> None:
    condition = request["StoppingCondition"]
    wait, runtime = condition.get("MaxWaitTimeInSeconds"), condition.get("MaxRuntimeInSeconds", 86400)
    if request.get("EnableManagedSpotTraining"):
        if wait is None or wait < runtime:
            refuse(
                "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
            )
    elif wait is not None:
        refuse("MaxWaitTimeInSeconds can only be specified when EnableManagedSpotTraining is true")


def _check_channel(s3: Any, channel: dict[str, Any], region: str, role_arn: str) -> None:
    name = channel["ChannelName"]
    source = channel["DataSource"].get("S3DataSource")
    if source is None:
        refuse(f"Channel {name} has no S3DataSource; other sources are not rehearsed.")
    if source["S3DataType"] != "S3Prefix":
        refuse(f"Channel {name} has S3DataType {source['S3DataType']}; only S3Prefix is rehearsed.")
    if channel.get("InputMode") == "Pipe":
        refuse(f"Channel {name} has InputMode Pipe, which is not rehearsed.")
    error = "The specified key does not exist."
    try:
        if sagemaker_storage.exists(s3, source["S3Uri"]):
            return
    except sagemaker_storage.StorageError as problem:
        error = str(problem)
    bucket, _ = sagemaker_storage.split(source["S3Uri"])
    refuse(
        f'No S3 objects found under S3 URL "{source["S3Uri"]}" given in input data source. Please ensure that the '
        f"bucket exists in the selected region ({region}), that objects exist under that S3 prefix, and that the role "
        f'"{role_arn}" has "s3:ListBucket" permissions on bucket "{bucket}". Error message from S3: {error}'
    )


def _listed(summaries: list[dict[str, Any]], request: dict[str, Any], *, prefix: str) -> dict[str, Any]:
    status, name = f"{prefix}Status", f"{prefix}Name"
    key = {"Name": name, "Status": status}.get(request.get("SortBy", "CreationTime"), "CreationTime")
    chosen = [
        item
        for item in summaries
        if request.get("NameContains", "") in item[name]
        and request.get("StatusEquals", item[status]) == item[status]
        and _within(item["CreationTime"], request, "CreationTime")
        and _within(item["LastModifiedTime"], request, "LastModifiedTime")
    ]
    chosen.sort(key=lambda item: item[key], reverse=request.get("SortOrder", "Descending") == "Descending")
    begin = int(request.get("NextToken") or 0)
    end = begin + int(request.get("MaxResults") or _PAGE)
    more = {"NextToken": str(end)} if end < len(chosen) else {}
    return {f"{prefix}Summaries": chosen[begin:end], **more}


def _within(moment: Any, request: dict[str, Any], name: str) -> bool:
    after, before = request.get(f"{name}After"), request.get(f"{name}Before")
    return (after is None or moment > after.replace(tzinfo=None)) and (
        before is None or moment < before.replace(tzinfo=None)
    )
