package awsec2

import (
	"context"
	"testing"
)

// TestNoTagsAreNeverSent: EC2 takes a DeleteTags without tags for every tag of the user. The writer
// has no client here, so a call would panic.
func TestNoTagsAreNeverSent(t *testing.T) {
	w := &Writer{}
	for name, change := range map[string]func(context.Context, string,
		map[string]string) error{"CreateTags": w.CreateTags, "DeleteTags": w.DeleteTags} {
		for _, tags := range []map[string]string{nil, {}} {
			if err := change(t.Context(), "i-01234567", tags); err == nil {
				t.Errorf("%s of %v was sent", name, tags)
			}
		}
	}
	if err := w.ModifySecurityGroups(t.Context(), "eni-01234567", nil); err == nil {
		t.Error("an interface was left without a group")
	}
}
