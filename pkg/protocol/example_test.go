package protocol_test

import (
	"fmt"
	"os"
	"strings"

	"aws-provider-executor/pkg/protocol"
)

// A core writes a request, and makes the one that undoes it of what the executor answered.
func ExampleUndoOf() {
	forward := protocol.Request{
		Action: "assign-secondary-ip", Provider: "aws", Mode: protocol.Execute,
		Target:         map[string]string{"nicRef": "eni-0abc", "address": "10.88.60.9"},
		IdempotencyKey: "mobility-7",
	}
	observed := map[string]string{"priorAssigned": "false", "changed": "true"}
	undo := protocol.UndoOf(forward, "unassign-secondary-ip", observed,
		map[string]string{"onDrift": "restore"})
	fmt.Println(undo.Action, undo.IdempotencyKey)
	fmt.Println(undo.Parameters)
	// Output:
	// unassign-secondary-ip mobility-7:undo
	// map[changed:true onDrift:restore priorAssigned:false]
}

func ExampleEncodeRequest() {
	line := protocol.EncodeRequest(protocol.Request{
		Action: "ensure-forwarding-enabled", Provider: "aws", Mode: protocol.DryRun,
		Target: map[string]string{"nicRef": "eni-0abc"}, IdempotencyKey: "k",
	})
	fmt.Print(strings.ReplaceAll(string(line), ",", ",\n"))
	// Output:
	// {"apiVersion":"provideraction.routerd.net/v1alpha1",
	// "kind":"ExecuteActionRequest",
	// "spec":{"action":"ensure-forwarding-enabled",
	// "provider":"aws",
	// "target":{"nicRef":"eni-0abc"},
	// "mode":"dry-run",
	// "idempotencyKey":"k"}}
}

// Every fault of a request is named at once, and a credential's key without its value.
func ExampleDecode() {
	_, faults := protocol.Decode(strings.NewReader(`{
	  "apiVersion": "provideraction.routerd.net/v1alpha1", "kind": "ExecuteActionRequest",
	  "spec": {"action": "a", "provider": "aws", "mode": "now", "target": {"password": "hush"}}
	}`))
	for _, f := range faults {
		reason, _, _ := strings.Cut(f.Reason, ";")
		fmt.Printf("%s: %s\n", f.Path, reason)
	}
	// Output:
	// spec.target.password: carries a credential: the executor uses its own identity only
	// spec.idempotencyKey: is required
	// spec.mode: is "now", want "dry-run" or "execute"
}

func ExampleValidate() {
	fmt.Println(protocol.Validate(protocol.Request{Action: "a", Mode: protocol.Execute}))
	// Output:
	// spec.provider: is blank; spec.idempotencyKey: is blank
}

func ExampleDecodeResult() {
	r, faults := protocol.DecodeResult([]byte(`{
	  "apiVersion": "provideraction.routerd.net/v1alpha1", "kind": "ExecuteActionResult",
	  "status": {"status": "failed", "error": "eni-0abc is gone", "observed": {"retryable": "true"}}
	}`))
	fmt.Println(r.Status.Status, r.Status.Observed[protocol.FactRetryable], len(faults))
	// Output:
	// failed true 0
}

func ExampleEncode() {
	status := protocol.Say(protocol.Failed, "eni-0abc does not exist")
	status.Observed = map[string]string{protocol.FactFailureClass: string(protocol.NotFound)}
	if err := protocol.Encode(os.Stdout, protocol.NewResult(status)); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {
	//   "apiVersion": "provideraction.routerd.net/v1alpha1",
	//   "kind": "ExecuteActionResult",
	//   "status": {
	//     "status": "failed",
	//     "message": "eni-0abc does not exist",
	//     "error": "eni-0abc does not exist",
	//     "observed": {
	//       "failureClass": "not-found"
	//     }
	//   }
	// }
}

func ExampleRefuse() {
	f := protocol.Refuse(protocol.Throttled, "EC2 throttled the calls for %s", "eni-0abc")
	fmt.Println(f.Class, f.MayRetry(), f)
	// Output:
	// throttled true EC2 throttled the calls for eni-0abc
}

// What can be read in two ways is an error that says where.
func ExampleReadJSON() {
	values, err := protocol.ReadJSON([]byte(`{"n": [1, true]} {"a": {"b": 1, "b": 2}}`), 8)
	for _, v := range values {
		fmt.Println(v.Offset, v.Kind, string(v.Raw))
	}
	for _, f := range protocol.JSONFaults(err) {
		fmt.Println(f.Path, f.Reason)
	}
	// Output:
	// 0 an object {"n": [1, true]}
	// 17 an object {"a": {"b": 1, "b": 2}}
	// a.b the key is there twice
}
