# Puts an Auto Scaling group into the stand-in, and talks to it as boto3 does. Tells what came of it.
import json
import os
import urllib.request

import boto3
from botocore.exceptions import ClientError

REGION = "ap-northeast-1"
ROUTER = "i-01088600000000011"
CONTROL = os.environ["AWS_ENDPOINT_URL_EC2"] + "/_sim/"
TOKEN = "c4000000-0000-4000-8000-00000000000a"
scaling = boto3.client("autoscaling", REGION)


def control(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(CONTROL + path, data=data, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or b"null")


def refused(call, **params):
    try:
        call(**params)
    except ClientError as e:
        return e.response["Error"]["Code"] + ": " + e.response["Error"]["Message"]
    return "ok"


def state():
    got = scaling.describe_auto_scaling_instances(InstanceIds=[ROUTER])
    return [[i["LifecycleState"], i["ProtectedFromScaleIn"], i["AutoScalingGroupName"]]
            for i in got["AutoScalingInstances"]]


world = control("GET", "state")
world["regions"][REGION]["scalingGroups"] = [{
    "name": "edge", "minSize": 0, "maxSize": 3, "desiredCapacity": 1,
    "subnetIds": ["subnet-01088600000000000"], "suspendedProcesses": ["Launch"],
    "hooks": [{"name": "up", "transition": "autoscaling:EC2_INSTANCE_LAUNCHING"}],
    "instances": [{"instanceId": ROUTER, "state": "Pending:Wait", "actions": [{
        "hook": "up", "token": TOKEN, "deadline": "2099-01-01T00:00:00Z",
        "end": "2099-01-01T00:00:00Z"}]}],
}]
control("PUT", "state", world)

of = {"AutoScalingGroupName": "edge"}
action = {**of, "LifecycleHookName": "up", "LifecycleActionToken": TOKEN}
says = [state()]
says.append([[h["LifecycleHookName"], h["HeartbeatTimeout"], h["GlobalTimeout"], h["DefaultResult"]]
             for h in scaling.describe_lifecycle_hooks(**of)["LifecycleHooks"]])
says.append(refused(scaling.set_instance_protection, **of, InstanceIds=[ROUTER],
                    ProtectedFromScaleIn=True))
says.append(refused(scaling.record_lifecycle_action_heartbeat, **action))
says.append(refused(scaling.complete_lifecycle_action, **action, LifecycleActionResult="CONTINUE"))
says.append(refused(scaling.complete_lifecycle_action, **action, LifecycleActionResult="CONTINUE"))
while state()[0][0] != "InService":
    pass
says.append(refused(scaling.set_instance_protection, **of, InstanceIds=[ROUTER],
                    ProtectedFromScaleIn=True))
says.append(refused(scaling.set_desired_capacity, **of, DesiredCapacity=4))
says.append(refused(scaling.set_desired_capacity, **of, DesiredCapacity=0))
says.append(refused(scaling.put_lifecycle_hook, **of, LifecycleHookName="down",
                    LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING", HeartbeatTimeout=30))
groups = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["edge"])["AutoScalingGroups"]
says.append([[g["DesiredCapacity"], g["VPCZoneIdentifier"], len(g["Instances"])] for g in groups])
says.append(state())
print(json.dumps(says))
