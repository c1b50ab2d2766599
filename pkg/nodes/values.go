package nodes

// Managed says if a cloud's manager looks after the node: true or false.
func (n *Node) Managed() string {
	for _, m := range n.Managers {
		if m != ManualManager {
			return "true"
		}
	}
	return "false"
}

// TagField is the field of a tag, as filters name it.
func TagField(key string) string { return "tag:" + key }

// Values are the fields of which a node may have several values, and those that it has.
func (n *Node) Values() map[string][]string {
	all := map[string][]string{}
	if n.Managers != nil {
		all["manager"] = n.Managers
	}
	if n.Projects != nil {
		all["project"] = n.Projects
	}
	all["address"] = append(all["address"], n.Addresses...)
	for _, i := range n.Interfaces {
		all["interface"] = append(all["interface"], i.ID)
		all["subnet"] = append(all["subnet"], i.SubnetID)
		all["address"] = append(append(all["address"], i.Private...), i.Public...)
	}
	if n.Subscription != "" {
		all["subscription"] = []string{n.Subscription}
	}
	if n.Resource != "" {
		all["resource"] = []string{n.Resource}
	}
	if n.CloudState != "" {
		all["cloudState"] = []string{n.CloudState}
	}
	for k, v := range n.Tags() {
		all[TagField(k)] = []string{v}
	}
	return all
}
