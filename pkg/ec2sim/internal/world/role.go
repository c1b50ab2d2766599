package world

// Role is a role of IAM: what its access key may do, and what IAM's own API tells of it.
type Role struct {
	Name string
	// Profile is the instance profile that has the role; empty for none.
	Profile string
	// Inline and Attached are its policies, as JSON documents by their names.
	Inline, Attached map[string]string
	// Boundary is the document of its permissions boundary; empty for none.
	Boundary string
}

// BoundaryName is the name of the policy that is a role's boundary.
func (r Role) BoundaryName() string { return r.Name + "-boundary" }
