// Package zones finds time zones on every machine: where a machine has no database of them, one is
// inside. It is that of Go's own distribution, and as old as the Go that the test of this package
// ran with. Compressed it has a seventh of the size of time/tzdata, and costs nothing until a zone
// is asked for that the machine does not have.
package zones

import (
	"bufio"
	"compress/flate"
	_ "embed"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Load returns the zone with a name of the IANA database, as time.LoadLocation does. The machine's
// own database comes first.
func Load(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err == nil {
		return zone, nil
	}
	data, insideErr := inside(name)
	if insideErr != nil {
		return nil, errors.Join(err, insideErr)
	}
	return time.LoadLocationFromTZData(name, data)
}

// packed has each zone once: a line with its names and the number of its bytes, then these. It is
// compressed as a whole.
//
//go:embed zones.flate
var packed string

var errNoZone = errors.New("there is no zone with this name")

// inside is the data of a zone in the packed database.
func inside(name string) ([]byte, error) {
	r := bufio.NewReader(flate.NewReader(strings.NewReader(packed)))
	for {
		line, err := r.ReadString('\n')
		if err == io.EOF {
			return nil, errNoZone
		}
		if err != nil {
			return nil, err
		}
		words := strings.Fields(line)
		names, digits := words[:len(words)-1], words[len(words)-1]
		size, err := strconv.Atoi(digits)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(names, name) {
			if _, err := r.Discard(size); err != nil {
				return nil, err
			}
			continue
		}
		data := make([]byte, size)
		_, err = io.ReadFull(r, data)
		return data, err
	}
}
