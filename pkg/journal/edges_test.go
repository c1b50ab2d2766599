package journal

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/gate"
)

// TestSumsAreOfWhatIsWritten: an event has a hash only if its data is JSON as it was written, and
// each of its columns is in the hash.
func TestSumsAreOfWhatIsWritten(t *testing.T) {
	whole := stored{seq: 3, at: "then", kind: "denied", action: 2, key: "k", actor: "me",
		data: `{"a":1}`, prev: "p"}
	sum, err := whole.sum()
	if err != nil || len(sum) != 64 {
		t.Fatalf("%q, %v", sum, err)
	}
	for name, change := range map[string]func(*stored){
		"number": func(s *stored) { s.seq++ }, "time": func(s *stored) { s.at = "now" },
		"kind": func(s *stored) { s.kind = "executed" }, "action": func(s *stored) { s.action++ },
		"key": func(s *stored) { s.key = "l" }, "actor": func(s *stored) { s.actor = "you" },
		"data": func(s *stored) { s.data = `{"a":2}` }, "prev": func(s *stored) { s.prev = "q" },
	} {
		changed := whole
		change(&changed)
		if other, err := changed.sum(); err != nil || other == sum {
			t.Errorf("another %s: %q, %v", name, other, err)
		}
	}
	for data, want := range map[string]string{
		"": "no JSON", "{": "no JSON", `["a"]`: "no JSON",
		`{"a": 1}`: "not as it was written", `{"b":1,"a":1}`: "not as it was written",
		`{"a":1,"a":1}`: "not as it was written",
	} {
		bad := whole
		bad.data = data
		if got, err := bad.sum(); err == nil || got != "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v, want %q", data, got, err, want)
		}
	}
}

// TestEventsThatCanNotBeRead: an event whose time or data is none is told by its number.
func TestEventsThatCanNotBeRead(t *testing.T) {
	at := formatTime(time.Unix(1700000000, 0))
	whole := stored{seq: 7, at: at, kind: "denied", action: 2, key: "k", actor: "me",
		data: `{"a":"b"}`, prev: "p", hash: "h"}
	e, err := whole.event()
	if err != nil || e.Seq != 7 || e.Kind != "denied" || e.ActionID != 2 || e.Key != "k" ||
		e.Actor != "me" || e.Data["a"] != "b" || e.Prev != "p" || e.Hash != "h" ||
		!e.At.Equal(time.Unix(1700000000, 0)) {
		t.Errorf("%+v, %v", e, err)
	}
	late, torn := whole, whole
	late.at, torn.data = "soon", "{"
	for _, s := range []stored{late, torn} {
		if _, err := s.event(); err == nil || !strings.HasPrefix(err.Error(), "event 7: ") {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// TestTimesAtTheEdgeOfTheirUnits: where seconds end and smaller units begin, what a fraction is
// rounded to, and which numbers are no time.
func TestTimesAtTheEdgeOfTheirUnits(t *testing.T) {
	for written, want := range map[string]time.Time{
		"0":                   time.Unix(0, 0),
		"0.5":                 time.Unix(0, 500_000_000),
		"1772539200.1234567":  time.Unix(1772539200, 123_457_000),
		"99999999999":         time.Unix(99999999999, 0),
		"100000000000":        time.UnixMilli(100000000000),
		"100000000000.0":      time.UnixMilli(100000000000),
		"99999999999999":      time.UnixMilli(99999999999999),
		"100000000000000":     time.UnixMicro(100000000000000),
		"99999999999999999":   time.Unix(0, 99999999999999999),
		"99999999999999000":   time.UnixMicro(99999999999999000),
		"100000000000000000":  time.Unix(0, 100000000000000000),
		"9223372036854774784": time.Unix(0, 9223372036854774784),
		"9223372036854775808": {},
		"-0.5":                {},
	} {
		a := gate.Action{Unreadable: map[string]string{}}
		got := text(written).time(&a, "createdAt")
		if !got.Equal(want) || want.IsZero() != (a.Unreadable["createdAt"] == written) {
			t.Errorf("%s: %s, want %s; unreadable: %v", written, got, want, a.Unreadable)
		}
		if got.Location() != time.UTC {
			t.Errorf("%s: in %s", written, got.Location())
		}
	}
}

// TestWholeSize: a database's size by its header. 64 KiB pages are written as 1. A header that
// an older program left out of date tells no size.
func TestWholeSize(t *testing.T) {
	for name, tt := range map[string]struct {
		page          uint16
		pages         uint32
		change, valid uint32
		want          int64
	}{
		"small pages":    {4096, 3, 7, 7, 12288},
		"largest pages":  {1, 2, 7, 7, 131072},
		"out of date":    {4096, 3, 8, 7, 0},
		"no page at all": {4096, 0, 7, 7, 0},
	} {
		header := make([]byte, 100)
		binary.BigEndian.PutUint16(header[16:], tt.page)
		binary.BigEndian.PutUint32(header[24:], tt.change)
		binary.BigEndian.PutUint32(header[28:], tt.pages)
		binary.BigEndian.PutUint32(header[92:], tt.valid)
		if got := wholeSize(header); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// TestNoJournalIsMadeWhereItCanNotBe: the answer says which, and nothing is left behind; a file
// that is there already stays as it is.
func TestNoJournalIsMadeWhereItCanNotBe(t *testing.T) {
	dir := t.TempDir()
	occupied := filepath.Join(dir, "file")
	if err := os.WriteFile(occupied, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(occupied, "j.db")
	if err := create(t.Context(), below); err == nil {
		t.Error("made below a file")
	}
	_, err := OpenOrCreate(t.Context(), below)
	if err == nil || !strings.Contains(err.Error(), below) {
		t.Errorf("%v, want the path", err)
	}
	if err := create(t.Context(), occupied); err != nil {
		t.Errorf("another process made it meanwhile: %v", err)
	}
	if kept, err := os.ReadFile(occupied); err != nil || string(kept) != "kept" {
		t.Errorf("it is %q, %v", kept, err)
	}
	deep := filepath.Join(dir, "a", "b", "j.db")
	if err := create(t.Context(), deep); err != nil {
		t.Fatal(err)
	}
	modes := map[string]fs.FileMode{deep: 0o600, filepath.Dir(deep): fs.ModeDir | 0o700}
	for path, want := range modes {
		if i, err := os.Stat(path); err != nil || i.Mode() != want {
			t.Errorf("%s: %v, %v, want %s", path, i, err, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", creating+"*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := syncDir(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
}

// TestWhatIsSeenBeforeSQLite: a pipe, a directory and what is not there are refused; the log and
// its index beside a journal are seen.
func TestWhatIsSeenBeforeSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j.db")
	if _, err := look(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := look(filepath.Dir(path)); err == nil {
		t.Error("a directory is taken")
	}
	if err := create(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	want := file{ours: true, writable: true, walMode: true}
	if got, err := look(path); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.WriteFile(path+end, []byte("four"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want.logged, want.shared = 4, true
	if got, err := look(path); err != nil || got != want {
		t.Errorf("with a log: %+v, %v, want %+v", got, err, want)
	}
}
