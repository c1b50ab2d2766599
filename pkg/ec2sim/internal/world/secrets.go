package world

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Secret is a secret of Secrets Manager.
type Secret struct {
	Name string `json:"name"`
	// Suffix is what its ARN ends with, of six letters and digits; made where it is empty.
	Suffix string `json:"suffix,omitempty"`
	// Value is its text, and Binary what it has in place of text, in base64.
	Value  string `json:"value,omitempty"`
	Binary string `json:"binary,omitempty"`
	// Version is the id of its one version; made where it is empty.
	Version string    `json:"version,omitempty"`
	Created time.Time `json:"created"`
}

func (s Secret) key() string   { return s.Name }
func (s Secret) clone() Secret { return s }

// Parameter is a parameter of SSM in its one version.
type Parameter struct {
	Name string `json:"name"`
	// Type is String, StringList or SecureString; that when empty.
	Type     string    `json:"type,omitempty"`
	Value    string    `json:"value"`
	Modified time.Time `json:"modified"`
}

func (p Parameter) key() string      { return p.Name }
func (p Parameter) clone() Parameter { return p }

// SecureString is the type of a parameter that is encrypted.
const SecureString = "SecureString"

var (
	secretName    = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]{1,512}$`)
	secretSuffix  = regexp.MustCompile(`^[A-Za-z0-9]{6}$`)
	parameterName = regexp.MustCompile(`^(/[A-Za-z0-9_.-]+)+$|^[A-Za-z0-9_.-]+$`)
)

// AddSecret adds a secret, or replaces the one of its name, whose ARN stays.
func (w *World) AddSecret(m Minter, s Secret, now time.Time) *Secret {
	if known := w.Secrets[s.Name]; known != nil {
		fill(&s.Suffix, known.Suffix)
	}
	if s.Suffix == "" {
		s.Suffix = m.UUID()[:6]
	}
	if s.Version == "" {
		s.Version = m.UUID()
	}
	if s.Created.IsZero() {
		s.Created = now.UTC()
	}
	switch {
	case !secretName.MatchString(s.Name):
		cannot(fmt.Sprintf("%q is not the name of a secret", s.Name))
	case !secretSuffix.MatchString(s.Suffix):
		cannot(fmt.Sprintf("the secret %s has the suffix %q, want six letters and digits",
			s.Name, s.Suffix))
	case (s.Value == "") == (s.Binary == ""):
		cannot(fmt.Sprintf("the secret %s has a value or a binary, and not both", s.Name))
	}
	w.Secrets[s.Name] = &s
	return &s
}

// AddParameter adds a parameter, or replaces the one of its name.
func (w *World) AddParameter(p Parameter, now time.Time) *Parameter {
	fill(&p.Type, SecureString)
	if p.Modified.IsZero() {
		p.Modified = now.UTC()
	}
	switch {
	case !parameterName.MatchString(p.Name):
		cannot(fmt.Sprintf("%q is not the name of a parameter", p.Name))
	case p.Type != "String" && p.Type != "StringList" && p.Type != SecureString:
		cannot(fmt.Sprintf("the parameter %s is of the type %q, want String, StringList or %s",
			p.Name, p.Type, SecureString))
	case p.Value == "":
		cannot("the parameter " + p.Name + " has no value")
	}
	w.Parameters[p.Name] = &p
	return &p
}

// SecretARN is the ARN of a secret that a call names, by its name or by an ARN. What is not there
// has one too, for IAM.
func (w *World) SecretARN(id string) string {
	if s := w.FindSecret(id); s != nil {
		return w.secretARN(s)
	}
	if strings.HasPrefix(id, "arn:") {
		return id
	}
	return w.ServiceARN("secretsmanager", "secret:"+id)
}

func (w *World) secretARN(s *Secret) string {
	return w.ServiceARN("secretsmanager", "secret:"+s.Name+"-"+s.Suffix)
}

// FindSecret finds a secret by its name, its ARN, or its ARN without the suffix. It returns nil
// where there is none.
func (w *World) FindSecret(id string) *Secret {
	for s := range w.Secrets.Each() {
		if arn := w.secretARN(s); id == s.Name || id == arn ||
			id == strings.TrimSuffix(arn, "-"+s.Suffix) {
			return s
		}
	}
	return nil
}

// ParameterARN is the ARN of a parameter that a call names, by its name or by an ARN.
func (w *World) ParameterARN(id string) string {
	if strings.HasPrefix(id, "arn:") {
		return id
	}
	return w.ServiceARN("ssm", "parameter/"+strings.TrimPrefix(id, "/"))
}

// FindParameter finds a parameter by its name or its ARN. It returns nil where there is none.
func (w *World) FindParameter(id string) *Parameter {
	for p := range w.Parameters.Each() {
		if id == p.Name || id == w.ParameterARN(p.Name) {
			return p
		}
	}
	return nil
}

// SetSecret adds a secret or replaces it, and returns its ARN.
func (c *Change) SetSecret(s Secret) (arn string, err error) {
	err = attempt(func() { arn = c.World.secretARN(c.World.AddSecret(c.Mint, s, c.Now)) })
	return arn, err
}

// SetParameter adds a parameter or replaces it, and returns its ARN.
func (c *Change) SetParameter(p Parameter) (arn string, err error) {
	err = attempt(func() { arn = c.World.ParameterARN(c.World.AddParameter(p, c.Now).Name) })
	return arn, err
}
