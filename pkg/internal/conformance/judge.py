"""The judge: boto3, asked by the Go tests.

Each line of standard input is a question, each line of standard output its answer, both JSON. The client is
made of the environment and nothing else, as a user's is, unless the question's "as" says otherwise. It ends
when standard input does.

  {"do": "call", "method": "describe_vpcs", "args": {}, "query": "Vpcs[].VpcId", "wire": {"Name": "Value"}}
  {"do": "pages", "method": ..., "args": {}, "query": ..., "size": 5}
  {"do": "wait", "waiter": ..., "args": {}, "delay": 1, "attempts": 3}

"query" is JMESPath on the answer (on each page); "wire" adds parameters that boto3 itself would not send. An
answer is {"ok": ...}, {"refused": {"code", "message", "status"}} for an API error, or {"broken": "..."} for
anything else that boto3 raises; "retries" is how often botocore tried again.

"strange" lists what AWS's own model of EC2 does not know in the XML that came. Clients pass over an element that
they do not know without a word, so a misspelt one would be found by nobody else.
"""
import datetime
import json
import sys
import xml.etree.ElementTree as ElementTree

import boto3
import botocore
import botocore.exceptions
import jmespath
from botocore.config import Config

SESSION = boto3.session.Session()
CLIENTS = {}
STRANGE = []


def client(spec):
    key = json.dumps(spec, sort_keys=True)
    if key not in CLIENTS:
        spec = dict(spec)
        service, config = spec.pop("service", "ec2"), Config(**spec.pop("config", {}))
        if config.signature_version == "unsigned":
            config.signature_version = botocore.UNSIGNED
        CLIENTS[key] = SESSION.client(service, config=config, **spec)
        CLIENTS[key].meta.events.register("after-call." + service, look_at)
    return CLIENTS[key]


def look_at(http_response, model, **_):
    try:
        root = ElementTree.fromstring(http_response.content)
    except ElementTree.ParseError as e:
        STRANGE.append(f"no XML: {e}")
        return
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if http_response.status_code < 300:
        expect(root.tag == model.name + "Response", root.tag)
        wrapper = model.output_shape and model.output_shape.serialization.get("resultWrapper")
        if wrapper:
            names = [child.tag for child in root]
            expect(names == [wrapper, "ResponseMetadata"], str(names))
            compare_members(root.find(wrapper), model.output_shape, wrapper, set())
            return
        compare_members(root, model.output_shape, root.tag, {"requestId", "return"})
        return
    paths = {"/".join(path) for path in leaves(root, ())}
    if model.service_model.metadata["protocol"] == "query":
        parts = {"ErrorResponse/Error/" + name for name in ("Type", "Code", "Message")}
        expect(paths == parts | {"ErrorResponse/RequestId"}, str(sorted(paths)))
        return
    expect(paths == {"Response/Errors/Error/Code", "Response/Errors/Error/Message", "Response/RequestID"}, str(sorted(paths)))


def expect(so, what):
    if not so:
        STRANGE.append(what)


def leaves(element, above):
    here = above + (element.tag,)
    if len(element) == 0:
        yield here
    for child in element:
        yield from leaves(child, here)


def compare(element, shape, path):
    if shape.type_name == "structure":
        compare_members(element, shape, path, set())
    elif shape.type_name == "list":
        name = shape.member.serialization.get("name", "member")
        for child in element:
            expect(child.tag == name, f"{path}/{child.tag}")
            compare(child, shape.member, path + "/" + child.tag)
    else:
        compare_text(element, shape, path)


def compare_members(element, shape, path, besides):
    known = {m.serialization.get("name", name): m for name, m in shape.members.items()} if shape else {}
    for child in element:
        here = path + "/" + child.tag
        if child.tag in known:
            compare(child, known[child.tag], here)
        else:
            expect(child.tag in besides, here)


def compare_text(element, shape, path):
    text, kind = element.text or "", shape.type_name
    expect(len(element) == 0, f"{path}: has elements")
    if kind == "boolean":
        expect(text in ("true", "false"), f"{path}: {text!r} is no {kind}")
    elif kind in ("integer", "long"):
        expect(text.lstrip("-").isdigit(), f"{path}: {text!r} is no {kind}")
    elif kind == "timestamp":
        expect(text.endswith("Z") and "T" in text, f"{path}: {text!r} is no {kind}")
    elif getattr(shape, "enum", None):
        expect(text in shape.enum, f"{path}: {text!r} is not one of {shape.enum}")


def project(value, query):
    if isinstance(value, dict):
        value.pop("ResponseMetadata", None)
    return jmespath.search(query, value) if query else value


def add_to_wire(extra):
    def add(params, **_):
        params["body"].update(extra)

    return add


def call(api, q):
    if q.get("wire"):
        add = add_to_wire(q["wire"])
        api.meta.events.register_first("before-call.ec2", add)
    try:
        answer = getattr(api, q["method"])(**q.get("args", {}))
    finally:
        if q.get("wire"):
            api.meta.events.unregister("before-call.ec2", add)
    retries = answer["ResponseMetadata"]["RetryAttempts"]
    return {"ok": project(answer, q.get("query")), "retries": retries}


def pages(api, q):
    settings = {"PageSize": q["size"]} if q.get("size") else {}
    found = api.get_paginator(q["method"]).paginate(**q.get("args", {}), PaginationConfig=settings)
    return {"ok": [project(page, q.get("query")) for page in found]}


def wait(api, q):
    settings = {"Delay": q.get("delay", 1), "MaxAttempts": q.get("attempts", 1)}
    api.get_waiter(q["waiter"]).wait(**q.get("args", {}), WaiterConfig=settings)
    return {"ok": None}


def answer(q):
    try:
        return {"call": call, "pages": pages, "wait": wait}[q["do"]](client(q.get("as", {})), q)
    except botocore.exceptions.ClientError as e:
        metadata = e.response.get("ResponseMetadata", {})
        return {
            "refused": {
                "code": e.response["Error"]["Code"],
                "message": e.response["Error"]["Message"],
                "status": metadata.get("HTTPStatusCode", 0),
            },
            "retries": metadata.get("RetryAttempts", 0),
        }
    except Exception as e:
        return {"broken": f"{type(e).__name__}: {e}"}


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return str(value)


for line in sys.stdin:
    STRANGE.clear()
    verdict = answer(json.loads(line))
    verdict["strange"] = list(dict.fromkeys(STRANGE))
    print(json.dumps(verdict, default=plain, sort_keys=True), flush=True)
