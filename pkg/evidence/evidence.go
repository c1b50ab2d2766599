// Package evidence keeps what was seen before an action: the checks with the facts behind them, the
// plan and the plan of its undo, the network around, who looked, when, and with which programs.
//
// Evidence is one file in canonical JSON (RFC 8785). It keeps compatible: the file's fields, the
// form of the digests, and what each covers.
//
//   - Digest covers the whole file but itself. An approval names it.
//   - SeenDigest covers what was seen, apart from when, by whom and in which words. Two runs that
//     saw the same have the same one, in whatever order the provider answered.
//
// A digest that stands in a file proves nothing to one who doubts the file: whoever changes the
// file can compute it anew. Compare it with one that is kept elsewhere, or that was signed.
package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gowebpki/jcs"

	"aws-provider-executor/pkg/network"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/protocol"
)

// Format names the form of the file.
const Format = "aws-provider-executor/evidence/v1"

// MaxBytes is the largest file that is read.
const MaxBytes = 16 << 20

// depth is how deep a file may nest.
const depth = 32

// Document is the content of a file.
type Document struct {
	Format string `json:"format"`
	Taken  Taken  `json:"taken"`
	Seen   Seen   `json:"seen"`
	// SeenDigest and Digest are of the form sha256:<hex>.
	SeenDigest string `json:"seenDigest"`
	Digest     string `json:"digest"`
}

// Taken says when evidence was taken, by whom, and with what.
type Taken struct {
	// At is to the second, in UTC.
	At time.Time `json:"at"`
	// By is the user of the operating system, as that one names itself.
	By   string `json:"by"`
	Host string `json:"host"`
	// Program took the evidence, Plugin is the executor that told the plans.
	Program Program `json:"program"`
	Plugin  Program `json:"plugin"`
}

// Program is a program that took part.
type Program struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Digest is that of its file; empty where it was not read.
	Digest string `json:"digest"`
}

// Seen is what was seen.
type Seen struct {
	// Identity says as whom the provider was asked, and where.
	Identity map[string]string `json:"identity"`
	Subjects []Subject         `json:"subjects"`
	Checks   []Check           `json:"checks"`
	Network  network.Network   `json:"network"`
}

// Subject is one action that was looked at.
type Subject struct {
	// Key is the idempotency key. Plan is the digest of exactly what would run, as an approval
	// names it.
	Key         string            `json:"key"`
	Plan        string            `json:"plan"`
	Action      string            `json:"action"`
	Provider    string            `json:"provider"`
	ProviderRef string            `json:"providerRef"`
	Target      map[string]string `json:"target"`
	Parameters  map[string]string `json:"parameters"`
	// Undo is the verb that takes it back. It is empty if there is none.
	Undo    string  `json:"undo"`
	Outcome Outcome `json:"outcome"`
}

// Outcome is what the executor answered when it was asked what it would do.
type Outcome struct {
	// Status is that of the result. It is empty if the executor did not answer.
	Status  protocol.State `json:"status"`
	Message string         `json:"message"`
	// Observed are the facts that it told, without the plans.
	Observed map[string]string `json:"observed"`
	// Changes and UndoChanges are the plans that it told. They are nil where it told none, which is
	// not the same as a plan that changes nothing.
	Changes     []protocol.Change `json:"changes"`
	UndoChanges []protocol.Change `json:"undoChanges"`
}

// Check is a check of preflight, with the facts behind it.
type Check struct {
	preflight.Check
	Facts map[string]any `json:"facts"`
}

// OutcomeOf reads what an executor answered. An error says that a plan in it can't be read.
func OutcomeOf(s protocol.Status) (Outcome, error) {
	message, failure := s.Lines()
	o := Outcome{Status: s.Status, Message: message, Observed: map[string]string{}}
	if failure != "" {
		o.Message = failure
	}
	for name, value := range s.Observed {
		switch name {
		case protocol.FactPlan, protocol.FactUndoPlan, protocol.FactRequestID:
		default:
			o.Observed[name] = value
		}
	}
	var errs []error
	for name, to := range map[string]*[]protocol.Change{
		protocol.FactPlan: &o.Changes, protocol.FactUndoPlan: &o.UndoChanges,
	} {
		if text, told := s.Observed[name]; told {
			var err error
			*to, err = protocol.DecodeChanges(text)
			errs = append(errs, err)
		}
	}
	return o, errors.Join(errs...)
}

