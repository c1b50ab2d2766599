package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/awsexecutor"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/ledger"
)

// unsynced is a disk that is filled fast.
type unsynced struct{ ledger.OSDisk }

func (d unsynced) Write(path string, data []byte) error { return d.Create(path, data) }
func (unsynced) Sync(...string) error                   { return nil }

// fill makes a ledger of actions that are in force, a few on each interface.
func fill(ctx context.Context, dir string, many int) error {
	const onOne = 4
	l, err := ledger.Open(ctx, dir, unsynced{}, time.Now)
	if err != nil {
		return err
	}
	for i := range many {
		e := ledger.Entry{Resource: fmt.Sprintf("eni-%017x", i/onOne), Attribute: "sourceDestCheck"}
		e.Entry = history.Entry{
			Seq: int64(i%onOne + 1), From: "true", To: "false", State: history.Live, Begins: i%onOne == 0,
		}
		if i%onOne > 0 {
			e.From = e.To
		}
		r := ledger.Record{
			Key: "other-" + strconv.Itoa(i), Action: "ensure-forwarding-enabled", Digest: "2:x",
			Target:  map[string]string{"nicRef": e.Resource, "region": region},
			Entries: []ledger.Entry{e},
		}
		if err := l.Put(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// grown is a ledger of some size, and what an action with its undo takes beside it.
type grown struct {
	size    int
	dir     string
	samples series
	calls   int
}

func (b *bench) ledger(ctx context.Context) (section, error) {
	s := section{about: "An action and its undo, each a process of its own, beside other records."}
	server, err := ec2sim.Start(ec2sim.New(ec2sim.Lab()),
		ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		return s, err
	}
	defer server.Close()
	env := append(server.Env(), "PATH="+os.Getenv("PATH"))
	all := make([]grown, len(b.records))
	for i, size := range b.records {
		all[i] = grown{size: size, dir: filepath.Join(b.dir, strconv.Itoa(size))}
		if err := fill(ctx, all[i].dir, size); err != nil {
			return s, err
		}
	}
	// What was made without a sync must not be written while something is measured.
	syscall.Sync()
	for i := range warmUp + b.rounds {
		for n := range all {
			own := append(env[:len(env):len(env)], "EXECUTOR_STATE_DIR="+all[n].dir)
			took, err := b.doAndUndo(ctx, own, fmt.Sprintf("bench-%d", i))
			if err != nil {
				return s, err
			}
			if i >= warmUp {
				all[n].samples = append(all[n].samples, took)
			}
		}
	}
	for n := range all {
		if all[n].calls, err = diskCalls(ctx, env, all[n].dir); err != nil {
			return s, err
		}
	}
	s.rows, s.curves = grownRows(all)
	return s, nil
}

// doAndUndo carries out an action and its undo on one ledger, which the environment names.
func (b *bench) doAndUndo(ctx context.Context, env []string, key string) (sample, error) {
	did, err := b.asked(ctx, env, assign("execute", key))
	if err != nil {
		return did, err
	}
	undid, err := b.asked(ctx, env, unassign(key))
	return did.and(undid), err
}

func grownRows(all []grown) (rows []row, curves []curve) {
	none := all[0]
	costs := map[int]float64{}
	for _, g := range all {
		costs[g.size] = g.samples.cpu()
		name := thousands(float64(g.size)) + " records: "
		rows = append(rows,
			row{name + "calls to the disk", count, []float64{float64(g.calls)},
				atMost(float64(none.calls)), ""},
			row{name + "CPU", ms, g.samples.millis(), nil, ""})
		if g.size != none.size {
			beside := name + "CPU beside none"
			rows = append(rows, row{beside, times, g.samples.over(none.samples), atMost(1.1),
				"an action and its undo, " + beside})
		}
		rows = append(rows,
			row{name + "peak", mib, g.samples.peaks(), atMost(median(none.samples.peaks()) + 1), ""})
	}
	return rows, []curve{{"an action and its undo, by records of the ledger", costs}}
}

// diskCalls counts what the executor asks of the disk for a dry-run, an action and its undo. Here
// it is a part of this program.
func diskCalls(ctx context.Context, env []string, dir string) (int, error) {
	environ := append(env[:len(env):len(env)], "EXECUTOR_STATE_DIR="+dir)
	restore := setAll(environ)
	defer restore()
	disk := &countingDisk{}
	p := awsexecutor.New(awsexecutor.Name, "bench", actions.Registry())
	p.Disk = disk
	const key = "bench-counted"
	for _, request := range []string{assign("dry-run", key), assign("execute", key), unassign(key)} {
		var stdout, stderr bytes.Buffer
		code := p.Main(ctx, []string{p.Name}, environ, strings.NewReader(request), &stdout, &stderr)
		if code != 0 || !strings.Contains(stdout.String(), `"succeeded"`) {
			return 0, fmt.Errorf("the executor answered %s%s", tail(stdout.Bytes()), tail(stderr.Bytes()))
		}
	}
	return int(disk.calls.Load()), nil
}

// setAll sets variables of this program's own environment, which the SDK reads.
func setAll(environ []string) (restore func()) {
	before := os.Environ()
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		os.Setenv(name, value)
	}
	return func() {
		os.Clearenv()
		for _, line := range before {
			name, value, _ := strings.Cut(line, "=")
			os.Setenv(name, value)
		}
	}
}

// countingDisk is the machine's disk, and counts what is asked of it.
type countingDisk struct {
	ledger.OSDisk
	calls atomic.Int64
}

var _ ledger.Disk = (*countingDisk)(nil)

func (d *countingDisk) MkdirAll(dir string) error {
	d.calls.Add(1)
	return d.OSDisk.MkdirAll(dir)
}

func (d *countingDisk) ReadDir(dir string) ([]string, error) {
	d.calls.Add(1)
	return d.OSDisk.ReadDir(dir)
}

func (d *countingDisk) ReadSome(dir string, from int64) ([]string, int64, error) {
	d.calls.Add(1)
	return d.OSDisk.ReadSome(dir, from)
}

func (d *countingDisk) ReadFile(path string) ([]byte, error) {
	d.calls.Add(1)
	return d.OSDisk.ReadFile(path)
}

func (d *countingDisk) Create(path string, data []byte) error {
	d.calls.Add(1)
	return d.OSDisk.Create(path, data)
}

func (d *countingDisk) Write(path string, data []byte) error {
	d.calls.Add(1)
	return d.OSDisk.Write(path, data)
}

func (d *countingDisk) Rename(from, to string) error {
	d.calls.Add(1)
	return d.OSDisk.Rename(from, to)
}

func (d *countingDisk) Remove(path string) error {
	d.calls.Add(1)
	return d.OSDisk.Remove(path)
}

func (d *countingDisk) ModTime(path string) (time.Time, error) {
	d.calls.Add(1)
	return d.OSDisk.ModTime(path)
}

func (d *countingDisk) Sync(paths ...string) error {
	d.calls.Add(1)
	return d.OSDisk.Sync(paths...)
}

func (d *countingDisk) SyncTree(dir string) error {
	d.calls.Add(1)
	return d.OSDisk.SyncTree(dir)
}

func (d *countingDisk) TryLock(path string, place int64) (func(), error) {
	d.calls.Add(1)
	return d.OSDisk.TryLock(path, place)
}

func (d *countingDisk) TryOldLock(path string) (func(), error) {
	d.calls.Add(1)
	return d.OSDisk.TryOldLock(path)
}
