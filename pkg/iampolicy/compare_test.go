package iampolicy_test

import (
	"strings"
	"testing"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/iampolicy"
	"aws-provider-executor/pkg/preflight"
)

// forwarding is what the smallest policy of one verb is wanted for.
func forwarding(t *testing.T, s iampolicy.Scope) iampolicy.Wanted {
	t.Helper()
	return resolved(t, wanted(iampolicy.Choice{Verbs: []string{"ensure-forwarding-enabled"}}, s))
}

func document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

const (
	eniARN   = "arn:aws:ec2:ap-northeast-1:123456789012:network-interface/"
	inRegion = `"Condition":{"StringEquals":{"ec2:Region":"ap-northeast-1"}}`
	reads    = `{"Effect":"Allow","Action":"ec2:DescribeNetworkInterfaces","Resource":"*",` +
		inRegion + `}`
	changes = `{"Effect":"Allow","Action":"ec2:ModifyNetworkInterfaceAttribute","Resource":"` +
		eniARN + nic + `"}`
	allowAll = `{"Effect":"Allow","Action":"*","Resource":"*"}`
)

// TestCompare: what is needed and what is more, each with its verdict and a word of it. The scope
// is one interface in one VPC.
func TestCompare(t *testing.T) {
	const pass, warn, fail, unknown = preflight.Pass, preflight.Warn, preflight.Fail,
		preflight.Unknown
	modify := func(resource, more string) string {
		return `{"Effect":"Allow","Action":"ec2:ModifyNetworkInterfaceAttribute","Resource":"` +
			resource + `"` + more + `}`
	}
	condition := func(text string) string { return `,"Condition":{` + text + `}` }
	with := func(action string) string {
		return `{"Effect":"Allow","Action":"` + action + `","Resource":"*",` + inRegion + `}`
	}
	deny := func(action, rest string) string {
		return `{"Effect":"Deny","Action":"` + action + `",` + rest + `}`
	}
	for _, tt := range []struct {
		name           string
		statements     []string
		needed, excess preflight.Verdict
		words          string
	}{
		{"exactly", []string{reads, changes}, pass, pass, "all 2 permissions"},
		{"a read is missing", []string{changes}, fail, pass,
			"ec2:DescribeNetworkInterfaces on * is not allowed"},
		{"a change is missing", []string{reads}, fail, pass,
			"ec2:ModifyNetworkInterfaceAttribute on " + eniARN + nic + " is not allowed"},
		{"nothing", nil, fail, pass, "is not allowed"},
		{"another interface", []string{reads, modify(eniARN+holder, "")}, fail, warn,
			"is for other resources"},
		{"another region", []string{strings.ReplaceAll(reads, "ap-northeast-1", "eu-west-1"), changes},
			fail, warn, "has the condition ec2:Region, which does not hold"},
		{"a read by VPC, which no read has", []string{changes,
			`{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*","Condition":` +
				`{"StringLike":{"ec2:Vpc":"*"}}}`}, fail, unknown, "the condition ec2:Vpc"},
		{"a read of resources", []string{changes,
			`{"Effect":"Allow","Action":"ec2:DescribeNetworkInterfaces","Resource":"` + eniARN + `*"}`},
			fail, warn, "is for other resources"},
		{"a change by a VPC that holds", []string{reads, modify(eniARN+"*", condition(`"ArnLike":`+
			`{"ec2:Vpc":"arn:aws:ec2:*:*:vpc/vpc-01088000000000000"}`))}, pass, unknown,
			"wider than what is named, but for the condition ec2:Vpc"},
		{"a change by another VPC", []string{reads, modify(eniARN+nic, condition(`"StringEquals":`+
			`{"ec2:Vpc":"arn:aws:ec2:ap-northeast-1:123456789012:vpc/vpc-01088000000000001"}`))},
			fail, warn, "the condition ec2:Vpc, which does not hold"},
		{"by a tag that nobody told", []string{reads, modify(eniARN+nic, condition(
			`"StringEquals":{"aws:ResourceTag/routerd":"managed"}`))}, unknown, pass,
			"the condition StringEquals aws:ResourceTag/routerd, which can't be judged"},
		{"by the caller's address", []string{reads, modify(eniARN+nic, condition(
			`"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`))}, unknown, pass, "aws:SourceIp"},
		{"by a variable", []string{reads, modify("arn:aws:ec2:*:*:network-interface/${aws:username}",
			"")}, unknown, warn, "is for a part of"},
		{"wider resources", []string{reads, modify(eniARN+"*", "")}, pass, warn,
			eniARN + "*, wider than what is named"},
		{"every resource", []string{reads, modify("*", "")}, pass, warn, "on *, wider"},
		{"every region", []string{with("ec2:DescribeNetworkInterfaces"), changes,
			`{"Sid":"R","Effect":"Allow","Action":"ec2:DescribeNetworkInterfaces","Resource":"*"}`},
			pass, warn, `statement "R" of "p" allows ec2:DescribeNetworkInterfaces in other regions`},
		{"a wildcard", []string{with("ec2:Describe*"), changes}, pass, warn,
			"allows ec2:Describe*, a wildcard"},
		{"an action that nothing needs", []string{reads, changes, with("ec2:TerminateInstances")},
			pass, warn, "allows ec2:TerminateInstances, which nothing here needs"},
		{"another service", []string{reads, changes, with("s3:GetObject")}, pass, warn,
			"allows s3:GetObject, of another service"},
		{"a wildcard over services", []string{reads, changes, with("e*:Describe*")}, pass, warn,
			"allows e*:Describe*, a wildcard over services"},
		{"a write of IAM", []string{reads, changes, with("iam:PutRolePolicy")}, pass, fail,
			"allows iam:PutRolePolicy, which may change identities"},
		{"a read of IAM", []string{reads, changes, with("iam:GetRole")}, pass, warn,
			"allows iam:GetRole, of another service"},
		{"a role of another", []string{reads, changes, with("sts:AssumeRole")}, pass, fail,
			"sts:AssumeRole"},
		{"IAM by a wildcard", []string{reads, changes, with("i*:P*")}, pass, fail, "allows i*:P*"},
		{"everything", []string{allowAll}, pass, fail, "allows *, which may change identities"},
		{"all but something", []string{reads, changes,
			`{"Effect":"Allow","NotAction":"ec2:RunInstances","Resource":"*"}`}, pass, fail,
			"everything but ec2:RunInstances (NotAction)"},
		{"all but identities", []string{reads, changes,
			`{"Effect":"Allow","NotAction":["iam:*","sts:*"],"Resource":"*"}`}, pass, warn,
			"(NotAction)"},
		{"all resources but some", []string{reads,
			`{"Effect":"Allow","Action":"ec2:ModifyNetworkInterfaceAttribute","NotResource":"` + eniARN +
				holder + `"}`}, pass, warn, "(NotResource)"},
		{"all resources but ours", []string{reads,
			`{"Effect":"Allow","Action":"ec2:ModifyNetworkInterfaceAttribute","NotResource":"` + eniARN +
				nic + `"}`}, fail, warn, "is not allowed"},
		{"denied", []string{reads, changes, deny("ec2:modify*", `"Resource":"*"`)}, fail, pass,
			"is denied: statement 3"},
		{"denied elsewhere", []string{reads, changes, deny("*", `"Resource":"`+eniARN+holder+`"`)},
			pass, pass, "all 2 permissions"},
		{"denied all but", []string{reads, changes,
			`{"Effect":"Deny","NotAction":"ec2:Describe*","Resource":"*"}`}, fail, pass, "is denied"},
		{"denied without a second factor", []string{reads, changes, deny("ec2:*", `"Resource":"*",`+
			`"Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}`)}, unknown, pass,
			"may be denied: statement 3"},
		{"denied in other regions", []string{reads, changes, deny("*", `"Resource":"*","Condition":`+
			`{"StringNotEquals":{"aws:RequestedRegion":["ap-northeast-1","eu-west-1"]}}`)}, pass, pass,
			"all 2 permissions"},
		{"denied here", []string{reads, changes, deny("*", `"Resource":"*","Condition":`+
			`{"StringNotEquals":{"aws:RequestedRegion":"eu-west-1"}}`)}, fail, pass, "is denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := forwarding(t, iampolicy.Scope{Account: "123456789012", VPC: "vpc-01088000000000000",
				IDs: map[action.Kind][]string{action.NetworkInterface: {nic}}})
			w.Scope.VPC = ""
			if strings.Contains(tt.name, "VPC") {
				w.Scope.VPC = "vpc-01088000000000000"
			}
			checks := w.Compare(iampolicy.Granted{Role: "r",
				Policies: []iampolicy.Source{{Name: "p", Text: document(tt.statements...)}}})
			told(t, checks, pass, tt.needed, tt.excess, tt.words)
		})
	}
}

