package signature

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"aws-provider-executor/pkg/protocol"
)

// StatementFormat names the form of a statement.
const StatementFormat = "aws-provider-executor/approval/v1"

// Statement is what an approver signs, as canonical JSON (RFC 8785): who says yes to what, until
// when.
type Statement struct {
	Format string `json:"format"`
	// Journal is the id of the journal that the plan is in.
	Journal   string `json:"journal"`
	Principal string `json:"principal"`
	// Plan is the digest of the plan, Evidence that of what the approver saw; empty for none.
	Plan     string `json:"plan"`
	Evidence string `json:"evidence"`
	// What is carried out.
	Action         string            `json:"action"`
	Provider       string            `json:"provider"`
	ProviderRef    string            `json:"providerRef"`
	Target         map[string]string `json:"target"`
	Parameters     map[string]string `json:"parameters"`
	Mode           protocol.Mode     `json:"mode"`
	IdempotencyKey string            `json:"idempotencyKey"`
	// Undo is the verb that takes it back; empty for none.
	Undo string `json:"undo"`
	// Issued and Expires are to the second, in UTC.
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"`
}

// maxStatement bounds a statement: a request has no more.
const maxStatement = protocol.MaxRequestBytes

// ParseStatement reads a statement, and refuses one that could be read in two ways.
func ParseStatement(text string) (Statement, error) {
	var s Statement
	if len(text) > maxStatement {
		return s, fmt.Errorf("the statement is larger than %d bytes", maxStatement)
	}
	const depth = 2
	if _, err := protocol.ReadOneJSON([]byte(text), depth); err != nil {
		return s, fmt.Errorf("the statement %w", err)
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("the statement can't be read: %w", err)
	}
	if s.Format != StatementFormat {
		return s, fmt.Errorf("the statement is of the form %q, want %q", s.Format, StatementFormat)
	}
	return s, nil
}

// clockSlack is by how much another machine's clock may be ahead.
const clockSlack = 5 * time.Minute

// Holds reports why a statement does not hold at a time.
func (s Statement) Holds(now time.Time) error {
	switch {
	case s.Issued.IsZero() || s.Expires.IsZero() || !s.Issued.Before(s.Expires):
		return errors.New("the statement does not say from when until when it holds")
	case s.Issued.Sub(now) > clockSlack:
		return fmt.Errorf("the statement is of %s, and it is %s by this clock: look at the clocks",
			s.Issued.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case !now.Before(s.Expires):
		return fmt.Errorf("the approval expired at %s", s.Expires.Format(time.RFC3339))
	}
	return nil
}

// Covers reports why a statement is not one of exactly this request.
func (s Statement) Covers(r protocol.Request) error {
	for _, x := range []struct{ what, signed, asked string }{
		{"action", s.Action, r.Action},
		{"provider", s.Provider, r.Provider},
		{"providerRef", s.ProviderRef, r.ProviderRef},
		{"idempotencyKey", s.IdempotencyKey, r.IdempotencyKey},
		{"mode", string(s.Mode), string(r.Mode)},
	} {
		if x.signed != x.asked {
			return fmt.Errorf("the approval is for the %s %s, not %s",
				x.what, protocol.Quote(x.signed), protocol.Quote(x.asked))
		}
	}
	if !maps.Equal(s.Target, r.Target) {
		return errors.New("the approval is for another target")
	}
	if !maps.Equal(s.Parameters, r.Parameters) {
		return errors.New("the approval is for other parameters")
	}
	return nil
}

// CoversUndo reports why a statement is not one of the action that this request takes back. The
// facts that an undo carries are not known when an action is approved.
func (s Statement) CoversUndo(r protocol.Request) error {
	if s.Undo == "" || s.Undo != r.Action {
		return fmt.Errorf("the approval is for an action that %s takes back, not %s",
			protocol.Quote(s.Undo), protocol.Quote(r.Action))
	}
	r.Action, r.Parameters = s.Action, s.Parameters
	if r.IdempotencyKey != s.IdempotencyKey+protocol.UndoKeySuffix {
		return fmt.Errorf("the approval is for the idempotencyKey %s, and this is the undo of %s",
			protocol.Quote(s.IdempotencyKey), protocol.Quote(r.IdempotencyKey))
	}
	r.IdempotencyKey = s.IdempotencyKey
	return s.Covers(r)
}
