package ec2sim

import "strings"

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
func (t routeTarget) gatewayTargets() map[string]idKind {
	gateway := gatewayIDs
	if strings.HasPrefix(t.GatewayId, vpnGatewayIDs.prefix+"-") {
		gateway = vpnGatewayIDs
	}
	targets := map[string]idKind{
		t.GatewayId: gateway, t.NatGatewayId: natGatewayIDs, t.VpcPeeringConnectionId: peeringIDs,
		t.TransitGatewayId: transitIDs, t.VpcEndpointId: endpointIDs, t.EgressOnlyInternetGatewayId: egressOnlyIDs,
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

func errTargets(n int) *Error {
	code := "InvalidParameterCombination"
	if n == 0 {
		code = "MissingParameter"
	}
	return refuse(code, "The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId, "+
		"vpcPeeringConnectionId, egressOnlyInternetGatewayId, transitGatewayId, vpcEndpointId or instanceId")
}

// resolve returns the target that the call names, if the table can lead to it.
func (c *call) resolve(to routeTarget, t *RouteTable) (string, error) {
	if n := to.count(); n != 1 {
		return "", errTargets(n)
	}
	if to.InstanceId != "" {
		i, err := find(c.w.instances, instanceIDs, to.InstanceId)
		if err != nil {
			return "", err
		}
		attached := c.w.attached(i.ID)
		if len(attached) > 1 {
			return "", refuse("InvalidInstanceID", "There are multiple interfaces attached to instance '%s'. "+
				"Please specify an interface ID for the operation instead.", i.ID)
		}
		if len(attached) == 0 {
			return "", refuse("InvalidInstanceID", "There are no interfaces attached to instance '%s'.", i.ID)
		}
		to.NetworkInterfaceId = attached[0].ID
	}
	if to.NetworkInterfaceId != "" {
		eni, err := find(c.w.interfaces, interfaceIDs, to.NetworkInterfaceId)
		if err != nil {
			return "", err
		}
		if eni.VPCID != t.VPCID {
			return "", invalidValue("route table %s and interface %s belong to different networks", t.ID, eni.ID)
		}
		return eni.ID, nil
	}
	for id, kind := range to.gatewayTargets() {
		g, err := find(c.w.gateways, kind, id)
		if err != nil {
			return "", err
		}
		if g.VPCID != "" && g.VPCID != t.VPCID {
			return "", invalidValue("route table %s and network gateway %s belong to different networks", t.ID, g.ID)
		}
		return g.ID, nil
	}
	return "", nil
}
