package iam

import "time"

// Credential is one access key.
type Credential struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string    // set for temporary credentials, which must come with it
	Expires         time.Time // zero for credentials that do not
	ARN             string    // whom refusals name
}
