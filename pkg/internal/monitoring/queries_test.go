package monitoring

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/metrics"
	"aws-provider-executor/pkg/protocol"
)

// example reads a file of examples/monitoring.
func example(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../examples/monitoring", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// panel is what is read of a panel of a dashboard.
type panel struct {
	Title, Type string
	GridPos     struct{ H, W, X, Y int }
	Targets     []struct{ Expr, LegendFormat string }
}

// dashboard is what is read of a dashboard.
type dashboard struct {
	Panels     []panel
	Templating struct {
		List []struct {
			Name  string
			Query any
		}
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal(example(t, "dashboard.json"), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// rules are the alert rules, and tests those that fire them.
type (
	rules struct {
		Groups []struct {
			Name  string
			Rules []struct{ Alert, Expr string }
		}
	}
	tests struct {
		Tests []struct {
			AlertRuleTest []struct {
				Alertname string
				ExpAlerts []any `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
)

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	if err := yaml.Unmarshal(example(t, name), into); err != nil {
		t.Fatal(err)
	}
}

// queries are all expressions of dashboard and alerts, by where they stand.
func queries(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			all["the panel "+p.Title+", "+target.LegendFormat] = target.Expr
		}
	}
	var r rules
	readYAML(t, "alerts.yaml", &r)
	for _, g := range r.Groups {
		for _, rule := range g.Rules {
			all["the alert "+rule.Alert] = rule.Expr
		}
	}
	return all
}

var (
	metricName = regexp.MustCompile(`\b(?:provideraction|ec2sim)_[a-z0-9_]+`)
	selector   = regexp.MustCompile(`\b((?:provideraction|ec2sim)_[a-z0-9_]+)\{([^}]*)\}`)
	matcher    = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"`)
	grouping   = regexp.MustCompile(`\bby \(([^)]*)\)`)
)

// familyOf finds the metric that a query names.
func familyOf(name string) (metrics.Family, bool) {
	for _, f := range metrics.Families() {
		suffixes := []string{""}
		if f.Kind == metrics.Histogram {
			suffixes = []string{"_bucket", "_sum", "_count"}
		}
		for _, s := range suffixes {
			if name == f.Name+s {
				return f, true
			}
		}
	}
	return metrics.Family{}, false
}

// words are the values that a label may have, where there is an end to them.
func words() map[string][]string {
	all := map[string][]string{
		"mode":    {"dry-run", "execute", "read", "unknown"},
		"status":  {"succeeded", "failed", "skipped", "refused"},
		"verdict": {"pass", "warn", "unknown", "fail"},
		"state": {"released", string(history.Pending), string(history.Undoing), string(history.Live),
			string(history.Withdrawn)},
		"failure_class": {"none", "no-result"},
		"service":       {"EC2", "STS", "metadata"},
	}
	for _, c := range protocol.FailureClasses() {
		all["failure_class"] = append(all["failure_class"], string(c.Class))
	}
	for _, v := range actions.Registry().Verbs() {
		all["verb"] = append(all["verb"], v.Name)
	}
	return all
}

// TestQueriesNameWhatThereIs: every metric, every label and every value that the dashboard and the
// alerts name is one that some program tells.
func TestQueriesNameWhatThereIs(t *testing.T) {
	known, all := words(), queries(t)
	if len(all) < 30 {
		t.Fatalf("only %d queries", len(all))
	}
	for where, query := range all {
		labels := slices.Clone(foreignLabels)
		names := metricName.FindAllString(query, -1)
		if len(names) == 0 {
			t.Errorf("%s names no metric: %s", where, query)
		}
		for _, name := range names {
			f, ok := familyOf(name)
			if !ok {
				t.Errorf("%s names %s, which no program tells", where, name)
			}
			labels = append(labels, f.Labels...)
		}
		for _, s := range selector.FindAllStringSubmatch(query, -1) {
			checkSelector(t, where, s[1], s[2], known)
		}
		for _, g := range grouping.FindAllStringSubmatch(query, -1) {
			for _, label := range strings.Split(g[1], ",") {
				if !slices.Contains(labels, strings.TrimSpace(label)) {
					t.Errorf("%s: nothing in it has the label %s", where, label)
				}
			}
		}
	}
}

// foreignLabels are those that Prometheus itself adds.
var foreignLabels = []string{"instance", "le"}

// checkSelector holds that a metric has the labels that it is selected by, and these the values.
func checkSelector(t *testing.T, where, name, text string, known map[string][]string) {
	t.Helper()
	f, _ := familyOf(name)
	for _, m := range matcher.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(f.Labels, m[1]) && !slices.Contains(foreignLabels, m[1]) {
			t.Errorf("%s: %s has no label %s", where, name, m[1])
		}
		for _, value := range strings.Split(m[2], "|") {
			if of := known[m[1]]; of != nil && !strings.HasPrefix(value, "$") &&
				!slices.Contains(of, value) {
				t.Errorf("%s: the label %s is never %q", where, m[1], value)
			}
		}
	}
}

// TestTheDashboardShowsEveryMetric, each on a place of its own.
func TestTheDashboardShowsEveryMetric(t *testing.T) {
	var text strings.Builder
	taken := map[[2]int]string{}
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			text.WriteString(target.Expr + "\n")
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Errorf("%s is over %s, or outside", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
	for _, f := range metrics.Families() {
		if !strings.Contains(text.String(), f.Name) {
			t.Errorf("it does not show %s", f.Name)
		}
	}
}

// TestEachAlertIsTested: by a test in which it fires, and by one in which it does not.
func TestEachAlertIsTested(t *testing.T) {
	var r rules
	var all tests
	readYAML(t, "alerts.yaml", &r)
	readYAML(t, "alerts_test.yaml", &all)
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range all.Tests {
		for _, a := range test.AlertRuleTest {
			fires[a.Alertname] = fires[a.Alertname] || len(a.ExpAlerts) > 0
			silent[a.Alertname] = silent[a.Alertname] || len(a.ExpAlerts) == 0
		}
	}
	for _, g := range r.Groups {
		for _, rule := range g.Rules {
			if !fires[rule.Alert] || !silent[rule.Alert] {
				t.Errorf("%s: fires %t, silent %t", rule.Alert, fires[rule.Alert], silent[rule.Alert])
			}
		}
	}
}
