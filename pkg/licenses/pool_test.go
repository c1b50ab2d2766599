package licenses

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/licenses/licensemodel"
	"aws-provider-executor/pkg/protocol"
)

func refused(t *testing.T, err error, class protocol.FailureClass) {
	t.Helper()
	var f *protocol.Failure
	var unknown *action.Unknown
	if errors.As(err, &unknown) {
		err = unknown.Cause
	}
	if !errors.As(err, &f) || f.Class != class {
		t.Errorf("it answers %v, want %s", err, class)
	}
}

// known is a licence as the table has it.
func known(t *testing.T, p *Pool, id string) licensemodel.License {
	t.Helper()
	all, err := p.Known(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		if l.ID == id {
			return l
		}
	}
	return licensemodel.License{Pool: p.name, ID: id}
}

// TestL3OneItemALicense: of many that take a licence at once one has it, without any lock. Who
// comes late gets a conflict, which may be tried again, and changes nothing.
func TestL3OneItemALicense(t *testing.T) {
	p := NewPool(table.NewMemory(), "edge")
	free := known(t, p, "L1.lic")
	won := make(chan string, 32)
	var all sync.WaitGroup
	for n := range 32 {
		all.Go(func() {
			instance := fmt.Sprintf("i-%d", n)
			switch err := p.Take(t.Context(), free, "c1", instance); {
			case err == nil:
				won <- instance
			default:
				refused(t, err, protocol.Conflict)
			}
		})
	}
	all.Wait()
	if len(won) != 1 {
		t.Fatalf("%d took it", len(won))
	}
	l := known(t, p, "L1.lic")
	if want := (licensemodel.License{Pool: "edge", ID: "L1.lic", Holder: <-won, Content: "c1",
		Revision: 1}); l != want {
		t.Errorf("it is %v, want %v", l, want)
	}
	if err := p.Give(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	again := known(t, p, "L1.lic")
	if err := p.Take(t.Context(), again, "c1", "i-9"); err != nil {
		t.Fatal(err)
	}
	// Who read it before gives back nothing that is another's now.
	refused(t, p.Give(t.Context(), l), protocol.Conflict)
	if got := known(t, p, "L1.lic"); got.Holder != "i-9" {
		t.Errorf("it is %v", got)
	}
}

// TestL4OneTextUnderTwoNames is taken once, in one pool and in two, even by those who read all
// names as free.
func TestL4OneTextUnderTwoNames(t *testing.T) {
	p := NewPool(table.NewMemory(), "edge")
	one, two := known(t, p, "L1.lic"), known(t, p, "L2.lic")
	if err := p.Take(t.Context(), one, "c1", "i-1"); err != nil {
		t.Fatal(err)
	}
	refused(t, p.Take(t.Context(), two, "c1", "i-2"), protocol.Conflict)
	if got := known(t, p, "L2.lic"); got.Holder != "" || got.Revision != 0 {
		t.Errorf("the other one is %v", got)
	}
	core := NewPool(p.backend, "core")
	refused(t, core.Take(t.Context(), known(t, core, "L1.lic"), "c1", "i-2"), protocol.Conflict)
	if got := known(t, core, "L1.lic"); got.Holder != "" || got.Revision != 0 {
		t.Errorf("that of the other pool is %v", got)
	}
	for content, want := range map[string]bool{"c1": true, "c2": false} {
		if taken, err := core.Taken(t.Context(), content); taken != want || err != nil {
			t.Errorf("%s is taken: %t (%v)", content, taken, err)
		}
	}
	if err := p.Give(t.Context(), known(t, p, "L1.lic")); err != nil {
		t.Fatal(err)
	}
	if err := core.Take(t.Context(), known(t, core, "L1.lic"), "c1", "i-2"); err != nil {
		t.Errorf("what was given back is not free for the other pool: %v", err)
	}
}

// broken is a table that answers nothing.
type broken struct{ table.Backend }

var errBroken = protocol.Refuse(protocol.Throttled, "too many at once")

func (broken) List(context.Context, string) ([]string, error) { return nil, errBroken }

func (broken) Read(context.Context, []table.Place) (map[table.Place]table.Item, error) {
	return nil, errBroken
}

func (broken) Write(context.Context, []table.Change) error { return errBroken }

// TestL6UnreadPool: what can't be read is an error, and a write without an answer is not known to
// be none.
func TestL6UnreadPool(t *testing.T) {
	p := NewPool(broken{}, "edge")
	_, err := p.Known(t.Context())
	refused(t, err, protocol.StateStore)
	_, err = p.Taken(t.Context(), "c")
	refused(t, err, protocol.StateStore)
	_, err = p.Stock(t.Context(), files{folder{}, t.TempDir() + "/"})
	refused(t, err, protocol.StateStore)
	var unknown *action.Unknown
	for _, err := range []error{p.Take(t.Context(), licensemodel.License{ID: "L1.lic"}, "c", "i"),
		p.Give(t.Context(), licensemodel.License{ID: "L1.lic", Content: "c"})} {
		if !errors.As(err, &unknown) || !unknown.Cause.MayRetry() {
			t.Errorf("a write answers %v", err)
		}
	}
	for name, record := range map[string]string{
		"no JSON": "x", "another": `{"form":1,"pool":"edge","id":"L2.lic","content":"c"}`,
		"another pool": `{"form":1,"pool":"core","id":"L1.lic","content":"c"}`,
		"form":         `{"form":2,"pool":"edge","id":"L1.lic","content":"c"}`,
		"no content":   `{"form":1,"pool":"edge","id":"L1.lic"}`,
		"a field":      `{"form":1,"pool":"edge","id":"L1.lic","content":"c","x":1}`,
		"two":          `{"form":1,"pool":"edge","id":"L1.lic","content":"c"}{}`,
	} {
		t.Run(name, func(t *testing.T) {
			m := table.NewMemory()
			err := m.Write(t.Context(), []table.Change{{
				Place:  table.Place{Partition: "license/edge", Sort: "id/L1.lic"},
				Record: []byte(record), Revision: 1}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = NewPool(m, "edge").Known(t.Context())
			refused(t, err, protocol.StateStore)
		})
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestL20StockIsOfTheTable: what is free is never worked out from a list that is old. A licence is
// stocked or held, each by itself.
func TestL20StockIsOfTheTable(t *testing.T) {
	p, dir := NewPool(table.NewMemory(), "edge"), t.TempDir()
	write(t, dir, map[string]string{"L1.lic": "1", "L3.lic": "3", "README": "x", "a b.lic": "4"})
	for _, id := range []string{"L1.lic", "L2.lic"} {
		if err := p.Take(t.Context(), known(t, p, id), "c"+id, "i-"+id); err != nil {
			t.Fatal(err)
		}
	}
	s, err := p.Stock(t.Context(), files{folder{}, dir + "/"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range s.Licenses {
		got = append(got, fmt.Sprintf("%s %s %t", l.ID, l.Holder, l.Stocked))
	}
	want := []string{"L1.lic i-L1.lic true", "L2.lic i-L2.lic false", "L3.lic  true"}
	if diff := cmp.Diff(want, got); diff != "" || !slices.Equal(s.Ignored, []string{"a b.lic"}) {
		t.Errorf("ignored are %v; the stock (-want +got):\n%s", s.Ignored, diff)
	}
}

// TestSources: folders and lists are read as they are, and errors have nothing of a text.
func TestSources(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"L1.lic": "SECRET\r\nTEXT \n", "empty.lic": " \n",
		"tokens": "# comment\n T0K \n\nT1K\nT0K", "json": `["T0K", " T1K", ""]`,
		"object": `{"T0K": 1}`, "large": strings.Repeat("x", maxText+1)})
	if err := os.Mkdir(filepath.Join(dir, "folder.lic"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "gone.lic")); err != nil {
		t.Fatal(err)
	}
	open := func(ref string) Source {
		s, err := Open(ref, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	lists := func(ref string, want ...string) {
		t.Helper()
		got, err := open(ref).List(t.Context())
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s lists %v (%v), want %v", ref, got, err, want)
		}
	}
	lists(dir+"/", "L1.lic", "empty.lic")
	two := []string{tokenID("T0K"), tokenID("T1K")}
	slices.Sort(two)
	lists(dir+"/tokens", two...)
	lists(dir+"/json", two...)
	reads := func(ref, id, want string, class protocol.FailureClass) {
		t.Helper()
		got, err := open(ref).Read(t.Context(), id)
		if string(got) != want && class == "" {
			t.Errorf("%s of %s is %q (%v)", id, ref, got, err)
		}
		if class != "" {
			refused(t, err, class)
		}
		if err != nil && (strings.Contains(err.Error(), "T0K") || strings.Contains(err.Error(), "SEC")) {
			t.Errorf("the error tells a text: %v", err)
		}
	}
	reads(dir+"/", "L1.lic", "SECRET\r\nTEXT \n", "")
	reads(dir+"/tokens", tokenID("T1K"), "T1K", "")
	reads(dir+"/", "empty.lic", "", protocol.Configuration)
	reads(dir+"/", "../json", "", protocol.InvalidRequest)
	reads(dir+"/", "L9.lic", "", protocol.NotFound)
	reads(dir+"/tokens", tokenID("T9K"), "", protocol.NotFound)
	reads(dir+"/object", tokenID("T0K"), "", protocol.Configuration)
	reads(dir+"/large", tokenID("T0K"), "", protocol.Configuration)
	reads(dir+"/none", tokenID("T0K"), "", protocol.NotFound)
	if Digest([]byte("a\r\nb\n \n")) != Digest([]byte("a\nb")) || Digest([]byte("ab")) == Digest(nil) {
		t.Error("line ends count, or texts do not")
	}
}

// TestIsID: what names a licence names nothing else.
func TestIsID(t *testing.T) {
	for id, want := range map[string]bool{
		"FGVM01.lic": true, "a+b=c@d_e-f.lic": true, tokenID("x"): true, ".lic": false, "": false,
		"none": false, "token-1": false, "../x.lic": false, "a b.lic": false, "x.LIC": false,
		"token-" + strings.Repeat("g", 32): false, strings.Repeat("x", 197) + ".lic": false,
	} {
		if got := IsID(id); got != want {
			t.Errorf("IsID(%q) is %t", id, got)
		}
	}
}

// TestAPipeIsNoLicence: it is not waited for who would write to it.
func TestAPipeIsNoLicence(t *testing.T) {
	dir := t.TempDir() + "/"
	if err := syscall.Mkfifo(dir+"A.lic", 0o600); err != nil {
		t.Fatal(err)
	}
	from, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = from.Read(t.Context(), "A.lic")
	refused(t, err, protocol.Configuration)
}
