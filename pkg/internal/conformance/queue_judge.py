# Talks to a queue, or puts changes of state into one, as boto3 does. Tells what came of it.
import json
import sys

import boto3
from botocore.exceptions import ClientError

REGION = "eu-west-1"
ACCOUNT = "123456789012"
sqs = boto3.client("sqs", REGION)


def refused(call, **params):
    try:
        call(**params)
    except ClientError as e:
        return e.response["Error"]["Code"].rsplit(".", 1)[-1]
    return "ok"


def receive(url):
    got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])
    return sorted(got.get("Messages", []), key=lambda m: m["Body"])


def told(messages):
    return [m["Body"] + " " + m["Attributes"]["ApproximateReceiveCount"] for m in messages]


def counts(url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    a = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return [a[n] for n in names]


def talk():
    url = sqs.create_queue(QueueName="talk", Attributes={"VisibilityTimeout": "45"})["QueueUrl"]
    says = [url.split("/", 3)[3], sqs.get_queue_url(QueueName="talk")["QueueUrl"] == url]
    a = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    says.append([a["QueueArn"], a["VisibilityTimeout"], a["DelaySeconds"]])
    for body in ["one", "two"]:
        sqs.send_message(QueueUrl=url, MessageBody=body)
    first = receive(url)
    says += [told(first), told(receive(url)), counts(url)]
    sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=first[1]["ReceiptHandle"], VisibilityTimeout=0)
    again = receive(url)
    says += [told(again), again[0]["MessageId"] == first[1]["MessageId"],
             again[0]["ReceiptHandle"] == first[1]["ReceiptHandle"]]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first[0]["ReceiptHandle"])
    batch = sqs.delete_message_batch(QueueUrl=url, Entries=[
        {"Id": "a", "ReceiptHandle": again[0]["ReceiptHandle"]}])
    says += [[e["Id"] for e in batch["Successful"]], counts(url)]
    says += [
        refused(sqs.delete_message, QueueUrl=url, ReceiptHandle="stray"),
        refused(sqs.get_queue_url, QueueName="nobody"),
        refused(sqs.receive_message, QueueUrl=url.replace("/talk", "/nobody")),
        refused(sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11),
        refused(sqs.create_queue, QueueName="no blanks"),
    ]
    print(json.dumps(says))


def event(state, second):
    return json.dumps({
        "version": "0", "id": "e", "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2", "account": ACCOUNT, "time": "2026-01-01T00:00:%02dZ" % second,
        "region": REGION, "resources": [],
        "detail": {"instance-id": "i-0123456789abcdef0", "state": state}})


def put():
    url = sqs.create_queue(QueueName="nodes")["QueueUrl"]
    for body in [event("running", 1), event("shutting-down", 2), event("terminated", 3), "hello"]:
        sqs.send_message(QueueUrl=url, MessageBody=body)
    print(json.dumps(url))


def left():
    print(json.dumps(counts(sqs.get_queue_url(QueueName="nodes")["QueueUrl"])))


{"talk": talk, "put": put, "left": left}[sys.argv[1]]()