// told holds the three checks against their verdicts, and one word that one of them must say.
func told(
	t *testing.T, checks []preflight.Check, policies, needed, excess preflight.Verdict, word string,
) {
	t.Helper()
	said := ""
	for i, want := range []preflight.Verdict{policies, needed, excess} {
		c := checks[i]
		said += c.Seen + "\n"
		if c.Verdict != want || (c.Advice == "") != (want == preflight.Pass) {
			t.Errorf("%s is %s, want %s: %s (%s)", c.Name, c.Verdict, want, c.Seen, c.Advice)
		}
	}
	if !strings.Contains(said, word) {
		t.Errorf("%q is not in:\n%s", word, said)
	}
}

// TestWhatIsNotReadIsUnknown: a document that can't be read could deny or allow anything.
func TestWhatIsNotReadIsUnknown(t *testing.T) {
	w := forwarding(t, iampolicy.Scope{Account: "123456789012",
		IDs: map[action.Kind][]string{action.NetworkInterface: {nic}}})
	for _, tt := range []struct{ name, text, word string }{
		{"half a document", `{"Version":`, "can't be read"},
		{"a key twice", `{"Statement":[],"Statement":[]}`, "Statement"},
		{"an unknown element",
			document(`{"Effect":"Allow","Actions":"*","Resource":"*"}`), `"Actions" is unknown`},
		{"a trust policy", document(`{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"}`),
			`"Principal" is unknown`},
		{"no effect", document(`{"Action":"*","Resource":"*"}`), "want Allow or Deny"},
		{"no resource", document(`{"Effect":"Allow","Action":"*"}`), "Resource and NotResource"},
		{"no action in the list", document(`{"Effect":"Deny","Action":[],"Resource":"*"}`), "is empty"},
		{"a list in a list", document(`{"Effect":"Deny","Action":[["*"]],"Resource":"*"}`),
			"is no text"},
		{"null", document(`{"Effect":"Deny","Action":null,"Resource":"*"}`), "is no text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checks := w.Compare(iampolicy.Granted{Policies: []iampolicy.Source{
				{Name: "good", Text: document(reads, changes)}, {Name: "bad", Text: tt.text}}})
			told(t, checks, preflight.Unknown, preflight.Unknown, preflight.Unknown, tt.word)
		})
	}
	checks := w.Compare(iampolicy.Granted{Unread: []string{"the policy x: access denied"}})
	told(t, checks, preflight.Unknown, preflight.Unknown, preflight.Unknown, "access denied")
}

