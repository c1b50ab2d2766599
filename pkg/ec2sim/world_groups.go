package ec2sim

import "slices"

// replaceGroups gives the interface the groups, each once, in place of those it has.
func (c *change) replaceGroups(eni *Interface, ids []string) error {
	var groups []string
	for _, id := range ids {
		g, err := find(c.w.groups, groupIDs, id)
		if err != nil {
			return err
		}
		if g.VPCID != eni.VPCID {
			return refuse("InvalidGroup.NotFound", "You have specified two resources that belong to different networks.")
		}
		if !slices.Contains(groups, id) {
			groups = append(groups, id)
		}
	}
	if len(groups) > c.quotas.groups() {
		return refuse("SecurityGroupsPerInterfaceLimitExceeded",
			"The maximum number of security groups per interface has been reached.")
	}
	eni.Groups = groups
	return nil
}
