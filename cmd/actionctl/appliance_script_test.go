package main

import (
	"os"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/pkg/ec2sim/appliancesim"
)

// startAppliance starts a FortiGate whose password was set already.
func startAppliance(ts *testscript.TestScript, _ bool, args []string) {
	a, err := appliancesim.Start(appliancesim.Options{
		Instance: "i-0a0000000000000b1", Password: args[0], Licensed: true,
	})
	ts.Check(err)
	ts.Defer(a.Close)
	ts.Check(os.WriteFile(ts.MkAbs("ca.pem"), a.CA(), 0o600))
	ts.Setenv("PORT", strconv.Itoa(int(a.Address().Port())))
}
