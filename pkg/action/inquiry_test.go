package action

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/protocol"
)

// TestInquiry: what reads the descriptors of verbs reads those of inquiries too, and a request for
// one is checked as one for a verb is.
func TestInquiry(t *testing.T) {
	i := Inquiry{
		Name: "ask", Doc: "asks",
		Target:      []Field{{Name: "nicRef", Form: InterfaceID, Required: true, Doc: "the interface"}},
		Facts:       []Field{{Name: "seen.<eni>", Key: InterfaceID, Form: Text}},
		Permissions: []Permission{{Action: "ec2:DescribeNetworkInterfaces"}},
	}
	v := i.Verb()
	if v.Name != "ask" || v.Doc != "asks" || v.Plan != nil || len(v.Target) != 1 ||
		len(v.Facts) != 1 || len(v.Permissions) != 1 {
		t.Errorf("%+v", v)
	}
	if !i.IsFact("seen.eni-01234567") || i.IsFact("seen.i-01234567") {
		t.Error("a fact is one that it reports")
	}
	r := NewRegistry(nil)
	given := map[string]string{"nicRef": "eni-01234567", "other": "x"}
	got, faults := i.Check(r, protocol.Request{Action: "ask", Target: given})
	want := map[string]string{"nicRef": "eni-01234567"}
	if diff := cmp.Diff(want, got.Target); diff != "" || len(faults) > 0 {
		t.Errorf("%v (-want +got):\n%s", faults, diff)
	}
	if _, faults := i.Check(r, protocol.Request{Action: "ask"}); len(faults) != 1 ||
		faults[0].Path != "spec.target.nicRef" {
		t.Errorf("without what is required: %v", faults)
	}
}
