package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

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
//	aws          answers for Secrets Manager and SSM, with two secrets of the test's
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

// startAWS answers for Secrets Manager and for the parameters of SSM.
func startAWS(ts *testscript.TestScript, _ bool, _ []string) {
	answers := map[string]string{
		"secretsmanager.GetSecretValue secret:edge/admin": `{"SecretString":"` + scriptPassword + `"}`,
		"AmazonSSM.GetParameter parameter/edge/psk":       `{"Parameter":{"Value":"clé-partagée-9"}}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ SecretId, Name string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		parts := strings.SplitN(in.SecretId+in.Name, ":", 6)
		answer, ok := answers[r.Header.Get("X-Amz-Target")+" "+parts[len(parts)-1]]
		w.Header().Set("X-Amzn-Requestid", "00000000-0000-4000-8000-000000000001")
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if !ok {
			w.WriteHeader(http.StatusBadRequest)
			answer = `{"__type":"AccessDeniedException","Message":"not this one"}`
		}
		_, _ = io.WriteString(w, answer)
	}))
	ts.Defer(server.Close)
	ts.Setenv("AWS_ENDPOINT_URL", server.URL)
}
