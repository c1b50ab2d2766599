package world

import (
	"net/http"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// owned is what another account may own: it shares a subnet, or has an interface in one of ours.
type owned interface{ owner() string }

func (v *VPC) owner() string           { return v.Owner }
func (s *Subnet) owner() string        { return s.Owner }
func (g *SecurityGroup) owner() string { return g.Owner }
func (t *RouteTable) owner() string    { return t.Owner }
func (i *Interface) owner() string     { return i.Owner }

// OwnerOf returns the account that owns what has the id, which is the world's own for what does not
// exist.
func (w *World) OwnerOf(id string) string {
	for _, find := range []func(string) taggable{
		lookup[VPC](w.VPCs), lookup[Subnet](w.Subnets), lookup[SecurityGroup](w.Groups),
		lookup[RouteTable](w.Routes), lookup[Interface](w.Interfaces),
	} {
		if r, ok := find(id).(owned); ok && r.owner() != "" {
			return r.owner()
		}
	}
	return w.Owner
}

// Foreign reports whether another account owns what has the id.
func (w *World) Foreign(id string) bool { return w.OwnerOf(id) != w.Owner }

func errForeign() *refusal.Error {
	return &refusal.Error{Code: "AuthFailure",
		Message: "You do not have permission to access the specified resource.",
		Status:  http.StatusUnauthorized}
}

// ARN is the ARN of a resource of the region.
func (w *World) ARN(kind, id string) string {
	place := partition(w.Region) + ":ec2:" + w.Region
	return "arn:" + place + ":" + w.OwnerOf(id) + ":" + kind + "/" + id
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
