package policy

import (
	"strings"
	"testing"
)

// TestSelection: each bound says no by its name with the counts, and what it names would do.
func TestSelection(t *testing.T) {
	four := &Nodes{
		Chosen:   4,
		Regions:  []Share{{"eu-west-1", 1, 3}, {"us-west-2", 3, 3}},
		Accounts: []Share{{"111122223333", 3, 4}, {"222233334444", 1, 4}},
	}
	with := func(text string) *Policy { return mustParse(t, open+text) }
	for _, c := range []struct {
		name string
		of   *Policy
		on   *Nodes
		want []string
	}{
		{"unbounded", with(""), four, nil},
		{"unbounded, one", with(""), nil, nil},
		{"as many as allowed", with("  maxNodes: 4\n"), four, nil},
		{"too many", with("  maxNodes: 3\n"), four, []string{"maxNodes: 4 nodes are chosen, and 3 are " +
			"allowed; choose fewer, or write maxNodes: 4"}},
		{"the share", with("  maxPercentPerRegion: 34\n"), four, []string{
			"maxPercentPerRegion: 3 of 3 nodes in us-west-2 are chosen, which is 100 %, and 34 %"}},
		{"a third is more than 33 %", with("  maxPercentPerRegion: 33\n"), four, []string{
			"1 of 3 nodes in eu-west-1 are chosen, which is 34 %", "3 of 3 nodes in us-west-2"}},
		{"of how many is not known", with("  maxPercentPerRegion: 100\n"),
			&Nodes{Chosen: 1, Regions: []Share{{"eu-west-1", 1, 0}}}, []string{
				"maxPercentPerRegion: 1 nodes in eu-west-1 are chosen, and the selection does not say of"}},
		{"all", with("  maxPercentPerRegion: 100\n"), four, nil},
		{"an account", with("  allowedAccounts: [\"111122223333\"]\n"), four, []string{
			`allowedAccounts: 1 of 4 nodes are of the account "222233334444", which is not allowed; ` +
				`allowed: 111122223333; to allow it add "222233334444" to allowedAccounts`}},
		{"any account", with("  allowedAccounts: [\"*\"]\n"), four, nil},
		{"no account said", with("  allowedAccounts: [\"1\"]\n"), nil, []string{
			"allowedAccounts: the plan does not say its account"}},
		{"two policies", with("  maxNodes: 9\n").And(with("  maxNodes: 2\n")), four, []string{
			"maxNodes: 4 nodes are chosen, and 2 are allowed"}},
	} {
		reasons := c.of.Selection(c.on)
		if len(reasons) != len(c.want) {
			t.Errorf("%s: %v", c.name, reasons)
			continue
		}
		for i, r := range reasons {
			if text := r.Field + ": " + r.Text; !strings.Contains(text, c.want[i]) {
				t.Errorf("%s: %q, want %q", c.name, text, c.want[i])
			}
		}
	}
	for text, want := range map[string]string{
		"  maxNodes: 0\n":              "want a whole number from 1 up",
		"  maxPercentPerRegion: 101\n": "want a share of all from 1 to 100",
		"  maxPercentPerRegion: 0\n":   "want a whole number from 1 up",
		"  maxPercentPerRegion: 10%\n": "want a whole number from 1 up",
		"  allowedAccounts: []\n":      "is an empty list",
		"  allowedAccounts: [123]\n":   "put it in quotes",
	} {
		if _, err := Parse(
			[]byte(header + open + text),
		); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
