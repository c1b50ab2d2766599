# Makes instances in two accounts (make), or tells which there are (see), as boto3 sees them.
import json
import sys

import boto3

REGIONS = ["eu-west-1", "us-west-2"]
OTHER = "222233334444"
ROLE = "arn:aws:iam::%s:role/nodes" % OTHER


def sessions():
    yield boto3.Session()
    key = boto3.client("sts").assume_role(
        RoleArn=ROLE, RoleSessionName="judge", ExternalId="word")["Credentials"]
    yield boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"])


def make():
    for n, session in enumerate(sessions()):
        for region in REGIONS:
            ec2 = session.client("ec2", region)
            image = ec2.describe_images()["Images"][0]["ImageId"]
            made = ec2.run_instances(ImageId=image, MinCount=3 + n, MaxCount=3 + n, TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}])["Instances"]
            ec2.stop_instances(InstanceIds=[made[0]["InstanceId"]])
    text = json.dumps({"accessKeyId": "AKIAANYBODY000000001", "secretAccessKey": "anything"})
    secret = boto3.client("secretsmanager", "eu-west-1").create_secret(Name="keys", SecretString=text)
    ssm = boto3.client("ssm", "eu-west-1")
    ssm.put_parameter(Name="/nodes/keys", Type="SecureString", Value=text)
    parameter = ssm.get_parameter(Name="/nodes/keys")["Parameter"]
    print(json.dumps({"secret": secret["ARN"], "parameter": parameter["ARN"]}))


def see():
    seen = []
    for session in sessions():
        account = session.client("sts").get_caller_identity()["Account"]
        for region in REGIONS:
            pages = session.client("ec2", region).get_paginator("describe_instances")
            for page in pages.paginate(MaxResults=5):
                for reservation in page["Reservations"]:
                    for i in reservation["Instances"]:
                        tags = {t["Key"]: t["Value"] for t in i.get("Tags", [])}
                        seen.append(" ".join([account, region, i["InstanceId"], i["State"]["Name"],
                                              tags.get("Name", "-")]))
    print(json.dumps(sorted(seen)))


def end():
    ec2 = boto3.client("ec2", "eu-west-1")
    first = ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    ec2.terminate_instances(InstanceIds=[first])
    print(json.dumps(first))


{"make": make, "see": see, "end": end}[sys.argv[1]]()
