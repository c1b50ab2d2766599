// Package conformance holds the executor and the stand-in against what no one here wrote: moto as
// another stand-in, boto3 and the AWS CLI as clients. `make conformance` runs it. It has nothing
// but tests. The build tag conformance switches them on, for they need a python that has these
// peers.
//
// It guarantees three things to whoever believes the stand-in.
//
//   - Where moto is faithful to EC2, the real binaries get the same results from both
//     (TestInventory for the inventory), and boto3 sees the same changes in both worlds
//     (TestScenarios, TestAlike, TestFencing, TestIdentities).
//   - Where moto deviates, the stand-in does what EC2 does (TestDeviations). What moto does is
//     written beside it and told when it changes, without failing: a moto that becomes faithful is
//     news, not a fault of ours.
//   - boto3 and the AWS CLI, in the environment that ec2sim prints and nothing else, can't tell
//     that it is not EC2: commands, pages, waiters, errors, retries, lost answers, credentials from
//     metadata, HTTPS (TestCLI, TestBoto3…, TestMishaps, TestMetadata, TestSecure…). Whatever boto3
//     is answered, AWS's own model of EC2 must know.
//
// The tests speak in one notation. Things are called by their role in the lab (nic-a, router-a,
// group-web), which is the same everywhere, whatever their ids are. A call of the API is boto3's
// method, its arguments as JSON with @role for an id, and after a bar what to look at, as JMESPath:
//
//	describe_network_interfaces {"NetworkInterfaceIds":["@nic-a"]} | NetworkInterfaces[].Status
//
// Between them may be a parameter that boto3 itself would not send: & Name=value.
//
// A request to the executor is mode, verb, target and parameters, "undo" being the undo of the last
// action, with the facts it observed:
//
//	execute assign-secondary-ip nic-a 10.88.60.9/32 allowReassignment=true
//
// A result is its status and its facts (failureClass without its name), of which a want
// names those it is about. What changed is told as facts that
// came (+) and went (-):
//
//	+nic-a 10.88.60.9, -nic-a check, +nic-a forwards
//
// and an empty one means that nothing boto3 can see is different.
package conformance
