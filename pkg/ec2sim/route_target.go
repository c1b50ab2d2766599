package ec2sim

import "strings"

const local = "local"

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

var (
	gatewayIDs    = idKind{"igw", "InvalidGatewayID.Malformed", "InvalidGatewayID.NotFound", "The gateway ID '%s' does not exist", ""}
	vpnGatewayIDs = idKind{"vgw", "InvalidGatewayID.Malformed", "InvalidGatewayID.NotFound", "The gateway ID '%s' does not exist", ""}
	egressOnlyIDs = idKind{"eigw", "InvalidGatewayID.Malformed", "InvalidGatewayID.NotFound", "The eigw ID '%s' does not exist", ""}
	natGatewayIDs = idKind{"nat", "InvalidNatGatewayID.Malformed", "InvalidNatGatewayID.NotFound", "The natGateway ID '%s' does not exist", ""}
	peeringIDs    = idKind{"pcx", "InvalidVpcPeeringConnectionId.Malformed", "InvalidVpcPeeringConnectionID.NotFound", "The vpcPeeringConnection ID '%s' does not exist", ""}
	transitIDs    = idKind{"tgw", "InvalidTransitGatewayID.Malformed", "InvalidTransitGatewayID.NotFound", "The transitGateway ID '%s' does not exist", ""}
	endpointIDs   = idKind{"vpce", "InvalidVpcEndpointId.Malformed", "InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id '%s' does not exist", ""}
)

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

// resolve finds where the route is to lead, and whether it can from the table.
func (c *call) resolve(r *Route, to routeTarget, t *RouteTable) error {
	if n := to.count(); n != 1 {
		return errTargets(n)
	}
	if to.InstanceId != "" {
		i, err := find(c.w.instances, instanceIDs, to.InstanceId)
		if err != nil {
			return err
		}
		attached := c.w.attached(i.ID)
		if len(attached) > 1 {
			return refuse("InvalidInstanceID", "There are multiple interfaces attached to instance '%s'. "+
				"Please specify an interface ID for the operation instead.", i.ID)
		}
		if len(attached) == 0 {
			return refuse("InvalidInstanceID", "There are no interfaces attached to instance '%s'.", i.ID)
		}
		to.NetworkInterfaceId = attached[0].ID
	}
	if to.NetworkInterfaceId != "" {
		eni, err := find(c.w.interfaces, interfaceIDs, to.NetworkInterfaceId)
		if err != nil {
			return err
		}
		if eni.VPCID != t.VPCID {
			return invalidValue("route table %s and interface %s belong to different networks", t.ID, eni.ID)
		}
		r.Target = eni.ID
		return nil
	}
	for id, kind := range to.gatewayTargets() {
		g, err := find(c.w.gateways, kind, id)
		if err != nil {
			return err
		}
		if g.VPCID != "" && g.VPCID != t.VPCID {
			return invalidValue("route table %s and network gateway %s belong to different networks", t.ID, g.ID)
		}
		r.Target = g.ID
	}
	return nil
}

// targetKind is the prefix of a target's id.
func targetKind(target string) string {
	kind, _, _ := strings.Cut(target, "-")
	return kind
}
