package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// AuditKeep says how long the entries of the audit log are kept, and how many of them. Zero is for
// ever, and all. Up to a tenth more may be there.
type AuditKeep struct {
	For  time.Duration `json:"for"`
	Most int64         `json:"most"`
}

// AuditKeep is how the audit log is kept.
func (s *Store) AuditKeep(ctx context.Context) (AuditKeep, error) { return s.read().auditKeep(ctx) }

func (q querier) auditKeep(ctx context.Context) (k AuditKeep, err error) {
	return k, q.row(ctx, "SELECT keep_audit, most_audit FROM node_store").Scan(&k.For, &k.Most)
}

// fewestEntries and shortestKeep bound how little of the audit log is kept, so that nobody clears
// it by a setting.
const (
	fewestEntries = 100
	shortestKeep  = 24 * time.Hour
)

// SetAuditKeep says how the audit log is kept from now on. The log has an entry of that, and of
// each time that entries go.
func (s *Store) SetAuditKeep(ctx context.Context, k AuditKeep, by string) error {
	if k.For < 0 || k.For > 0 && k.For < shortestKeep {
		return fmt.Errorf("the audit log is kept for %s: want %s or more, or 0 for ever", k.For,
			shortestKeep)
	}
	if k.Most < 0 || k.Most > 0 && k.Most < fewestEntries {
		return fmt.Errorf("%d entries of the audit log are kept: want %d or more, or 0 for all", k.Most,
			fewestEntries)
	}
	return s.transaction(ctx, func(w *writer) error {
		if err := w.exec(ctx, "UPDATE node_store SET keep_audit = ?, most_audit = ?", int64(k.For),
			k.Most); err != nil {
			return err
		}
		return w.entry(ctx, Call{Caller: by, Name: "SetAuditKeep", Asked: asked(map[string]any{
			"for": k.For.String(), "most": k.Most})}, "")
	})
}

// Refuse enters a call that was refused into the audit log, with the reason.
func (s *Store) Refuse(ctx context.Context, c Call, reason string) error {
	if reason == "" {
		return errors.New("a refusal has a reason")
	}
	return s.transaction(ctx, func(w *writer) error { return w.entry(ctx, c, reason) })
}

func asked(members map[string]any) string {
	text, err := json.Marshal(members)
	if err != nil {
		panic("store: " + err.Error())
	}
	return string(text)
}

// pruneAudit deletes entries that are too old or too many, and enters that. A tenth more may be
// there, so that not each entry that goes makes another.
func (w *writer) pruneAudit(ctx context.Context) error {
	k, err := w.auditKeep(ctx)
	if err != nil || k == (AuditKeep{}) {
		return err
	}
	var first, last, oldest int64
	if err := w.row(ctx, "SELECT seq, happened_at FROM node_audit ORDER BY seq LIMIT 1").Scan(&first,
		&oldest); err != nil {
		return err
	}
	if err := w.row(ctx, "SELECT max(seq) FROM node_audit").Scan(&last); err != nil {
		return err
	}
	upTo := int64(0)
	if k.Most > 0 && last-first+1 > k.Most+k.Most/10 {
		upTo = last - k.Most
	}
	if k.For > 0 && oldest < nanos(w.now.Add(-k.For-k.For/10)) {
		// Those before the first one that is to stay: a clock that went back takes none after it along.
		var stays int64
		if err := w.row(ctx, "SELECT coalesce(min(seq), 0) FROM node_audit WHERE happened_at >= ?",
			nanos(w.now.Add(-k.For))).Scan(&stays); err != nil {
			return err
		}
		upTo = max(upTo, stays-1)
	}
	if upTo < first {
		return nil
	}
	return w.dropAudit(ctx, upTo, fromNanos(oldest))
}

// dropAudit deletes the entries up to a number, and enters that.
func (w *writer) dropAudit(ctx context.Context, upTo int64, since time.Time) error {
	var entries, until int64
	if err := w.row(ctx, "SELECT count(*), max(happened_at) FROM node_audit WHERE seq <= ?",
		upTo).Scan(&entries, &until); err != nil {
		return err
	}
	if err := w.exec(ctx, "UPDATE node_store SET audit_pruned = ?", upTo); err != nil {
		return err
	}
	if err := w.exec(ctx, "DELETE FROM node_audit WHERE seq <= ?", upTo); err != nil {
		return err
	}
	return w.insertEntry(ctx, Call{Caller: "the store", Name: "PruneAudit",
		Asked: asked(map[string]any{"entries": entries, "upTo": upTo,
			"from": since.UTC().Format(time.RFC3339), "until": fromNanos(until).UTC().Format(time.RFC3339),
		})}, "")
}
