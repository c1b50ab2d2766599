package policy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/actions"
)

const open = `
  enabled: true
  dryRunOnly: false
  allowedProviders: [aws]
  allowedProviderRefs: [lab-aws]
  allowedActions: [assign-secondary-ip]
  allowedCIDRs: [10.88.60.0/24]
  maxActionsPerRun: 2
`

// without is the open policy with one field taken out.
func without(field string) string {
	var kept strings.Builder
	for line := range strings.Lines(open) {
		if !strings.HasPrefix(line, "  "+field+":") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func subject(change func(*Subject)) Subject {
	s := Subject{
		Action: "assign-secondary-ip", Provider: "aws", ProviderRef: "lab-aws", NeedsAddress: true,
		Target: map[string]string{
			"nicRef":  "eni-0abc",
			"address": "10.88.60.9/32",
			"region":  "ap-northeast-1",
		},
	}
	if change != nil {
		change(&s)
	}
	s.Resources = actions.Registry().Resources(s.Target)
	return s
}

// gives is an undo that gives something back to what a parameter names.
func gives(parameter, to string) func(*Subject) {
	return func(s *Subject) {
		s.Prior = actions.Registry().PriorResources(map[string]string{parameter: to})
	}
}

func same(a, b string) bool { return a == b }

func TestSubject(t *testing.T) {
	undo := func(s *Subject) {
		s.Action, s.Undo, s.Undoes = "unassign-secondary-ip", true, []string{"assign-secondary-ip"}
	}
	irreversible := func(s *Subject) { s.Irreversible = true }
	final := func(s *Subject) { s.Irreversible, s.Final = true, true }
	byARN := func(s *Subject) {
		s.Document, s.RunsDocument = "arn:aws:ssm:x:9:document/AWS-RunShellScript", true
	}
	runs := func(s *Subject) { s.Document, s.RunsDocument = "AWS-RunShellScript", true }
	anything := strings.Replace(open, "[assign-secondary-ip]", "['*']", 1)
	anyAddress := strings.Replace(open, "10.88.60.0/24", "0.0.0.0/0, '::/0'", 1)
	tests := []struct {
		name, spec string
		change     func(*Subject)
		deniedBy   string
	}{
		{"all allowed", open, nil, ""},
		{"bare address", open, func(s *Subject) { s.Target["address"] = "10.88.60.255" }, ""},
		{"every reason at once", open, func(s *Subject) {
			s.Provider, s.ProviderRef, s.Action = "gcp", "prod", "fence"
			s.Target["address"] = "10.88.61.1"
		}, "allowedProviders allowedProviderRefs allowedActions allowedCIDRs"},
		{
			"a name that another begins with",
			open,
			func(s *Subject) { s.Action = "assign-secondary-ip6" },
			"allowedActions",
		},
		{"no provider ref", open, func(s *Subject) { s.ProviderRef = "" }, "allowedProviderRefs"},
		{
			"no provider ref and no restriction",
			without("allowedProviderRefs"),
			func(s *Subject) { s.ProviderRef = "" },
			"",
		},
		{
			"a provider ref and no restriction",
			without("allowedProviderRefs"),
			func(s *Subject) { s.ProviderRef = "x" },
			"",
		},
		{
			"any provider ref",
			strings.Replace(open, "[lab-aws]", `["*"]`, 1),
			func(s *Subject) { s.ProviderRef = "x" },
			"",
		},
		{"no address", open, func(s *Subject) { delete(s.Target, "address") }, "allowedCIDRs"},
		{"empty address", open, func(s *Subject) { s.Target["address"] = "" }, "allowedCIDRs"},
		{
			"no address, of a verb that needs none",
			open,
			func(s *Subject) { delete(s.Target, "address"); s.NeedsAddress = false },
			"",
		},
		{
			"another address although the verb needs none",
			open,
			func(s *Subject) { s.Target["address"] = "10.9.0.1"; s.NeedsAddress = false },
			"allowedCIDRs",
		},
		{
			"any address without CIDRs",
			without("allowedCIDRs"),
			func(s *Subject) { s.Target["address"] = "10.9.0.1" },
			"",
		},
		{
			"no address and no CIDRs",
			without("allowedCIDRs"),
			func(s *Subject) { delete(s.Target, "address") },
			"",
		},
		{
			"network wider than allowed",
			open,
			func(s *Subject) { s.Target["address"] = "10.88.0.0/16" },
			"allowedCIDRs",
		},
		{
			"network wider than allowed that begins with it",
			strings.Replace(open, "10.88.60.0/24", "10.88.0.0/24", 1),
			func(s *Subject) { s.Target["address"] = "10.88.0.0/16" },
			"allowedCIDRs",
		},
		{
			"the network that is allowed",
			open,
			func(s *Subject) { s.Target["address"] = "10.88.60.0/24" },
			"",
		},
		{
			"network that begins outside",
			open,
			func(s *Subject) { s.Target["address"] = "10.88.61.0/25" },
			"allowedCIDRs",
		},
		{
			"network inside a second one",
			strings.Replace(open, "[10.88.60.0/24]", "[10.1.0.0/16, 10.88.60.0/24]", 1),
			nil,
			"",
		},
		{"network inside", open, func(s *Subject) { s.Target["address"] = "10.88.60.16/28" }, ""},
		{
			"IPv4 in IPv6",
			anyAddress,
			func(s *Subject) { s.Target["address"] = "::ffff:10.88.60.9" },
			"allowedCIDRs",
		},
		{
			"an IPv4 network in IPv6",
			anyAddress,
			func(s *Subject) { s.Target["address"] = "::ffff:10.88.60.0/120" },
			"allowedCIDRs",
		},
		{
			"an address of one machine's interface",
			anyAddress,
			func(s *Subject) { s.Target["address"] = "fe80::1%eth0" },
			"allowedCIDRs",
		},
		{"IPv6", anyAddress, func(s *Subject) { s.Target["address"] = "2001:db8::1" }, ""},
		{
			"no address at all",
			open,
			func(s *Subject) { s.Target["address"] = "10.88.60.9.1" },
			"allowedCIDRs",
		},
		{"region allowed", open + "  allowedRegions: [ap-northeast-1]\n", nil, ""},
		{"another region", open + "  allowedRegions: [eu-west-1]\n", nil, "allowedRegions"},
		{
			"no region",
			open + "  allowedRegions: [eu-west-1]\n",
			func(s *Subject) { delete(s.Target, "region") },
			"allowedRegions",
		},
		{"target allowed", open + "  allowedTargets: {nicRef: ['eni-0*']}\n", nil, ""},
		{
			"another target",
			open + "  allowedTargets: {nicRef: ['eni-1*', eni-2]}\n",
			nil,
			"allowedTargets",
		},
		{
			"a ref with no patterns",
			open + "  allowedTargets: {nicRef: ['*']}\n",
			func(s *Subject) { s.Target["routeTableRef"] = "rtb-1" },
			"allowedTargets",
		},
		{
			"no ref at all",
			open + "  allowedTargets: {nicRef: ['*']}\n",
			func(s *Subject) { delete(s.Target, "nicRef") },
			"allowedTargets",
		},
		{
			"prior holder allowed",
			open + "  allowedTargets: {nicRef: ['eni-0*']}\n",
			gives("priorHolder", "eni-01"),
			"",
		},
		{
			"prior holder",
			open + "  allowedTargets: {nicRef: ['eni-0*']}\n",
			gives("priorHolder", "eni-1"),
			"allowedTargets",
		},
		{
			"prior holder of any kind",
			open + "  allowedTargets: {nicRef: ['eni-0*'], instanceRef: ['*']}\n",
			gives("priorHolder", "i-1"),
			"allowedTargets",
		},
		{"prior holder where all targets are allowed", open, gives("priorHolder", "eni-1"), ""},
		{
			"no prior holder",
			open + "  allowedTargets: {nicRef: ['eni-0*']}\n",
			gives("priorHolder", ""),
			"",
		},
		{
			"prior route target allowed",
			open + "  allowedTargets: {nicRef: ['eni-0*']}\n",
			gives("priorRouteTarget", "eni-01"),
			"",
		},
		{
			"prior route target",
			open + "  allowedTargets: {nicRef: ['eni-0*'], instanceRef: ['*']}\n",
			gives("priorRouteTarget", "eni-1"),
			"allowedTargets",
		},
		{
			"prior route to an instance",
			open + "  allowedTargets: {nicRef: ['*']}\n",
			gives("priorRouteTarget", "i-1"),
			"allowedTargets",
		},
		{
			"prior route to an instance that is allowed",
			open + "  allowedTargets: {nicRef: ['eni-0*'], instanceRef: [i-1]}\n",
			gives("priorRouteTarget", "i-1"),
			"",
		},
		{
			"prior route to a gateway",
			open + "  allowedTargets: {nicRef: ['eni-0*']}\n",
			gives("priorRouteTarget", "igw-1"),
			"",
		},
		{
			"no prior route",
			open + "  allowedTargets: {nicRef: ['eni-0*']}\n",
			gives("priorRouteTarget", "none"),
			"",
		},
		{
			"target and prior holder",
			open + "  allowedTargets: {nicRef: ['eni-2*']}\n",
			gives("priorHolder", "eni-1"),
			"allowedTargets allowedTargets",
		},
		{
			"an instance and a route table",
			open + "  allowedTargets: {instanceRef: [i-1], routeTableRef: [rtb-1]}\n",
			func(s *Subject) {
				s.Target = map[string]string{
					"instanceRef":   "i-1",
					"routeTableRef": "rtb-1",
					"address":       "10.88.60.9",
				}
			},
			"",
		},
		{
			"another instance and route table",
			open + "  allowedTargets: {instanceRef: [i-1], routeTableRef: [rtb-1]}\n",
			func(s *Subject) {
				s.Target = map[string]string{
					"instanceRef":   "i-2",
					"routeTableRef": "rtb-2",
					"address":       "10.88.60.9",
				}
			},
			"allowedTargets allowedTargets",
		},
		{"undo", open + "  allowUndo: true\n", undo, ""},
		{"undo not allowed", open, undo, "allowUndo"},
		{
			"undo, by its own verb",
			strings.Replace(open, "[assign-", "[unassign-", 1) + "  allowUndo: true\n",
			undo,
			"",
		},
		{
			"undo of any",
			strings.Replace(open, "[assign-secondary-ip]", "['*']", 1) + "  allowUndo: true\n",
			undo,
			"",
		},
		{
			"undo of another",
			open + "  allowUndo: true\n",
			func(s *Subject) { undo(s); s.Undoes = []string{"fence"} },
			"allowedActions",
		},
		{
			"the undo verb as an action",
			open + "  allowUndo: true\n",
			func(s *Subject) { s.Action = "unassign-secondary-ip" },
			"allowedActions",
		},
		{"irreversible, and named", open, irreversible, ""},
		{"irreversible, and only covered", anything, irreversible, "allowIrreversible"},
		{
			"irreversible, and refused",
			open + "  allowIrreversible: false\n",
			irreversible,
			"allowIrreversible",
		},
		{"irreversible, covered and allowed", anything + "  allowIrreversible: true\n", irreversible, ""},
		{
			"irreversible, and not allowed at all",
			open,
			func(s *Subject) { irreversible(s); s.Action = "x" },
			"allowedActions",
		},
		{
			"an undo need not be undone",
			open + "  allowUndo: true\n",
			func(s *Subject) { undo(s); s.Irreversible = true },
			"",
		},
		{"final, and only named", open, final, "allowIrreversible"},
		{"final, and refused", open + "  allowIrreversible: false\n", final, "allowIrreversible"},
		{"final, and allowed", open + "  allowIrreversible: true\n", final, ""},
		{"final, covered and allowed", anything + "  allowIrreversible: true\n", final, ""},
		{"a document, and none is allowed", open, runs, "allowedDocuments"},
		{"a document of a pattern", open + "  allowedDocuments: [x, AWS-Run*]\n", runs, ""},
		{"a document of no pattern", open + "  allowedDocuments: [AWS-RunPatch*]\n", runs,
			"allowedDocuments"},
		{"another account's document, and every document", open +
			"  allowedDocuments: ['*ShellScript', '*']\n", byARN, ""},
		{"another account's document, and a pattern of names", open +
			"  allowedDocuments: ['*ShellScript']\n", byARN, "allowedDocuments"},
		{"another account's document, by its ARN", open +
			"  allowedDocuments: ['arn:aws:ssm:*:9:document/*']\n", byARN, ""},
		{"no document named", open + "  allowedDocuments: [AWS-*]\n",
			func(s *Subject) { s.RunsDocument = true }, "allowedDocuments"},
		{"not enabled", strings.Replace(open, "enabled: true", "enabled: false", 1), nil, "enabled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := mustParse(t, tt.spec).Subject(subject(tt.change))
			if got := fields(d); got != tt.deniedBy {
				t.Errorf("denied by %q (%v), want %q", got, d.Err(), tt.deniedBy)
			}
		})
	}
}

func TestExecution(t *testing.T) {
	tuesday := time.Date(2026, 3, 3, 1, 0, 0, 0, time.UTC) // 10:00 in Tokyo
	tests := []struct {
		name, spec string
		done       int
		deniedBy   string
	}{
		{"allowed", open, 1, ""},
		{"limit reached", open, 2, "maxActionsPerRun"},
		{"in the window", open + "  executionWindow: Mon-Fri 09:00-17:00 Asia/Tokyo\n", 0, ""},
		{
			"out of the window",
			open + "  executionWindow: Mon-Fri 09:00-17:00 UTC\n",
			0,
			"executionWindow",
		},
		{
			"in the second window",
			open + "  executionWindow: Sat 09:00-17:00 UTC, Tue 00:00-02:00 UTC\n",
			0,
			"",
		},
		{
			"dry-run only",
			strings.Replace(open, "dryRunOnly: false", "dryRunOnly: true", 1),
			5,
			"dryRunOnly maxActionsPerRun",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := fields(mustParse(t, tt.spec).Execution(tuesday, tt.done)); got != tt.deniedBy {
				t.Errorf("denied by %q, want %q", got, tt.deniedBy)
			}
		})
	}
}

