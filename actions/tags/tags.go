// Package tags gives a resource tags, and gives it back those that it had.
//
// Each key is an attribute of its own, with its own history. So actions on one resource can be
// undone in any order, and other keys are never touched. Tags of AWS (aws:…) and those that this
// program remembers something by are refused.
package tags

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// Reader is what the verbs read with.
type Reader interface {
	DescribeTags(ctx context.Context, ids ...string) (map[string]map[string]string, error)
	// These tell whether what has no tags exists.
	DescribeNetworkInterfaces(ctx context.Context, ids ...string) ([]ec2model.NetworkInterface, error)
	DescribeInstance(ctx context.Context, id string) (ec2model.Instance, error)
	DescribeAllocation(ctx context.Context, id string) (ec2model.Address, error)
}

// Writer is what the verbs change with.
type Writer interface {
	CreateTags(ctx context.Context, resource string, tags map[string]string) error
	// DeleteTags removes those of the tags that have these very values.
	DeleteTags(ctx context.Context, resource string, tags map[string]string) error
}

const (
	callRead   = "ec2:DescribeTags"
	callCreate = "ec2:CreateTags"
	callDelete = "ec2:DeleteTags"

	// attribute begins the name of a tag's attribute.
	attribute = "tag:"

	// maxTags is how many tags a user may give a resource, maxText how many characters one has.
	maxTags, maxText = 50, 256
)

// The families of keys.
var (
	paramTag = action.Field{Name: "tag.<key>", Key: action.TagKey, Form: action.TagValue,
		Decides: true, EmptyCounts: true, Newer: true,
		Doc: "the text that the tag is to have; at least one tag is required"}
	factPrior = action.Field{Name: "priorTag.<key>", Key: action.TagKey, Form: action.FoundTag,
		Doc: "the tag before the action"}
	factEnsured = action.Field{Name: "ensuredTag.<key>", Key: action.TagKey, Form: action.FoundTag,
		Doc: "the tag, read back as it was asked for"}
	factRestored = action.Field{Name: "restoredTag.<key>", Key: action.TagKey,
		Form: action.FoundTag, Doc: "the tag after the undo, read back"}
)

// kinds are what tags are ensured on, each with the call that looks for one.
var kinds = []struct {
	kind action.Kind
	call string
}{
	{action.NetworkInterface, "ec2:DescribeNetworkInterfaces"},
	{action.Instance, "ec2:DescribeInstances"},
	{action.ElasticIP, "ec2:DescribeAddresses"},
}

// Verbs returns the pair.
func Verbs() []action.Verb {
	target := []action.Field{
		{Name: "resourceRef", Form: action.Taggable, Required: true, Exclusive: true, Decides: true,
			Newer: true, Doc: "the interface, the instance or the Elastic IP"},
		{Name: "region", Form: action.Region, Required: true, Decides: true, Newer: true,
			Doc: "its region"},
	}
	prior, ensured := factPrior, factEnsured
	prior.Newer, ensured.Newer = true, true
	return []action.Verb{
		{
			Name: "ensure-tags", Undo: "restore-tags",
			Risk: action.Risk{Level: action.Medium,
				Doc: "What goes by tags, permissions among them, sees other values."},
			Doc: "Gives a resource tags. One of the same key gets another text. Other tags stay as " +
				"they are.",
			Target: target, Parameters: []action.Field{paramTag},
			Facts:       []action.Field{factPrior, factEnsured},
			Permissions: permissions(true, callCreate),
			Plan:        action.PlanWith(planEnsure),
		},
		{
			Name: "restore-tags",
			Risk: action.Risk{Level: action.Medium,
				Doc: "What goes by tags, permissions among them, sees other values."},
			Doc: "Gives a resource its former tags back. It had them before `ensure-tags`; those that " +
				"it did not have are removed.",
			Target:      target,
			Parameters:  []action.Field{prior, ensured, action.OnDrift, action.IgnoreHolders},
			Facts:       []action.Field{factPrior, factRestored},
			Permissions: permissions(false, callCreate, callDelete),
			Plan:        action.PlanWith(planRestore),
		},
	}
}

