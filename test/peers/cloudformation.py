"""Creates the stack of a cloud assembly in moto, in this process, and prints the result as JSON.

Usage: cloudformation.py ASSEMBLY_FOLDER
"""
import io
import json
import os
import re
import sys
import warnings
import zipfile
from pathlib import Path

import boto3
from moto import mock_aws
from moto.cloudformation.parsing import get_model_map

import moto_resources

REGION = "eu-west-1"
ACCOUNT = "123456789012"
ASSETS = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"


def zipped(folder: Path) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        for file in sorted(folder.rglob("*")):
            writer.write(file, file.relative_to(folder))
    return archive.getvalue()


def content(path: Path, packaging: str) -> bytes:
    if packaging == "zip":
        return zipped(path)
    if path.name == "Mailflow.template.json":
        return json.dumps(without_unreadable_outputs(json.loads(path.read_text()))).encode()
    return path.read_bytes()


def without_unreadable_outputs(template: dict) -> dict:
    """moto fails on an output that reads an attribute of a resource it does not model."""
    unmodelled = [
        json.dumps({"Fn::GetAtt": [name, ""]})[:-3]
        for name, resource in template["Resources"].items()
        if resource["Type"] not in get_model_map()
    ]
    template["Outputs"] = {
        name: output
        for name, output in template["Outputs"].items()
        if not any(reference in json.dumps(output) for reference in unmodelled)
    }
    return template


def bootstrap(client) -> None:
    """Creates what `cdk bootstrap` creates and the template requires: the version parameter and the bucket for assets."""
    client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Type="String", Value="30")
    client("s3").create_bucket(Bucket=ASSETS, CreateBucketConfiguration={"LocationConstraint": REGION})


def upload(client, assembly: Path) -> list:
    """Returns the sizes of the archives, in octets."""
    sizes = []
    manifest = json.loads((assembly / "Mailflow.assets.json").read_text())
    for asset in manifest["files"].values():
        body = content(assembly / asset["source"]["path"], asset["source"]["packaging"])
        if asset["source"]["packaging"] == "zip":
            sizes.append(len(body))
        for destination in asset["destinations"].values():
            client("s3").put_object(Bucket=ASSETS, Key=destination["objectKey"], Body=body)
    return sizes


def with_existing_vpc(client, assembly: Path) -> None:
    """Creates the VPC and subnets that the template names, and writes their ids into it: moto chooses ids itself."""
    path = assembly / "Mailflow.template.json"
    template = path.read_text()
    vpcs, subnets = (sorted(set(re.findall(rf'"({kind}-[0-9a-f]+)"', template))) for kind in ("vpc", "subnet"))
    for vpc in vpcs:
        created = client("ec2").create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        template = template.replace(vpc, created)
        for number, subnet in enumerate(subnets):
            response = client("ec2").create_subnet(VpcId=created, CidrBlock=f"10.1.{number}.0/24")
            template = template.replace(subnet, response["Subnet"]["SubnetId"])
    path.write_text(template)


def template_url(assembly: Path) -> str:
    manifest = json.loads((assembly / "manifest.json").read_text())
    key = manifest["artifacts"]["Mailflow"]["properties"]["stackTemplateAssetObjectUrl"].rsplit("/", 1)[1]
    return f"https://s3.{REGION}.amazonaws.com/{ASSETS}/{key}"


def create(client, assembly: Path) -> dict:
    cloudformation = client("cloudformation")
    cloudformation.create_stack(
        StackName="Mailflow", TemplateURL=template_url(assembly), Capabilities=["CAPABILITY_IAM"]
    )
    stack = cloudformation.describe_stacks(StackName="Mailflow")["Stacks"][0]
    resources = cloudformation.describe_stack_resources(StackName="Mailflow")["StackResources"]
    return {
        "status": stack["StackStatus"],
        "created": [resource["LogicalResourceId"] for resource in resources if resource["LogicalResourceId"]],
        "functions": [
            {
                "runtime": function["Runtime"],
                "codeSize": function["CodeSize"],
                "environment": function["Environment"]["Variables"],
            }
            for function in client("lambda").list_functions()["Functions"]
        ],
        "queues": queues(client("sqs")),
        "topics": topics(client("sns")),
        "alarms": client("cloudwatch").get_paginator("describe_alarms").paginate().build_full_result()["MetricAlarms"],
        "tables": tables(client("dynamodb")),
        "buckets": buckets(client("s3")),
    }


def queues(sqs) -> list:
    urls = sqs.list_queues()["QueueUrls"]
    return [
        {"url": url, **sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]} for url in urls
    ]


def topics(sns) -> list:
    arns = [topic["TopicArn"] for topic in sns.list_topics()["Topics"]]
    return [
        {
            **sns.get_topic_attributes(TopicArn=arn)["Attributes"],
            "subscriptions": sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"],
        }
        for arn in arns
    ]


def tables(dynamodb) -> list:
    return [dynamodb.describe_table(TableName=name)["Table"] for name in dynamodb.list_tables()["TableNames"]]


def buckets(s3) -> list:
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if bucket["Name"] != ASSETS]
    return [
        {
            "rules": s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"],
            "Policy": s3.get_bucket_policy(Bucket=name)["Policy"],
        }
        for name in names
    ]


def main() -> None:
    warnings.simplefilter("ignore")
    os.environ.update(AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none", AWS_DEFAULT_REGION=REGION)
    moto_resources.register()
    assembly = Path(sys.argv[1])
    with mock_aws():

        def client(service):
            return boto3.client(service, region_name=REGION)

        bootstrap(client)
        with_existing_vpc(client, assembly)
        archives = upload(client, assembly)
        json.dump({**create(client, assembly), "archives": archives}, sys.stdout, default=str)


main()
