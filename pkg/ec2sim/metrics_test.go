package ec2sim_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
)

// TestMetricsOfTheStandIn count every call by what it was answered, and the faults that struck it,
// over a reset. What a caller made up is no label.
func TestMetricsOfTheStandIn(t *testing.T) {
	p := lab(t, ec2sim.WithVersion("v9"))
	p.inject(ec2sim.Fail(checkOp, "InternalError"))
	_, _ = p.checkOff()
	_, _ = p.checkOff()
	p.sim.Reset()
	p.inject(ec2sim.LoseAnswer(checkOp))
	_, _ = p.checkOff()
	_, _ = p.try("MadeUp")
	p.seen()

	response, err := http.Get(p.url + "/_sim/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v", response.StatusCode, err)
	}
	const count = `ec2sim_call_duration_seconds_count{code="`
	for _, want := range []string{
		count + `InternalError",operation="` + checkOp + `"} 1`,
		count + `OK",operation="` + checkOp + `"} 1`,
		count + `NoAnswer",operation="` + checkOp + `"} 1`,
		count + `OK",operation="DescribeNetworkInterfaces"} 1`,
		count + `InvalidAction",operation="unknown"} 1`,
		`ec2sim_faults_total{operation="` + checkOp + `"} 2`,
		`provideraction_build_info{program="ec2sim",version="v9"} 1`,
	} {
		if !strings.Contains(string(body), want+"\n") {
			t.Errorf("%s is not in\n%s", want, body)
		}
	}
	if strings.Contains(string(body), "MadeUp") {
		t.Error("a caller's word is a label")
	}
}
