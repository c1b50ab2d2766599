package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/gate"
)

// TestTimesOfACore: in every form that cores have; what is no time is told as it is, and only that.
func TestTimesOfACore(t *testing.T) {
	noon := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"'2026-03-03T12:00:00Z'":          noon,
		"'2026-03-03T21:00:00.25+09:00'":  noon.Add(250 * time.Millisecond),
		"'2026-03-03 12:00:00'":           noon,
		"'2026-03-03 12:00:00.5'":         noon.Add(500 * time.Millisecond),
		"'2026-03-03 12:00:00.123456789'": noon.Add(123456789),
		"'2026-03-03 12:00:00+00:00'":     noon,
		"'2026-03-03'":                    noon.Add(-12 * time.Hour),
		"1772539200":                      noon,
		"'1772539200'":                    noon,
		"1772539200.0":                    noon,
		"1772539200.25":                   noon.Add(250 * time.Millisecond),
		"NULL":                            {},
		"''":                              {},
		"'soon'":                          {},
		"'NaN'":                           {},
		"'Inf'":                           {},
		"1e300":                           {},
		"99999999999":                     time.Date(5138, 11, 16, 9, 46, 39, 0, time.UTC),
		"1772539200250":                   noon.Add(250 * time.Millisecond),
		"1772539200250000":                noon.Add(250 * time.Millisecond),
		"1772539200250000000":             noon.Add(250 * time.Millisecond),
		"'2026-03-03 12:00:00 +0000 UTC'": noon,
		"'2026-03-03 21:00:00.25 +0900 JST m=+0.5'": noon.Add(250 * time.Millisecond),
		"'2026-03-03 15:00:00 +0300 +0300'":         noon,
		"9300000000000000000":                       {},
		"-1":                                        {},
		"x'00ff'":                                   {},
	} {
		for _, kind := range []string{"", "TEXT", "REAL", "TIMESTAMP"} {
			path := filepath.Join(t.TempDir(), "core.db")
			makeForeign(t, path, fmt.Sprintf(coreJournal, "INTEGER PRIMARY KEY", kind, kind, "1", text))
			all, err := open(t, path).List(context.Background(), gate.Query{})
			if err != nil || len(all) != 1 {
				t.Errorf("%s as %s: %v", text, kind, err)
				continue
			}
			a := all[0]
			unreadable := want.IsZero() && text != "NULL" && text != "''"
			if !a.ExecutedAt.Equal(want) || (a.Unreadable["executedAt"] != "") != unreadable ||
				a.CreatedAt.IsZero() {
				t.Errorf("%s as %s: %s, unreadable: %v", text, kind, a.ExecutedAt, a.Unreadable)
			}
		}
	}
}

func TestWhatACoreHasInAColumnIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "core.db")
	makeForeign(t, path, fmt.Sprintf(coreJournal, "INTEGER PRIMARY KEY", "TEXT", "TEXT", "1", "NULL")+
		`UPDATE action_executions SET observed_json = '["a"]', parameters_json = '{"n": 1}'`)
	a, err := open(t, path).Get(context.Background(), 1)
	if d := cmp.Diff(map[string]string{"observed": `["a"]`, "parameters": `{"n": 1}`},
		a.Unreadable); d != "" ||
		err != nil ||
		a.Target["nicRef"] != "eni-0abc" {
		t.Error(d, err, a)
	}
}

// TestALiveCoresJournal: what is only in its write-ahead log is read too, and its files stay; also
// by way of a link.
func TestALiveCoresJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "core.db")
	core, err := sql.Open("sqlite", "file://"+path+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	defer core.Close()
	if _, err := core.Exec(fmt.Sprintf(coreJournal, "INTEGER PRIMARY KEY", "TEXT", "TEXT", "1",
		"NULL")); err != nil {
		t.Fatal(err)
	}
	// Its log is empty, and the core is at work all the same.
	if _, err := core.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	j := open(t, path)
	for status := range 3 {
		if _, err := core.Exec("UPDATE action_executions SET status = ?",
			fmt.Sprint(status)); err != nil {
			t.Fatal(err)
		}
		for name, j := range map[string]*Journal{"as it was opened before": j, "by way of a link": open(t,
			link)} {
			if a, err := j.Get(context.Background(), 1); err != nil ||
				string(a.Status) != fmt.Sprint(status) {
				t.Errorf("%s: %s, %v", name, a.Status, err)
			}
		}
	}
}

func TestNumbersOfACoreAreItsIDsWhateverTheirTypeIsCalled(t *testing.T) {
	for _, kind := range []string{"INTEGER", "INT", "BIGINT", "UNSIGNED INT"} {
		path := filepath.Join(t.TempDir(), "core.db")
		makeForeign(t, path, fmt.Sprintf(coreJournal, kind+" PRIMARY KEY", "TEXT", "TEXT", "7", "NULL"))
		if a, err := open(t, path).Get(context.Background(), 7); err != nil || a.ID != 7 {
			t.Errorf("%s: %+v, %v", kind, a, err)
		}
	}
}

// TestAFileWithTwoNamesIsRefused: the write-ahead log goes by the name that a file was opened by,
// so what is written by one name is missed by the other. What a killed creation left behind is no
// such name.
func TestAFileWithTwoNamesIsRefused(t *testing.T) {
	path := newPath(t)
	j := open(t, path)
	add(t, j, "k")
	core := filepath.Join(t.TempDir(), "core.db")
	makeForeign(t, core, fmt.Sprintf(coreJournal, "INTEGER PRIMARY KEY", "TEXT", "TEXT", "1", "NULL"))
	for _, name := range []string{path, core} {
		other := filepath.Join(t.TempDir(), "other.db")
		if err := os.Link(name, other); err != nil {
			t.Fatal(err)
		}
		for _, opened := range []string{name, other} {
			_, err := Open(context.Background(), opened)
			if err == nil || !strings.Contains(err.Error(), "2 names") {
				t.Errorf("opened: %v", err)
			}
			_, err = OpenOrCreate(context.Background(), opened)
			if err == nil || !strings.Contains(err.Error(), "2 names") {
				t.Errorf("made: %v", err)
			}
		}
		if err := os.Remove(other); err != nil {
			t.Fatal(err)
		}
		_ = open(t, name)
	}
	left := filepath.Join(filepath.Dir(path), ".journal-1")
	if err := os.Link(path, left); err != nil {
		t.Fatal(err)
	}
	if all, err := open(t, path).List(context.Background(), gate.Query{}); err != nil ||
		len(all) != 1 {
		t.Error(all, err)
	}
	if _, err := os.Lstat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Error("what was left behind is there still:", err)
	}
}
