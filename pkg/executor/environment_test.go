package executor

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/pkg/metrics"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/trace"
)

// TestEverySettingIsRead gives each listed variable a value that can't be right. The answer
// names it, so it is read. What only tells of a run is named in the log, and changes no answer.
func TestEverySettingIsRead(t *testing.T) {
	for _, s := range Settings() {
		t.Run(s.Name, func(t *testing.T) {
			p := newProcess(t)
			p.run(t, []string{s.Name + "=\x01:wrong"}, request("on", "k", "a", ""))
			status := p.status(t)
			if s.Name == metrics.Variable || s.Name == trace.Variable {
				if status.Status != protocol.Succeeded || p.cloud.values["a"] != "on" ||
					strings.Count(p.stderr.String(), "\n") != 1 {
					t.Errorf("answered %+v, and said %s", status, &p.stderr)
				}
				return
			}
			names := strings.Contains(status.Message, s.Name) || strings.Contains(status.Message, `\x01`)
			class := protocol.FailureClass(status.Observed[protocol.FactFailureClass])
			if class != protocol.Configuration || !names {
				t.Errorf("answered %+v", status)
			}
			if p.cloud.values["a"] != "off" {
				t.Error("it was switched")
			}
		})
	}
}

// TestUsageNamesEverySetting: what a person is told is what there is.
func TestUsageNamesEverySetting(t *testing.T) {
	named := regexp.MustCompile("(EXECUTOR_|TRACE)[A-Z_]+").FindAllString(newProcess(t).usage(), -1)
	var want []string
	for _, s := range Settings() {
		want = append(want, s.Name)
	}
	if !slices.Equal(named, want) {
		t.Errorf("the usage names %v, want %v", named, want)
	}
}