func TestCompareWithABoundary(t *testing.T) {
	w := forwarding(t, iampolicy.Scope{Account: "123456789012",
		IDs: map[action.Kind][]string{action.NetworkInterface: {nic}}})
	for _, tt := range []struct {
		name, own, boundary string
		needed, excess      preflight.Verdict
		word                string
	}{
		{"wide enough", document(reads, changes), document(allowAll), preflight.Pass, preflight.Pass,
			"the permissions boundary b"},
		{"too narrow", document(reads, changes), document(reads), preflight.Fail, preflight.Pass,
			"is not within the permissions boundary"},
		{"it denies", document(reads, changes),
			document(allowAll, `{"Effect":"Deny","Action":"ec2:Modify*","Resource":"*"}`),
			preflight.Fail, preflight.Pass, `is denied: statement 2 of "b"`},
		{"it allows nothing itself", document(), document(allowAll), preflight.Fail, preflight.Pass,
			"is not allowed"},
		{"it cuts off what is more", document(reads, changes,
			`{"Effect":"Allow","Action":["iam:*","s3:*"],"Resource":"*"}`),
			document(`{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`), preflight.Pass,
			preflight.Pass, "nothing is allowed that is not needed"},
		{"by a condition that can't be judged", document(reads, changes),
			document(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":` +
				`{"StringEquals":{"aws:PrincipalTag/team":"net"}}}`), preflight.Unknown, preflight.Pass,
			"may be within the permissions boundary"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checks := w.Compare(iampolicy.Granted{Role: "r",
				Policies: []iampolicy.Source{{Name: "p", Text: tt.own}},
				Boundary: &iampolicy.Source{Name: "b", Text: tt.boundary}})
			told(t, checks, preflight.Pass, tt.needed, tt.excess, tt.word)
		})
	}
}

