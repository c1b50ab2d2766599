package filter

import (
	"maps"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/nodes"
)

// Kind says what the values of a field are.
type Kind int

const (
	// Text is the kind of a field of which each node has one text, perhaps an empty one.
	Text Kind = iota
	// Several is the kind of a field of which a node has any number of values.
	Several
	// Time is the kind of a field of which each node has one time, or never had one.
	Time
	// Manager is the kind of a field that is looked up in the managers that a node belongs to.
	Manager
)

// Field is what a filter can ask for.
type Field struct {
	Name string
	Kind Kind
	// Doc says in a line what it is.
	Doc string
	// Words are the only values that there are; nil where any is possible.
	Words []string
	// Synonyms are other names that are understood.
	Synonyms []string
	// ec2 is the name of EC2's own filter; empty where EC2 has none.
	ec2   string
	texts func(n *nodes.Node) []string
	time  func(n *nodes.Node) time.Time
	// ofManager are the values of a manager by which it is found.
	ofManager func(m nodes.Manager) []string
}

const tagPrefix = "tag:"

// fields are all but the tags.
var fields = []Field{
	text("id", "the node's id", "", func(n *nodes.Node) string { return n.ID }),
	text("name", "its name", "", func(n *nodes.Node) string { return n.Name }),
	words(text("type", "what it is", "", func(n *nodes.Node) string { return string(n.Type) }),
		nodes.Types()),
	text("sourceId", "its cloud's id", "instance-id",
		func(n *nodes.Node) string { return n.Source.ID }, "source_id", "source"),
	text("region", "its region or location", "", func(n *nodes.Node) string { return n.Region }),
	text("accountId", "its account or tenant", "",
		func(n *nodes.Node) string { return n.AccountID }, "account_id", "account"),
	words(text("state", "its cloud's word for it", "instance-state-name",
		func(n *nodes.Node) string { return string(n.State) }), nodes.States()),
	words(text("status", "if it answers", "",
		func(n *nodes.Node) string { return string(n.Status) }), nodes.Statuses()),
	text("platform", "its platform", "",
		func(n *nodes.Node) string { return n.Platform }, "platform_name"),
	text("platformRelease", "its platform's release", "",
		func(n *nodes.Node) string { return n.PlatformRelease }, "platform_release"),
	text("instanceType", "its size", "instance-type",
		func(n *nodes.Node) string { return n.InstanceType }),
	text("zone", "its zone", "availability-zone", func(n *nodes.Node) string { return n.Zone }),
	text("imageId", "its image", "image-id", func(n *nodes.Node) string { return n.ImageID }),
	text("vpcId", "its VPC", "vpc-id", func(n *nodes.Node) string { return n.VPCID }),
	{Name: "manager", Kind: Manager, Doc: "a manager that it belongs to, by its id or name",
		Synonyms: []string{"manager_id"}, ofManager: func(m nodes.Manager) []string {
			return []string{m.ID, m.Name}
		}},
	{Name: "managerType", Kind: Manager, Doc: "the type of a manager that it belongs to",
		Words: texts(nodes.ManagerTypes()), Synonyms: []string{"manager_type"},
		ofManager: func(m nodes.Manager) []string { return []string{string(m.Type)} }},
	words(text("managed", "if a cloud's manager looks after it", "", (*nodes.Node).Managed),
		[]string{"true", "false"}),
	several("subscription", "its subscription in Azure", ""),
	several("resource", "the id of its resource in Azure", ""),
	several("cloudState", "its cloud's own word, where state is another", ""),
	several("project", "a project that it is in", ""),
	several("address", "an address that it has", ""),
	several("interface", "an interface that it has", "network-interface.network-interface-id"),
	several("subnet", "a subnet that it is in", "network-interface.subnet-id"),
	result("lastRunStatus", "how its last run ended", "last_run_status",
		func(n *nodes.Node) *nodes.Result { return n.Runs.Last }),
	result("lastRunPenultimateStatus", "how the run before that ended",
		"last_run_penultimate_status", func(n *nodes.Node) *nodes.Result { return n.Runs.Penultimate }),
	result("lastScanStatus", "how its last scan ended", "last_scan_status",
		func(n *nodes.Node) *nodes.Result { return n.Scans.Last }),
	result("lastScanPenultimateStatus", "how the scan before that ended",
		"last_scan_penultimate_status",
		func(n *nodes.Node) *nodes.Result { return n.Scans.Penultimate }),
	moment("stateSince", "when its state began",
		func(n *nodes.Node) time.Time { return n.StateSince }, "statechange_timerange"),
	moment("lastContact", "when it was last heard of",
		func(n *nodes.Node) time.Time { return n.LastContact }, "last_contact"),
	moment("lastRun", "when its last run ended",
		func(n *nodes.Node) time.Time { return n.Runs.Last.EndedAt() }, "last_run_timerange"),
	moment("lastScan", "when its last scan ended",
		func(n *nodes.Node) time.Time { return n.Scans.Last.EndedAt() }, "last_scan_timerange"),
	moment("addedAt", "when it was first told of",
		func(n *nodes.Node) time.Time { return n.AddedAt }, "date_added"),
	moment("seenAt", "when its cloud last showed it",
		func(n *nodes.Node) time.Time { return n.SeenAt }),
	moment("launchTime", "when it was launched",
		func(n *nodes.Node) time.Time { return n.LaunchTime }),
	moment("lastProbe", "when it was last probed",
		func(n *nodes.Node) time.Time { return n.LastProbe }),
}