// TestReasonsSayWhatToWrite: people act on the texts.
func TestReasonsSayWhatToWrite(t *testing.T) {
	tuesday := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	p := mustParse(t, `
  allowedActions: [a, b]
  allowedCIDRs: [10.9.0.0/16]
  allowedRegions: [eu-west-1]
  allowedTargets: {nicRef: ['eni-0*', eni-1]}
  executionWindow: Sat 09:00-17:00 Asia/Tokyo, Sun 00:00-24:00 UTC
  maxActionsPerRun: 2
  requiredTags: {env: [lab, test], owner: "*"}
  deniedTags: {tier: "*"}
`)
	d := p.Subject(subject(func(s *Subject) {
		s.ProviderRef, s.Target["nicRef"], s.Target["region"] = "", "eni-2", ""
		gives("priorRouteTarget", "i-1")(s)
	}))
	d = append(d, p.Execution(tuesday, 2)...)
	d = append(d, p.Tags("eni-2", map[string]string{"env": "prod", "Tier": "1"})...)
	want := []string{
		"enabled: the policy is not enabled; to allow it write enabled: true",
		`allowedProviders: the provider "aws" is not allowed; allowed: none; to allow it write ` +
			`allowedProviders: [aws]`,
		`allowedActions: the action "assign-secondary-ip" is not allowed; allowed: a, b; to allow it ` +
			`add assign-secondary-ip to allowedActions`,
		"allowedCIDRs: the address 10.88.60.9/32 is not allowed; allowed: 10.9.0.0/16; to allow it " +
			"add 10.88.60.9/32 to allowedCIDRs",
		"allowedRegions: there is no region, and only eu-west-1 may be acted on; name one in the request",
		`allowedTargets: the nicRef "eni-2" is not allowed; allowed: eni-0*, eni-1; to allow it add ` +
			`eni-2 to allowedTargets.nicRef`,
		`allowedTargets: the priorRouteTarget "i-1" is not allowed; allowed: none; to allow it write ` +
			`allowedTargets.instanceRef: [i-1]`,
		"dryRunOnly: only dry-runs are allowed; to allow more write dryRunOnly: false",
		"maxActionsPerRun: 2 actions are allowed in a run, and this would be number 3; to allow it " +
			"write maxActionsPerRun: 3",
		"executionWindow: it is Tue 21:00 JST, and the window is Sat 09:00-17:00 Asia/Tokyo, Sun " +
			"00:00-24:00 UTC; wait, or add \"Tue 21:00-22:00 Asia/Tokyo\" to executionWindow",
		`requiredTags: eni-2 has the tag env="prod", want lab or test; to allow it add prod to ` +
			`requiredTags.env`,
		`requiredTags: eni-2 has no tag "owner"; tag it, or take owner out of requiredTags`,
		`deniedTags: eni-2 has the tag Tier="1"; to allow it take what matches that out of ` +
			`deniedTags.tier`,
	}
	if got := d.Error(); got != strings.Join(want, "; ") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "; "))
	}
}

