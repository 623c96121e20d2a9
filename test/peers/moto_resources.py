"""Resource types that moto's CloudFormation does not create, although moto has the service: created through its API."""
import json

import boto3
from moto.awslambda.models import EventSourceMapping
from moto.cloudformation.parsing import get_model_map
from moto.elbv2.models import FakeTargetGroup


def alarm(properties: dict, logical_id: str) -> str:
    """The API's parameters have the names of the template's properties, and botocore refuses any other."""
    name = properties.get("AlarmName", logical_id)
    boto3.client("cloudwatch").put_metric_alarm(**{**properties, "AlarmName": name})
    return name


def bucket_policy(properties: dict, logical_id: str) -> str:
    policy = json.dumps(properties["PolicyDocument"])
    boto3.client("s3").put_bucket_policy(Bucket=properties["Bucket"], Policy=policy)
    return logical_id


def queue_policy(properties: dict, logical_id: str) -> str:
    attributes = {"Policy": json.dumps(properties["PolicyDocument"])}
    for url in properties["Queues"]:
        boto3.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=attributes)
    return logical_id


def secret(properties: dict, logical_id: str) -> str:
    key = {"KmsKeyId": properties["KmsKeyId"]} if "KmsKeyId" in properties else {}
    created = boto3.client("secretsmanager").create_secret(
        Name=logical_id, Description=properties["Description"], **key
    )
    return created["ARN"]


def subscription(properties: dict, logical_id: str) -> str:
    return boto3.client("sns").subscribe(**properties, ReturnSubscriptionArn=True)["SubscriptionArn"]


def topic_policy(properties: dict, logical_id: str) -> str:
    policy = json.dumps(properties["PolicyDocument"])
    for arn in properties["Topics"]:
        boto3.client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    return logical_id


def certificate(properties: dict, logical_id: str) -> str:
    requested = boto3.client("acm").request_certificate(
        DomainName=properties["DomainName"], KeyAlgorithm=properties["KeyAlgorithm"], ValidationMethod="DNS"
    )
    return requested["CertificateArn"]


def http_api(properties: dict, logical_id: str) -> str:
    """Without the type of its addresses, which botocore 1.37 does not know."""
    named = {name: properties[name] for name in ("Name", "ProtocolType")}
    return boto3.client("apigatewayv2").create_api(**named)["ApiId"]


def listener(properties: dict, logical_id: str) -> str:
    named = {name: value for name, value in properties.items() if name != "ListenerAttributes"}
    return boto3.client("elbv2").create_listener(**named)["Listeners"][0]["ListenerArn"]


def load_balancer(properties: dict, logical_id: str) -> str:
    created = boto3.client("elbv2").create_load_balancer(
        Name=logical_id[:32],
        Type=properties["Type"],
        Scheme=properties["Scheme"],
        Subnets=[mapping["SubnetId"] for mapping in properties["SubnetMappings"]],
    )
    return created["LoadBalancers"][0]["LoadBalancerArn"]


def database(properties: dict, logical_id: str) -> str:
    boto3.client("glue").create_database(**properties)
    return properties["DatabaseInput"]["Name"]


def table(properties: dict, logical_id: str) -> str:
    boto3.client("glue").create_table(**properties)
    return properties["TableInput"]["Name"]


def workgroup(properties: dict, logical_id: str) -> str:
    boto3.client("athena").create_work_group(
        Name=properties["Name"],
        Description=properties["Description"],
        Configuration=properties["WorkGroupConfiguration"],
    )
    return properties["Name"]


def model(create) -> type:
    """moto's own base class belongs to moto's modules, so this class has only the methods that moto calls."""

    class Model:
        def __init__(self, physical_resource_id: str):
            self.physical_resource_id = physical_resource_id

        def is_created(self) -> bool:
            return True

        @staticmethod
        def has_cfn_attr(name: str) -> bool:
            return True

        def get_cfn_attribute(self, name: str) -> str:
            """Only alarms read attributes of these resources, as names of dimensions; `Arn` is in policies."""
            full_name = self.physical_resource_id.split(":loadbalancer/")[-1]
            return full_name if name == "LoadBalancerFullName" else self.physical_resource_id

        @classmethod
        def create_from_cloudformation_json(cls, name, cloudformation_json, account, region, **ids):
            return cls(create(cloudformation_json["Properties"], ids["LogicalId"]))

    return Model


def register() -> None:
    get_model_map().update(
        {
            "AWS::ApiGatewayV2::Api": model(http_api),
            "AWS::Athena::WorkGroup": model(workgroup),
            "AWS::CertificateManager::Certificate": model(certificate),
            "AWS::CloudWatch::Alarm": model(alarm),
            # moto 5.1 treats every load balancer of a template as an application load balancer, which has no TCP listener.
            "AWS::ElasticLoadBalancingV2::Listener": model(listener),
            "AWS::ElasticLoadBalancingV2::LoadBalancer": model(load_balancer),
            "AWS::Glue::Database": model(database),
            "AWS::Glue::Table": model(table),
            "AWS::S3::BucketPolicy": model(bucket_policy),
            "AWS::SNS::Subscription": model(subscription),
            "AWS::SNS::TopicPolicy": model(topic_policy),
            "AWS::SQS::QueuePolicy": model(queue_policy),
            "AWS::SecretsManager::Secret": model(secret),
        }
    )
    # Its only attribute in the template is TargetGroupFullName.
    FakeTargetGroup.get_cfn_attribute = lambda group, name: group.arn.split(":")[-1]
    # moto 5.1 permits ten records of a queue. AWS permits 10,000 with a batching window, which the template's tests check.
    EventSourceMapping.batch_size = None
