package ec2checks

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	verbs "aws-provider-executor/actions"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/protocol"
)

// here is what is seen of one region beside its resources.
type here struct {
	Reader
	arn     string
	stsErr  error
	ahead   time.Duration
	noClock bool
	proxy   string
	closed  error
}

func (h here) CallerIdentity(context.Context) (ec2model.Identity, error) {
	return ec2model.Identity{Account: "123456789012", ARN: h.arn}, h.stsErr
}

func (h here) Clock() (ec2model.Clock, bool) { return ec2model.Clock{Ahead: h.ahead}, !h.noClock }

func (h here) Ways() ([]ec2model.Way, error) {
	endpoint := "https://ec2.example"
	if h.proxy != "" {
		endpoint = "http://ec2.example"
	}
	return []ec2model.Way{{Service: "EC2", Endpoint: endpoint, Proxy: h.proxy}}, nil
}

func (h here) DescribeInterface(context.Context, string) (ec2model.InterfaceDetail, error) {
	return ec2model.InterfaceDetail{}, protocol.Refuse(protocol.NotFound, "it does not exist")
}

// TestEveryRegionIsLookedAt: what is wrong in one region only, whichever it is, is told of it by
// name, and one that is right does not hide it.
func TestEveryRegionIsLookedAt(t *testing.T) {
	const role, other = "arn:aws:sts::123456789012:assumed-role/lab/i-1",
		"arn:aws:sts::123456789012:assumed-role/other/i-1"
	right := here{arn: role}
	busy := protocol.Refuse(protocol.Throttled, "STS is busy")
	for _, tt := range []struct {
		name, check string
		wrong       here
		want        preflight.Verdict
		seen        string
	}{
		{"nothing", "identity", right, preflight.Pass, "first, second: " + role},
		{"STS is busy", "identity", here{arn: role, stsErr: busy}, preflight.Unknown, "STS is busy"},
		{"no credentials", "identity", here{stsErr: protocol.Refuse(protocol.Authentication, "none")},
			preflight.Fail, "none"},
		{"another role", "expected-identity", here{arn: other}, preflight.Fail, "not lab"},
		{"its role is not known", "expected-identity", here{stsErr: busy}, preflight.Unknown,
			"STS is busy"},
		{"a clock a minute off", "clock", here{arn: role, ahead: time.Minute}, preflight.Warn,
			"behind"},
		{"a clock an hour off", "clock", here{arn: role, ahead: -time.Hour}, preflight.Fail, "ahead"},
		{"no clock", "clock", here{arn: role, noClock: true}, preflight.Unknown, "no answer"},
		{"in clear through a proxy", "proxy", here{arn: role, proxy: "http://proxy"}, preflight.Warn,
			"through http://proxy"},
		{"it can't be opened", "proxy",
			here{closed: protocol.Refuse(protocol.Configuration, "HTTPS_PROXY is no proxy")},
			preflight.Fail, "is no proxy"},
	} {
		for wrong, regions := range map[string]map[string]here{
			"first": {"first": tt.wrong, "second": right}, "second": {"first": right, "second": tt.wrong},
		} {
			t.Run(tt.name+" in the "+wrong, func(t *testing.T) {
				c := lookedAt(t, regions, tt.check)
				if c.Verdict != tt.want || !strings.Contains(c.Seen, tt.seen) ||
					(c.Advice == "") != (tt.want == preflight.Pass) {
					t.Errorf("it is %s: %s (%s)", c.Verdict, c.Seen, c.Advice)
				}
				if tt.want != preflight.Pass && !strings.HasPrefix(c.Seen, wrong+": ") {
					t.Errorf("the region that is wrong is not told first: %s", c.Seen)
				}
				if got := slices.Sorted(maps.Keys(c.Facts)); !cmp.Equal(got, []string{"first", "second"}) {
					t.Errorf("the facts are of %v", got)
				}
			})
		}
	}
}

// lookedAt checks a request of each region, and one more of the first, and returns one check.
func lookedAt(t *testing.T, regions map[string]here, check string) preflight.Check {
	t.Helper()
	opened := map[string]int{}
	config := Config{
		Registry: verbs.Registry(),
		Connect: func(_ context.Context, region string) (Reader, error) {
			opened[region]++
			return regions[region], regions[region].closed
		},
		DryRun: func(context.Context, protocol.Request) (protocol.Result, error) {
			return protocol.Result{}, context.Canceled
		},
		Ledger:   func() preflight.Check { return preflight.Check{Verdict: preflight.Pass, Seen: "x"} },
		Expected: Expected{Role: "lab"}, Patience: time.Minute,
	}
	var requests []protocol.Request
	for i, region := range []string{"first", "second", "first"} {
		requests = append(requests, protocol.Request{
			Action: "ensure-forwarding-enabled", IdempotencyKey: string(rune('a' + i)),
			Target: map[string]string{"nicRef": "eni-0123456789abcdef0", "region": region}})
	}
	report := Run(t.Context(), config, requests)
	if opened["first"] != 1 || opened["second"] != 1 {
		t.Errorf("regions are opened %v times", opened)
	}
	c, found := report.Lookup(check, "")
	if n := len(report.Of("").Checks); !found || n != 5 {
		t.Fatalf("%d checks are about all requests, want 5: %v", n, report)
	}
	return c
}
