package awsec2

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/protocol"
)

// The ids of things that the lab does not have.
const (
	deadInterface = "eni-0dead000000000000"
	deadOther     = "eni-0dead000000000001"
	deadInstance  = "i-0dead000000000000"
	deadTable     = "rtb-0dead000000000000"
	deadSubnet    = "subnet-0dead000000000000"
	deadGroup     = "sg-0dead000000000000"
)

// late is an EC2 that shows new things, those with the ids above, only after a pause.
type late struct {
	// before and after are the lab without them and with them.
	before, after *ec2sim.Sim
	shown         bool
	pauses        int
	conn          *Connection
	// paused reports whether there is time for a pause.
	paused bool
}

func (l *late) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.shown {
		l.after.ServeHTTP(w, r)
		return
	}
	l.before.ServeHTTP(w, r)
}

func (l *late) calls() int { return len(l.before.Calls()) + len(l.after.Calls()) }

func addNewThings(s *ec2sim.Sim) {
	r := s.Region(ec2sim.LabRegion)
	r.AddSubnet(ec2sim.Subnet{ID: deadSubnet, VPCID: ec2sim.LabVPC, CIDR: "10.88.200.0/24"})
	r.AddSecurityGroup(ec2sim.SecurityGroup{ID: deadGroup, VPCID: ec2sim.LabVPC, Name: "new"})
	r.AddRouteTable(ec2sim.RouteTable{ID: deadTable, VPCID: ec2sim.LabVPC})
	r.AddInstance(ec2sim.Instance{ID: deadInstance},
		ec2sim.Interface{ID: deadInterface, SubnetID: deadSubnet})
}

