package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/store"
)

// day is when the tests begin.
var day = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// bed is a store with a clock and ids that are known.
type bed struct {
	*store.Store
	*testing.T
	place string
	now   time.Time
	ids   int
}

// engines are the places at which a fresh store can be.
var engines = map[string]func(*testing.T) string{
	"sqlite": func(t *testing.T) string { return filepath.Join(t.TempDir(), "nodes.db") },
}

// onEach runs a test on each engine.
func onEach(t *testing.T, test func(*bed)) {
	t.Helper()
	for name, place := range engines {
		t.Run(name, func(t *testing.T) {
			b := &bed{T: t, place: place(t), now: day}
			b.Store = b.open(true)
			t.Cleanup(func() { _ = b.Store.Close() })
			test(b)
		})
	}
}

func (b *bed) open(create bool) *store.Store {
	b.Helper()
	s, err := store.Open(b.Context(), b.place, store.Options{
		Create: create, Now: func() time.Time { return b.now }, NewID: func() string {
			b.ids++
			return fmt.Sprintf("n-%03d", b.ids)
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// at is so many minutes after the tests' beginning.
func at(minutes int) time.Time { return day.Add(time.Duration(minutes) * time.Minute) }

func TestOpenDoesNotMakeAStoreUnasked(t *testing.T) {
	place := filepath.Join(t.TempDir(), "nodes.db")
	if _, err := store.Open(context.Background(), place, store.Options{}); !errors.Is(err,
		fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestScanIsAppliedOnce(t *testing.T) {
	onEach(t, func(b *bed) {
		m, err := b.CreateManager(b.Context(), nodes.Manager{Name: "prod", Type: nodes.ManagerEC2,
			Access: nodes.Access{Kind: nodes.AccessAmbient}})
		if err != nil {
			b.Fatal(err)
		}
		s := nodes.Scan{
			ManagerID: m.ID, AccountID: "1", Region: "eu-west-1", Type: nodes.TypeInstance,
			Verdict: nodes.Complete, Begun: at(0), Ended: at(1), Calls: 1,
			Seen: []nodes.Sighting{
				{ID: "i-1", State: nodes.StateRunning, Name: "web", Tags: map[string]string{"Name": "web"}},
				{ID: "i-2", State: nodes.StateStopped},
				{ID: "i-3", State: nodes.StateTerminated},
			},
		}
		got, err := b.ApplyScan(b.Context(), s)
		if err != nil || got.Added != 2 || got.Ignored != 1 || got.Seen != 3 {
			b.Fatal(got, err)
		}
		got, err = b.ApplyScan(b.Context(), s)
		if err != nil || got.Added != 0 || got.Changed != 0 || !got.Stale {
			b.Fatal(got, err)
		}
		regions, err := b.Regions(b.Context(), m.ID)
		if err != nil || len(regions) != 1 || regions[0].Verdict != nodes.Complete {
			b.Fatal(regions, err)
		}
	})
}

var background = context.Background()

// scratch are the folders that are made once and outlive a test.
var scratch []string

func tempDir() (string, error) {
	dir, err := os.MkdirTemp("", "nodes")
	scratch = append(scratch, dir)
	return dir, err
}

// atEnd is what is done after all tests.
var atEnd []func()

func TestMain(m *testing.M) {
	if place := os.Getenv(childPlace); place != "" {
		os.Exit(runChild(place))
	}
	code := m.Run()
	for _, end := range atEnd {
		end()
	}
	for _, dir := range scratch {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}
