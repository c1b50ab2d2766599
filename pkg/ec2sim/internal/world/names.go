package world

import "strings"

// GroupName returns the name of a security group, or "".
func (w *World) GroupName(id string) string {
	if g := w.Groups[id]; g != nil {
		return g.Name
	}
	return ""
}

// PrivateDNS is the name of a private address.
func (w *World) PrivateDNS(address string) string {
	if address == "" {
		return ""
	}
	return "ip-" + strings.ReplaceAll(address, ".", "-") + "." + w.Region + ".compute.internal"
}

// Hostname is the name of an instance: of its address, or in an IPv6-only subnet of its id.
func (w *World) Hostname(i *Instance, primary *Interface) string {
	if primary.Primary() != "" {
		return w.PrivateDNS(primary.Primary())
	}
	return i.ID + "." + w.Region + ".compute.internal"
}

// PublicDNS is the name of an Elastic IP.
func (w *World) PublicDNS(address string) string {
	return "ec2-" + strings.ReplaceAll(address, ".", "-") + "." + w.Region + ".compute.amazonaws.com"
}

// ZoneID makes an id of a zone's name: ap-northeast-1a is apne1-az1.
func ZoneID(zone string) string {
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

// SameDigits makes an id of another kind with the digits of id, for what belongs to one resource
// only.
func SameDigits(prefix, id string) string {
	return prefix + id[strings.LastIndexByte(id, '-'):]
}
