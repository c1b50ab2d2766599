package api

import (
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// tagSpecification are tags that something gets as it is made.
type tagSpecification struct {
	ResourceType string
	Tag          []tagParam
}

// tagging is embedded in the parameters of the operations that tag what they make.
type tagging struct{ TagSpecification []tagSpecification }

// tagged are the tags for one type of resource, which is the only one that the operation makes.
func (t tagging) tagged(kind string) (world.Tags, error) {
	tags := world.Tags{}
	for _, s := range t.TagSpecification {
		if s.ResourceType != kind {
			return nil, refusal.InvalidValue(
				"'%s' is not a valid taggable resource type for this operation.", s.ResourceType)
		}
		if err := checkTags(s.Tag); err != nil {
			return nil, err
		}
		for _, one := range s.Tag {
			tags[one.Key] = valueOf(one)
		}
	}
	return tags, nil
}

// tags reports whether the call tags what it makes, which IAM has a say about of its own.
func (t tagging) tags() bool { return len(t.TagSpecification) > 0 }

func (t tagging) conditions() map[string][]string {
	keys := map[string][]string{}
	for _, s := range t.TagSpecification {
		for _, one := range s.Tag {
			keys["aws:TagKeys"] = append(keys["aws:TagKeys"], one.Key)
			keys["aws:RequestTag/"+one.Key] = []string{valueOf(one)}
		}
	}
	return keys
}
