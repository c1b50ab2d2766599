package license

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/licenses/licensemodel"
	"aws-provider-executor/pkg/protocol"
)

// pool is a pool that is read and changed without a table.
type pool struct {
	all []licensemodel.License
	// given and taken are the changes.
	given, taken []string
	// elsewhere are texts that another pool's instances have.
	elsewhere []string
}

func (p *pool) LicenseStock(context.Context, string, string) (licensemodel.Stock, error) {
	return licensemodel.Stock{Licenses: slices.Clone(p.all)}, nil
}

func (p *pool) LicenseContent(_ context.Context, _, id string) (string, error) {
	return "text of " + id, nil
}

func (p *pool) LicenseContentTaken(_ context.Context, _, content string) (bool, error) {
	return slices.Contains(p.elsewhere, content), nil
}

func (p *pool) TakeLicense(_ context.Context, l licensemodel.License, content, i string) error {
	p.taken = append(p.taken, l.ID+" "+content+" "+i)
	return nil
}

func (p *pool) GiveLicense(_ context.Context, l licensemodel.License) error {
	p.given = append(p.given, l.ID)
	return nil
}

const instance, other = "i-0000000000000000a", "i-0000000000000000b"

// planned is the plan of a verb for the instance.
func (p *pool) planned(t *testing.T, verb string) (*action.Plan, error) {
	t.Helper()
	v, ok := action.NewRegistry(Verbs()).Lookup(verb)
	if !ok {
		t.Fatalf("there is no %s", verb)
	}
	return v.Plan(t.Context(), p, action.Request{
		Target:     map[string]string{targetInstance: instance, targetPool: "edge"},
		Parameters: map[string]string{paramSource: "/x/"}, Past: &action.Past{Key: "k"},
	})
}

func refused(t *testing.T, err error, class protocol.FailureClass, words string) {
	t.Helper()
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != class || !strings.Contains(f.Message, words) {
		t.Errorf("it answers %v, want %s: %s", err, class, words)
	}
}

// TestWhatMovedSince: what another has since the plan was made is neither taken nor given back.
func TestWhatMovedSince(t *testing.T) {
	p := &pool{all: []licensemodel.License{{Pool: "edge", ID: "L1.lic", Stocked: true}}}
	assign, err := p.planned(t, "assign-license")
	if err != nil {
		t.Fatal(err)
	}
	move := func(plan *action.Plan) error {
		if _, err := plan.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		tr := plan.Transitions[0]
		return tr.Set(t.Context(), p, tr.From, tr.To)
	}
	if err := move(assign); err != nil || !slices.Equal(p.taken, []string{
		"L1.lic text of L1.lic " + instance}) {
		t.Errorf("taken are %v (%v)", p.taken, err)
	}
	p.all[0].Holder, p.all[0].Content = other, "text"
	refused(t, move(assign), protocol.Conflict, other+" has it")
	p.all[0].Holder = instance
	release, err := p.planned(t, "release-license")
	if err != nil {
		t.Fatal(err)
	}
	p.all[0].Holder = other
	refused(t, move(release), protocol.Conflict, "does not have the licence L1.lic")
	p.all = nil
	refused(t, move(release), protocol.Conflict, "does not have the licence L1.lic")
	refused(t, move(assign), protocol.Conflict, "it is not known")
	if len(p.taken) != 1 || len(p.given) != 0 {
		t.Errorf("taken are %v, given back %v", p.taken, p.given)
	}
}

// TestL4InAnotherPool: a text that another pool's instance has is passed over, and is not given
// back to one that had it.
func TestL4InAnotherPool(t *testing.T) {
	p := &pool{elsewhere: []string{"text of L1.lic"}, all: []licensemodel.License{
		{Pool: "edge", ID: "L1.lic", Stocked: true}, {Pool: "edge", ID: "L2.lic", Stocked: true}}}
	plan, err := p.planned(t, "assign-license")
	if err != nil || plan.Transitions[0].To != "L2.lic" {
		t.Fatalf("planned is %v (%v)", plan, err)
	}
	p.all = p.all[:1]
	_, err = p.planned(t, "assign-license")
	refused(t, err, protocol.LimitExceeded, "in use under another name or in another pool")
	p.all[0].Content = "text of L1.lic"
	s := slot{r: p, instance: instance, pool: "edge", all: p.all}
	refused(t, s.canBe(t.Context(), none, "L1.lic"), protocol.Conflict, "in another pool")
	p.elsewhere = nil
	if err := s.canBe(t.Context(), none, "L1.lic"); err != nil {
		t.Error(err)
	}
}

// TestTwoLicences of one instance are nobody's to choose between.
func TestTwoLicences(t *testing.T) {
	p := &pool{all: []licensemodel.License{
		{Pool: "edge", ID: "L1.lic", Holder: instance}, {Pool: "edge", ID: "L2.lic", Holder: instance},
	}}
	for _, verb := range []string{"assign-license", "release-license"} {
		_, err := p.planned(t, verb)
		refused(t, err, protocol.Conflict, "L1.lic and L2.lic")
	}
}

// TestForms: what names a pool, a source or a licence names nothing else.
func TestForms(t *testing.T) {
	for _, c := range []struct {
		form action.Form
		text string
		want bool
	}{
		{Pool, "edge.eu-1", true}, {Pool, "-edge", false}, {Pool, "", false}, {Pool, "a/b", false},
		{Pool, strings.Repeat("x", 65), false},
		{Source, "/var/lib/licences/", true}, {Source, "/etc/tokens.json", true},
		{Source, "s3://my-licences/edge/", true}, {Source, "s3://my-licences/", true},
		{Source, "s3://my-licences", false}, {Source, "s3://Bad_/x", false}, {Source, "x/", false},
		{Source, "/a b", false}, {Source, "https://x/", false}, {Source, "/#x", false},
		{ID, "FGT1.lic", true}, {ID, "none", false}, {idOrNone, "none", true}, {ID, "a/b.lic", false},
		{ID, "token-" + strings.Repeat("0", 32), true}, {ID, "token-0", false},
	} {
		if _, err := c.form.Canonical(c.text); (err == nil) != c.want {
			t.Errorf("%s %q: %v", c.form.Name, c.text, err)
		}
	}
}
