package lifecycle

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/document"
	"aws-provider-executor/pkg/protocol"
)

// The document type.
const (
	APIVersion        = "lifecycle.routerd.net/v1alpha1"
	ConfigurationKind = "LifecycleConfiguration"
)

// maxBytes is the largest configuration that is read.
const maxBytes = 1 << 20

// Load reads the configuration in a file. Its errors name the file.
func Load(path string) (*Configuration, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	c, err := ReadConfiguration(data)
	if err != nil {
		return nil, fmt.Errorf("the configuration %s is refused:\n%w", path, err)
	}
	return c, nil
}

// ReadConfiguration reads a configuration, in YAML or JSON. The error is a document.Faults with
// every fault and its line.
func ReadConfiguration(data []byte) (*Configuration, error) {
	if len(data) > maxBytes {
		return nil, document.Faults{{Reason: fmt.Sprintf("is larger than %d bytes", maxBytes)}}
	}
	doc, err := document.ParseOne(data)
	if err != nil {
		return nil, err
	}
	r := &reader{}
	c := &Configuration{}
	r.objectOf(doc, "", r.document(c))
	r.state(doc, c)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// document are the fields of the whole.
func (r *reader) document(c *Configuration) []field {
	var version, kind string
	return []field{
		r.choice("apiVersion", "the form of the document", &version, APIVersion).must(),
		r.choice("kind", "what the document is", &kind, ConfigurationKind).must(),
		r.object("metadata", "how people call it", []field{
			r.text("name", "the name of the configuration", nameOf, &c.Name).must(),
		}).must(),
		r.object("spec", "what instances get, and where that is remembered", []field{
			r.object("state", "where it is remembered which instances were handled: one of the two",
				[]field{
					r.text("table", "a table of DynamoDB that machines share: its ARN, or its name", nameOf,
						&c.Table),
					r.text("directory", "a directory of this machine, if no other handles the groups",
						absolutePath, &c.Directory),
				}).must(),
			objects(r, "groups", "the Auto Scaling groups; the first that fits counts", &c.Groups, r.group,
				r.checkGroup).must(),
		}).must(),
	}
}

// absolutePath is the form of a path.
var absolutePath = action.Form{Name: "absolute path", Pattern: `^/`,
	Canonical: func(s string) (string, error) {
		if !filepath.IsAbs(s) {
			return s, fmt.Errorf("want an absolute path")
		}
		return filepath.Clean(s), nil
	}}

func (r *reader) state(doc *document.Node, c *Configuration) {
	if (c.Table == "") == (c.Directory == "") && len(r.Faults) == 0 {
		r.Add(doc.Line, "spec.state", "names %s, want one of table and directory",
			map[bool]string{true: "neither", false: "both"}[c.Table == ""])
	}
	for _, g := range c.Groups {
		if g.License != nil && c.Directory != "" {
			r.Add(doc.Line, "spec.state", "is a directory, and the group %s takes licences of the pool %s:"+
				" who has which is kept in a table alone, so name a table, or take license out",
				protocol.Quote(g.Name), protocol.Quote(g.License.Pool))
		}
	}
}

// group are the fields of a group.
func (r *reader) group(g *Group) []field {
	g.ExpiredHook, g.Patience, g.Protection = Finish, defaultPatience, ProtectNever
	g.TagsRequired, g.module = true, &module{}
	return slices.Concat([]field{
		r.text("name", "the name of the group, or a pattern of names: * stands for any text, ? for one "+
			"character", nameOf, &g.Name).must(),
		r.text("account", "the account that the group is in", accountID, &g.Account).must(),
		r.text("region", "the region that the group is in", action.Region, &g.Region).must(),
		r.number("maxSize", "the largest size of the group; fixed addresses need 1", 1, &g.MaxSize),
		r.object("hooks", "the lifecycle hooks that are answered; without one any is", []field{
			r.text("launch", "the hook at launch", nameOf, &g.LaunchHook),
			r.text("terminate", "the hook at terminate", nameOf, &g.TerminateHook),
		}),
		r.choice("expiredHook", "what becomes of a launch whose hook did not wait for its end, if the "+
			"instance is in service (default `finish`)", &g.ExpiredHook, Finish, UndoExpired),
		r.span("patience", "for how long a step is tried again that failed and may succeed later "+
			"(default `5m`)", &g.Patience),
		objects(
			r,
			"interfaces",
			"the network interfaces of an instance",
			&g.Interfaces,
			r.nic,
			r.checkNIC,
		),
		r.pairs("tags", "tags of the instance; `{instance}` and `{group}` in a value stand for names",
			action.TagKey, action.TagValue, &g.Tags),
		r.flag("tagsRequired", "whether a launch is abandoned if the tags can't be set (default `true`)",
			&g.TagsRequired),
		r.choice("protection", "which instances are protected from scale-in (default `never`)",
			&g.Protection, ProtectNever, ProtectAlways, ProtectPrimary),
		optional(r, "license", "the licence of an instance", &g.License, r.license),
		optional(r, "appliance", "what the software of an instance is told", &g.Appliance, r.appliance),
		optional(r, "members", "has the group keep its members, one of which is the primary",
			&g.Members, func(m *Members) []field {
				return []field{r.number("deviceIndex", "the device index of the interface by whose address "+
					"members know each other (default 0)", 0, &m.Index)}
			}),
	}, r.moduleFields(g.module))
}

// license are the fields of a licence.
func (r *reader) license(l *License) []field {
	l.OutOfStock, l.Required = Abandon, true
	return []field{
		r.text("pool", "the pool that it is taken from", nameOf, &l.Pool).must(),
		r.text("source", "where the licences of the pool are: a folder, which ends with a slash, or a "+
			"list of tokens", nameOf, &l.Source).must(),
		r.choice("outOfStock", "what becomes of a launch for which the pool has none (default "+
			"`abandon`)", &l.OutOfStock, Abandon, GoOn),
		r.flag("required", "whether a launch is abandoned if it can't be taken (default `true`)",
			&l.Required),
	}
}

// appliance are the fields of the software of an instance.
func (r *reader) appliance(a *Appliance) []field {
	a.Timeout, a.Required = defaultAppliance, true
	return []field{
		r.text("driver", "the driver that speaks to it", nameOf, &a.Driver).must(),
		r.number("deviceIndex", "the device index of the interface by whose address it is managed "+
			"(default 0)", 0, &a.Index),
		r.pairs(
			"parameters",
			"the parameters of configure-appliance; `{instance}`, `{group}`, `{role}`, "+
				"`{address}`, `{primary}` and `{primaryAddress}` in a value stand for what is so",
			nameOf,
			action.Text,
			&a.Parameters,
		),
		r.span("timeout", "how long it may take (default `10m`)", &a.Timeout),
		r.flag("required", "whether a launch is abandoned if it can't be configured (default `true`)",
			&a.Required),
	}
}

// nic are the fields of an interface.
func (r *reader) nic(i *Interface) []field {
	i.SourceDestCheck, i.DeleteOnTermination, i.Required = true, true, true
	return []field{
		r.text("name", "what people call it", nameOf, &i.Name),
		r.number("deviceIndex", "the device index; 0 is there from the launch, and only its "+
			"`sourceDestCheck` and `publicAddress` are set", 0, &i.Index).must(),
		r.pairs("subnets", "its subnet for each availability zone", action.Zone, action.SubnetID,
			&i.Subnets),
		r.texts("securityGroups", "its security groups, all of them", action.SecurityGroupID,
			&i.SecurityGroups),
		r.texts("privateAddresses", "fixed private addresses, the primary one first; without any EC2 "+
			"chooses", action.HostIPv4, &i.Addresses),
		r.text("description", "its description", action.Text, &i.Description),
		r.flag("sourceDestCheck", "its source/dest check (default `true`); `false` lets it forward",
			&i.SourceDestCheck),
		r.flag("deleteOnTermination", "whether it is deleted with the instance (default `true`)",
			&i.DeleteOnTermination),
		optional(r, "publicAddress", "its Elastic IP", &i.Public, r.public),
		r.flag("required", "whether a launch is abandoned if it can't be made (default `true`)",
			&i.Required),
	}
}

// public are the fields of an Elastic IP.
func (r *reader) public(p *PublicAddress) []field {
	p.Required = true
	return []field{
		r.text("allocation", "an existing Elastic IP, which nothing else has", action.AllocationID,
			&p.Allocation),
		r.text("pool", "the pool that one is allocated from; `amazon` is that of Amazon's own", poolID,
			&p.Pool),
		r.flag("required", "whether a launch is abandoned if it can't have one (default `true`)",
			&p.Required),
	}
}
