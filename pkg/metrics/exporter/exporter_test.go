package exporter

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/metrics"
)

// TestHandler serves what was counted until it is asked, as the text of a file has it, and Go's
// own metrics beside it.
func TestHandler(t *testing.T) {
	s := metrics.New("tester", "v1")
	server := httptest.NewServer(Handler(s))
	defer server.Close()
	for _, n := range []string{"1", "2"} {
		s.Operation(metrics.Operation{Verb: "v", Mode: "read", Status: "succeeded", Took: time.Second})
		s.Drift("v", "read")
		response, err := http.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%d, %v, %s", response.StatusCode, err, body)
		}
		const labels = `{failure_class="none",mode="read",program="tester",status="succeeded",verb="v"`
		for _, want := range []string{
			`provideraction_operation_duration_seconds_bucket` + labels + `,le="0.5"} 0`,
			`provideraction_operation_duration_seconds_bucket` + labels + `,le="1"} ` + n,
			`provideraction_operation_duration_seconds_count` + labels + `} ` + n,
			`provideraction_operation_duration_seconds_sum` + labels + `} ` + n,
			`provideraction_drift_total{mode="read",program="tester",verb="v"} ` + n,
			`provideraction_build_info{program="tester",version="v1"} 1`,
			`# TYPE go_goroutines gauge`, `# TYPE process_cpu_seconds_total counter`,
		} {
			if !strings.Contains(string(body), want+"\n") {
				t.Errorf("%s is not in\n%s", want, body)
			}
		}
	}
}
