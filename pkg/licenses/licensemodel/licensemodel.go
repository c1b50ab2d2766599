// Package licensemodel says what a licence is, in plain values: its text is in none of them.
package licensemodel

// License is one licence of a pool.
type License struct {
	Pool string
	// ID is the name of the licence's file, or begins with TokenPrefix and names a token by its
	// digest.
	ID string
	// Holder is the instance that has the licence; empty where it is free.
	Holder string
	// Stocked reports whether the pool's source has the licence now.
	Stocked bool
	// Content is the digest of the text that the licence had when it was last taken; empty if it
	// was never taken.
	Content string
	// Revision is that of its item, 0 if there is none.
	Revision int
}

// TokenPrefix begins the ids of tokens.
const TokenPrefix = "token-"

// TextPrefix begins what names a text by its digest, behind the # of a reference to its file.
const TextPrefix = "sha256-"

// Stock is what there is in a pool.
type Stock struct {
	// Licenses are all that the source has and all that were ever taken, in the order of their ids.
	Licenses []License
	// Ignored are names in the source that no licence has.
	Ignored []string
}
