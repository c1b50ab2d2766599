package render

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"aws-provider-executor/pkg/inventory"
)

// iamDir holds the IAM policies to start from: those of the partition aws there, the others' in a
// folder each.
const iamDir = "examples/iam"

// partition is a part of AWS with accounts, identities and ARNs of its own.
type partition struct{ name, dir, region string }

// partitions are those that policies are written for, each with a region of it.
var partitions = []partition{
	{"aws", "", "ap-northeast-1"},
	{"aws-cn", "aws-cn", "cn-north-1"},
	{"aws-us-gov", "aws-us-gov", "us-gov-west-1"},
}

// managed is the tag of what the executor may change.
var managed = map[string]string{"aws:ResourceTag/routerd": "managed"}

// The elements of an IAM policy, in the order in which they are written.
type (
	iamPolicy struct {
		Version   string
		Statement []iamStatement
	}
	iamStatement struct {
		Sid, Effect string
		Action      []string
		Resource    string
		Condition   map[string]any `json:",omitempty"`
	}
)

// iam renders the policies of both programs, from what the verbs and the inventory need.
func (g Generator) iam() ([]File, error) {
	var files []File
	for _, p := range partitions {
		for name, statements := range map[string][]iamStatement{
			"executor.json": g.executorStatements(p), "inventory.json": {p.read(inventory.Permissions)},
		} {
			data, err := policyDocument(statements)
			if err != nil {
				return nil, err
			}
			files = append(files, File{Path: filepath.Join(iamDir, p.dir, name), Data: data})
		}
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

// executorStatements are one for reading, and one for each kind of resource that verbs change. Tags
// are a kind of their own: their keys can be told.
func (g Generator) executorStatements(p partition) []iamStatement {
	// Policies that ask for tags read them, whatever the verb.
	reads, changes := []string{"ec2:DescribeTags"}, map[string][]string{}
	for _, v := range g.Registry.Verbs() {
		for _, needed := range v.Permissions {
			switch {
			case !needed.Change:
				reads = append(reads, needed.Action)
			case needed.Action == "ec2:CreateTags" || needed.Action == "ec2:DeleteTags":
				changes[needed.Resource+"/tags"] = append(changes[needed.Resource+"/tags"], needed.Action)
			default:
				changes[needed.Resource] = append(changes[needed.Resource], needed.Action)
			}
		}
	}
	statements := []iamStatement{p.read(reads)}
	for _, kind := range sortedKeys(changes) {
		statements = append(statements, p.change(kind, changes[kind]))
	}
	return statements
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// read allows describing, which IAM restricts to a region and to nothing else.
func (p partition) read(actions []string) iamStatement {
	return iamStatement{Sid: "Read", Effect: "Allow", Action: sortedOnce(actions), Resource: "*",
		Condition: map[string]any{"StringEquals": map[string]string{"ec2:Region": p.region}}}
}

// change allows changing what is tagged as managed. A security group is not changed when an
// interface is given it, so its tags do not matter.
func (p partition) change(kind string, actions []string) iamStatement {
	resource, tags := strings.CutSuffix(kind, "/tags")
	s := iamStatement{Sid: "Change", Effect: "Allow", Action: sortedOnce(actions),
		Resource: "arn:" + p.name + ":ec2:" + p.region + ":*:" + resource + "/*"}
	for _, word := range strings.Split(resource, "-") {
		s.Sid += strings.ToUpper(word[:1]) + word[1:]
	}
	if resource == "security-group" {
		return s
	}
	s.Condition = map[string]any{"StringEquals": managed}
	if tags {
		s.Sid += "Tags"
		s.Condition["ForAllValues:StringLike"] = map[string][]string{"aws:TagKeys": {"lastfence",
			"Original_SG_Backup_*"}}
	}
	return s
}

func sortedOnce(actions []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(actions)))
}

func policyDocument(statements []iamStatement) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(iamPolicy{Version: "2012-10-17", Statement: statements})
	return b.Bytes(), err
}