// permissions are those of a verb that makes some calls. An action only foresees by looking whether
// a resource exists. An undo has to know.
func permissions(foresees bool, changes ...string) []action.Permission {
	all := []action.Permission{{Action: callRead, Resource: "*",
		For: "reading the tags, before and after"}}
	for _, k := range kinds {
		all = append(all, action.Permission{Action: k.call, Resource: "*", Of: k.kind, Foresees: foresees,
			For: "telling what has no tags from what does not exist"})
	}
	for _, k := range kinds {
		for _, call := range changes {
			why := "writing the tags"
			if call == callDelete {
				why = "removing those that were not there before"
			}
			all = append(all, action.Permission{Action: call, Change: true, Resource: string(k.kind),
				Of: k.kind, For: why})
		}
	}
	return all
}

// resource is the one whose tags a request is about.
type resource struct {
	r    Reader
	req  action.Request
	id   string
	keys []string
	// tags are all of it, as first read.
	tags map[string]string
}

func newResource(r Reader, req action.Request) *resource {
	return &resource{r: r, req: req, id: req.Target["resourceRef"]}
}

// read is a reading of the keys that the request is about.
func (t *resource) read(ctx context.Context) (action.Seen, error) {
	found, err := t.r.DescribeTags(ctx, t.id)
	if err != nil {
		return action.Seen{}, err
	}
	return t.seen(found[t.id]), nil
}

func (t *resource) seen(tags map[string]string) action.Seen {
	values := make([]string, len(t.keys))
	for i, key := range t.keys {
		values[i] = action.NoTag
		if text, there := tags[key]; there {
			values[i] = action.TagText(text)
		}
	}
	return action.Seen{Values: values}
}

// first reads the tags that the plan rests on.
func (t *resource) first(ctx context.Context) error {
	found, err := t.r.DescribeTags(ctx, t.id)
	t.tags = found[t.id]
	return err
}

// exists returns a failure of the class not-found if the resource does not exist, which its tags
// do not tell.
func (t *resource) exists(ctx context.Context) error {
	kind, _, _ := strings.Cut(t.id, "-")
	var err error
	switch kind {
	case "eni":
		_, err = t.r.DescribeNetworkInterfaces(ctx, t.id)
	case "i":
		_, err = t.r.DescribeInstance(ctx, t.id)
	default:
		_, err = t.r.DescribeAllocation(ctx, t.id)
	}
	return err
}

func (t *resource) at(seen action.Seen, i int) action.At {
	return action.At{Resource: t.id, Attribute: attribute + t.keys[i], Now: seen.Values[i],
		What: "the tag " + protocol.Quote(t.keys[i]) + " of " + t.id}
}

// together writes tags by one call, and then removes tags by another: EC2 refuses two calls about
// one resource at the same time.
var together = action.TogetherWith(
	func(ctx context.Context, w Writer, changes []action.Change) []error {
		write, remove := map[string]string{}, map[string]string{}
		for _, c := range changes {
			key := strings.TrimPrefix(c.Attribute, attribute)
			if c.To == action.NoTag {
				remove[key], _ = action.TextOf(c.From)
			} else {
				write[key], _ = action.TextOf(c.To)
			}
		}
		var written error
		if len(write) > 0 {
			written = w.CreateTags(ctx, changes[0].Resource, write)
		}
		// After a write that was refused, or whose answer is lost, nothing more is sent.
		removed := written
		if written == nil && len(remove) > 0 {
			removed = w.DeleteTags(ctx, changes[0].Resource, remove)
		}
		errs := make([]error, len(changes))
		for i, c := range changes {
			if errs[i] = written; c.To == action.NoTag {
				errs[i] = removed
			}
		}
		return errs
	})

// transition leads one tag to a value.
func (t *resource) transition(seen action.Seen, i int, to string) action.Transition {
	call := callCreate
	if to == action.NoTag {
		call = callDelete
	}
	return action.Transition{
		Resource: t.id, Attribute: attribute + t.keys[i], From: seen.Values[i], To: to,
		Call: call, Together: together,
	}
}

// room refuses more tags than a resource may have.
func (t *resource) room() error {
	count := 0
	all := action.Merge(t.tags, t.wanted())
	for key := range all {
		if len(key) < 4 || !strings.EqualFold(key[:4], "aws:") {
			count++
		}
	}
	if count <= maxTags {
		return nil
	}
	return protocol.Refuse(protocol.LimitExceeded,
		"%s would have %d tags, and EC2 allows %d; nothing was changed; remove some first", t.id, count,
		maxTags)
}

