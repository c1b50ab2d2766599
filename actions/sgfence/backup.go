package sgfence

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// The tags that a fence leaves on its instance, the same that the fence_aws_vpc_net agent writes
// and reads:
//
//	lastfence = <unix seconds>, the fence in force
//	Original_SG_Backup_<instance>_<unix seconds>_<interface from 1>_<chunk from 0> =
//	    a chunk of an interface's groups
const (
	lastFence    = ec2model.LastFence
	backupPrefix = ec2model.FenceBackup
	// maxTagValue is what the agent allows itself of EC2's 256.
	maxTagValue = 254
	// maxTags is how many tags of the user EC2 allows on a resource.
	maxTags = 50
	// idPrefix is left out of the group ids in tags.
	idPrefix = "sg-"
)

// backup is what one fence put aside: which groups each interface had.
type backup struct {
	// at names the fence: its time in Unix seconds.
	at string
	// of has the interfaces in the order of their numbers.
	of []saved
}

type saved struct {
	nic    string
	groups []string // sorted
}

// groupsOf finds an interface's groups.
func (b *backup) groupsOf(nic string) (groups []string, ok bool) {
	if b == nil {
		return nil, false
	}
	for _, s := range b.of {
		if s.nic == nic {
			return s.groups, true
		}
	}
	return nil, false
}

// groups are the values of the groups of every interface in it.
func (b *backup) groups() map[string]string {
	all := map[string]string{}
	if b != nil {
		for _, s := range b.of {
			all[s.nic] = groupText(s.groups)
		}
	}
	return all
}

// text is the backup as a transition's value: 1700000000 eni-1=sg-1,sg-2 eni-2=sg-1.
func (b *backup) text() string {
	if b == nil {
		return none
	}
	parts := []string{b.at}
	for _, s := range b.of {
		parts = append(parts, s.nic+"="+groupText(s.groups))
	}
	return strings.Join(parts, " ")
}

// parseBackup reads what text wrote.
func parseBackup(text string) (*backup, bool) {
	parts := strings.Split(text, " ")
	if _, err := action.Timestamp.Canonical(parts[0]); err != nil || len(parts) < 2 {
		return nil, false
	}
	b := &backup{at: parts[0]}
	for _, p := range parts[1:] {
		nic, groups, _ := strings.Cut(p, "=")
		set, err := groupSet.Canonical(groups)
		if _, nicErr := action.InterfaceID.Canonical(nic); err != nil || nicErr != nil {
			return nil, false
		}
		b.of = append(b.of, saved{nic, strings.Split(set, ",")})
	}
	return b, true
}

func backupKeys(instance, at string) string { return backupPrefix + instance + "_" + at + "_" }

// tags are those of the interfaces after the first few, and lastfence.
func (b *backup) tags(instance string, after int) map[string]string {
	tags := map[string]string{lastFence: b.at}
	for i, s := range b.of[after:] {
		for c, value := range chunks(s, b.at) {
			tags[backupKeys(instance, b.at)+strconv.Itoa(after+i+1)+"_"+strconv.Itoa(c)] = value
		}
	}
	return tags
}

// chunk is a tag's value.
type chunk struct {
	Of struct {
		Interface string   `json:"i"`
		Groups    []string `json:"s"`
		Chunk     struct {
			Index int `json:"i"`
			Total int `json:"t"`
		} `json:"c"`
	} `json:"n"`
	At json.Number `json:"t"`
}

// encode writes the tag's value.
func (c chunk) encode() string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// chunks spreads an interface's groups over as many values as they need.
func chunks(s saved, at string) []string {
	encode := func(groups []string, index, total int) string {
		var c chunk
		c.Of.Interface, c.Of.Groups, c.At = s.nic, groups, json.Number(at)
		c.Of.Chunk.Index, c.Of.Chunk.Total = index, total
		return c.encode()
	}
	var lists [][]string
	for _, g := range s.groups {
		g = strings.TrimPrefix(g, idPrefix)
		last := len(lists) - 1
		// 99 is longer than any index there can be: an interface has 16 groups at most.
		if last < 0 || len(encode(append(slices.Clone(lists[last]), g), 99, 99)) > maxTagValue {
			lists = append(lists, []string{g})
			continue
		}
		lists[last] = append(lists[last], g)
	}
	values := make([]string, len(lists))
	for i, groups := range lists {
		values[i] = encode(groups, i, len(lists))
	}
	return values
}

// errGone says that lastfence names a fence that there is no backup of.
var errGone = errors.New("there is no backup tag of it")

