"""What somebody would write with boto3: the executor's calls in one process, read from a request."""
import json
import sys

import boto3

spec = json.load(sys.stdin)["spec"]
target = spec["target"]
address = target["address"].split("/")[0]
ec2 = boto3.client("ec2", region_name=target["region"])


def describe():
    found = ec2.describe_network_interfaces(NetworkInterfaceIds=[target["nicRef"]])
    return found["NetworkInterfaces"][0]


nic = describe()
if spec["mode"] == "execute":
    ec2.assign_private_ip_addresses(
        NetworkInterfaceId=target["nicRef"], PrivateIpAddresses=[address], AllowReassignment=False
    )
    nic = describe()
else:
    ec2.describe_network_interfaces(
        Filters=[{"Name": "subnet-id", "Values": [nic["SubnetId"]]}], MaxResults=1000
    )
print(json.dumps([a["PrivateIpAddress"] for a in nic["PrivateIpAddresses"]]))
