package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/preflight"
)

// examined is a world for doctor, and what the checks that ask the provider come to in it.
type examined struct {
	name string
	// ahead is by how much the provider's clock is.
	ahead time.Duration
	world func(*ec2sim.Sim)
	// metadata has the instance tell what the lab's tells; without, nobody answers there.
	metadata  bool
	args, env []string
	want      map[string]string
	code      int
}

// TestDoctorAtTheProvider: region, credentials, identity and clock have a world for each of their
// verdicts. What could not be asked is never a pass.
func TestDoctorAtTheProvider(t *testing.T) {
	none := closedPort()
	nobody := []string{"AWS_ENDPOINT_URL_EC2=" + none, "AWS_ENDPOINT_URL_STS=" + none}
	rows := []examined{
		{name: "all is right", metadata: true, want: values{
			"region":      "pass: ap-northeast-1 (AWS_REGION)",
			"credentials": "pass: from the instance metadata", "identity": "pass: lab-router",
			"clock": "pass: agrees"}},
		{name: "the instance tells the region", metadata: true,
			env:  []string{"AWS_REGION=", "AWS_DEFAULT_REGION="},
			want: values{"region": "pass: ap-northeast-1 (instance-metadata)"}},
		{name: "nobody tells a region", code: 3,
			env: []string{"AWS_REGION=", "AWS_DEFAULT_REGION=", "AWS_EC2_METADATA_DISABLED=true"},
			want: values{"region": "warn: neither AWS_REGION nor the instance tells one",
				"credentials": "unknown: no region", "identity": "unknown: no region",
				"clock": "unknown: no region"}},
		{name: "a flag that names no region", metadata: true, code: 3,
			args: []string{"--region", "mars-1"},
			want: values{"region": `fail: "mars-1" (--region): want a region's name`,
				"credentials": "unknown: no region", "identity": "unknown: no region",
				"clock": "unknown: no region"}},
		{name: "a variable with a blank behind the region", metadata: true, code: 3,
			env:  []string{"AWS_REGION=ap-northeast-1 "},
			want: values{"region": `fail: "ap-northeast-1 " (AWS_REGION): want a region's name`}},
		{name: "nobody answers in the region", metadata: true, code: 3, env: nobody,
			args: []string{"--region", "ap-northeast-9"},
			want: values{"region": "unknown: nothing there gave an answer",
				"credentials": "unknown: did not get through", "identity": "unknown: no answer",
				"clock": "unknown: no answer of the provider had a date"}},
		{name: "EC2 answers and STS does not", metadata: true, code: 3, env: nobody[1:],
			want: values{"region": "pass: ap-northeast-1", "identity": "unknown: no answer",
				"clock": "unknown: no answer"}},
		{name: "STS throttles", metadata: true, code: 3,
			world: failing("GetCallerIdentity", "Throttling"),
			want: values{"region": "pass: ", "credentials": "unknown: did not get through",
				"identity": "unknown: Throttling", "clock": "pass: agrees"}},
		{name: "there are no credentials", code: 3, env: []string{"AWS_EC2_METADATA_DISABLED=true"},
			want: values{"region": "unknown: nothing there gave an answer",
				"credentials": "unknown: did not get through",
				"identity":    "fail: there are no credentials", "clock": "unknown: no answer"}},
		{name: "a profile that is not there", metadata: true, code: 3,
			env: []string{"AWS_PROFILE=nobody"},
			want: values{"region": "unknown: nothing could be asked",
				"credentials": "unknown: AWS_PROFILE", "clock": "unknown: AWS_PROFILE"}},
		{name: "a clock a minute behind", metadata: true, ahead: time.Minute,
			want: values{"clock": "warn: behind the provider's"}},
		{name: "a clock a minute ahead", metadata: true, ahead: -time.Minute,
			want: values{"clock": "warn: ahead of the provider's"}},
		{name: "a clock ten minutes behind", metadata: true, ahead: 10 * time.Minute, code: 3,
			want: values{"clock": "fail: behind the provider's", "identity": "pass: "}},
		{name: "a clock ten minutes ahead", metadata: true, ahead: -10 * time.Minute, code: 3,
			want: values{"clock": "fail: ahead of the provider's"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.run(t)
		})
	}
	for check, verdicts := range map[string][]preflight.Verdict{
		"region":      {preflight.Pass, preflight.Warn, preflight.Fail, preflight.Unknown},
		"credentials": {preflight.Pass, preflight.Unknown},
		"identity":    {preflight.Pass, preflight.Fail, preflight.Unknown},
		"clock":       {preflight.Pass, preflight.Warn, preflight.Fail, preflight.Unknown},
	} {
		for _, v := range verdicts {
			if !slices.ContainsFunc(rows, func(x examined) bool {
				return strings.HasPrefix(x.want[check], string(v)+": ")
			}) {
				t.Errorf("%s has no world in which it is %s", check, v)
			}
		}
	}
}

func (x examined) run(t *testing.T) {
	bin, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	sim := ec2sim.New(ec2sim.Lab(),
		ec2sim.WithClock(func() time.Time { return time.Now().Add(x.ahead) }))
	var options ec2sim.ServerOptions
	if x.metadata {
		options.Metadata = ec2sim.LabMetadata()
	}
	srv, err := ec2sim.Start(sim, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	if x.world != nil {
		x.world(sim)
	}
	before, dir := sim.State(), t.TempDir()
	args := append([]string{"doctor", "-o", "json", "--timeout", "6s"}, x.args...)
	cmd := exec.Command(filepath.Join(bin, "actionctl"), args...)
	cmd.Env = append(append(srv.Env(), "PATH="+os.Getenv("PATH"), "HOME="+dir,
		"EXECUTOR_STATE_DIR="+filepath.Join(dir, "state")), x.env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // its exit code is looked at
	if code := cmd.ProcessState.ExitCode(); code != x.code {
		t.Errorf("exit code %d, want %d: %s%s", code, x.code, stdout.String(), stderr.String())
	}
	var report preflight.Report
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		t.Fatalf("%v: %s%s", err, stdout.String(), stderr.String())
	}
	looked{want: x.want}.judge(t, report)
	if diff := cmp.Diff(before, sim.State()); diff != "" {
		t.Errorf("it changed the world:\n%s", diff)
	}
}