// TestWhatADenialSaysToWriteAllowsIt: written into the policy, it is what was missing.
func TestWhatADenialSaysToWriteAllowsIt(t *testing.T) {
	now := time.Date(2026, 3, 3, 23, 30, 0, 0, time.UTC)
	tests := []struct {
		name, spec, says, then string
		change                 func(*Subject)
	}{
		{
			"enabled",
			without("enabled"),
			"write enabled: true",
			without("enabled") + "  enabled: true\n",
			nil,
		},
		{"provider", without("allowedProviders"), "write allowedProviders: [aws]", open, nil},
		{
			"provider ref",
			open,
			"add edge to allowedProviderRefs",
			strings.Replace(open, "lab-aws", "lab-aws, edge", 1),
			func(s *Subject) { s.ProviderRef = "edge" },
		},
		{
			"provider ref like a number",
			open,
			`add "0042" to allowedProviderRefs`,
			strings.Replace(open, "lab-aws", `lab-aws, "0042"`, 1),
			func(s *Subject) { s.ProviderRef = "0042" },
		},
		{
			"provider ref like a word",
			open,
			`add "No" to allowedProviderRefs`,
			strings.Replace(open, "lab-aws", `lab-aws, "No"`, 1),
			func(s *Subject) { s.ProviderRef = "No" },
		},
		{"action", without("allowedActions"), "write allowedActions: [assign-secondary-ip]", open, nil},
		{
			"address",
			open,
			"add 10.9.0.1/32 to allowedCIDRs",
			strings.Replace(open, "10.88.60.0/24", "10.88.60.0/24, 10.9.0.1/32", 1),
			func(s *Subject) { s.Target["address"] = "10.9.0.1" },
		},
		{
			"network",
			open,
			"add 10.9.0.0/24 to allowedCIDRs",
			strings.Replace(open, "10.88.60.0/24", "10.88.60.0/24, 10.9.0.0/24", 1),
			func(s *Subject) { s.Target["address"] = "10.9.0.1/24" },
		},
		{
			"IPv6 address",
			open,
			`add "2001:db8::1/128" to allowedCIDRs`,
			strings.Replace(open, "10.88.60.0/24", `"2001:db8::1/128"`, 1),
			func(s *Subject) { s.Target["address"] = "2001:db8::1" },
		},
		{
			"region",
			open + "  allowedRegions: [eu-west-1]\n",
			"add ap-northeast-1 to allowedRegions",
			open + "  allowedRegions: [eu-west-1, ap-northeast-1]\n",
			nil,
		},
		{
			"target",
			open + "  allowedTargets: {nicRef: [x]}\n",
			"add eni-0abc to allowedTargets.nicRef",
			open + "  allowedTargets: {nicRef: [x, eni-0abc]}\n",
			nil,
		},
		{
			"undo",
			open,
			"write allowUndo: true",
			open + "  allowUndo: true\n",
			func(s *Subject) { s.Undo = true },
		},
		{
			"what is undone",
			open + "  allowUndo: true\n",
			"add fence to allowedActions",
			strings.Replace(open, "[assign", "[fence, assign", 1) + "  allowUndo: true\n",
			func(s *Subject) { s.Action, s.Undo, s.Undoes = "unfence", true, []string{"fence"} },
		},
		{
			"irreversible",
			strings.Replace(open, "[assign-secondary-ip]", "['*']", 1),
			"add assign-secondary-ip to allowedActions",
			open,
			func(s *Subject) { s.Irreversible = true },
		},
		{
			"irreversible, refused",
			open + "  allowIrreversible: false\n",
			"write allowIrreversible: true",
			open + "  allowIrreversible: true\n",
			func(s *Subject) { s.Irreversible = true },
		},
		{
			"irreversible for good",
			open,
			"with allowIrreversible: true",
			open + "  allowIrreversible: true\n",
			func(s *Subject) { s.Irreversible, s.Final = true, true },
		},
		{
			"a document",
			open,
			"write allowedDocuments: [AWS-RunShellScript]",
			open + "  allowedDocuments: [AWS-RunShellScript]\n",
			func(s *Subject) { s.Document, s.RunsDocument = "AWS-RunShellScript", true },
		},
		{
			"another document",
			open + "  allowedDocuments: [x]\n",
			"add AWS-RunShellScript to allowedDocuments",
			open + "  allowedDocuments: [x, AWS-RunShellScript]\n",
			func(s *Subject) { s.Document, s.RunsDocument = "AWS-RunShellScript", true },
		},
		{"execution", without("dryRunOnly"), "write dryRunOnly: false", open, nil},
		{
			"number",
			without("maxActionsPerRun"),
			"write maxActionsPerRun: 1",
			without("maxActionsPerRun") + "  maxActionsPerRun: 1\n",
			nil,
		},
		{
			"window",
			open + "  executionWindow: Mon 00:00-01:00 UTC\n",
			`add "Tue 23:00-24:00 UTC" to executionWindow`,
			open + "  executionWindow: Mon 00:00-01:00 UTC, Tue 23:00-24:00 UTC\n",
			nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			decide := func(spec string) Denial {
				p := mustParse(t, spec)
				return append(p.Subject(subject(tt.change)), p.Execution(now, 0)...)
			}
			if got := decide(tt.spec).Error(); !strings.HasSuffix(got, tt.says) &&
				!strings.Contains(got, tt.says+";") {
				t.Errorf("got %q, want %q in it", got, tt.says)
			}
			if d := decide(tt.then); len(d) > 0 {
				t.Errorf("written so it is still denied: %v", d)
			}
		})
	}
}

