package inventory_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/inventory"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/testprograms"
)

// measureProgram, in the environment, makes the test's binary run a program and tell its peak
// memory. A small process has to do that: the kernel counts a child's peak from its parent's on.
const measureProgram = "MEASURE_PROGRAM"

func TestMain(m *testing.M) {
	if program := os.Getenv(measureProgram); program != "" {
		os.Exit(measureChild(program))
	}
	code := m.Run()
	testprograms.Remove()
	os.Exit(code)
}

func measureChild(program string) int {
	cmd := exec.Command(program)
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	fmt.Fprintf(
		os.Stderr,
		"%d %d",
		usage.Maxrss,
		(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Microseconds(),
	)
	return 0
}

// program returns the path of the inventory, which is built once.
func program() (string, error) {
	const name = "aws-provider-inventory"
	dir, err := testprograms.Build(name)
	return filepath.Join(dir, name), err
}

// crowd is a VPC of so many interfaces, each on an instance of its own, of which some do not run;
// and one of the interfaces.
func crowd(n int) (sim *ec2sim.Sim, one string) {
	sim = ec2sim.New()
	r := sim.Region("ap-northeast-1")
	vpc := r.AddVPC(ec2sim.VPC{CIDR: "10.0.0.0/16"})
	subnet := r.AddSubnet(ec2sim.Subnet{VPCID: vpc.ID, CIDR: "10.0.0.0/16"})
	like := ec2sim.Instance{SubnetID: subnet.ID, Type: "m5.large", State: "running",
		Tags: ec2sim.Tags{"Name": "node-{n}", "role": "worker", "team": "network"}}
	r.AddFleet(like, n-n/50)
	like.State = "stopped"
	r.AddFleet(like, n/50)
	return sim, r.State().Interfaces[0].ID
}

type measured struct {
	calls, addresses, bytes int
	peak                    float64 // MiB
	cpu                     time.Duration
}

func observeCrowd(tb testing.TB, n int) measured {
	tb.Helper()
	path, err := program()
	if err != nil {
		tb.Fatal(err)
	}
	sim, own := crowd(n)
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	defer server.Close()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(server.Env(), measureProgram+"="+path, "EXECUTOR_TIMEOUT=10m")
	cmd.Stdin = strings.NewReader(
		fmt.Sprintf(
			`{"apiVersion":%q,"kind":%q,"spec":{"provider":"aws","providerRef":"lab-aws",`+
				`"strategy":"route-table",`+
				`"selfNicRef":%q,"target":{"region":"ap-northeast-1"}}}`,
			inventory.APIVersion, inventory.RequestKind, own,
		),
	)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		tb.Fatalf("%v: %s", err, stderr.String())
	}
	m := measured{calls: len(sim.Calls()), bytes: stdout.Len()}
	numbers := strings.Fields(stderr.String())
	kib, err := strconv.Atoi(numbers[0])
	if err != nil {
		tb.Fatal(err)
	}
	micros, err := strconv.Atoi(numbers[1])
	if err != nil {
		tb.Fatal(err)
	}
	m.peak, m.cpu = float64(kib)/1024, time.Duration(micros)*time.Microsecond
	var result struct {
		Status struct {
			Status, Error string
			IPs           []struct{ InstanceState string }
		}
	}
	if err := json.NewDecoder(io.Reader(&stdout)).Decode(&result); err != nil {
		tb.Fatal(err)
	}
	if result.Status.Status != "succeeded" {
		tb.Fatal(result.Status.Error)
	}
	stopped := 0
	for _, ip := range result.Status.IPs {
		if ip.InstanceState == "stopped" {
			stopped++
		}
	}
	if stopped != n/50 {
		tb.Errorf("%d are told to be stopped, want %d", stopped, n/50)
	}
	m.addresses = len(result.Status.IPs)
	return m
}

// TestTenThousandInterfaces holds the bounds that a core relies on: 15 calls, 64 MiB of memory,
// and a result that it reads to the end. That the work grows no faster than the crowd is
// TestAllocationsAreLinear's; time is the bench's.
func TestTenThousandInterfaces(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and makes a crowd of 10,000")
	}
	large := observeCrowd(t, 10000)
	t.Logf("%+v", large)
	if large.addresses != 10000 {
		t.Errorf("%d addresses, want 10000", large.addresses)
	}
	if large.calls > 15 {
		t.Errorf("%d calls, want at most 15", large.calls)
	}
	if large.peak > 64 {
		t.Errorf("a peak of %.1f MiB, want at most 64", large.peak)
	}
	if large.bytes > protocol.MaxResultBytes {
		t.Errorf("a result of %d bytes, and a core reads %d", large.bytes, protocol.MaxResultBytes)
	}
}

// BenchmarkObserve tells what an observation costs. The time of an operation is mostly the
// stand-in's.
func BenchmarkObserve(b *testing.B) {
	for _, n := range []int{100, 1000, 10000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				m := observeCrowd(b, n)
				b.ReportMetric(float64(m.calls), "calls")
				b.ReportMetric(m.peak, "peak-MiB")
				b.ReportMetric(float64(m.bytes)/(1<<20), "result-MiB")
				b.ReportMetric(float64(m.cpu.Milliseconds()), "program-CPU-ms")
			}
		})
	}
}
