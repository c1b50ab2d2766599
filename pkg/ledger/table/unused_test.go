package table

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

// TestRemoveUnused: a record goes as it was read, and no other; nor one under whose key somebody is
// at work. What is told is what the table then has.
func TestRemoveUnused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := NewMemory(), t.Context()
		for name, key := range map[string]string{"the own": "own", "another": "other"} {
			for _, changed := range []bool{false, true} {
				writer, release := open(t, b, key)
				r := recordOf(key, entryOf("eni-1", "groups", 1, history.Withdrawn))
				if err := writer.Put(ctx, r); err != nil {
					t.Fatal(err)
				}
				read, _, err := writer.Get(ctx, key)
				if err == nil && changed {
					err = writer.Put(ctx, read)
				}
				if err != nil {
					t.Fatal(err)
				}
				release()
				table, release := open(t, b, "own", "eni-1")
				gone := table.RemoveUnused(ctx, read, "own")
				release()
				_, found, err := New(b, Options{}).Get(ctx, key)
				if gone == changed || found != changed || err != nil {
					t.Errorf("%s, changed since: %t: it is told to be gone: %t, and is there: %t, %v",
						name, changed, gone, found, err)
				}
			}
		}
	})
}

// refusing is a table of which one kind of call is refused, with facts.
type refusing struct {
	*Memory
	call string
}

func (r refusing) refuse(call string) error {
	if r.call != call {
		return nil
	}
	f := protocol.Refuse(protocol.Authorization, "%s is refused", call)
	f.Facts = map[string]string{protocol.FactPermissionHint: call}
	return f
}

// Read may be refused.
func (r refusing) Read(ctx context.Context, places []Place) (map[Place]Item, error) {
	if err := r.refuse("read"); err != nil {
		return nil, err
	}
	return r.Memory.Read(ctx, places)
}

// List may be refused.
func (r refusing) List(ctx context.Context, partition string) ([]string, error) {
	if err := r.refuse("list"); err != nil {
		return nil, err
	}
	return r.Memory.List(ctx, partition)
}

// Write may be refused.
func (r refusing) Write(ctx context.Context, changes []Change) error {
	if err := r.refuse("write"); err != nil {
		return err
	}
	return r.Memory.Write(ctx, changes)
}

// TestTryTellsWhatIsRefused, and writes nothing where nothing is.
func TestTryTellsWhatIsRefused(t *testing.T) {
	for _, call := range []string{"", "read", "list", "write"} {
		b := refusing{NewMemory(), call}
		err := New(b, Options{Name: "test"}).Try(t.Context())
		var f *protocol.Failure
		if errors.As(err, &f) != (call != "") ||
			f != nil && f.Facts[protocol.FactPermissionHint] != call {
			t.Errorf("%q refused: %v", call, err)
		}
		if all := b.Snapshot(); len(all) > 0 {
			t.Errorf("%q refused: it wrote %v", call, all)
		}
	}
	_, found, err := New(refusing{NewMemory(), "read"}, Options{}).Get(t.Context(), "k")
	if found || err == nil {
		t.Errorf("a record that can't be read is told to be there: %t, %v", found, err)
	}
}
