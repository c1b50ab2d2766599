package ec2sim_test

import (
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
)

func TestThrottling(t *testing.T) {
	tests := []struct {
		name      string
		operation string
		params    []string
		bucket    int
		refill    int // per second
	}{
		{"a plain Describe", "DescribeNetworkInterfaces", nil, 50, 10},
		{"ids alone are plain", "DescribeNetworkInterfaces",
			[]string{"NetworkInterfaceId.1=" + ec2sim.LabRouterAInterface}, 50, 10},
		{"a filtered Describe", "DescribeNetworkInterfaces",
			filterParams(1, "vpc-id", ec2sim.LabOtherVPC), 100, 20},
		{"a change", checkOp,
			[]string{eniParam(ec2sim.LabRouterAInterface), "Description.Value=x"}, 100, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			p := lab(t, ec2sim.WithThrottling(), ec2sim.WithClock(clock.Now))
			// drain calls until the first refusal.
			drain := func() int {
				for n := 0; ; n++ {
					a := p.call(tt.operation, tt.params...)
					if a.status == 200 {
						continue
					}
					if a.status != 503 || a.code != "RequestLimitExceeded" ||
						a.message != "Request limit exceeded." {
						t.Fatalf("refused with %d %s: %s", a.status, a.code, a.message)
					}
					return n
				}
			}
			if n := drain(); n != tt.bucket {
				t.Errorf("%d calls at once, want %d", n, tt.bucket)
			}
			clock.advance(time.Second)
			if n := drain(); n != tt.refill {
				t.Errorf("%d calls after a second, want %d", n, tt.refill)
			}
			p.ok("DescribeSubnets") // another action has a bucket of its own
			p.sim.SetThrottling(false)
			p.ok(tt.operation, tt.params...)
		})
	}
}
