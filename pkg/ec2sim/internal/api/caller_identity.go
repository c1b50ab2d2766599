package api

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/world"
)

type getCallerIdentityIn struct{}

type callerIdentityXML struct {
	ARN     string `xml:"Arn"`
	UserID  string `xml:"UserId"`
	Account string `xml:"Account"`
}

// getCallerIdentity tells who signed the call.
func getCallerIdentity(c *call, _ *getCallerIdentityIn) (any, error) {
	return callerIdentityXML{
		ARN: c.Caller, Account: world.AccountOf(c.Caller), UserID: userIDOf(c.Caller),
	}, nil
}

// userIDOf is the unique id of whom an ARN names.
func userIDOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	return userID(parts[4], parts[5])
}

// userID is the unique id of a principal of an account. A session's is that of its role, with the
// session's name.
func userID(account, principal string) string {
	kind, rest, _ := strings.Cut(principal, "/")
	name, session, _ := strings.Cut(rest, "/")
	switch kind {
	case "assumed-role":
		return uniqueID("AROA", name) + ":" + session
	case "root":
		return account
	}
	return uniqueID("AIDA", rest)
}

// uniqueID makes an id of IAM's form: a kind, and 17 letters and digits.
func uniqueID(kind, name string) string {
	sum := sha256.Sum256([]byte(name))
	return kind + base32.StdEncoding.EncodeToString(sum[:])[:17]
}
