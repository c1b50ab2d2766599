package ledger

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

// stock is a ledger with three keys' records: k and its neighbour on one resource, and a stranger
// on another.
func stock(t *testing.T) (*memory, *Ledger) {
	t.Helper()
	m := newMemory()
	l := open(t, "/s", m)
	for _, r := range []Record{
		rec("k", "a", "off", "on"), rec("neighbour", "a", "on", "on"), rec("stranger", "b", "off", "on"),
	} {
		put(t, l, r)
	}
	return m, l
}

func pathOf(r Record) string { return "/s/keys/" + keyName(r.Key) + recordEnding }

// refuses holds that the spoilt record of k is refused by name and left as it is, whatever is
// asked of it, and that the records of other keys serve as before.
func refuses(t *testing.T, m *memory, l *Ledger, path string) {
	t.Helper()
	before := maps.Clone(m.files)
	_, _, err := l.Get(background, "k")
	wantClass(t, err, protocol.StateStore, path, "nothing was changed")
	wantClass(t, l.Put(background, rec("k", "a", "new", "on")), protocol.StateStore, path)
	wantClass(t, l.Put(background, rec("k", "b", "new", "on")), protocol.StateStore, path)
	wantClass(t, l.Remove(background, "k"), protocol.StateStore, path)
	// Whether k needs what the neighbour would take away can't be told.
	_, err = l.History(background, "a", "value")
	wantClass(t, err, protocol.StateStore, path)
	if !maps.Equal(before, m.files) {
		t.Fatalf("files (-before +after):\n%s", cmp.Diff(before, m.files, cmp.AllowUnexported(file{})))
	}

	l.Tidy(background, "neighbour", Attribute{"a", "value"})
	serves(t, l, "neighbour", "a")
	serves(t, l, "stranger", "b")
	if all, err := l.History(background, "b", "value"); err != nil || len(all) != 1 {
		t.Errorf("another resource's records: %v, %v", all, err)
	}
	if m.files[path] != before[path] {
		t.Error("the spoilt file was touched by the work of other keys")
	}
}

// serves goes through the life of a key's record.
func serves(t *testing.T, l *Ledger, key, resource string) {
	t.Helper()
	was, ok := mustGet(t, l, key)
	if !ok {
		t.Fatalf("%s has no record", key)
	}
	if err := l.Remove(background, key); err != nil {
		t.Error(err)
	}
	put(t, l, was)
	if r, ok := mustGet(t, l, key); !ok || r.Entries[0].Resource != resource {
		t.Errorf("%s has %t, %+v", key, ok, r)
	}
}

func TestARecordSpoiltAnywhereIsRefusedByName(t *testing.T) {
	m, l := stock(t)
	path := pathOf(rec("k", "a", "", ""))
	whole := m.files[path]
	spoilt := 0
	try := func(data string) {
		m.files[path] = file{data: data, at: whole.at}
		if _, _, err := l.Get(background, "k"); spoilt%8 == 0 {
			// The whole of it takes its time.
			refuses(t, m, l, path)
		} else {
			wantClass(t, err, protocol.StateStore, path)
			wantClass(t, l.Put(background, rec("k", "a", "new", "on")), protocol.StateStore, path)
			if m.files[path].data != data || len(m.recordFiles()) != 3 {
				t.Error("it was touched")
			}
		}
		spoilt++
		if t.Failed() {
			t.Fatalf("spoilt as %q", data)
		}
	}
	for i := range whole.data {
		for bit := range 8 {
			flipped := []byte(whole.data)
			flipped[i] ^= 1 << bit
			try(string(flipped))
		}
		try(whole.data[:i])
		try(whole.data[:i] + strings.Repeat("\x00", len(whole.data)-i))
	}
	for _, tail := range []string{"\n", " ", "x", "\x00", "}", whole.data} {
		try(whole.data + tail)
	}
	try(" " + whole.data)
	m.files[path] = whole
	serves(t, l, "k", "a")
	t.Logf("a record of %d bytes, spoilt in %d ways, each refused by name and left alone",
		len(whole.data), spoilt)
}

func TestRecordsInEachOthersFilesAreRefused(t *testing.T) {
	m, l := stock(t)
	other := rec("neighbour", "a", "", "")
	path := pathOf(rec("k", "a", "", ""))
	m.files[path], m.files[pathOf(other)] = m.files[pathOf(other)], m.files[path]
	before := maps.Clone(m.files)
	_, _, err := l.Get(background, "k")
	wantClass(t, err, protocol.StateStore, path, "another key")
	_, _, err = l.Get(background, other.Key)
	wantClass(t, err, protocol.StateStore, pathOf(other))
	wantClass(t, l.Put(background, rec("k", "a", "new", "on")), protocol.StateStore, path)
	if diff := cmp.Diff(before, m.files, cmp.AllowUnexported(file{})); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
}

func TestARecordOfAnotherFormIsRefused(t *testing.T) {
	tests := []struct {
		name    string
		version int
		says    string
	}{
		{"newer", version + 1, "newer version"}, {"much newer", 1 << 40, "newer version"},
		{"none", 0, "torn"}, {"negative", -1, "torn"}, {"older", version - 1, "torn"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, l := stock(t)
			r := rec("k", "a", "off", "on")
			r.Version = tt.version
			data, _, err := encode(r)
			if err != nil {
				t.Fatal(err)
			}
			m.files[pathOf(r)] = file{data: string(data)}
			refuses(t, m, l, pathOf(r))
			_, _, err = l.Get(background, "k")
			wantClass(t, err, protocol.StateStore, tt.says)
		})
	}
	t.Run("newer, with fields that this one does not know", func(t *testing.T) {
		m, l := stock(t)
		path := pathOf(rec("k", "a", "", ""))
		m.files[path] = file{data: `{"ledger":3,"key":["k"],"entries":{"a":"off"},"sum":7}`}
		refuses(t, m, l, path)
		_, _, err := l.Get(background, "k")
		wantClass(t, err, protocol.StateStore, "newer version")
	})
}

// FuzzRecord: decode takes what encode writes, and nothing else.
func FuzzRecord(f *testing.F) {
	seed := rec("k", "eni-1", "true", "false")
	seed.Version, seed.Revision, seed.Written = version, 3, time.Unix(1700000000, 0).UTC()
	whole, _, err := encode(seed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, "k", "eni-1", "true", 3)
	f.Add(whole[:len(whole)/2], "k:undo", "vpc-1/10.0.0.9", "none", 1)
	f.Add([]byte(`{"ledger":3}`), "\x00<&>\u2028", "", "+", -1)
	f.Add([]byte(strings.Repeat("[", 10000)), "", "", "", 0)
	f.Fuzz(func(t *testing.T, data []byte, key, resource, value string, revision int) {
		if r, err := decode(data); err == nil {
			again, _, err := encode(r)
			if err != nil || !bytes.Equal(again, data) || r.Version != version {
				t.Errorf("took %q for %+v, which is written as %q (%v)", data, r, again, err)
			}
		}
		for _, text := range []string{key, resource, value} {
			if !utf8.ValidString(text) {
				return // a request with such a text is not accepted
			}
		}
		want := rec(key, resource, value, value+"'")
		want.Version, want.Revision = version, revision
		want.Written = time.Unix(int64(revision)%(1<<33), 0).UTC()
		written, _, err := encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(written)
		if err != nil {
			t.Fatalf("does not read what it wrote, %q: %v", written, err)
		}
		got.Sum = ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("read back (-want +got):\n%s", diff)
		}
	})
}
