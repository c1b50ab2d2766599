package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// Call is a call of the service that may change something.
type Call struct {
	// Caller is who calls, and Name what.
	Caller, Name string
	// Asked is the request as a text. It has no secret. What is long is cut.
	Asked string
	// OnlyChanges leaves the call out of the log where no node changed, but for when it was heard of.
	OnlyChanges bool
}

// Entry is one entry of the audit log.
type Entry struct {
	// Number counts up, and is never given again.
	Number int64
	At     time.Time
	Caller string
	Call   string
	Asked  string
	// Nodes is how many nodes the transaction wrote, and NodeIDs are the first of them.
	Nodes   int
	NodeIDs []string
	// Refused says why the call was refused; empty where it was not.
	Refused string
}

const (
	// longestAsked is how many bytes of a request are kept.
	longestAsked = 4096
	// mostNamed is how many nodes an entry names.
	mostNamed = 20
)

// audited is a call, and whether it is in the log.
type audited struct {
	Call
	mu      sync.Mutex
	entered bool
}

// As is the store as one call sees it. The first of its transactions that commits has the call's
// entry in the audit log. It is for one call, and is not closed.
func (s *Store) As(c Call) *Store {
	as := *s
	as.call = &audited{Call: c}
	return &as
}

// enter writes a call to the audit log, unless it is there.
func (w *writer) enter(ctx context.Context, c *audited) error {
	if c.entered || c.OnlyChanges && w.logged == 0 {
		return nil
	}
	if err := w.entry(ctx, c.Call, ""); err != nil {
		return err
	}
	c.entered = true
	return nil
}

// entry writes an entry, and has those go that are too old or too many.
func (w *writer) entry(ctx context.Context, c Call, refused string) error {
	if err := w.insertEntry(ctx, c, refused); err != nil {
		return fmt.Errorf("cannot enter the call into the audit log: %w", err)
	}
	if err := w.pruneAudit(ctx); err != nil {
		return fmt.Errorf("cannot prune the audit log: %w", err)
	}
	return nil
}

func (w *writer) insertEntry(ctx context.Context, c Call, refused string) error {
	named, err := json.Marshal(w.touched[:min(len(w.touched), mostNamed)])
	if err != nil {
		return err
	}
	return w.exec(ctx, "INSERT INTO node_audit (happened_at, caller, call, asked, nodes, "+
		"node_ids, refused) VALUES (?, ?, ?, ?, ?, ?, ?)", nanos(w.now), c.Caller, c.Name, cut(c.Asked),
		len(w.touched), string(named), refused)
}

// cut shortens a text to what is kept of it, between two characters.
func cut(text string) string {
	if len(text) <= longestAsked {
		return text
	}
	end := longestAsked
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// touch notes a node that is written.
func (w *writer) touch(id string) { w.touched = append(w.touched, id) }

// ErrNoPage is the refusal of a page that no list gave out.
var ErrNoPage = errors.New("the page is none that a list gave out: begin without it")

// before reads where a page of a list by numbers goes on, the latest first.
func before(page string) (int64, error) {
	if page == "" {
		return 1<<63 - 1, nil
	}
	n, err := strconv.ParseInt(page, 10, 64)
	if err != nil || n < 1 {
		return 0, ErrNoPage
	}
	return n, nil
}

// Audit lists the calls that changed something or were refused that, the latest first, and where
// the list goes on.
func (s *Store) Audit(ctx context.Context, limit int, page string) ([]Entry, string, error) {
	from, err := before(page)
	if err != nil {
		return nil, "", err
	}
	all := []Entry{}
	err = s.read().each(ctx, func(rows *sql.Rows) error {
		var e Entry
		var at int64
		var named string
		if err := rows.Scan(&e.Number, &at, &e.Caller, &e.Call, &e.Asked, &e.Nodes, &named,
			&e.Refused); err != nil {
			return err
		}
		e.At = fromNanos(at)
		if err := json.Unmarshal([]byte(named), &e.NodeIDs); err != nil {
			return err
		}
		all = append(all, e)
		return nil
	}, "SELECT seq, happened_at, caller, call, asked, nodes, node_ids, refused FROM node_audit "+
		"WHERE seq < ? ORDER BY seq DESC LIMIT ?", from, limit+1)
	if err != nil || len(all) <= limit {
		return all, "", err
	}
	return all[:limit], strconv.FormatInt(all[limit-1].Number, 10), nil
}
