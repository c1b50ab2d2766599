package ec2sim_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

const checkOp = "ModifyNetworkInterfaceAttribute"

// checkOff switches router-a's check off: the change the faults here strike.
func (p *peer) checkOff() (answer, error) {
	p.t.Helper()
	return p.try(checkOp, eniParam(ec2sim.LabRouterAInterface), "SourceDestCheck.Value=false")
}

// seen is what a read says of router-a's check.
func (p *peer) seen() string {
	p.t.Helper()
	return p.ok("DescribeNetworkInterfaces", "NetworkInterfaceId.1="+ec2sim.LabRouterAInterface).
		one("networkInterfaceSet/item/sourceDestCheck")
}

func TestFaultAnswers(t *testing.T) {
	tests := []struct {
		name   string
		fault  ec2sim.Fault
		status int // 0: no whole answer
		code   string
		effect bool
	}{
		{"none", ec2sim.Fault{}, 200, "", true},
		{"throttled", ec2sim.Fail(checkOp, "RequestLimitExceeded"), 503, "RequestLimitExceeded", false},
		{"throttled after all", ec2sim.FailAfter(checkOp, "RequestLimitExceeded"), 503,
			"RequestLimitExceeded", true},
		{"internal", ec2sim.Fail(checkOp, "InternalError"), 500, "InternalError", false},
		{"internal after", ec2sim.FailAfter(checkOp, "InternalError"), 500, "InternalError", true},
		{"unavailable", ec2sim.Fail(checkOp, "Unavailable"), 503, "Unavailable", false},
		{"unauthorized", ec2sim.Fail(checkOp, "UnauthorizedOperation"), 403,
			"UnauthorizedOperation", false},
		{"expired", ec2sim.Fail(checkOp, "RequestExpired"), 400, "RequestExpired", false},
		{"any code", ec2sim.Fail(checkOp, "Whatever"), 400, "Whatever", false},
		{"lost answer", ec2sim.LoseAnswer(checkOp), 0, "", true},
		{"lost request", ec2sim.LoseRequest(checkOp), 0, "", false},
		{"cut answer", ec2sim.CutAnswer(checkOp), 0, "", true},
		{"ignored", ec2sim.Ignore(checkOp), 200, "", false},
		{"delayed", ec2sim.Delay(checkOp, time.Millisecond), 200, "", true},
		{"delayed answer", ec2sim.DelayAnswer(checkOp, time.Millisecond), 200, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := lab(t)
			p.inject(tt.fault)
			before := p.sim.State()
			a, err := p.checkOff()
			if answered := err == nil; answered != (tt.status != 0) {
				t.Errorf("answered %d: %s %v", a.status, a.body, err)
			}
			if err == nil && (a.status != tt.status || a.code != tt.code ||
				a.code != "" && a.message == "") {
				t.Errorf("answered %d %s: %s", a.status, a.code, a.message)
			}
			if changed := !cmp.Equal(before, p.sim.State()); changed != tt.effect {
				t.Errorf("changed: %t", changed)
			}
			p.logged(tt.effect, tt.name != "none")
			if _, err := p.checkOff(); err != nil {
				t.Errorf("the fault struck twice: %v", err)
			}
		})
	}
}

// logged checks that there was one call, a change, with or without effect and a fault.
func (p *peer) logged(effect, struck bool) {
	p.t.Helper()
	calls := p.sim.Calls()
	if len(calls) != 1 || calls[0].Effect != effect || !calls[0].Change ||
		len(calls[0].Faults) != 1 && struck {
		p.t.Errorf("logged %+v", calls)
	}
}

func TestUnauthorizedFaultNamesTheCaller(t *testing.T) {
	p := lab(t)
	p.inject(ec2sim.Fail("*", "UnauthorizedOperation").Times(ec2sim.Always))
	a, _ := p.checkOff()
	for _, part := range []string{
		"You are not authorized to perform this operation. User: " +
			"arn:aws:iam::123456789012:user/lab-operator",
		"is not authorized to perform: ec2:ModifyNetworkInterfaceAttribute",
		"Encoded authorization failure message: ",
	} {
		if !strings.Contains(a.message, part) {
			t.Errorf("%q does not say %q", a.message, part)
		}
	}
	if a := p.call("DescribeVpcs"); strings.Contains(a.message, "Encoded") {
		t.Errorf("a denied Describe has an encoded message: %q", a.message)
	}
}