// check refuses what may not be set, all of it at once.
func (t *resource) check(want map[string]string) error {
	var wrong []string
	for _, key := range t.keys {
		name := "spec.parameters." + paramTag.Of(key)
		switch text := want[key]; {
		case ec2model.IsMark(key):
			wrong = append(wrong, name+" is one of the tags that this program remembers something by, and"+
				" that only the verb writes that needs it")
		case utf8.RuneCountInString(text) > maxText:
			wrong = append(wrong, name+" has "+strconv.Itoa(utf8.RuneCountInString(text))+
				" characters, and EC2 allows "+strconv.Itoa(maxText))
		case strings.ContainsFunc(text, unicode.IsControl):
			wrong = append(wrong, name+" has a control character")
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return protocol.Refuse(protocol.InvalidRequest, "%s; nothing was changed",
		strings.Join(wrong, "; "))
}

// wanted are the texts that the request gives, by key.
func (t *resource) wanted() map[string]string { return family(paramTag, t.req.Parameters) }

// family are the values of a family's members among some, by member.
func family(f action.Field, given map[string]string) map[string]string {
	prefix, all := f.Of(""), map[string]string{}
	for name, value := range given {
		if f.Matches(name) {
			all[strings.TrimPrefix(name, prefix)] = value
		}
	}
	return all
}

// maxNamed is how many keys a sentence names.
const maxNamed = 10

// named names the tags with some keys in a sentence.
func (t *resource) named(keys []string) string {
	var names []string
	for _, key := range keys[:min(len(keys), maxNamed)] {
		names = append(names, protocol.Quote(key))
	}
	if more := len(keys) - len(names); more > 0 {
		names = append(names, "and "+strconv.Itoa(more)+" more")
	}
	what := "the tags "
	if len(keys) == 1 {
		what = "the tag "
	}
	return what + strings.Join(names, ", ") + " of " + t.id
}

// are says of the tags, in a sentence, how they are.
func (t *resource) are(how string) string {
	if len(t.keys) == 1 {
		return t.named(t.keys) + " is " + how
	}
	return t.named(t.keys) + " are " + how
}

func planEnsure(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	t := newResource(r, req)
	want := t.wanted()
	t.keys = slices.Sorted(maps.Keys(want))
	if len(t.keys) == 0 {
		return nil, protocol.Refuse(protocol.InvalidRequest,
			"spec.parameters names no tag: give at least one, as tag.<key>")
	}
	if err := t.check(want); err != nil {
		return nil, err
	}
	if err := t.first(ctx); err != nil {
		return nil, err
	}
	if err := t.room(); err != nil {
		return nil, err
	}
	p := &action.Plan{
		Seen: t.seen(t.tags), Read: t.read, Foresee: t.foresee,
		Words: action.Words{Would: "set " + t.named(t.keys), Did: "set " + t.named(t.keys),
			Already: t.are("as asked for")},
	}
	priors := map[string]string{}
	for i, key := range t.keys {
		o, err := req.Origin(t.at(p.Seen, i))
		if err != nil {
			return nil, err
		}
		if prior, told := o.Facts[factPrior.Of(key)]; told {
			priors[factPrior.Of(key)] = prior
		}
		p.Transitions = append(p.Transitions, t.transition(p.Seen, i, action.TagText(want[key])))
	}
	p.Facts = func(all []action.Transition, seen action.Seen) map[string]string {
		facts := map[string]string{}
		for i, key := range t.keys {
			facts[factPrior.Of(key)] = all[i].From
			// An undo takes back what was ensured. What reads as something else was not.
			if seen.Values[i] == all[i].To {
				facts[factEnsured.Of(key)] = all[i].To
			}
		}
		return action.Merge(facts, priors)
	}
	return p, nil
}

// foresee looks whether what has no tags exists.
func (t *resource) foresee(ctx context.Context) ([]string, error) {
	if len(t.tags) > 0 {
		return nil, nil
	}
	err := t.exists(ctx)
	if gap := action.Unforeseen(err, "whether "+t.id+" exists"); gap != "" {
		return []string{gap}, nil
	}
	return nil, err
}

// isAbsent reports whether an error says that something does not exist.
func isAbsent(err error) bool {
	var f *protocol.Failure
	return errors.As(err, &f) && f.Class == protocol.NotFound
}
