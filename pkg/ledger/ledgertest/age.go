// Package ledgertest changes a ledger on the disk behind a program's back, for tests of programs.
package ledgertest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"aws-provider-executor/pkg/ledger"
)

// Age makes every record below a state directory that much older, as a host whose clock was
// behind would have written it.
func Age(dir string, by time.Duration) error {
	old, err := ledger.Open(dir, ledger.OSDisk{}, func() time.Time { return time.Now().Add(-by) })
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
		r, found, err := old.Get(named.Key)
		switch {
		case err != nil:
			return err
		case !found:
			return fmt.Errorf("%s is not the record of %q", file, named.Key)
		}
		r.Written = time.Time{}
		if err := old.Put(r); err != nil {
			return err
		}
	}
	return nil
}

// Records are the files of the records below a state directory.
func Records(dir string) ([]string, error) {
	return filepath.Glob(filepath.Join(dir, "records", "*.json"))
}
