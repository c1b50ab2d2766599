package action

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

// checked takes one field of each kind.
var checked = Verb{
	Name: "v",
	Target: []Field{
		{Name: "nicRef", Form: InterfaceID, Required: true, Doc: "the interface"},
		{Name: "address", Form: HostIPv4, Doc: "the address"},
	},
	Parameters: []Field{
		{Name: "force", Form: Boolean, Doc: "by force"},
		{Name: "prior", Form: Boolean, Required: true, Doc: "what was before"},
		{Name: "note", Form: Text, Doc: "a note"},
		{Name: "title", Form: Text, Required: true, Doc: "a title"},
		{Name: "groups", Form: ListOf(RouteTableID), Doc: "some ids"},
		OnDrift,
	},
}

func TestCheck(t *testing.T) {
	type texts = map[string]string
	for _, c := range []struct {
		name               string
		target, parameters texts
		want               Request
		faults             protocol.Faults
	}{
		{
			name:   "what is required",
			target: texts{"nicRef": "eni-01234567"}, parameters: texts{"prior": "Yes", "title": " "},
			want: Request{Target: texts{"nicRef": "eni-01234567"},
				Parameters: texts{"prior": "true", "title": " "}},
		},
		{
			name:   "all of it, in canonical text",
			target: texts{"nicRef": "eni-01234567", "address": "10.0.0.9/32"},
			parameters: texts{"prior": "0", "title": "t", "force": "ON", "note": " n ",
				"groups": "rtb-01234567,rtb-89abcdef", "onDrift": "restore"},
			want: Request{
				Target: texts{"nicRef": "eni-01234567", "address": "10.0.0.9"},
				Parameters: texts{"prior": "false", "title": "t", "force": "true", "note": " n ",
					"groups": "rtb-01234567,rtb-89abcdef", "onDrift": "restore"},
			},
		},
		{
			name:       "an empty text is an absent one",
			target:     texts{"nicRef": "eni-01234567", "address": ""},
			parameters: texts{"prior": "1", "title": "t", "note": "", "groups": "", "onDrift": ""},
			want: Request{Target: texts{"nicRef": "eni-01234567"},
				Parameters: texts{"prior": "true", "title": "t"}},
		},
		{
			name:       "what the verb does not declare is left out",
			target:     texts{"nicRef": "eni-01234567", "NICREF": "x", "mobilityLease": "y"},
			parameters: texts{"prior": "1", "title": "t", "nicRef": "not here", "Force": "maybe"},
			want: Request{Target: texts{"nicRef": "eni-01234567"},
				Parameters: texts{"prior": "true", "title": "t"}},
		},
		{
			name: "nothing",
			want: Request{Target: texts{}, Parameters: texts{}},
			faults: protocol.Faults{
				{Path: "spec.target.nicRef", Reason: "is required: the interface"},
				{Path: "spec.parameters.prior", Reason: "is required: what was before"},
				{Path: "spec.parameters.title", Reason: "is required: a title"},
			},
		},
		{
			name:   "everything wrong, named at once",
			target: texts{"nicRef": "", "address": "10.0.0.0/24"},
			parameters: texts{"force": "", "prior": "", "title": "", "groups": "rtb-01234567,",
				"onDrift": "maybe"},
			want: Request{Target: texts{}, Parameters: texts{}},
			faults: protocol.Faults{
				{Path: "spec.target.nicRef", Reason: "is required: the interface"},
				{Path: "spec.target.address",
					Reason: `is "10.0.0.0/24": is a network, want one IPv4 address, bare or as a /32`},
				{Path: "spec.parameters.force",
					Reason: `is "": want a boolean: 1, true, yes, on, or 0, false, no, off`},
				{Path: "spec.parameters.prior", Reason: "is required: what was before"},
				{Path: "spec.parameters.title", Reason: "is required: a title"},
				{Path: "spec.parameters.groups",
					Reason: `is "rtb-01234567,": want rtb- and 8 or 17 lower-case hexadecimal digits`},
				{Path: "spec.parameters.onDrift", Reason: `is "maybe": want one of fail, restore`},
			},
		},
		{
			name:       "what is right is there beside what is wrong",
			target:     texts{"nicRef": "AKIAIOSFODNN7EXAMPLE", "address": "10.0.0.9"},
			parameters: texts{"prior": "no", "title": "t"},
			want: Request{Target: texts{"address": "10.0.0.9"},
				Parameters: texts{"prior": "false", "title": "t"}},
			faults: protocol.Faults{
				{Path: "spec.target.nicRef",
					Reason: `is "(an access key)": want eni- and 8 or 17 lower-case hexadecimal digits`},
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, faults := checked.check(protocol.Request{Target: c.target, Parameters: c.parameters})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.faults, faults); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRequestBool(t *testing.T) {
	r := Request{Parameters: map[string]string{"yes": "true", "no": "false"}}
	if !r.Bool("yes") || r.Bool("no") || r.Bool("absent") || (Request{}).Bool("yes") {
		t.Error("only true is true")
	}
}

func TestRestore(t *testing.T) {
	const before, after = "eni-b", "eni-a"
	for _, c := range []struct {
		name, onDrift, now, overwrites string
		drift                          bool
	}{
		{name: "as the action left it", now: after},
		{name: "as it was before", now: before},
		{name: "neither", now: "eni-c", drift: true},
		{name: "neither, said so", onDrift: "fail", now: "eni-c", drift: true},
		{name: "neither, to be restored", onDrift: "restore", now: "eni-c", overwrites: "eni-c"},
		{name: "as the action left it, to be restored", onDrift: "restore", now: after},
		{name: "as it was before, to be restored", onDrift: "restore", now: before},
	} {
		t.Run(c.name, func(t *testing.T) {
			overwrites, err := Restore(Request{Parameters: map[string]string{"onDrift": c.onDrift}},
				"the holder of 10.0.0.9", before, after, c.now)
			if overwrites != c.overwrites || (err != nil) != c.drift {
				t.Fatalf("%q, %v", overwrites, err)
			}
			if err == nil {
				return
			}
			want := &protocol.Failure{
				Class: protocol.Drift,
				Message: "the holder of 10.0.0.9 is eni-c now: neither eni-a, as the action left it, nor " +
					"eni-b, as it was before; " +
					"someone else changed it: look who, then undo by hand or with onDrift=restore",
				Facts: map[string]string{"drift": "eni-c"},
			}
			var got *protocol.Failure
			errors.As(err, &got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRestoreWithoutWhatTheActionLeft: an empty word in the sentence would tell nobody what lacks.
func TestRestoreWithoutWhatTheActionLeft(t *testing.T) {
	_, err := Restore(Request{}, "the tag", `"1"`, "", `"2"`)
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.Drift || !strings.Contains(f.Message,
		`the tag is "2" now, not "1", as it was before, and no fact tells how the action left it`) {
		t.Error(err)
	}
}

type readsA interface{ ReadA() string }

type a struct{}

func (a) ReadA() string { return "a" }

// TestVerbsGetWhatTheyDeclare: a reader or a writer without the methods is an error,
// never a panic.
func TestVerbsGetWhatTheyDeclare(t *testing.T) {
	plan := PlanWith(func(_ context.Context, r readsA, _ Request) (*Plan, error) {
		return &Plan{Skip: r.ReadA()}, nil
	})
	if p, err := plan(t.Context(), a{}, Request{}); err != nil || p.Skip != "a" {
		t.Errorf("%v %v", p, err)
	}
	for _, reader := range []any{nil, struct{}{}} {
		if p, err := plan(t.Context(), reader, Request{}); err == nil || p != nil {
			t.Errorf("a plan with %T: %v %v", reader, p, err)
		}
	}
	var moved []string
	set := SetWith(func(_ context.Context, w readsA, from, to string) error {
		moved = append(moved, w.ReadA(), from, to)
		return nil
	})
	if err := set(t.Context(), struct{}{}, "x", "y"); err == nil {
		t.Error("changed with a writer that can't")
	}
	if err := set(t.Context(), a{}, "x", "y"); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"a", "x", "y"}, moved); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNamesOnTheWire: cores and people write these into requests.
func TestNamesOnTheWire(t *testing.T) {
	for want, f := range map[string]Field{
		"onDrift": OnDrift, "ignoreHolders": IgnoreHolders, "mobilityAssignmentLeaseUntil": Lease,
		"unknownPrior": UnknownPrior,
	} {
		if f.Name != want || f.Doc == "" {
			t.Errorf("%s is %q: %s", want, f.Name, f.Doc)
		}
	}
	levels, families := []Level{Low, Medium, High}, []AddressFamily{IPv4, IPv6}
	if diff := cmp.Diff([]Level{"low", "medium", "high"}, levels); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]AddressFamily{"ipv4", "ipv6"}, families); diff != "" {
		t.Error(diff)
	}
}

// TestLeaseOver: at its end, and later, no change is begun. The refusal tells both times.
func TestLeaseOver(t *testing.T) {
	until := time.Date(2026, 11, 29, 8, 0, 0, 5e8, time.FixedZone("", 3600))
	if f := LeaseOver(until, until.Add(-1)); f != nil {
		t.Errorf("before its end: %v", f)
	}
	const want = "the lease ended at 2026-11-29T08:00:00.5+01:00 (mobilityAssignmentLeaseUntil)," +
		" and it is 2026-11-29T07:00:00Z by this machine's clock"
	if f := LeaseOver(until, until); f == nil || f.Class != protocol.Denied || f.Message != want {
		t.Errorf("at its end: %+v", f)
	}
}

// TestUntold: an undo without facts has nothing to do where its record would be kept. Elsewhere
// nobody knows what was there before.
func TestUntold(t *testing.T) {
	skip, err := NoFacts(Request{Durable: true}, "it stays")
	if !strings.HasSuffix(skip, "; it stays") || err != nil {
		t.Errorf("%q, %v", skip, err)
	}
	skip, err = NoFacts(Request{}, "it stays")
	var f *protocol.Failure
	if skip != "" || !errors.As(err, &f) || f.Class != protocol.InvalidRequest ||
		!strings.Contains(f.Message, "; it stays; nothing was changed") {
		t.Errorf("%q, %v", skip, err)
	}
}

// TestUnforeseen: only what this identity may not read is told; the permission is named if it is
// known.
func TestUnforeseen(t *testing.T) {
	refused := protocol.Refuse(protocol.Authorization, "no")
	for want, err := range map[string]error{
		"the subnet (ec2:DescribeSubnets is not allowed)": refused.With(
			protocol.FactPermissionHint, "ec2:DescribeSubnets"),
		"the subnet (reading it is not allowed)": refused,
		"":                                       protocol.Refuse(protocol.Unavailable, "no answer"),
	} {
		if got := Unforeseen(err, "the subnet"); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
	if got := Unforeseen(errors.New("a bug"), "the subnet"); got != "" {
		t.Errorf("%q", got)
	}
}

func TestMerge(t *testing.T) {
	first, second := map[string]string{"a": "1", "b": "1"}, map[string]string{"b": "2"}
	if diff := cmp.Diff(map[string]string{"a": "1", "b": "2"}, Merge(first, nil, second)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if first["b"] != "1" || Merge() == nil {
		t.Error("Merge changes what it is given, or gives nil")
	}
}

// TestUnknownIsNoFailure: a lost answer must not be taken for an outcome.
func TestUnknownIsNoFailure(t *testing.T) {
	err := error(&Unknown{Cause: protocol.Refuse(protocol.Unavailable, "lost %d", 1)})
	var f *protocol.Failure
	if errors.As(err, &f) {
		t.Error("an unknown outcome passes for a failure")
	}
	if err.Error() != "lost 1" {
		t.Errorf("%v", err)
	}
}
