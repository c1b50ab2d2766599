package api

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// iamOperations read roles and their policies. IAM changes nothing here.
var iamOperations = map[string]Operation{
	"GetInstanceProfile":       reading(getInstanceProfile),
	"GetPolicy":                reading(getPolicy),
	"GetPolicyVersion":         reading(getPolicyVersion),
	"GetRole":                  reading(getRole),
	"GetRolePolicy":            reading(getRolePolicy),
	"ListAccountAliases":       reading(listAccountAliases),
	"ListAttachedRolePolicies": reading(listAttachedRolePolicies),
	"ListRolePolicies":         reading(listRolePolicies),
}

// onlyVersion is the version that every managed policy has.
const onlyVersion = "v1"

func noSuchEntity(format string, args ...any) *refusal.Error {
	e := refusal.New("NoSuchEntity", format, args...)
	e.Status = http.StatusNotFound
	return e
}

// account is the number of the caller's account.
func (c *call) account() string { return strings.SplitN(c.Caller, ":", 6)[4] }

func (c *call) iamARN(kind, name string) string {
	return "arn:aws:iam::" + c.account() + ":" + kind + "/" + name
}

func (c *call) role(name string) (world.Role, error) {
	for _, r := range c.Roles {
		if r.Name == name {
			return r, nil
		}
	}
	return world.Role{}, noSuchEntity("The role with name %s cannot be found.", name)
}

type roleXML struct {
	Name     string       `xml:"RoleName"`
	ID       string       `xml:"RoleId"`
	ARN      string       `xml:"Arn"`
	Path     string       `xml:"Path"`
	Boundary *boundaryXML `xml:"PermissionsBoundary"`
}

type boundaryXML struct {
	Type string `xml:"PermissionsBoundaryType"`
	ARN  string `xml:"PermissionsBoundaryArn"`
}

func (c *call) roleXML(r world.Role) roleXML {
	x := roleXML{Name: r.Name, ID: uniqueID("AROA", r.Name), ARN: c.iamARN("role", r.Name), Path: "/"}
	if r.Boundary != "" {
		x.Boundary = &boundaryXML{"Policy", c.iamARN("policy", r.BoundaryName())}
	}
	return x
}

type roleNameIn struct{ RoleName string }

func getRole(c *call, in *roleNameIn) (any, error) {
	r, err := c.role(in.RoleName)
	return struct {
		Role roleXML `xml:"Role"`
	}{c.roleXML(r)}, err
}

type instanceProfileIn struct{ InstanceProfileName string }

type instanceProfileXML struct {
	Name  string                 `xml:"InstanceProfileName"`
	ID    string                 `xml:"InstanceProfileId"`
	ARN   string                 `xml:"Arn"`
	Path  string                 `xml:"Path"`
	Roles query.Members[roleXML] `xml:"Roles"`
}

func getInstanceProfile(c *call, in *instanceProfileIn) (any, error) {
	for _, r := range c.Roles {
		if r.Profile != "" && r.Profile == in.InstanceProfileName {
			return struct {
				Profile instanceProfileXML `xml:"InstanceProfile"`
			}{instanceProfileXML{
				Name: r.Profile, ID: uniqueID("AIPA", r.Profile), Path: "/",
				ARN:   c.iamARN("instance-profile", r.Profile),
				Roles: query.Members[roleXML]{Member: []roleXML{c.roleXML(r)}},
			}}, nil
		}
	}
	return nil, noSuchEntity("Instance Profile %s cannot be found.", in.InstanceProfileName)
}

type listAccountAliasesIn struct {
	Marker   string
	MaxItems *int
}

// listAccountAliases lists the one alias that an account may have.
func listAccountAliases(c *call, _ *listAccountAliasesIn) (any, error) {
	var out struct {
		Aliases query.Members[string] `xml:"AccountAliases"`
		More    bool                  `xml:"IsTruncated"`
	}
	if c.Alias != "" {
		out.Aliases.Member = []string{c.Alias}
	}
	return out, nil
}

type attachedXML struct {
	Name string `xml:"PolicyName"`
	ARN  string `xml:"PolicyArn"`
}

