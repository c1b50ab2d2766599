package ec2sim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

func (p *peer) tags(instance string) ec2sim.Tags {
	p.t.Helper()
	state := p.sim.Region(ec2sim.LabRegion).State()
	return the(p.t, state.Instances, func(i ec2sim.Instance) bool { return i.ID == instance }).Tags
}

func TestTagRefusals(t *testing.T) {
	const create, remove = "CreateTags", "DeleteTags"
	db := "ResourceId.1=" + ec2sim.LabDB
	full := lab(t)
	many := []string{db}
	for i := range 50 {
		many = append(many, fmt.Sprintf("Tag.%d.Key=k%d", i+1, i), fmt.Sprintf("Tag.%d.Value=v", i+1))
	}
	var crowd []string
	for i := range 1001 {
		crowd = append(crowd, fmt.Sprintf("ResourceId.%d=%s", i+1, ec2sim.LabDB))
	}
	full.refuses(t, []refusal{
		{"one above fifty", create, many, 0, "TagLimitExceeded",
			"The maximum number of Tags for a resource has been reached."},
		{"no resource", create, []string{"Tag.1.Key=a", "Tag.1.Value=b"}, 0,
			"MissingParameter", "The request must contain the parameter resourceId"},
		{"no tag", create, []string{db}, 0, "MissingParameter",
			"The request must contain the parameter tag"},
		{"aws: key", create, []string{db, "Tag.1.Key=aws:x", "Tag.1.Value="}, 0,
			"InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use"},
		{"AWS: key", create, []string{db, "Tag.1.Key=AWS:x"}, 0,
			"InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use"},
		{"deleting an aws: key", remove, []string{db, "Tag.1.Key=aws:x"}, 0,
			"InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use"},
		{"no key", create, []string{db, "Tag.1.Value=b"}, 0, "InvalidTagKey.Malformed",
			"Tag keys cannot be empty or null."},
		{"long key", create, []string{db, "Tag.1.Key=" + strings.Repeat("k", 129)}, 0,
			"InvalidParameterValue", "Tag key exceeds the maximum length of 128 characters"},
		{"long value", create, []string{db, "Tag.1.Key=k", "Tag.1.Value=" + strings.Repeat("v", 257)}, 0,
			"InvalidParameterValue", "Tag value exceeds the maximum length of 256 characters"},
		{"key twice", create, []string{db, "Tag.1.Key=k", "Tag.2.Key=k"}, 0,
			"InvalidParameterValue", "Duplicate tag key 'k' specified."},
		{"one of the resources does not exist", create,
			[]string{db, "ResourceId.2=eni-0123456789abcdef0", "Tag.1.Key=k"}, 0,
			"InvalidNetworkInterfaceID.NotFound",
			"The networkInterface ID 'eni-0123456789abcdef0' does not exist"},
		{"instance does not exist", remove, []string{"ResourceId.1=i-0123456789abcdef0"}, 0,
			"InvalidInstanceID.NotFound", "The instance ID 'i-0123456789abcdef0' does not exist"},
		{"malformed resource", create, []string{"ResourceId.1=eni-x", "Tag.1.Key=k"}, 0,
			"InvalidNetworkInterfaceId.Malformed", `Invalid id: "eni-x"`},
		{"resource of no kind", create, []string{"ResourceId.1=db", "Tag.1.Key=k"}, 0, "InvalidID",
			"The ID 'db' is not valid"},
		{"too many resources", create, append(crowd, "Tag.1.Key=k"), 0,
			"InvalidParameterValue", "The maximum number of resources specified on a single call is 1000"},
		{"dry run", create, []string{db, "Tag.1.Key=k", "DryRun=true"}, 412,
			"DryRunOperation", "Request would have succeeded, but DryRun flag is set."},
	})
}

func TestTags(t *testing.T) {
	begin := ec2sim.Tags{"Name": "db", "empty": "", "full": "x", "aws:stack": "lab"}
	tests := []struct {
		name      string
		operation string
		params    string
		want      ec2sim.Tags
	}{
		{"new and overwritten", "CreateTags", "Tag.1.Key=new Tag.1.Value=1 Tag.2.Key=full Tag.2.Value=2",
			ec2sim.Tags{"Name": "db", "empty": "", "full": "2", "new": "1", "aws:stack": "lab"}},
		{"without a value", "CreateTags", "Tag.1.Key=full",
			ec2sim.Tags{"Name": "db", "empty": "", "full": "", "aws:stack": "lab"}},
		{"keys differ by case", "CreateTags", "Tag.1.Key=name",
			ec2sim.Tags{"Name": "db", "name": "", "empty": "", "full": "x", "aws:stack": "lab"}},
		{"delete by key", "DeleteTags", "Tag.1.Key=full Tag.2.Key=empty",
			ec2sim.Tags{"Name": "db", "aws:stack": "lab"}},
		{"delete by value", "DeleteTags", "Tag.1.Key=full Tag.1.Value=x",
			ec2sim.Tags{"Name": "db", "empty": "", "aws:stack": "lab"}},
		{"another value is not deleted", "DeleteTags", "Tag.1.Key=full Tag.1.Value=y", begin},
		{"the empty value is not any value", "DeleteTags",
			"Tag.1.Key=full Tag.1.Value= Tag.2.Key=empty Tag.2.Value=",
			ec2sim.Tags{"Name": "db", "full": "x", "aws:stack": "lab"}},
		{"what is not there", "DeleteTags", "Tag.1.Key=nothing", begin},
		{"without tags, all that are the user's", "DeleteTags", "", ec2sim.Tags{"aws:stack": "lab"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := lab(t)
			p.sim.Region(ec2sim.LabRegion).EditInstance(ec2sim.LabDB, func(i *ec2sim.Instance) {
				i.Tags = begin
			})
			p.ok(tt.operation, append(strings.Fields(tt.params), "ResourceId.1="+ec2sim.LabDB)...)
			if diff := cmp.Diff(tt.want, p.tags(ec2sim.LabDB)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFiftyTagsOfTheUsers(t *testing.T) {
	p := lab(t)
	p.sim.Region(ec2sim.LabRegion).EditInstance(ec2sim.LabDB, func(i *ec2sim.Instance) {
		i.Tags = ec2sim.Tags{"aws:stack": "lab"}
	})
	params := []string{"ResourceId.1=" + ec2sim.LabDB}
	for i := range 50 {
		params = append(params, fmt.Sprintf("Tag.%d.Key=k%d", i+1, i))
	}
	p.ok("CreateTags", params...)
	p.ok("CreateTags", params...) // overwriting needs no room
	if n := len(p.tags(ec2sim.LabDB)); n != 51 {
		t.Errorf("%d tags", n)
	}
}
