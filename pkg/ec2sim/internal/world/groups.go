package world

import (
	"slices"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// ReplaceGroups gives the interface the groups, each once, in place of those it has.
func (c *Change) ReplaceGroups(eni *Interface, ids []string) error {
	var groups []string
	for _, id := range ids {
		g, err := Find(c.World.Groups, GroupIDs, id)
		if err != nil {
			return err
		}
		if g.VPCID != eni.VPCID {
			return refusal.New("InvalidGroup.NotFound",
				"You have specified two resources that belong to different networks.")
		}
		if !slices.Contains(groups, id) {
			groups = append(groups, id)
		}
	}
	if len(groups) > c.Quotas.groups() {
		return refusal.New("SecurityGroupsPerInterfaceLimitExceeded",
			"The maximum number of security groups per interface has been reached.")
	}
	eni.Groups = groups
	return nil
}
