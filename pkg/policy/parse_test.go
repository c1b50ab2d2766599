package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const header = "apiVersion: hybrid.routerd.net/v1alpha1\nkind: ProviderActionPolicy\nmetadata: " +
	"{name: lab}\nspec:\n"

func mustParse(t testing.TB, spec string) *Policy {
	t.Helper()
	p, err := Parse([]byte(header + spec))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return p
}

func TestZeroValuesAreSafe(t *testing.T) {
	for name, p := range map[string]*Policy{"empty spec": mustParse(t, "  {}\n"), "zero Policy": {}} {
		if p.Enabled || !p.DryRunOnly() || p.Approvals() != 1 || p.MaxActions != 0 || p.AllowUndo ||
			p.AllowsIrreversible("a", false) {
			t.Errorf("%s: %+v", name, p)
		}
		subject := p.Subject(
			Subject{
				Action:      "a",
				Provider:    "aws",
				ProviderRef: "r",
				Target:      map[string]string{"address": "10.0.0.4"},
			},
		)
		if got, want := fields(subject), "enabled allowedProviders allowedActions"; got != want {
			t.Errorf("%s: denied by %s, want %s", name, got, want)
		}
		if got, want := fields(p.Execution(time.Now(), 0)), "dryRunOnly maxActionsPerRun"; got != want {
			t.Errorf("%s: execution denied by %s, want %s", name, got, want)
		}
	}
}

func TestParseWhole(t *testing.T) {
	yaml := `
  enabled: true
  dryRunOnly: false
  requireApproval: true
  allowedProviders: [aws]
  allowedProviderRefs: [lab-aws]
  allowedActions: [assign-secondary-ip]
  allowedCIDRs: [10.88.60.0/24, "2001:db8::/64"]
  maxActionsPerRun: 5
  allowUndo: true
  executionWindow: Mon-Fri 09:00-17:00 Asia/Tokyo, Sat,Sun 22:00-02:00 UTC
  allowedRegions: [ap-northeast-1]
  allowedTargets: {nicRef: ["eni-0*"], instanceRef: [i-0abc]}
  requiredTags: {env: [lab, 'test-?']}
  deniedTags: {env: prod*, tier: "*"}
  allowedDocuments: [AWS-RunShellScript, "acme-*"]
  approvals: 2
  approvalTTL: 24h
  requireEvidence: true
  maxDecisionWait: 1h30m
  allowIrreversible: true
`
	p := mustParse(t, yaml)
	if len(p.Windows) != 2 || p.Windows[1].String() != "Sat,Sun 22:00-02:00 UTC" {
		t.Errorf("windows: %v", p.Windows)
	}
	if p.Approvals() != 2 || p.ApprovalTTL != 24*time.Hour || p.MaxDecisionWait != 90*time.Minute ||
		len(p.RequiredTags[0].Values) != 2 || len(p.Documents) != 2 ||
		len(p.DeniedTags) != 2 {
		t.Errorf("%+v", p)
	}
	json := `{"apiVersion":"hybrid.routerd.net/v1alpha1","kind":"ProviderActionPolicy",
	"metadata":{"name":"lab","labels":{"a":"b"},"annotations":{"a":"b"}},
	"spec":{"enabled":true,"allowedProviders":["aws"],"maxActionsPerRun":3}}`
	if p, err := Parse([]byte(json)); err != nil || !p.Enabled || p.MaxActions != 3 {
		t.Errorf("JSON: %+v, %v", p, err)
	}
}

