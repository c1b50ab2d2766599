package main

import (
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/pkg/nodes/sshhost"
)

// startHost has a machine be reached by SSH: sshhost.
func startHost(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: sshhost")
	}
	h, err := sshhost.Start(ts.MkAbs("ssh"))
	ts.Check(err)
	ts.Defer(h.Close)
	ts.Setenv("SSHPORT", strconv.Itoa(h.Port))
}