// TestThePolicyItselfPasses: whatever is wanted, the policy that is generated for it has all and no
// more; and the one for less lacks something.
func TestThePolicyItselfPasses(t *testing.T) {
	fence := []string{"fence-security-groups"}
	for _, w := range []iampolicy.Wanted{
		forwarding(t, iampolicy.Scope{}),
		forwarding(t, iampolicy.Scope{Account: "123456789012", VPC: "vpc-01088000000000000"}),
		resolved(t, wanted(iampolicy.Choice{Verbs: fence, With: []string{"onFencePoweroff"}},
			iampolicy.Scope{Tags: map[string]string{"routerd": "managed"},
				VPC: "vpc-01088000000000000"})),
		resolved(t, wanted(iampolicy.Choice{Verbs: append(fence, "assign-route-table-route"),
			Everything: true, With: []string{iampolicy.Inventory}}, iampolicy.Scope{Region: "cn-north-1",
			IDs: map[action.Kind][]string{action.Instance: {instance}, action.RouteTable: {table},
				action.NetworkInterface: {nic, holder}}})),
	} {
		compare := func(d iampolicy.Document) []preflight.Check {
			text, err := d.JSON()
			if err != nil {
				t.Fatal(err)
			}
			return w.Compare(iampolicy.Granted{Policies: []iampolicy.Source{{Text: string(text)}}})
		}
		told(t, compare(w.Policy()), preflight.Pass, preflight.Pass, preflight.Pass, "nothing is")
		for i := range w.Policy().Statement {
			d := w.Policy()
			d.Statement = append(d.Statement[:i:i], d.Statement[i+1:]...)
			told(t, compare(d), preflight.Pass, preflight.Fail, preflight.Pass, "is not allowed")
		}
	}
}

// TestTagsOfAFence: without Null a call that names no key would pass.
func TestTagsOfAFence(t *testing.T) {
	w := resolved(t, wanted(iampolicy.Choice{Verbs: []string{"fence-security-groups"}},
		iampolicy.Scope{}))
	d := w.Policy()
	for i := range d.Statement {
		delete(d.Statement[i].Condition, "Null")
	}
	text, err := d.JSON()
	if err != nil {
		t.Fatal(err)
	}
	checks := w.Compare(iampolicy.Granted{Policies: []iampolicy.Source{{Text: string(text)}}})
	told(t, checks, preflight.Pass, preflight.Pass, preflight.Warn, "which removes every tag")
}

// TestCompareSeveral: what is wanted in two regions is held against one role. What either needs is
// no excess, and what each lacks is told by its region.
func TestCompareSeveral(t *testing.T) {
	const pass, warn, fail = preflight.Pass, preflight.Warn, preflight.Fail
	scope := func(region, nic string) iampolicy.Scope {
		return iampolicy.Scope{Region: region, Account: "123456789012",
			IDs: map[action.Kind][]string{action.NetworkInterface: {nic}}}
	}
	here := forwarding(t, scope("ap-northeast-1", nic))
	there := forwarding(t, scope("eu-west-1", holder))
	elsewhere := func(text string) string {
		return strings.NewReplacer("ap-northeast-1", "eu-west-1", nic, holder).Replace(text)
	}
	both := `{"Effect":"Allow","Action":"ec2:DescribeNetworkInterfaces","Resource":"*",` +
		`"Condition":{"StringEquals":{"ec2:Region":["ap-northeast-1","eu-west-1"]}}}`
	third := strings.ReplaceAll(both, "eu-west-1", "us-east-1")
	for _, tt := range []struct {
		name           string
		statements     []string
		needed, excess preflight.Verdict
		words          string
	}{
		{"exactly", []string{reads, changes, elsewhere(reads), elsewhere(changes)}, pass, pass,
			"all 4 permissions"},
		{"one statement for both", []string{both, changes, elsewhere(changes)}, pass, pass,
			"all 4 permissions"},
		{"a third region", []string{both, changes, elsewhere(changes), third}, pass, warn,
			"in other regions than ap-northeast-1, eu-west-1"},
		{"the first alone", []string{reads, changes}, fail, pass,
			"ec2:DescribeNetworkInterfaces on * in eu-west-1 is not allowed"},
		{"the second alone", []string{elsewhere(reads), elsewhere(changes)}, fail, pass,
			"ec2:DescribeNetworkInterfaces on * in ap-northeast-1 is not allowed"},
		{"the one's interface in the other's region",
			[]string{both, changes, strings.ReplaceAll(changes, "ap-northeast-1", "eu-west-1")}, fail,
			warn, "wider than what is named"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checks := iampolicy.Compare(iampolicy.Granted{Role: "r", Policies: []iampolicy.Source{
				{Name: "p", Text: document(tt.statements...)}}}, &here, &there)
			told(t, checks, pass, tt.needed, tt.excess, tt.words)
		})
	}
}