func TestNoReasonIsNoError(t *testing.T) {
	if err := (Denial{}).Err(); err != nil {
		t.Errorf("%T", err)
	}
}

func TestReadsTags(t *testing.T) {
	for spec, want := range map[string]bool{
		open: false, open + "  requiredTags: {a: b}\n": true, open + "  deniedTags: {a: b}\n": true,
		open + "  requiredTags: {a: b}\n  deniedTags: {a: c}\n": true,
	} {
		if got := mustParse(t, spec).ReadsTags(); got != want {
			t.Errorf("%s: %v, want %v", spec, got, want)
		}
	}
}

func TestWindow(t *testing.T) {
	in := func(zone, at string) time.Time {
		l, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		moment, err := time.ParseInLocation("2006-01-02 15:04:05", at, l)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	// 2026-03-02 is a Monday.
	tests := []struct {
		window, zone, at string
		want             bool
	}{
		{"Mon-Fri 09:00-17:00 Asia/Tokyo", "Asia/Tokyo", "2026-03-02 09:00:00", true},
		{"Mon-Fri 09:00-17:00 Asia/Tokyo", "Asia/Tokyo", "2026-03-02 08:59:59", false},
		{"Mon-Fri 09:00-17:00 Asia/Tokyo", "Asia/Tokyo", "2026-03-02 16:59:59", true},
		{"Mon-Fri 09:00-17:00 Asia/Tokyo", "Asia/Tokyo", "2026-03-02 17:00:00", false},
		{"Mon-Fri 09:00-17:00 Asia/Tokyo", "UTC", "2026-03-02 00:30:00", true},
		{"Mon-Fri 09:00-17:00 Asia/Tokyo", "Asia/Tokyo", "2026-03-07 12:00:00", false},
		// Over midnight it belongs to the day it begins on.
		{"Fri 22:00-06:00 UTC", "UTC", "2026-03-06 21:59:59", false},
		{"Fri 22:00-06:00 UTC", "UTC", "2026-03-06 22:00:00", true},
		{"Fri 22:00-06:00 UTC", "UTC", "2026-03-07 05:59:59", true},
		{"Fri 22:00-06:00 UTC", "UTC", "2026-03-07 06:00:00", false},
		{"Fri 22:00-06:00 UTC", "UTC", "2026-03-06 05:00:00", false},
		{"Fri 22:00-06:00 UTC", "UTC", "2026-03-07 22:00:00", false},
		// Saturday night ends on a Sunday, the first day.
		{"Sat 22:00-06:00 UTC", "UTC", "2026-03-08 01:00:00", true},
		{"Sat-Mon 00:00-24:00 UTC", "UTC", "2026-03-08 23:59:59", true},
		{"Sat-Mon 00:00-24:00 UTC", "UTC", "2026-03-03 00:00:00", false},
		{"Mon,Wed 10:00-11:00 UTC", "UTC", "2026-03-04 10:30:00", true},
		{"Mon,Wed 10:00-11:00 UTC", "UTC", "2026-03-03 10:30:00", false},
		{"Mon, Wed,Fri 10:00-11:00 UTC", "UTC", "2026-03-02 10:30:00", true},
		{"Mon,Wed-Thu,Fri 10:00-11:00 UTC", "UTC", "2026-03-05 10:30:00", true},
		{"Fri 18:00-00:00 UTC", "UTC", "2026-03-06 23:59:59", true},
		{"Fri 18:00-00:00 UTC", "UTC", "2026-03-07 00:00:00", false},
		// The clocks of the zone count, also when they change.
		{"Sun 01:00-04:00 Europe/Berlin", "UTC", "2026-03-29 01:30:00", true},
		{"Sun 01:00-04:00 Europe/Berlin", "UTC", "2026-03-29 02:30:00", false},
	}
	for _, tt := range tests {
		windows, err := parseWindows(tt.window)
		if err != nil {
			t.Fatal(err)
		}
		if got := windows[0].Contains(in(tt.zone, tt.at)); got != tt.want {
			t.Errorf("%s contains %s %s: %v, want %v", tt.window, tt.at, tt.zone, got, tt.want)
		}
	}
}

func TestTags(t *testing.T) {
	p := mustParse(
		t,
		open+"  requiredTags: {env: [lab, 'test-*'], owner: '*'}\n  deniedTags: {env: 'Prod*', "+
			"Protected: ['yes', 'true']}\n",
	)
	tests := []struct {
		name     string
		tags     map[string]string
		deniedBy string
	}{
		{"lab", map[string]string{"env": "lab", "owner": "net"}, ""},
		{"another lab", map[string]string{"env": "test-7", "owner": ""}, ""},
		{"no tags", nil, "requiredTags requiredTags"},
		{"required keys are exact", map[string]string{"Env": "lab", "owner": "x"}, "requiredTags"},
		{"a value that begins so", map[string]string{"env": "labor", "owner": "x"}, "requiredTags"},
		{"production", map[string]string{"env": "production", "owner": "x"}, "requiredTags deniedTags"},
		{
			"production, however it is spelt",
			map[string]string{"env": "lab", "ENV": "Production", "owner": "x"},
			"deniedTags",
		},
		{
			"each key that is denied, in order",
			map[string]string{
				"env":       "lab",
				"owner":     "x",
				"PROTECTED": "yes",
				"Protected": "yes",
				"PRotected": "yes",
				"protected": "yes",
				"pROTECTED": "yes",
			},
			"deniedTags deniedTags deniedTags deniedTags deniedTags",
		},
		{"protected", map[string]string{"env": "lab", "owner": "x", "protected": "YES"}, "deniedTags"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := p.Tags("eni-0abc", tt.tags)
			if got := fields(d); got != tt.deniedBy {
				t.Errorf("denied by %q, want %q", got, tt.deniedBy)
			}
			if strings.Count(tt.deniedBy, "deniedTags") > 1 &&
				!slices.IsSortedFunc(d, func(a, b Reason) int { return strings.Compare(a.Text, b.Text) }) {
				t.Errorf("out of order: %v", d)
			}
		})
	}
}

func TestPatternMatch(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{
			"*",
			"",
			true,
		}, {"*", "x", true}, {"a*", "a", true}, {"a*c", "abbc", true}, {"a*c", "abcb", false},
		{"?", "", false}, {"?", "é", true}, {"a?c", "abc", true}, {"a", "ab", false}, {"ab", "a", false},
		{"*a*b*", "xxaxxbxx", true}, {"*a*b", "bbbbaaaa", false}, {"eni-0*", "eni-1", false},
		{
			"xyz",
			"abz",
			false,
		}, {"", "", true}, {"", "a", false}, {"a", "", false}, {"a**", "a", true}, {"a*b?", "abbc", true},
		{"**", "", true}, {"*", "*", true}, {"?", "*", true},
	}
	for _, tt := range tests {
		if got := Pattern(tt.pattern).Match(tt.text); got != tt.want {
			t.Errorf("%q matches %q: %v, want %v", tt.pattern, tt.text, got, tt.want)
		}
	}
}
