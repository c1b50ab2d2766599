package iampolicy

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
)

// Scope is where a policy is to hold.
type Scope struct {
	// Region is required. Partition is the region's own unless it is named.
	Region, Partition string
	// Account is the number of the account that has the resources; empty for any.
	Account string
	// VPC restricts changes to the resources of one, where IAM has a key for that.
	VPC string
	// IDs name the resources that may be changed, by their kinds. A kind without ids is not restricted
	// by them.
	IDs map[action.Kind][]string
	// Others lets IDs name resources of kinds that nothing changes, to ask about.
	Others bool
	// Tags are those that a resource must have to be changed.
	Tags map[string]string
}

// kindTraits are what IAM has for a kind of resource.
type kindTraits struct {
	form  action.Form
	inVPC bool // it has the key ec2:Vpc
	// aside kinds are not changed themselves: an interface is given a group. Their tags do not matter.
	aside bool
}

var kinds = map[action.Kind]kindTraits{
	action.NetworkInterface: {form: action.InterfaceID, inVPC: true},
	action.Instance:         {form: action.InstanceID},
	action.RouteTable:       {form: action.RouteTableID, inVPC: true},
	action.Subnet:           {form: action.SubnetID, inVPC: true},
	action.SecurityGroup:    {form: action.SecurityGroupID, inVPC: true, aside: true},
	action.SSMDocument:      {form: action.DocumentName, aside: true},
	action.ElasticIP:        {form: action.AllocationID},
	action.PublicPool:       {form: action.PublicPoolID, aside: true},
	action.ScalingGroup:     {form: action.ScalingGroupName},
}

// named are the kinds of resources that the scope names, in order.
func (s Scope) named() []action.Kind {
	var all []action.Kind
	for _, kind := range slices.Sorted(maps.Keys(s.IDs)) {
		if len(s.IDs[kind]) > 0 {
			all = append(all, kind)
		}
	}
	return all
}

// partitions are the partitions by the beginnings of their regions' names.
var partitions = []struct{ prefix, name string }{
	{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}, {"us-isob-", "aws-iso-b"},
	{"us-isof-", "aws-iso-f"}, {"us-iso-", "aws-iso"}, {"eu-isoe-", "aws-iso-e"},
	{"eusc-", "aws-eusc"}, {"", "aws"},
}

func partitionOf(region string) string {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.prefix) {
			return p.name
		}
	}
	return ""
}

