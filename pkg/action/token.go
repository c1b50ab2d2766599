package action

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// tokenBytes is how long each half of a token is.
const tokenBytes = 8

// NewToken is the token of an action that makes something. Half of it is the key's, by which
// OwnToken finds what was made. What is made and deleted again must not be asked for by the same
// token, which a provider may remember: so the other half is random, where a record keeps it.
// Without a record the key alone has to find what was made.
func NewToken(key string, keeps bool) string {
	var random [tokenBytes]byte
	if keeps {
		// It never fails: see the package.
		_, _ = rand.Read(random[:])
	}
	return keyHalf(key) + hex.EncodeToString(random[:])
}

// OwnToken reports whether the action under a key made something by the token.
func OwnToken(key, token string) bool { return strings.HasPrefix(token, keyHalf(key)) }

// DrawnOf is the half of a token that is drawn at random.
func DrawnOf(token string) string { return token[min(len(token), 2*tokenBytes):] }

// keyHalf is the half of a token that the key of its action decides.
func keyHalf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:tokenBytes])
}
