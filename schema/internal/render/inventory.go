package render

import (
	"errors"
	"path/filepath"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/inventory"
	"aws-provider-executor/pkg/protocol"
)

// inventoryDir holds the schemas of the inventory's documents.
const inventoryDir = "inventory"

func (g Generator) inventory() ([]File, error) {
	var files []File
	var errs []error
	add := func(name string, n node) {
		data, err := document(n)
		files, errs = append(
			files,
			File{Path: filepath.Join(schemaDir, inventoryDir, fileName(name)), Data: data},
		), append(
			errs,
			err,
		)
	}
	add("request", g.inventoryRequest())
	add("result", inventoryResult())
	return files, errors.Join(errs...)
}

// optional is a text that may be empty, which is the same as absent.
func optional(form action.Form, doc string) node {
	return field(action.Field{Form: form, Doc: doc})
}

func (g Generator) inventoryRequest() node {
	target := stringMap()
	target.Description = "Text by key. Null is the same as absent; keys that are not here are ignored."
	target.Properties = properties{
		{
			"region",
			optional(
				action.Region,
				"the region; without it, the one this program runs in, by instance metadata",
			),
		},
		{"nicRef", optional(action.InterfaceID, "another place for spec.selfNicRef")},
		{"subnetRef", optional(action.SubnetID, "another place for spec.subnetRef")},
		{"routeTableRef", optional(action.RouteTableID, "another place for spec.routeTableRef")},
		{"captureStrategy", optional(inventory.Strategy, "another place for spec.strategy")},
	}
	text := func(doc string) node { return node{Description: doc, Type: "string"} }
	tags := node{
		Description: "tags that an interface or its instance must have, with exactly these " +
			"values, to be selected",
		Type:                 []string{"object", "null"},
		PropertyNames:        &node{MinLength: 1},
		AdditionalProperties: &node{Type: "string"},
	}
	spec := node{
		Type: "object", Required: []string{"provider"},
		Properties: properties{
			{"provider", node{Description: "the cloud", Const: g.Provider}},
			{"providerRef", text("the core's own name for the account; given back in every entry")},
			{
				"strategy",
				optional(
					inventory.Strategy,
					"how addresses are captured: by routes, or (none given) as secondary addresses",
				),
			},
			{"selfNode", text("the core's own name for this node; not used")},
			{"pool", text("the core's own name for the pool; not used")},
			{
				"prefix",
				optional(
					action.Network,
					"addresses and routes that are not in it are left out of ips, observedCandidates and "+
						"routes; a bare address is a network of one",
				),
			},
			{
				"selfNicRef",
				optional(
					action.InterfaceID,
					"the node's own interface; without it, found by instance metadata: the one in the subnet, "+
						"or with an address in the prefix, or else the first",
				),
			},
			{
				"subnetRef",
				optional(
					action.SubnetID,
					"the subnet that is looked at; without it, the whole VPC of the node's own interface",
				),
			},
			{
				"routeTableRef",
				optional(
					action.RouteTableID,
					"the route table; without it, and by route-table, the one that the subnet uses",
				),
			},
			{"target", target},
			{"selector", node{Type: []string{"object", "null"}, Properties: properties{{"tags", tags}}}},
			{"context", node{Description: "anything; ignored"}},
		},
	}
	return node{
		Schema: draft,
		ID:     idStart + "inventory:request",
		Title:  inventory.RequestKind,
		Description: "A request to the inventory. Beyond what a schema can say, it refuses what the " +
			"executor refuses of any document, target and spec that name different things, and more " +
			"than 50 tags.",
		Type:     "object",
		Required: []string{"apiVersion", "kind", "spec"},
		Properties: properties{
			{"apiVersion", node{Const: inventory.APIVersion}},
			{"kind", node{Const: inventory.RequestKind}},
			{"spec", spec},
		},
	}
}

