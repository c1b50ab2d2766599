package ec2sim

import (
	"net/http"
	"strings"
)

// owned is what another account may own: it shares a subnet, or has an interface in one of ours.
type owned interface{ owner() string }

func (v *VPC) owner() string           { return v.Owner }
func (s *Subnet) owner() string        { return s.Owner }
func (g *SecurityGroup) owner() string { return g.Owner }
func (t *RouteTable) owner() string    { return t.Owner }
func (i *Interface) owner() string     { return i.Owner }

// ownerOf returns the account that owns what has the id, which is the world's own for what does not
// exist.
func (w *world) ownerOf(id string) string {
	for _, find := range []func(string) taggable{
		lookup[VPC](w.vpcs), lookup[Subnet](w.subnets), lookup[SecurityGroup](w.groups),
		lookup[RouteTable](w.routes), lookup[Interface](w.interfaces),
	} {
		if r, ok := find(id).(owned); ok && r.owner() != "" {
			return r.owner()
		}
	}
	return w.owner
}

// foreign reports whether another account owns what has the id.
func (w *world) foreign(id string) bool { return w.ownerOf(id) != w.owner }

func errForeign() *Error {
	return &Error{"AuthFailure", "You do not have permission to access the specified resource.",
		http.StatusUnauthorized}
}

// arn is the ARN of a resource of the region.
func (w *world) arn(kind, id string) string {
	place := partition(w.region) + ":ec2:" + w.region
	return "arn:" + place + ":" + w.ownerOf(id) + ":" + kind + "/" + id
}

func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
