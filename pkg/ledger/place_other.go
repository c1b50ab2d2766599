//go:build !linux

package ledger

import (
	"fmt"
	"os"
)

// otherPlaces is how many files stand for the places of one.
const otherPlaces = 4096

// tryLock locks a file for the place: there are systems that know no locks of parts of a file by
// which requests of one process keep each other out.
func tryLock(path string, place int64) (unlock func(), err error) {
	f, err := lockedFile(fmt.Sprintf("%s-%03x", path, place%otherPlaces), os.O_CREATE, lockFile)
	if err != nil {
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}
