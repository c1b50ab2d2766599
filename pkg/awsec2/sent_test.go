package awsec2

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/protocol"
)

// TestWhatWasNotSentDidNothing: a change whose time was up before it left is no change whose
// outcome is unknown; one that left is.
func TestWhatWasNotSentDidNothing(t *testing.T) {
	sim := ec2sim.New(ec2sim.Lab())
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL_EC2", server.URL())
	t.Setenv("AWS_ACCESS_KEY_ID", ec2sim.LabCredential.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", ec2sim.LabCredential.SecretAccessKey)
	c, err := Connect(t.Context(), ec2sim.LabRegion, 5*time.Second, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	w := c.Writer().(*Writer)

	over, cancel := context.WithCancel(t.Context())
	cancel()
	var certain *protocol.Failure
	if err := w.AssignPrivateIPAddress(over, ec2sim.LabRouterAInterface, ec2sim.LabFreeAddress,
		false); !errors.As(err, &certain) || certain.Class != protocol.Timeout {
		t.Errorf("before it left: %v", err)
	}
	if n := len(sim.Calls()); n != 0 {
		t.Errorf("%d calls", n)
	}

	if err := sim.Inject(ec2sim.DelayAnswer("AssignPrivateIpAddresses", time.Hour)); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithCancel(t.Context())
	go func() {
		for len(sim.Calls()) == 0 && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	var unknown *action.Unknown
	if err := w.AssignPrivateIPAddress(short, ec2sim.LabRouterAInterface, ec2sim.LabFreeAddress,
		false); !errors.As(err, &unknown) {
		t.Errorf("after it left: %v", err)
	}
}
