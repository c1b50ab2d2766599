package ec2sim

import "strings"

// groupName returns the name of a security group, or "".
func (w *world) groupName(id string) string {
	if g := w.groups[id]; g != nil {
		return g.Name
	}
	return ""
}

func (w *world) privateDNS(address string) string {
	if address == "" {
		return ""
	}
	return "ip-" + strings.ReplaceAll(address, ".", "-") + "." + w.region + ".compute.internal"
}

// hostname is the name of an instance: of its address, or in an IPv6-only subnet of its id.
func (w *world) hostname(i *Instance, primary *Interface) string {
	if primary.primary() != "" {
		return w.privateDNS(primary.primary())
	}
	return i.ID + "." + w.region + ".compute.internal"
}

func (w *world) publicDNS(address string) string {
	return "ec2-" + strings.ReplaceAll(address, ".", "-") + "." + w.region + ".compute.amazonaws.com"
}

// zoneID makes an id of a zone's name: ap-northeast-1a is apne1-az1.
func zoneID(zone string) string {
	if zone == "" {
		return ""
	}
	parts := strings.Split(zone[:len(zone)-1], "-")
	short := parts[0]
	for _, part := range parts[1:] {
		for _, direction := range []string{"north", "south", "east", "west", "central"} {
			if strings.Contains(part, direction) {
				short += direction[:1]
			}
		}
		if strings.Trim(part, "0123456789") == "" {
			short += part
		}
	}
	return short + "-az" + string('1'+zone[len(zone)-1]-'a')
}

// sameDigits makes an id of another kind with the digits of id, for what belongs to one resource only.
func sameDigits(prefix, id string) string {
	return prefix + id[strings.LastIndexByte(id, '-'):]
}