func inventoryResult() node {
	text := func(doc string) node { return node{Description: doc, Type: "string", MinLength: 1} }
	list := func(doc string, of node) node { return node{Description: doc, Type: "array", Items: &of} }
	yes := func(doc string) node { return node{Description: doc, Type: "boolean"} }
	tags := node{
		Description: "the interface's tags, with its instance's over them", Type: "object",
		AdditionalProperties: &node{Type: "string"},
	}
	state := text("the state of the instance that the interface is on; left out when it is on none, " +
		"or on another account's")
	kind := node{
		Description: "`router-nic`: the node's own, one whose source/dest check is off, or one whose " +
			"tags " +
			"say so; `instance-nic`: another interface of an instance; `interface`: one that is on no " +
			"instance; `private-endpoint`: an endpoint's, a load balancer's or another AWS service's",
		Enum: []string{
			inventory.RouterNIC, inventory.InstanceNIC, inventory.SpareNIC, inventory.PrivateEndpoint,
		},
	}
	gone := node{
		Description: "`blackhole` when what the route leads to is gone, detached or not running; " +
			"left out " +
			"otherwise",
		Const: "blackhole",
	}
	address := node{
		Type: "object", Required: []string{"address", "nicRef", "resourceType", "primary", "selected"},
		Properties: properties{
			{"address", text("an address, without a length; or a block that is delegated to the interface " +
				"whole, with its length, whose addresses come and go together only")},
			{"nicRef", text("the interface that holds it")}, {"subnetRef", text("the interface's subnet")},
			{"vpcRef", text("the interface's VPC")}, {"providerRef", text("as in the request")},
			{"resourceRef", text("the instance that the interface is on, or else the interface")},
			{"resourceType", kind},
			{"primary", yes("whether the interface can't lose it")},
			{"selected", yes("whether tags have everything that the request's selector asks for")},
			{"tags", tags}, {"instanceState", state},
		},
	}
	route := node{
		Type: "object", Required: []string{"address", "routeTableRef"},
		Properties: properties{
			{
				"address",
				text("the destination, a network with its length"),
			},
			{"routeTableRef", text("the route table")},
			{
				"nextHopNicRef",
				text("the interface that it leads to; left out when it leads to something else"),
			},
			{"nextHopRef", text("the interface's instance, or else what the route leads to")},
			{"state", gone},
			{"tags", tags},
			{"instanceState", state},
			{
				"propagated",
				node{
					Description: "true when the route was not made by hand, and is for whoever propagates it " +
						"to take away; left out otherwise",
					Type: "boolean",
				},
			},
		},
	}
	unresolved := node{
		Type: "object", Required: []string{"prefixListRef", "routeTableRef"},
		Properties: properties{
			{
				"prefixListRef",
				text("the prefix list that is the destination"),
			},
			{"routeTableRef", text("the route table")},
			{
				"nextHopNicRef",
				text("the interface that it leads to; left out when it leads to something else"),
			},
			{"nextHopRef", text("what it leads to")},
			{"state", gone},
		},
	}
	self := node{
		Description: "the node's own interface",
		Type:        "object",
		Required:    []string{"nicRef", "resourceType", "privateIPs"},
		Properties: properties{
			{"nicRef", text("the interface")},
			{"subnetRef", text("its subnet")},
			{"resourceRef", text("its instance, or else itself")},
			{"resourceType", node{Description: "as of an address", Const: inventory.RouterNIC}},
			{
				"privateIPs",
				list("all its addresses, the primary one first, without blocks", text("an address")),
			},
			{
				"capturedAddresses",
				list("the addresses that it holds beside its primary ones, or, by route-table, "+
					"the destinations led to it by hand; left out when that was not read",
					text("an address, or a network")),
			},
			{
				"forwardingEnabled",
				node{Description: "whether its source/dest check is off", Type: "boolean"},
			},
		},
	}
	lists := []string{
		"notRead",
		"self",
		"ips",
		"observedCandidates",
		"localIPs",
		"routes",
		"unresolvedRoutes",
	}
	none := make([]node, len(lists))
	for i, name := range lists {
		none[i] = node{Required: []string{name}}
	}
	status := node{
		Type:     "object",
		Required: []string{"status"},
		Properties: properties{
			{"status", node{
				Description: "succeeded: all that is here was read to the end; failed: something could not " +
					"be read, see error",
				Enum: []string{string(protocol.Succeeded), string(protocol.Failed)},
			}},
			{"message", text("one line on what was read, and on what was not")},
			{
				"error",
				text("a failure class of the executor, a colon, and one line that a person can act on; " +
					"only when failed"),
			},
			{"notRead", list("what this role or account may not read and is left out for that; left out "+
				"when there is nothing", text("one thing, and why"))},
			{"self", self},
			{"ips", list("every address in the subnet or VPC that lies in the prefix, whosever it is, in "+
				"the order of addresses; a block is there when a part of it lies in the prefix", address)},
			{
				"observedCandidates",
				list("the same as ips; left out where the result would be too large", address),
			},
			{
				"localIPs",
				list("every address in the subnet or VPC, whatever the prefix says; left out where "+
					"the result would be too large", address),
			},
			{
				"routes",
				list(
					"the table's routes that lie in the prefix, but for those to local; only when a table was "+
						"read",
					route,
				),
			},
			{
				"unresolvedRoutes",
				list(
					"the table's routes to prefix lists, whose networks were not read, whatever the prefix "+
						"says; left out when there are none",
					unresolved,
				),
			},
		},
		If:   &node{Properties: properties{{"status", node{Const: string(protocol.Failed)}}}},
		Then: &node{Required: []string{"error"}, Not: &node{AnyOf: none}},
		Else: &node{
			Required: []string{"message", "self", "ips"},
			Not:      &node{Required: []string{"error"}},
		},
	}
	return node{
		Schema: draft,
		ID:     idStart + "inventory:result",
		Title:  inventory.ResultKind,
		Description: "A result of the inventory. A list that is there was read to the end, and may " +
			"be empty; one that is not was not read.",
		Type:     "object",
		Required: []string{"apiVersion", "kind", "status"},
		Properties: properties{
			{"apiVersion", node{Const: inventory.APIVersion}},
			{"kind", node{Const: inventory.ResultKind}},
			{"status", status},
		},
	}
}
