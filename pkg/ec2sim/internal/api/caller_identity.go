package api

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

type getCallerIdentityIn struct{}

type callerIdentityXML struct {
	ARN     string `xml:"Arn"`
	UserID  string `xml:"UserId"`
	Account string `xml:"Account"`
}

// getCallerIdentity tells who signed the call.
func getCallerIdentity(c *call, _ *getCallerIdentityIn) (any, error) {
	parts := strings.SplitN(c.Caller, ":", 6)
	return callerIdentityXML{
		ARN: c.Caller, Account: parts[4], UserID: userID(parts[4], parts[5]),
	}, nil
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
