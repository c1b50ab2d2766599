# Sends commands by SSM, or tells of those that were sent, as boto3 does.
import json
import sys

import boto3
from botocore.exceptions import ClientError

ssm = boto3.client("ssm", "ap-northeast-1")


def refused(call, **params):
    try:
        call(**params)
    except ClientError as e:
        return e.response["Error"]["Code"]
    return "ok"


def talk(instance):
    sent = ssm.send_command(
        InstanceIds=[instance], DocumentName="AWS-RunShellScript", Comment="key:talk",
        Parameters={"commands": ["uptime", "date"]}, TimeoutSeconds=60)["Command"]
    says = [sent["Comment"], sent["DocumentName"], sent["Parameters"], sent["InstanceIds"],
            sent["TimeoutSeconds"]]
    listed = ssm.list_commands(InstanceId=instance)["Commands"]
    says += [[c["Comment"], c["Status"], c["Parameters"], c["CommandId"] == sent["CommandId"]]
             for c in listed]
    of = ssm.list_commands(CommandId=sent["CommandId"])["Commands"]
    says.append([c["CommandId"] == sent["CommandId"] for c in of])
    got = ssm.get_command_invocation(CommandId=sent["CommandId"], InstanceId=instance)
    says += [got["Status"], got["StatusDetails"], got["ResponseCode"], got["Comment"],
             got["StandardOutputContent"], got["StandardErrorContent"]]
    says.append(refused(ssm.get_command_invocation, CommandId=sent["CommandId"],
                        InstanceId="i-0123456789abcdef9"))
    return says


def comments(instance):
    return [[c["Comment"], c["DocumentName"], c["Parameters"]]
            for c in ssm.list_commands(InstanceId=instance)["Commands"]]


print(json.dumps({"talk": talk, "comments": comments}[sys.argv[1]](sys.argv[2])))