func TestNotXML(t *testing.T) {
	p := lab(t)
	p.inject(ec2sim.NotXML(checkOp))
	if a, _ := p.checkOff(); a.status != 200 || !strings.Contains(a.body, "It works!") {
		t.Errorf("answered %d %q", a.status, a.body)
	}
	if p.eni(ec2sim.LabRouterAInterface).SourceDestCheck {
		t.Error("the change was not made")
	}
}

// Which of ten calls a fault strikes: x struck, . not.
func TestFaultSelection(t *testing.T) {
	fail := ec2sim.Fail("DescribeVpcs", "InternalError")
	tests := []struct {
		name  string
		fault ec2sim.Fault
		want  string
	}{
		{"the first", fail, "x........."},
		{"the third", fail.OnNth(3), "..x......."},
		{"three from the second", fail.OnNth(2).Times(3), ".xxx......"},
		{"always", fail.Times(ec2sim.Always), "xxxxxxxxxx"},
		{"from the eighth on", fail.OnNth(8).Times(ec2sim.Always), ".......xxx"},
		{"by pattern", ec2sim.Fail("Describe*", "InternalError").Times(2), "xx........"},
		{"reads", ec2sim.Fail("reads", "InternalError").Times(2), "xx........"},
		{"changes", ec2sim.Fail("changes", "InternalError").Times(2), ".........."},
		{"every operation", ec2sim.Fail("", "InternalError"), "x........."},
		{"another operation", ec2sim.Fail("DescribeSubnets", "InternalError"), ".........."},
		{"a parameter", fail.Where("VpcId.1", "vpc-*088*").Times(2), "xx........"},
		{"a parameter that is not there", fail.Where("VpcId.2", "*"), ".........."},
		{"both of two parameters", fail.Where("VpcId.1", "*").Where("VpcId.2", "*"), ".........."},
		{"another region", ec2sim.Fault{Region: "us-east-1", Answer: ec2sim.AnswerLost}, ".........."},
		{"another caller", ec2sim.Fault{AccessKeyID: "x", Answer: ec2sim.AnswerLost}, ".........."},
		{"by chance, the same each time", fail.Sometimes(0.5, 7).Times(ec2sim.Always), "..xxxxxx.x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := lab(t)
			p.inject(tt.fault)
			got := ""
			for range 10 {
				if p.call("DescribeVpcs", "VpcId.1="+ec2sim.LabVPC).status == http.StatusOK {
					got += "."
				} else {
					got += "x"
				}
			}
			if got != tt.want {
				t.Errorf("struck %s, want %s", got, tt.want)
			}
			if state := p.sim.Faults()[0]; state.Struck != strings.Count(got, "x") {
				t.Errorf("counted %+v", state)
			}
		})
	}
}

func TestFaultsCombine(t *testing.T) {
	p := lab(t)
	p.inject(ec2sim.Delay("*", 30*time.Millisecond), ec2sim.Fail("*", "InternalError"),
		ec2sim.Fail("*", "Unavailable"))
	begin := time.Now()
	if a, _ := p.checkOff(); a.code != "InternalError" {
		t.Errorf("answered %s", a.code)
	}
	if time.Since(begin) < 30*time.Millisecond {
		t.Error("not delayed")
	}
}

func TestFaultsThatCannotBe(t *testing.T) {
	s := ec2sim.New()
	for _, f := range []ec2sim.Fault{
		{Answer: ec2sim.AnswerError}, {Answer: "sulk"}, ec2sim.LoseAnswer("DescribeFoo"),
		ec2sim.Fail("*", ""),
	} {
		if err := s.Inject(f); err == nil {
			t.Errorf("%+v is in force", f)
		}
	}
	if len(s.Faults()) != 0 {
		t.Error("a refused fault is in force")
	}
}

