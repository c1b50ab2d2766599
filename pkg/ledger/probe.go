package ledger

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Probe is what a look at a ledger's directory came to. Nothing is left behind by it.
type Probe struct {
	// Tried is the directory that was written to: the ledger's, or, where that is not there yet, the
	// nearest one above it that is.
	Tried string
	// Exists reports whether the ledger's directory is there.
	Exists bool
	// Migrates reports whether there are records of an older program, which executions bring to the
	// present form.
	Migrates bool
}

// ErrNotTried means that the file system can't write a file without a name, so whether it can be
// written is not known.
var ErrNotTried = errors.New("the file system can't hold a file without a name")

// Try finds out whether records could be kept below a directory. It reads what is there as a
// dry-run does, and writes and syncs one block of a file that has no name, which is gone when it is
// closed, whatever happens. An error is ErrNotTried, or says why records can't be kept.
func Try(ctx context.Context, dir string, disk Disk, now func() time.Time) (Probe, error) {
	p := Probe{Tried: dir}
	l, err := Read(ctx, dir, disk, now)
	if err != nil {
		return p, err
	}
	for {
		info, err := os.Stat(p.Tried)
		switch {
		case err == nil && !info.IsDir():
			return p, l.broken("use", p.Tried, errors.New("it is no directory"))
		case err == nil:
			p.Exists = p.Tried == dir
			if p.Migrates, err = l.migrates(); err != nil {
				return p, err
			}
			return p, l.tried(p.Tried, writeUnnamed(p.Tried))
		case !errors.Is(err, fs.ErrNotExist) || p.Tried == filepath.Dir(p.Tried):
			return p, l.broken("look at", p.Tried, err)
		}
		p.Tried = filepath.Dir(p.Tried)
	}
}

// migrates reports whether there are records of an older program.
func (l *Ledger) migrates() (bool, error) {
	if l.old == nil {
		return false, nil
	}
	names, err := l.oldNames()
	return len(names) > 0, err
}

// HoldsRecords reports whether a directory has records of a ledger, of any form. It opens none of
// them.
func HoldsRecords(dir string, disk Disk) (bool, error) {
	for _, folder := range []string{"keys", "records"} {
		for place := int64(0); ; {
			names, next, err := disk.ReadSome(filepath.Join(dir, folder), place)
			if errors.Is(err, fs.ErrNotExist) {
				break
			}
			if err != nil {
				return false, err
			}
			if slices.ContainsFunc(names, isForm1Name) {
				return true, nil
			}
			if place = next; place == 0 {
				break
			}
		}
	}
	return false, nil
}

func (l *Ledger) tried(dir string, err error) error {
	if err == nil || errors.Is(err, ErrNotTried) {
		return err
	}
	return l.broken("write to", dir, err)
}

// block is what is written to see that there is room.
const block = 4096