// newLate reads from such an EC2. The pauses take no time. What is new is shown after the first
// one if it is said so.
func newLate(t *testing.T, shown bool) (*Reader, *late) {
	t.Helper()
	l := &late{before: ec2sim.New(ec2sim.Lab()),
		after: ec2sim.New(ec2sim.Lab(), ec2sim.Seed(addNewThings)), paused: true}
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_EC2", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", ec2sim.LabCredential.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", ec2sim.LabCredential.SecretAccessKey)
	var err error
	if l.conn, err = Connect(t.Context(), ec2sim.LabRegion, 5*time.Second,
		slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	l.conn.absent.wait = func(_ context.Context, d time.Duration) bool {
		if d != 500*time.Millisecond {
			t.Errorf("a pause of %s, want a tenth of the timeout", d)
		}
		l.pauses++
		l.shown = shown
		return l.paused
	}
	return l.conn.reader(), l
}

// readings are every reading that can find that something does not exist. Each reports whether it
// was found.
var readings = []struct {
	name, id string
	read     func(context.Context, *Reader, string) (bool, error)
	// calls is how often EC2 is called for one reading that finds nothing.
	calls int
	// filtered readings answer without an error.
	filtered bool
}{
	{"an interface", deadInterface, func(ctx context.Context, r *Reader, id string) (bool, error) {
		found, err := r.DescribeNetworkInterfaces(ctx, id)
		return len(found) == 1, err
	}, 1, false},
	{"one of two interfaces", deadInterface,
		func(ctx context.Context, r *Reader, id string) (bool, error) {
			found, err := r.DescribeNetworkInterfaces(ctx, ec2sim.LabRouterAInterface, id)
			return len(found) == 2, err
		}, 3, false},
	{"those that exist of two interfaces", deadInterface,
		func(ctx context.Context, r *Reader, id string) (bool, error) {
			found, err := r.ExistingNetworkInterfaces(ctx, id, ec2sim.LabRouterAInterface)
			if err == nil && found[len(found)-1].ID != ec2sim.LabRouterAInterface {
				return false, errors.New("the other one is left out, too")
			}
			return len(found) == 2, err
		}, 3, true},
	{"an instance", deadInstance, func(ctx context.Context, r *Reader, id string) (bool, error) {
		i, err := r.DescribeInstance(ctx, id)
		return i.ID == id, err
	}, 1, false},
	{"a route table", deadTable, func(ctx context.Context, r *Reader, id string) (bool, error) {
		table, err := r.DescribeRouteTable(ctx, id)
		return table.ID == id, err
	}, 1, false},
	{"a subnet", deadSubnet, func(ctx context.Context, r *Reader, id string) (bool, error) {
		s, err := r.DescribeSubnet(ctx, id)
		return s.ID == id, err
	}, 1, false},
	{"a security group", deadGroup, func(ctx context.Context, r *Reader, id string) (bool, error) {
		found, err := r.DescribeSecurityGroups(ctx, id)
		return len(found) == 1, err
	}, 1, true},
	{"the node's own interface", deadInterface,
		func(ctx context.Context, r *Reader, id string) (bool, error) {
			return eachExpected(ctx, r, ec2model.InterfaceQuery{IDs: []string{id}, Expected: true})
		}, 1, true},
	{"the interfaces of an instance", deadInstance,
		func(ctx context.Context, r *Reader, id string) (bool, error) {
			return eachExpected(ctx, r, ec2model.InterfaceQuery{InstanceID: id, Expected: true})
		}, 1, true},
}

func eachExpected(ctx context.Context, r *Reader, q ec2model.InterfaceQuery) (bool, error) {
	found := false
	err := r.EachInterface(ctx, "it", q, func(ec2model.Interface) { found = true })
	return found, err
}

// TestAbsenceIsReadTwice: that something does not exist is said after two readings, with a pause
// between them, and once only: the next reading in the same run does not pause again.
func TestAbsenceIsReadTwice(t *testing.T) {
	for _, c := range readings {
		t.Run(c.name, func(t *testing.T) {
			r, l := newLate(t, false)
			for run := 1; run <= 2; run++ {
				found, err := c.read(t.Context(), r, c.id)
				if found || c.filtered && err != nil {
					t.Errorf("found %t, %v", found, err)
				}
				if !c.filtered {
					notFound(t, err, c.id)
				}
				if want := (run + 1) * c.calls; l.calls() != want || l.pauses != 1 {
					t.Errorf("run %d: %d calls, %d pauses; want %d and 1", run, l.calls(), l.pauses, want)
				}
			}
		})
	}
}

// notFound holds an error against what a person needs of a not-found failure.
func notFound(t *testing.T, err error, id string) {
	t.Helper()
	var f *protocol.Failure
	switch {
	case !errors.As(err, &f), f.Class != protocol.NotFound, !f.MayRetry():
		t.Errorf("%#v, want not-found, retryable", err)
	case !strings.Contains(f.Message, id), !strings.Contains(f.Message, "asked twice"):
		t.Errorf("it does not say what was asked twice: %s", f.Message)
	case !strings.HasSuffix(f.Facts[protocol.FactAWSErrorCode], ".NotFound"),
		f.Facts[protocol.FactRequestID] == "":
		t.Errorf("EC2's own words are not told: %v", f.Facts)
	}
}

// TestNewThingsAreShownLate: what EC2 shows only after the pause is there.
func TestNewThingsAreShownLate(t *testing.T) {
	for _, c := range readings {
		t.Run(c.name, func(t *testing.T) {
			r, l := newLate(t, true)
			if found, err := c.read(t.Context(), r, c.id); err != nil || !found || l.pauses != 1 {
				t.Errorf("found %t, %v, %d pauses", found, err, l.pauses)
			}
			// It is there, then gone: that is an absence of its own, to be read twice again.
			l.shown = false
			if found, err := c.read(t.Context(), r, c.id); err != nil || !found || l.pauses != 2 {
				t.Errorf("once more: found %t, %v, %d pauses", found, err, l.pauses)
			}
		})
	}
}

// TestWhatIsThereIsReadOnce: the second reading costs nothing in the ordinary case.
func TestWhatIsThereIsReadOnce(t *testing.T) {
	for _, c := range readings {
		t.Run(c.name, func(t *testing.T) {
			r, l := newLate(t, true)
			l.shown = true
			if found, err := c.read(t.Context(), r, c.id); err != nil || !found || l.calls() != 1 ||
				l.pauses != 0 {
				t.Errorf("found %t, %v, %d calls, %d pauses", found, err, l.calls(), l.pauses)
			}
		})
	}
}

// TestNoTimeForASecondReading: one reading that does not show a thing is no answer.
func TestNoTimeForASecondReading(t *testing.T) {
	for _, c := range readings {
		t.Run(c.name, func(t *testing.T) {
			r, l := newLate(t, false)
			l.paused = false
			_, err := c.read(t.Context(), r, c.id)
			var f *protocol.Failure
			if !errors.As(err, &f) || f.Class != protocol.Timeout ||
				!strings.Contains(f.Message, "second time") {
				t.Errorf("%v, want a timeout", err)
			}
		})
	}
}

// TestTwoAbsencesShareAPause: two interfaces that do not exist are paused for once.
func TestTwoAbsencesShareAPause(t *testing.T) {
	r, l := newLate(t, false)
	found, err := r.ExistingNetworkInterfaces(t.Context(), deadInterface, deadOther)
	if err != nil || len(found) != 0 || l.pauses != 1 || l.calls() != 6 {
		t.Errorf("%v, %v, %d pauses, %d calls", found, err, l.pauses, l.calls())
	}
	_, err = r.DescribeNetworkInterfaces(t.Context(), deadInterface)
	if notFound(t, err, deadInterface); l.pauses != 1 {
		t.Errorf("%d pauses", l.pauses)
	}
}

// TestAMalformedIDIsNotReadTwice: it can't be right later either.
func TestAMalformedIDIsNotReadTwice(t *testing.T) {
	r, l := newLate(t, false)
	_, err := r.DescribeNetworkInterfaces(t.Context(), "eni-zz")
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.InvalidRequest || l.calls() != 1 || l.pauses != 0 {
		t.Errorf("%v, %d calls, %d pauses", err, l.calls(), l.pauses)
	}
}

// TestThePauseIsWithinTheTime: a tenth of it, and two seconds at most.
func TestThePauseIsWithinTheTime(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{
		time.Second: 100 * time.Millisecond, 25 * time.Second: 2 * time.Second,
		time.Hour: 2 * time.Second,
	} {
		if got := newAbsences(timeout, nil).pause; got != want {
			t.Errorf("of %s: %s, want %s", timeout, got, want)
		}
	}
}

// TestAChangeThatWasRefusedForANewThing is sent a second time, after a pause; a third time never.
func TestAChangeThatWasRefusedForANewThing(t *testing.T) {
	for _, shown := range []bool{true, false} {
		_, l := newLate(t, shown)
		w := l.conn.Writer().(*Writer)
		to := netip.MustParsePrefix("10.98.0.0/24")
		err := w.CreateRoute(t.Context(), ec2sim.LabRouteTable, to, deadInterface)
		if l.pauses != 1 || l.calls() != 2 {
			t.Errorf("shown %t: %d pauses, %d calls", shown, l.pauses, l.calls())
		}
		if shown && err != nil {
			t.Errorf("EC2 knows the interface by then: %v", err)
		}
		if !shown {
			notFound(t, err, deadInterface)
		}
	}
}

// TestNoSecondChangeAfterTheLease: what was refused for a new thing is not sent again if the lease
// could end before.
func TestNoSecondChangeAfterTheLease(t *testing.T) {
	for lease, calls := range map[time.Duration]int{time.Hour: 2, 100 * time.Millisecond: 1} {
		_, l := newLate(t, true)
		ctx := action.WithLease(t.Context(), time.Now().Add(lease))
		to := netip.MustParsePrefix("10.98.0.0/24")
		err := l.conn.Writer().(*Writer).CreateRoute(ctx, ec2sim.LabRouteTable, to, deadInterface)
		var f *protocol.Failure
		if l.calls() != calls || errors.As(err, &f) != (calls == 1) || f != nil &&
			f.Class != protocol.Timeout {
			t.Errorf("a lease of %s: %d calls, %v; want %d", lease, l.calls(), err, calls)
		}
	}
}
