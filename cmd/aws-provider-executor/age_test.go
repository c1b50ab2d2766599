package main

import (
	"slices"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/ledger/ledgertest"
)

func age(ts *testscript.TestScript, _ bool, args []string) {
	by, err := time.ParseDuration(args[0])
	ts.Check(err)
	ts.Check(ledgertest.Age(ts.Getenv("EXECUTOR_STATE_DIR"), by))
}

// records counts the records that are not undone.
func records(ts *testscript.TestScript, _ bool, args []string) {
	keys, err := ledgertest.Open(ts.Getenv("EXECUTOR_STATE_DIR"))
	ts.Check(err)
	if n := strconv.Itoa(len(keys)); n != args[0] {
		ts.Fatalf("%s records, want %s", n, args[0])
	}
}

func kept(ts *testscript.TestScript, _ bool, args []string) {
	files, err := ledgertest.Records(ts.Getenv("EXECUTOR_STATE_DIR"))
	ts.Check(err)
	if n := strconv.Itoa(len(files)); n != args[0] {
		ts.Fatalf("%s records, want %s", n, args[0])
	}
}

// terminate ends an instance as EC2 does: its interfaces go with it, but for those that are named,
// which outlive it.
func terminate(ts *testscript.TestScript, _ bool, args []string) {
	r, id, outlive := lab(ts), args[0], args[1:]
	for _, n := range r.State().Interfaces {
		switch {
		case n.Attachment == nil || n.Attachment.InstanceID != id:
		case slices.Contains(outlive, n.ID):
			r.EditInterface(n.ID, func(n *ec2sim.Interface) { n.Attachment = nil })
		default:
			r.Remove(n.ID)
		}
	}
	r.EditInstance(id, func(i *ec2sim.Instance) { i.State = "terminated" })
}
