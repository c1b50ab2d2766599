package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"aws-provider-executor/pkg/ec2sim/simproc"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/ledger"
)

// unsynced is a disk that is filled fast.
type unsynced struct{ ledger.OSDisk }

func (d unsynced) Write(path string, data []byte) error { return d.Create(path, data) }
func (unsynced) Sync(...string) error                   { return nil }

// fill makes a ledger of actions that are in force, a few on each interface.
func fill(dir string, many int) error {
	const onOne = 4
	l, err := ledger.Open(context.Background(), dir, unsynced{}, time.Now)
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
		if err := l.Put(context.Background(), r); err != nil {
			return err
		}
	}
	return nil
}

// grown measures an execution and its undo beside more and more records. The sizes take turns.
func (b *bench) grown(sim, sizes string) error {
	process, err := simproc.Start(context.Background(), sim)
	if err != nil {
		return err
	}
	defer process.Stop()
	b.sim = process
	var dirs []string
	var all []contender
	for _, size := range strings.Split(sizes, ",") {
		many, err := strconv.Atoi(size)
		if err != nil {
			return fmt.Errorf("-records: %w", err)
		}
		dir := filepath.Join(b.dir, "records-"+size)
		if err := fill(dir, many); err != nil {
			return err
		}
		dirs, all = append(dirs, dir), append(all, contender{name: size})
	}
	env := append(process.Env, "PATH="+os.Getenv("PATH"))
	for i := range b.rounds + 3 {
		for n := range all {
			b.env = append(env[:len(env):len(env)], "EXECUTOR_STATE_DIR="+dirs[n])
			key := fmt.Sprintf("bench-%d-%d", os.Getpid(), time.Now().UnixNano())
			did, err := b.process(requestFor("execute", "assign-secondary-ip", key, ""), b.executor)
			if err != nil {
				return err
			}
			undid, err := b.process(requestFor("execute", "unassign-secondary-ip", key+":undo",
				`"priorAssigned":"false"`), b.executor)
			if err != nil {
				return err
			}
			if i >= 3 {
				all[n].samples = append(all[n].samples, sample{
					cpu: did.cpu + undid.cpu, wall: did.wall + undid.wall, peak: max(did.peak, undid.peak),
				})
			}
		}
	}
	none := all[0].median()
	fmt.Fprintf(b.out, "\nan action and its undo, beside other records\n")
	for _, c := range all {
		m := c.median()
		fmt.Fprintf(b.out, "  %9s  %s  %s  %5.1f MiB  CPU %.2f of the first's, peak %+.1f MiB\n", c.name,
			seconds(m.cpu), seconds(m.wall), float64(m.peak)/1024, ratio(m.cpu, none.cpu),
			float64(m.peak-none.peak)/1024)
	}
	return nil
}
