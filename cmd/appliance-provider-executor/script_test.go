package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/ec2sim/appliancesim"
	"aws-provider-executor/pkg/testprograms"
)

func TestMain(m *testing.M) {
	testprograms.Main(m, map[string]func(){"appliance-provider-executor": main})
}

// TestScripts runs the program from outside.
//
//	appliance [fresh|ready|gone]  starts a FortiGate, and points the environment at it
//	fault METHOD PATH KIND        has its next such call go wrong
//	made PASSWORDS LICENCES SCRIPTS  holds how many changes it took
//	aws          answers for Secrets Manager and SSM, with secrets of the test's
//	request FILE VERB MODE KEY [NAME=VALUE...]  writes a request for it
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
			env.Setenv("AWS_SECRET_ACCESS_KEY", "example")
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			env.Setenv("EXECUTOR_STATE_DIR", filepath.Join(env.WorkDir, "state"))
			env.Setenv("APPLIANCE_TEMPLATE_DIR", env.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"aws":       startAWS,
			"appliance": startAppliance, "fault": injectFault, "made": holdMade, "request": writeRequest,
			"private": func(ts *testscript.TestScript, _ bool, args []string) {
				for _, name := range args {
					ts.Check(os.Chmod(ts.MkAbs(name), 0o600))
				}
			},
		},
	})
}

const (
	scriptInstance = "i-00000000000000001"
	scriptPassword = "Grün & safe 9"
)

var appliances = map[string]*appliancesim.Appliance{}

func startAppliance(ts *testscript.TestScript, _ bool, args []string) {
	o := appliancesim.Options{Instance: scriptInstance, Restart: 2}
	switch args[0] {
	case "ready":
		o.Password, o.Licensed = scriptPassword, true
	case "gone":
		o.Boot = 1 << 20
	}
	a, err := appliancesim.Start(o)
	ts.Check(err)
	ts.Defer(a.Close)
	appliances[ts.Getenv("WORK")] = a
	ts.Setenv("PORT", strings.TrimPrefix(a.Address().String(), "127.0.0.1:"))
	ts.Setenv("PIN", a.Pin())
}

func injectFault(ts *testscript.TestScript, _ bool, args []string) {
	appliances[ts.Getenv("WORK")].Inject(appliancesim.Fault{
		Method: args[0], Path: args[1], Kind: appliancesim.Kind(args[2]),
	})
}

func holdMade(ts *testscript.TestScript, _ bool, args []string) {
	c := appliances[ts.Getenv("WORK")].Counts()
	got := strings.Join([]string{
		itoa(c.PasswordChanges), itoa(c.Licenses), itoa(c.Scripts),
	}, " ")
	if want := strings.Join(args, " "); got != want {
		ts.Fatalf("it took %s changes (passwords, licences, scripts), want %s", got, want)
	}
	if c.Sessions != 0 {
		ts.Fatalf("%d sessions are left open", c.Sessions)
	}
}

// startAWS has a stand-in answer for Secrets Manager and for the parameters of SSM. One of those
// may not be read.
func startAWS(ts *testscript.TestScript, _ bool, _ []string) {
	sim := ec2sim.New(ec2sim.WithCredentials(ec2sim.Credential{AccessKeyID: "AKIAEXAMPLE",
		SecretAccessKey: "example", ARN: "arn:aws:iam::111122223333:user/core"}),
		ec2sim.WithOwner("111122223333"))
	region := sim.Region("ap-northeast-1")
	region.SetSecret(ec2sim.Secret{Name: "edge/admin", Value: scriptPassword})
	region.SetParameter(ec2sim.Parameter{Name: "/edge/psk", Value: "clé-partagée-9"})
	region.SetParameter(ec2sim.Parameter{Name: "/edge/forbidden", Value: "never seen"})
	ts.Check(sim.SetPolicies("AKIAEXAMPLE", `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue", "ssm:GetParameter"],
		 "Resource": "*"},
		{"Effect": "Deny", "Action": "ssm:GetParameter", "Resource": "*/forbidden"}]}`))
	server := httptest.NewServer(sim)
	ts.Defer(server.Close)
	ts.Setenv("AWS_ENDPOINT_URL", server.URL)
}
