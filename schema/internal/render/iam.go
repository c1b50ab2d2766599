package render

import (
	"path/filepath"

	"aws-provider-executor/pkg/iampolicy"
)

// iamDir holds the IAM policies to start from: those of the partition aws there, the others' in a
// folder each.
const iamDir = "examples/iam"

// examplePlaces are where the policies are written for: a region of each partition.
var examplePlaces = []struct{ dir, region string }{
	{"", "ap-northeast-1"}, {"aws-cn", "cn-north-1"}, {"aws-us-gov", "us-gov-west-1"},
}

// managed is the tag of what the executor may change.
var managed = map[string]string{"routerd": "managed"}

// lifecycleVerbs are those of the steps of a launch, and of its end.
var lifecycleVerbs = []string{"ensure-network-interface", "ensure-public-address", "ensure-tags",
	"ensure-forwarding-enabled", "ensure-instance-protection", "complete-lifecycle-action"}

// iam renders the policies of both programs, from what the verbs and the inventory need.
func (g Generator) iam() ([]File, error) {
	// What nothing takes back is granted by a policy of its own, to whom it is meant for.
	var verbs []string
	for _, v := range g.Registry.Verbs() {
		if !v.Irreversible {
			verbs = append(verbs, v.Name)
		}
	}
	choices := []struct {
		name   string
		choice iampolicy.Choice
	}{
		{"executor.json", iampolicy.Choice{Verbs: verbs, Everything: true,
			With: []string{iampolicy.Foresight, iampolicy.PolicyTags}}},
		{"run-command.json", iampolicy.Choice{Verbs: []string{"run-command"}, Everything: true,
			With: []string{iampolicy.Foresight}}},
		{"lifecycle.json", iampolicy.Choice{Verbs: lifecycleVerbs, Everything: true,
			With: []string{iampolicy.Foresight, iampolicy.Lifecycle}}},
		{"inventory.json", iampolicy.Choice{With: []string{iampolicy.Inventory}}},
	}
	var files []File
	for _, place := range examplePlaces {
		for _, c := range choices {
			needed, err := iampolicy.Needs(g.Registry, iampolicy.Extras(), c.choice)
			if err != nil {
				return nil, err
			}
			scope := iampolicy.Scope{Region: place.region, Tags: managed}
			data, err := scope.Policy(needed).JSON()
			if err != nil {
				return nil, err
			}
			files = append(files, File{Path: filepath.Join(iamDir, place.dir, c.name), Data: data})
		}
	}
	return files, nil
}