// ChecksOf returns the checks of a report, with their facts.
func ChecksOf(r preflight.Report) []Check {
	checks := make([]Check, len(r.Checks))
	for i, c := range r.Checks {
		checks[i] = Check{c, c.Facts}
		if c.Facts == nil {
			checks[i].Facts = map[string]any{}
		}
	}
	return checks
}

// Report returns the checks as a report of preflight.
func (d Document) Report() preflight.Report {
	var r preflight.Report
	for _, c := range d.Seen.Checks {
		c.Check.Facts = c.Facts
		r.Checks = append(r.Checks, c.Check)
	}
	return r
}

// Subject finds what was seen for an action, by the digest of its plan.
func (d Document) Subject(plan string) (Subject, bool) {
	i := slices.IndexFunc(d.Seen.Subjects, func(s Subject) bool { return s.Plan == plan })
	if i < 0 {
		return Subject{}, false
	}
	return d.Seen.Subjects[i], true
}

// skew is how far a clock may be ahead of the one that evidence was taken by.
const skew = time.Minute

// Age returns how old the evidence is. Evidence from a time that lies ahead is an error: one of the
// two clocks is wrong.
func (d Document) Age(now time.Time) (time.Duration, error) {
	age := now.Sub(d.Taken.At)
	if age < -skew {
		return 0, fmt.Errorf("the evidence is from %s, and it is %s now: one of the clocks is wrong",
			d.Taken.At.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return max(age, 0), nil
}

// New makes a document of what was seen, with its digests.
func New(taken Taken, seen Seen) (Document, error) {
	taken.At = taken.At.UTC().Truncate(time.Second)
	for _, c := range seen.Checks {
		if err := exact(c.Facts); err != nil {
			return Document{}, fmt.Errorf("the facts of the check %s: %w", protocol.Quote(c.Name), err)
		}
	}
	d := Document{Format: Format, Taken: taken, Seen: seen.whole()}
	var err error
	if d.SeenDigest, err = digest(d.Seen.apartFromWords()); err != nil {
		return Document{}, err
	}
	if d.Digest, err = digest(d.withoutDigest()); err != nil {
		return Document{}, err
	}
	// What could not be read back must not be written.
	text, err := d.Encode()
	if err == nil {
		_, err = Read(text)
	}
	return d, err
}

// exact refuses a number that JSON's readers do not agree on: RFC 8785 has those of a float64.
func exact(v any) error {
	const most = 1 << 53
	switch v := v.(type) {
	case map[string]any:
		for _, item := range v {
			if err := exact(item); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range v {
			if err := exact(item); err != nil {
				return err
			}
		}
	case int:
		return exact(int64(v))
	case int64:
		if v > most || v < -most {
			return fmt.Errorf("the number %d is too large to be told exactly", v)
		}
	}
	return nil
}

// whole returns a copy in which nothing is absent that is only empty, and the network is sorted.
func (s Seen) whole() Seen {
	s.Identity = present(s.Identity)
	s.Network = s.Network.Sorted()
	s.Checks = slices.Clone(s.Checks)
	if s.Checks == nil {
		s.Checks = []Check{}
	}
	for i := range s.Checks {
		if s.Checks[i].Facts == nil {
			s.Checks[i].Facts = map[string]any{}
		}
	}
	s.Subjects = slices.Clone(s.Subjects)
	if s.Subjects == nil {
		s.Subjects = []Subject{}
	}
	for i := range s.Subjects {
		x := &s.Subjects[i]
		x.Target, x.Parameters = present(x.Target), present(x.Parameters)
		x.Outcome.Observed = present(x.Outcome.Observed)
	}
	return s
}

func present(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// apartFromWords is what SeenDigest covers. Sentences are for people, and may tell how long
// something took. What a plan leads to follows from the request and from what was there; a fence
// puts its own time into it. So what was there counts, and where the undo leads.
func (s Seen) apartFromWords() Seen {
	s.Checks = slices.Clone(s.Checks)
	for i := range s.Checks {
		c := &s.Checks[i]
		c.Seen, c.Advice, c.Facts = "", "", maps.Clone(c.Facts)
		// What a plan changes is covered with its subject.
		maps.DeleteFunc(c.Facts, func(name string, value any) bool {
			_, plan := value.([]any)
			return name == "changes" && plan
		})
	}
	s.Subjects = slices.Clone(s.Subjects)
	for i := range s.Subjects {
		o := &s.Subjects[i].Outcome
		o.Message, o.Observed = "", map[string]string{}
		o.Changes = clone(o.Changes, func(c *protocol.Change) { c.To, c.Via = "", "" })
		o.UndoChanges = clone(o.UndoChanges, func(c *protocol.Change) { c.From, c.Via = "", "" })
	}
	return s
}

// clone copies changes and edits the copies. Nil stays nil.
func clone(changes []protocol.Change, edit func(*protocol.Change)) []protocol.Change {
	changes = slices.Clone(changes)
	for i := range changes {
		edit(&changes[i])
	}
	return changes
}

// withoutDigest is what Digest covers.
func (d Document) withoutDigest() any {
	return struct {
		Format     string `json:"format"`
		Taken      Taken  `json:"taken"`
		Seen       Seen   `json:"seen"`
		SeenDigest string `json:"seenDigest"`
	}{d.Format, d.Taken, d.Seen, d.SeenDigest}
}

// Encode returns the file: canonical JSON, without a newline at its end.
func (d Document) Encode() ([]byte, error) { return Canonical(d) }

// Canonical returns the one JSON text of a value, as RFC 8785 has it.
func Canonical(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cannot write it as JSON: %w", err)
	}
	return jcs.Transform(text)
}

// digest is that of a value's canonical JSON.
func digest(v any) (string, error) {
	text, err := Canonical(v)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// Read reads a file, and refuses one that is not exactly as it was written: not canonical, a key
// twice, a field too many or too few, a digest that does not fit. The error says which.
func Read(data []byte) (Document, error) {
	var d Document
	if len(data) > MaxBytes {
		return d, fmt.Errorf("the evidence has %d bytes, and %d are read at most", len(data), MaxBytes)
	}
	value, err := protocol.ReadOneJSON(data, depth)
	if err != nil {
		return d, fmt.Errorf("the evidence %w", err)
	}
	canonical, err := jcs.Transform(data)
	switch {
	case err != nil:
		return d, fmt.Errorf("the evidence is no JSON: %w", err)
	case !bytes.Equal(canonical, data):
		return d, errors.New("the evidence is not canonical JSON: somebody changed or formatted the " +
			"file since it was written")
	}
	if format := formatOf(value); format != Format {
		return d, fmt.Errorf("the format of the evidence is %s, want %s", protocol.Quote(format), Format)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return Document{}, fmt.Errorf("the evidence can't be read: %w", err)
	}
	// A field that is missing or spelt otherwise would be written differently.
	again, err := d.Encode()
	if err != nil || !bytes.Equal(again, data) {
		return Document{}, errors.New("the evidence has fields that are missing or spelt otherwise")
	}
	return d, d.check()
}

// formatOf is the format that a document names.
func formatOf(v protocol.JSON) string {
	for _, m := range v.Members {
		if m.Key == "format" && m.Value.Kind == protocol.JSONString {
			return m.Value.Text
		}
	}
	return ""
}

// check says what is wrong with a document that was read.
func (d Document) check() error {
	for _, c := range d.Seen.Checks {
		if !c.Verdict.Valid() {
			return fmt.Errorf("the check %s has the verdict %s", protocol.Quote(c.Name),
				protocol.Quote(string(c.Verdict)))
		}
	}
	for _, of := range []struct {
		name string
		what any
		told string
	}{
		{"digest", d.withoutDigest(), d.Digest},
		{"seenDigest", d.Seen.apartFromWords(), d.SeenDigest},
	} {
		is, err := digest(of.what)
		if err != nil {
			return err
		}
		if is != of.told {
			return fmt.Errorf("the evidence says that its %s is %s, and it is %s: somebody changed it "+
				"since it was taken", of.name, protocol.Quote(of.told), is)
		}
	}
	return nil
}
