// Package iampolicy writes the smallest IAM policy for some verbs, and holds a role's real policies
// against what is needed.
//
// What a verb needs is its descriptor's to say; nothing here names a verb. A policy that is
// generated has each action once, on the narrowest resources and conditions that EC2 supports for
// it. A comparison never takes for allowed what it can't judge.
package iampolicy

import (
	"bytes"
	"encoding/json"
	"unicode"
)

// MaxManagedSize is how many characters a managed policy may have, without white space. Inline
// policies of a role may have 10,240 together.
const MaxManagedSize = 6144

// The elements of an IAM policy, in the order in which they are written.
type (
	// Document is an IAM policy.
	Document struct {
		Version   string
		Statement []Statement
	}
	// Statement allows actions on resources under conditions.
	Statement struct {
		Sid, Effect string
		Action      []string
		Resource    Texts
		Condition   map[string]map[string]Texts `json:",omitempty"`
	}
	// Texts are written as one text where there is one only.
	Texts []string
)

// MarshalJSON writes one text, or a list.
func (t Texts) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

// UnmarshalJSON reads one text, or a list.
func (t *Texts) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = Texts{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(t))
}

// JSON is the document as IAM takes it, indented, with a newline at its end.
func (d Document) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(d)
	return b.Bytes(), err
}

// Size is the length of the document as IAM counts it: without white space.
func (d Document) Size() int {
	text, err := d.JSON()
	if err != nil {
		// A document is texts and lists of texts, which JSON has a form for.
		panic(err)
	}
	n := 0
	for _, r := range string(text) {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}
