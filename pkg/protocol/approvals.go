package protocol

import "fmt"

// Approval is one approver's signed word, as a request carries it.
type Approval struct {
	// Principal is whom the signature is of, by the list of approvers.
	Principal string `json:"principal"`
	// Signature is that of Statement, armored as ssh-keygen -Y sign writes it.
	Signature string `json:"signature"`
	Statement string `json:"statement"`
}

// Approvals are those of spec.context.approvals. They decide nothing of what a request means.
type Approvals struct {
	List []Approval
	// Fault is why they can't be read; the list is empty then. Who asks for approvals refuses them.
	Fault string
}

// MaxApprovals is how many approvals a request may carry.
const MaxApprovals = 16

// approvalsMember is the context's.
const approvalsMember = "approvals"

// approvals reads those of the context.
func (s *Spec) approvals() (a Approvals) {
	list, there := s.object[contextField].fields()[approvalsMember]
	switch {
	case !there || list.Kind == JSONNull:
		return Approvals{}
	case list.Kind != JSONArray:
		return Approvals{Fault: "they are " + string(list.Kind) + ", want an array"}
	case len(list.Items) > MaxApprovals:
		return Approvals{
			Fault: fmt.Sprintf("there are %d, at most %d are read", len(list.Items), MaxApprovals),
		}
	}
	for i, item := range list.Items {
		members := item.fields()
		var one Approval
		for key, to := range map[string]*string{
			"principal": &one.Principal, "signature": &one.Signature, "statement": &one.Statement,
		} {
			v := members[key]
			if v.Kind != JSONString || v.Text == "" || len(members) != 3 {
				return Approvals{Fault: fmt.Sprintf(
					"approval %d is not an object of principal, signature and statement alone", i+1)}
			}
			*to = v.Text
		}
		a.List = append(a.List, one)
	}
	return a
}
