package forwarding

import (
	"context"
	"errors"
	"testing"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

type one struct{ ec2model.NetworkInterface }

func (o one) DescribeNetworkInterfaces(context.Context, ...string) ([]ec2model.NetworkInterface, error) {
	return []ec2model.NetworkInterface{o.NetworkInterface}, nil
}

// TestAbsenceIsNoValue: an answer without the check says nothing of it, neither on nor off; and a service's
// own interface is not changed.
func TestAbsenceIsNoValue(t *testing.T) {
	on := true
	req := action.Request{
		Target:     map[string]string{"nicRef": "eni-00000000000000001", "region": "eu-west-1"},
		Parameters: map[string]string{"priorSourceDestCheck": "true"},
	}
	for _, c := range []struct {
		name  string
		nic   ec2model.NetworkInterface
		class protocol.FailureClass
	}{
		{"no check in the answer", ec2model.NetworkInterface{}, protocol.Unavailable},
		{"a service's interface", ec2model.NetworkInterface{SourceDestCheck: &on, RequesterManaged: true}, protocol.Authorization},
	} {
		for _, v := range Verbs() {
			_, err := v.Plan(t.Context(), one{c.nic}, req)
			var f *protocol.Failure
			if !errors.As(err, &f) || f.Class != c.class {
				t.Errorf("%s of %s: %v, want %s", v.Name, c.name, err, c.class)
			}
		}
	}
}
