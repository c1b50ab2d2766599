// Package ledgertest changes a ledger on the disk behind a program's back, for tests of programs.
package ledgertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/ledger"
)

// Age makes every record below a state directory that much older, as a host whose clock was
// behind would have written it.
func Age(dir string, by time.Duration) error {
	past := func() time.Time { return time.Now().Add(-by) }
	old, err := ledger.Open(context.Background(), dir, ledger.OSDisk{}, past)
	if err != nil {
		return err
	}
	files, err := Records(dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var named struct{ Key string }
		if err := json.Unmarshal(data, &named); err != nil {
			return err
		}
		r, found, err := old.Get(context.Background(), named.Key)
		switch {
		case err != nil:
			return err
		case !found:
			return fmt.Errorf("%s is not the record of %q", file, named.Key)
		}
		r.Acted = r.Acted.Add(-by)
		if err := old.Put(context.Background(), r); err != nil {
			return err
		}
	}
	return nil
}

// Open are the keys of the records below a state directory that are not undone. What several
// actions made up is kept for a while once it is undone.
func Open(dir string) (keys []string, err error) {
	files, err := Records(dir)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var r ledger.Record
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, err
		}
		open := func(e ledger.Entry) bool { return e.State != history.Withdrawn }
		if slices.ContainsFunc(r.Entries, open) {
			keys = append(keys, r.Key)
		}
	}
	return keys, err
}

// Records are the files of the records below a state directory.
func Records(dir string) ([]string, error) {
	return filepath.Glob(filepath.Join(dir, "keys", "*.json"))
}