// Fields are all fields but the tags, in a fixed order.
func Fields() []Field { return slices.Clone(fields) }

// Tag is the field of a tag.
func Tag(key string) Field {
	return Field{Name: tagPrefix + key, Kind: Several, Doc: "the tag " + key, ec2: tagPrefix + key}
}

// TagKey is the key of a tag whose field has this name; false where it is no tag's.
func TagKey(name string) (string, bool) {
	key, ok := strings.CutPrefix(name, tagPrefix)
	return key, ok && key != ""
}

// Lookup finds a field by its name or a synonym, and a tag as tag:KEY.
func Lookup(name string) (Field, bool) {
	if key, ok := TagKey(name); ok {
		return Tag(key), true
	}
	i := slices.IndexFunc(fields, func(f Field) bool {
		return f.Name == name || slices.Contains(f.Synonyms, name)
	})
	if i < 0 {
		return Field{}, false
	}
	return fields[i], true
}

// Meant asks if the field is meant that is most like a text, for an error. It is empty where none
// is near.
func Meant(text string) string {
	names := map[string]string{}
	for _, f := range fields {
		for _, name := range append([]string{f.Name}, f.Synonyms...) {
			names[name] = f.Name
		}
	}
	return meant(names[nodes.Nearest(text, slices.Sorted(maps.Keys(names)))])
}

// MeantOf asks if that of the names is meant that is most like a text. It is empty where none is
// near.
func MeantOf(text string, names []string) string { return meant(nodes.Nearest(text, names)) }

// meant is the question if a name is meant. It is empty where there is no name.
func meant(name string) string {
	if name == "" {
		return ""
	}
	return "; did you mean " + name + "?"
}

func text(
	name, doc, ec2 string, of func(*nodes.Node) string, synonyms ...string,
) Field {
	return Field{Name: name, Doc: doc, ec2: ec2, Synonyms: synonyms,
		texts: func(n *nodes.Node) []string { return []string{of(n)} }}
}

func words[T ~string](f Field, all []T) Field {
	f.Words = texts(all)
	return f
}

func texts[T ~string](all []T) []string {
	list := make([]string, len(all))
	for i, x := range all {
		list[i] = string(x)
	}
	return list
}

func several(name, doc, ec2 string) Field {
	return Field{Name: name, Kind: Several, Doc: doc, ec2: ec2}
}

func result(name, doc, synonym string, of func(*nodes.Node) *nodes.Result) Field {
	f := text(name, doc, "", func(n *nodes.Node) string { return string(of(n).StatusOf()) }, synonym)
	return words(f, nodes.ResultStatuses())
}

func moment(
	name, doc string, of func(*nodes.Node) time.Time, synonyms ...string,
) Field {
	return Field{Name: name, Kind: Time, Doc: doc, time: of, Synonyms: synonyms}
}
