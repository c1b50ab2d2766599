package api

import (
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// routeTarget is where a route is to lead: exactly one of these.
type routeTarget struct {
	GatewayId                   string
	InstanceId                  string
	NetworkInterfaceId          string
	NatGatewayId                string
	VpcPeeringConnectionId      string
	TransitGatewayId            string
	VpcEndpointId               string
	EgressOnlyInternetGatewayId string
	LocalGatewayId              string `query:"unheld"`
	CarrierGatewayId            string `query:"unheld"`
	CoreNetworkArn              string `query:"unheld"`
	OdbNetworkArn               string `query:"unheld"`
}

// gatewayTargets are the targets that are gateways, with the kinds of their ids.
func (t routeTarget) gatewayTargets() map[string]world.IDKind {
	gateway := world.GatewayIDs
	if strings.HasPrefix(t.GatewayId, world.VPNGatewayIDs.Prefix+"-") {
		gateway = world.VPNGatewayIDs
	}
	targets := map[string]world.IDKind{
		t.GatewayId: gateway, t.NatGatewayId: world.NatGatewayIDs,
		t.VpcPeeringConnectionId: world.PeeringIDs,
		t.TransitGatewayId:       world.TransitIDs, t.VpcEndpointId: world.EndpointIDs,
		t.EgressOnlyInternetGatewayId: world.EgressOnlyIDs,
	}
	delete(targets, "")
	return targets
}

// count returns how many targets there are.
func (t routeTarget) count() int {
	n := 0
	for _, id := range []string{t.GatewayId, t.InstanceId, t.NetworkInterfaceId, t.NatGatewayId,
		t.VpcPeeringConnectionId, t.TransitGatewayId, t.VpcEndpointId, t.EgressOnlyInternetGatewayId} {
		if id != "" {
			n++
		}
	}
	return n
}

func errTargets(n int) *refusal.Error {
	code := "InvalidParameterCombination"
	if n == 0 {
		code = "MissingParameter"
	}
	return refusal.New(code,
		"The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId, "+
			"vpcPeeringConnectionId, egressOnlyInternetGatewayId, transitGatewayId, vpcEndpointId or "+
			"instanceId")
}

// resolve returns the target that the call names, if the table can lead to it.
func (c *call) resolve(to routeTarget, t *world.RouteTable) (string, error) {
	if n := to.count(); n != 1 {
		return "", errTargets(n)
	}
	if to.InstanceId != "" {
		i, err := world.Find(c.World.Instances, world.InstanceIDs, to.InstanceId)
		if err != nil {
			return "", err
		}
		attached := c.World.Attached(i.ID)
		if len(attached) > 1 {
			return "", refusal.New("InvalidInstanceID",
				"There are multiple interfaces attached to instance '%s'. "+
					"Please specify an interface ID for the operation instead.", i.ID)
		}
		if len(attached) == 0 {
			return "", refusal.New("InvalidInstanceID", "There are no interfaces attached to instance '%s'.",
				i.ID)
		}
		to.NetworkInterfaceId = attached[0].ID
	}
	if to.NetworkInterfaceId != "" {
		eni, err := world.Find(c.World.Interfaces, world.InterfaceIDs, to.NetworkInterfaceId)
		if err != nil {
			return "", err
		}
		if eni.VPCID != t.VPCID {
			return "", refusal.InvalidValue("route table %s and interface %s belong to different networks",
				t.ID, eni.ID)
		}
		return eni.ID, nil
	}
	for id, kind := range to.gatewayTargets() {
		g, err := world.Find(c.World.Gateways, kind, id)
		if err != nil {
			return "", err
		}
		if g.VPCID != "" && g.VPCID != t.VPCID {
			return "", refusal.InvalidValue(
				"route table %s and network gateway %s belong to different networks", t.ID, g.ID)
		}
		return g.ID, nil
	}
	return "", nil
}
