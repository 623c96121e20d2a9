"""Serves moto's Route 53 with one zone, ours.example, which has a record of type A. Prints the port and the zone's id.
Ends with its standard input, and then prints the zone's TLSA records as JSON."""
import json
import logging
import os
import sys

import boto3
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
os.environ.update(AWS_ACCESS_KEY_ID="id", AWS_SECRET_ACCESS_KEY="key", AWS_DEFAULT_REGION="us-east-1")
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
server.start()
_, port = server.get_host_and_port()
client = boto3.client("route53", endpoint_url=f"http://127.0.0.1:{port}")
zone = client.create_hosted_zone(Name="ours.example", CallerReference="1")["HostedZone"]["Id"].split("/")[-1]
address = {"Name": "x.ours.example", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
client.change_resource_record_sets(
    HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": address}]}
)
print(f"zone {port} {zone}", flush=True)
sys.stdin.read()
sets = client.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
print("records " + json.dumps([each for each in sets if each["Type"] == "TLSA"]), flush=True)
server.stop()