type pageIn struct {
	RoleName string
	Marker   string
	MaxItems *int
}

// twoOf is the part of a list that one answer has: two of it, so that readers have to go on.
func twoOf(names []string, in *pageIn) (part []string, more bool, marker string, err error) {
	const size = 2
	from := 0
	if in.Marker != "" {
		if from = slices.Index(names, in.Marker); from < 0 {
			return nil, false, "", refusal.New("ValidationError", "Invalid Marker.")
		}
	}
	to := min(from+size, len(names))
	if to < len(names) {
		return names[from:to], true, names[to], nil
	}
	return names[from:to], false, "", nil
}

func listAttachedRolePolicies(c *call, in *pageIn) (any, error) {
	r, err := c.role(in.RoleName)
	if err != nil {
		return nil, err
	}
	names, more, marker, err := twoOf(slices.Sorted(maps.Keys(r.Attached)), in)
	var all []attachedXML
	for _, name := range names {
		all = append(all, attachedXML{name, c.iamARN("policy", name)})
	}
	return struct {
		Policies query.Members[attachedXML] `xml:"AttachedPolicies"`
		More     bool                       `xml:"IsTruncated"`
		Marker   string                     `xml:"Marker,omitempty"`
	}{query.Members[attachedXML]{Member: all}, more, marker}, err
}

func listRolePolicies(c *call, in *pageIn) (any, error) {
	r, err := c.role(in.RoleName)
	if err != nil {
		return nil, err
	}
	names, more, marker, err := twoOf(slices.Sorted(maps.Keys(r.Inline)), in)
	return struct {
		Names  query.Members[string] `xml:"PolicyNames"`
		More   bool                  `xml:"IsTruncated"`
		Marker string                `xml:"Marker,omitempty"`
	}{query.Members[string]{Member: names}, more, marker}, err
}

type rolePolicyIn struct{ RoleName, PolicyName string }

func getRolePolicy(c *call, in *rolePolicyIn) (any, error) {
	r, err := c.role(in.RoleName)
	if err != nil {
		return nil, err
	}
	text, ok := r.Inline[in.PolicyName]
	if !ok {
		return nil, noSuchEntity("The role policy with name %s cannot be found.", in.PolicyName)
	}
	return struct {
		Role     string `xml:"RoleName"`
		Policy   string `xml:"PolicyName"`
		Document string `xml:"PolicyDocument"`
	}{in.RoleName, in.PolicyName, url.PathEscape(text)}, nil
}

// managed is the document of a managed policy.
func (c *call) managed(arn string) (name, text string, err error) {
	name = arn[strings.LastIndex(arn, "/")+1:]
	for _, r := range c.Roles {
		if text, ok := r.Attached[name]; ok {
			return name, text, nil
		}
		if r.Boundary != "" && name == r.BoundaryName() {
			return name, r.Boundary, nil
		}
	}
	return "", "", noSuchEntity("Policy %s was not found.", arn)
}

type policyIn struct{ PolicyArn string }

func getPolicy(c *call, in *policyIn) (any, error) {
	name, _, err := c.managed(in.PolicyArn)
	return struct {
		Name    string `xml:"Policy>PolicyName"`
		ARN     string `xml:"Policy>Arn"`
		Version string `xml:"Policy>DefaultVersionId"`
	}{name, in.PolicyArn, onlyVersion}, err
}

type policyVersionIn struct{ PolicyArn, VersionId string }

func getPolicyVersion(c *call, in *policyVersionIn) (any, error) {
	_, text, err := c.managed(in.PolicyArn)
	if err == nil && in.VersionId != onlyVersion {
		err = noSuchEntity("Policy %s version %s does not exist or is not attachable.", in.PolicyArn,
			in.VersionId)
	}
	return struct {
		Document string `xml:"PolicyVersion>Document"`
		Version  string `xml:"PolicyVersion>VersionId"`
		Default  bool   `xml:"PolicyVersion>IsDefaultVersion"`
	}{url.PathEscape(text), onlyVersion, true}, err
}