// What reads see after a change, one letter each: s stale, f fresh.
func TestStaleReads(t *testing.T) {
	tests := []struct {
		name  string
		stale ec2sim.Stale
		step  time.Duration // between reads
		want  string
	}{
		{"three reads", ec2sim.Stale{Reads: 3}, 0, "sssfff"},
		{"for a time", ec2sim.Stale{For: 25 * time.Second}, 10 * time.Second, "ssffff"},
		{"reads and time, the longer", ec2sim.Stale{Reads: 4, For: 25 * time.Second},
			10 * time.Second, "ssssff"},
		{"flapping", ec2sim.Stale{Reads: 5, Flap: true}, 0, "sfsfsf"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clock := newClock()
			p := lab(t, ec2sim.WithClock(clock.Now))
			p.inject(ec2sim.Fault{Operation: checkOp, Stale: &tt.stale})
			if _, err := p.checkOff(); err != nil {
				t.Fatal(err)
			}
			got := ""
			for range 6 {
				clock.advance(tt.step)
				if p.seen() == "true" {
					got += "s"
				} else {
					got += "f"
				}
			}
			if got != tt.want {
				t.Errorf("seen %s, want %s", got, tt.want)
			}
		})
	}
}

func TestChangesAreNeverStale(t *testing.T) {
	p := lab(t)
	p.inject(ec2sim.StaleReads("AssignPrivateIpAddresses", 100))
	p.ok("AssignPrivateIpAddresses", eniParam(ec2sim.LabRouterAInterface),
		"PrivateIpAddress.1=10.88.60.9")
	if a := p.call("AssignPrivateIpAddresses", eniParam(ec2sim.LabRouterBInterface),
		"PrivateIpAddress.1=10.88.60.9"); a.code != "InvalidParameterValue" {
		t.Errorf("a change worked on the past: %d %s", a.status, a.code)
	}
	p.sim.ClearFaults()
	if !strings.Contains(p.ok("DescribeNetworkInterfaces").body, "10.88.60.9<") {
		t.Error("reads are stale after the faults were cleared")
	}
}

func TestDelayedChangeComesThoughTheClientHasGone(t *testing.T) {
	p := lab(t)
	p.inject(ec2sim.Delay(checkOp, 300*time.Millisecond))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := p.request(checkOp, eniParam(ec2sim.LabRouterAInterface), "SourceDestCheck.Value=false")
	gone := make(chan error, 1)
	go func() {
		_, err := p.client.Do(r.WithContext(ctx))
		gone <- err
	}()
	// The client goes as soon as its call has arrived.
	for len(p.sim.Calls()) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	for deadline := time.Now().Add(5 * time.Second); p.eni(
		ec2sim.LabRouterAInterface).SourceDestCheck; {
		if time.Now().After(deadline) {
			t.Fatal("the change never came")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestResetEndsDelays(t *testing.T) {
	p := lab(t)
	p.inject(ec2sim.Delay(checkOp, time.Hour))
	waiting := make(chan struct{})
	done := make(chan error)
	go func() {
		close(waiting)
		_, err := p.client.Do(
			p.request(checkOp, eniParam(ec2sim.LabRouterAInterface), "SourceDestCheck.Value=false"))
		done <- err
	}()
	<-waiting
	for len(p.sim.Calls()) == 0 || p.sim.Calls()[0].Faults == nil {
		time.Sleep(time.Millisecond)
	}
	p.sim.Reset()
	if err := <-done; err == nil {
		t.Error("the delayed call was answered")
	}
	if diff := cmp.Diff(ec2sim.New(ec2sim.Lab()).State(), p.sim.State()); diff != "" {
		t.Errorf("not as it was when it was new:\n%s", diff)
	}
	if len(p.sim.Calls()) != 0 || len(p.sim.Faults()) != 0 {
		t.Error("calls or faults are left")
	}
}