// readBackup reads the backup of the fence that lastfence names; nil when there is none. An error
// says why its tags can't be used: nothing is guessed from a part of them. Own are the tags of
// that fence, whatever is in them.
func readBackup(instance string, tags map[string]string) (
	b *backup, own map[string]string, err error,
) {
	at, fenced := tags[lastFence]
	if !fenced {
		return nil, nil, nil
	}
	own = map[string]string{lastFence: at}
	if _, err := action.Timestamp.Canonical(at); err != nil {
		return nil, own, errors.New("it is no time in Unix seconds")
	}
	parts := map[int]map[int]chunk{}
	prefix := backupKeys(instance, at)
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		own[key] = tags[key]
		number, index, ok := partOf(strings.TrimPrefix(key, prefix))
		c, decodeErr := decodeChunk(tags[key])
		switch {
		case !ok:
			return nil, own, fmt.Errorf("the tag %s has no number of an interface and a chunk", key)
		case decodeErr != nil:
			return nil, own, fmt.Errorf("the tag %s %w", key, decodeErr)
		case string(c.At) != at || c.Of.Chunk.Index != index:
			return nil, own, fmt.Errorf("the tag %s holds the chunk %d of %s",
				key, c.Of.Chunk.Index, c.At)
		}
		if parts[number] == nil {
			parts[number] = map[int]chunk{}
		}
		parts[number][index] = c
	}
	if len(parts) == 0 {
		return nil, own, errGone
	}
	b, err = join(at, parts)
	return b, own, err
}

// partOf reads the end of a key: an interface's number and a chunk's, as in 1_0.
func partOf(end string) (number, index int, ok bool) {
	first, second, _ := strings.Cut(end, "_")
	number, err1 := strconv.Atoi(first)
	index, err2 := strconv.Atoi(second)
	return number, index, err1 == nil && err2 == nil && number > 0 && index >= 0 &&
		strconv.Itoa(number)+"_"+strconv.Itoa(index) == end
}

// join makes one backup of the chunks by interface number, if none is missing, doubled or at odds
// with another.
func join(at string, parts map[int]map[int]chunk) (*backup, error) {
	b := &backup{at: at}
	for number := 1; number <= len(parts); number++ {
		of := parts[number]
		if of == nil {
			return nil, fmt.Errorf("there is no tag of its interface %d", number)
		}
		first := of[0].Of
		s := saved{nic: first.Interface}
		for i := range len(of) {
			c, ok := of[i]
			switch {
			case !ok || c.Of.Chunk.Total != len(of):
				return nil, fmt.Errorf("there are %d of the chunks of its interface %d, which is not all",
					len(of), number)
			case c.Of.Interface != s.nic:
				return nil, fmt.Errorf("its interface %d is both %s and %s",
					number, s.nic, c.Of.Interface)
			}
			for _, g := range c.Of.Groups {
				s.groups = append(s.groups, idPrefix+g)
			}
		}
		slices.Sort(s.groups)
		if len(slices.Compact(slices.Clone(s.groups))) != len(s.groups) {
			return nil, fmt.Errorf("it has a group of %s twice", s.nic)
		}
		if _, twice := b.groupsOf(s.nic); twice {
			return nil, fmt.Errorf("it has %s twice", s.nic)
		}
		b.of = append(b.of, s)
	}
	return b, nil
}

// chunkDepth is more than a chunk has.
const chunkDepth = 8

// decodeChunk reads a tag's value: what a fence writes, but for blanks and the order of fields.
func decodeChunk(value string) (chunk, error) {
	var c chunk
	read, err := protocol.ReadOneJSON([]byte(value), chunkDepth)
	if err != nil || json.Unmarshal([]byte(value), &c) != nil {
		return c, errors.New("is not JSON as a fence writes it")
	}
	// Written again, it is the same unless a field is unknown, missing or of another form.
	written, err := protocol.ReadOneJSON([]byte(c.encode()), chunkDepth)
	if err != nil || !reflect.DeepEqual(read.Any(), written.Any()) {
		return c, errors.New("has other fields than a fence writes")
	}
	if _, err := action.Timestamp.Canonical(string(c.At)); err != nil ||
		c.Of.Chunk.Index < 0 || c.Of.Chunk.Total <= c.Of.Chunk.Index {
		return c, errors.New("is not what a fence writes")
	}
	if _, err := action.InterfaceID.Canonical(c.Of.Interface); err != nil {
		return c, errors.New("names no interface")
	}
	if len(c.Of.Groups) == 0 {
		return c, errors.New("names no security group")
	}
	for _, id := range c.Of.Groups {
		if _, err := action.SecurityGroupID.Canonical(idPrefix + id); err != nil {
			return c, errors.New("names what is no security group")
		}
	}
	return c, nil
}

// userTags counts the tags that EC2's limit counts: not those of AWS.
func userTags(tags map[string]string) int {
	n := 0
	for key := range tags {
		if !strings.HasPrefix(key, "aws:") {
			n++
		}
	}
	return n
}
