package api

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// page is what a paged Describe takes.
type page struct {
	MaxResults *int
	NextToken  string
}

// pageLimits are an operation's own bounds of MaxResults. An unbounded operation gives everything
// at once when it is not asked for pages.
type pageLimits struct {
	min, max  int
	unbounded bool
}

// cursor is what a NextToken holds: it is good for the operation that gave it.
type cursor struct {
	Operation string `json:"o"`
	After     string `json:"a"` // key of the last resource given
	Size      int    `json:"s"`
}

func (c cursor) token() string {
	data, err := json.Marshal(c)
	if err != nil {
		panic("ec2sim: cannot encode a cursor: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// size returns how many a page holds.
func (p page) size(limits pageLimits) (int, *refusal.Error) {
	switch {
	case p.MaxResults == nil && p.NextToken == "" && limits.unbounded:
		return math.MaxInt, nil
	case p.MaxResults == nil:
		return limits.max, nil
	}
	const wrong = "Value ( %d ) for parameter maxResults is invalid. Expecting a value %s than %d."
	switch size := *p.MaxResults; {
	case size < limits.min:
		return 0, refusal.InvalidValue(wrong, size, "greater", limits.min)
	case size > limits.max:
		return 0, refusal.InvalidValue(wrong, size, "less", limits.max)
	default:
		return size, nil
	}
}

// take returns one page of list, which is in the order of keys, and the token of the next page.
func take[T any](
	operation string, p page, limits pageLimits, list []T, key func(T) string,
) ([]T, string, error) {
	size, refused := p.size(limits)
	if refused != nil {
		return nil, "", refused
	}
	if p.NextToken != "" {
		var c cursor
		data, err := base64.RawURLEncoding.DecodeString(p.NextToken)
		if err != nil || json.Unmarshal(data, &c) != nil || c.Operation != operation {
			return nil, "", refusal.New("InvalidNextToken", "The token '%s' is invalid.", p.NextToken)
		}
		if p.MaxResults == nil {
			size = c.Size
		}
		at, found := slices.BinarySearchFunc(list, c.After, func(r T, after string) int {
			if key(r) < after {
				return -1
			}
			if key(r) > after {
				return 1
			}
			return 0
		})
		if found {
			at++
		}
		list = list[at:]
	}
	if len(list) <= size {
		return list, "", nil
	}
	list = list[:size]
	return list, cursor{operation, key(list[size-1]), size}.token(), nil
}
