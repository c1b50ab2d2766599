package protection

import (
	"context"
	"errors"
	"testing"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

type one struct{ ec2model.ScalingInstance }

func (o one) DescribeScalingInstance(
	context.Context, string,
) (ec2model.ScalingInstance, error) {
	return o.ScalingInstance, nil
}

// TestWhereProtectionIsSet: a change is planned in the states in which Auto Scaling takes it. What
// is so already needs none.
func TestWhereProtectionIsSet(t *testing.T) {
	for _, c := range []struct {
		state     string
		protected bool
		class     protocol.FailureClass
		later     bool
	}{
		{state: "InService"}, {state: "Standby"}, {state: "EnteringStandby"},
		{state: "Pending:Wait", class: protocol.Conflict, later: true},
		{state: "Pending:Proceed", class: protocol.Conflict, later: true},
		{state: "Terminating:Wait", class: protocol.Conflict},
		{state: "Detaching", class: protocol.Conflict},
		{state: "Terminating:Wait", protected: true}, {state: "Pending:Wait", protected: true},
		{state: "", class: protocol.NotFound},
	} {
		i := ec2model.ScalingInstance{ID: "i-00000000000000001", Group: "g", State: c.state,
			Protected: c.protected}
		req := action.Request{Target: map[string]string{"instanceRef": i.ID,
			"autoScalingGroupName": "g"}, Parameters: map[string]string{}}
		p, err := Verbs()[0].Plan(t.Context(), one{i}, req)
		var f *protocol.Failure
		switch {
		case c.class == "" && err != nil:
			t.Errorf("%s: %v", c.state, err)
		case c.class == "" && p.Transitions[0].To != "true":
			t.Errorf("%s: to %s", c.state, p.Transitions[0].To)
		case c.class != "" && (!errors.As(err, &f) || f.Class != c.class ||
			c.later != (f.Retryable != nil && *f.Retryable)):
			t.Errorf("%s: %v, want %s, later %t", c.state, err, c.class, c.later)
		}
	}
}