// TestBadDocumentsAreRefused names the line and the reason of every fault.
func TestBadDocumentsAreRefused(t *testing.T) {
	tests := []struct {
		name, doc string
		want      []string
	}{
		{"nothing", "", []string{"there is no document"}},
		{"blank", "\n# only a comment\n", []string{"there is no document"}},
		{"not YAML", "a: [1\n", []string{"line 1: is not YAML"}},
		{"bare text", "policy", []string{"is a string, want an object"}},
		{"invalid UTF-8", "a: \xff", []string{"not valid UTF-8"}},
		{
			"two documents",
			header + "  {}\n---\n" + header + "  {}\n",
			[]string{"line 7: a second document"},
		},
		{
			"nothing that is required",
			"{}",
			[]string{
				"line 1: apiVersion: is required",
				"kind: is required",
				"metadata: is required",
				"spec: is required",
			},
		},
		{
			"another kind",
			strings.Replace(header, "Kind", "kind", 1) + "  {}\n" + "extra: 1\n",
			[]string{`line 6: extra: is unknown`},
		},
		{
			"another version",
			strings.Replace(header, "v1alpha1", "v1", 1) + "  {}\n",
			[]string{`line 1: apiVersion: is "hybrid.routerd.net/v1", want`},
		},
		{
			"no name",
			strings.Replace(header, "{name: lab}", "{name: ' '}", 1) + "  {}\n",
			[]string{"line 3: metadata.name: is blank"},
		},
		{
			"no name at all",
			strings.Replace(header, "{name: lab}", "{}", 1) + "  {}\n",
			[]string{"line 3: metadata.name: is required"},
		},
		{
			"pattern with blanks",
			header + "  allowedTargets: {nicRef: [' eni-1']}\n",
			[]string{"begins or ends with a blank"},
		},
		{
			"empty tag key",
			header + "  deniedTags: {'': x}\n",
			[]string{"line 5: spec.deniedTags: has an empty tag key"},
		},
		{
			"more than a window",
			header + "  executionWindow: Mon 09:00-10:00 UTC UTC\n",
			[]string{`is not a window`},
		},
		{
			"day left out",
			header + "  executionWindow: Mon,,Tue 09:00-10:00 UTC\n",
			[]string{`"" are no days`},
		},
		{
			"unknown field",
			header + "  enabled: true\n  allowedCidrs: []\n",
			[]string{"line 6: spec.allowedCidrs: is unknown (did you mean allowedCIDRs?), want enabled, "},
		},
		{
			"key twice",
			header + "  enabled: true\n  enabled: false\n",
			[]string{"line 6: enabled: the key is there twice"},
		},
		{
			"key twice in JSON",
			`{"apiVersion":"x",` + "\n" + `"apiVersion":"y"}`,
			[]string{"line 2: apiVersion: the key is there twice"},
		},
		{
			"word for a boolean",
			header + "  enabled: yes\n",
			[]string{"line 5: spec.enabled: is a string, want true or false"},
		},
		{
			"quoted boolean",
			header + "  dryRunOnly: 'false'\n",
			[]string{"line 5: spec.dryRunOnly: is a string, want true or false"},
		},
		{
			"negative limit",
			header + "  maxActionsPerRun: -1\n",
			[]string{"line 5: spec.maxActionsPerRun: is -1, want a whole number from 0 up"},
		},
		{
			"no number",
			header + "  maxActionsPerRun: 0x10\n",
			[]string{"line 5: spec.maxActionsPerRun: is 0x10"},
		},
		{"fraction", header + "  approvals: 1.5\n", []string{"line 5: spec.approvals: is 1.5"}},
		{
			"no approvals",
			header + "  approvals: 0\n",
			[]string{"line 5: spec.approvals: is 0, want a whole number from 1 up"},
		},
		{
			"contradiction",
			header + "  requireApproval: false\n  approvals: 2\n",
			[]string{"approvals asks for 2, and requireApproval is false"},
		},
		{
			"list of numbers",
			header + "  allowedProviderRefs: [1]\n",
			[]string{"line 5: spec.allowedProviderRefs[0]: is a number, want a string: put it in quotes"},
		},
		{
			"string for a list",
			header + "  allowedActions: assign\n",
			[]string{"line 5: spec.allowedActions: is a string, want a list"},
		},
		{
			"every fault, with its line",
			header + "  allowedCIDRs:\n  - 10.0.0.0/33\n  - 10.0.0.1/24\n  - ten\n  executionWindow: " +
				"always\n",
			[]string{
				`line 6: spec.allowedCIDRs[0]: is "10.0.0.0/33", want a network`,
				`line 7: spec.allowedCIDRs[1]: is "10.0.0.1/24", which has bits set beyond its length: ` +
					`10.0.0.0/24, or a /32?`,
				`line 8: spec.allowedCIDRs[2]: is "ten"`,
				`line 9: spec.executionWindow: "always" is not a window`,
			},
		},
		{
			"IPv4 in IPv6",
			header + "  allowedCIDRs: ['::ffff:10.0.0.0/120']\n",
			[]string{"write the IPv4 network plainly"},
		},
		{
			"no such zone",
			header + "  executionWindow: Mon 09:00-10:00 Asia/Tokio\n",
			[]string{`"Asia/Tokio" is not in the time zone database`},
		},
		{
			"local zone",
			header + "  executionWindow: Mon 09:00-10:00 Local\n",
			[]string{`"Local" is not in the time zone database`},
		},
		{
			"the machine's zone",
			header + "  executionWindow: Mon 09:00-10:00 localtime\n",
			[]string{`"localtime" is not in the time zone database`},
		},
		{
			"the zone of old rules",
			header + "  executionWindow: Mon 09:00-10:00 posixrules\n",
			[]string{`"posixrules" is not in the time zone database`},
		},
		{
			"a pattern for a tag's key",
			header + "  deniedTags: {'prod*': '*'}\n",
			[]string{`line 5: spec.deniedTags: has the tag key "prod*": a key is no pattern`},
		},
		{"no such day", header + "  executionWindow: Mo 09:00-10:00 UTC\n", []string{`"Mo" are no days`}},
		{
			"no such hour",
			header + "  executionWindow: Mon 09:00-24:01 UTC\n",
			[]string{`"09:00-24:01" are no hours`},
		},
		{"one-digit hour", header + "  executionWindow: Mon 9:00-10:00 UTC\n", []string{`are no hours`}},
		{"no such minute", header + "  executionWindow: Mon 08:60-10:00 UTC\n", []string{`are no hours`}},
		{"no end", header + "  executionWindow: Mon 08:00 UTC\n", []string{`are no hours`}},
		{
			"hours without a colon",
			header + "  executionWindow: Mon 09.00-10:00 UTC\n",
			[]string{`are no hours`},
		},
		{
			"minutes of one digit",
			header + "  executionWindow: Mon 009:0-10:00 UTC\n",
			[]string{`are no hours`},
		},
		{
			"end that is none",
			header + "  executionWindow: Mon 09:00-25:00 UTC\n",
			[]string{`are no hours`},
		},
		{
			"begin at the end of the day",
			header + "  executionWindow: Mon 24:00-10:00 UTC\n",
			[]string{`are no hours`},
		},
		{
			"letters for minutes",
			header + "  executionWindow: Mon 09:xx-10:00 UTC\n",
			[]string{`are no hours`},
		},
		{
			"letters for hours",
			header + "  executionWindow: Mon xx:00-10:00 UTC\n",
			[]string{`are no hours`},
		},
		{
			"days to no day",
			header + "  executionWindow: Mon-Foo 09:00-10:00 UTC\n",
			[]string{`"Mon-Foo" are no days`},
		},
		{
			"days from no day",
			header + "  executionWindow: Foo-Mon 09:00-10:00 UTC\n",
			[]string{`"Foo-Mon" are no days`},
		},
		{"signed hour", header + "  executionWindow: Mon +9:00-10:00 UTC\n", []string{`are no hours`}},
		{
			"empty window",
			header + "  executionWindow: Mon 09:00-09:00 UTC\n",
			[]string{`it is empty; the whole day is 00:00-24:00`},
		},
		{"no zone", header + "  executionWindow: Mon 09:00-10:00\n", []string{`is not a window`}},
		{
			"second window bad",
			header + "  executionWindow: Mon 09:00-10:00 UTC, 11:00-12:00\n",
			[]string{`is not a window`},
		},
		{
			"window left open",
			header + "  executionWindow: Mon 09:00-10:00 UTC,\n",
			[]string{`is not a window`},
		},
		{
			"regular expression",
			header + "  allowedTargets: {nicRef: ['eni-[0-9]+']}\n",
			[]string{"line 5: spec.allowedTargets.nicRef[0]", "only * and ? stand for something"},
		},
		{
			"unknown ref",
			header + "  allowedTargets: {vpcRef: [a]}\n",
			[]string{"spec.allowedTargets.vpcRef: is unknown"},
		},
		{
			"list of tags",
			header + "  requiredTags: [env]\n",
			[]string{"spec.requiredTags: is a list, want an object of tag keys"},
		},
		{
			"field without a value",
			header + "  executionWindow:\n  enabled: true\n  allowedRegions: null\n",
			[]string{
				"line 5: spec.executionWindow: is null: remove it, or give it a value",
				"line 7: spec.allowedRegions: is null: remove it, or give it a value"},
		},
		{
			"patterns without a value",
			header + "  allowedTargets: {nicRef: ~}\n",
			[]string{"line 5: spec.allowedTargets.nicRef: is null"},
		},
		{
			"labels without a value",
			strings.Replace(header, "{name: lab}", "{name: lab, labels: }", 1) + "  {}\n",
			[]string{"line 3: metadata.labels: is null"},
		},
		{
			"spec without a value",
			strings.TrimSpace(header),
			[]string{"line 4: spec: is null: remove it, or give it a value"},
		},
		{
			"not UTF-8",
			header + "  enabled: true\n  executionWindow: \"\xff\"\n",
			[]string{"line 6: is not valid UTF-8"},
		},
		{
			"tag without a value",
			header + "  requiredTags: {env: }\n",
			[]string{"spec.requiredTags.env: is null, want a string"},
		},
		{
			"empty list of providers",
			header + "  allowedProviders: []\n",
			[]string{
				"line 5: spec.allowedProviders: is an empty list: name what is allowed, or take the field " +
					"out, which allows none",
			},
		},
		{
			"empty list of provider refs",
			header + "  allowedProviderRefs: []\n",
			[]string{
				"line 5: spec.allowedProviderRefs: is an empty list: name what is allowed, or take the " +
					"field out, which allows any",
			},
		},
		{
			"empty list of actions",
			header + "  allowedActions: []\n",
			[]string{
				"line 5: spec.allowedActions: is an empty list: name what is allowed, or take the field " +
					"out, which allows none",
			},
		},
		{
			"empty list of networks",
			header + "  allowedCIDRs: []\n",
			[]string{
				"line 5: spec.allowedCIDRs: is an empty list: name what is allowed, or take the field out, " +
					"which allows any",
			},
		},
		{
			"empty list of regions",
			header + "  allowedRegions: []\n",
			[]string{"line 5: spec.allowedRegions: is an empty list"},
		},
		{
			"empty list of patterns",
			header + "  allowedTargets:\n    nicRef: []\n",
			[]string{
				"line 6: spec.allowedTargets.nicRef: is an empty list: name what is allowed, or take the " +
					"field out, which allows none",
			},
		},
		{
			"no patterns",
			header + "  allowedTargets: {}\n",
			[]string{"line 5: spec.allowedTargets: is empty"},
		},
		{
			"no required tags",
			header + "  requiredTags: {}\n",
			[]string{"line 5: spec.requiredTags: is empty: name a tag, or take the field out"},
		},
		{"no denied tags", header + "  deniedTags: {}\n", []string{"line 5: spec.deniedTags: is empty"}},
		{
			"blank window",
			header + "  executionWindow: ''\n",
			[]string{"line 5: spec.executionWindow: is blank"},
		},
		{
			"tag without a pattern",
			header + "  deniedTags: {env: []}\n",
			[]string{"spec.deniedTags.env: has no pattern"},
		},
		{
			"bad duration",
			header + "  approvalTTL: 1d\n",
			[]string{`line 5: spec.approvalTTL: is "1d", want a time`},
		},
		{
			"number for a duration",
			header + "  maxDecisionWait: 60\n",
			[]string{"spec.maxDecisionWait: is a number, want a string"},
		},
		{"no time", header + "  approvalTTL: 0s\n", []string{"want a time longer than none"}},
		{
			"negative duration",
			header + "  maxDecisionWait: -1h\n",
			[]string{"want a time longer than none"},
		},
		{
			"anchor",
			header + "  allowedActions: &a [x]\n",
			[]string{"line 5: anchors, aliases and merges are not taken"},
		},
		{"tag", header + "  enabled: !!bool true\n", []string{"line 5: tags are not taken"}},
		{"deep", strings.Repeat("[", 200) + strings.Repeat("]", 200), []string{"nests deeper than 64"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse([]byte(tt.doc))
			if err == nil {
				t.Fatalf("accepted: %+v", p)
			}
			if !IsRefused(err) {
				t.Errorf("%T is no refusal", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
		})
	}
}

func TestAPatternIsNoOtherLanguage(t *testing.T) {
	for _, c := range `[]{}\^$|()` {
		if p, err := parsePattern("eni" + string(c)); err == nil {
			t.Errorf("%q was taken", p)
		}
	}
}

func TestWhatIsBlankIsNotAlsoAnother(t *testing.T) {
	_, err := Parse([]byte(strings.Replace(header, "hybrid.routerd.net/v1alpha1", "''", 1) + "  {}\n"))
	if err == nil || err.Error() != "line 1: apiVersion: is blank" {
		t.Error(err)
	}
}

func TestAPolicyIsOfBoundedSizeAndAFile(t *testing.T) {
	doc := header + "  {}\n#"
	for size, fits := range map[int]bool{maxBytes: true, maxBytes + 1: false} {
		data := []byte(doc + strings.Repeat("#", size-len(doc)))
		path := filepath.Join(t.TempDir(), "p.yaml")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(data); (err == nil) != fits {
			t.Errorf("%d bytes: %v", size, err)
		}
		if _, err := Load(path); (err == nil) != fits || IsRefused(err) {
			t.Errorf("%d bytes in a file: %v", size, err)
		}
	}
	if _, err := Load(os.DevNull); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "p.yaml")
	if err := os.WriteFile(path, []byte(header+"  enabeld: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !IsRefused(err) ||
		!strings.Contains(err.Error(), "p.yaml is refused:\nline 5: spec.enabeld") {
		t.Errorf("got %v", err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "absent")} {
		if _, err := Load(path); err == nil || IsRefused(err) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func fields(d Denial) string {
	all := make([]string, len(d))
	for i, r := range d {
		all[i] = r.Field
	}
	return strings.Join(all, " ")
}
