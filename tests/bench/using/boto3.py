"""A client whose answers are given beforehand."""

# /// script
# dependencies = ["boto3"]
# [tool.libraries]
# kind = "classes made at run time"
# ///

import boto3
from botocore.stub import Stubber
from using.pair import pair

keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "eu-central-1"}
client = boto3.client("s3", endpoint_url="http://127.0.0.1:9", **keys)
lock, stubber = __import__("threading").Lock(), Stubber(client)
stubber.activate()


def work(number):
    with lock:
        stubber.add_response("list_objects_v2", {"Contents": [{"Key": f"{number}/{place}"} for place in range(30)]})
        return client.list_objects_v2(Bucket="jobs")


leak, clean = pair(work)
