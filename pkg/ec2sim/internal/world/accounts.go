package world

import (
	"slices"
	"strings"

	"aws-provider-executor/pkg/wildcard"
)

// Place is a region of an account: what one World holds.
type Place struct{ Account, Region string }

// AccountState is what the Sim holds of an account that is not its own.
type AccountState struct {
	Alias   string                 `json:"alias,omitempty"`
	Regions map[string]RegionState `json:"regions,omitempty"`
	Roles   []AccountRole          `json:"roles,omitempty"`
}

// AccountRole is a role of an account that STS lets others assume.
type AccountRole struct {
	Name string `json:"name"`
	// ExternalID is what a caller has to say; empty for none.
	ExternalID string `json:"externalId,omitempty"`
	// Trusts are patterns of the ARNs that may assume the role; none trusts every caller.
	Trusts []string `json:"trusts,omitempty"`
	// Policies are IAM documents, in JSON. A session of a role without any may do everything.
	Policies []string `json:"policies,omitempty"`
}

// Clone returns a deep copy.
func (r AccountRole) Clone() AccountRole {
	r.Trusts, r.Policies = cloneList(r.Trusts), cloneList(r.Policies)
	return r
}

// Trusted reports whether a caller may assume the role with an external id.
func (r AccountRole) Trusted(caller, externalID string) bool {
	if r.ExternalID != "" && r.ExternalID != externalID {
		return false
	}
	return len(r.Trusts) == 0 || slices.ContainsFunc(r.Trusts, func(pattern string) bool {
		return wildcard.Filter.Match(pattern, caller)
	})
}

// The opt-in statuses of a region.
const (
	OptInNotRequired = "opt-in-not-required"
	OptedIn          = "opted-in"
	NotOptedIn       = "not-opted-in"
)

// OptInStatuses are all there are.
var OptInStatuses = []string{OptInNotRequired, OptedIn, NotOptedIn}

// RegionStatus is a region as an account sees it.
type RegionStatus struct{ Name, OptIn string }

// CommonRegions are the regions every account has.
var CommonRegions = []string{
	"ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1",
	"ap-southeast-2",
	"ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1",
	"us-east-1", "us-east-2", "us-west-1", "us-west-2",
}

// OptInRegions are the regions that an account has to ask for.
var OptInRegions = []string{
	"af-south-1", "ap-east-1", "ap-east-2", "ap-south-2", "ap-southeast-3", "ap-southeast-4",
	"ap-southeast-5", "ap-southeast-7", "ca-west-1", "eu-central-2", "eu-south-1", "eu-south-2",
	"il-central-1", "me-central-1", "me-south-1", "mx-central-1",
}

// OptInStatus is what an account that said nothing else has of a region. A region that somebody
// filled has been asked for.
func OptInStatus(region string, filled bool) string {
	switch {
	case !slices.Contains(OptInRegions, region):
		return OptInNotRequired
	case filled:
		return OptedIn
	}
	return NotOptedIn
}

// AccountOf is the account that an ARN names; empty for what is no ARN.
func AccountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}