// Check tells everything that is wrong with the scope of a policy for these permissions. Without
// any it is about the scope alone. An error is of type Faults.
func (s Scope) Check(needed []action.Permission) error {
	var faults Faults
	s.checkPlace(&faults)
	for _, kind := range slices.Sorted(maps.Keys(s.IDs)) {
		traits, ok := kinds[kind]
		switch {
		case !ok:
			faults.add("%s is no kind of resource that a policy is scoped to", kind)
			continue
		case len(s.IDs[kind]) > 0 && len(needed) > 0 && !s.Others && !changes(needed, kind):
			faults.add("%s is named, and nothing that the policy is for changes a %s",
				strings.Join(s.IDs[kind], ", "), kind)
		}
		for _, id := range s.IDs[kind] {
			if _, err := traits.form.Canonical(id); err != nil {
				faults.add("the %s %q: %v", kind, id, err)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		if key == "" || strings.ContainsAny(key+s.Tags[key], "*?$") {
			faults.add("the tag %q=%q: want a key and a value without *, ? and $", key, s.Tags[key])
		}
	}
	return faults.err()
}

func (s Scope) checkPlace(faults *Faults) {
	if s.Region == "" {
		faults.add("a policy needs a region")
	} else if same, err := action.Region.Canonical(s.Region); err != nil || same != s.Region {
		faults.add("the region %q: want a region's name, as in ap-northeast-1", s.Region)
	} else if own := partitionOf(s.Region); s.Partition != "" && s.Partition != own {
		faults.add("the region %s is in the partition %s, not in %q", s.Region, own, s.Partition)
	}
	if s.Account != "" && (len(s.Account) != 12 || strings.Trim(s.Account, "0123456789") != "") {
		faults.add("the account %q: want 12 digits", s.Account)
	}
	digits, ok := strings.CutPrefix(s.VPC, "vpc-")
	if s.VPC != "" && (!ok || len(digits) != 8 && len(digits) != 17 ||
		strings.Trim(digits, "0123456789abcdef") != "") {
		faults.add("the VPC %q: want vpc- and 8 or 17 lower-case hexadecimal digits", s.VPC)
	}
}

func changes(needed []action.Permission, kind action.Kind) bool {
	return slices.ContainsFunc(needed, func(p action.Permission) bool {
		return p.Change && p.Resource == string(kind)
	})
}

// Policy is the smallest policy that gives these permissions there. The scope must be right.
func (s Scope) Policy(needed []action.Permission) Document {
	var read, others []string
	groups := map[string][]action.Permission{}
	for _, p := range needed {
		if p.Resource == anything {
			if isEC2(p.Action) {
				read = append(read, p.Action)
			} else {
				others = append(others, p.Action)
			}
			continue
		}
		// Tags are a group of their own: their keys can be told.
		id := p.Resource + " " + strings.Join(p.TagKeys, " ")
		groups[id] = append(groups[id], p)
	}
	d := Document{Version: "2012-10-17", Statement: []Statement{}}
	if len(read) > 0 {
		d.Statement = append(d.Statement, s.read("Read", "ec2:Region", read))
	}
	if len(others) > 0 {
		// Only EC2 knows the key ec2:Region.
		d.Statement = append(d.Statement, s.read("ReadOfOthers", "aws:RequestedRegion", others))
	}
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		st := s.change(groups[id])
		st.Sid = d.unused(st.Sid)
		d.Statement = append(d.Statement, st)
	}
	return d
}

// unused is a Sid that no statement has: each may be there once.
func (d Document) unused(sid string) string {
	for n, free := 2, sid; ; n++ {
		if !slices.ContainsFunc(d.Statement, func(s Statement) bool { return s.Sid == free }) {
			return free
		}
		free = sid + strconv.Itoa(n)
	}
}

// isEC2 reports whether an IAM action is one of EC2's.
func isEC2(name string) bool { return strings.HasPrefix(name, "ec2:") }

// read allows describing, which IAM restricts to a region, by the key, and to nothing else.
func (s Scope) read(sid, key string, actions []string) Statement {
	return Statement{Sid: sid, Effect: "Allow", Action: sortedOnce(actions),
		Resource:  Texts{anything},
		Condition: map[string]map[string]Texts{"StringEquals": {key: {s.Region}}}}
}

// change allows changing one kind of resource.
func (s Scope) change(group []action.Permission) Statement {
	kind, keys := action.Kind(group[0].Resource), group[0].TagKeys
	var actions []string
	for _, p := range group {
		actions = append(actions, p.Action)
	}
	st := Statement{Sid: "Change", Effect: "Allow", Action: sortedOnce(actions),
		Resource: s.arns(kind)}
	for _, word := range strings.Split(string(kind), "-") {
		st.Sid += strings.ToUpper(word[:1]) + word[1:]
	}
	conditions := map[string]map[string]Texts{}
	set := func(operator, key string, values ...string) {
		if conditions[operator] == nil {
			conditions[operator] = map[string]Texts{}
		}
		conditions[operator][key] = values
	}
	if !kinds[kind].aside {
		for key, value := range s.Tags {
			set("StringEquals", "aws:ResourceTag/"+key, value)
		}
	}
	if s.VPC != "" && kinds[kind].inVPC {
		set("ArnLike", "ec2:Vpc", s.arn("vpc", s.VPC))
	}
	if len(keys) > 0 {
		st.Sid += "Tags"
		set("ForAllValues:StringLike", "aws:TagKeys", keys...)
		// ForAllValues holds also where a call names no key: DeleteTags then removes every tag.
		set("Null", "aws:TagKeys", "false")
	}
	if len(conditions) > 0 {
		st.Condition = conditions
	}
	return st
}

// arns name the resources of a kind that may be changed.
func (s Scope) arns(kind action.Kind) Texts {
	ids := sortedOnce(s.IDs[kind])
	if len(ids) == 0 {
		ids = []string{anything}
	}
	all := make(Texts, len(ids))
	for i, id := range ids {
		all[i] = s.arn(string(kind), id)
		switch kind {
		case action.SSMDocument:
			all[i] = s.documentARN(id)
		case action.ScalingGroup:
			all[i] = s.scalingGroupARN(id)
		}
	}
	return all
}

// documentARN is the ARN of a document of SSM, which may be AWS's own and so of no account. One
// that is named by its ARN has that.
func (s Scope) documentARN(name string) string {
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	return "arn:" + cmp.Or(s.Partition, partitionOf(s.Region)) + ":ssm:" + s.Region + ":*:document/" +
		name
}

// scalingGroupARN is the ARN of an Auto Scaling group, which has an id beside its name.
func (s Scope) scalingGroupARN(name string) string {
	return "arn:" + cmp.Or(s.Partition, partitionOf(s.Region)) + ":autoscaling:" + s.Region + ":" +
		cmp.Or(s.Account, anything) + ":autoScalingGroup:*:autoScalingGroupName/" + name
}

func (s Scope) arn(kind, id string) string {
	return "arn:" + cmp.Or(s.Partition, partitionOf(s.Region)) + ":ec2:" + s.Region + ":" +
		cmp.Or(s.Account, anything) + ":" + kind + "/" + id
}

func sortedOnce(texts []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(texts)))
}
